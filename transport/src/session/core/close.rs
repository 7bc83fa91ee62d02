//! How a session ends in good order: everything is written, nothing more comes, and the peer's transport has it.

use super::{Core, LEAVING, Progress, StateName};
use crate::session::error::{LostCause, SessionError, ViolationKind};
use std::{
    future::{Future as _, poll_fn},
    pin::pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::time::Instant;

/// How long [`Session::close`](crate::Session::close) waits for the peer to end its side: the peer may still be
/// working on the last message.
pub const CLOSE_DEADLINE: Duration = Duration::from_secs(30);

impl Core {
    /// Ends both sides: writes everything and checks that nothing more came. With `delivery`, waits until the peer's
    /// transport has everything.
    pub(crate) async fn close(&mut self, delivery: bool) -> Result<(), SessionError> {
        let spoke_last = self.spoke_last || !self.out.is_empty();
        self.leaving_since = None;
        let asked = delivery && spoke_last;
        let mut closed = poll_fn(|cx| self.poll_ended(cx, asked)).await;
        if asked && closed.is_ok() {
            closed = Box::pin(self.delivered()).await; // boxed, because in most sessions the peer speaks last
        }
        match closed {
            Ok(()) => {
                self.over = true;
                Ok(())
            }
            // A peer that closed its connection in good order has ended its side of every session.
            Err(SessionError::Lost(lost)) if lost.cause == LostCause::Closed && self.out.is_empty() => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn poll_ended(&mut self, cx: &mut Context<'_>, held: bool) -> Poll<Result<(), SessionError>> {
        self.end(held);
        if !self.out.is_empty() {
            ready!(self.poll_flush(cx, StateName::End, CLOSE_DEADLINE, 0))?;
            self.leaving_since = None;
        }
        while !self.peer_ended && self.input.is_empty() {
            if let Progress::Late = ready!(self.poll_step(cx, 1, StateName::End, CLOSE_DEADLINE, LEAVING))? {
                let kind = ViolationKind::Late { after: CLOSE_DEADLINE, have: 0 };
                return Poll::Ready(Err(self.violation(StateName::End, kind)));
            }
        }
        Poll::Ready(match self.input.len() {
            0 => Ok(()),
            bytes => Err(self.violation(StateName::End, ViolationKind::AfterEnd { bytes })),
        })
    }

    /// Waits until the peer's transport has everything.
    async fn delivered(&mut self) -> Result<(), SessionError> {
        let Self { channel, timer, leaving_since, .. } = self;
        let delivery = {
            let mut delivered = pin!(channel.writer.delivered());
            let either = poll_fn(|cx| match delivered.as_mut().poll(cx) {
                Poll::Ready(delivery) => Poll::Ready(Some(delivery)),
                Poll::Pending => {
                    let since = *leaving_since.get_or_insert_with(Instant::now);
                    timer.poll_at(cx, since + CLOSE_DEADLINE).map(|()| None)
                }
            });
            either.await
        };
        match delivery {
            Some(delivery) => delivery.map_err(|broken| self.lost(StateName::End, broken)),
            None => Err(self.violation(StateName::End, ViolationKind::Stalled { after: CLOSE_DEADLINE })),
        }
    }
}
