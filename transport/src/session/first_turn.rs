//! The first turn of a session's work, taken where the session is accepted.
//!
//! The first message usually comes with the stream, and many answers wait for nothing. Spawned, such a session would
//! cost a task that is scheduled, perhaps on another thread, and gone after its first turn. So the loop that accepts
//! sessions polls each once, and spawns only those that have to wait.

use std::{
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::Pin,
    task::Poll,
};

/// The rest of work that has to wait. Spawn it.
pub type PendingWork<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Polls `work` once and returns its output. A panic in it doesn't reach the caller: the rest panics when it is
/// polled.
///
/// Each call counts against tokio's budget for the task, so a peer with many short sessions doesn't keep a thread to
/// itself.
///
/// # Errors
/// [`PendingWork`] if the work has to wait for something.
pub async fn first_turn<F>(work: F) -> Result<F::Output, PendingWork<F::Output>>
where
    F: Future + Send + 'static,
{
    tokio::task::coop::consume_budget().await;
    let mut work = Box::pin(work);
    let turn = poll_fn(|cx| Poll::Ready(catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(cx)))));
    match turn.await {
        Ok(Poll::Ready(done)) => Ok(done),
        Ok(Poll::Pending) => Err(work),
        Err(panic) => Err(Box::pin(async { resume_unwind(panic) })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot;

    #[tokio::test]
    async fn what_waits_for_nothing_is_done_at_once_and_the_rest_goes_on() {
        assert_eq!(first_turn(async { 7 }).await.ok(), Some(7));
        let (answer, awaited) = oneshot::channel();
        let Err(rest) = first_turn(async { awaited.await.unwrap_or(0) + 1 }).await else { panic!("it has to wait") };
        let rest = tokio::spawn(rest);
        answer.send(8).unwrap();
        assert_eq!(rest.await.unwrap(), 9);
    }

    #[tokio::test]
    async fn a_panic_is_its_own_tasks() {
        let Err(rest) = first_turn(async { assert_eq!(1, 2, "wrong") }).await else { panic!("it has panicked") };
        assert!(tokio::spawn(rest).await.unwrap_err().is_panic());
    }

    #[tokio::test]
    async fn many_short_ones_leave_others_a_turn() {
        let other = tokio::spawn(async {});
        let mut served = 0;
        while !other.is_finished() {
            first_turn(async {}).await.ok();
            served += 1;
        }
        assert!(served < 1000, "{served}");
    }
}
