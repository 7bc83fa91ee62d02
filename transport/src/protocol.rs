//! A protocol: a name, a version, and the session type of each side.

use crate::algebra::HasDual;
use crate::graph::State;

/// A protocol, written once as the type of the side that opens the stream; the other side's is its dual.
pub trait Protocol: 'static {
    /// Its name in the stream's header: 1 to 32 of a-z, 0-9 and -.
    const NAME: &'static str;
    /// Its version. A change of any byte or limit makes a new version.
    const VERSION: u16;
    /// What the side that opens the stream does. It should speak first: the peer sees no stream before that.
    type Initiator: HasDual<Dual = Self::Responder> + State;
    /// What the side that accepts the stream does: `<Self::Initiator as HasDual>::Dual`.
    type Responder: HasDual<Dual = Self::Initiator> + State;
}
