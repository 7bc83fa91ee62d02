//! How many requests a peer may send before it has read the answer to the first, where the responder goes step by step.

use super::{Core, StateName};
use crate::{
    graph::MessageInfo,
    session::error::{SessionError, ViolationKind},
    wire::varint,
};
use arrayvec::ArrayVec;
use std::{
    mem,
    task::{Context, Poll},
};

/// Most tags that lead to a message and are compared: of more nested choices no credit is counted.
pub(super) const MAX_TAGS: usize = 7;

/// How many requests of one kind a peer may send before it has read the answer to the first.
#[derive(Clone, Debug)]
pub(super) struct Credit {
    /// The branch tags that led to the request that came last.
    tags: ArrayVec<u8, MAX_TAGS>,
    /// The depth of its pipeline; 1 if it has none.
    depth: usize,
    /// The longest such message, with what is around it, in bytes.
    longest: usize,
}

impl Core {
    /// Notes what the request that has just come lets the peer send ahead. A message without a choice before it is no request.
    pub(super) fn note_credit(&mut self, request: &MessageInfo, depth: usize) {
        let tags = mem::take(&mut self.tags);
        if !tags.is_empty() && !tags.is_full() {
            let longest = tags.len() + varint::MAX_LEN + request.max_bytes as usize;
            self.credit = Some(Credit { tags, depth, longest });
        }
    }

    /// Checks that the peer has sent no more requests than its credit allows, and nothing else, now that it is this side's turn to answer one: as
    /// many may be on their way as its pipeline is deep, and it leaves the requests when it has all answers. Reads what has come, without waiting, up to one
    /// request more than that.
    pub(crate) fn check_turn(&mut self, cx: &mut Context<'_>, at: StateName) -> Result<(), SessionError> {
        let Some(Credit { tags, depth, longest }) = self.credit.take() else { return Ok(()) };
        let ahead = depth.saturating_sub(1);
        while !self.peer_ended && self.input.len() <= ahead * longest {
            match self.poll_read(cx, false) {
                Poll::Pending => break,
                Poll::Ready(read) => read.map_err(|broken| self.lost(at, broken))?,
            }
        }
        self.input.settle();
        match self.input.len() {
            bytes if !self.input.is_frames(&tags, ahead) => Err(self.violation(at, ViolationKind::OutOfTurn { bytes })),
            _ => Ok(()),
        }
    }

    /// Leaves the credit of the request that came last to the one that reads ahead and counts for itself.
    pub(crate) fn reads_ahead(&mut self) {
        self.credit = None;
    }
}
