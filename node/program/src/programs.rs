//! The programs that a node has.

use crate::{Program, Rules};
use shardwire_model::{Coded, Felt};
use std::sync::Arc;

/// The programs that a node has, by their hashes. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Programs(Arc<[Arc<dyn Program>]>);

impl Programs {
    /// Those that this release contains.
    #[must_use]
    pub fn all() -> Self {
        Self::of([Arc::new(Rules) as Arc<dyn Program>])
    }

    /// A list of these programs.
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
