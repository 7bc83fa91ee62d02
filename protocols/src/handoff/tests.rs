use super::*;
use crate::{
    Failure, Signed,
    testing::{
        DiskFull, LARGEST, fits, halves, identity, largest_cause, largest_start, refused_when_read, reset, rule,
        served_rule, small_start,
    },
    timing::{ASK_INTERVAL, HOLD, NEXT},
};
use shardwire_model::{Cause, Coded, Felt, Hash, MAX_ENTRIES, MAX_SEGMENTS, PeerId, ShardId, Timestamp};
use shardwire_transport::{Branch, Identity, PeerSignature, Responder, WireCode};
use std::{collections::VecDeque, future::pending, sync::Mutex};
use tokio::time::Instant;

#[derive(Default)]
struct Settler {
    answers: Mutex<VecDeque<Answer>>,
    heard: Mutex<Vec<String>>,
    broken: bool,
}

impl Settler {
    fn with(answers: impl Into<VecDeque<Answer>>) -> Self {
        Self { answers: Mutex::new(answers.into()), ..Self::default() }
    }

    fn note(&self, text: String) -> Result<(), Failure> {
        if self.broken {
            return Err(DiskFull.into());
        }
        self.heard.lock().unwrap().push(text);
        Ok(())
    }
}

impl Handler for Settler {
    async fn next(&self, _: PeerId, known: &[ShardId], _: &[KnownVerdict]) -> Result<Answer, Failure> {
        self.note(format!("asked, {} known", known.len()))?;
        let answer = self.answers.lock().unwrap().pop_front();
        match answer {
            Some(answer) => Ok(answer),
            None => pending().await,
        }
    }

    async fn cut(&self, _: PeerId, cuts: &[Cut]) -> Result<(), Failure> {
        for Cut { shard, segment, after } in cuts {
            self.note(format!("{shard} cut after {segment} at {after:#x}"))?;
        }
        Ok(())
    }

    async fn accepted(&self, operator: PeerId, acceptance: Signed<Acceptance>) -> Result<(), Failure> {
        let statement = acceptance.verify(&operator).expect("checked before");
        self.note(format!("accepted {} epoch {}", statement.shard, statement.epoch))
    }

    async fn declined(&self, _: PeerId, shard: ShardId, cause: Cause) -> Result<(), Failure> {
        self.note(format!("declined {shard}: {cause}"))
    }
}

fn operator() -> Identity {
    identity(1)
}

fn assign() -> Assign {
    let start = small_start(operator().peer());
    let values = vec![Felt::ONE; start.entries.len()];
    let signature = Signed::by(&identity(2), AssignmentTerms::of(&start, &values)).signature;
    Assign { values, start, epoch: 3, expires: Timestamp(99), signature }
}

fn assignment() -> Answer {
    Answer::Assign(Box::new(assign()))
}

fn meet() -> (Client, Responder<Handoff>) {
    let (a, b) = halves::<Handoff>(&operator(), &identity(2));
    (Client::new(a), b)
}

#[tokio::test(start_paused = true)]
async fn a_shard_is_assigned_accepted_and_closed_and_an_idle_settler_answers_nothing() {
    let shard = assign().start.shard;
    let closed = Closed { shard, outcome: Outcome::Settled { proof: Hash::of(b"proof") } };
    let settler = Settler::with([assignment(), Answer::Closed(closed.clone())]);
    let (client, session) = meet();
    let operate = async {
        let Next::Assign(got, pending) = client.ask(&operator(), &[], &[], &[]).await.unwrap() else {
            panic!("no assignment")
        };
        assert_eq!(*got, assign());
        let client = pending.accept(&operator()).await.unwrap();
        let Next::Closed(got, client) = client.ask(&operator(), &[shard], &[], &[]).await.unwrap() else {
            panic!("not closed")
        };
        assert_eq!(got, closed);
        let asked = Instant::now();
        let Next::Nothing(client) = client.ask(&operator(), &[], &[], &[]).await.unwrap() else { panic!("something") };
        assert_eq!(asked.elapsed(), HOLD);
        client.close().await.unwrap();
    };
    let ((), served) = tokio::join!(operate, serve(session, &settler));
    served.unwrap();
    let accepted = format!("accepted {shard} epoch 3");
    assert_eq!(*settler.heard.lock().unwrap(), ["asked, 0 known", &accepted, "asked, 1 known", "asked, 0 known"]);
}

#[tokio::test]
async fn a_shard_can_be_declined_with_a_reason() {
    let settler = Settler::with([assignment()]);
    let (client, session) = meet();
    let operate = async {
        let Next::Assign(_, pending) = client.ask(&operator(), &[], &[], &[]).await.unwrap() else {
            panic!("no assignment")
        };
        let client = pending.decline(DiskFull).await.unwrap();
        client.close().await.unwrap();
    };
    let ((), served) = tokio::join!(operate, serve(session, &settler));
    served.unwrap();
    let shard = assign().start.shard;
    assert_eq!(settler.heard.lock().unwrap()[1], format!("declined {shard}: the disk is full (SW-TEST-001)"));
}

#[tokio::test]
async fn an_assignment_that_contradicts_itself_is_the_settlers_fault() {
    let foreign = Assign { start: small_start(identity(9).peer()), ..assign() };
    let short = Assign { values: vec![], ..assign() };
    let mut twice = assign();
    // What one settler has signed, another one assigns; and what it has signed of another state.
    let theirs = Signed::by(&identity(9), assign().terms().statement).signature;
    let others = Assign { signature: theirs, ..assign() };
    let state = Assign { values: vec![Felt::TWO; 3], ..assign() };
    let forged = "SW-HANDOFF-006 the signature on the 'shardwire handoff assignment 1' is not by peer";
    twice.start.accounts[1] = twice.start.accounts[0];
    for (bad, text) in [
        (foreign, "SW-HANDOFF-001 the shard is for operator"),
        (short, "SW-HANDOFF-001 0 values for 3 entries"),
        (twice, "SW-HANDOFF-001 the start data contradicts itself: account"),
        (others, forged),
        (state, forged),
    ] {
        let settler = Settler::with([Answer::Assign(Box::new(bad))]);
        let (client, session) = meet();
        let me = operator();
        let (asked, served) = tokio::join!(client.ask(&me, &[], &[], &[]), serve(session, &settler));
        assert!(rule(asked).starts_with(text), "{text}");
        assert_eq!(reset(served), WireCode::RuleBroken);
    }
}

#[tokio::test]
async fn news_of_a_shard_that_was_not_named_is_the_settlers_fault() {
    let closed = Closed { shard: ShardId(Felt::TWO), outcome: Outcome::Aborted };
    let settler = Settler::with([Answer::Closed(closed)]);
    let (client, session) = meet();
    let (me, known) = (operator(), [ShardId(Felt::ONE)]);
    let (asked, served) = tokio::join!(client.ask(&me, &known, &[], &[]), serve(session, &settler));
    assert_eq!(rule(asked), "SW-HANDOFF-002 shard 0x2 is closed, which wasn't asked about");
    assert_eq!(reset(served), WireCode::RuleBroken);
}

#[tokio::test(start_paused = true)]
async fn a_verdict_is_told_once_and_of_shards_that_were_named() {
    let (shard, proof) = (ShardId(Felt::ONE), Hash::of(b"proof"));
    let verdict = Verdict::Disputed { cause: Cause::new("SW-TEST-001", "it proves nothing") };
    let news = ProofVerdict { shard, segment: 1, proof, verdict };
    let told = |proof, verified| KnownVerdict { proof, verified };
    let asked = |shard: ShardId, told: Vec<KnownVerdict>| {
        let news = news.clone();
        async move {
            let settler = Settler::with([Answer::Verdict(news)]);
            let (client, session) = meet();
            let (me, known) = (operator(), [shard]);
            tokio::join!(client.ask(&me, &known, &told, &[]), serve(session, &settler)).0
        }
    };
    let Ok(Next::Verdict(got, _)) = asked(shard, vec![told(Hash::of(b"another"), false), told(proof, true)]).await
    else {
        panic!("no verdict")
    };
    assert_eq!(got, news);
    for (shard, told, why) in [
        (ShardId(Felt::TWO), vec![], "it is on a proof of shard 0x1, which wasn't asked about"),
        (shard, vec![told(proof, false)], "it is on a proof of shard 0x1, and was told before"),
    ] {
        assert_eq!(rule(asked(shard, told).await), format!("SW-HANDOFF-005 {why}"));
    }
}

#[tokio::test(start_paused = true)]
async fn where_a_run_was_cut_is_noted_before_the_question_is_answered() {
    let (shard, another) = (ShardId(Felt::ONE), ShardId(Felt::TWO));
    let closed = Closed { shard, outcome: Outcome::Aborted };
    let cut = |shard, segment| Cut { shard, segment, after: Felt::THREE };
    for (cuts, heard) in [
        (vec![cut(shard, 0), cut(shard, MAX_SEGMENTS - 2)], Ok(["0x1 cut after 0 at 0x3", "0x1 cut after 62 at 0x3"])),
        (vec![cut(shard, 0), cut(another, 0)], Err("shard 0x2 can't be cut after segment 0, or isn't named")),
        (vec![cut(shard, MAX_SEGMENTS - 1)], Err("shard 0x1 can't be cut after segment 63, or isn't named")),
        (vec![cut(shard, u32::MAX)], Err("shard 0x1 can't be cut after segment 4294967295, or isn't named")),
    ] {
        let settler = Settler::with([Answer::Closed(closed.clone())]);
        let (client, session) = meet();
        let (me, known) = (operator(), [shard]);
        let (_asked, served) = tokio::join!(client.ask(&me, &known, &[], &cuts), serve(session, &settler));
        let noted = settler.heard.lock().unwrap().clone();
        match heard {
            Ok(heard) => assert_eq!(noted, [&heard[..], &["asked, 1 known"]].concat()),
            Err(why) => {
                assert_eq!(served_rule(served), format!("SW-HANDOFF-007 {why}"));
                assert!(noted.is_empty(), "{noted:?}");
            }
        }
    }
}

#[tokio::test]
async fn an_acceptance_that_is_forged_or_of_another_assignment_is_the_operators_fault() {
    let shard = assign().start.shard;
    let cases = [
        (
            identity(7),
            Acceptance { shard, epoch: 3 },
            "SW-HANDOFF-003 the signature on the 'shardwire handoff acceptance 1'",
        ),
        (operator(), Acceptance { shard, epoch: 2 }, "SW-HANDOFF-003 it accepts another assignment"),
        (
            operator(),
            Acceptance { shard: ShardId(Felt::ONE), epoch: 3 },
            "SW-HANDOFF-003 it accepts another assignment",
        ),
    ];
    for (signer, acceptance, text) in cases {
        let settler = Settler::with([assignment()]);
        let (a, b) = halves::<Handoff>(&operator(), &identity(2));
        let cheat = async {
            let answered = a.enter().choose(Ask { known: vec![], verdicts: vec![], cuts: vec![] }).await.unwrap();
            let Branch::Second(more) = answered.offer().await.unwrap() else { panic!("nothing") };
            let Branch::First(assigned) = more.offer().await.unwrap() else { panic!("closed") };
            let (_, assigned) = assigned.recv::<Assign, _>().await.unwrap();
            assigned.choose(Signed::by(&signer, acceptance)).await.unwrap()
        };
        let (_held, served) = tokio::join!(cheat, serve(b, &settler));
        assert!(served_rule(served).starts_with(text), "{text}");
        assert_eq!(settler.heard.lock().unwrap().len(), 1, "nothing was accepted");
    }
}

#[tokio::test]
async fn declining_another_shard_is_the_operators_fault() {
    let settler = Settler::with([assignment()]);
    let (a, b) = halves::<Handoff>(&operator(), &identity(2));
    let cheat = async {
        let answered = a.enter().choose(Ask { known: vec![], verdicts: vec![], cuts: vec![] }).await.unwrap();
        let Branch::Second(more) = answered.offer().await.unwrap() else { panic!("nothing") };
        let Branch::First(assigned) = more.offer().await.unwrap() else { panic!("closed") };
        let (_, assigned) = assigned.recv::<Assign, _>().await.unwrap();
        assigned.choose(Decline { shard: ShardId(Felt::ONE), cause: DiskFull.into() }).await.unwrap()
    };
    let (_held, served) = tokio::join!(cheat, serve(b, &settler));
    assert_eq!(served_rule(served), "SW-HANDOFF-004 it declines another shard than the one assigned");
}

#[tokio::test]
async fn a_handler_that_fails_ends_the_session_with_its_own_error() {
    let settler = Settler { broken: true, ..Settler::default() };
    let (client, session) = meet();
    let me = operator();
    let (asked, served) = tokio::join!(client.ask(&me, &[], &[], &[]), serve(session, &settler));
    let served = served.unwrap_err();
    assert_eq!((served.to_string().as_str(), served.code()), ("the disk is full", "SW-TEST-001"));
    assert_eq!(served.next_step(), "Buy a larger one.");
    assert!(asked.unwrap_err().is_transient(), "the operator may try again");
}

#[tokio::test(start_paused = true)]
async fn a_silent_operator_is_given_up() {
    let settler = Settler::default();
    let (client, session) = meet();
    let began = Instant::now();
    let error = serve(session, &settler).await.unwrap_err();
    assert!(error.to_string().contains("awaiting Ask | Bye: nothing came within 60s"), "{error}");
    assert_eq!(began.elapsed(), NEXT);
    drop(client);
}

#[tokio::test(start_paused = true)]
async fn a_settler_that_does_not_hold_questions_is_asked_once_a_second() {
    let (a, b) = halves::<Handoff>(&operator(), &identity(2));
    let hasty = async {
        let mut session = b.enter();
        while let Branch::First(ask) = session.offer().await.unwrap() {
            let (_, answer) = ask.recv::<Ask, _>().await.unwrap();
            session = answer.choose(Nothing {}).await.unwrap().repeat();
        }
    };
    let ask = async {
        let (me, mut client) = (operator(), Client::new(a));
        let began = Instant::now();
        for _ in 0..10 {
            let Next::Nothing(next) = client.ask(&me, &[], &[], &[]).await.unwrap() else { panic!("something") };
            client = next;
        }
        assert!(began.elapsed() >= 9 * ASK_INTERVAL);
        let _ = client.close().await;
    };
    tokio::join!(hasty, ask);
}

/// A fixed bug: the next question came at once, so a settler with a shard that is always declined was asked as fast as the network allowed.
#[tokio::test(start_paused = true)]
async fn who_declines_asks_again_once_a_second() {
    let settler = Settler::with([assignment(), assignment(), assignment()]);
    let (client, session) = meet();
    let decline = async {
        let (me, mut client) = (operator(), client);
        let began = Instant::now();
        for _ in 0..3 {
            let Next::Assign(_, pending) = client.ask(&me, &[], &[], &[]).await.unwrap() else {
                panic!("no assignment")
            };
            client = pending.decline(DiskFull).await.unwrap();
        }
        assert_eq!(began.elapsed(), 2 * ASK_INTERVAL);
        client.close().await.unwrap();
    };
    let ((), served) = tokio::join!(decline, serve(session, &settler));
    served.unwrap();
}

#[test]
fn the_largest_messages_fit_and_longer_lists_are_refused() {
    let shard = ShardId(LARGEST);
    let verdicts = |count| vec![KnownVerdict { proof: Hash([255; 32]), verified: true }; count];
    let cuts = |count| vec![Cut { shard, segment: u32::MAX, after: LARGEST }; count];
    let ask = |known, of_verdicts, of_cuts| Ask {
        known: vec![shard; known],
        verdicts: verdicts(of_verdicts),
        cuts: cuts(of_cuts),
    };
    fits(&ask(MAX_KNOWN, MAX_VERDICTS, MAX_CUTS));
    refused_when_read(&ask(MAX_KNOWN + 1, 0, 0));
    refused_when_read(&ask(0, MAX_VERDICTS + 1, 0));
    refused_when_read(&ask(0, 0, MAX_CUTS + 1));
    let disputed = Verdict::Disputed { cause: largest_cause() };
    fits(&ProofVerdict { shard, segment: 1, proof: Hash([255; 32]), verdict: disputed });
    let (epoch, expires) = (u64::MAX, Timestamp(u64::MAX));
    let largest = Assign {
        start: largest_start(),
        values: vec![LARGEST; MAX_ENTRIES],
        epoch,
        expires,
        signature: PeerSignature([255; 64]),
    };
    fits(&largest);
    refused_when_read(&Assign { values: vec![LARGEST; MAX_ENTRIES + 1], ..largest });
    fits(&Closed { shard, outcome: Outcome::Settled { proof: Hash([255; 32]) } });
    fits(&Signed::by(&operator(), Acceptance { shard, epoch }));
    fits(&Decline { shard, cause: largest_cause() });
    fits(&Nothing {});
    fits(&Bye {});
}
