//! Classes: Sierra that is compiled here, so that the bytecode is the class' own.
//!
//! Bytecode is no sandbox: a hand-made one could jump anywhere. So a class is always given as Sierra, and what runs is what the pinned compiler
//! makes of it. Hashes that a genesis states are compared with those computed, and so is bytecode that lies beside.

use crate::{bounds, json};
use blockifier::execution::contract_class::{CompiledClassV1, RunnableCompiledClass};
use cairo_lang_starknet_classes::{
    allowed_libfuncs::ListSelector,
    casm_contract_class::{CasmContractClass, StarknetSierraCompilationError},
    contract_class::{ContractClass, ContractEntryPoints},
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use shardwire_contracts::class::BUILTINS;
use shardwire_files::text;
use shardwire_model::{
    Coded, Felt,
    sierra::{EntryPoint, Sierra},
};
use starknet_api::{contract_class::SierraVersion, state::SierraContractClass};
use std::{collections::BTreeSet, sync::Arc, thread};

/// The system calls that a proof covers, as Sierra names them.
const SYSCALLS: [&str; 9] = [
    "call_contract_syscall",
    "emit_event_syscall",
    "get_class_hash_at_syscall",
    "get_execution_info_syscall",
    "get_execution_info_v2_syscall",
    "get_execution_info_v3_syscall",
    "library_call_syscall",
    "storage_read_syscall",
    "storage_write_syscall",
];

/// A compiled class.
#[derive(Clone, Debug)]
pub struct Class {
    hash: Felt,
    compiled_hash: Felt,
    sierra: Arc<Sierra>,
    casm: Arc<CasmContractClass>,
    runnable: RunnableCompiledClass,
    beyond: BTreeSet<String>,
}

impl Class {
    /// Compiles the class of a Sierra file, as compilers write it or as JSON-RPC passes it. In this process, which a class of a stranger's may take along:
    /// `shardwire-compiler` does it in another one.
    ///
    /// # Errors
    /// [`ClassError::File`] or [`ClassError::Cairo0`] if the file is no Sierra class, [`ClassError::Size`] if it exceeds a bound, [`ClassError::TooNew`], [`ClassError::Sierra`] or
    /// [`ClassError::Casm`] if it can't be compiled, [`ClassError::Builtin`] if it needs a builtin that no proof covers, [`ClassError::Machine`] if no thread can be started.
    pub fn compile(file: &[u8]) -> Result<Self, ClassError> {
        Self::with(file, compile)
    }

    /// The class of a Sierra file that something else compiles, which is believed: the pinned compiler, in a process of its own.
    ///
    /// # Errors
    /// As [`compile`](Self::compile).
    pub fn with(file: &[u8], compile: impl FnOnce(&[u8]) -> Result<Compiled, ClassError>) -> Result<Self, ClassError> {
        let sierra = File::read(file)?;
        let version = SierraVersion::extract_from_program(&sierra.class.sierra_program)
            .map_err(|error| ClassError::File(cut(&error.to_string())))?;
        let Compiled { casm, beyond } = compile(file)?;
        for point in &casm.entry_points_by_type.external {
            if let Some(builtin) = point.builtins.iter().find(|builtin| !BUILTINS.contains(&builtin.as_str())) {
                let selector = Felt::from(&point.selector);
                return Err(ClassError::Builtin { builtin: builtin.clone(), selector });
            }
        }
        let hash = sierra.class.calculate_class_hash().0;
        let compiled_hash = casm.compiled_class_hash();
        let runnable = CompiledClassV1::try_from((casm.clone(), version))
            .map_err(|error| ClassError::Casm(cut(&error.to_string())))?;
        Ok(Self {
            hash,
            compiled_hash,
            sierra: Arc::new(declared(sierra.class)),
            casm: Arc::new(casm),
            runnable: RunnableCompiledClass::V1(runnable),
            beyond,
        })
    }

    /// Checks that bytecode, from a file that lies beside the class, is what the class compiles to.
    ///
    /// # Errors
    /// [`ClassError::Casm`] if the file is no bytecode, [`ClassError::OtherCasm`] if it is not this class'.
    pub fn check_casm(&self, file: &[u8]) -> Result<(), ClassError> {
        bounded("bytecode file", "bytes", file.len(), bounds::MAX_CLASS_BYTES)?;
        let text = text::decode(file.to_vec()).map_err(|error| ClassError::Casm(error.to_string()))?;
        let given: CasmContractClass =
            serde_json::from_str(&text).map_err(|error| ClassError::Casm(cut(&error.to_string())))?;
        let given_hash = given.compiled_class_hash();
        // The hash doesn't cover the hints; bytecode with other hints could run differently here.
        if given_hash != self.compiled_hash || given.hints != self.casm.hints {
            return Err(ClassError::OtherCasm { given: given_hash, compiled: self.compiled_hash });
        }
        Ok(())
    }

    /// The class hash.
    #[must_use]
    pub const fn hash(&self) -> Felt {
        self.hash
    }

    /// The compiled class hash, version 2: Blake2s of the bytecode and its entry points.
    #[must_use]
    pub const fn compiled_hash(&self) -> Felt {
        self.compiled_hash
    }

    /// The bytecode, its entry points and its hints.
    #[must_use]
    pub fn casm(&self) -> &CasmContractClass {
        &self.casm
    }

    /// The class as it is declared. A shard calls its external entry points alone: a genesis has contracts as they are after their constructors.
    #[must_use]
    pub const fn sierra(&self) -> &Arc<Sierra> {
        &self.sierra
    }

    /// System calls that the class has and no proof covers, such as `replace_class_syscall`. A transaction that gets to one of them is refused.
    #[must_use]
    pub const fn beyond_proof(&self) -> &BTreeSet<String> {
        &self.beyond
    }

    /// What blockifier runs.
    pub(crate) fn runnable(&self) -> RunnableCompiledClass {
        self.runnable.clone()
    }
}

/// A class in the model's words.
fn declared(class: SierraContractClass) -> Sierra {
    let listed = |points: Vec<starknet_api::state::EntryPoint>| {
        points.iter().map(|it| EntryPoint { selector: it.selector.0, function: it.function_idx.0 }).collect()
    };
    let points = class.entry_points_by_type;
    Sierra {
        program: class.sierra_program,
        version: class.contract_class_version,
        external: listed(points.external),
        constructor: listed(points.constructor),
        l1_handler: listed(points.l1handler),
        abi: class.abi,
    }
}

/// A class file, read and within its bounds.
struct File {
    class: SierraContractClass,
    entry_points: ContractEntryPoints,
}

impl File {
    fn read(file: &[u8]) -> Result<Self, ClassError> {
        /// Fields of a class file that count. A Cairo 0 class has a `program`.
        #[derive(Deserialize)]
        struct Fields<'a> {
            program: Option<serde::de::IgnoredAny>,
            #[serde(default)]
            sierra_program: Vec<Felt>,
            #[serde(default)]
            contract_class_version: String,
            #[serde(borrow)]
            entry_points_by_type: Option<&'a RawValue>,
            #[serde(borrow)]
            abi: Option<&'a RawValue>,
        }

        bounded("class file", "bytes", file.len(), bounds::MAX_CLASS_BYTES)?;
        let text = text::decode(file.to_vec()).map_err(|error| ClassError::File(error.to_string()))?;
        let file: Fields<'_> =
            serde_json::from_str(&text).map_err(|error| ClassError::File(cut(&error.to_string())))?;
        if file.program.is_some() {
            return Err(ClassError::Cairo0);
        }
        if file.sierra_program.is_empty() {
            return Err(ClassError::File("it has no 'sierra_program'".into()));
        }
        bounded("Sierra program", "felts", file.sierra_program.len(), bounds::MAX_SIERRA_FELTS)?;
        // Read after what tells a Cairo 0 class, whose entry points are others.
        let points = file.entry_points_by_type.map_or("{}", RawValue::get);
        let points: ContractEntryPoints =
            serde_json::from_str(points).map_err(|error| ClassError::File(cut(&error.to_string())))?;
        let count = points.external.len() + points.constructor.len() + points.l1_handler.len();
        bounded("list of entry points", "entries", count, bounds::MAX_ENTRY_POINTS)?;
        let abi = match file.abi.map(RawValue::get) {
            None | Some("null") => String::new(),
            Some(text) if text.starts_with('"') => {
                serde_json::from_str(text).map_err(|error| ClassError::File(cut(&error.to_string())))?
            }
            Some(text) => json::as_python(text),
        };
        let class = SierraContractClass {
            sierra_program: file.sierra_program,
            contract_class_version: file.contract_class_version,
            entry_points_by_type: points.clone().into(),
            abi,
        };
        Ok(Self { class, entry_points: points })
    }
}

/// What the compiler makes of a class.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Compiled {
    /// The bytecode, its entry points and its hints.
    casm: CasmContractClass,
    /// The system calls in the class that no proof covers.
    beyond: BTreeSet<String>,
}

/// Compiles a Sierra file. The compiler runs in a thread of its own, because it recurses and, of Sierra that no compiler made, may panic.
///
/// # Errors
/// [`ClassError::File`] or [`ClassError::Cairo0`] if the file is no Sierra class, [`ClassError::Size`] if it exceeds a bound, [`ClassError::TooNew`] or [`ClassError::Sierra`] if it
/// can't be compiled, [`ClassError::Machine`] if no thread can be started.
pub fn compile(file: &[u8]) -> Result<Compiled, ClassError> {
    let sierra = File::read(file)?;
    let class = ContractClass {
        sierra_program: sierra.class.sierra_program.iter().map(|felt| felt.to_biguint().into()).collect(),
        sierra_program_debug_info: None,
        contract_class_version: sierra.class.contract_class_version,
        entry_points_by_type: sierra.entry_points,
        abi: None,
    };
    let compile = move || {
        let program =
            class.extract_sierra_program(false).map_err(|error| ClassError::Sierra(cut(&error.to_string())))?;
        let version = program.sierra_version;
        program
            .validate_version_compatible(ListSelector::DefaultList)
            .map_err(|error| ClassError::Sierra(cut(error.to_string().lines().next().unwrap_or_default())))?;
        let names = program.program.libfunc_declarations.iter().map(|it| it.long_id.generic_id.to_string());
        let beyond: BTreeSet<_> =
            names.filter(|name| name.ends_with("_syscall") && !SYSCALLS.contains(&name.as_str())).collect();
        // One more than fits, so that the bound is told from a mistake in the class.
        let casm = CasmContractClass::from_contract_class(class, program, false, bounds::MAX_BYTECODE_FELTS + 1);
        let casm = casm.map_err(|error| match error {
            StarknetSierraCompilationError::UnsupportedSierraVersion { version_of_compiler, .. } => {
                ClassError::TooNew { version: version.to_string(), newest: version_of_compiler.to_string() }
            }
            other => ClassError::Sierra(cut(&other.to_string())),
        })?;
        bounded("bytecode", "felts", casm.bytecode.len(), bounds::MAX_BYTECODE_FELTS)?;
        Ok(Compiled { casm, beyond })
    };
    let thread = thread::Builder::new().name("compile".into()).stack_size(bounds::COMPILER_STACK_BYTES);
    let compiler = thread.spawn(compile).map_err(|error| ClassError::Machine(error.to_string()))?;
    compiler.join().map_err(|_| ClassError::Sierra("the compiler gave up on it".into()))?
}

fn bounded(what: &'static str, unit: &'static str, got: usize, max: usize) -> Result<(), ClassError> {
    if got > max { Err(ClassError::Size { what, unit, got, max }) } else { Ok(()) }
}

/// At most [`bounds::MAX_REASON_CHARS`] of a text that others wrote.
pub(crate) fn cut(text: &str) -> String {
    text.chars().take(bounds::MAX_REASON_CHARS).collect()
}

/// A class that a shard can't have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClassError {
    /// Something exceeds a bound of [`bounds`].
    #[error("the {what} has {got} {unit}, and {max} are allowed")]
    Size {
        /// What exceeds it.
        what: &'static str,
        /// What it is counted in.
        unit: &'static str,
        /// How many there are.
        got: usize,
        /// How many there may be.
        max: usize,
    },
    /// The file holds no class.
    #[error("the file is no Sierra class: {0}")]
    File(String),
    /// A class of Cairo 0.
    #[error("the class is of Cairo 0, which has no Sierra")]
    Cairo0,
    /// A Sierra version that the pinned compiler doesn't know.
    #[error("the class is of Sierra {version}, and this release compiles up to {newest}")]
    TooNew {
        /// The class' version.
        version: String,
        /// The newest that can be compiled.
        newest: String,
    },
    /// The compiler refuses it.
    #[error("the class can't be compiled: {0}")]
    Sierra(String),
    /// The file beside it holds no bytecode, or none that runs.
    #[error("the bytecode is invalid: {0}")]
    Casm(String),
    /// The bytecode beside it is another class'.
    #[error("the bytecode hashes to {given:#x}, and the class compiles to {compiled:#x}")]
    OtherCasm {
        /// The compiled class hash of the file.
        given: Felt,
        /// That of what the class compiles to.
        compiled: Felt,
    },
    /// An entry point needs a builtin that no proof covers.
    #[error("entry point {selector:#x} needs builtin {builtin}, which no proof covers yet")]
    Builtin {
        /// The builtin.
        builtin: String,
        /// The entry point.
        selector: Felt,
    },
    /// The class hash stated isn't the class'.
    #[error("the class hashes to {computed:#x}, not to {stated:#x}")]
    Hash {
        /// What was said.
        stated: Felt,
        /// What it is.
        computed: Felt,
    },
    /// The compiled class hash stated isn't the class'.
    #[error("class {class:#x} compiles to {computed:#x}, not to {stated:#x}")]
    CompiledHash {
        /// The class.
        class: Felt,
        /// What was said.
        stated: Felt,
        /// What it is.
        computed: Felt,
    },
    /// Compiling it takes more than it may.
    #[error("compiling the class takes more than {most} {what}")]
    Heavy {
        /// What it takes.
        what: &'static str,
        /// How many of it it may take.
        most: u64,
    },
    /// This machine can't compile at the moment, which says nothing about the class.
    #[error("the class can't be compiled at the moment: {0}")]
    Machine(String),
}

impl Coded for ClassError {
    fn code(&self) -> &'static str {
        match self {
            Self::Size { .. } => "SW-CLASS-001",
            Self::File(_) => "SW-CLASS-002",
            Self::Cairo0 => "SW-CLASS-003",
            Self::TooNew { .. } => "SW-CLASS-004",
            Self::Sierra(_) => "SW-CLASS-005",
            Self::Casm(_) => "SW-CLASS-006",
            Self::OtherCasm { .. } => "SW-CLASS-007",
            Self::Builtin { .. } => "SW-CLASS-008",
            Self::Hash { .. } => "SW-CLASS-009",
            Self::CompiledHash { .. } => "SW-CLASS-010",
            Self::Heavy { .. } => "SW-CLASS-011",
            Self::Machine(_) => "SW-CLASS-012",
        }
    }

    fn next_step(&self) -> String {
        match self {
            Self::Size { .. } => "Split the contract into several, or remove what it doesn't need.".into(),
            Self::File(_) => "Give the file that the Cairo compiler calls '….contract_class.json'.".into(),
            Self::Cairo0 => "Write the contract in Cairo 1 or later; Cairo 0 classes can't be checked.".into(),
            Self::TooNew { .. } => "Compile the contract with an older Cairo, or update shardwire.".into(),
            Self::Sierra(_) => "Compile the contract again, with a released compiler and its audited functions only.".into(),
            Self::Casm(_) | Self::OtherCasm { .. } => {
                "Leave the bytecode out: it is compiled here, and only compared with what is given.".into()
            }
            Self::Builtin { builtin, .. } => match builtin.as_str() {
                "segment_arena" => "Do without dictionaries (Felt252Dict) in what the shard runs.".into(),
                _ => "Do without circuits (core::circuit) in what the shard runs.".into(),
            },
            Self::Hash { .. } => "Correct the class hash, or give the file of that class.".into(),
            Self::CompiledHash { .. } => {
                "Correct the compiled class hash: it is version 2 (Blake2s), of what this release's compiler makes of the class.".into()
            }
            Self::Heavy { .. } => "Split the contract into several, or compile it again with a released compiler.".into(),
            Self::Machine(_) => "Free memory or raise the limits on threads and processes, and try again.".into(),
        }
    }
}
