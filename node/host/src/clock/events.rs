//! What happens to a node's date.

use shardwire_model::Trust;
use shardwire_telemetry::{events, labels};
use std::time::Duration;

labels! {
    /// How far the date is to be relied on.
    pub enum Reliance { Confirmed = "confirmed", Unconfirmed = "unconfirmed", Contradicted = "contradicted" }
}

impl From<Trust> for Reliance {
    fn from(trust: Trust) -> Self {
        match trust {
            Trust::Confirmed => Self::Confirmed,
            Trust::Unconfirmed => Self::Unconfirmed,
            Trust::Contradicted => Self::Contradicted,
        }
    }
}

/// What a person should know when the date is relied on so far.
fn words(trust: Trust, agree: usize, apart: usize) -> String {
    match trust {
        Trust::Confirmed if agree == 0 => {
            "nobody could be asked whether this node's date is right: it goes by its own clock alone".into()
        }
        Trust::Confirmed => format!("this node's date is right by the clocks of {agree} peers"),
        Trust::Unconfirmed => "no peer was asked yet whether this node's date is right".into(),
        Trust::Contradicted => format!(
            "the clocks of {apart} peers of {} contradict this node's date: no deadline ends a shard that was taken up, none is started, and none of contracts takes a transaction, until the clock is right",
            agree + apart
        ),
    }
}

events! {
    pub room "clock";

    /// The system's clock jumped; the node goes by its own date
    Jumped = "jumped" { ahead_ms: i64, believed_after: Duration }
        => WARN : (ahead_ms, "the system's clock has jumped: it isn't believed unless that holds for {} s and no peers contradict it", believed_after.as_secs());

    /// The system's clock is right again; nothing was done by the wrong date
    JumpEnded = "jump_ended" { lasted: Duration }
        => INFO : (lasted_s = lasted.as_secs(), "the system's clock agrees with this node's date again");

    /// A jump has held for long enough, and peers contradict it
    JumpContradicted = "jump_contradicted" { ahead_ms: i64 }
        => WARN : (ahead_ms, "the system's clock is still apart, and peers contradict it: it isn't believed");

    /// A jump is believed: the node's date is the system's clock's
    JumpBelieved = "jump_believed" { by_ms: i64 }
        => WARN : (by_ms, "the system's clock is believed now: this node's date is its");

    /// The node's date is relied on otherwise than before
    TrustChanged = "trust_changed" { trust: Trust, agree: usize, apart: usize }
        by { trust: Reliance = (*trust).into() }
        => INFO, WARN if (*trust == Trust::Contradicted || *agree == 0) : (agree, apart, "{}", words(*trust, *agree, *apart));
}
