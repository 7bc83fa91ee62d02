//! The two sides: their keys, and what they sign.

use shardwire_model::PeerId;
use shardwire_protocols::{Signed, Statement};
use shardwire_transport::Identity;
use std::sync::LazyLock;

/// The initiator's key is made of this, the responder's of the next, and that of the settler of whom both speak of the one after.
pub(crate) const INITIATOR: u8 = 1;
pub(crate) const RESPONDER: u8 = 2;
pub(crate) const SETTLER: u8 = 3;

pub(crate) fn identity(number: u8) -> Identity {
    static IDENTITIES: LazyLock<[Identity; 3]> =
        LazyLock::new(|| [INITIATOR, RESPONDER, SETTLER].map(|number| Identity::from_secret(&[number; 32])));
    IDENTITIES[usize::from(number - INITIATOR)].clone()
}

pub(crate) fn peers() -> [PeerId; 2] {
    [identity(INITIATOR).peer(), identity(RESPONDER).peer()]
}

/// A statement signed by one of the two.
pub(crate) fn signed<T: Statement>(by: u8, statement: T) -> Signed<T> {
    Signed::by(&identity(by), statement)
}
