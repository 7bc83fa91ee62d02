//! What the three nodes say of a shard, asked again and again while it lives.
//!
//! Bound: [`PATIENCE`] with a node that runs and doesn't answer.

use crate::{error::TestnetError, limits::PATIENCE, network::Network, progress::Reporter};
use shardwire::{
    client::{ClientError, NodeClient},
    host::Platform,
};
use shardwire_model::{Role, ShardId, Stage};
use shardwire_protocols::administration::ShardStatus;
use std::{collections::BTreeSet, path::PathBuf};
use tokio::time::Instant;

/// A control session to each node, reopened when it breaks.
pub(crate) struct Watch {
    platform: Platform,
    nodes: [Watched; 3],
}

struct Watched {
    role: Role,
    data: PathBuf,
    client: Option<NodeClient>,
    answered: Instant,
}

impl Watched {
    async fn client(&mut self, platform: &Platform) -> Result<&mut NodeClient, ClientError> {
        let client = match self.client.take() {
            Some(client) => client,
            None => NodeClient::connect(&self.data, platform).await?,
        };
        Ok(self.client.insert(client))
    }

    async fn look(&mut self, platform: &Platform, shard: ShardId) -> Result<Vec<ShardStatus>, TestnetError> {
        let answer = match self.client(platform).await {
            // A node that hasn't heard of the shard yet doesn't list it.
            Ok(client) => client.shard_status(None).await,
            Err(error) => Err(error),
        };
        match answer {
            Ok(mut statuses) => {
                self.answered = Instant::now();
                statuses.retain(|status| status.shard == shard);
                Ok(statuses)
            }
            Err(last) => {
                self.client = None;
                let patient = self.answered.elapsed() < PATIENCE;
                if patient { Ok(Vec::new()) } else { Err(TestnetError::Unreachable { role: self.role, last }) }
            }
        }
    }
}

impl Watch {
    pub(crate) fn new(network: &Network) -> Self {
        let watched =
            |role| Watched { role, data: network.node(role).data().to_owned(), client: None, answered: Instant::now() };
        Self { platform: Platform::system(), nodes: [Role::Settler, Role::Operator, Role::Prover].map(watched) }
    }

    pub(crate) async fn settler(&mut self) -> Result<&mut NodeClient, ClientError> {
        let Self { platform, nodes: [settler, ..] } = self;
        settler.client(platform).await
    }

    /// The statuses that the nodes report.
    pub(crate) async fn look(&mut self, shard: ShardId) -> Result<Vec<ShardStatus>, TestnetError> {
        let Self { platform, nodes: [settler, operator, prover] } = self;
        let (settler, operator, prover) =
            tokio::join!(settler.look(platform, shard), operator.look(platform, shard), prover.look(platform, shard));
        Ok([settler?, operator?, prover?].concat())
    }
}

/// Reports each trouble once. Returns an error if the shard can't go on.
pub(crate) fn complain(
    status: &ShardStatus,
    reported: &mut BTreeSet<(Role, String)>,
    reporter: &mut Reporter,
) -> Result<(), TestnetError> {
    let reason = status.error.as_ref().map(|cause| format!("{}: {}", cause.code, cause.reason));
    if matches!(status.stage, Stage::Failed | Stage::Aborted) {
        let (shard, stage, role) = (status.shard, status.stage, status.role);
        return Err(TestnetError::Shard {
            shard,
            stage,
            role,
            reason: reason.unwrap_or_else(|| "no reason given".into()),
        });
    }
    if let Some(reason) = reason
        && reported.insert((status.role, reason.clone()))
    {
        reporter.say(&format!("trouble at the {}: {reason}", status.role));
    }
    Ok(())
}
