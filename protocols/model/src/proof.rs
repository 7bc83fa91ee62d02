//! How long a proof may be, for everybody who sends, stores, checks or makes one.

/// Most bytes of a proof: twice the 1.9 MB that one with 96 bits of security, signatures and Blake2s has. The length hardly depends on that of the run,
/// so the rest is room for other parameters of the same size, and for the [list](crate::reads) before a proof of contracts.
pub const MAX_PROOF_BYTES: u32 = 4 << 20;
