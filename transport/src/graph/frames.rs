//! Finds the frames in recorded bytes, and what is wrong with them. It does what a session does with bytes, as a pure
//! function of a state and bytes, for tools that read recordings.

use super::{Edge, Graph};
use crate::session::error::ViolationKind;
use crate::wire::varint;

/// What the bytes in a state begin with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Split<'a> {
    /// Less than a whole frame.
    Partial,
    /// A frame, or branch tags without a message.
    Frame {
        /// The transition that was taken.
        edge: &'a Edge,
        /// The message's body; empty if the transition has no message.
        body: &'a [u8],
        /// The length in bytes of tags, length prefix and body together.
        bytes: usize,
    },
    /// Bytes that a session would refuse as a violation.
    Wrong {
        /// The offset of the violation, in bytes from the state's beginning.
        at: usize,
        /// What it breaks.
        kind: ViolationKind,
    },
}

impl Graph {
    /// Reads the next frame of the side that speaks in `state`. Looks at tags and lengths alone: whether the body is
    /// the message due is for [`MessageInfo::read`](super::MessageInfo::read) to say.
    #[must_use]
    pub fn split<'a>(&'a self, state: usize, bytes: &'a [u8]) -> Split<'a> {
        let edges = self.states.get(state).map_or(&[][..], |node| &node.edges[..]);
        if edges.is_empty() {
            let after = ViolationKind::AfterEnd { bytes: bytes.len() };
            return if bytes.is_empty() { Split::Partial } else { Split::Wrong { at: 0, kind: after } };
        }
        let said = |edge: &&Edge| bytes.len() >= edge.tags.len() && bytes.starts_with(&edge.tags);
        let Some(edge) = edges.iter().find(said) else {
            // The longest prefix of the tags that matches an edge. The byte after it leads nowhere.
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
