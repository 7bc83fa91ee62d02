//! The programs that a node has.

use crate::{Program, Rules};
use shardwire_model::{Coded, Felt, felt};
use std::sync::Arc;

/// Most characters that an error shows of what was asked for: as many as a hash has.
const MAX_SHOWN: usize = 66;

/// The programs that a node has, by their hashes. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Programs(Arc<[Arc<dyn Program>]>);

impl Programs {
    /// Those of this room. That of contracts is added where there is what executes them.
    #[must_use]
    pub fn all() -> Self {
        Self::of([Arc::new(Rules) as Arc<dyn Program>])
    }

    /// These and one more.
    #[must_use]
    pub fn with(&self, program: Arc<dyn Program>) -> Self {
        Self::of(self.0.iter().cloned().chain([program]))
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
        self.0.iter().find(|it| it.hash() == hash).ok_or_else(|| self.unknown(format!("{hash:#x}")))
    }

    /// The program of this name, or with this hash, written `0x…`.
    ///
    /// # Errors
    /// [`UnknownProgram`] if none of them has either.
    pub fn find(&self, text: &str) -> Result<&Arc<dyn Program>, UnknownProgram> {
        let hash = felt::parse(text).ok();
        let found = self.0.iter().find(|it| it.name() == text || Some(it.hash()) == hash);
        found.ok_or_else(|| self.unknown(text.chars().take(MAX_SHOWN).collect()))
    }

    fn unknown(&self, asked: String) -> UnknownProgram {
        UnknownProgram { asked, known: self.0.iter().map(|it| format!("{} ({:#x})", it.name(), it.hash())).collect() }
    }

    /// Their hashes.
    pub fn hashes(&self) -> impl Iterator<Item = Felt> {
        self.0.iter().map(|it| it.hash())
    }
}

/// A shard of a program that this node doesn't have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no program {asked} here, only {}", known.join(", "))]
pub struct UnknownProgram {
    /// The name or the hash that was asked for.
    pub asked: String,
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
        let rules = programs.find("rules").unwrap();
        assert_eq!(programs.find(&format!("{:#x}", rules.hash())).unwrap().name(), "rules");
        assert_eq!(programs.get(rules.hash()).unwrap().name(), "rules");
        assert_eq!(programs.hashes().collect::<Vec<_>>(), [rules.hash()]);
        let error = programs.get(Felt::TWO).unwrap_err();
        assert_eq!(error.to_string(), format!("there is no program 0x2 here, only rules ({:#x})", rules.hash()));
        assert_eq!(programs.find("0x2").unwrap_err(), error);
        let error = programs.find("rulse").unwrap_err();
        assert_eq!(error.to_string(), format!("there is no program rulse here, only rules ({:#x})", rules.hash()));
        assert_eq!(error.code(), "SW-PROGRAM-003");
        assert!(error.next_step().starts_with("Start the shard"));
    }
}
