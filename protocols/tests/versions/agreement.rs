//! What two peers agree on, whatever they announce.

use crate::{new, old};
use proptest::{collection::vec, prelude::*};
use shardwire_model::Timestamp;
use shardwire_protocols::{
    catalogue::{Entry, ProtocolId},
    handshake::{Hello, MAX_CAPABILITIES, MAX_PROTOCOLS, MAX_ROLES, Mismatch, Side, Spoken, agree, announce, spoken},
    trace::Trace,
};
use shardwire_transport::{
    Protocol,
    algebra::HasDual,
    message::{Body, encode},
};

fn hello(protocols: Vec<Spoken>) -> Hello {
    let (network, agent) = ("net".into(), "shardwire/0.1.0".into());
    Hello {
        network,
        agent,
        roles: vec![],
        serves: protocols.clone(),
        opens: protocols,
        capabilities: vec![],
        time: Timestamp(0),
    }
}

/// Another peer's Hello as it arrives: nothing in it may be too much to be read.
fn arrived(hello: &Hello) -> Hello {
    let body = Body::from(encode(hello).unwrap());
    <Hello as shardwire_transport::Message>::decode(body).unwrap()
}

fn names(most: usize) -> impl Strategy<Value = Vec<String>> {
    vec("[a-zA-Z0-9ß漢 /.-]{0,16}", 0..=most)
}

/// Protocols of later builds, none twice.
fn unknown() -> impl Strategy<Value = Vec<Spoken>> {
    let most = MAX_PROTOCOLS - spoken().len();
    vec((any::<u16>(), any::<u16>()), 0..=most).prop_map(|ranges| {
        let later =
            |(n, (a, b)): (usize, (u16, u16))| Spoken { name: format!("later-{n}"), min: a.min(b), max: a.max(b) };
        ranges.into_iter().enumerate().map(later).collect()
    })
}

proptest! {
    #[test]
    fn what_a_peer_doesnt_know_changes_nothing(
        protocols in unknown(),
        roles in names(MAX_ROLES),
        capabilities in names(MAX_CAPABILITIES),
    ) {
        let plain = hello(spoken());
        let expected = agree(&plain, &plain).unwrap();
        prop_assert_eq!((expected.dialling.len(), expected.accepting.len()), (spoken().len(), spoken().len()));
        let protocols = [protocols, spoken()].concat();
        let later =
            arrived(&Hello { serves: protocols.clone(), opens: protocols, roles, capabilities, ..plain.clone() });
        prop_assert_eq!(&agree(&plain, &later).unwrap(), &expected);
        prop_assert_eq!(&agree(&later, &plain).unwrap(), &expected);
    }

    #[test]
    fn the_highest_common_version_runs_or_the_older_side_must_upgrade(
        (a, b) in (0_u16..12, 0_u16..12),
        (c, d) in (0_u16..12, 0_u16..12),
    ) {
        let (ours, theirs) = ((a.min(b), a.max(b)), (c.min(d), c.max(d)));
        let range = |(min, max)| hello(vec![Spoken { name: "trace".into(), min, max }]);
        let common = (0..12).rev().find(|v| (ours.0..=ours.1).contains(v) && (theirs.0..=theirs.1).contains(v));
        match (agree(&range(ours), &range(theirs)), common) {
            (Ok(terms), Some(common)) => prop_assert_eq!((terms.dialling["trace"], terms.accepting["trace"]), (common, common)),
            (Err(Mismatch::Version { behind, .. }), None) => {
                prop_assert_eq!(behind, if ours.1 < theirs.0 { Side::Dialling } else { Side::Accepting });
            }
            (agreed, common) => prop_assert!(false, "{agreed:?} of {common:?}"),
        }
    }
}

enum Far {}

impl Protocol for Far {
    const NAME: &'static str = "keepalive";
    const VERSION: u16 = 4;
    type Initiator = <Trace as Protocol>::Initiator;
    type Responder = <Self::Initiator as HasDual>::Dual;
}

#[test]
fn a_range_is_announced_without_the_versions_before_a_gap() {
    let one = |entries: &[Entry]| {
        let [Spoken { min, max, .. }] = announce(entries.iter().map(ProtocolId::from))[..] else {
            panic!("one protocol")
        };
        (min, max)
    };
    let (old, new, far) = (Entry::of::<old::Keepalive>(), Entry::of::<new::Keepalive>(), Entry::of::<Far>());
    assert_eq!((one(&[old]), one(&[new, old]), one(&[old, far, new])), ((1, 1), (1, 2), (4, 4)));
    assert!(announce([]).is_empty());
    assert!(spoken().iter().all(|spoken| spoken.min == 1), "a version of this build isn't announced");
}
