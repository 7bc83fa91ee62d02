//! Sending transactions to a shard's operator, through lost connections, until each has its receipt.
//!
//! Transactions go out in order, up to [`DEPTH`](shardwire_protocols::ingress::DEPTH) ahead of their receipts. After a lost
//! connection only those without a receipt go out again; one that had arrived is answered as a duplicate, never taken twice.
//!
//! Transactions of the fixed rules, INVOKEs and session calls go the same way.
//!
//! A caller with the players' keys [submits and signs again](submit_and_resign) instead: what was refused only because it follows a refused transaction of its account is [signed anew](super::resign), in at most
//! [`MAX_ROUNDS`] rounds. The transaction that ends the shard waits until everything before it has its last receipt, so that it ends nothing too early and does end it.

use super::{ClientError, Dialler, NodeAddress, link::Link, receipts::Receipts, resign::Signers};
use shardwire_model::{AccountKey, Call, Cause, PeerId, ShardId, ShardStart, ShardTransaction, SignedTransaction};
use shardwire_protocols::ingress::{self, Ingress, Opened, Opening, Outcome, Receipt, RefusalReason, Refused};
use shardwire_transport::Backoff;
use std::{borrow::Cow, collections::VecDeque, time::Duration};
use tokio::time::sleep;

/// How often in a row, without a receipt in between, an operator is dialled before it is given up: with the pauses below between
/// half a minute and three minutes (if each attempt waits for an answer; for as long at each further address of its name), in which a node that was
/// killed is started again and replays its log, here or where its name stands for by then.
pub const MAX_ATTEMPTS: u32 = 12;
/// How often in a row an operator may say that it doesn't run the shard: with the pauses below about 3 seconds, in which a shard that was just
/// started is assigned to it.
const MAX_REFUSALS: u32 = 5;
/// How often what was refused is signed anew: in each round one more refused transaction of every account is left behind.
pub const MAX_ROUNDS: u32 = 64;
/// Between failures in a row.
const REDIAL: Backoff = Backoff::between(Duration::from_millis(200), Duration::from_secs(5));

/// How far a submission is.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'a> {
    /// Which transaction got its receipt, from 0.
    pub index: usize,
    /// The receipt, signed by the operator.
    pub receipt: &'a Receipt,
    /// Transactions that have a receipt.
    pub done: usize,
    /// How many transactions there are in all.
    pub of: usize,
}

/// A transaction that the operator didn't take.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Refusal {
    /// The transaction's place in the workload, from 0.
    pub index: usize,
    /// Why: the code of the rule.
    pub code: String,
    /// Why, in the operator's words.
    pub reason: String,
}

/// What became of the transactions.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct SubmitReport {
    /// How many of the transactions are in the shard's log.
    pub accepted: usize,
    /// Of these, how many were there already.
    pub duplicates: usize,
    /// What the operator refused, each with its reason.
    pub refused: Vec<Refusal>,
    /// How many were signed anew, because one before them was refused.
    pub resigned: usize,
    /// How often the connection was made again.
    pub reconnections: u32,
}

/// Submits transactions to a shard's operator; `on_progress` hears of each receipt, whose signature is verified by then.
///
/// # Errors
/// [`ClientError::GaveUp`] after [`MAX_ATTEMPTS`] attempts in a row, [`ClientError::Refused`] if the operator takes no transactions for the shard,
/// [`ClientError::OtherStart`] if it runs another one under that id, [`ClientError::Contradiction`] if it signs receipts that contradict each other,
/// [`ClientError::Session`] if it breaks a rule.
pub async fn submit<T: Clone + Into<ShardTransaction>>(
    dialler: &Dialler,
    operator: &NodeAddress,
    shard: ShardId,
    transactions: &[T],
    on_progress: impl FnMut(Progress<'_>),
) -> Result<SubmitReport, ClientError> {
    let mut work = Work::new(operator.peer, transactions, on_progress);
    let reconnections = persevere(dialler, operator, shard, &mut work).await?;
    Ok(work.report(reconnections))
}

/// As [`submit`], for a caller that has the keys of the accounts: what is refused only because a transaction of its account before it was, is signed anew. What ends
/// the shard goes last, when all before it has a receipt that stays.
///
/// # Errors
/// As [`submit`].
pub async fn submit_and_resign(
    dialler: &Dialler,
    operator: &NodeAddress,
    start: &ShardStart,
    transactions: &[SignedTransaction],
    keys: &[AccountKey],
    on_progress: impl FnMut(Progress<'_>),
) -> Result<SubmitReport, ClientError> {
    let (signers, mut reconnections) = (Signers::new(start, keys), 0);
    let mut work = Work::new(operator.peer, transactions, on_progress);
    let end = transactions.iter().rposition(|it| it.transaction.call == Call::Finish).unwrap_or(transactions.len());
    for until in [end, transactions.len()] {
        work.until = until;
        for _ in 0..=MAX_ROUNDS {
            reconnections += persevere(dialler, operator, start.shard, &mut work).await?;
            if !work.sign_anew(&signers) {
                break;
            }
        }
    }
    Ok(work.report(reconnections))
}

/// The start data that transactions are signed for: `expected`, with the deadline that the World gave it, which its operator is asked
/// for. An operator that names another deadline gets signatures that are good for nothing.
///
/// # Errors
/// As [`submit`], and [`ClientError::OtherStart`] if anything but the deadline is other than expected.
pub async fn started(
    dialler: &Dialler,
    operator: &NodeAddress,
    expected: ShardStart,
) -> Result<ShardStart, ClientError> {
    let shard = expected.shard;
    let told = opened(dialler, operator, shard).await?.start;
    let is_expected = ShardStart { deadline: told.deadline, ..expected } == told;
    is_expected.then_some(told).ok_or(ClientError::OtherStart { shard })
}

/// Where a shard stands at its operator.
pub(super) async fn opened(dialler: &Dialler, operator: &NodeAddress, shard: ShardId) -> Result<Opened, ClientError> {
    let mut work = Work::<SignedTransaction, _>::new(operator.peer, &[], |_| {});
    persevere(dialler, operator, shard, &mut work).await?;
    work.opened.ok_or(ClientError::OtherStart { shard })
}

/// Connects until all transactions have their receipts; how often the connection was made again.
async fn persevere<T: Clone + Into<ShardTransaction>, F: FnMut(Progress<'_>)>(
    dialler: &Dialler,
    operator: &NodeAddress,
    shard: ShardId,
    work: &mut Work<'_, T, F>,
) -> Result<u32, ClientError> {
    let mut reconnections = 0;
    let (mut attempts, mut refusals) = (0, 0);
    let mut waits = REDIAL.start(dialler.platform.randomness.clone());
    loop {
        let before = work.done;
        let error = match attempt(dialler, operator, shard, work).await {
            Ok(()) => return Ok(reconnections),
            Err(error) if error.is_passing() || error.is_elsewhere(&operator.address) => error,
            Err(error) => return Err(error),
        };
        if work.done > before {
            (attempts, refusals) = (0, 0);
            waits.reset();
        }
        attempts += 1;
        if matches!(error, ClientError::Refused { reason: RefusalReason::Unknown, .. }) {
            refusals += 1;
            if refusals == MAX_REFUSALS {
                return Err(error);
            }
        }
        if attempts == MAX_ATTEMPTS {
            let missing = work.transactions.len() - work.done;
            return Err(ClientError::GaveUp {
                address: operator.address.clone(),
                attempts,
                missing,
                last: Box::new(error),
            });
        }
        let pause = waits.after_failure();
        tracing::debug!(operator = %operator.peer.short(), attempts, "connecting again after {pause:?}: {error}");
        sleep(pause).await;
        reconnections += 1;
    }
}

/// One connection's worth.
async fn attempt<T: Clone + Into<ShardTransaction>, F: FnMut(Progress<'_>)>(
    dialler: &Dialler,
    operator: &NodeAddress,
    shard: ShardId,
    work: &mut Work<'_, T, F>,
) -> Result<(), ClientError> {
    let link = dialler.dial(operator).await?;
    let result = over(&link, shard, work).await;
    link.close().await;
    result
}

async fn over<T: Clone + Into<ShardTransaction>, F: FnMut(Progress<'_>)>(
    link: &Link,
    shard: ShardId,
    work: &mut Work<'_, T, F>,
) -> Result<(), ClientError> {
    let mut client = match ingress::open(link.open::<Ingress>().await?, shard).await? {
        Opening::Opened(opened, client) => {
            work.opened = Some(*opened);
            client
        }
        Opening::Refused(Refused { reason, cause }) => return Err(ClientError::Refused { shard, reason, cause }),
    };
    work.pass(&mut client).await?;
    // Every transaction has its receipt; how the session ends is of no consequence.
    let _ = client.close().await;
    Ok(())
}

struct Work<'a, T: Clone, F> {
    operator: PeerId,
    transactions: Cow<'a, [T]>,
    /// How many of them go out for now.
    until: usize,
    outcomes: Vec<Option<Outcome>>,
    resigned: usize,
    receipts: Receipts,
    done: usize,
    /// Where the operator said that the shard stood, the last time.
    opened: Option<Opened>,
    on_progress: F,
}

impl<'a, T: Clone, F: FnMut(Progress<'_>)> Work<'a, T, F> {
    fn new(operator: PeerId, transactions: &'a [T], on_progress: F) -> Self {
        let (outcomes, receipts) = (vec![None; transactions.len()], Receipts::default());
        let (transactions, until) = (Cow::Borrowed(transactions), transactions.len());
        Self { operator, transactions, until, outcomes, resigned: 0, receipts, done: 0, opened: None, on_progress }
    }
}

impl<T: Clone + Into<ShardTransaction>, F: FnMut(Progress<'_>)> Work<'_, T, F> {
    /// Submits what has no receipt, and collects all receipts.
    async fn pass(&mut self, client: &mut ingress::Client) -> Result<(), ClientError> {
        let mut due: VecDeque<usize> = VecDeque::new();
        for index in 0..self.until {
            let Some(transaction) = self.transactions.get(index).cloned() else { break };
            if self.outcomes.get(index).is_some_and(Option::is_some) {
                continue;
            }
            if let Some(receipt) = client.submit(transaction).await? {
                self.collected(&mut due, receipt)?;
            }
            due.push_back(index);
        }
        while let Some(receipt) = client.receipt().await? {
            self.collected(&mut due, receipt)?;
        }
        Ok(())
    }

    /// Receipts come in the order of submission; the client half has verified each.
    fn collected(&mut self, due: &mut VecDeque<usize>, receipt: Receipt) -> Result<(), ClientError> {
        let Some(index) = due.pop_front() else { return Ok(()) };
        if let Some((shown, evidence)) = self.receipts.add(self.operator, &receipt) {
            return Err(ClientError::Contradiction { shown, evidence: Box::new(evidence) });
        }
        self.done += 1;
        (self.on_progress)(Progress { index, receipt: &receipt, done: self.done, of: self.transactions.len() });
        if let Some(slot) = self.outcomes.get_mut(index) {
            *slot = Some(receipt.statement.outcome);
        }
        Ok(())
    }

    fn report(self, reconnections: u32) -> SubmitReport {
        let mut report = SubmitReport { resigned: self.resigned, reconnections, ..SubmitReport::default() };
        for (index, outcome) in self.outcomes.into_iter().enumerate() {
            match outcome {
                Some(Outcome::Accepted { duplicate, .. }) => {
                    report.accepted += 1;
                    report.duplicates += usize::from(duplicate);
                }
                Some(Outcome::Refused { cause: Cause { code, reason }, .. }) => {
                    report.refused.push(Refusal { index, code, reason });
                }
                // Unreachable after a pass that succeeded; were it not, silence is no acceptance.
                None => {}
            }
        }
        report
    }
}

impl<F> Work<'_, SignedTransaction, F> {
    /// Signs anew what may be accepted so, to go out again; whether there is any.
    fn sign_anew(&mut self, signers: &Signers<'_>) -> bool {
        let anew = signers.anew(&self.transactions, &self.outcomes);
        for (index, signed) in &anew {
            if let (Some(place), Some(outcome)) =
                (self.transactions.to_mut().get_mut(*index), self.outcomes.get_mut(*index))
            {
                (*place, *outcome) = (*signed, None);
            }
        }
        self.done -= anew.len();
        self.resigned += anew.len();
        !anew.is_empty()
    }
}
