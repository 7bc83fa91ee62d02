//! What the versions of the protocol differ in: how a prover says that a proof is ready.

use super::{Announced, Announcement, Held, Proof, Ready, Turn, v1};
use crate::Signed;
use shardwire_model::PeerId;
use shardwire_transport::{
    Identity, Message, Protocol,
    algebra::{HasDual, Rec},
};

/// The other side's type.
pub(super) type There<P> = <P as HasDual>::Dual;

/// A rule that an announcement breaks: its code, and how.
pub(super) type Broken = (&'static str, String);

/// A version of the protocol. Both halves are written for any.
pub trait Version:
    Protocol<Initiator = Rec<Turn<<Self as Version>::Said>>, Responder = Rec<There<Turn<<Self as Version>::Said>>>>
{
    /// How a prover says that a proof is ready.
    type Said: Message;

    /// Says it, of a proof of so many bytes.
    fn say(held: &Held, bytes: u32, prover: &Identity) -> Self::Said;

    /// What was said, and the signed words if there are any.
    ///
    /// # Errors
    /// The rule that it breaks.
    fn read(said: Self::Said, prover: PeerId) -> Result<(Ready, Option<Announcement>), Broken>;
}

impl Version for v1::Proof {
    type Said = Ready;

    fn say(held: &Held, bytes: u32, _: &Identity) -> Ready {
        ready(held, bytes)
    }

    fn read(said: Ready, _: PeerId) -> Result<(Ready, Option<Announcement>), Broken> {
        Ok((said, None))
    }
}

impl Version for Proof {
    type Said = Announcement;

    fn say(held: &Held, bytes: u32, prover: &Identity) -> Announcement {
        Signed::by(prover, Announced { ready: ready(held, bytes), leased: held.leased.clone() })
    }

    fn read(said: Announcement, prover: PeerId) -> Result<(Ready, Option<Announcement>), Broken> {
        let announced = said.verify(&prover).map_err(|forged| ("SW-PROOF-008", forged.to_string()))?;
        let ready = announced.ready;
        if let Some(leased) = &announced.leased {
            if leased.terms.job != ready.job || leased.terms.prover != prover {
                return Err(("SW-PROOF-009", "the lease is of another job, or to another prover".into()));
            }
            leased.verify().map_err(|forged| ("SW-PROOF-009", forged.to_string()))?;
        }
        Ok((ready, Some(said)))
    }
}

fn ready(held: &Held, bytes: u32) -> Ready {
    let Held { shard, segment, job, proof, .. } = *held;
    Ready { shard, segment, job, proof, bytes }
}
