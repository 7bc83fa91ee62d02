//! Group commit: the changes of many callers become durable in one commit, and each caller is answered after it.
//!
//! A disk confirms a few hundred commits a second, whatever is in them. So callers queue their changes, in the order in which they
//! [`enqueue`](Reservation::enqueue) them; all that wait go into one transaction, in that order; meanwhile the next ones queue up. What a caller's
//! changes refuse is taken back and told to that caller alone. A commit that fails is told to all of its group, and nothing of it is kept:
//! also who was refused is told so, because the refusal may be due to what another one of the group had changed.
//!
//! A commit costs the same work whatever is in it. So if a group had several members, the next one begins [`GATHERING`] later, or when it is full: those who come one by one
//! aren't held up, and those who come together pay for few commits.
//!
//! There is no thread: the first of a group starts the writer, which ends when nothing waits any more. Where a node does one thing at a
//! time ([`Work::AtOnce`]), the first lets the other tasks run once and then commits what has come together.
//!
//! Bounds: [`MAX_WAITING`] changes wait or are being committed; who comes then waits for room ([`Reservation`]). A group has at most [`MAX_GROUP`].

use crate::{MAX_GROUP, StoreError, Work, Write, file::File};
use std::{
    collections::VecDeque,
    fmt,
    pin::Pin,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// Most changes that wait or are being committed: some seconds of what a disk takes, and a few megabytes of transactions.
pub const MAX_WAITING: usize = 2048;

/// How long after a group of several the next one gathers members, at most: half of a game's frame.
const GATHERING: Duration = Duration::from_millis(8);

/// Changes that wait for a commit.
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    /// Notified when a whole group waits.
    full: Condvar,
    /// A permit for each of [`MAX_WAITING`] changes.
    room: Arc<Semaphore>,
}

#[derive(Default)]
struct Waiting {
    members: VecDeque<Box<dyn Member>>,
    /// Whether somebody will commit them.
    writing: bool,
}

impl Default for Queue {
    fn default() -> Self {
        Self { waiting: Mutex::default(), full: Condvar::new(), room: Arc::new(Semaphore::new(MAX_WAITING)) }
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").field("waiting", &self.lock().members.len()).finish_non_exhaustive()
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Commits to the file what waits, until nothing does. Between groups it may wait for more members, where that holds up nobody else.
    fn drain(&self, file: &File, may_wait: bool) {
        loop {
            let mut group: Vec<Box<dyn Member>> = {
                let mut waiting = self.lock();
                let length = waiting.members.len().min(MAX_GROUP);
                waiting.writing = length > 0;
                waiting.members.drain(..length).collect()
            };
            if group.is_empty() {
                return;
            }
            let changed = group.len();
            let committed =
                file.write_group(|write| group.iter_mut().try_for_each(|member| member.join(write)), changed);
            for member in group {
                member.answer(committed.clone());
            }
            if may_wait && changed > 1 {
                self.gather();
            }
        }
    }

    /// Waits until a whole group does, for at most [`GATHERING`].
    fn gather(&self) {
        let has_room = |waiting: &mut Waiting| waiting.members.len() < MAX_GROUP;
        drop(self.full.wait_timeout_while(self.lock(), GATHERING, has_room).unwrap_or_else(PoisonError::into_inner));
    }
}

/// A caller's part of a group.
trait Member: Send {
    /// Makes the changes, or takes them back. The error is one of the whole group.
    fn join(&mut self, write: &mut Write<'_>) -> Result<(), StoreError>;
    /// Tells the caller, after the commit.
    fn answer(self: Box<Self>, committed: Result<(), StoreError>);
}

struct Changes<T, E, F, G> {
    changes: Option<F>,
    result: Option<Result<T, E>>,
    then: G,
    caller: oneshot::Sender<Result<T, E>>,
    _permit: OwnedSemaphorePermit,
}

impl<T, E, F, G> Member for Changes<T, E, F, G>
where
    T: Send,
    E: From<StoreError> + Send,
    F: FnOnce(&mut Write<'_>) -> Result<T, E> + Send,
    G: FnOnce(&Result<T, E>) + Send,
{
    fn join(&mut self, write: &mut Write<'_>) -> Result<(), StoreError> {
        if let Some(changes) = self.changes.take() {
            self.result = Some(write.attempt(changes)?);
        }
        Ok(())
    }

    fn answer(self: Box<Self>, committed: Result<(), StoreError>) {
        let result = match (committed, self.result) {
            (Ok(()), Some(result)) => result,
            (Ok(()), None) => Err(StoreError::Closed.into()),
            (Err(error), _) => Err(error.into()),
        };
        (self.then)(&result);
        // A caller that has gone isn't told; what it changed is durable all the same.
        let _ = self.caller.send(result);
    }
}

/// Room for changes in the queue. Changes are committed in the order in which they are [enqueued](Self::enqueue), not in that of reservations.
#[derive(Debug)]
#[must_use = "nothing is committed before changes are enqueued"]
pub struct Reservation {
    queue: Arc<Queue>,
    file: Arc<File>,
    work: Work,
    permit: OwnedSemaphorePermit,
}

impl Reservation {
    /// One in this queue for this file, once there is room.
    pub(crate) async fn of(queue: &Arc<Queue>, file: &Arc<File>, work: Work) -> Result<Self, StoreError> {
        let permit = queue.room.clone().acquire_owned().await.map_err(|_| StoreError::Closed)?;
        Ok(Self { queue: queue.clone(), file: file.clone(), work, permit })
    }

    /// Queues changes up; they are committed whether the answer is waited for or not.
    pub fn enqueue<T, E, F>(self, changes: F) -> Pending<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(&mut Write<'_>) -> Result<T, E> + Send + 'static,
    {
        self.enqueue_then(changes, |_| {})
    }

    /// As [`enqueue`](Self::enqueue); `then` gets the answer first. It is called in the order of the queue, after the commit and before the
    /// next group's changes, and must not wait: nothing is committed meanwhile.
    pub fn enqueue_then<T, E, F, G>(self, changes: F, then: G) -> Pending<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(&mut Write<'_>) -> Result<T, E> + Send + 'static,
        G: FnOnce(&Result<T, E>) + Send + 'static,
    {
        let Self { queue, file, work, permit } = self;
        let (caller, answer) = oneshot::channel();
        let member = Changes { changes: Some(changes), result: None, then, caller, _permit: permit };
        let first = {
            let mut waiting = queue.lock();
            waiting.members.push_back(Box::new(member));
            if waiting.members.len() == MAX_GROUP {
                queue.full.notify_one();
            }
            !std::mem::replace(&mut waiting.writing, true)
        };
        let mut turn = None;
        if first {
            match work {
                Work::Beside => drop(tokio::task::spawn_blocking(move || queue.drain(&file, true))),
                Work::AtOnce => turn = Some(Turn { queue, file, others: false }),
            }
        }
        Pending { turn, answer }
    }
}

/// Commits when it is dropped.
#[derive(Debug)]
struct Turn {
    queue: Arc<Queue>,
    file: Arc<File>,
    /// Whether the other tasks have had their turn.
    others: bool,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.queue.drain(&self.file, false);
    }
}

/// The answer to changes that are queued up: complete after their commit.
#[derive(Debug)]
#[must_use = "changes aren't durable before this completes"]
pub struct Pending<T, E> {
    turn: Option<Turn>,
    answer: oneshot::Receiver<Result<T, E>>,
}

impl<T, E: From<StoreError>> Future for Pending<T, E> {
    type Output = Result<T, E>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.turn {
            Some(turn) if !turn.others => {
                turn.others = true;
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            turn => *turn = None,
        }
        let answer = Pin::new(&mut self.answer).poll(context);
        answer.map(|answer| answer.unwrap_or_else(|_| Err(StoreError::Closed.into())))
    }
}
