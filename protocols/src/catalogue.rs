//! All protocols, for what shows, checks or attacks them one by one: tools, `docs/wire.md`, golden vectors, hostile peers, fuzzing. The list
//! itself stands at the end of the crate's first page, `lib.rs`.

use shardwire_transport::{
    Channel, Profile, Protocol, Settings,
    graph::{Graph, MessageInfo},
    session::drive::{self, Drive, DrivenSession, Driver},
};
use std::collections::BTreeMap;

/// A protocol's name and one of its versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProtocolId {
    /// [`Protocol::NAME`].
    pub name: &'static str,
    /// [`Protocol::VERSION`].
    pub version: u16,
}

impl ProtocolId {
    /// Of a protocol type.
    #[must_use]
    pub const fn of<P: Protocol>() -> Self {
        Self { name: P::NAME, version: P::VERSION }
    }
}

impl From<&Entry> for ProtocolId {
    fn from(entry: &Entry) -> Self {
        Self { name: entry.name, version: entry.version }
    }
}

/// One version of a protocol.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// [`Protocol::NAME`].
    pub name: &'static str,
    /// [`Protocol::VERSION`].
    pub version: u16,
    initiator: fn() -> Graph,
    responder: fn() -> Graph,
    drive_initiator: DriveSide,
    drive_responder: DriveSide,
}

/// Drives a side of a protocol over a channel.
type DriveSide = for<'a> fn(Channel, &'a mut dyn Driver) -> DrivenSession<'a>;

impl Entry {
    /// Of a protocol type.
    #[must_use]
    pub const fn of<P: Protocol<Initiator: Drive, Responder: Drive>>() -> Self {
        Self {
            name: P::NAME,
            version: P::VERSION,
            initiator: Graph::of::<P::Initiator>,
            responder: Graph::of::<P::Responder>,
            drive_initiator: drive::initiator::<P>,
            drive_responder: drive::responder::<P>,
        }
    }

    /// The protocol as the peer sees it that opens the session.
    #[must_use]
    pub fn initiator(&self) -> Graph {
        (self.initiator)()
    }

    /// The protocol as the other peer sees it.
    #[must_use]
    pub fn responder(&self) -> Graph {
        (self.responder)()
    }

    /// Drives the side that opens the session: [`drive::initiator`].
    pub fn drive_initiator<'a>(&self, channel: Channel, driver: &'a mut dyn Driver) -> DrivenSession<'a> {
        (self.drive_initiator)(channel, driver)
    }

    /// Drives the other side: [`drive::responder`].
    pub fn drive_responder<'a>(&self, channel: Channel, driver: &'a mut dyn Driver) -> DrivenSession<'a> {
        (self.drive_responder)(channel, driver)
    }

    /// Every message of the protocol once, by name.
    #[must_use]
    pub fn messages(&self) -> BTreeMap<&'static str, MessageInfo> {
        let states = self.initiator().states;
        states.iter().flat_map(|state| &state.edges).filter_map(|edge| edge.message).map(|it| (it.name, it)).collect()
    }
}

/// Every version of every protocol that this build speaks, the handshake first.
#[must_use]
pub fn all() -> Vec<Entry> {
    crate::protocols()
}

/// A protocol of a catalogue by its name; of several versions the newest, unless the name goes on with `@` and a version.
#[must_use]
pub fn find(entries: &[Entry], name: &str) -> Option<Entry> {
    let (word, version) = match name.split_once('@') {
        Some((word, version)) => (word, Some(version)),
        None => (name, None),
    };
    let wanted =
        |entry: &Entry| entry.name == word && version.is_none_or(|version| version.parse() == Ok(entry.version));
    entries.iter().copied().filter(wanted).max_by_key(|entry| entry.version)
}

/// A transport profile with the windows that these protocols need.
#[must_use]
pub fn settings(profile: Profile) -> Settings {
    let graphs: Vec<Graph> = all().iter().map(Entry::initiator).collect();
    Settings::from(profile).for_protocols(&graphs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handshake::Handshake;
    use shardwire_transport::{Message, Shape, session::Header};
    use std::{collections::BTreeSet, fs, path::Path};

    /// The protocol types in this crate's source, outside tests.
    fn in_source(folder: &Path) -> usize {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries
            .map(|path| match path.file_name().and_then(|name| name.to_str()) {
                Some("tests" | "tests.rs" | "testing.rs" | "testing" | "catalogue.rs") => 0,
                _ if path.is_dir() => in_source(&path),
                _ => fs::read_to_string(&path).unwrap().matches("impl Protocol for").count(),
            })
            .sum()
    }

    #[test]
    fn no_protocol_is_missing() {
        let all = all();
        assert_eq!(all.len(), in_source(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")), "a protocol isn't listed");
        let keys: BTreeSet<_> = all.iter().map(|entry| (entry.name, entry.version)).collect();
        assert_eq!(keys.len(), all.len(), "two protocols with one name and version");
    }

    #[test]
    fn every_message_has_a_shape_and_one_meaning() {
        assert_eq!(Header::shape().unknown(), None);
        for entry in all() {
            for graph in [entry.initiator(), entry.responder()] {
                for message in graph.states.iter().flat_map(|state| &state.edges).filter_map(|edge| edge.message) {
                    let at = format!("{} {}", entry.name, message.name);
                    assert_eq!(message.shape().unknown(), None, "{at}");
                    assert!(message.shape().least() <= message.max_bytes as usize, "{at}");
                    let listed = entry.messages()[message.name];
                    assert_eq!((listed, listed.shape()), (message, message.shape()), "{at}: another of its name");
                }
            }
        }
    }

    #[test]
    fn bounds_are_in_the_shapes() {
        let hello = Entry::of::<Handshake>().messages();
        let roles = match &hello["Hello"].shape() {
            Shape::Struct { fields, .. } => fields.iter().find(|(name, _)| *name == "roles").unwrap().1.clone(),
            other => panic!("{other:?}"),
        };
        assert_eq!(roles.most(), Some(crate::handshake::MAX_ROLES));
        let Shape::List { of, .. } = &roles else { panic!("{roles:?}") };
        assert_eq!(of.most(), Some(crate::handshake::MAX_NAME));
    }
}
