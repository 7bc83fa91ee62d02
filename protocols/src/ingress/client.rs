//! The client's half.

use super::{Bye, DEPTH, Ingress, Open, Opened, Receipt, ReceiptContent, Refused, Submit};
use crate::noted_pipeline::NotedPipeline;
use shardwire_model::{AccountId, Hash, PeerId, ShardId, ShardTransaction};
use shardwire_transport::{
    Branch, Initiator, PeerKey, SessionError,
    algebra::{Eps, Send},
};

/// What became of opening a shard.
#[derive(Debug)]
#[must_use = "the session goes on in it"]
pub enum Opening {
    /// It takes transactions.
    Opened(Box<Opened>, Box<Client>),
    /// It doesn't, for this reason. The session is over.
    Refused(Refused),
}

/// Opens a shard at its operator.
///
/// # Errors
/// [`SessionError::Lost`] if the connection is lost, [`SessionError::Violation`] if the answer is about another shard or contradicts itself.
pub async fn open(session: Initiator<Ingress>, shard: ShardId) -> Result<Opening, SessionError> {
    let operator = session.peer();
    match session.send(Open { shard }).await?.offer().await? {
        Branch::First(refused) => {
            let (refused, end) = refused.recv::<Refused, _>().await?;
            end.close().await?;
            Ok(Opening::Refused(refused))
        }
        Branch::Second(opened) => {
            let (opened, session) = opened.recv::<Opened, _>().await?;
            if let Some(detail) = contradiction(&opened, shard, operator) {
                return Err(session.broken("Opened", "SW-INGRESS-001", detail));
            }
            let submits = NotedPipeline::new(session.enter().pipeline());
            Ok(Opening::Opened(Box::new(opened), Box::new(Client { submits, shard, operator: PeerKey::of(operator) })))
        }
    }
}

fn contradiction(opened: &Opened, shard: ShardId, operator: PeerId) -> Option<String> {
    let Opened { start, nonces, .. } = opened;
    if let Err(error) = start.validate() {
        return Some(format!("the start data contradicts itself: {error}"));
    }
    if start.shard != shard {
        return Some(format!("start data of shard {}", start.shard.short()));
    }
    if start.operator != operator {
        return Some(format!("the shard's operator is {}", start.operator.short()));
    }
    (nonces.len() != start.accounts.len())
        .then(|| format!("{} nonces for {} accounts", nonces.len(), start.accounts.len()))
}

/// A client that submits.
#[derive(Debug)]
#[must_use = "a session is closed"]
pub struct Client {
    submits: NotedPipeline<Ingress, Submit, Receipt, Send<Bye, Eps>, (), Due, DEPTH>,
    shard: ShardId,
    operator: PeerKey,
}

/// What a receipt must be for.
#[derive(Debug)]
struct Due {
    transaction: Hash,
    account: AccountId,
    nonce: Option<u64>,
}

impl Client {
    /// How many transactions have no receipt yet.
    #[must_use]
    pub fn outstanding(&self) -> usize {
        self.submits.notes().len()
    }

    /// Submits a transaction. If [`DEPTH`] have no receipt yet, it first waits for the oldest one's and returns it. Not cancel safe: a
    /// transaction whose submission was dropped may or may not be submitted.
    ///
    /// # Errors
    /// [`SessionError::Lost`] if the connection is lost, [`SessionError::Violation`] if the operator breaks the protocol or one of
    /// its rules. Further calls return the same.
    pub async fn submit(&mut self, transaction: impl Into<ShardTransaction>) -> Result<Option<Receipt>, SessionError> {
        let transaction = transaction.into();
        let receipt = if self.submits.has_room() { None } else { self.receipt().await? };
        let due = Due { transaction: transaction.hash(), account: transaction.account(), nonce: transaction.nonce() };
        self.submits.request(Submit { transaction }, due).await?;
        Ok(receipt)
    }

    /// Waits for the oldest transaction's receipt, which is signed by the operator and for that transaction; nothing if
    /// there is none to wait for. Cancel safe.
    ///
    /// # Errors
    /// As [`submit`](Self::submit).
    pub async fn receipt(&mut self) -> Result<Option<Receipt>, SessionError> {
        let Some((due, receipt)) = self.submits.response().await? else {
            return Ok(None);
        };
        match receipt.verify_with(&self.operator) {
            Err(forged) => Err(self.submits.broken("SW-INGRESS-002", forged.to_string())),
            Ok(content) if !is_for(content, &due, self.shard) => {
                let detail = "the receipt is for another transaction than the next in turn";
                Err(self.submits.broken("SW-INGRESS-003", detail))
            }
            Ok(_) => Ok(Some(receipt)),
        }
    }

    /// Ends the session in good order. Receipts that weren't collected are lost: collect them first.
    ///
    /// # Errors
    /// [`SessionError::Lost`] if the connection is lost first, [`SessionError::Violation`] if the operator doesn't end its side.
    pub async fn close(mut self) -> Result<(), SessionError> {
        while self.receipt().await?.is_some() {}
        self.submits.finish()?.send(Bye {}).await?.close().await
    }
}

fn is_for(content: &ReceiptContent, due: &Due, shard: ShardId) -> bool {
    content.shard == shard
        && content.transaction == due.transaction
        && content.account == due.account
        && content.nonce == due.nonce
}
