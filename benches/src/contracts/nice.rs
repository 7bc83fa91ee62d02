//! Priorities: what runs at nice 19 gets a core's time that nobody else wants, and little beside.

use rustix::process::{Pid, setpriority_process};
use std::{fs, io};

/// The lowest priority.
const LOWEST: i32 = 19;

/// Gives this thread the lowest priority; processes that it starts have it, too.
pub(super) fn this_thread() -> io::Result<()> {
    // On Linux a thread has a priority of its own.
    Ok(setpriority_process(None, LOWEST)?)
}

/// Gives a process the lowest priority, with all threads that it has; those that they start have it, too, and their processes.
pub(super) fn process(pid: u32) -> io::Result<()> {
    let number = |name: &str| name.parse().ok().and_then(Pid::from_raw);
    let missing = || io::Error::other(format!("process {pid} is gone"));
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return Ok(setpriority_process(Some(number(&pid.to_string()).ok_or_else(missing)?), LOWEST)?);
    };
    for thread in threads {
        if let Some(thread) = thread?.file_name().to_str().and_then(number) {
            setpriority_process(Some(thread), LOWEST)?;
        }
    }
    Ok(())
}
