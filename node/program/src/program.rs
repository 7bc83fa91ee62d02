//! What a program is, and the programs that a node has.

use crate::{Admission, ExecuteError, Execution, Rules};
use shardwire_model::{Coded, Felt, ShardStart, SignedTransaction};
use shardwire_witness::Chunk;
use std::{fmt, io, sync::Arc};

/// Takes each chunk of a witness as soon as it is cut. An error stops the run.
pub type Sink<'a> = dyn FnMut(Chunk) -> io::Result<()> + 'a;

/// What a shard executes: the rules for what may happen in it, and a run that can be proven. Its hash is in the start data of its
/// shards, and so in all that is bound to those.
pub trait Program: Send + Sync + fmt::Debug {
    /// What people call it.
    fn name(&self) -> &'static str;

    /// The hash that stands for it: of what is proven, as [`shardwire_model::program_hash`] computes it.
    fn hash(&self) -> Felt;

    /// The state of a shard before its first transaction. `start` has been validated; where the snapshot has no usable value for an
    /// entry, transactions that touch it are refused (and execution refuses the snapshot).
    fn admission(&self, start: ShardStart, values: &[Felt]) -> Box<dyn Admission>;

    /// Runs a shard to its end event, live: `transactions` may block until there is a further one, and ends the run when it ends. What
    /// it yields was accepted by this program's [`admission`](Self::admission), in that order.
    ///
    /// # Errors
    /// [`ExecuteError`] if the start data or snapshot can't be executed, the transactions end before the shard does, one breaks a rule,
    /// or the sink fails.
    fn execute(
        &self,
        start: &ShardStart,
        values: &[Felt],
        transactions: &mut dyn Iterator<Item = SignedTransaction>,
        sink: &mut Sink<'_>,
    ) -> Result<Execution, ExecuteError>;
}

/// The programs that a node has, by their hashes. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Programs(Arc<[Arc<dyn Program>]>);

impl Programs {
    /// Those that this release contains.
    #[must_use]
    pub fn all() -> Self {
        Self::of([Arc::new(Rules) as Arc<dyn Program>])
    }

    /// These.
    #[must_use]
    pub fn of(programs: impl IntoIterator<Item = Arc<dyn Program>>) -> Self {
        Self(programs.into_iter().collect())
    }

    /// The program with this hash.
    ///
    /// # Errors
    /// [`UnknownProgram`] if none of them has it.
    pub fn get(&self, hash: Felt) -> Result<&Arc<dyn Program>, UnknownProgram> {
        self.0.iter().find(|it| it.hash() == hash).ok_or_else(|| UnknownProgram {
            hash,
            known: self.0.iter().map(|it| format!("{} ({:#x})", it.name(), it.hash())).collect(),
        })
    }

    /// The program of this name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Arc<dyn Program>> {
        self.0.iter().find(|it| it.name() == name)
    }

    /// Their hashes.
    pub fn hashes(&self) -> impl Iterator<Item = Felt> {
        self.0.iter().map(|it| it.hash())
    }
}

/// A shard of a program that this node doesn't have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no program {hash:#x} here, only {}", known.join(", "))]
pub struct UnknownProgram {
    /// The hash that was asked for.
    pub hash: Felt,
    /// Name and hash of each program that there is.
    pub known: Vec<String>,
}

impl Coded for UnknownProgram {
    fn code(&self) -> &'static str {
        "SW-PROGRAM-003"
    }

    fn next_step(&self) -> String {
        "Start the shard with a program of this release, or have it executed by a node whose release contains the program.".into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_by_hash_and_by_name() {
        let programs = Programs::all();
        let rules = programs.named("rules").unwrap();
        assert_eq!(programs.get(rules.hash()).unwrap().name(), "rules");
        assert_eq!(programs.hashes().collect::<Vec<_>>(), [rules.hash()]);
        let error = programs.get(Felt::TWO).unwrap_err();
        assert_eq!(error.to_string(), format!("there is no program 0x2 here, only rules ({:#x})", rules.hash()));
        assert_eq!(error.code(), "SW-PROGRAM-003");
        assert!(error.next_step().starts_with("Start the shard"));
    }
}
