//! The operator's half.

use super::{Bye, DEPTH, Ingress, Open, Opened, Outcome, Receipt, ReceiptContent, Refused, Submit, Turn};
use crate::{Failure, ServeError, signed::Signed};
use shardwire_model::{AccountId, Hash, PeerId, ShardId, ShardTransaction};
use shardwire_transport::{Identity, Responder, Session, algebra::HasDual};
use std::future::Future;

/// The operator's side: which shards take transactions, and what becomes of each.
pub trait Handler: Sync {
    /// Where the shard stands, or why it takes no transactions from this client.
    fn open(
        &self,
        client: PeerId,
        shard: ShardId,
    ) -> impl Future<Output = Result<Result<Opened, Refused>, Failure>> + Send;

    /// Checks a transaction and, if no rule is broken, gives it the next place of the shard's sequence. The client's next transaction is submitted once
    /// that is done; what it gives is when the transaction is durable, or refused after all. It goes on without being polled.
    fn submit(
        &self,
        client: PeerId,
        shard: ShardId,
        transaction: ShardTransaction,
    ) -> impl Future<Output = Result<impl Future<Output = Result<Outcome, Failure>> + Send, Failure>> + Send;
}

/// Serves a client until it says goodbye; `identity` is the operator's and signs the receipts.
///
/// # Errors
/// [`ServeError::Session`] if the connection is lost or the client breaks the protocol, [`ServeError::Handler`] if the handler can't go on.
pub async fn serve<H: Handler>(
    session: Responder<Ingress>,
    handler: &H,
    identity: &Identity,
) -> Result<(), ServeError> {
    let client = session.peer();
    let (Open { shard }, session) = session.recv().await?;
    let opened = match handler.open(client, shard).await? {
        Ok(opened) => opened,
        Err(refused) => return Ok(session.choose(refused).await?.close().await?),
    };
    let session: Session<Ingress, <Turn as HasDual>::Dual, _> = session.choose(opened).await?.enter();
    let submit = async |Submit { transaction }| {
        let of = (transaction.hash(), transaction.account(), transaction.nonce());
        let decided = handler.submit(client, shard, transaction).await?;
        Ok::<_, ServeError>(async move { Ok(receipt(identity, shard, of, decided.await?)) })
    };
    let (Bye {}, end) = session.answer_ahead::<DEPTH, _, _, _>(submit).await?.recv().await?;
    Ok(end.close().await?)
}

fn receipt(
    identity: &Identity,
    shard: ShardId,
    (transaction, account, nonce): (Hash, AccountId, Option<u64>),
    outcome: Outcome,
) -> Receipt {
    Signed::by(identity, ReceiptContent { shard, transaction, account, nonce, outcome })
}
