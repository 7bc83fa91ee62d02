//! The process group of a worker: it leads one of its own, and whatever it has started ends with it.
//!
//! A Ctrl-C in a terminal, or a signal to the node's group, is the node's to act on, and doesn't end its workers. A process that a worker has started and left behind would
//! hold its pipes, and with them who reads them. What leaves the group on purpose is not followed.

use std::process::Command;

/// A worker and all that it has started: ended when this is dropped, which is to be before the worker is waited for.
pub(super) struct Group {
    #[cfg(unix)]
    leader: Option<rustix::process::Pid>,
}

impl Group {
    /// Has the program lead a group once it is started.
    pub(super) fn of_its_own(command: &mut Command) {
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(command, 0);
        #[cfg(not(unix))]
        let _ = command;
    }

    /// The group of a process that was started so, and isn't waited for yet.
    #[cfg(unix)]
    pub(super) fn led_by(process: Option<u32>) -> Self {
        Self { leader: process.and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw) }
    }

    /// The group of a process that was started so, and isn't waited for yet.
    #[cfg(not(unix))]
    pub(super) fn led_by(_: Option<u32>) -> Self {
        Self {}
    }
}

#[cfg(unix)]
impl Drop for Group {
    fn drop(&mut self) {
        if let Some(leader) = self.leader {
            // It fails if all of them have ended.
            let _ = rustix::process::kill_process_group(leader, rustix::process::Signal::KILL);
        }
    }
}
