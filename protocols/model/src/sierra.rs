//! A class as it is declared: what its hash covers, and what wallets read it for.

use crate::Felt;

/// An entry point of a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryPoint {
    /// The selector of its name.
    pub selector: Felt,
    /// Which function of the Sierra program it is.
    pub function: usize,
}

/// A Sierra class.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sierra {
    /// The program, compressed.
    pub program: Vec<Felt>,
    /// The version of the class' format.
    pub version: String,
    /// The entry points that can be called.
    pub external: Vec<EntryPoint>,
    /// The constructor.
    pub constructor: Vec<EntryPoint>,
    /// The entry points for messages from L1.
    pub l1_handler: Vec<EntryPoint>,
    /// The ABI's text, as the class hash covers it.
    pub abi: String,
}
