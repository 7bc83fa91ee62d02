//! Holds a machine's tasks while the machine is paused.
//!
//! A process that the system stops (SIGSTOP, a closed lid, a virtual machine that is moved) does nothing for a while
//! and then goes on with the state it had: its timers are all late at once, and its datagrams wait in the socket. In
//! production the system does that and a [`Pause`] does nothing. A [simulated host](crate::sim::Host) can be paused:
//! then none of its tasks is polled, whatever wakes them, until the pause ends.
//!
//! Start tasks that use a network's endpoint with [`Pause::task`].

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, Waker},
};

/// Holds tasks while their machine is paused; the default one never does. Cheap to clone: clones pause together.
#[derive(Debug, Clone, Default)]
pub struct Pause(Option<Arc<Mutex<Switch>>>);

#[derive(Debug, Default)]
struct Switch {
    paused: bool,
    /// Numbers the pauses. A task waits once for the end of each.
    number: u64,
    /// The wakers of tasks that were woken during the pause, in that order.
    waiting: Vec<Waker>,
}

impl Pause {
    /// A pause that can be switched on and off.
    pub(crate) fn switched() -> Self {
        Self(Some(Arc::default()))
    }

    fn with<T>(&self, act: impl FnOnce(&mut Switch) -> T) -> Option<T> {
        self.0.as_ref().map(|switch| act(&mut switch.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    pub(crate) fn begin(&self) {
        self.with(|switch| {
            if !std::mem::replace(&mut switch.paused, true) {
                switch.number += 1;
            }
        });
    }

    pub(crate) fn end(&self) {
        let waiting = self.with(|switch| {
            switch.paused = false;
            std::mem::take(&mut switch.waiting)
        });
        waiting.into_iter().flatten().for_each(Waker::wake);
    }

    /// Whether the task has to wait. If so, it is woken when the pause ends. `waits_for` is the last pause whose end
    /// the task waits for.
    fn holds_up(&self, cx: &Context<'_>, waits_for: &mut u64) -> bool {
        let held = self.with(|switch| {
            if switch.paused && *waits_for != switch.number {
                *waits_for = switch.number;
                switch.waiting.push(cx.waker().clone());
            }
            switch.paused
        });
        held.unwrap_or_default()
    }

    /// The task, which isn't polled while the machine is paused.
    pub fn task<F: Future + Send>(&self, task: F) -> impl Future<Output = F::Output> + Send + use<F> {
        let pause = self.clone();
        async move {
            let mut task = pin!(task);
            let mut waits_for = 0;
            poll_fn(move |cx| if pause.holds_up(cx, &mut waits_for) { Poll::Pending } else { task.as_mut().poll(cx) })
                .await
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::time::{Instant, sleep};

    #[tokio::test(start_paused = true)]
    async fn a_task_goes_on_late_and_knows_what_it_knew() {
        let pause = Pause::switched();
        let began = Instant::now();
        let task = tokio::spawn(pause.task(async move {
            sleep(Duration::from_secs(1)).await;
            let first = began.elapsed();
            sleep(Duration::from_secs(1)).await;
            (first, began.elapsed())
        }));
        let second = Duration::from_secs(1);
        sleep(second / 2).await;
        for _ in 0..2 {
            pause.begin();
        }
        sleep(second * 9).await;
        assert!(!task.is_finished());
        pause.end();
        let late = second * 19 / 2;
        assert_eq!(
            task.await.unwrap(),
            (late, late + second),
            "a timer that went off is late, one that is set then isn't"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_never_paused_is_never_held_up() {
        let never = Pause::default();
        never.begin();
        assert_eq!(never.task(async { 5 }).await, 5);
    }
}
