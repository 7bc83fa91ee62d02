//! Where a recorded frame ends, and what is wrong with it: what a session does with bytes, as a pure function of a state and
//! bytes, for tools that read recordings.

use super::{Edge, Graph};
use crate::session::error::ViolationKind;
use crate::wire::varint;

/// What the bytes after a state are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Split<'a> {
    /// Nothing whole yet.
    Partial,
    /// A frame, or tags alone.
    Frame {
        /// Which step it is.
        edge: &'a Edge,
        /// The body, if the step has a message.
        body: &'a [u8],
        /// Bytes of all of it: tags, length and body.
        bytes: usize,
    },
    /// What the session that reads it would call a violation.
    Wrong {
        /// Where: bytes after the state's beginning.
        at: usize,
        /// What.
        kind: ViolationKind,
    },
}

impl Graph {
    /// Reads the next frame of the side that speaks in `state`. Looks at lengths and tags alone: whether the body is the message due
    /// is [`MessageInfo::read`](super::MessageInfo::read)'s to say.
    #[must_use]
    pub fn split<'a>(&'a self, state: usize, bytes: &'a [u8]) -> Split<'a> {
        let edges = self.states.get(state).map_or(&[][..], |node| &node.edges[..]);
        if edges.is_empty() {
            let after = ViolationKind::AfterEnd { bytes: bytes.len() };
            return if bytes.is_empty() { Split::Partial } else { Split::Wrong { at: 0, kind: after } };
        }
        let said = |edge: &&Edge| bytes.len() >= edge.tags.len() && bytes.starts_with(&edge.tags);
        let Some(edge) = edges.iter().find(said) else {
            // The longest beginning of what was said that is that of an edge: the byte after it leads nowhere.
            let common = |edge: &Edge| edge.tags.iter().zip(bytes).take_while(|(tag, byte)| tag == byte).count();
            let at = edges.iter().map(common).max().unwrap_or(0);
            return match bytes.get(at) {
                Some(tag) => Split::Wrong { at, kind: ViolationKind::UnknownBranch { tag: *tag } },
                None => Split::Partial,
            };
        };
        let tags = edge.tags.len();
        let Some(message) = edge.message else { return Split::Frame { edge, body: &[], bytes: tags } };
        match varint::parse(bytes.iter().skip(tags).copied()) {
            varint::Parsed::Partial => Split::Partial,
            varint::Parsed::Malformed => Split::Wrong { at: tags, kind: ViolationKind::MalformedLength },
            varint::Parsed::Whole { value, .. } if value > message.max_bytes => {
                Split::Wrong { at: tags, kind: ViolationKind::TooLong { announced: value, max: message.max_bytes } }
            }
            varint::Parsed::Whole { value, len } => {
                let begin = tags + len;
                let end = begin.saturating_add(value as usize);
                bytes.get(begin..end).map_or(Split::Partial, |body| Split::Frame { edge, body, bytes: end })
            }
        }
    }
}
