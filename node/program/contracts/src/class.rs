//! A compiled class, as the Sierra compiler writes it, and its hash.

use cairo_lang_casm::hints::Hint;
use serde::Deserialize;
use shardwire_model::{Coded, Felt, program_hash};
use std::collections::BTreeMap;

/// The builtins that a class may use, in the order in which entry points take them.
pub const BUILTINS: [&str; 5] = ["pedersen", "range_check", "bitwise", "ec_op", "poseidon"];
/// Most felts of a class's bytecode, as on Starknet.
pub const MAX_BYTECODE: usize = 81_920;
/// Most entry points of a class.
pub const MAX_ENTRY_POINTS: usize = 1024;

/// How bytecode is cut for its hash.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Segments {
    /// A run of that many felts.
    Leaf(usize),
    /// Parts that are cut again.
    Node(Vec<Self>),
}

impl Segments {
    /// How many felts it covers.
    #[must_use]
    pub fn felts(&self) -> usize {
        match self {
            Self::Leaf(felts) => *felts,
            Self::Node(parts) => parts.iter().map(Self::felts).sum(),
        }
    }
}

/// An entry point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryPoint {
    /// Its name's hash.
    pub selector: Felt,
    /// Where its code begins.
    pub offset: usize,
    /// Which of [`BUILTINS`] it takes.
    pub builtins: [bool; 5],
}

impl EntryPoint {
    /// The builtins that it takes, in their order.
    fn takes(&self) -> impl Iterator<Item = &'static str> {
        BUILTINS.into_iter().zip(self.builtins).filter(|(_, has)| *has).map(|(name, _)| name)
    }

    /// Their names, as they are hashed.
    pub(crate) fn names(&self) -> Vec<Felt> {
        self.takes().map(crate::tree::short).collect()
    }
}

/// A compiled class.
#[derive(Clone, Debug)]
pub struct Class {
    /// The hash of its Sierra, which nothing here can check.
    pub class_hash: Felt,
    /// The code.
    pub bytecode: Vec<Felt>,
    /// How the code is cut for its hash.
    pub segments: Segments,
    /// What the machine is to do before an instruction, by its offset.
    pub hints: BTreeMap<usize, Vec<Hint>>,
    /// The entry points of type EXTERNAL, ascending by selector.
    pub entry_points: Vec<EntryPoint>,
    /// The hash of the list of L1 handlers; none of them is ever called.
    pub l1_handlers: Felt,
    /// The hash of the list of constructors; none of them is ever called.
    pub constructors: Felt,
}

/// CASM that a shard can't take.
#[derive(Debug, thiserror::Error)]
pub enum ClassError {
    /// It isn't what the compiler writes.
    #[error("class {class:#x} isn't compiled Cairo as the Sierra compiler writes it: {reason}")]
    Malformed {
        /// The class.
        class: Felt,
        /// What was found.
        reason: String,
    },
    /// It is too large.
    #[error("class {class:#x} has {got} {what}, {most} are allowed")]
    Size {
        /// The class.
        class: Felt,
        /// Of what it has too many.
        what: &'static str,
        /// How many.
        got: usize,
        /// How many are allowed.
        most: usize,
    },
    /// An entry point takes a builtin that can't be proven here.
    #[error("class {class:#x} uses the builtin '{builtin}', which a shard can't prove")]
    Builtin {
        /// The class.
        class: Felt,
        /// The builtin.
        builtin: String,
    },
}

impl Coded for ClassError {
    fn code(&self) -> &'static str {
        match self {
            Self::Malformed { .. } => "SW-CONTRACTS-010",
            Self::Size { .. } => "SW-CONTRACTS-011",
            Self::Builtin { .. } => "SW-CONTRACTS-012",
        }
    }

    fn next_step(&self) -> String {
        match self {
            Self::Malformed { .. } => "Compile the class again from its Sierra (starknet-sierra-compile).".into(),
            Self::Size { .. } => "Split the contract into several.".into(),
            Self::Builtin { .. } => {
                "Leave out what uses it: dictionaries need segment_arena, circuits the mod builtins; a shard proves pedersen, range_check, bitwise, ec_op and poseidon.".into()
            }
        }
    }
}

#[derive(Deserialize)]
struct Casm {
    bytecode: Vec<String>,
    #[serde(default)]
    bytecode_segment_lengths: Option<Segments>,
    hints: Vec<(usize, Vec<Hint>)>,
    entry_points_by_type: ByType,
}

#[derive(Deserialize)]
struct ByType {
    #[serde(rename = "EXTERNAL")]
    external: Vec<Listed>,
    #[serde(rename = "L1_HANDLER")]
    l1_handler: Vec<Listed>,
    #[serde(rename = "CONSTRUCTOR")]
    constructor: Vec<Listed>,
}

#[derive(Deserialize)]
struct Listed {
    selector: String,
    offset: usize,
    builtins: Vec<String>,
}

fn list_hash(list: impl Iterator<Item = (Felt, usize, Vec<Felt>)>) -> Felt {
    let felts: Vec<Felt> =
        list.flat_map(|(selector, offset, names)| [selector, (offset as u64).into(), program_hash(&names)]).collect();
    program_hash(&felts)
}

impl Class {
    /// Reads what `starknet-sierra-compile` writes.
    ///
    /// # Errors
    /// [`ClassError::Malformed`], [`ClassError::Size`] or [`ClassError::Builtin`], the first that is found.
    pub fn from_casm(class: Felt, json: &[u8]) -> Result<Self, ClassError> {
        let malformed = |reason: String| ClassError::Malformed { class, reason };
        let casm: Casm = serde_json::from_slice(json).map_err(|e| malformed(e.to_string()))?;
        let felt = |text: &str| shardwire_model::felt::parse(text).map_err(|e| malformed(e.to_string()));
        let too_many = |what, got, most| ClassError::Size { class, what, got, most };
        if casm.bytecode.len() > MAX_BYTECODE {
            return Err(too_many("felts of bytecode", casm.bytecode.len(), MAX_BYTECODE));
        }
        let bytecode = casm.bytecode.iter().map(|text| felt(text)).collect::<Result<Vec<_>, _>>()?;
        let segments = casm.bytecode_segment_lengths.unwrap_or(Segments::Leaf(bytecode.len()));
        if segments.felts() != bytecode.len() {
            return Err(malformed("its segments don't cover its bytecode".into()));
        }
        let flat = |parts: &[Segments]| {
            !parts.is_empty() && parts.iter().all(|part| matches!(part, Segments::Leaf(n) if *n > 0))
        };
        if matches!(&segments, Segments::Node(parts) if !flat(parts)) {
            return Err(malformed("its segments are nested".into()));
        }
        let external = casm.entry_points_by_type.external;
        if external.len() > MAX_ENTRY_POINTS {
            return Err(too_many("entry points", external.len(), MAX_ENTRY_POINTS));
        }
        let mut entry_points: Vec<EntryPoint> = Vec::new();
        for listed in external {
            let selector = felt(&listed.selector)?;
            if let Some(builtin) = listed.builtins.iter().find(|name| !BUILTINS.contains(&name.as_str())) {
                return Err(ClassError::Builtin { class, builtin: builtin.chars().take(40).collect() });
            }
            if entry_points.last().is_some_and(|last| last.selector >= selector) {
                return Err(malformed("its entry points aren't ascending by selector".into()));
            }
            if listed.offset >= bytecode.len() {
                return Err(malformed("an entry point lies outside its bytecode".into()));
            }
            let builtins = BUILTINS.map(|name| listed.builtins.iter().any(|listed| listed == name));
            let entry_point = EntryPoint { selector, offset: listed.offset, builtins };
            if !entry_point.takes().eq(listed.builtins.iter().map(String::as_str)) {
                return Err(malformed("an entry point takes its builtins in another order".into()));
            }
            entry_points.push(entry_point);
        }
        let other = |list: Vec<Listed>| -> Result<Felt, ClassError> {
            let list = list
                .into_iter()
                .map(|it| {
                    Ok((felt(&it.selector)?, it.offset, it.builtins.iter().map(|b| crate::tree::short(b)).collect()))
                })
                .collect::<Result<Vec<_>, ClassError>>()?;
            Ok(list_hash(list.into_iter()))
        };
        let (l1_handlers, constructors) =
            (other(casm.entry_points_by_type.l1_handler)?, other(casm.entry_points_by_type.constructor)?);
        let hints = casm.hints.into_iter().collect();
        Ok(Self { class_hash: class, bytecode, segments, hints, entry_points, l1_handlers, constructors })
    }

    /// The lengths of the runs of bytecode that are hashed alone; none if it is hashed in one.
    pub(crate) fn segment_lengths(&self) -> Vec<usize> {
        match &self.segments {
            Segments::Leaf(_) => Vec::new(),
            Segments::Node(parts) => parts.iter().map(Segments::felts).collect(),
        }
    }

    /// The compiled class hash, version 2: of the list of entry points of each type, and of the bytecode by its segments.
    #[must_use]
    pub fn compiled_class_hash(&self) -> Felt {
        let external = list_hash(self.entry_points.iter().map(|it| (it.selector, it.offset, it.names())));
        let bytecode = segments_hash(&self.segments, &self.bytecode);
        program_hash(&[
            crate::tree::short("COMPILED_CLASS_V1"),
            external,
            self.l1_handlers,
            self.constructors,
            bytecode,
        ])
    }
}

fn segments_hash(segments: &Segments, bytecode: &[Felt]) -> Felt {
    match segments {
        Segments::Leaf(_) => program_hash(bytecode),
        Segments::Node(parts) => {
            let mut rest = bytecode;
            let mut felts = Vec::with_capacity(2 * parts.len());
            for part in parts {
                let (here, after) = rest.split_at_checked(part.felts()).unwrap_or((rest, &[]));
                felts.extend([Felt::from(here.len() as u64), segments_hash(part, here)]);
                rest = after;
            }
            program_hash(&felts) + Felt::ONE
        }
    }
}
