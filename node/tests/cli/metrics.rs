//! What a running node's `/metrics` says, compared with `docs/metrics.md`. `UPDATE_SNAPSHOTS=1 cargo test -p shardwire --test cli` writes that page anew.

use super::{lifecycle::Node, run};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    io::{Read as _, Write as _},
    net::TcpStream,
};

const PAGE: &str = include_str!("../../../docs/metrics.md");
/// Most series that a family may have, as `shardwire_telemetry::MAX_SERIES` says; a histogram has one for each of its buckets.
const MAX_SERIES: usize = 64;

/// What `/metrics` of this node says.
pub(super) fn scraped(node: &Node) -> String {
    let mut stream = TcpStream::connect(node.json()["metrics"].as_str().unwrap()).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    body.to_owned()
}

/// A family, as a person reads it.
#[derive(Debug, Default)]
struct Family {
    help: String,
    kind: String,
    unit: Option<String>,
    labels: BTreeMap<String, Vec<String>>,
    series: usize,
}

/// The families of a text, by their names there.
fn families(text: &str) -> BTreeMap<String, Family> {
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    let mut last = String::new();
    for line in text.lines().filter(|line| *line != "# EOF") {
        if let Some((what, rest)) = line.strip_prefix("# ").and_then(|line| line.split_once(' ')) {
            let (name, value) = rest.split_once(' ').unwrap();
            name.clone_into(&mut last);
            let family = families.entry(last.clone()).or_default();
            match what {
                "HELP" => value.clone_into(&mut family.help),
                "TYPE" => value.clone_into(&mut family.kind),
                "UNIT" => family.unit = Some(value.to_owned()),
                _ => panic!("{line}"),
            }
            continue;
        }
        assert!(line.starts_with(&last), "{line} stands with {last}");
        let family = families.get_mut(&last).unwrap();
        family.series += 1;
        let labels = line.split_once('{').and_then(|(_, rest)| rest.split_once('}')).map_or("", |(labels, _)| labels);
        for label in labels.split(',').filter(|label| !label.is_empty()) {
            let (name, value) = label.split_once('=').unwrap();
            let values = family.labels.entry(name.to_owned()).or_default();
            let value = value.trim_matches('"').to_owned();
            if name != "le" && !values.contains(&value) {
                values.push(value);
            }
        }
    }
    families
}

fn page(families: &BTreeMap<String, Family>) -> String {
    let mut page = "\
# Metrics

What a node with every role says at `/metrics` (`metrics.listen` in `shardwire.toml`), by the room that counts it. A node without a role says nothing of
it. Every counter is there from the start, at 0. No label has a value that a peer can choose: what happened to whom is in the log.

Most counters are of events, and an event's line in the log has the same name as its target, in text and in JSON: `shardwire_peers::session_lost` is
counted in `shardwire_peers_session_lost_total`. So `--log info,shardwire_peers=debug` shows one room's events,
`--log info,shardwire_peers::session_lost=debug` one kind.

This page is written by a test from what a running node says: `UPDATE_SNAPSHOTS=1 cargo test -p shardwire --test cli`.
"
    .to_owned();
    let mut room = "";
    for (name, Family { help, kind, labels, .. }) in families {
        let of = name.split('_').nth(1).unwrap();
        if of != room {
            room = of;
            let _ = write!(page, "\n## {room}\n\n| metric | kind | labels | what it says |\n|---|---|---|---|\n");
        }
        let suffix = if kind == "counter" { "_total" } else { "" };
        let labels: Vec<String> = labels
            .iter()
            .map(
                |(name, values)| {
                    if values.is_empty() { name.clone() } else { format!("{name}: {}", values.join(", ")) }
                },
            )
            .collect();
        let _ = writeln!(page, "| `{name}{suffix}` | {kind} | {} | {help} |", labels.join("; "));
    }
    page
}

#[cfg(unix)]
#[test]
fn every_room_of_a_node_says_what_the_page_says() {
    let place = tempfile::tempdir().unwrap();
    let (root, genesis) = (place.path().join("node").display().to_string(), place.path().join("genesis.json"));
    std::fs::write(&genesis, r#"{"storage":[{"contract":"0xc1","key":"0x1","kind":"counter","value":0}]}"#).unwrap();
    let roles = ["settler", "operator", "prover"].map(|role| ["--role", role]).concat();
    let genesis = genesis.display().to_string();
    let worker = concat!(env!("CARGO_MANIFEST_DIR"), "/prover/tests/workers/hangs");
    let listen = ["--metrics-listen", "127.0.0.1:0", "--worker", worker];
    let made = run(&[&["init", "--data", &root, "--world", &genesis], &listen[..], &roles[..]].concat());
    assert_eq!((made.code, made.err.as_str()), (0, ""), "{}", made.out);

    let mut node = Node::start(&root);
    let families = families(&scraped(&node));
    assert_eq!(node.stop().code(), Some(0));
    for (name, family) in &families {
        assert!(family.help.len() > 10, "{name} says what it is");
        assert!(family.series <= MAX_SERIES, "{name} has {} series", family.series);
        assert!(
            family.unit.as_ref().is_none_or(|unit| name.ends_with(&format!("_{unit}"))),
            "{name} ends with its unit"
        );
    }
    let rooms: BTreeSet<&str> = families.keys().map(|name| name.split('_').nth(1).unwrap()).collect();
    assert_eq!(
        Vec::from_iter(rooms),
        ["clock", "host", "network", "node", "operator", "peers", "prover", "settler", "store", "telemetry", "world"]
    );

    let page = page(&families);
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/metrics.md"), page).unwrap();
        return;
    }
    assert_eq!(page, PAGE, "docs/metrics.md isn't what a node says: UPDATE_SNAPSHOTS=1 writes it anew");
}
