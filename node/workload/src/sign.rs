//! Signs a workload's transactions for one shard, as the players' wallets would.

use super::{Problem, Workload, WorkloadError};
use shardwire_model::{AccountId, AccountKey, ChainHead, ShardStart, SignedTransaction, Transaction, TransactionError};
use std::collections::BTreeMap;

/// What a wallet remembers of a shard.
struct Wallet {
    key: AccountKey,
    account: AccountId,
    head: ChainHead,
    nonce: u32,
}

impl Workload {
    /// The transactions in order, each with its nonce and the signature over its account's chain.
    ///
    /// # Errors
    /// [`Problem::Unlisted`] if `start` lacks a contract, storage or account that a transaction names, so is not of this workload; [`Problem::UnknownPlayer`] if nobody
    /// is named as a transaction's player is; [`Problem::Unsignable`] if a player's key can't sign one.
    pub fn sign(&self, start: &ShardStart) -> Result<Vec<SignedTransaction>, WorkloadError> {
        let commitment = start.commitment();
        let wallet = |player: &super::Player| {
            let key = player.key();
            let account = key.id();
            (player.name.clone(), Wallet { key, account, head: ChainHead::start(commitment, account), nonce: 0 })
        };
        let mut wallets: BTreeMap<String, Wallet> = self.players.iter().map(wallet).collect();
        let transaction = |(index, transaction): (usize, &super::UnsignedTransaction)| {
            let number = index + 1;
            let unknown = || Problem::UnknownPlayer { number, player: transaction.player.clone() };
            let wallet = wallets.get_mut(&transaction.player).ok_or_else(unknown)?;
            if start.account_index(wallet.account).is_none() {
                return Err(Problem::Unlisted { number, source: TransactionError::Account(wallet.account) }.into());
            }
            wallet.nonce += 1;
            let transaction = Transaction {
                account: wallet.account,
                nonce: wallet.nonce,
                contract: transaction.contract,
                call: transaction.call,
            };
            let words = transaction.words(start).map_err(|source| Problem::Unlisted { number, source })?;
            wallet.head = wallet.head.extend(words);
            let signature = wallet.key.sign(wallet.head.message()).ok_or(Problem::Unsignable { number })?;
            Ok(SignedTransaction { transaction, signature })
        };
        self.transactions.iter().enumerate().map(transaction).collect()
    }
}
