//! Reputation: what a peer did decides what it may do.
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
//! | late | deadlines missed, and everything that may not be the peer's fault | [`MAX_LATE`] | the same |
//! | cost | bytes sent to it and processor time spent on it | [`MAX_COST`] | the same |
//!
//! The score is work less all the others, at least 0 and at most [`MAX_SCORE`]. From [`NORMAL_AT`] on a peer is in tier normal,
//! from [`HIGH_AT`] on in tier high, else in tier low.
//!
//! **A fresh identity has the score 0, and nothing has less.** An identity costs nothing, so a peer with less than a
//! newcomer would come back as one. Standing below a newcomer is therefore not a score but a *ban*, which has an end. Limits
//! that new identities must not multiply are counted by address and in total ([`AddressRange`]).
//!
//! **Only the peer's fault counts** ([`Blame`]): a fault of ours changes nothing; one that may be ours changes `late` alone, which
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
//! [`Records`] holds at most [`MAX_RECORDS`] records, and the operator's listings of peers ([`Listing`]). What other peers do never
//! changes a peer's record. When the records are full, peers with nothing to lose are forgotten first: no flood of identities
//! displaces a peer that has worked.
//!
//! # Consequences
//!
//! - [`Quotas`]: what a peer may use, by tier and protocol; never less for a better score. [`QuotaLimiter`] enforces them on
//!   the clock passed in, and answers [`RetryAfter`] to a peer that asks for more.
//! - [`admission`]: which peers may connect, decided before the handshake by address and load, after it by standing.
//! - [`shed`]: load shedding, from the lowest tier up.
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::disallowed_methods, clippy::disallowed_types))]

mod address;
pub mod admission;
mod ban;
pub mod decay;
mod event;
mod policy;
mod quota;
mod quota_limiter;
mod records;
mod score;
pub mod shed;

pub use address::AddressRange;
pub use ban::{BAN_AT, Ban, FORGIVEN_AFTER};
pub use event::{Blame, Breach, Event, Work};
pub use policy::{Policy, PolicyError};
pub use quota::{MAX_RATE, Quota, QuotaError, Quotas, TierQuotas};
pub use quota_limiter::{Debt, LONGEST_WAIT, Permit, QuotaLimiter, RetryAfter};
pub use records::{Change, Listing, MAX_RECORDS, Reason, Records, Standing};
pub use score::{
    Components, HIGH_AT, MAX_BROKEN, MAX_COST, MAX_HARM, MAX_LATE, MAX_SCORE, MAX_WORK, NORMAL_AT, RECOVERY_HALF_LIVES,
    Record, Tier,
};
