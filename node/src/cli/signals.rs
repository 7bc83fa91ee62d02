//! What a node is told by signals. It stops by Ctrl-C, SIGTERM, or the end of the process that started it; SIGHUP lets it read the lists of its
//! configuration again. A file that reaches the bound of its size (SIGXFSZ) is trouble of the disk, which the node lives through.

use crate::run::Orders;
use std::{io, process, sync::Arc};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Bytes read at once from a lifeline, on which nothing is expected.
const LIFELINE_BUFFER: usize = 64;

/// What signals order from now on. Must be called within a runtime.
///
/// # Errors
/// [`io::Error`] if the system takes no signal handlers.
pub(super) fn listen(lifeline: bool) -> io::Result<Orders> {
    outlive_bounded_files()?;
    let stop = CancellationToken::new();
    let mut signals = Signals::new()?;
    if lifeline {
        let stop = stop.clone();
        // A thread of its own: a read of standard input can't be cancelled, and must not keep the program from ending.
        std::thread::Builder::new().name("lifeline".into()).spawn(move || {
            wait_for_end(io::stdin().lock());
            tracing::info!("standard input closed: stopping");
            stop.cancel();
        })?;
    }
    let asked = stop.clone();
    tokio::spawn(async move {
        signals.next().await;
        tracing::info!("stopping; once more ends at once");
        asked.cancel();
        signals.next().await;
        tracing::warn!("ended at once");
        process::exit(1);
    });
    let reload = Arc::new(Notify::new());
    on_hangup(reload.clone())?;
    Ok(Orders { stop, reload })
}

/// Has a write beyond the bound of a file's size fail: without a handler the system ends the process.
#[cfg(unix)]
fn outlive_bounded_files() -> io::Result<()> {
    use rustix::process::Signal;
    use tokio::signal::unix::{SignalKind, signal};
    signal(SignalKind::from_raw(Signal::XFSZ.as_raw())).map(drop)
}

#[cfg(not(unix))]
fn outlive_bounded_files() -> io::Result<()> {
    Ok(())
}

/// Orders a reload at each SIGHUP.
#[cfg(unix)]
fn on_hangup(reload: Arc<Notify>) -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut hangups = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        while hangups.recv().await.is_some() {
            reload.notify_one();
        }
    });
    Ok(())
}

#[cfg(not(unix))]
fn on_hangup(_: Arc<Notify>) -> io::Result<()> {
    Ok(())
}

/// Reads to the end, whatever comes.
fn wait_for_end(mut input: impl io::Read) {
    let mut buffer = [0; LIFELINE_BUFFER];
    loop {
        match input.read(&mut buffer) {
            Ok(0) => return,
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return,
            _ => {}
        }
    }
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! { biased;
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
