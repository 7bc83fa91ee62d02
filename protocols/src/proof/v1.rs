//! Version 1: the prover doesn't sign that a proof is ready. A bad one is its fault all the same, but only the settler knows.

use super::{Ready, Turn};
use shardwire_transport::{
    Protocol,
    algebra::{HasDual, Rec},
};

/// The protocol: the settler is the initiator.
#[derive(Debug)]
pub enum Proof {}

impl Protocol for Proof {
    const NAME: &'static str = "proof";
    const VERSION: u16 = 1;
    type Initiator = Rec<Turn<Ready>>;
    type Responder = <Self::Initiator as HasDual>::Dual;
}
