//! The clients against a stand-in node: real sockets and the protocols' server halves, without a node's roles behind them.

mod moving;
mod stand_in;

use super::*;
use rand::{SeedableRng, rngs::StdRng};
use shardwire_config::{Config, Environment, Flags, Setting};
use shardwire_data::{self as data, DataFolder, Running};
use shardwire_host::{Platform, Randomness};
use shardwire_model::{
    AccountId, AccountKey, Call, Cause, ChainHead, Clock, Coded, ContractId, EntryRequest, EventId, Felt, Key, Kind,
    Output, PeerId, Role, SessionCall, ShardId, ShardStart, ShardTransaction, SignedTransaction, StartRequest, Terms,
    Timestamp, Transaction, finished_selector,
};
use shardwire_protocols::{
    Failure,
    administration::{self, Administration, ClockStatus, Failed, NodeStatus, Request, Response, node},
    catalogue::ProtocolId,
    evidence::{Shown, Verifier},
    handshake::{Handshake, Hello, announce, answer},
    ingress::{self, Ingress, Opened, Outcome, RefusalReason, Refused},
};
use shardwire_transport::{Connection, Endpoint, Identity, Settings, SystemNetwork};
use stand_in::StandIn;
use std::{
    collections::BTreeMap,
    future::ready,
    sync::{Arc, Mutex},
};

#[derive(Debug)]
struct Noon;

impl Clock for Noon {
    fn now(&self) -> Timestamp {
        Timestamp(43_200_000)
    }
}

fn identity(number: u8) -> Identity {
    Identity::from_secret(&[number; 32])
}

fn endpoint(identity: Identity) -> Endpoint {
    let mut rng = StdRng::seed_from_u64(1);
    Endpoint::bind(([127, 0, 0, 1], 0).into(), identity, &Settings::default(), &mut rng).unwrap()
}

fn platform() -> Platform {
    let network = Arc::new(SystemNetwork);
    Platform { clock: Arc::new(Noon), network, randomness: Randomness::from_seed(1), ..Platform::system() }
}

fn dialler() -> Dialler {
    Dialler { identity: identity(1), network: "local".into(), platform: platform() }
}

fn start(operator: PeerId) -> ShardStart {
    let contract = ContractId(Felt::ONE);
    let request = StartRequest {
        salt: 1,
        program: Felt::TWO,
        operator,
        contracts: vec![contract],
        accounts: vec![AccountKey::from_secret([7; 32]).id()],
        end_event: EventId { from: contract, selector: finished_selector() },
        entries: vec![EntryRequest { kind: Kind::Counter, contract, key: Key(Felt::TWO), owner: None, amount: 0 }],
        terms: Terms::Rules,
    };
    request.validate("local", Timestamp(1 << 50)).unwrap()
}

/// Transactions by nonce, from 1. The stand-in doesn't check signatures.
fn transactions(count: u32) -> Vec<SignedTransaction> {
    let key = AccountKey::from_secret([7; 32]);
    let signature = key.sign(Felt::ONE).unwrap();
    let call = Call::Add { counter: Key(Felt::TWO), amount: 1 };
    let contract = ContractId(Felt::ONE);
    (1..=count)
        .map(|nonce| SignedTransaction {
            transaction: Transaction { account: key.id(), nonce, contract, call },
            signature,
        })
        .collect()
}

fn shown(error: &ClientError) -> String {
    format!("error[{}]: {error}\n  next: {}", error.code(), error.next_step())
}

#[tokio::test]
async fn each_transaction_gets_one_verified_receipt() {
    let (node, target) = StandIn::new(identity(2)).start();
    let shard = start(target.peer).shard;
    let mut heard = Vec::new();
    let note = |progress: Progress<'_>| {
        assert!(progress.receipt.verify(&target.peer).is_ok());
        heard.push((progress.index, progress.done, progress.of));
    };
    let report = submit(&dialler(), &target.into(), shard, &transactions(200), note).await.unwrap();
    let refused = vec![Refusal { index: 12, code: "SW-ADMISSION-001".into(), reason: "unlucky".into() }];
    assert_eq!(report, SubmitReport { accepted: 199, duplicates: 0, refused, resigned: 0, reconnections: 0 });
    assert_eq!(heard, (0..200).map(|index| (index, index + 1, 200)).collect::<Vec<_>>());
    assert_eq!(node.sequence.lock().unwrap().len(), 199);
}

#[tokio::test]
async fn after_a_lost_connection_only_what_has_no_receipt_is_submitted_again() {
    let breaks = vec![150, 250];
    let (node, target) = StandIn { breaks, ..StandIn::new(identity(2)) }.start();
    let shard = start(target.peer).shard;
    let mut receipts = vec![0; 300];
    let report =
        submit(&dialler(), &target.into(), shard, &transactions(300), |it| receipts[it.index] += 1).await.unwrap();
    assert_eq!((report.accepted, report.refused.len(), report.reconnections), (299, 1, 2));
    assert_eq!(receipts, vec![1; 300], "each has one receipt");
    let sequence = node.sequence.lock().unwrap().clone();
    assert_eq!(sequence, (1..=300).filter(|nonce| *nonce != 13).collect::<Vec<_>>(), "in order, none twice");
    let submitted = node.submissions.lock().unwrap().len();
    assert!(
        (302..300 + 2 * 70).contains(&submitted),
        "{submitted} submissions: more than what was under way came again"
    );
}

#[tokio::test]
async fn session_calls_go_the_same_way() {
    let (node, target) = StandIn { breaks: vec![15], ..StandIn::new(identity(2)) }.start();
    let shard = start(target.peer).shard;
    let signature = AccountKey::from_secret([7; 32]).sign(Felt::ONE).unwrap();
    let call = |previous: u64| SessionCall {
        account: ContractId(Felt::ONE),
        key: Felt::TWO,
        previous: previous.into(),
        contract: ContractId(Felt::THREE),
        selector: Felt::ONE,
        calldata: vec![Felt::ONE],
        signature,
    };
    let calls: Vec<_> = (20..50).map(call).collect();
    let mut nonces = Vec::new();
    let note = |progress: Progress<'_>| nonces.push(progress.receipt.statement.nonce);
    let report = submit(&dialler(), &target.into(), shard, &calls, note).await.unwrap();
    assert_eq!((report.accepted, report.reconnections, nonces), (30, 1, vec![None; 30]));
    assert!(node.sequence.lock().unwrap().iter().copied().eq(20..50), "in order, none twice");
}

/// What these accounts sign, each over its own chain: amounts to add, 0 for the end.
fn signed(start: &ShardStart, moves: &[(&AccountKey, u128)]) -> Vec<SignedTransaction> {
    let mut chains = BTreeMap::new();
    moves
        .iter()
        .map(|(key, amount)| {
            let account = key.id();
            let (nonce, head) = chains.entry(account).or_insert((0, ChainHead::start(start.commitment(), account)));
            *nonce += 1;
            let call = if *amount == 0 { Call::Finish } else { Call::Add { counter: Key(Felt::TWO), amount: *amount } };
            let transaction = Transaction { account, nonce: *nonce, contract: ContractId(Felt::ONE), call };
            *head = head.extend(transaction.words(start).unwrap());
            SignedTransaction { transaction, signature: key.sign(head.message()).unwrap() }
        })
        .collect()
}

#[tokio::test]
async fn what_follows_a_refused_transaction_is_signed_anew_and_the_shard_ends() {
    let chains = Some(Mutex::default());
    let (node, target) = StandIn { chains, ..StandIn::new(identity(2)) }.start();
    let (start, keys) = (start(target.peer), [7, 8].map(|secret| AccountKey::from_secret([secret; 32])));
    let [one, two] = &keys;
    let moves = [(one, 1), (one, 13), (two, 2), (one, 3), (one, 13), (two, 4), (one, 5), (one, 0)];
    let transactions = signed(&start, &moves);
    let report = submit_and_resign(&dialler(), &target.into(), &start, &transactions, &keys, |_| {}).await.unwrap();
    let unlucky = |index| Refusal { index, code: "SW-REFUSED-014".into(), reason: "unlucky".into() };
    assert_eq!(report.refused, [unlucky(1), unlucky(4)]);
    // Of the one account: 3, 13 and 5, then 5; at last the end.
    assert_eq!((report.accepted, report.resigned), (6, 5));
    assert_eq!(*node.sequence.lock().unwrap(), [1, 2, 4, 3, 5, 0]);
}

#[tokio::test]
async fn what_cannot_be_signed_anew_stays_refused_with_its_reason() {
    let chains = Some(Mutex::default());
    let (node, target) = StandIn { chains, ..StandIn::new(identity(2)) }.start();
    let (start, keys) = (start(target.peer), [AccountKey::from_secret([7; 32])]);
    let transactions = signed(&start, &[(&keys[0], 1), (&keys[0], 13), (&keys[0], 3)]);
    // Without the key; and for an account that another client plays for, too.
    let report = submit_and_resign(&dialler(), &target.into(), &start, &transactions, &[], |_| {}).await.unwrap();
    assert_eq!((report.accepted, report.refused.len(), report.resigned), (1, 2, 0));
    let report =
        submit_and_resign(&dialler(), &target.into(), &start, &transactions[1..], &keys, |_| {}).await.unwrap();
    assert_eq!((report.accepted, report.refused.len(), report.resigned), (0, 2, 0));
    assert_eq!(report.refused[1].code, "SW-REFUSED-004");
    assert_eq!(*node.sequence.lock().unwrap(), [1]);
}

#[tokio::test]
async fn a_shard_whose_end_does_not_come_is_ended_by_an_account_that_played_nothing() {
    let chains = Some(Mutex::default());
    let (node, target) = StandIn { chains, ..StandIn::new(identity(2)) }.start();
    let (start, key) = (start(target.peer), AccountKey::from_secret([7; 32]));
    let report = end(&dialler(), &target.into(), &start, &[], std::slice::from_ref(&key)).await.unwrap();
    let ended = EndReport { ended: true, by: Some(key.id()), transactions: 1, refused: Vec::new() };
    assert_eq!(report, ended);
    assert_eq!(*node.sequence.lock().unwrap(), [0], "the end event");
    let again = end(&dialler(), &target.into(), &start, &[], std::slice::from_ref(&key)).await.unwrap();
    assert_eq!(again, EndReport { by: None, ..ended });
}

#[tokio::test]
async fn a_player_ends_its_shard_over_what_it_played_and_nobody_over_what_is_not_known() {
    let chains = Some(Mutex::default());
    let (node, target) = StandIn { chains, ..StandIn::new(identity(2)) }.start();
    let (start, keys) = (start(target.peer), [AccountKey::from_secret([7; 32])]);
    let planned = signed(&start, &[(&keys[0], 1), (&keys[0], 2)]);
    assert_eq!(
        submit_and_resign(&dialler(), &target.into(), &start, &planned, &keys, |_| {}).await.unwrap().accepted,
        2
    );
    // Planned otherwise, or not at all: the signature would be good for nothing.
    let other = signed(&start, &[(&keys[0], 1), (&keys[0], 3)]);
    let report = end(&dialler(), &target.into(), &start, &other, &keys).await.unwrap();
    assert_eq!((report.ended, report.refused[0].code.as_str()), (false, "SW-REFUSED-017"));
    assert!(!end(&dialler(), &target.into(), &start, &[], &keys).await.unwrap().ended);
    assert!(!end(&dialler(), &target.into(), &start, &planned, &[]).await.unwrap().ended);
    assert!(end(&dialler(), &target.into(), &start, &planned, &keys).await.unwrap().ended);
    assert_eq!(*node.sequence.lock().unwrap(), [1, 2, 0]);
}

#[tokio::test]
async fn a_shard_that_is_not_assigned_yet_is_waited_for() {
    let (_, target) = StandIn { refuses: Mutex::new((2, RefusalReason::Unknown)), ..StandIn::new(identity(2)) }.start();
    let shard = start(target.peer).shard;
    let report = submit(&dialler(), &target.into(), shard, &transactions(3), |_| {}).await.unwrap();
    assert_eq!((report.accepted, report.reconnections), (3, 2));
}

#[tokio::test]
async fn an_operator_that_says_later_is_asked_again_and_who_gives_up_is_told_what_to_do() {
    let (_, target) = StandIn { refuses: Mutex::new((2, RefusalReason::Later)), ..StandIn::new(identity(2)) }.start();
    let shard = start(target.peer).shard;
    let report = submit(&dialler(), &target.into(), shard, &transactions(3), |_| {}).await.unwrap();
    assert_eq!((report.accepted, report.reconnections), (3, 2));
    let cause = Cause::new("SW-OPERATOR-012", "its disk fails");
    let refused = |reason| ClientError::Refused { shard, reason, cause: cause.clone() };
    assert_eq!(
        shown(&refused(RefusalReason::Later)),
        format!(
            "error[SW-CLIENT-002]: the operator takes no transactions for shard {}: its disk fails (SW-OPERATOR-012)\n  next: Try again \
             later: it is the operator's own trouble, and what was accepted is kept.",
            shard.short()
        )
    );
}

#[tokio::test]
async fn a_refused_shard_is_an_error() {
    let (_, target) = StandIn { refuses: Mutex::new((1, RefusalReason::Over)), ..StandIn::new(identity(2)) }.start();
    let shard = start(target.peer).shard;
    let error = submit(&dialler(), &target.into(), shard, &transactions(3), |_| {}).await.unwrap_err();
    assert_eq!(
        shown(&error),
        format!(
            "error[SW-CLIENT-002]: the operator takes no transactions for shard {}: not here (SW-TEST-002)\n  next: Check the \
             shard's id and its operator: `shardwire shard status` lists both.",
            shard.short()
        )
    );
}

#[tokio::test]
async fn only_the_named_peer_of_the_same_network_is_believed() {
    let (_, target) = StandIn::new(identity(2)).start();
    let shard = start(target.peer).shard;
    let other = Target { peer: identity(3).peer(), ..target };
    let error = submit(&dialler(), &other.into(), shard, &transactions(1), |_| {}).await.unwrap_err();
    assert_eq!(error.code(), "SW-TRANSPORT-020", "{error}");
    let stranger = Dialler { network: "elsewhere".into(), ..dialler() };
    let error = submit(&stranger, &target.into(), shard, &transactions(1), |_| {}).await.unwrap_err();
    assert_eq!(
        shown(&error),
        "error[SW-HANDSHAKE-001]: the peer refuses the connection: the dialling peer belongs to network 'elsewhere', the accepting \
         peer to 'local' (SW-HANDSHAKE-001)\n  next: Correct `network` in the configuration of the peer that is wrong."
    );
}

#[tokio::test]
async fn receipts_that_contradict_each_other_end_the_submission_and_are_evidence() {
    struct NoProofs;
    impl Verifier for NoProofs {
        fn program(&self) -> Felt {
            Felt::ZERO
        }
        fn output(&self, _: &[u8]) -> Result<Output, Cause> {
            unreachable!("receipts need no verifier")
        }
    }
    let (_, target) = StandIn { forks: Some(20), ..StandIn::new(identity(2)) }.start();
    let shard = start(target.peer).shard;
    let error = submit(&dialler(), &target.into(), shard, &transactions(30), |_| {}).await.unwrap_err();
    assert_eq!(
        shown(&error),
        format!(
            "error[SW-CLIENT-004]: operator {} signed receipts that contradict each other: two transactions have one place in the \
             shard's sequence\n  next: Don't rely on the operator's receipts; show the evidence to its settler.",
            target.peer.short()
        )
    );
    let ClientError::Contradiction { evidence, .. } = error else { panic!("{error}") };
    assert_eq!(evidence.check(&NoProofs), Ok(Shown::TwoTransactions));
}

#[test]
fn giving_up_says_what_is_left_and_that_repeating_is_safe() {
    let address = "127.0.0.1:9".parse().unwrap();
    let last = Box::new(ClientError::Connect(shardwire_transport::ConnectError::NoAnswer { address }));
    let error = ClientError::GaveUp { address: address.into(), attempts: MAX_ATTEMPTS, missing: 7, last };
    assert_eq!(
        shown(&error),
        "error[SW-CLIENT-003]: gave up on 127.0.0.1:9 after 12 attempts, with 7 transactions left without a receipt; the last time: \
         127.0.0.1:9 didn't answer within 10s\n  next: Check that the peer runs, that the address is right, and that UDP passes \
         between you. Then submit the same workload again: what was accepted is not accepted twice."
    );
    let unserved = ClientError::Unserved { peer: identity(2).peer(), protocol: "administration" };
    assert_eq!(
        shown(&unserved),
        format!(
            "error[SW-CLIENT-001]: {} doesn't speak administration in this version\n  next: Use the same version of shardwire on both sides.",
            identity(2).peer().short()
        )
    );
}

#[test]
fn targets_are_read_and_written() {
    let text = format!("{}@127.0.0.1:7000", identity(2).peer());
    assert_eq!(text.parse::<NodeAddress>().unwrap().to_string(), text);
    for bad in ["", "@", "127.0.0.1:7000", "12@127.0.0.1:7000", &text[..70]] {
        assert!(bad.parse::<NodeAddress>().is_err(), "{bad}");
    }
}

#[tokio::test]
async fn the_node_of_a_data_folder_is_asked_as_itself() {
    let place = tempfile::tempdir().unwrap();
    let root = place.path().join("node");
    let config = Config::draft(&Environment::default(), Flags::default().with(Setting::Roles, ["operator"])).unwrap();
    data::init(&root, &config, data::Belongs::Unknown, &[Felt::ONE], &mut StdRng::seed_from_u64(3)).unwrap();
    let noon = platform();
    let connect = || NodeClient::connect(&root, &noon);
    assert_eq!(connect().await.unwrap_err().code(), "SW-DATA-004");

    let folder = DataFolder::open(&root).unwrap();
    let (_, target) = StandIn::new(folder.identity().clone()).start();
    let running = Running {
        pid: 1,
        listen: target.address,
        advertise: None,
        peer: target.peer,
        network: "local".into(),
        rpc: None,
    };
    folder.announce(&running).unwrap();
    let mut client = connect().await.unwrap();
    assert_eq!(client.status().await.unwrap().peer, target.peer);
    let refused = client.shard_status(None).await.unwrap_err();
    assert_eq!(shown(&refused), "error[SW-ADMIN-002]: no (SW-TEST-001)\n  next: Go home.");
    client.stop().await.unwrap();
    client.close().await;

    let mut stranger = NodeClient::dial(&dialler(), target).await.unwrap();
    let refused = stranger.status().await.unwrap_err().to_string();
    assert_eq!(refused, format!("peer {} may not control this node (SW-ADMIN-001)", identity(1).peer()));
    stranger.close().await;
}
