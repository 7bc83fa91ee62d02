//! The operator's signed word on a transaction.

use shardwire_model::{ShardId, ShardTransaction};
use shardwire_protocols::{
    Signed,
    ingress::{Outcome, Receipt, ReceiptContent},
};
use shardwire_transport::Identity;

/// The operator's word on a transaction.
pub(super) fn receipt(
    identity: &Identity,
    shard: ShardId,
    transaction: &ShardTransaction,
    outcome: Outcome,
) -> Receipt {
    let (hash, account, nonce) = (transaction.hash(), transaction.account(), transaction.nonce());
    Signed::by(identity, ReceiptContent { shard, transaction: hash, account, nonce, outcome })
}
