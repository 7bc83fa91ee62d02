//! A session's only timer.
//!
//! Setting and clearing a timer for each wait costs more than a small message does. This one is set by the first wait
//! that needs it. When that wait ends in time, the timer is left as it is, and moves on only if it fires before the
//! deadline that is due then.

use std::{
    future::Future as _,
    pin::{Pin, pin},
    ptr,
    task::{Context, Poll, Waker, ready},
};
use tokio::{
    task::coop::unconstrained,
    time::{Instant, Sleep, sleep_until},
};

#[derive(Debug, Default)]
pub(super) struct Timer {
    sleep: Option<Pin<Box<Sleep>>>,
    /// The waker that the timer holds.
    wakes: Option<Wakes>,
}

/// The identity of a waker that a timer holds. The timer keeps the waker alive, so no other one has these addresses
/// meanwhile.
#[derive(Debug, PartialEq, Eq)]
struct Wakes {
    data: usize,
    vtable: usize,
}

impl Wakes {
    fn of(waker: &Waker) -> Self {
        Self { data: waker.data().addr(), vtable: ptr::from_ref(waker.vtable()).addr() }
    }
}

impl Timer {
    /// Drops the waker.
    pub(super) fn release(&mut self) {
        if let Some(sleep) = self.sleep.as_mut().filter(|_| self.wakes.take().is_some()) {
            let nobody = &mut Context::from_waker(Waker::noop());
            let _ = pin!(unconstrained(sleep.as_mut())).poll(nobody); // replaces the waker that it holds
        }
    }

    /// Ready at `due`.
    pub(super) fn poll_at(&mut self, cx: &mut Context<'_>, due: Instant) -> Poll<()> {
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(due)));
        if sleep.deadline() > due {
            sleep.as_mut().reset(due);
        }
        let wakes = Some(Wakes::of(cx.waker()));
        if self.wakes == wakes && !sleep.is_elapsed() {
            return Poll::Pending; // set already, for this task, and early enough
        }
        self.wakes = wakes;
        loop {
            // Outside of tokio's budget: a task that has used its budget up would not be registered, and `wakes`
            // would be wrong.
            ready!(pin!(unconstrained(sleep.as_mut())).poll(cx));
            if sleep.deadline() >= due {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(due); // it was set for an earlier wait
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{future::poll_fn, time::Duration};
    use tokio::task::coop::{consume_budget, has_budget_remaining};

    #[tokio::test(start_paused = true)]
    async fn it_fires_when_what_is_due_now_is_due() {
        let began = Instant::now();
        let mut timer = Timer::default();
        let mut at = async |seconds| {
            poll_fn(|cx| timer.poll_at(cx, began + Duration::from_secs(seconds))).await;
            began.elapsed().as_secs()
        };
        // A wait that ends before its deadline leaves the timer behind.
        assert!(tokio::time::timeout(Duration::from_secs(1), at(10)).await.is_err());
        assert_eq!(at(30).await, 30); // later than it was set
        assert!(tokio::time::timeout(Duration::from_secs(1), at(100)).await.is_err());
        assert_eq!(at(50).await, 50); // earlier
        assert_eq!(at(40).await, 50); // over already
        assert_eq!(at(60).await, 60);
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_has_used_up_its_turn_is_woken_nevertheless() {
        let due = Instant::now() + Duration::from_secs(10);
        let mut timer = Timer::default();
        poll_fn(|cx| {
            while has_budget_remaining() {
                let _ = pin!(consume_budget()).poll(cx);
            }
            timer.poll_at(cx, due)
        })
        .await;
        assert_eq!(Instant::now(), due);
    }

    #[tokio::test(start_paused = true)]
    async fn it_wakes_the_task_that_waits_now() {
        let due = Instant::now() + Duration::from_secs(10);
        let mut timer = Timer::default();
        let mut wait = pin!(poll_fn(|cx| timer.poll_at(cx, due)));
        // Somebody else waited first.
        assert!(wait.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        wait.await;
        assert_eq!(Instant::now(), due);
    }
}
