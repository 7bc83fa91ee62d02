//! The operator serves clients: transactions in, receipts out.

use super::{Operator, error::OperatorError, events::ShardOpened};
use shardwire_host::disk_health;
use shardwire_model::{PeerId, ShardId, ShardTransaction};
use shardwire_protocols::{
    Failure,
    ingress::{Handler, Opened, Outcome, Refused},
};
use shardwire_reputation::{Event, Work};

impl Handler for Operator {
    async fn open(&self, client: PeerId, shard: ShardId) -> Result<Result<Opened, Refused>, Failure> {
        let Some(run) = self.run(shard) else {
            return Ok(Err(OperatorError::Unknown { shard }.into()));
        };
        let disk = || Err(OperatorError::Disk { shard });
        let opened = match run.opened().await {
            // What was accepted of a shard that is over is answered whatever the disk does.
            Ok(opened) if !opened.ended && !self.host.telemetry.is_met(disk_health::CONDITION) => disk(),
            Err(error) if error.is_of_disk() => disk(),
            Ok(opened) if !opened.ended => run.dated().await.map(|()| opened),
            opened => opened,
        };
        self.events.emit(ShardOpened { shard, client, accepted: opened.is_ok() });
        Ok(opened.map_err(Into::into))
    }

    async fn submit(
        &self,
        client: PeerId,
        shard: ShardId,
        transaction: ShardTransaction,
    ) -> Result<impl Future<Output = Result<Outcome, Failure>> + Send, Failure> {
        let run = self.run(shard).ok_or(OperatorError::Unknown { shard })?;
        let submitted = run.submit(transaction).await?;
        Ok(async move {
            let outcome = submitted.outcome().await?;
            if matches!(outcome, Outcome::Accepted { duplicate: false, .. }) {
                self.host.peers.note(client, &Event::Worked(Work::Transactions(1)));
            }
            Ok(outcome)
        })
    }
}
