//! An operator whose disk takes nothing: who asks is told that it may come later, and nothing is a verdict.

use super::*;
use shardwire_disk::{Medium, SimulatedDisk, Trouble};
use shardwire_host::{Tasks, clock::SystemClock, disk_health, testing};
use shardwire_model::{PeerId, SignedTransaction, Stage};
use shardwire_program::rules;
use shardwire_protocols::{
    ServeError,
    ingress::{self, Handler as _, Ingress, Opening, Outcome, RefusalReason},
};
use shardwire_sample::small_shard;
use shardwire_store::{
    Artefacts, WatchedDisk, Work,
    records::{LAYOUT, WireFelt},
};
use shardwire_transport::{
    Channel, Identity, SessionError, WireCode,
    session::{error::LostCause, pair_over},
};
use std::{path::Path, time::Duration};
use tokio::time::sleep;

fn identity(number: u8) -> Identity {
    Identity::from_secret(&[number; 32])
}

fn client() -> PeerId {
    identity(9).peer()
}

/// An operator on this disk that was assigned the small shard, and the transaction that ends it.
async fn with_a_shard(medium: &Medium) -> (Arc<Operator>, Tasks, ShardId, SignedTransaction) {
    let disk = WatchedDisk::new(Arc::new(SimulatedDisk::new(medium)));
    let store = Store::open(&disk, Path::new("/node/node.redb"), &LAYOUT).unwrap().with_work(Work::AtOnce);
    let (host, tasks) = testing::host(identity(2), store, Path::new("/node"), Arc::new(SystemClock), "");
    let artefacts = Artefacts::new("/node".into(), Arc::new(disk.clone()));
    let host = Arc::new(Host { artefacts, work: Work::AtOnce, ..Arc::try_unwrap(host).unwrap() });
    disk_health::watch(&host, disk);
    let operator = Arc::new(Operator::resume(host, Programs::all()).unwrap());
    let (start, values, finish) = small_shard(rules::hash(), identity(2).peer());
    let shard = start.shard;
    let values = values.into_iter().map(WireFelt).collect();
    operator.assign(Assignment { start, values, settler: identity(1).peer(), epoch: 1 }).await.unwrap();
    (operator, tasks, shard, finish)
}

/// A client's session with the operator: how opening it and submitting this ended, and how the operator's half did.
async fn session(
    operator: &Arc<Operator>,
    shard: ShardId,
    transaction: &SignedTransaction,
) -> (Result<Result<Outcome, ingress::Refused>, SessionError>, Result<(), ServeError>) {
    let (theirs, ours) = pair_over::<Ingress>(Channel::pair_between([client(), identity(2).peer()], 1 << 18));
    let asks = async {
        let mut opened = match ingress::open(theirs, shard).await? {
            Opening::Opened(_, client) => client,
            Opening::Refused(refused) => return Ok(Err(refused)),
        };
        opened.submit(transaction).await?;
        let receipt = opened.receipt().await?.expect("one is outstanding");
        opened.close().await?;
        Ok(Ok(receipt.statement.outcome))
    };
    let signer = identity(2);
    tokio::join!(asks, ingress::serve(ours, &**operator, &signer))
}

/// A fixed bug: the operator let go of the session as if it had crashed (0x01), and a client that opened the shard again was told that it had stopped.
#[tokio::test(start_paused = true)]
async fn a_client_of_an_operator_whose_disk_takes_nothing_is_told_to_come_later_and_then_served() {
    let medium = Medium::new(1);
    let (operator, _tasks, shard, finish) = with_a_shard(&medium).await;
    medium.trouble(Some(Trouble::ReadOnly));
    let (asked, served) = session(&operator, shard, &finish).await;
    let Err(SessionError::Lost(lost)) = asked else { panic!("{asked:?}") };
    assert_eq!(lost.cause, LostCause::Reset(WireCode::Failed));
    assert!(matches!(served, Err(ServeError::Handler(_))), "{served:?}");
    // Now it is known, and said before anything is sent.
    let (asked, served) = session(&operator, shard, &finish).await;
    let refused = asked.unwrap().unwrap_err();
    assert_eq!(refused.reason, RefusalReason::Later);
    assert_eq!(
        refused.cause.to_string(),
        format!("this operator's disk fails, and shard {} takes nothing until it works again (SW-OPERATOR-012)", shard.short())
    );
    served.unwrap();
    let status = &operator.shards()[0];
    assert_eq!((status.stage, status.transactions, &status.error), (Stage::Assigned, 0, &None));

    medium.trouble(None);
    while !operator.host.telemetry.is_met(disk_health::CONDITION) {
        sleep(Duration::from_secs(1)).await;
    }
    let accepted = |duplicate| Ok(Outcome::Accepted { sequence: 0, duplicate });
    assert_eq!(session(&operator, shard, &finish).await.0.unwrap(), accepted(false));
    // What was accepted of a run that takes no more is answered whatever the disk does.
    medium.trouble(Some(Trouble::ReadOnly));
    while operator.host.telemetry.is_met(disk_health::CONDITION) {
        sleep(Duration::from_secs(1)).await;
    }
    assert!(operator.open(client(), shard).await.unwrap().unwrap().ended);
    assert_eq!(session(&operator, shard, &finish).await.0.unwrap(), accepted(true));
}
