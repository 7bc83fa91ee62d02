//! Peers that a node meets over real sockets: who of them counts, whose clock is apart, and as what an operator was met.

use super::{
    dial,
    tests::{curious, router},
    *,
};
use shardwire_host::testing::SetWall;
use shardwire_model::{
    AccountKey, ContractId, EntryRequest, EventId, Felt, Key, Kind, StartRequest, Terms, Timestamp, finished_selector,
};
use shardwire_program::rules;
use shardwire_protocols::{
    administration::{Failed, Handler as _, Request, Response, shard},
    handshake::{self, Handshake, SKEW_NOTICED, Spoken},
    keepalive::Measured,
};
use shardwire_reputation::{Blame, Breach, Event, Work};
use shardwire_transport::{Connection, Identity, Protocol as _, Settings, SystemNetwork};
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// Far longer than a connection takes to be made or missed.
const PATIENCE: Duration = Duration::from_secs(60);
/// What the peers' clocks show: nodes of these tests begin at zero.
const AN_HOUR: Timestamp = Timestamp(60 * 60 * 1000);

/// A peer that a node dials: it says that it has these roles, and answers pings.
struct Greets {
    endpoint: Endpoint,
    peer: PeerId,
    _accepts: JoinSet<()>,
}

impl Greets {
    fn with(number: u8, roles: &'static [Role]) -> Self {
        let identity = Identity::from_secret(&[number; 32]);
        let peer = identity.peer();
        let mut random = Randomness::from_seed(number.into());
        let here = ([127, 0, 0, 1], 0).into();
        let endpoint = Endpoint::open(&SystemNetwork, here, identity, &Settings::default(), &mut random).unwrap();
        let (accepting, mut accepts) = (endpoint.clone(), JoinSet::new());
        accepts.spawn(async move {
            let mut connections = JoinSet::new();
            while let Some(arrival) = accepting.accept().await {
                if let Ok(connection) = arrival.admit().await {
                    connections.spawn(Self::answer(connection, roles));
                }
            }
        });
        Self { endpoint, peer, _accepts: accepts }
    }

    async fn answer(connection: Connection, roles: &[Role]) {
        let Ok(incoming) = connection.accept().await else { return };
        let Ok(session) = incoming.serve::<Handshake>().await else { return };
        let is_keepalive = |it: &Spoken| it.name == Keepalive::NAME;
        let serves = handshake::spoken().into_iter().filter(is_keepalive).collect();
        let roles = roles.iter().map(ToString::to_string).collect();
        drop(handshake::answer(session, Hello { roles, serves, opens: Vec::new(), ..curious() }).await);
        let clock = SetWall::at(AN_HOUR);
        while let Ok(mut incoming) = connection.accept().await {
            if incoming.header().await.is_ok() && incoming.is::<Keepalive>() {
                let Ok(session) = incoming.serve::<Keepalive>().await else { return };
                drop(keepalive::serve(session, &*clock).await);
            }
        }
    }

    /// Has the node dial it, and waits until it is connected in this role.
    async fn meets(&self, router: &Arc<Router>, role: Role) {
        tokio::spawn(dial::keep(router.clone(), self.peer, self.endpoint.address().into()));
        timeout(PATIENCE, router.node.links.meets(self.peer, role)).await.unwrap();
    }
}

/// Of the conditions of these names, those that aren't met.
fn lacks(router: &Router) -> Vec<&'static str> {
    let unmet = router.node.host.telemetry.unmet().into_iter().map(|it| it.condition);
    unmet.filter(|it| ["settler", "operator", "prover"].contains(it)).collect()
}

/// A fixed bug: a fresh key that said so was an operator or a prover to work with, so the node was ready though nobody was there whose job it would take.
#[tokio::test]
async fn who_only_says_that_it_has_a_role_is_nobody_to_work_with() {
    for (own, needs) in [
        (Role::Settler, ["operator", "prover"]),
        (Role::Operator, ["prover", "settler"]),
        (Role::Prover, ["operator", "settler"]),
    ] {
        let (router, _held) = router(&[own]).await;
        router.node.register_readiness();
        let stranger = Greets::with(2, &[Role::Settler, Role::Operator, Role::Prover]);
        stranger.meets(&router, Role::Prover).await;
        assert_eq!(lacks(&router), needs, "{own}: it has earned nothing");
        let still: Vec<&str> = needs.into_iter().filter(|it| *it == "settler").collect();
        // It works, and so it isn't a newcomer any more.
        for _ in 0..2 {
            router.node.host.peers.note(stranger.peer, &Event::Worked(Work::Proof));
        }
        assert_eq!(lacks(&router), still, "{own}: a settler is only one that the World lists");
        router.node.host.peers.note(stranger.peer, &Event::Broke { breach: Breach::Lease, blame: Blame::Peer });
        router.node.host.peers.note(stranger.peer, &Event::Broke { breach: Breach::Lease, blame: Blame::Peer });
        assert_eq!(lacks(&router), needs, "{own}: it has lost that");
        router.node.host.peers.set_listing(stranger.peer, Some(Listing::Allowed));
        assert_eq!(lacks(&router), still, "{own}: its operator trusts it");
        // One that the World lists.
        let settler = Greets::with(9, &[Role::Settler]);
        settler.meets(&router, Role::Settler).await;
        assert_eq!(lacks(&router), [""; 0], "{own}");
    }
}

/// How often the node has said that a peer's clock is apart.
fn said_apart(router: &Router) -> u64 {
    let text = router.node.host.telemetry.to_text();
    let counted = text.lines().filter_map(|line| line.strip_prefix("shardwire_network_clock_apart_total "));
    counted.map(|count| count.parse::<u64>().unwrap()).sum()
}

#[tokio::test]
async fn a_peer_whose_clock_is_apart_is_said_once_until_it_agrees_again() {
    let (router, _held) = router(&[Role::Operator]).await;
    let links = &router.node.links;
    let (stranger, settler) = (Greets::with(2, &[Role::Prover]), Greets::with(9, &[Role::Settler]));
    for (number, (peer, role)) in [(&stranger, Role::Prover), (&settler, Role::Settler)].into_iter().enumerate() {
        peer.meets(&router, role).await;
        let shown = || links.status().into_iter().find(|it| it.peer == peer.peer).and_then(|it| it.skew_ms);
        let measured = async {
            while shown().is_none() || said_apart(&router) <= number as u64 {
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(PATIENCE, measured).await.unwrap();
        let apart_by = Duration::from_millis(u64::try_from(shown().unwrap()).unwrap());
        let (least, most) = (Duration::from_secs(55 * 60), Duration::from_secs(65 * 60));
        assert!((least..most).contains(&apart_by), "its clock shows an hour: {apart_by:?}");
    }
    assert_eq!(said_apart(&router), 2);
    assert_eq!(router.node.clock.heard_of(), [settler.peer], "a stranger's word is shown, and counts for nothing");

    // It is news again only after the clocks have agreed.
    let bound = i64::try_from(SKEW_NOTICED.as_millis()).unwrap();
    let measured = |skew_ms| links.measured(settler.peer, Measured { round_trip: Duration::from_millis(1), skew_ms });
    assert_eq!([bound, -bound, 3_600_000].map(measured), [false; 3], "that is known");
    assert!(!measured(bound - 1), "they agree");
    assert_eq!([bound, bound, 1 - bound, -bound, -bound - 1].map(measured), [true, false, false, true, false]);
    let nobody = PeerId([7; 32]);
    assert!(!links.measured(nobody, Measured { round_trip: Duration::ZERO, skew_ms: 3_600_000 }), "it isn't connected");
}

/// A shard of nothing but a counter, for this operator.
fn request(operator: PeerId, salt: u64) -> StartRequest {
    let contract = ContractId(Felt::from(5));
    StartRequest {
        salt,
        program: rules::hash(),
        operator,
        contracts: vec![contract],
        accounts: vec![AccountKey::from_secret([9; 32]).id()],
        end_event: EventId { from: contract, selector: finished_selector() },
        entries: vec![EntryRequest { kind: Kind::Counter, contract, key: Key(Felt::from(6)), owner: None, amount: 0 }],
        terms: Terms::Rules,
    }
}

#[tokio::test]
async fn a_shard_starts_with_an_operator_that_was_met_as_one_and_with_no_peer_of_another_role() {
    let (router, _held) = router(&[Role::Settler]).await;
    let node = &router.node;
    let start = async |operator, salt, unknown_operator| {
        let request = request(operator, salt);
        let start = shard::Request::Start { request, timeout_s: None, unknown_operator };
        match node.handle(node.me(), Request::Shard(start)).await {
            Ok(Response::Shard(shard::Response::Started { operator_connected, .. })) => Ok(operator_connected),
            Ok(other) => panic!("{other:?}"),
            Err(Failed { cause, .. }) => Err(cause.code),
        }
    };
    let started = async || node.roles.settler.as_ref().unwrap().shards(None, 10).await.unwrap().len();
    let prover = Greets::with(2, &[Role::Prover]);
    prover.meets(&router, Role::Prover).await;
    assert_eq!(node.links.met(prover.peer, Role::Operator), Met::AsAnother);
    assert_eq!(start(prover.peer, 1, false).await, Err("SW-NODE-011".to_owned()));
    assert_eq!(started().await, 0, "nothing was locked");
    assert_eq!(start(prover.peer, 1, true).await, Ok(false), "somebody insists");

    let operator = Greets::with(3, &[Role::Operator]);
    operator.meets(&router, Role::Operator).await;
    assert_eq!(start(operator.peer, 2, false).await, Ok(true));
    // It goes: it was met, and may come again.
    operator.endpoint.close().await;
    timeout(PATIENCE, node.links.gone(operator.peer)).await.unwrap();
    assert_eq!(node.links.met(operator.peer, Role::Operator), Met::Before);
    assert_eq!(start(operator.peer, 3, false).await, Ok(false));
    assert_eq!(node.links.met(operator.peer, Role::Prover), Met::Never, "as what it never was");
    assert_eq!(started().await, 3);
}
