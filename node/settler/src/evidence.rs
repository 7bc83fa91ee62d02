//! What a piece of evidence shows, with the checks of a proof that evidence may rest on.

use shardwire_model::{Cause, Felt, Output};
use shardwire_protocols::evidence::{Accusation, NoEvidence, Shown, Verifier};
use shardwire_proving::{
    settle::{OutputMismatch, Shown as Proven, check_reads, show},
    verify::Verify,
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
        let Proven { program, output, felts } = show(self.verify, proof)?;
        if program != self.program {
            let (shard, expected) = (output.shard, self.program);
            return Err(OutputMismatch::Program { shard, expected, actual: program }.into());
        }
        // With another list than the proof's the bytes prove nothing, and the list needs no start data to be compared.
        check_reads(&output, &felts)?;
        Ok(output)
    }
}

/// What a piece shows, if it is about a job of one of these programs.
///
/// # Errors
/// [`NoEvidence::OtherJob`] if it is about a job of none of them, else as [`Accusation::check`] says it.
pub fn check(
    piece: &Accusation,
    verify: &dyn Verify,
    programs: impl IntoIterator<Item = Felt>,
) -> Result<Shown, NoEvidence> {
    let mut shown = Err(NoEvidence::OtherJob { program: Felt::ZERO });
    for program in programs {
        shown = piece.check(&Checking { verify, program });
        if !matches!(shown, Err(NoEvidence::OtherJob { .. })) {
            break;
        }
    }
    shown
}
