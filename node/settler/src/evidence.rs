//! What an accusation shows, with the checks of a proof that evidence may rest on.

use shardwire_model::{Cause, Felt, Output};
use shardwire_protocols::evidence::{Accusation, NoEvidence, Shown, Verifier};
use shardwire_proving::{
    settle::OutputMismatch,
    verify::{Proven, Verify},
};

/// What a node believes a proof of this program by, as those need it who check evidence.
#[derive(Debug)]
pub struct Checking<'a> {
    /// What checks the proof.
    pub verify: &'a dyn Verify,
    /// The hash of the only program that is believed.
    pub program: Felt,
}

impl Verifier for Checking<'_> {
    fn program(&self) -> Felt {
        self.program
    }

    fn output(&self, proof: &[u8]) -> Result<Output, Cause> {
        let Proven { program, output } = self.verify.verify(proof).map_err(Cause::from)?;
        let output = Output::from_felts(&output).map_err(Cause::from)?;
        if program == self.program {
            return Ok(output);
        }
        let (shard, expected) = (output.shard, self.program);
        Err(OutputMismatch::Program { shard, expected, actual: program }.into())
    }
}

/// What an accusation shows, if it is about a job of one of these programs.
///
/// # Errors
/// [`NoEvidence::OtherJob`] if it is about a job of none of them, else as [`Accusation::check`] says it.
pub fn check(
    accusation: &Accusation,
    verify: &dyn Verify,
    programs: impl IntoIterator<Item = Felt>,
) -> Result<Shown, NoEvidence> {
    let mut shown = Err(NoEvidence::OtherJob { program: Felt::ZERO });
    for program in programs {
        shown = accusation.check(&Checking { verify, program });
        if !matches!(shown, Err(NoEvidence::OtherJob { .. })) {
            break;
        }
    }
    shown
}
