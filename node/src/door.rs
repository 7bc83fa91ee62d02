//! The door for wallets: an operator's shards of contracts, each as a Starknet chain (`shardwire-rpc`).
//!
//! [`Chains`] watches what enters the shards, and so has the state of each after what is durable, and its journal. A transaction that comes through the door
//! goes the way of all others, through the operator's log; the wallet gets the operator's signed receipt with its answer.
//!
//! Bound: [`MAX_CHAINS`]. Beyond it, those are let go of that are over; and when they hold as many networks at a block as may be.

use shardwire_hosted::Contracts;
use shardwire_live::{Live, LiveChain, LiveError, Log, refused};
use shardwire_model::{Clock, Felt, Logged, ShardId, ShardStart, Stage, Terms, execution::Sent};
use shardwire_native::{Change as Executed, Refusal as Broken};
use shardwire_operator::{NotIncluded, Operator, OperatorError, Watch, Watcher};
use shardwire_program::Change;
use shardwire_protocols::ingress::{Outcome, Receipt};
use shardwire_rpc::{
    Chain, Refusal, RefusalKind, Shards,
    chain::{Accepted, Answering},
};
use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, OnceLock, PoisonError, RwLock, Weak},
};

/// Most shards that have a chain: as many as an operator runs, and as many again that are over and that wallets may still look at.
const MAX_CHAINS: usize = 128;

/// The chains of an operator's shards.
pub(crate) struct Chains {
    contracts: Contracts,
    clock: Arc<dyn Clock>,
    operator: Arc<OnceLock<Weak<Operator>>>,
    chains: RwLock<BTreeMap<ShardId, Arc<LiveChain<OperatorLog>>>>,
}

impl fmt::Debug for Chains {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chains").field("shards", &self.ids()).finish_non_exhaustive()
    }
}

impl Chains {
    /// Those of an operator that executes this program. Nothing is submitted before [`serve`](Self::serve).
    pub(crate) fn new(contracts: Contracts, clock: Arc<dyn Clock>) -> Self {
        Self { contracts, clock, operator: Arc::default(), chains: RwLock::default() }
    }

    /// Lets go of the shards that are over, and so of what they began from.
    pub(crate) fn let_go(&self) {
        let_go(&mut self.chains.write().unwrap_or_else(PoisonError::into_inner));
    }

    /// Has this operator take what wallets submit.
    pub(crate) fn serve(&self, operator: &Arc<Operator>) {
        let _ = self.operator.set(Arc::downgrade(operator));
    }
}

/// Lets go of the shards that are over.
fn let_go(chains: &mut BTreeMap<ShardId, Arc<LiveChain<OperatorLog>>>) {
    chains.retain(|_, chain| !matches!(chain.stage(), Stage::Settled | Stage::Aborted));
}

impl Watch for Chains {
    fn shard(&self, start: &ShardStart, values: &[Felt]) -> Option<Box<dyn Watcher>> {
        if start.terms == Terms::Rules {
            return None;
        }
        // If it can't be opened the operator doesn't run it either, and says why.
        let native = self.contracts.open_shown(start, values).ok()?;
        let live = Arc::new(Live::new(native, self.clock.clone()));
        let log = OperatorLog { shard: start.shard, operator: self.operator.clone() };
        let chain = LiveChain::with_log(live.clone(), log);
        let mut chains = self.chains.write().unwrap_or_else(PoisonError::into_inner);
        if chains.len() >= MAX_CHAINS {
            let_go(&mut chains);
        }
        chains.insert(start.shard, Arc::new(chain));
        Some(Box::new(Shown(live)))
    }
}

impl Shards for Chains {
    fn shard(&self, id: ShardId) -> Option<Arc<dyn Chain>> {
        let chain = self.chains.read().unwrap_or_else(PoisonError::into_inner).get(&id)?.clone();
        Some(chain)
    }

    fn ids(&self) -> Vec<ShardId> {
        self.chains.read().unwrap_or_else(PoisonError::into_inner).keys().copied().collect()
    }
}

/// Notes what is logged.
struct Shown(Arc<Live>);

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shown")
    }
}

impl Watcher for Shown {
    fn logged(&self, logged: &Logged, change: &Change, receipt: Receipt) {
        if let (Some(sent), Some(executed)) = (Sent::of(&logged.transaction), change.inside::<Executed>()) {
            self.0.include(sent, executed, encoded(&receipt));
        }
    }
}

/// A receipt as the protocol `ingress` encodes it: what a wallet shows somebody who checks it.
fn encoded(receipt: &Receipt) -> Vec<u8> {
    postcard::to_allocvec(receipt).unwrap_or_default()
}

/// The log of a shard that an operator keeps.
#[derive(Debug)]
struct OperatorLog {
    shard: ShardId,
    operator: Arc<OnceLock<Weak<Operator>>>,
}

impl OperatorLog {
    /// The operator; none while the node starts or stops.
    fn operator(&self) -> Option<Arc<Operator>> {
        self.operator.get()?.upgrade()
    }

    async fn include(&self, live: &Live, transaction: Sent) -> Result<Accepted, Refusal> {
        let interrupted = |why: &str| Refusal::from(LiveError::Interrupted(why.into()));
        let operator = self.operator().ok_or_else(|| interrupted("the node starts or stops"))?;
        match operator.include(self.shard, transaction.into()).await {
            Ok(receipt) => {
                // The journal was told of it before.
                let hash = hash_of(live, &receipt).ok_or_else(|| interrupted("it isn't in the journal"))?;
                Ok(Accepted { hash, signed: encoded(&receipt) })
            }
            Err(NotIncluded::Duplicate(index, receipt)) => {
                Err(Refusal::from(LiveError::Duplicate { index }).with_signed(encoded(&receipt)))
            }
            Err(NotIncluded::Refused(refusal, receipt)) => {
                // What isn't a rule of execution is one of every program.
                let told = refusal
                    .inside()
                    .map_or_else(|| Refusal::new(RefusalKind::Rule, &refusal), |it: &Broken| refused(it));
                Err(told.with_signed(encoded(&receipt)))
            }
            Err(NotIncluded::Operator(error @ OperatorError::Over { .. })) => {
                Err(Refusal::new(RefusalKind::Rule, &error))
            }
            Err(NotIncluded::Operator(error)) => Err(Refusal::new(RefusalKind::Unavailable, &error)),
        }
    }
}

/// The hash of the transaction that was given a place.
fn hash_of(live: &Live, receipt: &Receipt) -> Option<Felt> {
    let Outcome::Accepted { sequence, .. } = receipt.statement.outcome else { return None };
    Some(live.journal().entry(sequence)?.receipt.hash)
}

impl Log for OperatorLog {
    fn stage(&self, _: &Live) -> Stage {
        self.operator().and_then(|operator| operator.stage(self.shard)).unwrap_or_default()
    }

    fn submit<'a>(&'a self, live: &'a Arc<Live>, transaction: Sent) -> Answering<'a, Result<Accepted, Refusal>> {
        Box::pin(self.include(live, transaction))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::programs;
    use shardwire_host::{
        Tasks,
        clock::NodeClock,
        history::Advance as _,
        testing::{SetWall, host, store},
    };
    use shardwire_hosted::dungeon::{self, ANNA, BEGINS, BERT, DEADLINE, GOLD, SESSIONS, WORLD};
    use shardwire_model::{
        AccountKey, Coded as _, ContractId, Invoke, PeerId, Role, SegmentId, SessionCall, Timestamp,
        execution::{Simulate, Status},
        life::{Part, Step},
    };
    use shardwire_rpc::{At, chain::Call};
    use shardwire_store::records::{ASSIGNMENTS, Assignment, WireFelt};
    use shardwire_telemetry::Telemetry;
    use shardwire_transport::Identity;
    use std::path::Path;

    fn me() -> Identity {
        Identity::from_secret(&[2; 32])
    }

    fn start() -> ShardStart {
        dungeon::shard(me().peer()).0
    }

    /// An operator to which the dungeon's shard was assigned, and its chain.
    fn operator(folder: &Path) -> (Arc<Operator>, Arc<dyn Chain>, Tasks) {
        operator_by(folder, SetWall::at(Timestamp(BEGINS * 1_000)))
    }

    /// The same, by this clock.
    fn operator_by(folder: &Path, clock: Arc<dyn Clock>) -> (Arc<Operator>, Arc<dyn Chain>, Tasks) {
        let (host, tasks) = host(me(), store(folder), folder, clock, "");
        let (start, values) = dungeon::shard(me().peer());
        let shard = start.shard;
        let (commitment, peer) = (start.commitment(), PeerId([1; 32]));
        let values = values.into_iter().map(WireFelt).collect();
        let assignment = Assignment { start, values, settler: peer, epoch: 1 };
        let assigned = host.store.write(|write| {
            write.put(&ASSIGNMENTS, &shard, &assignment)?;
            let part = Part::of(SegmentId::first(shard), Role::Operator);
            write.advance::<OperatorError>(&me(), Timestamp(1), part, Step::Assigned { commitment, peer })
        });
        assigned.unwrap();
        let contracts = Contracts::new(Arc::new(dungeon::geneses().into()));
        let chains = Arc::new(Chains::new(contracts.clone(), host.clock.clone()));
        let operator = Operator::resume_watched(host, programs::with(contracts), Some(chains.clone())).unwrap();
        let operator = Arc::new(operator);
        chains.serve(&operator);
        assert_eq!(chains.ids(), [shard]);
        (operator, Shards::shard(&*chains, shard).unwrap(), tasks)
    }

    fn signed(bytes: &[u8]) -> Outcome {
        let receipt: Receipt = postcard::from_bytes(bytes).unwrap();
        receipt.verify(&me().peer()).unwrap().outcome.clone()
    }

    #[tokio::test]
    async fn what_a_wallet_submits_is_logged_and_shown_also_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let (running, chain, tasks) = operator(folder.path());
        let start = start();
        let [train, pay, doom, finish] = dungeon::game(&start);
        assert_eq!(chain.stage(), Stage::Assigned);
        let accepted = chain.submit(train.clone().into()).await.unwrap();
        assert_eq!(accepted.hash, train.hash(chain.chain_id()));
        let outcome = Outcome::Accepted { sequence: 0, duplicate: false, reverted: false };
        assert_eq!(signed(&accepted.signed), outcome);
        let entry = chain.journal().entry(0).unwrap();
        assert_eq!((&entry.transaction, &entry.signed), (&train.clone().into(), &accepted.signed));
        assert_eq!((chain.stage(), chain.journal().height()), (Stage::Executing, 1));

        let again = chain.submit(train.clone().into()).await.unwrap_err();
        assert_eq!((again.kind(), again.code()), (RefusalKind::Duplicate, "SW-RPC-302"));
        assert!(matches!(signed(again.signed()), Outcome::Accepted { sequence: 0, duplicate: true, .. }));
        let early = chain.submit(dungeon::invoke(&start, ANNA, 7, WORLD, "train", &[1]).into()).await.unwrap_err();
        assert_eq!((early.kind(), early.code()), (RefusalKind::Nonce, "SW-NATIVE-106"));
        assert!(matches!(signed(early.signed()), Outcome::Refused { due: Some(1), .. }));
        let unsigned = Invoke { signature: Vec::new(), ..pay.clone() };
        assert_eq!(chain.submit(unsigned.into()).await.unwrap_err().kind(), RefusalKind::Validation);

        chain.submit(pay.into()).await.unwrap();
        chain.submit(doom.into()).await.unwrap();
        assert!(matches!(chain.journal().entry(2).unwrap().receipt.status, Status::Reverted { .. }));
        let purse = ContractId(GOLD.into());
        let balance = Call {
            contract: purse,
            selector: shardwire_model::starknet_keccak("balance_of"),
            calldata: vec![ANNA.into()],
        };
        assert_eq!(chain.call(&balance, At::Now).unwrap(), [Felt::from(80), Felt::ZERO]);
        let blocks: Vec<_> = (0..=3).map(|height| chain.journal().block_hash(height)).collect();
        tasks.end().await;
        drop(running);
        assert_eq!(chain.submit(finish.clone().into()).await.unwrap_err().kind(), RefusalKind::Unavailable);
        drop(chain);

        let (_running, chain, _tasks) = operator(folder.path());
        let shown: Vec<_> = (0..=3).map(|height| chain.journal().block_hash(height)).collect();
        assert_eq!((shown, chain.journal().entry(0).unwrap().signed.clone()), (blocks, accepted.signed));
        chain.submit(finish.into()).await.unwrap();
        assert_eq!(chain.stage(), Stage::Ended);
        let late = chain.submit(dungeon::invoke(&start, ANNA, 2, WORLD, "train", &[1]).into()).await.unwrap_err();
        assert_eq!((late.kind(), late.code()), (RefusalKind::Rule, "SW-NATIVE-107"));
    }

    #[tokio::test]
    async fn a_session_call_goes_the_same_way() {
        let folder = tempfile::tempdir().unwrap();
        let (running, chain, tasks) = operator(folder.path());
        let (start, key) = (start(), AccountKey::from_secret([5; 32]));
        let call = |previous, name: &str| dungeon::session_call(BERT, &key, previous, name, &[]);
        let first = dungeon::first_link(&start, &key);
        let told = chain.session(key.id().0).unwrap();
        assert_eq!((told.keeper, told.link, told.calls), (ContractId(SESSIONS.into()), first, 0));
        let look = call(first, "look");
        let early = chain.submit(look.clone().into()).await.unwrap_err();
        assert_eq!((early.kind(), early.code()), (RefusalKind::Rule, "SW-NATIVE-126"));
        assert!(matches!(signed(early.signed()), Outcome::Refused { due: Some(0), .. }));
        let allow = dungeon::allow(&start, BERT, 0, &key, DEADLINE, &["look", "doom"]);
        chain.submit(allow.into()).await.unwrap();
        let accepted = chain.submit(look.clone().into()).await.unwrap();
        assert_eq!(accepted.hash, look.link());
        assert_eq!(signed(&accepted.signed), Outcome::Accepted { sequence: 1, duplicate: false, reverted: false });
        assert_eq!(chain.journal().entry(1).unwrap().transaction, look.clone().into());
        // Who tells a wallet why is the type of the refusal.
        let lost = chain.submit(call(first, "doom").into()).await.unwrap_err();
        assert_eq!((lost.kind(), lost.code()), (RefusalKind::Nonce, "SW-NATIVE-127"));
        let doom = call(look.link(), "doom");
        let unsigned = SessionCall { signature: look.signature, ..doom.clone() };
        let unsigned = chain.submit(unsigned.into()).await.unwrap_err();
        assert_eq!((unsigned.kind(), unsigned.code()), (RefusalKind::Validation, "SW-NATIVE-128"));
        let again = chain.submit(look.clone().into()).await.unwrap_err();
        assert_eq!(again.kind(), RefusalKind::Duplicate);
        assert!(matches!(signed(again.signed()), Outcome::Accepted { sequence: 1, duplicate: true, .. }));
        tasks.end().await;
        drop((running, chain));

        let (_running, chain, _tasks) = operator(folder.path());
        let told = chain.session(key.id().0).unwrap();
        assert_eq!((told.link, told.calls), (look.link(), 1));
        let accepted = chain.submit(doom.clone().into()).await.unwrap();
        assert_eq!((accepted.hash, chain.journal().height()), (doom.link(), 3));
        assert_eq!(signed(&accepted.signed), Outcome::Accepted { sequence: 2, duplicate: false, reverted: true });
        assert!(matches!(chain.journal().entry(2).unwrap().receipt.status, Status::Reverted { .. }));
    }
    /// A fixed bug: a wallet was refused with the operator's signature, and had no estimate, because the operator's clock was ahead.
    #[tokio::test]
    async fn while_peers_contradict_the_operators_date_a_wallet_is_told_to_come_later_and_has_its_estimates() {
        let folder = tempfile::tempdir().unwrap();
        let ahead = 2 * (DEADLINE - BEGINS) * 1_000;
        let clock = NodeClock::begin(SetWall::at(Timestamp(BEGINS * 1_000 + ahead)), &Telemetry::default());
        clock.heard(PeerId([1; 32]), -i64::try_from(ahead).unwrap());
        let (_running, chain, _tasks) = operator_by(folder.path(), clock);
        let [train, ..] = dungeon::game(&start());
        let later = chain.submit(train.clone().into()).await.unwrap_err();
        assert_eq!((later.kind(), later.code()), (RefusalKind::Unavailable, "SW-OPERATOR-015"));
        assert_eq!((later.signed(), chain.journal().height()), (&[][..], 0));
        let asked = Simulate { transaction: train, skip_validate: false, only_query: false };
        let estimated = chain.simulate(&[asked], At::Now).map_err(|(_, refusal)| refusal.to_string()).unwrap();
        assert!(matches!(estimated[0].status, Status::Succeeded) && estimated[0].gas.execute > 0);
    }
}
