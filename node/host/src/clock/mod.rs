//! What date it is, as far as a node believes it.
//!
//! The system's clock is set: by a person, by a time service, by a hypervisor. So it doesn't decide alone. A node reads it when it starts, and from
//! then on its date goes on as its timers do ([`NodeClock`]). It has three readings, all in UTC:
//!
//! | reading | what it is | for |
//! |---|---|---|
//! | [`now`](Clock::now) | the date that the node believes | what is signed and stored; deadlines of the World |
//! | [`steady`](Clock::steady) | the date at the start, and what timers counted since | what has a length: leases, bans, the decay of scores |
//! | [`wall`](Clock::wall) | what the system's clock shows | what peers are told |
//!
//! Once a second ([`LOOK_EVERY`]) the system's clock is compared with the believed date. A difference below [`JUMP`] is followed, by [`FOLLOWED`] at most each
//! time. A larger one is a *jump*: it is logged, shown in `status`, and believed when it has held for [`BELIEVED_AFTER`] and peers don't contradict it. Until then
//! the node goes by its own date; a jump that ends before has changed nothing. A clock that runs too fast or too slow never holds, and is never believed.
//!
//! Peers say what their clocks show with each keepalive. The word counts of those that the configuration names or the operator allows, of the World's
//! settlers, and of the operators of a settler's open shards; strangers get no say. More than half of them being apart by more than [`APART`] contradict: our date, or what our system's clock shows. The last word of each counts for
//! [`HEARD_FOR`], so that a peer that is gone has no say any more; of at most [`MAX_WORDS`] peers. [`trust`](Clock::trust) is what follows: a date that nobody was asked about is [unconfirmed](Trust::Unconfirmed) for
//! [`ALONE_AFTER`] after the start, or after peers contradicted it last, also where nobody is named who could be asked, and for as long as a jump isn't decided on; then the node goes on
//! alone, and says so.
//!
//! What can't be taken back waits for that: no settler aborts a shard that it took up from its disk by a date which isn't confirmed, and none starts a shard, whose
//! deadline is fixed for ever, by a date that is contradicted, or unconfirmed while there are peers who could be asked; nor does an operator log a time of contracts by one,
//! since the time of a log never runs back ([`dated`](crate::dated)).
//!
//! **A machine that sleeps** (a laptop, a virtual machine that is suspended): timers don't count that time on Linux, so when it wakes the system's clock has jumped ahead.
//! That is a jump as any other: leases, bans and the deadlines of shards that this process started get that time in addition, and the date is right again after [`BELIEVED_AFTER`].
//!
//! Nothing here waits, reads a network or ends anything.

pub mod events;
mod node;
mod system;
#[cfg(test)]
mod tests;

pub use node::{
    ALONE_AFTER, APART, BELIEVED_AFTER, FOLLOWED, HEARD_FOR, JUMP, LOOK_EVERY, MAX_WORDS, NodeClock, Reading,
    TOLD_EVERY,
};
pub use system::SystemClock;

use shardwire_model::{Clock, Timestamp};
use std::sync::Arc;

/// The steady reading of a clock, where lengths alone are compared.
#[derive(Clone, Debug)]
pub struct Steady(pub Arc<dyn Clock>);

impl Clock for Steady {
    fn now(&self) -> Timestamp {
        self.0.steady()
    }
}
