//! Why a World can't be used, and why it refuses an operation.

use crate::{GenesisError, IdentityError, MAX_TIMEOUT, MergeError};
use shardwire_model::{Coded, Felt, Hash, Key, ShardId, Slot, StartError};
use std::time::Duration;

/// A World can't be used: nothing is said about the operation that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WorldError {
    /// Something is there already.
    #[error("{place} exists already")]
    Exists {
        /// The ledger's file.
        place: String,
    },
    /// Nothing is there.
    #[error("there is no ledger at {place}")]
    Missing {
        /// The ledger's file.
        place: String,
    },
    /// It is something else.
    #[error("{place} is not a shardwire ledger: {why}")]
    Foreign {
        /// The file that was opened.
        place: String,
        /// What shows it.
        why: String,
    },
    /// It was one.
    #[error("the ledger at {place} is damaged: {what}")]
    Damaged {
        /// The ledger's file.
        place: String,
        /// What contradicts itself or can't be read.
        what: String,
    },
    /// Another version wrote it.
    #[error("the ledger at {place} has schema {found}, this program writes {known}")]
    Schema {
        /// The ledger's file.
        place: String,
        /// The schema of the file.
        found: u32,
        /// The schema that this program writes.
        known: u32,
    },
    /// It is of another network.
    #[error("the ledger at {place} belongs to network '{found}', not '{asked}'")]
    Network {
        /// The ledger's file.
        place: String,
        /// The network that the ledger is of.
        found: String,
        /// The network that was asked for.
        asked: String,
    },
    /// Another process has it open.
    #[error("the ledger at {place} is in use")]
    InUse {
        /// The ledger's file.
        place: String,
    },
    /// The disk failed.
    #[error("the ledger at {place} can't be read or written: {why}")]
    Disk {
        /// The ledger's file.
        place: String,
        /// What the system says.
        why: String,
    },
    /// It is another World of the same network.
    #[error("the ledger at {place} is of World {found}, not {asked}")]
    Other {
        /// The ledger's file.
        place: String,
        /// The hash of its World's identity.
        found: Hash,
        /// The hash of the identity asked for.
        asked: Hash,
    },
    /// Its layout is an older one, which knew storage by its address alone, and shards of two contracts used one.
    #[error("the ledger at {place} is of an older layout, where shards of two contracts used storage address {key}")]
    Shared {
        /// The ledger's file.
        place: String,
        /// The storage address that both used.
        key: Key,
    },
    /// A World can't begin with it.
    #[error(transparent)]
    Genesis(#[from] GenesisError),
    /// A World can't be it.
    #[error(transparent)]
    Identity(#[from] IdentityError),
}

/// A World refuses an operation; nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A storage address that the World doesn't have.
    #[error("the World has no storage slot {slot}")]
    UnknownStorage {
        /// The slot that was asked for.
        slot: Slot,
    },
    /// The same request again.
    #[error("shard {shard} was started before")]
    AlreadyStarted {
        /// The shard that was started.
        shard: ShardId,
    },
    /// A shard that was never started here.
    #[error("the World has no shard {shard}")]
    UnknownShard {
        /// The id that was asked for.
        shard: ShardId,
    },
    /// It is settled, with another proof.
    #[error("shard {shard} is settled, with proof {proof}")]
    AlreadySettled {
        /// The shard that is settled.
        shard: ShardId,
        /// The proof that it was settled with.
        proof: Hash,
    },
    /// The same proof with another output.
    #[error("shard {shard} was settled with this proof {proof}, but with another output")]
    OtherOutput {
        /// The shard that is settled.
        shard: ShardId,
        /// The proof that it was settled with.
        proof: Hash,
    },
    /// It was given up.
    #[error("shard {shard} is aborted")]
    Aborted {
        /// The shard that was aborted.
        shard: ShardId,
    },
    /// Another segment of the run than the next one.
    #[error("the output of shard {shard} is of segment {got}, expected is {expected}")]
    Segment {
        /// The shard that the output names.
        shard: ShardId,
        /// The next segment.
        expected: u32,
        /// The segment that the output is of.
        got: u32,
    },
    /// It began from something else than the World gave it.
    #[error(
        "the output of shard {shard} is of a run from state {got:#x}, but the shard was started from {expected:#x}"
    )]
    Before {
        /// The shard that the output names.
        shard: ShardId,
        /// What the shard was started from.
        expected: Felt,
        /// The state that the output says its run began with.
        got: Felt,
    },
    /// The run did not reach its end.
    #[error("the output of shard {shard} is of a run without the end event")]
    NotEnded {
        /// The shard that the output names.
        shard: ShardId,
    },
    /// The request contradicts itself.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A claim or an update that storage refuses.
    #[error(transparent)]
    Merge(#[from] MergeError),
    /// A program whose outputs the World doesn't take.
    #[error("the World lets no shard settle that runs program {program:#x}")]
    Program {
        /// The program's hash.
        program: Felt,
    },
    /// A deadline that has passed before the shard starts.
    #[error("the deadline of shard {shard} passed {} s before it was to start", late.as_secs())]
    DeadlinePassed {
        /// The shard that was to start.
        shard: ShardId,
        /// How long ago it passed.
        late: Duration,
    },
    /// A deadline further ahead than any shard may hold its escrow.
    #[error("the deadline of shard {shard} is {} s ahead, at most {} are allowed", ahead.as_secs(), MAX_TIMEOUT.as_secs())]
    DeadlineFar {
        /// The shard that was to start.
        shard: ShardId,
        /// How far ahead it is.
        ahead: Duration,
    },
    /// An abort for an older layout, of a shard of today's.
    #[error("shard {shard} is not of an older layout")]
    NotOutdated {
        /// The shard that was to be aborted.
        shard: ShardId,
    },
    /// An abort by a deadline that hasn't passed.
    #[error("the deadline of shard {shard} passes in {} ms only", left.as_millis())]
    TooEarly {
        /// The shard that was to be aborted.
        shard: ShardId,
        /// How long it still has.
        left: Duration,
    },
}

impl Coded for WorldError {
    fn code(&self) -> &'static str {
        match self {
            Self::Exists { .. } => "SW-LEDGER-001",
            Self::Missing { .. } => "SW-LEDGER-002",
            Self::Foreign { .. } => "SW-LEDGER-003",
            Self::Damaged { .. } => "SW-LEDGER-004",
            Self::Schema { .. } => "SW-LEDGER-005",
            Self::Network { .. } => "SW-LEDGER-006",
            Self::InUse { .. } => "SW-LEDGER-008",
            Self::Disk { .. } => "SW-LEDGER-009",
            Self::Other { .. } => "SW-LEDGER-019",
            Self::Shared { .. } => "SW-LEDGER-020",
            Self::Genesis(error) => error.code(),
            Self::Identity(error) => error.code(),
        }
    }

    fn next_step(&self) -> String {
        match self {
            Self::Exists { .. } => "Use it as it is, or choose another data folder.".into(),
            Self::Missing { .. } => "Create one with `shardwire init`, or correct the data folder.".into(),
            Self::Foreign { .. } => {
                "If it was a ledger, restore it from a copy; else choose another data folder; nothing there was changed.".into()
            }
            Self::Damaged { .. } => "Restore it from a copy; nothing there was changed by opening it.".into(),
            Self::Schema { found, known, .. } if found > known => "Use a newer version of shardwire.".into(),
            Self::Schema { .. } => "Use the version of shardwire that wrote it.".into(),
            Self::Shared { .. } => {
                "Use the version of shardwire that wrote it: nobody can say whose that storage is. Nothing there was changed."
                    .into()
            }
            Self::Network { .. } => {
                "Correct the network's name in the configuration, or choose another data folder.".into()
            }
            Self::Other { .. } => "Put the world.json back that `shardwire init` wrote beside this ledger.".into(),
            Self::InUse { .. } => "Stop the other process that uses this data folder, or choose another one.".into(),
            Self::Disk { .. } => {
                "Check that the disk has room and that the data folder is writable. A node that runs goes on by itself then; one that has ended is to be started again: \
                 nothing that was confirmed is lost.".into()
            }
            Self::Genesis(error) => error.next_step(),
            Self::Identity(error) => error.next_step(),
        }
    }

    fn told(&self) -> String {
        "the World's ledger can't be used here at the moment".into()
    }
}

impl Coded for Refusal {
    fn code(&self) -> &'static str {
        match self {
            Self::UnknownStorage { .. } => "SW-LEDGER-010",
            Self::AlreadyStarted { .. } => "SW-LEDGER-011",
            Self::UnknownShard { .. } => "SW-LEDGER-012",
            Self::AlreadySettled { .. } => "SW-LEDGER-013",
            Self::OtherOutput { .. } => "SW-LEDGER-014",
            Self::Aborted { .. } => "SW-LEDGER-015",
            Self::Segment { .. } => "SW-LEDGER-016",
            Self::Before { .. } => "SW-LEDGER-017",
            Self::NotEnded { .. } => "SW-LEDGER-018",
            Self::Program { .. } => "SW-WORLD-001",
            Self::DeadlinePassed { .. } => "SW-WORLD-002",
            Self::DeadlineFar { .. } => "SW-WORLD-003",
            Self::TooEarly { .. } => "SW-WORLD-004",
            Self::NotOutdated { .. } => "SW-WORLD-005",
            Self::Start(error) => error.code(),
            Self::Merge(error) => error.code(),
        }
    }

    fn next_step(&self) -> String {
        match self {
            Self::UnknownStorage { .. } => {
                "Correct the address: `shardwire world show` lists what the World has.".into()
            }
            Self::AlreadyStarted { shard } => {
                format!("Go on with it (`shardwire shard status {shard}`), or start another one with another salt.")
            }
            Self::UnknownShard { .. } => "Correct the id: `shardwire shard status` lists the shards.".into(),
            Self::AlreadySettled { shard, .. } => {
                format!("Nothing is left to do: `shardwire shard status {shard}` shows what was applied.")
            }
            Self::Aborted { .. } => "Start another shard: this one's escrows and locks have returned.".into(),
            Self::OtherOutput { .. } | Self::Segment { .. } | Self::Before { .. } | Self::NotEnded { .. } => {
                "Refuse this proof, and ask its prover for one of this shard.".into()
            }
            Self::Program { .. } => "Run the version of shardwire whose program `programs` in world.json names.".into(),
            Self::DeadlinePassed { .. } => "Start it again, with more time.".into(),
            Self::DeadlineFar { .. } => "Start it again, with less time.".into(),
            Self::NotOutdated { .. } => "Wait for its deadline, or ask the peer that started it to abort it.".into(),
            Self::TooEarly { .. } => "Wait until then, or ask the peer that started it to abort it.".into(),
            Self::Start(error) => error.next_step(),
            Self::Merge(error) => error.next_step(),
        }
    }
}
