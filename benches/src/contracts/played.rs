//! A mix, played and executed in this process as an operator does it.

use super::Outcome;
use shardwire_model::{Logged, Output};
use shardwire_native::Change;
use shardwire_program::{Execution, Sink};
use shardwire_witness::Assembler;
use std::{
    fs::File,
    io::{self, BufWriter},
    path::Path,
};
use testnet::contracts::{Game, Log, Planned, Shard};

/// A shard whose game was played.
pub(super) struct Played {
    shard: Shard,
    transactions: Vec<Logged>,
    /// Calls that ran code, or failed before.
    pub(super) calls: u64,
    /// Signatures that its proof checks.
    pub(super) signatures: usize,
}

/// A run whose witness is a file.
pub(super) struct Written {
    pub(super) steps: u64,
    pub(super) output: Output,
}

impl Played {
    pub(super) fn of(game: &Game) -> Outcome<Self> {
        let shard = Shard::of(game)?;
        let (mut calls, mut signatures, mut reverted) = (Some(0), 0, 0);
        let Log { transactions, .. } = shard.play(game, &mut |_, planned, change| {
            let found = change.inside::<Change>().map(|it| it.tree().calls());
            calls = calls.zip(found).map(|(calls, found)| calls + found);
            // Of a session's key the last one is checked; who has one allowed it first.
            signatures += match planned {
                Planned::Session(_) => 0,
                Planned::Allow => 2,
                Planned::Account(_) => 1,
            };
            reverted += usize::from(change.reverted());
        })?;
        if reverted > 0 {
            return Err(format!("{reverted} of {} transactions of the mix are reverted", transactions.len()).into());
        }
        let calls = calls.ok_or("a shard of contracts has changes of another program")?;
        Ok(Self { shard, transactions, calls, signatures })
    }

    pub(super) fn transactions(&self) -> usize {
        self.transactions.len()
    }

    pub(super) fn execute(&self, sink: &mut Sink<'_>) -> Outcome<Execution> {
        Ok(self.shard.execute(self.transactions.clone(), sink)?)
    }

    /// Executes it and writes the flat witness, which a worker proves.
    pub(super) fn write(&self, path: &Path) -> Outcome<Written> {
        let mut assembler = Assembler::new(shardwire_contracts::hash());
        let run = self.execute(&mut |chunk| assembler.push(&chunk.body).map(drop).map_err(io::Error::other))?;
        assembler.finish(&run.manifest, &mut BufWriter::new(File::create(path)?))?;
        Ok(Written { steps: run.steps, output: run.output })
    }
}
