//! The tasks of a node that no session owns: they end when the node does, however that ends.

use shardwire_transport::Pause;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tokio::task::JoinSet;

/// The node's tasks, held by who runs the node: dropping it ends them.
#[derive(Debug, Default)]
pub(crate) struct Tasks {
    set: Arc<Mutex<JoinSet<()>>>,
    pause: Pause,
}

/// Where the node's parts start tasks. Held by the parts, so that they don't keep their own tasks alive.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spawner {
    set: Weak<Mutex<JoinSet<()>>>,
    pause: Pause,
}

impl Tasks {
    /// Held up by this.
    pub(crate) fn new(pause: Pause) -> Self {
        Self { set: Arc::default(), pause }
    }

    pub(crate) fn spawner(&self) -> Spawner {
        Spawner { set: Arc::downgrade(&self.set), pause: self.pause.clone() }
    }
}

impl Spawner {
    /// Starts a task, unless the node has ended.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        if let Some(tasks) = self.set.upgrade() {
            let mut tasks = tasks.lock().unwrap_or_else(PoisonError::into_inner);
            while tasks.try_join_next().is_some() {}
            tasks.spawn(self.pause.task(task));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot;

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
}
