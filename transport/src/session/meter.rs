//! Metering: holds a session that the peer opened to a rate.
//!
//! A [`Meter`] is charged what the peer used and returns how long to wait before more is read from it. While the session
//! waits, the stream's flow control holds the peer back: nothing is dropped, and no deadline of the peer runs.
//! Sessions that this side opened are never metered, and others only if
//! [`Incoming::metered`](super::Incoming::metered) asks for it.

use std::{
    fmt, mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::time::{Sleep, sleep};

/// Holds a session to a rate.
pub trait Meter: Send + Sync + fmt::Debug {
    /// Notes what was used since the last call: frames received, and bytes received and sent. Returns zero to go on.
    /// Otherwise the session calls again after that time, with nothing more used.
    fn used(&self, frames: u32, bytes: u64) -> Duration;
}

/// A meter, and what it has been charged so far.
#[derive(Debug)]
pub(super) struct Metered {
    meter: Arc<dyn Meter>,
    frames: u32,
    charged: u64,
    /// The wait until the use so far is paid for, if it isn't yet.
    owing: Option<Pin<Box<Sleep>>>,
}

impl Metered {
    pub(super) fn new(meter: Arc<dyn Meter>) -> Self {
        Self { meter, frames: 0, charged: 0, owing: None }
    }

    pub(super) fn frame(&mut self) {
        self.frames = self.frames.saturating_add(1);
    }

    /// Waits until what was used is paid for.
    pub(super) fn poll_paid(&mut self, cx: &mut Context<'_>, traffic: u64) -> Poll<()> {
        let mut asked = false;
        loop {
            if let Some(wait) = &mut self.owing {
                ready!(wait.as_mut().poll(cx));
                (self.owing, asked) = (None, true);
            }
            if !asked && self.frames == 0 && traffic <= self.charged {
                return Poll::Ready(());
            }
            asked = false;
            let (frames, bytes) = (mem::take(&mut self.frames), traffic.saturating_sub(self.charged));
            self.charged = traffic;
            let wait = self.meter.used(frames, bytes);
            self.owing = (!wait.is_zero()).then(|| Box::pin(sleep(wait)));
        }
    }
}
