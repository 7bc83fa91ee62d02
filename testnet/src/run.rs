//! A shard's life, from start to settled, on a network that runs.
//!
//! Bounds: those of [`follow`](crate::follow).

use crate::{
    crashes::PlannedCrash,
    error::TestnetError,
    follow::{Followed, Players, follow, judge, settled},
    network::Network,
    progress::Reporter,
    recompute::Expected,
    report::Report,
    watch::Watch,
};
use shardwire::{
    client::{Dialler, NodeAddress, SubmitReport, submit_and_resign},
    host::{Platform, Randomness},
};
use shardwire_model::{Role, ShardStart};
use shardwire_program::rules;
use shardwire_transport::Identity;
use shardwire_workload::Workload;
use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

/// Plays the workload on the network and checks the result. Faults are removed from the list when they happen.
///
/// # Errors
/// [`TestnetError::Late`], [`TestnetError::Shard`] or another variant if the shard isn't settled. A shard that settles wrongly is not an error but a difference in the
/// [report](Report::is_ok).
pub async fn run_workload(
    network: &mut Network,
    workload: &Workload,
    expected: &Expected,
    crashes: &mut Vec<PlannedCrash>,
    reporter: &mut Reporter,
) -> Result<Report, TestnetError> {
    let mut watch = Watch::new(network);
    let request = workload.start_request(network.node(Role::Operator).peer(), rules::hash());
    let start = watch.settler().await?.start_shard(request, None).await?;
    reporter.say(&format!("shard {} is started, for the operator to execute", start.shard.short()));
    let client = Client::of(network);
    let (it, shard) = (workload.clone(), start.shard);
    let players = Players::send(workload.transactions.len(), |receipts| client.send(it, start, receipts));
    let Followed { figures, storage, took, came: () } =
        follow(network, &mut watch, shard, players, crashes, reporter).await?;
    let settled = settled(&storage);
    let differences = judge(&workload.world, expected, &figures, &storage, &settled);
    Ok(Report { workload: workload.clone(), figures, settled, differences, took })
}

/// The players' client: it signs and sends, and collects receipts.
struct Client {
    dialler: Dialler,
    operator: NodeAddress,
}

impl Client {
    fn of(network: &Network) -> Self {
        let operator = network.node(Role::Operator);
        // It is no configured peer: operators take transactions from anyone, because the signature counts.
        let identity = Identity::generate(&mut Randomness::system());
        let (network, platform) = (crate::network::NETWORK.to_owned(), Platform::system());
        Self {
            dialler: Dialler { identity, network, platform },
            operator: NodeAddress { peer: operator.peer(), address: operator.listen().into() },
        }
    }

    async fn send(self, workload: Workload, start: ShardStart, receipts: Arc<AtomicU32>) -> Result<(), TestnetError> {
        let keys: Vec<_> = workload.players.iter().map(shardwire_workload::Player::key).collect();
        let of = start.clone();
        let signed = tokio::task::spawn_blocking(move || workload.sign(&of)).await;
        let signed = signed.map_err(|lost| TestnetError::System { what: "signing", reason: lost.into() })??;
        let count = |progress: shardwire::client::Progress<'_>| {
            receipts.store(u32::try_from(progress.done).unwrap_or(u32::MAX), Ordering::Relaxed);
        };
        let report: SubmitReport =
            submit_and_resign(&self.dialler, &self.operator, &start, &signed, &keys, count).await?;
        match report.refused.first() {
            None => Ok(()),
            Some(refusal) => Err(TestnetError::Refused {
                number: refusal.index + 1,
                code: refusal.code.clone(),
                reason: refusal.reason.clone(),
                of: report.refused.len(),
            }),
        }
    }
}
