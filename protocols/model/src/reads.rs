//! What a run of contracts took from the state that it goes on from: the list that travels with its proof.
//!
//! The program's output has the commitment to the list alone. So the list goes from the operator, whose replay makes it, to the prover, and from there with
//! the proof to settlers, who compare its values with the state that was meant. As felts it has the form in which the program hashes it. There is one such form for a list:
//! [`Reads::from_felts`] refuses every other.
//!
//! In files and before a proof these felts are bytes: [`MAGIC`], how many felts (4 bytes, little-endian), each as 32 canonical bytes, big-endian. What follows
//! is the proof. A run that read nothing has no list, and its proof is alone: [`join`] and [`split`]. So bytes say by themselves whether there is a list.
//!
//! Bounds: [`MAX_READ_SLOTS`] slots, and so [`MAX_READS`] felts and [`MAX_READS_BYTES`] bytes.

use crate::{
    Coded, Felt,
    contracts::{Contract, Start, StartError},
    entry::{MAX_ACCOUNTS, MAX_CONTRACTS},
    felt,
    program::program_hash,
    proof::MAX_PROOF_BYTES,
};
use std::collections::BTreeMap;

/// Most slots that a run touches, those that the start data lists among them: eight times as many as can be listed. A transaction that would touch more is refused.
pub const MAX_READ_SLOTS: usize = 1 << 14;
/// Most felts of a list: of each contract [`HEAD`], of each slot its key and value, of each account its address and nonce.
pub const MAX_READS: usize = HEAD * MAX_CONTRACTS + PAIR * (MAX_READ_SLOTS + MAX_ACCOUNTS);
/// Most bytes of a list before a proof, or in a file: 1.1 MB.
pub const MAX_READS_BYTES: usize = MAGIC.len() + COUNT_BYTES + FELT_BYTES * MAX_READS;
/// What a list begins with as bytes. No proof does: it begins with the length of something.
pub const MAGIC: [u8; 8] = *b"SWREADS1";

/// Felts of a contract before its slots: address, class, compiled class, how many slots.
const HEAD: usize = 4;
/// Felts of a slot, and of an account.
const PAIR: usize = 2;
const COUNT_BYTES: usize = 4;
const FELT_BYTES: usize = 32;

// The longest list leaves a proof half as much again as the 1.9 MB that it has.
const _: () = assert!(MAX_READS_BYTES + (2_900 << 10) <= MAX_PROOF_BYTES as usize);

/// What a run took from the state that it goes on from.
///
/// A settler computes the commitment anew, compares it with the proof's, and each value with the genesis or with the pinned block; that each
/// compiled class is what its class compiles to, it checks once for a pair.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reads {
    /// By the contract's place and the key: the value at the beginning, of each slot that was touched and of each listed one.
    pub storage: BTreeMap<(usize, Felt), Felt>,
    /// By the contract's place: the first nonce of each account that sent a transaction.
    pub nonces: BTreeMap<usize, Felt>,
}

/// No list of what a run of this shard read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadsError {
    /// Longer than it may be.
    #[error("the list of what the run read has {felts} felts, at most {MAX_READS} are allowed")]
    TooLong {
        /// How many it has, or says that it has.
        felts: usize,
    },
    /// It ends too early, or goes on after its end.
    #[error("the list of what the run read has another length than it says")]
    Length,
    /// Other contracts, in another order, or of another class.
    #[error("the list of what the run read has another address or class where contract {contract:#x} is due")]
    Contract {
        /// The start data's.
        contract: Felt,
    },
    /// A key that isn't above the one before it.
    #[error("the list of what the run read has slot {key:#x} of contract {contract:#x} out of order")]
    Order {
        /// The contract.
        contract: Felt,
        /// The slot's key.
        key: Felt,
    },
    /// What should be an account of the shard isn't, or isn't above the one before it.
    #[error("the list of what the run read has {account:#x} where an account is due, or out of order")]
    Account {
        /// What stands there.
        account: Felt,
    },
    /// Bytes that are no list of felts.
    #[error("what stands before the proof is no list of what the run read: {0}")]
    Bytes(&'static str),
    /// There can be no list.
    #[error("there can be no list of what the run read: {0}")]
    Start(#[from] StartError),
}

impl Coded for ReadsError {
    fn code(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "SW-CONTRACTS-030",
            Self::Length => "SW-CONTRACTS-031",
            Self::Contract { .. } => "SW-CONTRACTS-032",
            Self::Order { .. } => "SW-CONTRACTS-033",
            Self::Account { .. } => "SW-CONTRACTS-034",
            Self::Bytes(_) => "SW-CONTRACTS-035",
            Self::Start(_) => "SW-CONTRACTS-036",
        }
    }

    fn next_step(&self) -> String {
        "Nothing was applied. Refuse it, and ask for the list of this shard's run where this one came from.".into()
    }
}

impl Reads {
    /// The felts, as the program hashes them: for each contract its address, class, compiled class, how many slots, and each slot's key and
    /// value, ascending; then each account that sent a transaction, and its first nonce.
    #[must_use]
    pub fn to_felts(&self, start: &Start) -> Vec<Felt> {
        let mut felts = Vec::new();
        for (place, contract) in start.contracts.iter().enumerate() {
            let slots = || self.storage.range((place, Felt::ZERO)..=(place, Felt::MAX));
            felts.extend(head(start, contract));
            felts.push((slots().count() as u64).into());
            felts.extend(slots().flat_map(|((_, key), value)| [*key, *value]));
        }
        felts.extend(self.nonces.iter().flat_map(|(place, nonce)| {
            [start.contracts.get(*place).map(|contract| contract.address).unwrap_or_default(), *nonce]
        }));
        felts
    }

    /// The list that has these felts in a shard with this start data. What isn't exactly what [`to_felts`](Self::to_felts) would write is refused.
    ///
    /// # Errors
    /// [`ReadsError::TooLong`], [`ReadsError::Length`], [`ReadsError::Contract`], [`ReadsError::Order`] or [`ReadsError::Account`]: the first that is wrong.
    pub fn from_felts(start: &Start, felts: &[Felt]) -> Result<Self, ReadsError> {
        if felts.len() > MAX_READS {
            return Err(ReadsError::TooLong { felts: felts.len() });
        }
        let (mut reads, mut rest) = (Self::default(), felts);
        for (place, contract) in start.contracts.iter().enumerate() {
            let ([address, class, compiled_class, count], tail) =
                rest.split_first_chunk::<HEAD>().ok_or(ReadsError::Length)?;
            if [*address, *class, *compiled_class] != head(start, contract) {
                return Err(ReadsError::Contract { contract: contract.address });
            }
            let count = u64::try_from(*count).ok().and_then(|count| usize::try_from(count).ok());
            let split = count.and_then(|count| tail.split_at_checked(count.checked_mul(PAIR)?));
            let (slots, tail) = split.ok_or(ReadsError::Length)?;
            let mut last = None;
            for [key, value] in slots.as_chunks::<PAIR>().0 {
                if last >= Some(*key) {
                    return Err(ReadsError::Order { contract: contract.address, key: *key });
                }
                last = Some(*key);
                reads.storage.insert((place, *key), *value);
            }
            rest = tail;
        }
        let (accounts, left) = rest.as_chunks::<PAIR>();
        for [account, nonce] in accounts {
            let place = start.contract_place(*account);
            let is_account = |place: &usize| start.contracts.get(*place).is_some_and(|contract| contract.account);
            let last = reads.nonces.last_key_value().map(|(place, _)| *place);
            let place = place.filter(is_account).filter(|place| last < Some(*place));
            reads.nonces.insert(place.ok_or(ReadsError::Account { account: *account })?, *nonce);
        }
        if left.is_empty() { Ok(reads) } else { Err(ReadsError::Length) }
    }

    /// What stands for them in the output.
    #[must_use]
    pub fn commitment(&self, start: &Start) -> Felt {
        commitment(&self.to_felts(start))
    }
}

/// A contract's address, class and compiled class.
fn head(start: &Start, contract: &Contract) -> [Felt; HEAD - 1] {
    let pair = start.classes.get(contract.class);
    [
        contract.address,
        pair.map(|pair| pair.class_hash).unwrap_or_default(),
        pair.map(|pair| pair.compiled_class_hash).unwrap_or_default(),
    ]
}

/// What stands in an output for the list with these felts; zero for none.
#[must_use]
pub fn commitment(felts: &[Felt]) -> Felt {
    if felts.is_empty() { Felt::ZERO } else { program_hash(felts) }
}

/// A list of felts, if it isn't empty, and what follows it.
#[must_use]
pub fn join(felts: &[Felt], proof: &[u8]) -> Vec<u8> {
    if felts.is_empty() {
        return proof.to_vec();
    }
    let count = u32::try_from(felts.len()).unwrap_or(u32::MAX); // At most MAX_READS.
    let mut bytes = Vec::with_capacity(MAGIC.len() + COUNT_BYTES + FELT_BYTES * felts.len() + proof.len());
    bytes.extend(MAGIC);
    bytes.extend(count.to_le_bytes());
    bytes.extend(felts.iter().flat_map(Felt::to_bytes_be));
    bytes.extend(proof);
    bytes
}

/// The felts of the list that the bytes begin with, none if there is no list, and what follows: what [`join`] was given.
///
/// # Errors
/// [`ReadsError::TooLong`]; [`ReadsError::Bytes`] if the list is cut short, is empty, or has a felt that isn't canonical.
pub fn split(bytes: &[u8]) -> Result<(Vec<Felt>, &[u8]), ReadsError> {
    let Some(rest) = bytes.strip_prefix(&MAGIC) else { return Ok((Vec::new(), bytes)) };
    let short = ReadsError::Bytes("it is cut short");
    let (count, rest) = rest.split_first_chunk::<COUNT_BYTES>().ok_or(short.clone())?;
    let felts = u32::from_le_bytes(*count) as usize;
    if felts == 0 {
        return Err(ReadsError::Bytes("it is empty"));
    }
    if felts > MAX_READS {
        return Err(ReadsError::TooLong { felts });
    }
    let (list, proof) = rest.split_at_checked(FELT_BYTES * felts).ok_or(short)?;
    let canonical = list.as_chunks::<FELT_BYTES>().0.iter().map(felt::from_canonical);
    let felts =
        canonical.collect::<Option<Vec<Felt>>>().ok_or(ReadsError::Bytes("it has a felt that isn't canonical"))?;
    Ok((felts, proof))
}
