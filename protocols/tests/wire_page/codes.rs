//! The stable codes that peers read, each with what its reason says: taken from the sources, so that none is missing.
//!
//! Every code in them belongs to an area (`SW-AREA-NNN`), and every area is in one of three lists here: codes that go over the wire and are listed
//! on the page with their words; rules of protocols, which the page names where it explains them; and codes that no peer is told.

use shardwire_protocols::{catalogue, describe::markdown};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// Areas whose codes peers read, and where.
const TOLD: [(&str, &str); 30] = [
    ("ADMIN", "a `Failed` to a peer that may not ask that; the others stay with the one that asked"),
    ("ARTEFACT", "a file of the peer's own: as `STORE`"),
    ("CLASS", "a class of the genesis: a `Failed` that answers `start`, a handoff `Decline`, a `Skip`"),
    ("CONFIG", "a `Failed` that answers `reload`"),
    (
        "CONTRACTS",
        "a `Failed` that answers `start`, of a shard of contracts; of its run a shard's `error`; of what it read a `Dispute`",
    ),
    ("EXEC", "an operator's run: the cause in an ingress `Refused`, and a shard's `error`"),
    (
        "FORK",
        "a node that can't read the network of a shard: a `Failed` that answers `start`, an ingress `Refused`, a `Skip`, a shard's `error`",
    ),
    ("HANDSHAKE", "the cause in the handshake's `Refused`"),
    ("LEDGER", "a settler's World: a `Failed`, a `Dispute`, a shard's `error`"),
    ("LIFE", "a step that a shard can't take: a `Failed`, a `Dispute`, an `Abandon`"),
    ("MERGE", "what the World can't merge: a `Failed` that answers `start`, a `Dispute`, a shard's `error`"),
    (
        "NATIVE",
        "a shard of contracts: a `Failed` that answers `start`, a handoff `Decline`, a `Skip`, the outcome in an ingress `Receipt`",
    ),
    ("NETWORK", "a node: a peer's `trouble`"),
    ("NODE", "a `Failed`"),
    (
        "OPERATOR",
        "an operator: a handoff `Decline`, ingress `Refused` and `Receipt`, a trace `Refused`, a shard's `error`",
    ),
    ("OUTPUT", "a `Dispute`: the proof's output is none"),
    (
        "PROGRAM",
        "a handoff `Decline`, an ingress `Refused`: the operator doesn't have the program or the genesis; a `Failed` that answers `start`, a `Skip`: the settler doesn't",
    ),
    ("PROVE", "a prover's worker: an `Abandon`, a shard's `error`"),
    ("PROVER", "a prover: a trace `Decline` or `Abandon`, a shard's `error`"),
    ("READY", "a node: what is `unmet`"),
    ("REFUSED", "the outcome in an ingress `Receipt`"),
    ("SETTLE", "a `Dispute`: the proof is of something else than the World's shard"),
    ("SETTLER", "a settler: a `Skip`, a `Dispute`, a `Failed`, a shard's `error`"),
    ("STARKNET", "a node whose network doesn't answer: as `FORK`"),
    ("START", "a `Failed` that answers `start`"),
    ("STORE", "the peer's own disk: an ingress `Refused`, an `Abandon`, a `Failed`, a shard's `error`"),
    ("VERIFY", "a `Dispute`: the bytes prove nothing"),
    ("WITNESS", "a prover that can't use an operator's chunks: an `Abandon`, a shard's `error`"),
    ("WORKER", "a prover's worker: an `Abandon`, a shard's `error`"),
    ("WORLD", "a settler's World: a `Failed`, a `Dispute`, a shard's `error`"),
];

/// Areas of rules that a peer breaks: reported by the one that sees it, and named on the page. They are sessions' and those of each protocol whose area
/// isn't among the others.
fn rules() -> Vec<String> {
    let protocols = catalogue::all().into_iter().map(|entry| entry.name.to_uppercase());
    let others = |area: &String| !TOLD.iter().map(|(area, _)| *area).chain(KEPT).any(|it| it == area);
    std::iter::once("SESSION".to_owned()).chain(protocols.filter(others)).collect()
}

/// Areas that no peer is told: the command line's, the client's, a file's, an address', this peer's own opinion of others.
const KEPT: [&str; 19] = [
    "CLI",
    "CLIENT",
    "DATA",
    "EVIDENCE",
    "GENESIS",
    "IDENTITY",
    "INIT",
    "METRICS",
    "NAME",
    "PROTOCOL",
    "REPUTATION",
    "REQUEST",
    "RPC",
    "SIGNED",
    "STDOUT",
    "TRANSPORT",
    "TX",
    "WIRE",
    "WORKLOAD",
];

/// Codes whose words aren't those of an error of their own.
const OTHER_WORDS: [(&str, &str); 16] = [
    ("SW-ADMIN-001", "peer … may not control this node"),
    ("SW-ADMIN-004", "the response answers another request (a rule, chapter 7)"),
    ("SW-ARTEFACT-001", "can't … …: … (a file, and the system's reason)"),
    ("SW-HANDSHAKE-004", "a reason of the peer's own"),
    ("SW-NATIVE-017", "contracts … and … both keep sessions, and a shard has one at most"),
    ("SW-NATIVE-020", "the state that the shard began from can't be read: …"),
    ("SW-READY-001", "peers up to tier … are refused"),
    ("SW-READY-002", "no settler to work with is connected"),
    ("SW-READY-003", "no operator to work with is connected"),
    ("SW-READY-004", "no prover to work with is connected"),
    ("SW-READY-005", "this node's own roles don't reach each other at …"),
    ("SW-READY-006", "… (what failed at the node's disk, and the system's reason)"),
    ("SW-READY-007", "most of its peers contradict this node's date"),
    (
        "SW-SETTLER-016",
        "the operator has cut a segment at another state than the proof ends at, or says that the run goes on after it",
    ),
    ("SW-WORKER-005", "the prover failed at the witness (a worker's own code, in its output)"),
    ("SW-WORLD-021", "can't … …: … (the file that names the World, and the system's reason)"),
];

/// Rooms whose programs never talk to a peer.
const APART: [&str; 2] = ["stwo-worker", "worker-build"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The sources of what runs, without their tests.
fn sources() -> Vec<String> {
    fn add(folder: &Path, found: &mut Vec<String>) {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
            if path.is_dir() {
                let skipped = ["tests", "testing", "target", "suite", "examples"].contains(&name.as_str());
                if !skipped && !APART.contains(&name.as_str()) {
                    add(&path, found);
                }
            } else if let Some(module) = name.strip_suffix(".rs")
                && module != "tests"
                && module != "testing"
                && !module.ends_with("_tests")
            {
                let text = fs::read_to_string(&path).unwrap();
                found.push(text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned());
            }
        }
    }
    let mut found = Vec::new();
    for room in
        ["transport/src", "protocols/src", "protocols/model/src", "protocols/crdt/src", "reputation/src", "node"]
    {
        add(&root().join(room), &mut found);
    }
    found
}

/// The codes in a text, in quotes, with the place after each.
fn codes(text: &str) -> Vec<(&str, usize)> {
    let is_code = |code: &str| {
        let parts = code.strip_prefix("SW-").and_then(|rest| rest.rsplit_once('-'));
        parts.is_some_and(|(area, number)| {
            number.len() == 3
                && number.bytes().all(|it| it.is_ascii_digit())
                && !area.is_empty()
                && area.bytes().all(|it| it.is_ascii_uppercase())
        })
    };
    let quoted = text.match_indices("\"SW-").filter_map(|(at, _)| {
        let rest = &text[at + 1..];
        let end = rest.find('"')?;
        is_code(&rest[..end]).then_some((&rest[..end], at + 1 + end))
    });
    quoted.collect()
}

/// The first string in a text, as the compiler reads it; and the place after it.
fn string(text: &str) -> Option<(String, usize)> {
    let from = text.find('"')? + 1;
    let (mut words, mut characters) = (String::new(), text[from..].char_indices().peekable());
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((words, from + at + 1)),
            '\\' => match characters.next() {
                Some((_, '\n')) => while characters.next_if(|(_, it)| it.is_whitespace()).is_some() {},
                Some((_, escaped)) => words.push(escaped),
                None => {}
            },
            other => words.push(other),
        }
    }
    None
}

/// A message with what differs left out.
fn words(format: &str) -> String {
    let (mut words, mut inside) = (String::new(), false);
    let format = format.replace("{{", "\u{1}").replace("}}", "\u{2}");
    for character in format.chars() {
        match character {
            '{' => {
                inside = true;
                words.push('…');
            }
            '}' => inside = false,
            '\u{1}' => words.push('{'),
            '\u{2}' => words.push('}'),
            other if !inside => words.push(other),
            _ => {}
        }
    }
    words
}

/// What is within the brackets that open first in a text, and the place after them. Strings are passed over.
fn bracketed(text: &str, open: char, close: char) -> Option<(&str, usize)> {
    let from = text.find(open)? + 1;
    let (mut depth, mut at) = (1, from);
    while let Some(character) = text[at..].chars().next() {
        if character == '"' {
            at += string(&text[at..])?.1;
            continue;
        }
        at += character.len_utf8();
        if character == open {
            depth += 1;
        } else if character == close {
            depth -= 1;
            if depth == 0 {
                return Some((&text[from..at - close.len_utf8()], at));
            }
        }
    }
    None
}

fn identifier(text: &str) -> &str {
    let end = text.find(|it: char| !it.is_alphanumeric() && it != '_').unwrap_or(text.len());
    &text[..end]
}

/// The messages of a source's errors: by the type's name and, of an enum, the variant's.
fn messages(source: &str) -> BTreeMap<(String, String), String> {
    let (mut found, mut of, mut at) = (BTreeMap::new(), String::new(), 0);
    while let Some(next) = source[at..].find("enum ").into_iter().chain(source[at..].find("#[error(")).min() {
        at += next;
        if let Some(rest) = source[at..].strip_prefix("enum ") {
            identifier(rest).clone_into(&mut of);
            at += 5;
            continue;
        }
        let Some((inner, end)) = bracketed(&source[at..], '(', ')') else { break };
        at += end + 1;
        if inner.trim_start().starts_with('"') {
            // What has the message: after further attributes and words about it.
            let mut rest = source[at..].trim_start();
            while rest.starts_with("#[") || rest.starts_with("//") {
                rest = rest.split_once('\n').map_or("", |(_, rest)| rest).trim_start();
            }
            let plain =
                rest.trim_start_matches("pub(crate) ").trim_start_matches("pub(super) ").trim_start_matches("pub ");
            let key = match plain.strip_prefix("struct ").or_else(|| plain.strip_prefix("enum ")) {
                Some(name) => (identifier(name).to_owned(), String::new()),
                None => (of.clone(), identifier(plain).to_owned()),
            };
            if let Some((format, _)) = string(inner) {
                found.insert(key, words(&format));
            }
        }
    }
    found
}

/// What the reasons with each code of a source say.
fn meanings(source: &str, found: &mut BTreeMap<String, String>) {
    let messages = messages(source);
    for part in source.split("impl Coded for ").skip(1) {
        let of = identifier(part);
        let Some((_, body)) = part.split_once("fn code(&self)") else { continue };
        let Some((body, _)) = bracketed(body, '{', '}') else { continue };
        let mut arm = 0;
        for (code, end) in codes(body) {
            let pattern = &body[arm..end];
            arm = end;
            let variants: Vec<&str> = pattern.split("Self::").skip(1).map(identifier).collect();
            let variants = if body.contains("=>") { variants } else { vec![""] };
            // Of an arm that isn't a code, such as `Self::Store(error) => error.code()`, the pattern has the variants too: they come first.
            let own = variants.iter().rev().find_map(|variant| messages.get(&(of.to_owned(), (*variant).to_owned())));
            if let Some(message) = own {
                found.entry(code.to_owned()).or_insert_with(|| message.clone());
            }
        }
    }
}

fn area(code: &str) -> &str {
    code.strip_prefix("SW-").and_then(|rest| rest.rsplit_once('-')).map_or("", |(area, _)| area)
}

/// Every code in what runs.
fn all(sources: &[String]) -> BTreeSet<String> {
    sources.iter().flat_map(|source| codes(source)).map(|(code, _)| code.to_owned()).collect()
}

/// The page's part: whose codes, then each.
pub(crate) fn chapter() -> String {
    let (sources, mut found) = (sources(), BTreeMap::new());
    for source in &sources {
        meanings(source, &mut found);
    }
    found.extend(OTHER_WORDS.map(|(code, words)| (code.to_owned(), words.to_owned())));
    let told = |code: &String| TOLD.iter().any(|(told, _)| *told == area(code));
    let rows: Vec<[String; 2]> = all(&sources)
        .into_iter()
        .filter(told)
        .map(|code| {
            let words = found.get(&code).unwrap_or_else(|| panic!("{code} has no words: give it some in OTHER_WORDS"));
            [format!("`{code}`"), words.clone()]
        })
        .collect();
    let areas: Vec<[String; 2]> =
        TOLD.iter().map(|(area, whose)| [format!("`SW-{area}`"), (*whose).to_owned()]).collect();
    format!(
        "{}\n{}",
        markdown(["codes", "where a peer reads them"], &areas),
        markdown(["code", "its reason says"], &rows)
    )
}

#[test]
fn every_code_is_told_a_rule_or_kept() {
    let rules = rules();
    let rules = rules.iter().map(String::as_str);
    let known: BTreeSet<&str> = TOLD.iter().map(|(area, _)| *area).chain(rules.clone()).chain(KEPT).collect();
    assert_eq!(known.len(), TOLD.len() + rules.len() + KEPT.len(), "an area is in two lists");
    let sources = sources();
    let codes = all(&sources);
    let unknown: BTreeSet<&str> = codes.iter().map(|code| area(code)).filter(|area| !known.contains(area)).collect();
    assert!(unknown.is_empty(), "{unknown:?}: do peers read these codes? Put the area in one of the lists above");
}

#[test]
fn every_rule_that_a_peer_can_break_is_on_the_page() {
    let page = fs::read_to_string(root().join("docs/wire.md")).unwrap();
    let codes = all(&sources());
    let rules = rules();
    let is_rule = |code: &&String| rules.iter().any(|it| it == area(code));
    let missing: Vec<&String> = codes.iter().filter(|code| is_rule(code) && !page.contains(code.as_str())).collect();
    assert!(missing.is_empty(), "docs/wire.md doesn't name {missing:?}");
}

#[test]
fn words_are_those_of_the_errors() {
    let source = r##"
        /// Of two kinds.
        pub enum MixedError {
            /// Something else.
            #[error(transparent)]
            Other(#[from] Other),
            /// Too many.
            #[error("{} given, \"at most\" {max} \
                     allowed {{here}}", .list.len())]
            #[allow(dead_code)]
            TooMany { max: usize },
            #[error(
                "none"
            )]
            None,
        }
        impl Coded for MixedError {
            fn code(&self) -> &'static str {
                match self {
                    Self::Other(error) => error.code(),
                    Self::TooMany { .. } => "SW-TEST-001",
                    Self::None => "SW-TEST-002",
                }
            }
        }
        #[error("just this: {0}")]
        pub struct Single(&'static str);
        impl Coded for Single {
            fn code(&self) -> &'static str { "SW-TEST-003" }
        }
    "##;
    let mut found = BTreeMap::new();
    meanings(source, &mut found);
    let words = ["… given, \"at most\" … allowed {here}", "none", "just this: …"];
    assert_eq!(found.into_values().collect::<Vec<_>>(), words);
}
