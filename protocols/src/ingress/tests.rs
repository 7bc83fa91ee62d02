use super::*;
use crate::{
    Failure, Signed,
    testing::{
        LARGEST, distant_halves, fits, halves, identity, largest_cause, largest_start, refused_when_read, reset, rule,
        small_start, transaction,
    },
};
use shardwire_model::{
    AccountId, Cause, ContractId, Felt, Hash, Invoke, MAX_ACCOUNTS, MAX_CALLDATA_FELTS, MAX_SIGNATURE_FELTS, PeerId,
    ResourceBounds, SessionCall, ShardId, ShardTransaction, Signature,
};
use shardwire_transport::{Branch, Identity, Initiator, Responder, WireCode};
use std::{
    future::{Future, ready},
    marker::Send,
    sync::Mutex,
    time::Duration,
};
use tokio::{sync::watch, time::Instant};

/// Accepts nonces in turn; a nonce that was accepted is a duplicate, one above 1,000 is refused.
struct Operator {
    opened: Result<Opened, Refused>,
    sequence: Mutex<Vec<u64>>,
    /// How many transactions it may deal with.
    may: watch::Receiver<usize>,
}

impl Handler for Operator {
    async fn open(&self, _: PeerId, _: ShardId) -> Result<Result<Opened, Refused>, Failure> {
        Ok(self.opened.clone())
    }

    async fn submit(
        &self,
        _: PeerId,
        _: ShardId,
        transaction: ShardTransaction,
    ) -> Result<impl Future<Output = Result<Outcome, Failure>> + Send, Failure> {
        let done = self.sequence.lock().unwrap().len();
        self.may.clone().wait_for(|may| *may > done).await.unwrap();
        let nonce = transaction.nonce().expect("a nonce");
        let mut sequence = self.sequence.lock().unwrap();
        if nonce > 1000 {
            return Ok(ready(Ok(Outcome::Refused {
                cause: Cause::new("SW-ADMISSION-003", "the nonce is not the next"),
                due: Some(1),
            })));
        }
        let place = sequence.iter().position(|it| *it == nonce);
        if place.is_none() {
            sequence.push(nonce);
        }
        let position = place.unwrap_or(sequence.len() - 1);
        Ok(ready(Ok(Outcome::Accepted {
            sequence: u32::try_from(position).unwrap(),
            duplicate: place.is_some(),
            reverted: false,
        })))
    }
}

fn operator_identity() -> Identity {
    identity(2)
}

fn opened() -> Opened {
    Opened { start: small_start(operator_identity().peer()), nonces: vec![1, 1], accepted: 0, ended: false }
}

fn operator(opened: Result<Opened, Refused>) -> (Operator, watch::Sender<usize>) {
    let (gate, may) = watch::channel(usize::MAX);
    (Operator { opened, sequence: Mutex::default(), may }, gate)
}

fn shard() -> ShardId {
    opened().start.shard
}

type Halves = (Initiator<Ingress>, Responder<Ingress>);

fn meet() -> Halves {
    halves::<Ingress>(&identity(1), &operator_identity())
}

async fn client(session: Initiator<Ingress>) -> Box<Client> {
    match open(session, shard()).await.unwrap() {
        Opening::Opened(got, client) => {
            assert_eq!(*got, opened());
            client
        }
        Opening::Refused(refused) => panic!("{refused:?}"),
    }
}

fn outcome(receipt: Option<Receipt>) -> Outcome {
    receipt.expect("a receipt").statement.outcome
}

#[tokio::test]
async fn each_transaction_gets_its_receipt_in_order_and_a_refused_one_ends_nothing() {
    let (operator, _gate) = operator(Ok(opened()));
    let (a, b) = meet();
    let me = operator_identity();
    let submit = async {
        let mut client = client(a).await;
        let mut receipts = Vec::new();
        for nonce in (1..=200).chain([5000, 7, 201]) {
            receipts.extend(client.submit(&transaction(nonce)).await.unwrap());
        }
        while let Some(receipt) = client.receipt().await.unwrap() {
            receipts.push(receipt);
        }
        client.close().await.unwrap();
        receipts
    };
    let (receipts, served) = tokio::join!(submit, serve(b, &operator, &me));
    served.unwrap();
    let outcomes: Vec<Outcome> =
        receipts.into_iter().map(|it| it.verify(&me.peer()).unwrap().outcome.clone()).collect();
    for (at, outcome) in outcomes[..200].iter().enumerate() {
        assert_eq!(
            *outcome,
            Outcome::Accepted { sequence: u32::try_from(at).unwrap(), duplicate: false, reverted: false }
        );
    }
    assert!(matches!(&outcomes[200], Outcome::Refused { cause, due: Some(1) } if cause.code == "SW-ADMISSION-003"));
    assert_eq!(outcomes[201], Outcome::Accepted { sequence: 6, duplicate: true, reverted: false });
    assert_eq!(outcomes[202], Outcome::Accepted { sequence: 200, duplicate: false, reverted: false });
}

#[tokio::test]
async fn a_shard_that_takes_nothing_is_refused_with_the_reason() {
    let (operator, _gate) = operator(Err(Refused {
        reason: RefusalReason::Unknown,
        cause: Cause::new("SW-OPERATOR-001", "no such shard is executed here"),
    }));
    let (a, b) = meet();
    let me = operator_identity();
    let (opening, served) = tokio::join!(open(a, shard()), serve(b, &operator, &me));
    served.unwrap();
    let Opening::Refused(refused) = opening.unwrap() else { panic!("opened") };
    assert_eq!(refused.reason, RefusalReason::Unknown);
    assert_eq!(refused.cause.to_string(), "no such shard is executed here (SW-OPERATOR-001)");
}

#[tokio::test]
async fn start_data_of_another_shard_or_operator_is_the_operators_fault() {
    let mut other = opened();
    other.start.shard = ShardId(Felt::TWO);
    let mut foreign = opened();
    foreign.start.operator = identity(9).peer();
    let short = Opened { nonces: vec![1], ..opened() };
    for (bad, text) in [
        (other, "SW-INGRESS-001 start data of shard 0x2"),
        (foreign, "SW-INGRESS-001 the shard's operator is"),
        (short, "SW-INGRESS-001 1 nonces for 2 accounts"),
    ] {
        let (operator, _gate) = operator(Ok(bad));
        let (a, b) = meet();
        let me = operator_identity();
        let (opening, served) = tokio::join!(open(a, shard()), serve(b, &operator, &me));
        assert!(rule(opening).starts_with(text), "{text}");
        assert_eq!(reset(served), WireCode::RuleBroken);
    }
}

#[tokio::test]
async fn so_many_transactions_are_sent_ahead_and_no_more() {
    let (operator, gate) = operator(Ok(opened()));
    gate.send(0).unwrap();
    let (a, b) = meet();
    let me = operator_identity();
    let submit = async {
        let mut client = client(a).await;
        for nonce in 1..=DEPTH {
            let nonce = u32::try_from(nonce).unwrap();
            assert_eq!(client.submit(&transaction(nonce)).await.unwrap(), None);
        }
        assert_eq!(client.outstanding(), DEPTH);
        // One more waits for the oldest receipt, which the operator gives only now.
        gate.send(1).unwrap();
        let receipt = client.submit(&transaction(65)).await.unwrap();
        assert_eq!(outcome(receipt), Outcome::Accepted { sequence: 0, duplicate: false, reverted: false });
        assert_eq!(client.outstanding(), DEPTH);
        gate.send(usize::MAX).unwrap();
        client.close().await.unwrap();
    };
    let ((), served) = tokio::join!(submit, serve(b, &operator, &me));
    served.unwrap();
    assert_eq!(operator.sequence.lock().unwrap().len(), 65);
}

#[tokio::test(start_paused = true)]
async fn a_transaction_costs_no_round_trip() {
    let (operator, _gate) = operator(Ok(opened()));
    let latency = Duration::from_millis(50);
    let me = operator_identity();
    let (a, b) = distant_halves::<Ingress>(&identity(1), &me, latency);
    let submit = async {
        let mut client = client(a).await;
        let began = Instant::now();
        for nonce in 1..=640 {
            client.submit(&transaction(nonce)).await.unwrap();
        }
        while client.receipt().await.unwrap().is_some() {}
        let took = began.elapsed();
        client.close().await.unwrap();
        took
    };
    let (took, served) = tokio::join!(submit, serve(b, &operator, &me));
    served.unwrap();
    // Ten windows of 64 are ten round trips of 100 ms; stepwise it would be 640 of them.
    assert!(took <= Duration::from_millis(1_300), "{took:?}");
}

/// An operator that answers the first submit with this receipt.
async fn cheat(session: Responder<Ingress>, receipt: impl FnOnce(Hash) -> Receipt) {
    let (_, session) = session.recv::<Open, _>().await.unwrap();
    let session = session.choose(opened()).await.unwrap().enter();
    let Branch::First(session) = session.offer().await.unwrap() else { panic!("bye") };
    let (submit, session) = session.recv::<Submit, _>().await.unwrap();
    let session = session.send(receipt(submit.transaction.hash())).await.unwrap();
    assert!(session.repeat().offer().await.is_err());
}

#[tokio::test]
async fn a_receipt_that_is_forged_or_for_another_transaction_is_the_operators_fault() {
    let honest = |transaction: Hash| {
        let submitted = self::transaction(1).transaction;
        let outcome = Outcome::Accepted { sequence: 0, duplicate: false, reverted: false };
        ReceiptContent { shard: shard(), transaction, account: submitted.account, nonce: Some(1), outcome }
    };
    type Forge<'a> = Box<dyn Fn(Hash) -> Receipt + 'a>;
    let by_operator = |content| Signed::by(&operator_identity(), content);
    let cases: [(Forge<'_>, &str); 5] = [
        (
            Box::new(|hash| Signed::by(&identity(9), honest(hash))),
            "SW-INGRESS-002 the signature on the 'shardwire ingress receipt 2' is not by peer",
        ),
        (
            Box::new(|_| by_operator(honest(Hash::of(b"other")))),
            "SW-INGRESS-003 the receipt is for another transaction",
        ),
        (Box::new(|hash| by_operator(ReceiptContent { nonce: None, ..honest(hash) })), "SW-INGRESS-003"),
        (
            Box::new(|hash| by_operator(ReceiptContent { account: AccountId(Felt::ONE), ..honest(hash) })),
            "SW-INGRESS-003",
        ),
        (Box::new(|hash| by_operator(ReceiptContent { shard: ShardId(Felt::ONE), ..honest(hash) })), "SW-INGRESS-003"),
    ];
    for (forge, text) in cases {
        let (a, b) = meet();
        let submit = async {
            let mut client = client(a).await;
            client.submit(&transaction(1)).await.unwrap();
            let first = client.receipt().await;
            assert_eq!(client.receipt().await.unwrap_err(), *first.as_ref().unwrap_err(), "it stays so");
            first
        };
        let (receipt, ()) = tokio::join!(submit, cheat(b, forge));
        assert!(rule(receipt).starts_with(text), "{text}");
    }
}

#[test]
fn the_largest_messages_fit_and_longer_lists_are_refused() {
    let shard = ShardId(LARGEST);
    fits(&Open { shard });
    fits(&Refused { reason: RefusalReason::Stopped, cause: largest_cause() });
    let largest =
        Opened { start: largest_start(), nonces: vec![u64::MAX; MAX_ACCOUNTS], accepted: u32::MAX, ended: true };
    fits(&largest);
    refused_when_read(&Opened { nonces: vec![0; MAX_ACCOUNTS + 1], ..largest });
    let invoke = |calldata| Invoke {
        sender: ContractId(LARGEST),
        nonce: u64::MAX,
        calldata: vec![LARGEST; calldata],
        signature: vec![LARGEST; MAX_SIGNATURE_FELTS],
        bounds: ResourceBounds { l1_gas: u64::MAX, l2_gas: u64::MAX, l1_data_gas: u64::MAX },
    };
    let transaction = ShardTransaction::from(invoke(MAX_CALLDATA_FELTS));
    fits(&Submit { transaction: transaction.clone() });
    refused_when_read(&Submit { transaction: invoke(MAX_CALLDATA_FELTS + 1).into() });
    let session = |calldata| SessionCall {
        account: ContractId(LARGEST),
        key: LARGEST,
        previous: LARGEST,
        contract: ContractId(LARGEST),
        selector: LARGEST,
        calldata: vec![LARGEST; calldata],
        signature: Signature { r: LARGEST, s: LARGEST },
    };
    refused_when_read(&Submit { transaction: session(MAX_CALLDATA_FELTS + 1).into() });
    let content = ReceiptContent {
        shard,
        transaction: transaction.hash(),
        account: AccountId(LARGEST),
        nonce: Some(u64::MAX),
        outcome: Outcome::Refused { cause: largest_cause(), due: Some(u64::MAX) },
    };
    fits(&Signed::by(&identity(1), content));
    fits(&Bye {});
}
