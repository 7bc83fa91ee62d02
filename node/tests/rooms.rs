//! The table of rooms in ARCHITECTURE.md, compared with what each room's Cargo.toml says: which rooms there are, which it knows, and which it doesn't.
//!
//! A row names the rooms that its room knows, but for those that another one of them knows itself; what a room knows stands above it. What is said not to be known ("no network")
//! isn't known by way of another room either. Dependencies of tests alone don't count.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};
use toml::Table;

/// What a room says that it doesn't know: rooms, or libraries of others.
const UNKNOWN: [(&str, &[&str]); 8] = [
    ("no network", &["transport"]),
    ("no transport", &["transport"]),
    ("no protocol", &["protocols"]),
    ("no peers", &["node/peers"]),
    ("no storage", &["node/store"]),
    ("no role", &["node/operator", "node/prover", "node/settler"]),
    ("no native execution", &["node/program/native", "blockifier"]),
    ("no virtual machine", &["cairo-vm", "blockifier"]),
];
/// Rooms whose row is a sentence.
const IN_WORDS: [(&str, &str); 3] =
    [("node", "all of the above"), ("benches", "whatever it measures"), ("node/stwo-worker", "the witness format")];
/// The room that everybody knows, so that few rows name it.
const MODEL: &str = "protocols/model";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn manifest(room: &str) -> Table {
    read(&format!("{room}/Cargo.toml")).parse().unwrap()
}

/// The rows of the table: a room and what it knows.
fn rows() -> Vec<(String, String)> {
    let page = read("ARCHITECTURE.md");
    let chapter = page.split_once("\n## The rooms\n").unwrap().1;
    let chapter = chapter.split_once("\n## ").unwrap().0;
    let cells = |line: &str| {
        let cells: Vec<_> = line.strip_prefix("| `")?.strip_suffix(" |")?.split(" | ").map(str::to_owned).collect();
        Some((cells.first()?.strip_suffix('`')?.to_owned(), cells.last()?.clone()))
    };
    chapter.lines().filter_map(cells).collect()
}

/// The rooms that each room's manifest names, and the libraries of others.
struct Named {
    rooms: BTreeMap<String, BTreeSet<String>>,
    libraries: BTreeMap<String, BTreeSet<String>>,
}

impl Named {
    fn of(rooms: impl Iterator<Item = String>) -> Self {
        let workspace: Table = read("Cargo.toml").parse().unwrap();
        let own: BTreeMap<String, String> = workspace["workspace"]["dependencies"]
            .as_table()
            .unwrap()
            .iter()
            .filter_map(|(name, it)| Some((name.clone(), it.get("path")?.as_str()?.to_owned())))
            .collect();
        let mut named = Self { rooms: BTreeMap::new(), libraries: BTreeMap::new() };
        for room in rooms {
            let manifest = manifest(&room);
            let names = manifest.get("dependencies").and_then(toml::Value::as_table).into_iter().flat_map(Table::keys);
            let (known, others) = names.partition::<Vec<_>, _>(|name| own.contains_key(*name));
            named.rooms.insert(room.clone(), known.into_iter().map(|name| own[name].clone()).collect());
            named.libraries.insert(room, others.into_iter().cloned().collect());
        }
        named
    }

    /// What these rooms know, by way of others as well; they themselves, too.
    fn reached<'a>(&'a self, from: impl IntoIterator<Item = &'a str>) -> BTreeSet<&'a str> {
        let (mut reached, mut open) = (BTreeSet::new(), from.into_iter().collect::<Vec<_>>());
        while let Some(room) = open.pop() {
            if reached.insert(room) {
                open.extend(self.rooms.get(room).into_iter().flatten().map(String::as_str));
            }
        }
        reached
    }

    fn uses(&self, room: &str, library: &str) -> bool {
        self.libraries.get(room).is_some_and(|libraries| libraries.contains(library))
    }
}

#[test]
fn every_crate_has_a_row_and_every_row_a_crate() {
    let workspace: Table = read("Cargo.toml").parse().unwrap();
    let members = workspace["workspace"]["members"].as_array().unwrap().iter();
    let members: BTreeSet<_> = members.map(|member| member.as_str().unwrap().to_owned()).collect();
    let rows: BTreeSet<_> =
        rows().into_iter().map(|(room, _)| room).filter(|room| room != "node/stwo-worker").collect();
    assert_eq!(rows, members);
}

#[test]
fn rooms_know_what_the_table_says_and_stand_below_it() {
    let rows = rows();
    let places: BTreeMap<&str, usize> = rows.iter().zip(0..).map(|((room, _), place)| (room.as_str(), place)).collect();
    let named = Named::of(rows.iter().map(|(room, _)| room.clone()));
    let full = |short: &str| {
        let ends = |room: &&str| *room == short || room.ends_with(&format!("/{short}"));
        let found: Vec<&str> = places.keys().copied().filter(ends).collect();
        assert_eq!(found.len(), 1, "'{short}' names {found:?}");
        found[0]
    };
    let mut wrong = Vec::new();
    for (room, says) in &rows {
        if let Some((_, words)) = IN_WORDS.iter().find(|(it, _)| it == room) {
            assert_eq!(says, words, "{room}");
            continue;
        }
        let (known, unknown) = says.split_once("; ").unwrap_or((says, ""));
        let listed: BTreeSet<&str> = known.split(", ").filter(|it| *it != "nothing").map(full).collect();
        let in_manifest: BTreeSet<&str> = named.rooms[room].iter().map(String::as_str).collect();
        for extra in listed.difference(&in_manifest) {
            wrong.push(format!("{room} is said to know {extra}, and its Cargo.toml doesn't name it"));
        }
        let reached = named.reached(listed);
        for missing in in_manifest.difference(&reached).filter(|it| **it != MODEL || in_manifest.len() == 1) {
            wrong.push(format!("{room} knows {missing}, and its row doesn't say so"));
        }
        for below in in_manifest.iter().filter(|it| places[**it] > places[room.as_str()]) {
            wrong.push(format!("{room} knows {below}, which stands below it"));
        }
        let all = named.reached([room.as_str()]);
        for phrase in unknown.split(", ").filter(|it| !it.is_empty()) {
            let (_, names) =
                UNKNOWN.iter().find(|(it, _)| *it == phrase).unwrap_or_else(|| panic!("{room}: '{phrase}'"));
            for name in names.iter().filter(|name| all.contains(*name) || all.iter().any(|it| named.uses(it, name))) {
                wrong.push(format!("{room} says '{phrase}', and knows {name}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
