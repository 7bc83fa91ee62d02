//! The two versions of Starknet's JSON-RPC, and all that differs between them here.

/// A version of the specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// Version 0.9 of the specification.
    V0_9,
    /// Version 0.10 of the specification.
    V0_10,
}

impl Version {
    /// The versions that are served.
    pub const ALL: [Self; 2] = [Self::V0_9, Self::V0_10];

    /// The last part of its path.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::V0_9 => "v0_9",
            Self::V0_10 => "v0_10",
        }
    }

    /// What `starknet_specVersion` answers.
    #[must_use]
    pub const fn specification(self) -> &'static str {
        match self {
            Self::V0_9 => "0.9.0",
            Self::V0_10 => "0.10.0",
        }
    }

    /// A field that 0.9 doesn't have: an event's place in its block and transaction, commitments and counts of a block's head, migrated classes
    /// of a state's difference.
    pub(crate) fn since_0_10<T>(self, value: T) -> Option<T> {
        (self == Self::V0_10).then_some(value)
    }

    /// A field that only 0.9 requires: the root before a block that isn't confirmed.
    pub(crate) fn until_0_9<T>(self, value: T) -> Option<T> {
        (self == Self::V0_9).then_some(value)
    }
}
