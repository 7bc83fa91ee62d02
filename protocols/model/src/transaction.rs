//! Transactions: what an account asks a shard to do, and the eight words of one of rules that are hashed, signed and proven.

use crate::{
    Coded, Hash, Invoke, ShardStart, Signature, Slot,
    felt::{AccountId, ContractId, Key},
};
use serde::{Deserialize, Serialize};

/// Most transactions in one shard. At 5.6 µs a step and about 250 steps each this is the size of witness (some 8 GB flat) beyond
/// which one proof stops being practical.
pub const MAX_TRANSACTIONS: u32 = 1 << 16;
/// The most that a shard adds to a counter: 2^96. The World keeps room for that much of each open shard in each counter, so that what one shard adds
/// can't keep another one from being merged; a counter holds 2^32 times as much.
pub const MAX_INCREMENT: u128 = 1 << 96;

/// What a transaction does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Call {
    /// Adds to a counter.
    Add {
        /// The counter.
        counter: Key,
        /// How much; not zero.
        #[serde(with = "crate::amount")]
        amount: u128,
    },
    /// Spends from an escrow of the account's own.
    Spend {
        /// The escrow.
        escrow: Key,
        /// How much; not zero.
        #[serde(with = "crate::amount")]
        amount: u128,
    },
    /// Passes from an escrow of the account's own to another escrow.
    Pass {
        /// The escrow that pays.
        from: Key,
        /// The escrow that receives; another one.
        to: Key,
        /// How much; not zero.
        #[serde(with = "crate::amount")]
        amount: u128,
    },
    /// Gives what a lock guards to another account.
    Give {
        /// The lock.
        lock: Key,
        /// Who holds it afterwards.
        to: AccountId,
    },
    /// Emits the event `Finished`.
    Finish,
}

/// The number of a [`Call`] in the shard program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Action {
    /// [`Call::Add`]
    Add = 1,
    /// [`Call::Spend`]
    Spend = 2,
    /// [`Call::Pass`]
    Pass = 3,
    /// [`Call::Give`]
    Give = 4,
    /// [`Call::Finish`]
    Finish = 5,
}

/// One step of a shard, asked for by one account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transaction {
    /// The account that acts and pays.
    pub account: AccountId,
    /// The account's first transaction in a shard has nonce 1, each further one the next number.
    pub nonce: u32,
    /// The contract it calls.
    pub contract: ContractId,
    /// What it does.
    pub call: Call,
}

/// A transaction with the account's signature over its chain's head *after* this transaction
/// (see [`ChainHead`](crate::ChainHead)): it authorises this one and all before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedTransaction {
    /// The transaction.
    pub transaction: Transaction,
    /// The signature.
    pub signature: Signature,
}

/// A transaction as it is submitted and logged, in the form that the shard's program takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ShardTransaction {
    /// One of the fixed rules.
    Rules(SignedTransaction),
    /// An INVOKE of a shard of contracts.
    Invoke(Invoke),
}

impl ShardTransaction {
    /// Whose it is.
    #[must_use]
    pub const fn account(&self) -> AccountId {
        match self {
            Self::Rules(signed) => signed.transaction.account,
            Self::Invoke(invoke) => AccountId(invoke.sender.0),
        }
    }

    /// Its number among the account's: from 1 in a shard of rules, from what the state has in one of contracts.
    #[must_use]
    pub fn nonce(&self) -> u64 {
        match self {
            Self::Rules(signed) => signed.transaction.nonce.into(),
            Self::Invoke(invoke) => invoke.nonce,
        }
    }

    /// The hash by which receipts and histories name it: of its encoding, signature included.
    #[must_use]
    pub fn hash(&self) -> Hash {
        // Numbers and lists of numbers: postcard always encodes them.
        match self {
            Self::Rules(signed) => {
                Hash::of_parts("shardwire transaction 1", &[&postcard::to_allocvec(signed).unwrap_or_default()])
            }
            Self::Invoke(invoke) => {
                Hash::of_parts("shardwire invoke 1", &[&postcard::to_allocvec(invoke).unwrap_or_default()])
            }
        }
    }
}

impl From<SignedTransaction> for ShardTransaction {
    fn from(signed: SignedTransaction) -> Self {
        Self::Rules(signed)
    }
}

impl From<&SignedTransaction> for ShardTransaction {
    fn from(signed: &SignedTransaction) -> Self {
        Self::Rules(*signed)
    }
}

impl From<Invoke> for ShardTransaction {
    fn from(invoke: Invoke) -> Self {
        Self::Invoke(invoke)
    }
}

/// A transaction in a shard's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Logged {
    /// The transaction.
    pub transaction: ShardTransaction,
    /// When the operator accepted it, in seconds since the Unix epoch; not before the one before it. The fixed rules don't look at it. Logs of before it was noted have 0.
    pub time: u64,
    /// Whether what it did is undone, because it failed when it was executed. Never of the fixed rules. It follows from the log, and isn't in its hash.
    pub reverted: bool,
}

impl Logged {
    /// The hash of a log with this one more; that of an empty log is all zeros. The time is part of what a shard of contracts executes, and of no shard of rules.
    #[must_use]
    pub fn extend(&self, log: Hash) -> Hash {
        let hash = self.transaction.hash();
        match self.transaction {
            ShardTransaction::Rules(_) => Hash::of_parts("shardwire log 1", &[&log.0, &hash.0]),
            ShardTransaction::Invoke(_) => {
                Hash::of_parts("shardwire log 2", &[&log.0, &hash.0, &self.time.to_le_bytes()])
            }
        }
    }
}

/// A transaction that names something which the shard's start data does not list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransactionError {
    /// The contract is not whitelisted.
    #[error("contract {0} is not whitelisted in this shard")]
    Contract(ContractId),
    /// Not in the settlement list.
    #[error("storage slot {0} is not in the shard's settlement list")]
    Entry(Slot),
    /// The account is not whitelisted.
    #[error("account {0} is not whitelisted in this shard")]
    Account(AccountId),
}

impl Coded for TransactionError {
    fn code(&self) -> &'static str {
        match self {
            Self::Contract(_) => "SW-TX-001",
            Self::Entry(_) => "SW-TX-002",
            Self::Account(_) => "SW-TX-003",
        }
    }

    fn next_step(&self) -> String {
        "Use what the shard was started with: `shardwire shard status` lists it.".into()
    }
}

impl Transaction {
    /// The eight words that stand for this transaction: nonce, action, entry's index (for `finish` the contract's), the other index (of
    /// the receiving escrow for `pass`, of the receiving account for `give`), the amount in four, the lowest first. Words without a
    /// meaning are 0. The contract called needs no word: it is the entry's, as the start data has it.
    ///
    /// # Errors
    /// [`TransactionError::Contract`], [`TransactionError::Entry`] or [`TransactionError::Account`] if the start data does not list what it names.
    pub fn words(&self, start: &ShardStart) -> Result<[u32; 8], TransactionError> {
        // Indices are below MAX_ENTRIES, so they fit.
        #[allow(clippy::cast_possible_truncation)]
        let word = |index: usize| index as u32;
        let entry = |key: Key| {
            let slot = Slot::new(self.contract, key);
            start.entry_index(slot).map(word).ok_or(TransactionError::Entry(slot))
        };
        let contract =
            start.contract_index(self.contract).map(word).ok_or(TransactionError::Contract(self.contract))?;
        let (action, index, other, amount) = match self.call {
            Call::Add { counter, amount } => (Action::Add, entry(counter)?, 0, amount),
            Call::Spend { escrow, amount } => (Action::Spend, entry(escrow)?, 0, amount),
            Call::Pass { from, to, amount } => (Action::Pass, entry(from)?, entry(to)?, amount),
            Call::Give { lock, to } => {
                let to = start.account_index(to).map(word).ok_or(TransactionError::Account(to))?;
                (Action::Give, entry(lock)?, to, 0)
            }
            Call::Finish => (Action::Finish, contract, 0, 0),
        };
        #[allow(clippy::cast_possible_truncation)]
        let part = |place: u32| (amount >> (32 * place)) as u32;
        Ok([self.nonce, action as u32, index, other, part(0), part(1), part(2), part(3)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Felt, ResourceBounds};

    #[test]
    fn a_transaction_of_rules_is_named_as_before_there_were_others() {
        let signed = SignedTransaction {
            transaction: Transaction {
                account: AccountId(Felt::ONE),
                nonce: 3,
                contract: ContractId(Felt::TWO),
                call: Call::Finish,
            },
            signature: Signature { r: Felt::ONE, s: Felt::TWO },
        };
        let transaction = ShardTransaction::from(signed);
        let encoded = postcard::to_allocvec(&signed).unwrap();
        assert_eq!(transaction.hash(), Hash::of_parts("shardwire transaction 1", &[&encoded]));
        assert_eq!((transaction.account(), transaction.nonce()), (AccountId(Felt::ONE), 3));
        let log = Logged { transaction, time: 5, reverted: false };
        let extended = Hash::of_parts("shardwire log 1", &[&[0; 32], &log.transaction.hash().0]);
        assert_eq!(log.extend(Hash::default()), extended);
        assert_eq!(Logged { time: 6, ..log }.extend(Hash::default()), extended);
    }

    #[test]
    fn a_log_of_invokes_has_their_times() {
        let invoke = |signature: u64| Invoke {
            sender: ContractId(Felt::THREE),
            nonce: 1 << 40,
            calldata: vec![Felt::ONE],
            signature: vec![signature.into()],
            bounds: ResourceBounds::default(),
        };
        let transaction = ShardTransaction::from(invoke(1));
        assert_eq!((transaction.account(), transaction.nonce()), (AccountId(Felt::THREE), 1 << 40));
        assert_ne!(transaction.hash(), ShardTransaction::from(invoke(2)).hash());
        let log = Logged { transaction, time: 5, reverted: false };
        assert_ne!(log.extend(Hash::default()), Logged { time: 6, ..log.clone() }.extend(Hash::default()));
        assert_eq!(postcard::from_bytes::<Logged>(&postcard::to_allocvec(&log).unwrap()).unwrap(), log);
    }
}
