//! The tasks of a node that no session owns: they end when the node does, however that ends.

use shardwire_transport::Pause;
use tokio::sync::oneshot;
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

/// The node's tasks, held by who runs the node: dropping it ends them.
#[derive(Debug)]
pub struct Tasks {
    spawner: Spawner,
    ends: DropGuard,
}

/// Where the node's parts start tasks.
#[derive(Clone, Debug)]
pub struct Spawner {
    tracker: TaskTracker,
    ended: CancellationToken,
    pause: Pause,
}

impl Tasks {
    /// None yet. `pause` holds them up.
    pub fn new(pause: Pause) -> Self {
        let ended = CancellationToken::new();
        let spawner = Spawner { tracker: TaskTracker::new(), ended: ended.clone(), pause };
        Self { spawner, ends: ended.drop_guard() }
    }

    /// Starts tasks that end with these.
    pub fn spawner(&self) -> Spawner {
        self.spawner.clone()
    }

    /// Ends them, and waits until each has let go of what it held.
    pub async fn end(self) {
        let Self { spawner, ends } = self;
        drop(ends);
        spawner.tracker.close();
        spawner.tracker.wait().await;
    }
}

impl Default for Tasks {
    fn default() -> Self {
        Self::new(Pause::default())
    }
}

impl Spawner {
    /// Starts a task, unless the node has ended.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        if self.ended.is_cancelled() {
            return;
        }
        // The end is outside of the pause: a process that is killed while it is paused ends, too.
        let (ended, task) = (self.ended.clone(), self.pause.task(task));
        self.tracker.spawn(async move {
            tokio::select! { biased;
                () = ended.cancelled() => {}
                () = task => {}
            }
        });
    }

    /// Does work that mustn't be left half done: it goes on if who waits for it goes away. None if the node ends before the work does.
    pub async fn finish<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> Option<T> {
        let (done, result) = oneshot::channel();
        self.spawn(async move {
            let _ = done.send(work.await);
        });
        result.await.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn tasks_end_with_their_node() {
        let tasks = Tasks::default();
        let spawner = tasks.spawner();
        let (held, released) = oneshot::channel::<()>();
        spawner.spawn(async move {
            std::future::pending::<()>().await;
            drop(held);
        });
        drop(tasks);
        assert!(released.await.is_err(), "the task was dropped");
        let (held, released) = oneshot::channel::<()>();
        spawner.spawn(async move { assert!(held.send(()).is_ok()) });
        assert!(released.await.is_err(), "a node that has ended starts nothing");
    }

    #[tokio::test]
    async fn work_that_must_not_be_left_half_done_goes_on_without_who_waits_for_it() {
        let tasks = Tasks::default();
        assert_eq!(tasks.spawner().finish(async { 7 }).await, Some(7));
        let ((go, goes), (done, ended)) = (oneshot::channel::<()>(), oneshot::channel());
        let spawner = tasks.spawner();
        let waits = spawner.finish(async move {
            goes.await.unwrap();
            done.send(()).unwrap();
        });
        assert!(tokio::time::timeout(std::time::Duration::ZERO, waits).await.is_err(), "who waited has gone");
        go.send(()).unwrap();
        assert_eq!(ended.await, Ok(()));
        drop(tasks);
        assert_eq!(spawner.finish(async { 7 }).await, None);
    }

    #[tokio::test]
    async fn the_end_waits_until_tasks_have_let_go() {
        let (tasks, held) = (Tasks::default(), std::sync::Arc::new(()));
        let here = std::sync::Arc::downgrade(&held);
        tasks.spawner().spawn(async move {
            std::future::pending::<()>().await;
            drop(held);
        });
        tasks.end().await;
        assert!(here.upgrade().is_none());
    }
}
