//! Tools that take a catalogue: which version is meant, and recordings of both.

use crate::{new, old};
use shardwire_protocols::{
    catalogue::{Entry, find},
    describe::Speaker,
    dissect::{Both, Frame},
};

fn both_versions() -> [Entry; 2] {
    [Entry::of::<old::Keepalive>(), Entry::of::<new::Keepalive>()]
}

/// A recording of one round: what version 2 has more is a byte of the answer.
fn recorded(version: u8) -> Vec<(Speaker, Vec<u8>)> {
    let header = [&[11, 9], &b"keepalive"[..], &[version]].concat();
    let pong = if version == 1 { vec![2, 5, 6] } else { vec![3, 5, 6, new::LOAD] };
    vec![
        (Speaker::Initiator, [&header[..], &[0, 1, 5]].concat()),
        (Speaker::Responder, pong),
        (Speaker::Initiator, vec![1, 0]),
    ]
}

fn dissect(entry: &Entry, recording: &[(Speaker, Vec<u8>)]) -> Result<Vec<Frame>, String> {
    let mut both = Both::new(entry.name, entry.version, entry.initiator(), true);
    let mut frames = Vec::new();
    for (from, bytes) in recording {
        both.push(*from, bytes);
        while let Some(frame) = both.next().map_err(|deviation| deviation.to_string())? {
            frames.push(frame);
        }
    }
    Ok(frames)
}

#[test]
fn a_name_means_the_newest_version_unless_it_says_which() {
    let all = both_versions();
    let found = |name| find(&all, name).map(|entry| entry.version);
    assert_eq!(["keepalive", "keepalive@1", "keepalive@2"].map(found), [Some(2), Some(1), Some(2)]);
    assert_eq!(["keepalive@3", "keepalive@", "keep"].map(found), [None; 3]);
}

#[test]
fn each_version_is_read_by_its_own_type_and_by_no_other() {
    let [old, new] = both_versions();
    for (entry, shown) in [(old, "received: 6}"), (new, "load: 42}")] {
        let version = u8::try_from(entry.version).unwrap();
        let frames = dissect(&entry, &recorded(version)).unwrap();
        assert_eq!(frames.len(), 4);
        assert!(frames[2].readings[0].fields.to_string().ends_with(shown), "{:?}", frames[2].readings);
    }
    let refused = dissect(&old, &recorded(2)).unwrap_err();
    assert!(refused.ends_with("asked for keepalive version 2, which is not served here"), "{refused}");
}
