//! Runs in segments: proofs in any order, cuts that come late, and those who lie about either.

use super::{
    evidence::Checking,
    life_tests::{Machine, Run, gold, lived, output_of, request, somebody},
    origins_tests::{ELSEWHERE, Set, Way, contracts, peer, reads, record, settler},
    segments::{MAX_UNCUT, Uncut},
    tests::{Believer, PROGRAM, identity, is_banned, offers, shown},
    *,
};
use shardwire_host::testing::SetWall;
use shardwire_model::{
    Felt, Hash, MAX_SEGMENTS, MAX_TRANSACTIONS, Output, SegmentId, ShardStart, Stage, Timestamp,
    life::{AbortReason, Step},
    reads::{commitment, join},
};
use shardwire_protocols::{
    Signed,
    evidence::{Accusation, BadProof, Evidence, NoEvidence},
    handoff::{Answer, Cut, Handler as _, KnownVerdict, Verdict},
    proof::{Announced, Ready, Reply, SkipReason, StoredProof},
    trace::job_id,
};
use shardwire_proving::verify::{Proven, Verify, VerifyError};
use shardwire_store::records::{CUTS, OUTPUTS, VERDICTS, WireFelt};
use shardwire_world::{ShardRecord, ShardState};
use std::sync::atomic::{AtomicU64, Ordering};

/// The state after this segment; of the first it is the one before the next.
fn state(segment: u32) -> Felt {
    Felt::from(100 + segment)
}

/// The output of this segment of a run of three.
fn output(record: &ShardRecord, segment: u32) -> Output {
    let whole = output_of(record);
    let (before, ended) = (segment.checked_sub(1).map_or(record.before, state), segment == 2);
    let updates = if ended { whole.updates.clone() } else { Vec::new() };
    Output { segment, before, after: state(segment), ended, updates, ..whole }
}

/// What a prover offers that has a proof of this.
fn proof(record: &ShardRecord, output: Output) -> StoredProof {
    let felts = reads(record, ELSEWHERE).to_felts(&record.start.for_contracts().unwrap());
    let output = Output { reads: commitment(&felts), ..output };
    let proof = [&b"proof"[..], &postcard::to_allocvec(&output).unwrap()].concat();
    let bytes = join(&felts, &proof);
    let start = &record.start;
    let job = job_id(start.program, start.commitment(), output.before, output.segment);
    let (shard, segment, proof) = (start.shard, output.segment, Hash::of(&bytes));
    StoredProof { shard, segment, job, proof, bytes: bytes.into(), leased: None }
}

fn honest(record: &ShardRecord, segment: u32) -> StoredProof {
    proof(record, output(record, segment))
}

fn cut(start: &ShardStart, segment: u32) -> Cut {
    Cut { shard: start.shard, segment, after: state(segment) }
}

/// Why a proof was skipped, as its code says it; it may be offered again.
fn waits(reply: Reply) -> String {
    let Reply::Skipped { reason: SkipReason::Pending, cause, .. } = reply else { panic!("it waits: {reply:?}") };
    cause.code
}

fn disputed(reply: Reply) -> String {
    let Reply::Disputed(dispute) = reply else { panic!("it is disputed: {reply:?}") };
    dispute.statement.cause.to_string()
}

/// What is told to the operator that was told this.
async fn told(run: &Run, start: &ShardStart, known: &[KnownVerdict]) -> (u32, Hash, Verdict) {
    let Answer::Verdict(news) = run.settler.next(start.operator, &[start.shard], known).await.unwrap() else {
        panic!("a verdict")
    };
    (news.segment, news.proof, news.verdict)
}

/// A settler with an open shard of contracts.
async fn begun() -> (Machine, Arc<Set>, Run, ShardRecord) {
    let (machine, origins) = (Machine::new(), Set::to(Way::Opens));
    let run = settler(&machine, &origins).await;
    let start = run.settler.start(&contracts(1), somebody(), Some(600)).await.unwrap();
    let record = record(&run, &start).await;
    (machine, origins, run, record)
}

/// How many records there are of cuts and of outputs.
fn kept(run: &Run) -> (usize, usize) {
    let store = &run.settler.host.store;
    (store.all(&CUTS).unwrap().len(), store.all(&OUTPUTS).unwrap().len())
}

#[tokio::test(start_paused = true)]
async fn a_run_is_settled_as_a_whole_whichever_proof_is_the_last_and_each_prover_gets_its_receipt() {
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let (machine, origins, mut run, record) = begun().await;
        let start = &record.start;
        run.settler.cut(start.operator, &[cut(start, 0), cut(start, 1)]).await.unwrap();
        // Each prover has the number of its segment, and three more.
        let prover = |segment: u32| 3 + u8::try_from(segment).unwrap();
        for (index, segment) in order.into_iter().enumerate() {
            // What is known survives each restart.
            drop(run);
            run = settler(&machine, &origins).await;
            let reply = offers(&run.settler, prover(segment), honest(&record, segment)).await;
            if index < 2 {
                assert_eq!(waits(reply), "SW-SETTLER-018", "{order:?}");
                assert_eq!(kept(&run), (2, index + 1));
                assert_eq!(gold(&*run.world).await.1, 40, "nothing is settled yet");
                let status = run.settler.status(start.shard).await.unwrap().unwrap();
                assert_eq!((status.proven_segments as usize, status.cuts, status.verdict), (index + 1, 2, None));
                // Again it isn't another one.
                assert_eq!(
                    waits(offers(&run.settler, prover(segment), honest(&record, segment)).await),
                    "SW-SETTLER-018"
                );
            } else {
                let Reply::Settled(receipt) = reply else { panic!("{order:?}: {reply:?}") };
                assert_eq!(receipt.statement.segment, segment);
            }
        }
        assert_eq!(gold(&*run.world).await, (Felt::from(90), 0, None));
        run.world.audit().await.unwrap();
        assert_eq!(kept(&run), (0, 0), "no longer than the shard is open");
        let last = honest(&record, 2);
        let ShardState::Settled(settlement) = self::record(&run, start).await.state else { panic!("settled") };
        assert_eq!((settlement.proof, settlement.output.count), (last.proof, 3 * output_of(&record).count));
        assert_eq!((settlement.output.before, settlement.output.after), (record.before, state(2)));
        let verified = Step::Verified { proof: last.proof, prover: peer(prover(2)) };
        let life = lived(&run.settler, start.shard);
        assert_eq!((life.stage(), life.step(Stage::Verified)), (Some(Stage::Settled), Some(&verified)));
        for segment in 0..3 {
            let reply = offers(&run.settler, prover(segment), honest(&record, segment)).await;
            let Reply::Settled(receipt) = reply else { panic!("{order:?}: {reply:?}") };
            assert_eq!((receipt.statement.segment, receipt.statement.settled_at), (segment, settlement.at));
            // Another proof of the segment is late, also under the name of one that counted.
            let other = StoredProof { proof: honest(&record, (segment + 1) % 3).proof, ..honest(&record, segment) };
            let reply = offers(&run.settler, 9, StoredProof { bytes: b"other".to_vec().into(), ..other }).await;
            assert!(matches!(reply, Reply::Skipped { reason: SkipReason::Settled, .. }), "{reply:?}");
        }
        let status = run.settler.status(start.shard).await.unwrap().unwrap();
        assert_eq!((status.proven_segments, status.cuts, status.verdict.unwrap().proof), (3, 0, last.proof));
    }
}

#[tokio::test(start_paused = true)]
async fn an_operator_is_told_the_verdict_on_each_segment() {
    let (_machine, _origins, run, record) = begun().await;
    let start = &record.start;
    run.settler.cut(start.operator, &[cut(start, 0), cut(start, 1)]).await.unwrap();
    let (zero, one, lie) = (honest(&record, 0), honest(&record, 1), Output { after: Felt::ONE, ..output(&record, 1) });
    let lie = proof(&record, lie);
    assert!(disputed(offers(&run.settler, 3, lie.clone()).await).contains("SW-SETTLER-016"));
    assert_eq!(waits(offers(&run.settler, 4, zero.clone()).await), "SW-SETTLER-018");
    let known = |proof, verified| KnownVerdict { proof, verified };
    assert_eq!(told(&run, start, &[]).await, (0, zero.proof, Verdict::Verified));
    let (segment, of, verdict) = told(&run, start, &[known(zero.proof, true)]).await;
    assert!((segment, of) == (1, lie.proof) && matches!(verdict, Verdict::Disputed { .. }), "{verdict:?}");
    assert_eq!(waits(offers(&run.settler, 5, one.clone()).await), "SW-SETTLER-018");
    let both = [known(zero.proof, true), known(lie.proof, false)];
    assert_eq!(told(&run, start, &both).await, (1, one.proof, Verdict::Verified));
}

/// Believes what [`Believer`] does, and counts.
#[derive(Debug, Default)]
struct Counting(AtomicU64);

impl Verify for Counting {
    fn verify(&self, bytes: &[u8]) -> Result<Proven, VerifyError> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Believer.verify(bytes)
    }
}

#[tokio::test(start_paused = true)]
async fn a_proof_whose_segment_has_no_cut_yet_waits_and_is_not_fetched_again_before_it_has() {
    let (machine, counts) = (Machine::new(), Arc::new(Counting::default()));
    let judge = Judge::new(counts.clone(), Set::to(Way::Opens));
    let run = machine.with_judge(&SetWall::at(Timestamp(10_000)), judge).await.unwrap();
    let start = run.settler.start(&contracts(1), somebody(), Some(600)).await.unwrap();
    let record = record(&run, &start).await;
    let seen = || counts.0.load(Ordering::SeqCst);
    // Where it begins isn't known.
    assert_eq!(waits(offers(&run.settler, 4, honest(&record, 1)).await), "SW-SETTLER-017");
    assert_eq!(seen(), 0);
    // Where it ends isn't: it might be the last.
    for _ in 0..3 {
        assert_eq!(waits(offers(&run.settler, 3, honest(&record, 0)).await), "SW-SETTLER-017");
        assert_eq!(seen(), 1);
    }
    assert_eq!(run.settler.host.store.get(&VERDICTS, &SegmentId::first(start.shard)).unwrap(), None, "no verdict");
    assert_eq!(kept(&run), (0, 0));
    run.settler.cut(start.operator, &[cut(&start, 0)]).await.unwrap();
    assert_eq!(waits(offers(&run.settler, 3, honest(&record, 0)).await), "SW-SETTLER-018");
    assert_eq!((seen(), kept(&run)), (2, (1, 1)));
    // Another proof of it isn't wanted, and the next one is.
    let second = Output { transactions: Felt::TWO, ..output(&record, 0) };
    assert_eq!(waits(offers(&run.settler, 5, proof(&record, second)).await), "SW-SETTLER-018");
    assert_eq!(seen(), 2);
    let all = Output { segment: 1, before: state(0), ..output(&record, 2) };
    let reply = offers(&run.settler, 4, proof(&record, all)).await;
    assert!(matches!(&reply, Reply::Settled(it) if it.statement.segment == 1), "{reply:?}");
}

#[tokio::test(start_paused = true)]
async fn a_run_of_one_segment_keeps_nothing_but_its_verdict() {
    let (_machine, _origins, run, record) = begun().await;
    let all = output_of(&record);
    let reply = offers(&run.settler, 3, proof(&record, all)).await;
    assert!(matches!(reply, Reply::Settled(_)), "{reply:?}");
    assert_eq!((kept(&run), run.settler.host.store.all(&VERDICTS).unwrap().len()), ((0, 0), 1));
}

#[tokio::test(start_paused = true)]
async fn a_proof_that_ends_elsewhere_than_its_operator_says_is_disputed_and_stands_in_nobodys_way() {
    let (_machine, _origins, run, record) = begun().await;
    let start = &record.start;
    run.settler.cut(start.operator, &[cut(start, 0), cut(start, 1)]).await.unwrap();
    // A part of the segment, and an end that the run doesn't have.
    let part = proof(&record, Output { after: Felt::from(7), ..output(&record, 0) });
    let text = "the operator has cut segment 0 at state 0x64, and the proof ends at 0x7 (SW-SETTLER-016)";
    assert_eq!(disputed(offers(&run.settler, 3, part.clone()).await), text);
    let end = proof(&record, output_of(&record));
    let text = "the operator says that the run goes on after segment 0, and the proof has its end (SW-SETTLER-016)";
    assert_eq!(disputed(offers(&run.settler, 4, end).await), text);
    // Nobody can tell who is wrong.
    for prover in [3, 4] {
        assert!(!is_banned(&run.settler, peer(prover)) && shown(&run.settler, peer(prover)).is_empty());
    }
    assert!(!is_banned(&run.settler, start.operator));
    assert_eq!(kept(&run), (2, 0));
    for segment in 0..2 {
        assert_eq!(waits(offers(&run.settler, 5, honest(&record, segment)).await), "SW-SETTLER-018");
    }
    // It hides no verdict that another one got.
    assert_eq!(waits(offers(&run.settler, 3, part).await), "SW-SETTLER-018");
    let verdict = run.settler.host.store.get(&VERDICTS, &SegmentId::first(start.shard)).unwrap().unwrap();
    assert_eq!((verdict.proof, verdict.fault), (honest(&record, 0).proof, None));
    assert!(matches!(offers(&run.settler, 5, honest(&record, 2)).await, Reply::Settled(_)));
}

#[tokio::test(start_paused = true)]
async fn a_proof_of_a_segment_that_begins_elsewhere_is_of_another_job() {
    let (_machine, _origins, run, record) = begun().await;
    let start = &record.start;
    run.settler.cut(start.operator, &[cut(start, 0)]).await.unwrap();
    let elsewhere = proof(&record, Output { before: Felt::from(7), ..output(&record, 1) });
    // One that announces the right job and proves that, breaks its word.
    let announced = StoredProof { job: honest(&record, 1).job, ..elsewhere.clone() };
    let reply = offers(&run.settler, 3, elsewhere).await;
    assert!(matches!(reply, Reply::Skipped { reason: SkipReason::OtherJob, .. }), "{reply:?}");
    assert!(!is_banned(&run.settler, peer(3)));
    assert!(disputed(offers(&run.settler, 3, announced).await).contains("SW-SETTLE-003"));
    assert!(is_banned(&run.settler, peer(3)) && shown(&run.settler, peer(3)).len() == 1);
}

#[tokio::test(start_paused = true)]
async fn of_cuts_the_operators_first_word_counts_and_no_strangers() {
    let (_machine, _origins, run, record) = begun().await;
    let (start, settler) = (&record.start, &run.settler);
    let other = |segment| Cut { after: Felt::from(7), ..cut(start, segment) };
    settler.cut(peer(8), &[other(0)]).await.unwrap();
    assert_eq!(kept(&run), (0, 0), "a stranger's");
    settler.cut(start.operator, &[cut(start, 0), other(0), other(MAX_SEGMENTS - 1)]).await.unwrap();
    settler.cut(start.operator, &[other(0), cut(start, 1)]).await.unwrap();
    let cuts = settler.host.store.all(&CUTS).unwrap();
    let first = |segment| (SegmentId { shard: start.shard, segment }, WireFelt(state(segment)));
    assert_eq!(cuts, [first(0), first(1)]);
    // The longest run has sixty-four segments.
    let all: Vec<Cut> = (0..MAX_SEGMENTS * 2).map(|segment| cut(start, segment)).collect();
    settler.cut(start.operator, &all).await.unwrap();
    assert_eq!(kept(&run), (MAX_SEGMENTS as usize - 1, 0));
    let beyond = Output { segment: MAX_SEGMENTS, before: state(MAX_SEGMENTS - 1), ..output(&record, 1) };
    let reply = offers(settler, 3, proof(&record, beyond)).await;
    assert!(matches!(reply, Reply::Skipped { reason: SkipReason::OtherJob, .. }), "{reply:?}");
    // The last segment that there may be has to end the run.
    let last = Output { segment: MAX_SEGMENTS - 1, before: state(MAX_SEGMENTS - 2), ..output(&record, 1) };
    assert!(disputed(offers(settler, 3, proof(&record, last)).await).contains("SW-LEDGER"));
    // With the shard its cuts end, and those that come then are none.
    settler.abort(start.shard, AbortReason::Asked { by: somebody() }).await.unwrap();
    settler.cut(start.operator, &all).await.unwrap();
    assert_eq!(kept(&run), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_run_of_the_fixed_rules_has_one_segment_whatever_its_operator_says() {
    let (machine, origins) = (Machine::new(), Set::to(Way::Opens));
    let run = settler(&machine, &origins).await;
    let start = run.settler.start(&request(1), somebody(), Some(600)).await.unwrap();
    let record = record(&run, &start).await;
    run.settler.cut(start.operator, &[cut(&start, 0)]).await.unwrap();
    let offer = |output: Output| {
        let bytes = [&b"proof"[..], &postcard::to_allocvec(&output).unwrap()].concat();
        let job = job_id(start.program, start.commitment(), output.before, output.segment);
        let (shard, segment, proof) = (start.shard, output.segment, Hash::of(&bytes));
        StoredProof { shard, segment, job, proof, bytes: bytes.into(), leased: None }
    };
    let reply = offers(&run.settler, 3, offer(output(&record, 1))).await;
    assert!(matches!(reply, Reply::Skipped { reason: SkipReason::OtherJob, .. }), "{reply:?}");
    assert!(disputed(offers(&run.settler, 3, offer(output(&record, 0))).await).contains("SW-LEDGER"));
    assert!(matches!(offers(&run.settler, 3, offer(output_of(&record))).await, Reply::Settled(_)));
    assert_eq!(kept(&run), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn after_the_segment_that_ended_there_is_none() {
    let (_machine, _origins, run, record) = begun().await;
    let start = &record.start;
    run.settler.cut(start.operator, &[cut(start, 0), cut(start, 1)]).await.unwrap();
    assert_eq!(waits(offers(&run.settler, 5, honest(&record, 2)).await), "SW-SETTLER-018");
    run.settler.cut(start.operator, &[cut(start, 2), cut(start, 3)]).await.unwrap();
    assert_eq!(kept(&run), (2, 1), "passed over");
    let after = Output { segment: 3, before: state(2), ..output(&record, 2) };
    let reply = offers(&run.settler, 6, proof(&record, after)).await;
    assert!(matches!(reply, Reply::Skipped { reason: SkipReason::OtherJob, .. }), "{reply:?}");
    assert_eq!(waits(offers(&run.settler, 3, honest(&record, 0)).await), "SW-SETTLER-018");
    assert!(matches!(offers(&run.settler, 4, honest(&record, 1)).await, Reply::Settled(_)));
}

#[tokio::test(start_paused = true)]
async fn segments_that_are_too_long_together_are_not_settled_and_nothing_is_tried_again() {
    let (_machine, _origins, run, record) = begun().await;
    let start = &record.start;
    run.settler.cut(start.operator, &[cut(start, 0), cut(start, 1)]).await.unwrap();
    let long = |segment| proof(&record, Output { count: MAX_TRANSACTIONS, ..output(&record, segment) });
    assert_eq!(waits(offers(&run.settler, 3, long(1)).await), "SW-SETTLER-018");
    assert!(disputed(offers(&run.settler, 4, long(0)).await).contains("SW-SETTLE-012"));
    assert_eq!(kept(&run), (2, 1), "it isn't kept");
    assert!(!is_banned(&run.settler, peer(4)));
    // Nor is it looked at again, and a run that isn't too long up to there goes on.
    assert!(disputed(offers(&run.settler, 4, long(0)).await).contains("SW-SETTLE-012"));
    assert_eq!(waits(offers(&run.settler, 5, honest(&record, 2)).await), "SW-SETTLER-018");
    assert!(!lived(&run.settler, start.shard).is_over());
    run.settler.abort(start.shard, AbortReason::Asked { by: somebody() }).await.unwrap();
    assert_eq!(kept(&run), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_run_that_cannot_be_merged_ends_whichever_proof_was_the_last() {
    let (_machine, _origins, run, record) = begun().await;
    let start = &record.start;
    run.settler.cut(start.operator, &[cut(start, 0), cut(start, 1)]).await.unwrap();
    let mut last = output(&record, 2);
    last.updates[0].value = Felt::from(41);
    let last = proof(&record, last);
    for held in [last.clone(), honest(&record, 1)] {
        assert_eq!(waits(offers(&run.settler, 3, held).await), "SW-SETTLER-018");
    }
    let reply = offers(&run.settler, 4, honest(&record, 0)).await;
    assert!(matches!(reply, Reply::Skipped { reason: SkipReason::Aborted, .. }), "{reply:?}");
    let faults: Vec<_> = run.settler.host.store.all(&VERDICTS).unwrap().into_iter().map(|it| it.1.fault).collect();
    assert!(matches!(&faults[..], [None, None, Some(fault)] if fault.code == "SW-MERGE-010"), "{faults:?}");
    let status = run.settler.status(start.shard).await.unwrap().unwrap();
    assert_eq!((status.stage, status.error.unwrap().code.as_str()), (Stage::Aborted, "SW-MERGE-010"));
    assert_eq!((kept(&run), gold(&*run.world).await.1), ((0, 0), 0));
}

#[tokio::test(start_paused = true)]
async fn what_was_left_of_a_run_that_is_over_ends_when_the_settler_begins() {
    let (machine, origins, run, record) = begun().await;
    let shard = record.start.shard;
    run.settler.cut(record.start.operator, &[cut(&record.start, 0)]).await.unwrap();
    assert_eq!(waits(offers(&run.settler, 3, honest(&record, 0)).await), "SW-SETTLER-018");
    let (segment, store) = (SegmentId::first(shard), &run.settler.host.store);
    let left = store.get(&OUTPUTS, &segment).unwrap().unwrap();
    run.settler.abort(shard, AbortReason::Asked { by: somebody() }).await.unwrap();
    assert_eq!(kept(&run), (0, 0));
    store.put(&OUTPUTS, &segment, &left).unwrap();
    store.put(&CUTS, &segment, &WireFelt(state(0))).unwrap();
    drop(run);
    let run = settler(&machine, &origins).await;
    assert_eq!(kept(&run), (0, 0));
}

/// Anybody can accuse a prover of a segment's proof, which has no end and is good all the same.
#[tokio::test(start_paused = true)]
async fn a_segments_proof_is_no_evidence_though_its_run_goes_on() {
    let (_machine, _origins, _run, record) = begun().await;
    let accuse = |held: StoredProof, before| {
        let StoredProof { shard, segment, job, proof, bytes, .. } = held;
        let ready = Ready { shard, segment, job, proof, bytes: u32::try_from(bytes.len()).unwrap() };
        let announcement = Signed::by(&identity(3), Announced { ready, leased: None });
        let (start, bytes) = (record.start.commitment(), bytes.to_vec());
        let evidence = Evidence::Proof(Box::new(BadProof { announcement, start, before, bytes }));
        let accusation = Accusation { accused: peer(3), evidence };
        accusation.check(&Checking { verify: &Believer, program: PROGRAM })
    };
    assert_eq!(accuse(honest(&record, 1), state(0)), Err(NoEvidence::Proven));
    // Nor if its operator says that it has cut the run elsewhere.
    let part = proof(&record, Output { after: Felt::from(7), ..output(&record, 1) });
    assert_eq!(accuse(part, state(0)), Err(NoEvidence::Proven));
}

#[test]
fn of_proofs_that_wait_for_a_cut_a_bounded_number_is_remembered() {
    let uncut = Uncut::default();
    let first = SegmentId::first(ShardId(Felt::ONE));
    let proof = |number: usize| Hash::of(&number.to_be_bytes());
    for number in 0..=MAX_UNCUT {
        uncut.note(first, proof(number));
        uncut.note(first, proof(number));
    }
    assert!(!uncut.has(first, proof(0)), "the oldest makes room");
    assert!((1..=MAX_UNCUT).all(|number| uncut.has(first, proof(number))));
}
