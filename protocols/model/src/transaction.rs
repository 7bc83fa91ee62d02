//! Transactions: what an account asks a shard to do, and the eight words of one of rules that are hashed, signed and proven.

use crate::{
    Coded, Hash, Invoke, SessionCall, ShardStart, Signature, Slot,
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
    /// A call of a shard of contracts that a session key signed.
    Session(SessionCall),
}

impl ShardTransaction {
    /// Whose it is.
    #[must_use]
    pub const fn account(&self) -> AccountId {
        match self {
            Self::Rules(signed) => signed.transaction.account,
            Self::Invoke(invoke) => AccountId(invoke.sender.0),
            Self::Session(call) => AccountId(call.account.0),
        }
    }

    /// Its number among the account's: from 1 in a shard of rules, from what the state has in one of contracts. None of a session call, which uses no
    /// nonce: its place is the link before it.
    #[must_use]
    pub fn nonce(&self) -> Option<u64> {
        match self {
            Self::Rules(signed) => Some(signed.transaction.nonce.into()),
            Self::Invoke(invoke) => Some(invoke.nonce),
            Self::Session(_) => None,
        }
    }

    /// The hash by which receipts and histories name it: of what it does, not of its signature. The same with another signature has the same place, so two
    /// receipts of it don't contradict each other.
    #[must_use]
    pub fn hash(&self) -> Hash {
        let unsigned = match self.clone() {
            Self::Rules(signed) => Self::Rules(SignedTransaction { signature: Signature::NONE, ..signed }),
            Self::Invoke(invoke) => Self::Invoke(Invoke { signature: Vec::new(), ..invoke }),
            Self::Session(call) => Self::Session(SessionCall { signature: Signature::NONE, ..call }),
        };
        Hash::of_parts("shardwire transaction 2", &[&encoded(&unsigned)])
    }

    /// The hash by which a log's commits to it: of its encoding, signature included.
    fn signed_hash(&self) -> Hash {
        let (context, encoding) = match self {
            Self::Rules(signed) => ("shardwire transaction 1", encoded(signed)),
            Self::Invoke(invoke) => ("shardwire invoke 1", encoded(invoke)),
            Self::Session(call) => ("shardwire session 1", encoded(call)),
        };
        Hash::of_parts(context, &[&encoding])
    }
}

/// Numbers and lists of numbers: postcard always encodes them.
fn encoded(value: &impl Serialize) -> Vec<u8> {
    postcard::to_allocvec(value).unwrap_or_default()
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

impl From<SessionCall> for ShardTransaction {
    fn from(call: SessionCall) -> Self {
        Self::Session(call)
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
        let hash = self.transaction.signed_hash();
        match self.transaction {
            ShardTransaction::Rules(_) => Hash::of_parts("shardwire log 1", &[&log.0, &hash.0]),
            ShardTransaction::Invoke(_) | ShardTransaction::Session(_) => {
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
    fn a_log_of_rules_has_the_hash_that_it_had_before_there_were_others() {
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
        assert_eq!((transaction.account(), transaction.nonce()), (AccountId(Felt::ONE), Some(3)));
        let log = Logged { transaction, time: 5, reverted: false };
        let hash = Hash::of_parts("shardwire transaction 1", &[&postcard::to_allocvec(&signed).unwrap()]);
        let extended = Hash::of_parts("shardwire log 1", &[&[0; 32], &hash.0]);
        assert_eq!(log.extend(Hash::default()), extended);
        assert_eq!(Logged { time: 6, ..log }.extend(Hash::default()), extended);
    }

    /// One of each form.
    fn all() -> [ShardTransaction; 3] {
        let transaction = Transaction {
            account: AccountId(Felt::THREE),
            nonce: 3,
            contract: ContractId(Felt::TWO),
            call: Call::Finish,
        };
        let invoke = Invoke {
            sender: ContractId(Felt::THREE),
            nonce: 1 << 40,
            calldata: vec![Felt::ONE],
            signature: vec![Felt::ONE],
            bounds: ResourceBounds::default(),
        };
        let session = SessionCall {
            account: ContractId(Felt::THREE),
            key: Felt::from(0x7e),
            previous: Felt::ONE,
            contract: ContractId(Felt::TWO),
            selector: Felt::from(9),
            calldata: vec![Felt::ONE],
            signature: Signature { r: Felt::ONE, s: Felt::ONE },
        };
        let signature = Signature { r: Felt::ONE, s: Felt::ONE };
        [SignedTransaction { transaction, signature }.into(), invoke.into(), session.into()]
    }

    /// The same with another signature.
    fn signed_anew(transaction: &ShardTransaction) -> ShardTransaction {
        let mut transaction = transaction.clone();
        match &mut transaction {
            ShardTransaction::Rules(signed) => signed.signature.s = Felt::TWO,
            ShardTransaction::Invoke(invoke) => invoke.signature.push(Felt::TWO),
            ShardTransaction::Session(call) => call.signature.s = Felt::TWO,
        }
        transaction
    }

    #[test]
    fn receipts_name_what_a_transaction_does_and_the_log_commits_to_its_signature() {
        let log = |transaction: &ShardTransaction| {
            Logged { transaction: transaction.clone(), time: 5, reverted: false }.extend(Hash::default())
        };
        let mut names = Vec::new();
        for transaction in all() {
            let anew = signed_anew(&transaction);
            assert_eq!((transaction.account(), transaction.hash()), (AccountId(Felt::THREE), anew.hash()));
            assert_ne!(log(&transaction), log(&anew));
            names.push(transaction.hash());
        }
        let [_, invoke, session] = all();
        assert_eq!([invoke.nonce(), session.nonce()], [Some(1 << 40), None]);
        let ShardTransaction::Session(call) = session else { panic!("it is a session call") };
        let changes: [fn(&mut SessionCall); 6] = [
            |it| it.account = ContractId(Felt::ONE),
            |it| it.key = Felt::ONE,
            |it| it.previous = Felt::TWO,
            |it| it.contract = ContractId(Felt::ONE),
            |it| it.selector = Felt::ONE,
            |it| it.calldata.push(Felt::ONE),
        ];
        for change in changes {
            let mut other = call.clone();
            change(&mut other);
            names.push(ShardTransaction::from(other).hash());
        }
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 9);
    }

    #[test]
    fn a_log_of_contracts_has_the_times() {
        for transaction in all().into_iter().skip(1) {
            let log = Logged { transaction, time: 5, reverted: false };
            assert_ne!(log.extend(Hash::default()), Logged { time: 6, ..log.clone() }.extend(Hash::default()));
            assert_eq!(postcard::from_bytes::<Logged>(&postcard::to_allocvec(&log).unwrap()).unwrap(), log);
            assert_eq!(serde_json::from_str::<Logged>(&serde_json::to_string(&log).unwrap()).unwrap(), log);
        }
    }
}
