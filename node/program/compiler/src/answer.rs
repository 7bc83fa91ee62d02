//! What the process says to the one that started it.

use serde::{Deserialize, Serialize};
use shardwire_native::{ClassError, Compiled, bounds::MAX_BYTECODE_FELTS};

/// The process' answer, as JSON on its standard output.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// What the class compiles to.
    Compiled(Box<Compiled>),
    /// The class is of a version that is too new.
    TooNew {
        /// The class' version.
        version: String,
        /// The newest that can be compiled.
        newest: String,
    },
    /// Its bytecode is too long.
    Bytecode {
        /// How many felts it has.
        felts: usize,
    },
    /// It can't be compiled for another reason.
    Refused(String),
    /// The machine can't, which says nothing about the class.
    Machine(String),
}

impl Answer {
    /// The answer to a class.
    #[must_use]
    pub fn to(file: &[u8]) -> Self {
        match shardwire_native::compile(file) {
            Ok(compiled) => Self::Compiled(Box::new(compiled)),
            Err(ClassError::TooNew { version, newest }) => Self::TooNew { version, newest },
            Err(ClassError::Size { what: "bytecode", got, .. }) => Self::Bytecode { felts: got },
            Err(ClassError::Sierra(reason)) => Self::Refused(reason),
            Err(ClassError::Machine(reason)) => Self::Machine(reason),
            // The one that started this has read the file before.
            Err(other) => Self::Refused(other.to_string()),
        }
    }

    /// What was compiled.
    ///
    /// # Errors
    /// [`ClassError::TooNew`], [`ClassError::Size`], [`ClassError::Sierra`] or [`ClassError::Machine`], as compiling in this process would have given it.
    pub fn compiled(self) -> Result<Compiled, ClassError> {
        match self {
            Self::Compiled(compiled) => Ok(*compiled),
            Self::TooNew { version, newest } => Err(ClassError::TooNew { version, newest }),
            Self::Bytecode { felts } => {
                Err(ClassError::Size { what: "bytecode", unit: "felts", got: felts, max: MAX_BYTECODE_FELTS })
            }
            Self::Refused(reason) => Err(ClassError::Sierra(reason)),
            Self::Machine(reason) => Err(ClassError::Machine(reason)),
        }
    }
}
