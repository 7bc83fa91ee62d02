//! Reputation: what the types see decides what a peer may do.
//!
//! A node sees what each peer does ([`Event`]) and keeps a [`Record`] of it. A record has a score, the score a [`Tier`],
//! and the tier says how much of the node the peer may use. Everything here is pure: the date is an argument, nothing is
//! read, written, sent or waited for. The crate knows the model alone; it stands *beside* transport, and the node, which
//! knows both, translates (a `Violation` of transport becomes a [`Breach::Violation`] here).
//!
//! # The score
//!
//! Five components, each within its bound, each halving in a fixed time ([`decay`]):
//!
//! | component | grows by | bound | halves in |
//! |---|---|---|---|
//! | work | valid proofs, leases kept, useful bytes and transactions | [`MAX_WORK`] | [`Policy::work_half_life`] |
//! | harm | breaches of protocol, invalid proofs, contradictions | [`MAX_HARM`] | [`Policy::fault_half_life`] |
//! | broken | leases broken | [`MAX_BROKEN`] | the same |
//! | late | deadlines missed, and all that is perhaps not the peer's fault | [`MAX_LATE`] | the same |
//! | cost | bytes sent to it and processor time spent on it | [`MAX_COST`] | the same |
//!
//! The score is work less all the others, at least 0 and at most [`MAX_SCORE`]. From [`NORMAL_AT`] on a peer is in tier normal,
//! from [`HIGH_AT`] on in tier high, else in tier low.
//!
//! **A fresh identity has the score 0, and nothing has less.** An identity costs nothing, so whoever had less than a
//! newcomer would come back as one. Being below a newcomer therefore is not a score but a *ban*, which has an end, and limits
//! that identities can't multiply go by address and in all ([`AddressRange`]).
//!
//! **Only the other side's fault counts** ([`Blame`]): what is ours changes nothing; what may be ours changes `late` alone, which
//! by itself never takes a peer with a full record out of tier normal.
//!
//! # Bans
//!
//! A peer whose harm reaches [`BAN_AT`] is banned: for [`Policy::first_ban`], and four times as long each further time, up to
//! [`Policy::longest_ban`]. A ban within [`FORGIVEN_AFTER`] of the end of the one before counts as a repetition. Three
//! breaches at a time are a ban; what can be proven (an invalid proof, a contradiction) is one at once.
//!
//! # The way back
//!
//! A peer that did wrong once, however gravely, and whose work since stays at 550 or more, is back in tier normal within
//! [`RECOVERY_HALF_LIVES`] half-lives of faults (40 minutes by default). One that breaks a protocol at least once in each half-life
//! never is, whatever its work: the harm that is left of one breach a half-life later still keeps a full record below [`NORMAL_AT`].
//!
//! # Many peers
//!
//! A [`Book`] holds the records, at most [`MAX_RECORDS`], and the node's own word on peers ([`Listing`]). What other peers do never
//! changes a peer's record, and a book that is full forgets those first who have nothing to lose: no flood of identities
//! displaces somebody who has worked.
//!
//! # Consequences
//!
//! - [`Quotas`]: what a peer may use, by tier and protocol; never less for a better score. [`Gate`] holds them against what peers do, on
//!   the clock passed in, and says [`RetryAfter`] to whoever asks for more.
//! - [`admission`]: who may connect, decided before the handshake by address and load, after it by standing.
//! - [`shed`]: what is refused when the node is overloaded, from the lowest tier up.
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::disallowed_methods, clippy::disallowed_types))]

mod address;
pub mod admission;
mod ban;
mod book;
pub mod decay;
mod event;
mod gate;
mod policy;
mod quota;
mod score;
pub mod shed;

pub use address::AddressRange;
pub use ban::{BAN_AT, Ban, FORGIVEN_AFTER};
pub use book::{Book, Change, Listing, MAX_RECORDS, Reason, Standing};
pub use event::{Blame, Breach, Event, Work};
pub use gate::{Debt, Gate, LONGEST_WAIT, Permit, RetryAfter};
pub use policy::{Policy, PolicyError};
pub use quota::{MAX_RATE, Quota, QuotaError, Quotas, TierQuotas};
pub use score::{
    Components, HIGH_AT, MAX_BROKEN, MAX_COST, MAX_HARM, MAX_LATE, MAX_SCORE, MAX_WORK, NORMAL_AT, RECOVERY_HALF_LIVES,
    Record, Tier,
};
