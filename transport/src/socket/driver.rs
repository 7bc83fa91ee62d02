//! A connection's driver: quinn's task that takes in what came, sends what is due and minds the timers of one connection.
//!
//! Quinn wakes it whenever a session has written something. Two things are better done by the session itself:
//!
//! - What a session writes in one go leaves in one go. The driver is held back meanwhile ([`Driver::hold`]); on another thread it would else send
//!   the last bytes before their end, which then takes a datagram of its own, and another to acknowledge it.
//! - A session that is alone with what it says sends it itself, before it does anything else, and the other side has it sooner by as much as the
//!   session goes on for, and a change of tasks. Where many write at a time, the driver gathers what they write into fewer datagrams, so they leave
//!   it to the driver ([`ALONE`]).
//!
//! Quinn makes the driver's task through its [`Runtime`], so this is one around the real one.
#![allow(clippy::disallowed_types, reason = "the trait names the system's socket")]

use quinn::{AsyncTimer, AsyncUdpSocket, Runtime};
use std::{
    cell::RefCell,
    fmt,
    future::{Future, poll_fn},
    io,
    pin::Pin,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering::SeqCst},
    },
    task::{Context, Poll, Wake, Waker},
    time::Instant,
};

/// After so many of the driver's own turns with at most one writer between them a writer counts as alone.
const ALONE: u32 = 4;

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

thread_local! {
    /// Where the task goes that quinn makes for a connection, while [`driven`] has it made.
    static MADE: RefCell<Option<Arc<Driver>>> = const { RefCell::new(None) };
}

/// Makes a connection: it, and its driver.
pub(crate) fn driven<T>(make: impl FnOnce() -> T) -> (T, Arc<Driver>) {
    MADE.set(Some(Arc::default()));
    let made = make();
    (made, MADE.take().unwrap_or_default())
}

/// A runtime whose connections can be driven by their sessions, too.
#[derive(Debug)]
pub(super) struct Driving(pub(super) Arc<dyn Runtime>);

impl Runtime for Driving {
    fn new_timer(&self, at: Instant) -> Pin<Box<dyn AsyncTimer>> {
        self.0.new_timer(at)
    }

    fn spawn(&self, work: Work) {
        let Some(driver) = MADE.with_borrow(Clone::clone) else { return self.0.spawn(work) };
        *driver.work() = Some(work);
        let task = Task(driver);
        self.0.spawn(Box::pin(poll_fn(move |cx| task.poll(cx))));
    }

    fn wrap_udp_socket(&self, socket: std::net::UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        self.0.wrap_udp_socket(socket)
    }

    fn now(&self) -> Instant {
        self.0.now()
    }
}

/// The driver's own task. Dropped, it takes the driver's work with it.
struct Task(Arc<Driver>);

impl Task {
    fn poll(&self, cx: &Context<'_>) -> Poll<()> {
        let Self(driver) = self;
        driver.task.get_or_init(|| cx.waker().clone());
        driver.count_turn();
        driver.turn(&mut driver.work())
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        *self.0.work() = None;
    }
}

/// What drives a connection: by its own task, or by a session that has written.
#[derive(Default)]
pub(crate) struct Driver {
    /// None once the connection is gone.
    work: Mutex<Option<Work>>,
    task: OnceLock<Waker>,
    /// Sessions that are writing.
    holds: AtomicU32,
    /// Woken, and hasn't had its turn since.
    due: AtomicBool,
    /// Sessions that have written since the last turn of the task.
    writers: AtomicU32,
    /// Turns of the task in a row with at most one such session.
    lonely: AtomicU32,
}

impl Driver {
    fn work(&self) -> std::sync::MutexGuard<'_, Option<Work>> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn turn(self: &Arc<Self>, work: &mut Option<Work>) -> Poll<()> {
        self.due.store(false, SeqCst);
        // Out of its place, so that it isn't polled again after a panic.
        let Some(mut driving) = work.take() else { return Poll::Ready(()) };
        let waker = Waker::from(Arc::clone(self));
        let polled = driving.as_mut().poll(&mut Context::from_waker(&waker));
        if polled.is_pending() {
            *work = Some(driving);
        }
        polled
    }

    fn count_turn(&self) {
        if self.writers.swap(0, SeqCst) > 1 {
            self.lonely.store(0, SeqCst);
        } else if self.lonely.load(SeqCst) < ALONE {
            self.lonely.fetch_add(1, SeqCst);
        }
    }

    /// Holds the driver back until what this returns is dropped. Nothing may be awaited meanwhile.
    pub(crate) fn hold(self: &Arc<Self>) -> Hold<'_> {
        self.holds.fetch_add(1, SeqCst);
        Hold(self)
    }

    fn release(self: &Arc<Self>) {
        let alone = self.writers.fetch_add(1, SeqCst) == 0 && self.lonely.load(SeqCst) >= ALONE;
        if self.holds.fetch_sub(1, SeqCst) > 1 || !self.due.load(SeqCst) {
            return;
        }
        let driven = alone && self.work.try_lock().is_ok_and(|mut work| self.turn(&mut work).is_pending());
        if !driven {
            self.wake_task();
        }
    }

    /// Before its first turn the task needs no waking.
    fn wake_task(&self) {
        if let Some(task) = self.task.get() {
            task.wake_by_ref();
        }
    }
}

impl Wake for Driver {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // In this order: whoever lets go sees that it is due, or it isn't held any more.
        self.due.store(true, SeqCst);
        if self.holds.load(SeqCst) == 0 {
            self.wake_task();
        }
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver").field("holds", &self.holds).field("lonely", &self.lonely).finish_non_exhaustive()
    }
}

/// Holds a driver back.
#[derive(Debug)]
pub(crate) struct Hold<'a>(&'a Arc<Driver>);

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        self.0.release();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quinn::TokioRuntime;
    use std::sync::atomic::AtomicUsize;
    use tokio::task::yield_now;

    /// A driver whose work counts its turns, and is done after so many.
    fn counting(last: usize) -> (Arc<Driver>, Arc<AtomicUsize>) {
        let turns = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&turns);
        let work =
            poll_fn(move |_| if counted.fetch_add(1, SeqCst) + 1 == last { Poll::Ready(()) } else { Poll::Pending });
        let ((), driver) = driven(|| Driving(Arc::new(TokioRuntime)).spawn(Box::pin(work)));
        (driver, turns)
    }

    /// Writes, as a session does: quinn wakes the driver for it.
    fn write(driver: &Arc<Driver>) {
        let hold = driver.hold();
        driver.wake_by_ref();
        drop(hold);
    }

    #[tokio::test]
    async fn a_writer_that_is_alone_drives_and_one_among_many_leaves_it_to_the_task() {
        let (driver, turns) = counting(usize::MAX);
        for turn in 0..ALONE as usize {
            write(&driver);
            assert_eq!(turns.load(SeqCst), turn, "nobody knows yet whether it is alone");
            yield_now().await;
        }
        write(&driver);
        assert_eq!(turns.load(SeqCst), ALONE as usize + 1);
        write(&driver);
        assert_eq!(turns.load(SeqCst), ALONE as usize + 1, "the second since the task's last turn");
        yield_now().await;
        assert_eq!(turns.load(SeqCst), ALONE as usize + 2);
        write(&driver);
        assert_eq!(turns.load(SeqCst), ALONE as usize + 2, "there were two a moment ago");
    }

    #[tokio::test]
    async fn a_driver_that_is_held_has_its_turn_when_the_last_lets_go() {
        let (driver, turns) = counting(usize::MAX);
        yield_now().await;
        let (one, other) = (driver.hold(), driver.hold());
        driver.wake_by_ref();
        drop(one);
        yield_now().await;
        assert_eq!(turns.load(SeqCst), 1);
        drop(other);
        yield_now().await;
        assert_eq!(turns.load(SeqCst), 2);
        drop(driver.hold());
        yield_now().await;
        assert_eq!(turns.load(SeqCst), 2, "nothing was due");
    }

    #[tokio::test]
    async fn a_driver_that_is_done_ends_whoever_drove_it() {
        let (driver, turns) = counting(ALONE as usize + 1);
        for _ in 0..ALONE {
            write(&driver);
            yield_now().await;
        }
        let waker = Arc::downgrade(&driver);
        write(&driver);
        assert_eq!(turns.load(SeqCst), ALONE as usize + 1);
        yield_now().await;
        write(&driver);
        assert_eq!(turns.load(SeqCst), ALONE as usize + 1);
        drop(driver);
        assert!(waker.upgrade().is_none(), "its task is gone");
    }

    #[test]
    fn a_driver_goes_with_its_task() {
        let work = Arc::new(());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let driver = runtime.block_on(async {
            let work = Arc::clone(&work);
            driven(|| {
                Driving(Arc::new(TokioRuntime))
                    .spawn(Box::pin(async move { drop((work, std::future::pending::<()>().await)) }))
            })
            .1
        });
        assert_eq!(Arc::strong_count(&work), 2);
        drop(runtime);
        assert_eq!(Arc::strong_count(&work), 1);
        write(&driver);
    }
}
