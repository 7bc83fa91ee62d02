//! `docs/wire.md` says what the types say: its generated parts are made again here and compared.
//!
//! `UPDATE_SNAPSHOTS=1 cargo test -p shardwire-protocols --test wire_page` writes them. Numbers in what is written by hand are compared, too: [`numbers`].

mod codes;
mod numbers;

use shardwire_model::life::HistoryEntry;
use shardwire_protocols::{
    Statement, catalogue,
    describe::{Body, Description, chapters, markdown},
    handoff, ingress, proof, trace,
};
use shardwire_transport::{
    Profile, Shape, WireCode,
    settings::{CONNECTION_WINDOW_BYTES, IDLE_TIMEOUT, KEEP_ALIVE, MAX_SESSIONS},
};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

const UPDATE: &str = "UPDATE_SNAPSHOTS";

fn page() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/wire.md")
}

fn row<const N: usize>(cells: [&str; N]) -> [String; N] {
    cells.map(str::to_owned)
}

fn mib(bytes: u32) -> String {
    format!("{} MiB", bytes >> 20)
}

fn windows() -> String {
    let settings = catalogue::settings(Profile::Internet);
    assert_eq!(settings.session_window % (1 << 20), 0, "say it in bytes");
    assert_eq!(settings.connection_window, CONNECTION_WINDOW_BYTES);
    let unread =
        "the largest of the unread bytes of chapter 10, or what one of eight busy sessions may have, whichever is less";
    let rows = [
        row(["unread bytes of a stream", &mib(settings.session_window), unread]),
        row([
            "unread bytes of a connection",
            &mib(CONNECTION_WINDOW_BYTES),
            "eight sessions whose answers are long, and 32 KiB for each other: none that nobody reads stops another",
        ]),
        row(["streams that a peer has open at a time", &MAX_SESSIONS.to_string(), "sessions"]),
        row(["silence", &format!("{} s", IDLE_TIMEOUT.as_secs()), "then the connection is lost"]),
        row([
            "a PING at the latest every",
            &format!("{} s", KEEP_ALIVE.as_secs()),
            "home routers forget a flow after 30 s",
        ]),
    ];
    markdown(["what", "how much", "why"], &rows)
}

fn context<T: Statement>(message: &str) -> [String; 3] {
    let name = std::any::type_name::<T>().rsplit("::").next().unwrap();
    [format!("`{message}`"), format!("`{name}`"), format!("`{}`", T::CONTEXT)]
}

fn contexts() -> String {
    let rows = [
        context::<handoff::AssignmentTerms>("handoff Assign"),
        context::<handoff::Acceptance>("handoff Accept"),
        context::<ingress::ReceiptContent>("ingress Receipt"),
        context::<trace::LeaseTerms>("trace Lease"),
        context::<proof::Announced>("proof Announcement"),
        context::<proof::Settlement>("proof Receipt"),
        context::<proof::Objection>("proof Dispute"),
        context::<HistoryEntry>("administration Response"),
    ];
    markdown(["message", "statement", "context"], &rows)
}

fn resets() -> String {
    let mut rows: Vec<[String; 2]> =
        WireCode::all().map(|code| [format!("0x{:02x}", code.number()), code.to_string()]).collect();
    let (first, last) = (WireCode::RetryAfter { ms: 0 }.number(), WireCode::RetryAfter { ms: u32::MAX }.number());
    let wait = WireCode::RetryAfter { ms: 1500 };
    let meaning = format!("try again after the number less {first:#x}, in milliseconds; {:#x}: {wait}", wait.number());
    rows.push([format!("{first:#x} to {last:#x}"), meaning]);
    format!(
        "{}\nA code that isn't listed is one of a later version: the session is lost, nothing more is known.\n",
        markdown(["code", "what it says to the other side"], &rows)
    )
}

/// The table on the page of the protocols, which has a row of each.
fn purposes() -> String {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    let rows: Vec<String> = page
        .lines()
        .filter_map(|line| line.strip_prefix("//! |"))
        .map(|row| format!("|{row}").replace(['[', ']'], ""))
        .collect();
    for entry in catalogue::all() {
        let named = format!("| `{}` |", entry.name);
        assert_eq!(rows.iter().filter(|row| row.starts_with(&named)).count(), 1, "a row of {}", entry.name);
    }
    rows.join("\n")
}

fn replaced(page: &str, name: &str, content: &str) -> String {
    let (begin, end) = (format!("<!-- begin generated: {name} -->\n"), format!("<!-- end generated: {name} -->"));
    let (before, rest) = page.split_once(&begin).unwrap_or_else(|| panic!("no {begin}"));
    let (_, after) = rest.split_once(&end).unwrap_or_else(|| panic!("no {end}"));
    format!("{before}{begin}\n{content}\n{end}{after}")
}

#[test]
fn the_page_says_what_the_types_say() {
    let all: Vec<Description> =
        catalogue::all().iter().map(|entry| Description::of(entry.name, entry.version, &entry.initiator())).collect();
    let derived = chapters(&all);
    let stored = fs::read_to_string(page()).unwrap();
    let parts = [
        ("windows", windows()),
        ("contexts", contexts()),
        ("types", derived.types),
        ("resets", resets()),
        ("purposes", purposes()),
        ("quotas", numbers::quotas()),
        ("admission", numbers::admission()),
        ("codes", codes::chapter()),
        ("protocols", derived.protocols),
    ];
    let fresh = parts.iter().fold(stored.clone(), |page, (name, content)| replaced(&page, name, content.trim_end()));
    if std::env::var_os(UPDATE).is_some() {
        fs::write(page(), fresh).unwrap();
        return;
    }
    let line = fresh.lines().zip(stored.lines()).position(|(fresh, stored)| fresh != stored);
    assert!(
        fresh == stored,
        "docs/wire.md is stale from line {}: run `{UPDATE}=1 cargo test -p shardwire-protocols --test wire_page`, read the \
         difference, and if a byte or a limit of a published protocol changed, give the protocol a new version",
        line.map_or(0, |line| line + 1)
    );
}

/// Every kind of statement that can be signed is in the table of contexts.
#[test]
fn no_signed_statement_is_missing() {
    fn count(folder: &Path) -> usize {
        let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        paths
            .map(|path| match path.file_name().and_then(|name| name.to_str()) {
                Some("tests" | "tests.rs" | "testing.rs" | "signed.rs") => 0,
                _ if path.is_dir() => count(&path),
                _ => fs::read_to_string(&path).unwrap().matches("impl Statement for").count(),
            })
            .sum()
    }
    assert_eq!(contexts().lines().count() - 2, count(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")));
}

/// What the types alone can't promise: a protocol in which a side may speak on and on would be held back by the window alone.
#[test]
fn no_protocol_lets_a_side_speak_on_and_on() {
    for entry in catalogue::all() {
        let unread = Description::of(entry.name, entry.version, &entry.initiator()).unread_bytes;
        assert!(unread.initiator.is_some() && unread.responder.is_some(), "{}: {unread:?}", entry.name);
    }
}

/// A list or a text without a bound is one that a stranger has to look for in the source.
#[test]
fn every_list_and_text_says_how_long_it_may_be() {
    fn check(shape: &Shape, at: &str) {
        let long = matches!(shape, Shape::List { .. } | Shape::Text { .. } | Shape::Bytes { .. } | Shape::Map { .. });
        assert!(!long || shape.most().is_some(), "{at} has {shape:?}, of any length");
        shape.parts().for_each(|part| check(part, at));
    }
    for entry in catalogue::all() {
        for (name, message) in entry.messages() {
            check(&message.shape(), &format!("{} {name}", entry.name));
        }
    }
}

/// Two types of one name in a protocol's section couldn't be told apart. (The two sides may each have a message of a name.)
#[test]
fn no_two_types_of_a_protocol_have_one_name() {
    fn add<'a>(body: &'a Body, at: &str, types: &mut BTreeMap<&'static str, &'a Body>) {
        if let Some(name) = body.name() {
            let known = *types.entry(name).or_insert(body);
            assert_eq!(known, body, "{at} has two types of the name {name}: `#[serde(rename)]` gives one another");
        }
        body.parts().into_iter().for_each(|part| add(part, at, types));
    }
    for entry in catalogue::all() {
        let description = Description::of(entry.name, entry.version, &entry.initiator());
        let mut types = BTreeMap::new();
        // A message has a heading of its own.
        let within = description.messages.iter().flat_map(|message| message.body.parts());
        within.for_each(|body| add(body, entry.name, &mut types));
    }
}
