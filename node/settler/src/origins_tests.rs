//! A settler of shards of contracts: what it starts, what it settles, what it disputes, and what it waits for.

use super::{
    life_tests::{GOLD, Machine, Run, gold, output_of, request, somebody},
    tests::{Believer, held, is_banned, offers, shown},
    *,
};
use shardwire_host::testing::SetWall;
use shardwire_model::{
    AccountId, Coded, ContractId, ContractTerms, EntryRequest, Felt, ForkId, Hash, Instance, Key, Kind, Maximum,
    Output, Reads, SegmentId, ShardStart, StartRequest, Terms, Timestamp,
    contracts::{ClassPair, Rule},
    reads::join,
};
use shardwire_protocols::{
    handoff::{self, Answer, ProofVerdict, Verdict},
    proof::{Reply, SkipReason, StoredProof},
};
use shardwire_proving::origin::{Origin, OriginError, Origins};
use shardwire_store::records::VERDICTS;
use shardwire_transport::Identity;
use shardwire_world::{ShardRecord, ShardState};
use tokio::time::sleep;

/// What each slot has that doesn't settle.
pub(super) const ELSEWHERE: u64 = 9;

#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
struct Because(&'static str);

impl Coded for Because {
    fn code(&self) -> &'static str {
        "SW-X-001"
    }
    fn next_step(&self) -> String {
        "Bring it.".into()
    }
}

/// What comes of opening a state.
#[derive(Clone, Copy, Debug)]
pub(super) enum Way {
    Opens,
    Refuses,
    Lacks,
    /// It opens, and can't be read.
    Breaks,
}

/// States that open as a test wants it.
#[derive(Debug)]
pub(super) struct Set(Mutex<Way>);

impl Set {
    pub(super) fn to(way: Way) -> Arc<Self> {
        Arc::new(Self(Mutex::new(way)))
    }

    fn set(&self, way: Way) {
        *self.0.lock().unwrap() = way;
    }
}

impl Origins for Set {
    fn open(&self, start: &ShardStart) -> Result<Option<Box<dyn Origin>>, OriginError> {
        if start.terms == Terms::Rules {
            return Ok(None);
        }
        match *self.0.lock().unwrap() {
            Way::Opens => Ok(Some(Box::new(Same { broken: false }))),
            Way::Breaks => Ok(Some(Box::new(Same { broken: true }))),
            Way::Refuses => Err(OriginError::refused(Because("no shard begins like this"))),
            Way::Lacks => Err(OriginError::unable(Because("the genesis isn't here"))),
        }
    }
}

#[derive(Debug)]
struct Same {
    broken: bool,
}

impl Origin for Same {
    fn storage(&self, _: ContractId, _: Key) -> Result<Felt, OriginError> {
        if self.broken { Err(OriginError::unable(Because("a bad sector"))) } else { Ok(ELSEWHERE.into()) }
    }
    fn nonce(&self, _: AccountId) -> Result<Felt, OriginError> {
        Ok(Felt::ZERO)
    }
}

/// A shard of contracts over what the World has.
pub(super) fn contracts(salt: u64) -> StartRequest {
    let mut asked = request(salt);
    asked.contracts.push(ContractId(asked.accounts[0].0));
    asked.contracts.sort();
    for entry in &mut asked.entries {
        entry.owner = None;
    }
    asked.entries.sort_by_key(EntryRequest::slot);
    let maximum = |entry: &EntryRequest| Maximum(if entry.kind == Kind::Lock { 0 } else { 100 });
    let class = Felt::from(0xc1a55);
    asked.terms = Terms::Contracts(Box::new(ContractTerms {
        origin: Hash::of(b"genesis").into(),
        begins: 1,
        first_block: 1,
        sequencer: ContractId(Felt::ONE),
        classes: vec![ClassPair { class_hash: class, compiled_class_hash: class }],
        instances: vec![Instance { class, rule: Rule::Closed }; 2],
        maxima: asked.entries.iter().map(maximum).collect(),
        scratch: Vec::new(),
    }));
    asked
}

pub(super) async fn settler(machine: &Machine, origins: &Arc<Set>) -> Run {
    let clock: Arc<SetWall> = SetWall::at(Timestamp(10_000));
    machine.with_judge(&clock, Judge::new(Arc::new(Believer), origins.clone())).await.unwrap()
}

pub(super) async fn record(run: &Run, start: &ShardStart) -> ShardRecord {
    run.world.shard(start.shard).await.unwrap().unwrap()
}

/// What a run read that touched one more slot, in which it found this.
pub(super) fn reads(record: &ShardRecord, found: u64) -> Reads {
    let place = |contract| record.start.contract_index(contract).unwrap();
    let mut reads = Reads::default();
    for (entry, value) in record.start.entries.iter().zip(&record.values) {
        reads.storage.insert((place(entry.contract), entry.key.0), *value);
    }
    let account = ContractId(record.start.accounts[0].0);
    reads.storage.insert((place(account), Felt::from(0x77)), found.into());
    reads.nonces.insert(place(account), Felt::ZERO);
    reads
}

/// What a prover with this number has of a run that read this.
fn proof(record: &ShardRecord, reads: &Reads, prover: u8) -> StoredProof {
    let felts = reads.to_felts(&record.start.for_contracts().unwrap());
    let output = Output { reads: shardwire_model::reads::commitment(&felts), ..output_of(record) };
    let proof = [&b"proof"[..], &postcard::to_allocvec(&output).unwrap()].concat();
    held(&record.start, record.before, join(&felts, &proof), prover, prover.into())
}

pub(super) fn peer(number: u8) -> PeerId {
    Identity::from_secret(&[number; 32]).peer()
}

/// What a person reads whose start is refused.
async fn refused(run: &Run, asked: &StartRequest) -> String {
    let error = run.settler.start(asked, somebody(), Some(600)).await.unwrap_err();
    let shard = asked.shard_id(run.world.identity().network());
    assert!(run.world.shard(shard).await.unwrap().is_none(), "nothing has moved");
    assert_eq!(gold(&*run.world).await.1, 0);
    format!("{} {error} | {}", error.code(), error.next_step())
}

#[tokio::test(start_paused = true)]
async fn a_shard_starts_if_the_state_that_it_begins_from_opens() {
    let (machine, origins) = (Machine::new(), Set::to(Way::Refuses));
    let run = settler(&machine, &origins).await;
    let asked = contracts(1);
    let text = "SW-X-001 no shard begins like this | Bring it. Nothing was started.";
    assert_eq!(refused(&run, &asked).await, text);
    origins.set(Way::Lacks);
    let text = "SW-X-001 the genesis isn't here | Bring it. Nothing was started.";
    assert_eq!(refused(&run, &asked).await, text);
    // A shard of the fixed rules needs none.
    let rules = run.settler.start(&request(2), somebody(), Some(600)).await.unwrap();
    run.settler.abort(rules.shard, shardwire_model::life::AbortReason::Asked { by: somebody() }).await.unwrap();
    origins.set(Way::Opens);
    // Another start opens one that takes its time: this one is told to come again.
    let other = run.settler.unopened.opening.clone().lock_owned().await;
    // One of the fixed rules has nothing to wait for.
    let rules = run.settler.start(&request(3), somebody(), Some(600)).await.unwrap();
    run.settler.abort(rules.shard, shardwire_model::life::AbortReason::Asked { by: somebody() }).await.unwrap();
    // One that goes on from a network doesn't wait for who opens a genesis.
    let mut forked = contracts(4);
    let Terms::Contracts(terms) = &mut forked.terms else { panic!("terms of contracts") };
    (terms.origin, terms.first_block) = (ForkId { chain: Felt::ONE, number: 7, hash: Felt::TWO }.into(), 8);
    let forked = run.settler.start(&forked, somebody(), Some(600)).await.unwrap();
    run.settler.abort(forked.shard, shardwire_model::life::AbortReason::Asked { by: somebody() }).await.unwrap();
    let shard = asked.shard_id("test");
    let text = format!(
        "SW-SETTLER-014 the state that shard {shard} is to begin from is still being read, and its classes compiled | Ask for the same shard \
         again in a minute. Nothing was started."
    );
    assert_eq!(refused(&run, &asked).await, text);
    drop(other);
    let start = run.settler.start(&asked, somebody(), Some(600)).await.unwrap();
    assert_eq!(record(&run, &start).await.values[0], Felt::from(40));
}

#[tokio::test(start_paused = true)]
async fn a_run_that_began_where_it_had_to_is_settled() {
    let (machine, origins) = (Machine::new(), Set::to(Way::Opens));
    let run = settler(&machine, &origins).await;
    let start = run.settler.start(&contracts(1), somebody(), Some(600)).await.unwrap();
    let record = record(&run, &start).await;
    let honest = proof(&record, &reads(&record, ELSEWHERE), 2);
    let reply = offers(&run.settler, 2, honest).await;
    assert!(matches!(reply, Reply::Settled(_)), "{reply:?}");
    assert_eq!(gold(&*run.world).await, (Felt::from(90), 0, None));
    run.world.audit().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_run_that_began_elsewhere_is_disputed_by_its_first_slot_and_its_prover_is_not_banned() {
    let (machine, origins) = (Machine::new(), Set::to(Way::Opens));
    let run = settler(&machine, &origins).await;
    let start = run.settler.start(&contracts(1), somebody(), Some(600)).await.unwrap();
    let record = record(&run, &start).await;
    let account = start.accounts[0];
    let lie = proof(&record, &reads(&record, 1_000), 2);
    let reply = offers(&run.settler, 2, lie.clone()).await;
    let Reply::Disputed(dispute) = reply else { panic!("it is disputed: {reply:?}") };
    let text = format!("the run began with 0x3e8 in slot {account}/0x77, and it has 0x9 (SW-SETTLE-008)");
    assert_eq!(dispute.statement.cause.to_string(), text);
    // A slot that settles has the World's value, whatever stands elsewhere.
    let mut rich = reads(&record, ELSEWHERE);
    rich.storage.insert((start.contract_index(start.entries[0].contract).unwrap(), Felt::from(GOLD)), Felt::from(99));
    let reply = offers(&run.settler, 3, proof(&record, &rich, 3)).await;
    let Reply::Disputed(dispute) = reply else { panic!("it is disputed: {reply:?}") };
    assert_eq!(dispute.statement.cause.reason, "the run began with 0x63 in slot 0x5/0x20, and it has 0x28");
    let mut again = reads(&record, ELSEWHERE);
    again.nonces.values_mut().for_each(|nonce| *nonce = Felt::TWO);
    let again = proof(&record, &again, 4);
    let reply = offers(&run.settler, 4, again.clone()).await;
    let Reply::Disputed(dispute) = reply else { panic!("it is disputed: {reply:?}") };
    assert_eq!(dispute.statement.cause.code, "SW-SETTLE-009");
    // A prover doesn't have the state, and an operator may have given it a wrong run.
    assert!(
        (2..=4).all(|prover| !is_banned(&run.settler, peer(prover)) && shown(&run.settler, peer(prover)).is_empty())
    );
    // The operator is told, and the same proof isn't looked at again.
    let told = handoff::Handler::next(&*run.settler, start.operator, &[start.shard], &[]).await.unwrap();
    let Answer::Verdict(ProofVerdict { proof: of, verdict: Verdict::Disputed { cause }, .. }) = told else {
        panic!("a verdict: {told:?}")
    };
    assert_eq!((of, cause.code.as_str()), (again.proof, "SW-SETTLE-009"));
    origins.set(Way::Lacks);
    assert!(matches!(offers(&run.settler, 4, again).await, Reply::Disputed(_)));
    // Nothing was applied, and an honest run still settles.
    assert!(matches!(self::record(&run, &start).await.state, ShardState::Started));
    origins.set(Way::Opens);
    let honest = proof(&record, &reads(&record, ELSEWHERE), 5);
    assert!(matches!(offers(&run.settler, 5, honest).await, Reply::Settled(_)));
}

/// What the node isn't ready for.
fn unmet(run: &Run) -> Vec<String> {
    let unmet = run.settler.host.telemetry.unmet().into_iter();
    unmet
        .map(|it| format!("{}: {} {} {}", it.condition, it.shortfall.code, it.shortfall.why, it.shortfall.next_step))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_settler_that_lacks_the_state_gives_no_verdict_and_settles_when_it_has_it() {
    let (machine, origins) = (Machine::new(), Set::to(Way::Opens));
    let run = settler(&machine, &origins).await;
    let start = run.settler.start(&contracts(1), somebody(), Some(600)).await.unwrap();
    let (shard, record) = (start.shard, record(&run, &start).await);
    let honest = proof(&record, &reads(&record, ELSEWHERE), 2);
    for (way, why) in [
        (Way::Lacks, "the genesis isn't here"),
        // What was accepted at the start and is refused now is this machine's trouble as well.
        (Way::Refuses, "no shard begins like this"),
        (Way::Breaks, "a bad sector"),
    ] {
        origins.set(way);
        let reply = offers(&run.settler, 2, honest.clone()).await;
        let Reply::Skipped { reason: SkipReason::Pending, cause, .. } = reply else { panic!("it waits: {reply:?}") };
        let text = format!("what shard {shard} began from can't be looked at: {why} (SW-X-001) (SW-SETTLER-015)");
        assert_eq!(cause.to_string(), text);
        // While that is known the proof isn't fetched again.
        origins.set(if matches!(way, Way::Breaks) { Way::Lacks } else { way });
        assert!(matches!(
            offers(&run.settler, 2, honest.clone()).await,
            Reply::Skipped { reason: SkipReason::Pending, .. }
        ));
        assert!(run.settler.host.store.get(&VERDICTS, &SegmentId::first(shard)).unwrap().is_none(), "no verdict");
        assert!(
            unmet(&run)[0]
                .starts_with(&format!("origin: SW-X-001 no proof of shard {} can be decided on: ", shard.short())),
            "{:?}",
            unmet(&run)
        );
        origins.set(Way::Opens);
        sleep(Duration::from_secs(100)).await;
        assert_eq!(unmet(&run), Vec::<String>::new(), "it is found by itself");
    }
    assert!(!is_banned(&run.settler, peer(2)));
    assert!(matches!(offers(&run.settler, 2, honest).await, Reply::Settled(_)));
}

#[tokio::test(start_paused = true)]
async fn a_settler_that_starts_without_the_state_of_an_open_shard_says_so_until_it_is_there_or_the_shard_is_over() {
    let (machine, origins) = (Machine::new(), Set::to(Way::Opens));
    let start = {
        let run = settler(&machine, &origins).await;
        let start = run.settler.start(&contracts(1), somebody(), Some(600)).await.unwrap();
        assert_eq!(unmet(&run), Vec::<String>::new());
        start
    };
    origins.set(Way::Lacks);
    let lacks = format!(
        "origin: SW-X-001 no proof of shard {} can be decided on: the genesis isn't here Bring it.",
        start.shard.short()
    );
    let run = settler(&machine, &origins).await;
    sleep(Duration::from_secs(1)).await;
    assert_eq!(unmet(&run), std::slice::from_ref(&lacks));
    let record = record(&run, &start).await;
    let honest = proof(&record, &reads(&record, ELSEWHERE), 2);
    let reply = offers(&run.settler, 2, honest).await;
    assert!(matches!(reply, Reply::Skipped { reason: SkipReason::Pending, .. }), "{reply:?}");
    sleep(Duration::from_secs(200)).await;
    assert_eq!(unmet(&run), [lacks], "it is tried again, in vain");
    // The shard is over by its deadline; nothing is lacking any more.
    sleep(Duration::from_secs(600)).await;
    assert!(matches!(self::record(&run, &start).await.state, ShardState::Aborted { .. }));
    assert_eq!(unmet(&run), Vec::<String>::new());
}
