//! A session's one timer.
//!
//! Setting and clearing a timer for each wait costs more than a small message does. This one is set by the first wait
//! that has to, is left where it is when that wait ends in time, and moves on only when it fires before the deadline
//! that is then due.

use std::{
    future::Future as _,
    pin::Pin,
    task::{Context, Poll, Waker, ready},
};
use tokio::time::{Instant, Sleep, sleep_until};

#[derive(Debug, Default)]
pub(super) struct Timer {
    sleep: Option<Pin<Box<Sleep>>>,
    /// Whether it would wake somebody.
    set: bool,
}

impl Timer {
    /// Wakes nobody any more.
    pub(super) fn release(&mut self) {
        if let Some(sleep) = self.sleep.as_mut().filter(|_| std::mem::take(&mut self.set)) {
            let _ = sleep.as_mut().poll(&mut Context::from_waker(Waker::noop())); // lets go of the task it would wake
        }
    }

    /// Ready at `due`.
    pub(super) fn poll_at(&mut self, cx: &mut Context<'_>, due: Instant) -> Poll<()> {
        self.set = true;
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(due)));
        if sleep.deadline() > due {
            sleep.as_mut().reset(due);
        }
        loop {
            ready!(sleep.as_mut().poll(cx));
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
}
