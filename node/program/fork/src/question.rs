//! What is asked of the state at a block.

use shardwire_model::{ContractId, Felt, Key, Slot, felt};
use std::fmt;

/// What is asked of the state at a block, and is answered by one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Question {
    /// When the block was made, in seconds since the Unix epoch.
    Time,
    /// The value of a slot.
    Storage(ContractId, Key),
    /// The nonce of a contract.
    Nonce(ContractId),
    /// The class of a contract.
    ClassHash(ContractId),
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time => f.write_str("the time of the block"),
            Self::Storage(contract, key) => write!(f, "slot {}", Slot::new(*contract, *key)),
            Self::Nonce(contract) => write!(f, "the nonce of {contract}"),
            Self::ClassHash(contract) => write!(f, "the class of {contract}"),
        }
    }
}

impl Question {
    /// The contract that it is about.
    #[must_use]
    pub const fn contract(&self) -> Option<ContractId> {
        match self {
            Self::Time => None,
            Self::Storage(contract, _) | Self::Nonce(contract) | Self::ClassHash(contract) => Some(*contract),
        }
    }

    pub(crate) const fn is_of_a_slot(&self) -> bool {
        matches!(self, Self::Storage(..))
    }

    /// Whether a node knows what is meant: no slot has a key of 251 bits or more.
    pub(crate) fn can_be_asked(&self) -> bool {
        match self {
            Self::Storage(_, key) => key.0 < Felt::TWO.pow(251_u32),
            Self::Time | Self::Nonce(_) | Self::ClassHash(_) => true,
        }
    }

    /// What stands for it in a store: a number for its kind, and its operands. At most 65 bytes.
    #[must_use]
    pub fn to_bytes(self) -> Vec<u8> {
        let (kind, operands) = match self {
            Self::Storage(contract, key) => (0, vec![contract.0, key.0]),
            Self::Nonce(contract) => (1, vec![contract.0]),
            Self::ClassHash(contract) => (2, vec![contract.0]),
            Self::Time => (3, Vec::new()),
        };
        [kind].into_iter().chain(operands.iter().flat_map(Felt::to_bytes_be)).collect()
    }

    /// The question for which these bytes stand.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (kind, operands) = bytes.split_first()?;
        let operands: Vec<Felt> =
            operands.chunks(32).map(|it| felt::from_canonical(it.try_into().ok()?)).collect::<Option<_>>()?;
        match (kind, &operands[..]) {
            (0, [contract, key]) => Some(Self::Storage(ContractId(*contract), Key(*key))),
            (1, [contract]) => Some(Self::Nonce(ContractId(*contract))),
            (2, [contract]) => Some(Self::ClassHash(ContractId(*contract))),
            (3, []) => Some(Self::Time),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_question_has_its_own_bytes_and_is_read_back() {
        let (one, two) = (ContractId(Felt::ONE), ContractId(Felt::TWO));
        let questions = [
            Question::Time,
            Question::Storage(one, Key(Felt::TWO)),
            Question::Storage(two, Key(Felt::ONE)),
            Question::Nonce(one),
            Question::ClassHash(one),
            Question::ClassHash(two),
        ];
        let bytes: Vec<_> = questions.iter().map(|it| it.to_bytes()).collect();
        for (question, own) in questions.iter().zip(&bytes) {
            assert_eq!(Question::from_bytes(own), Some(*question));
            assert_eq!(bytes.iter().filter(|it| *it == own).count(), 1);
        }
        for damaged in [&[][..], &[4], &[3, 0], &[1], &[&[1][..], &[255; 32]].concat(), &bytes[1][..64]] {
            assert_eq!(Question::from_bytes(damaged), None, "{damaged:?}");
        }
    }
}
