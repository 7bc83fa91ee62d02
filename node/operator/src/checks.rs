//! Signatures, checked on as many threads as there are cores.
//!
//! A check is most of what a transaction costs, and nothing but arithmetic. A thread for each would let many clients' threads contend for a few cores, and each
//! check would wake one. So checks wait in a queue, a thread goes on with the next until there is none, and no more than [`SignatureChecks::of`] counted do.
//! Where a node does [one thing at a time](Work::AtOnce), a check is done where it is asked for.
//!
//! Bound: [`MAX_CHECKS`] wait or are under way; who comes then waits for room, in turn.

use shardwire_host::platform::Work;
use shardwire_model::{Felt, SignedTransaction};
use std::{
    collections::VecDeque,
    num::NonZero,
    panic::catch_unwind,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};
use tokio::sync::{Semaphore, oneshot};

/// Most checks that wait or are under way: a second's worth. A session has one at a time.
pub(super) const MAX_CHECKS: usize = 1024;

/// See the module's page.
#[derive(Debug)]
pub(super) struct SignatureChecks {
    work: Work,
    threads: usize,
    queue: Arc<Queue>,
}

#[derive(Debug)]
struct Queue {
    waiting: Mutex<Waiting>,
    room: Semaphore,
}

#[derive(Debug, Default)]
struct Waiting {
    checks: VecDeque<Check>,
    /// How many threads are at it.
    threads: usize,
}

#[derive(Debug)]
struct Check {
    transaction: SignedTransaction,
    message: Felt,
    answer: oneshot::Sender<bool>,
}

fn is_good(transaction: &SignedTransaction, message: Felt) -> bool {
    transaction.signature.verifies(transaction.transaction.account, message)
}

impl SignatureChecks {
    pub(super) fn of(work: Work) -> Self {
        let threads = thread::available_parallelism().map_or(1, NonZero::get);
        let queue = Queue { waiting: Mutex::default(), room: Semaphore::new(MAX_CHECKS) };
        Self { work, threads, queue: Arc::new(queue) }
    }

    /// Whether the transaction's account signed this message.
    pub(super) async fn is_good(&self, transaction: SignedTransaction, message: Felt) -> bool {
        if self.work == Work::AtOnce {
            return is_good(&transaction, message);
        }
        let Ok(_room) = self.queue.room.acquire().await else { return false };
        let (answer, answered) = oneshot::channel();
        if self.queue.push(Check { transaction, message, answer }, self.threads) {
            let queue = self.queue.clone();
            tokio::task::spawn_blocking(move || queue.work());
        }
        answered.await.unwrap_or(false)
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a check up; whether that needs one more thread.
    fn push(&self, check: Check, threads: usize) -> bool {
        let mut waiting = self.lock();
        waiting.checks.push_back(check);
        let more = waiting.threads < threads;
        waiting.threads += usize::from(more);
        more
    }

    /// Checks until nothing waits.
    fn work(&self) {
        loop {
            let mut waiting = self.lock();
            let Some(Check { transaction, message, answer }) = waiting.checks.pop_front() else {
                waiting.threads -= 1;
                return;
            };
            drop(waiting);
            // Nobody waits for the answer of one whose client has gone.
            if !answer.is_closed() {
                let good = catch_unwind(|| is_good(&transaction, message)).unwrap_or(false);
                let _ = answer.send(good);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shardwire_model::{AccountKey, Call, ContractId, Key, Signature, Transaction};

    fn signed(secret: u8, message: Felt) -> SignedTransaction {
        let key = AccountKey::from_secret([secret; 32]);
        let call = Call::Add { counter: Key(Felt::ONE), amount: 1 };
        let transaction = Transaction { account: key.id(), nonce: 1, contract: ContractId(Felt::ONE), call };
        SignedTransaction { transaction, signature: key.sign(message).unwrap() }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn each_of_many_gets_its_own_answer_and_the_threads_end() {
        let checks = Arc::new(SignatureChecks::of(Work::Beside));
        let mut asked = tokio::task::JoinSet::new();
        for number in 0..40_u8 {
            let checks = checks.clone();
            let message = Felt::from(u64::from(number) + 1);
            let mut transaction = signed(number % 3, message);
            if number % 4 == 0 {
                transaction.signature = Signature { r: transaction.signature.s, s: transaction.signature.r };
            }
            asked.spawn(async move { (number, checks.is_good(transaction, message).await) });
        }
        while let Some(answer) = asked.join_next().await {
            let (number, good) = answer.unwrap();
            assert_eq!(good, number % 4 != 0, "{number}");
        }
        while checks.queue.lock().threads > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(checks.queue.room.available_permits(), MAX_CHECKS);
    }

    #[tokio::test]
    async fn one_that_nobody_waits_for_is_passed_over() {
        let checks = SignatureChecks { threads: 0, ..SignatureChecks::of(Work::Beside) };
        let message = Felt::ONE;
        for _ in 0..3 {
            let asked = checks.is_good(signed(1, message), message);
            assert!(tokio::time::timeout(std::time::Duration::ZERO, asked).await.is_err());
        }
        assert_eq!(checks.queue.lock().checks.len(), 3);
        checks.queue.lock().threads = 1;
        checks.queue.work();
        let waiting = checks.queue.lock();
        assert_eq!((waiting.checks.len(), waiting.threads), (0, 0));
    }
}
