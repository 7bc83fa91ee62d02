//! What a node announces is what it serves, whatever its roles are; and that is what peers open.

use super::*;
use crate::config::Role;
use redb::backends::InMemoryBackend;
use shardwire_host::{
    names::NoNames,
    testing::{TestClock, host},
};
use shardwire_hosted::{Class, Geneses, Grounds};
use shardwire_model::{ContractId, Felt, Key, Kind, Timestamp};
use shardwire_peers::session_event;
use shardwire_program::{Programs, rules};
use shardwire_protocols::{
    catalogue::{self, Entry, ProtocolId},
    handshake::{Agreed, Handshake, Spoken, agree, spoken},
};
use shardwire_prover::{Cancelled, Prove, Proving};
use shardwire_proving::verify::Verify;
use shardwire_proving::verify::{Proven, VerifyError};
use shardwire_reputation::Event;
use shardwire_settler::Judge;
use shardwire_store::{Store, Work};
use shardwire_transport::{
    Channel, Identity, Incoming, Protocol as _, SessionError, Settings, SystemNetwork, ViolationKind,
};
use shardwire_world::{EmbeddedLedger, EmbeddedWorld, Genesis, GenesisEntry, GenesisValue, WorldIdentity};
use std::{path::Path, time::Duration};

#[derive(Debug)]
struct Idle;

impl Verify for Idle {
    fn verify(&self, _: &[u8]) -> Result<Proven, VerifyError> {
        Err(VerifyError::Undecodable("nothing is proven here".into()))
    }
}

impl Prove for Idle {
    fn prove<'a>(&'a self, _: &'a Path, _: &'a Path, _: Cancelled<'a>) -> Proving<'a> {
        Box::pin(std::future::pending())
    }
}

/// A node with these roles, and what belongs to it.
pub(super) async fn router(roles: &[Role]) -> (Arc<Router>, impl Sized + use<>) {
    router_naming(roles, Arc::new(NoNames)).await
}

/// As [`router`], which asks for names there.
pub(super) async fn router_naming(roles: &[Role], names: Arc<dyn Names>) -> (Arc<Router>, impl Sized + use<>) {
    router_reading(roles, names, Reload(Arc::new(|| Ok(ConfiguredPeers::default())))).await
}

/// As [`router_naming`], which reads so whom the configuration names.
async fn router_reading(roles: &[Role], names: Arc<dyn Names>, reload: Reload) -> (Arc<Router>, impl Sized + use<>) {
    let (folder, identity) = (tempfile::tempdir().unwrap(), Identity::from_secret(&[1; 32]));
    let store = Store::in_memory(&shardwire_store::records::LAYOUT).unwrap();
    let (host, tasks) = host(identity.clone(), store, folder.path(), TestClock::new(), "");
    let mut taken = Roles::default();
    if roles.contains(&Role::Settler) {
        let (contract, key) = (ContractId(Felt::from(5)), Key(Felt::from(6)));
        let counter = GenesisEntry { contract, key, kind: Kind::Counter, value: GenesisValue::Number(0) };
        let genesis = Genesis { storage: vec![counter] };
        let first = genesis.hash().unwrap();
        let of = WorldIdentity::new("test", first, [identity.peer()], [rules::hash()]).unwrap();
        let ledger = EmbeddedLedger::create_with_backend(InMemoryBackend::new(), &of, &genesis).unwrap();
        let world = EmbeddedWorld::new(ledger, host.clock.clone(), Work::AtOnce);
        let none = Grounds::from(Geneses::new(|_, _| Ok(None), Class::compile));
        let judge = Arc::new(Judge::new(Arc::new(Idle), Arc::new(none)));
        let day = Duration::from_secs(24 * 60 * 60);
        taken.settler = Some(Settler::resume(host.clone(), Arc::new(world), judge, day).await.unwrap());
    }
    if roles.contains(&Role::Operator) {
        taken.operator = Some(Arc::new(Operator::resume(host.clone(), Programs::all()).unwrap()));
    }
    if roles.contains(&Role::Prover) {
        taken.prover = Some(Prover::resume(host.clone(), Arc::new(Idle), Arc::new(Idle)).unwrap());
    }
    let here = ([127, 0, 0, 1], 0).into();
    let mut random = shardwire_host::Randomness::from_seed(1);
    let endpoint = Endpoint::open(&SystemNetwork, here, identity, &Settings::default(), &mut random).unwrap();
    let node = Node {
        links: Links::new(host.identity.peer()),
        events: host.telemetry.events(),
        endpoint,
        names,
        roles: taken,
        admins: BTreeSet::new(),
        reload,
        since: Timestamp(0),
        clock: NodeClock::begin(host.clock.clone(), &host.telemetry),
        instance: Instance { since: Timestamp(0), nonce: 0 },
        randomness: random,
        stop_asked: CancellationToken::new(),
        stop: CancellationToken::new(),
        host,
    };
    (Arc::new(Router::new(Arc::new(node))), (folder, tasks))
}

/// What the node agrees on with a peer that dials it.
fn agreed(router: &Router, theirs: Hello) -> Agreed {
    let terms = agree(&theirs, &router.hello(Identity::from_secret(&[2; 32]).peer())).unwrap();
    let (peer, agent) = (Identity::from_secret(&[2; 32]).peer(), theirs.agent);
    let (roles, capabilities) = (theirs.roles.into_iter().collect(), BTreeSet::new());
    Agreed { peer, agent, roles, opens: terms.accepting, serves: terms.dialling, capabilities, skew_ms: 0 }
}

/// A peer that opens every protocol there is, and serves them all.
pub(super) fn curious() -> Hello {
    Hello {
        network: "test".into(),
        world: Some(shardwire_host::testing::world().hash()),
        agent: "curious".into(),
        roles: [Role::Settler, Role::Operator, Role::Prover].map(|role| role.to_string()).into(),
        serves: spoken(),
        opens: spoken(),
        capabilities: Vec::new(),
        time: Timestamp(0),
    }
}

/// What the node makes of a peer that opens this protocol and says nothing in it.
async fn opened(router: &Router, agreed: &Agreed, name: &str, version: u16) -> Result<(), ServeError> {
    let (mut peer, here) = Channel::pair();
    let name = name.as_bytes();
    // A frame: its length, then the name with its length, and the version.
    let (length, version) = (u8::try_from(name.len()).unwrap(), u8::try_from(version).unwrap());
    assert!(peer.write_raw([&[length + 2, length], name, &[version]].concat()).await);
    peer.finish_raw();
    router.services.dispatch(agreed, Incoming::new(here)).await
}

fn is_unserved(result: &Result<(), ServeError>) -> bool {
    let Err(ServeError::Session(SessionError::Violation(violation))) = result else { return false };
    matches!(violation.kind, ViolationKind::UnknownProtocol { .. })
}

fn combinations() -> impl Iterator<Item = Vec<Role>> {
    let all = [Role::Settler, Role::Operator, Role::Prover];
    (0..8_usize)
        .map(move |set| all.into_iter().zip(0..).filter(|(_, bit)| set >> bit & 1 == 1).map(|it| it.0).collect())
}

#[tokio::test(start_paused = true)]
async fn announced_is_served_whatever_the_roles() {
    for roles in combinations() {
        let (router, _held) = router(&roles).await;
        let (announced, agreed) =
            (router.hello(Identity::from_secret(&[2; 32]).peer()).serves, agreed(&router, curious()));
        let names = |it: &Spoken, entry: &Entry| it.name == entry.name && (it.min..=it.max).contains(&entry.version);
        for entry in catalogue::all().iter().filter(|entry| entry.name != Handshake::NAME) {
            let newest = announced.iter().any(|it| it.name == entry.name && it.max == entry.version);
            let result = opened(&router, &agreed, entry.name, entry.version).await;
            assert_eq!(!is_unserved(&result), newest, "{roles:?} {} {}: {result:?}", entry.name, entry.version);
            // Nothing is served that no announcement names.
            let named = announced.iter().any(|it| names(it, entry));
            assert_eq!(
                named,
                router.services.has(ProtocolId::from(entry)),
                "{roles:?} {} {}",
                entry.name,
                entry.version
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_believes_an_announcement_is_never_to_blame_and_who_does_not_is() {
    for roles in combinations() {
        let (router, _held) = router(&roles).await;
        // It knows the last version only, and opens what both can.
        let agreed = agreed(&router, curious());
        for (name, version) in &agreed.serves {
            let result = opened(&router, &agreed, name, *version).await;
            assert!(!is_unserved(&result), "{roles:?} {name} {version}: {result:?}");
        }
        for (name, version) in [("dance", 1), ("keepalive", 9), ("handshake", 1)] {
            let Err(error) = opened(&router, &agreed, name, version).await else { panic!("{name} is served") };
            assert!(matches!(session_event(&error), Some(Event::Broke { .. })), "{roles:?} {name} {version}: {error}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_role_opens_what_others_serve_and_announces_what_it_serves() {
    let names = |list: Vec<Spoken>| list.into_iter().map(|it| it.name).collect::<Vec<_>>();
    for (role, serves, opens) in [
        (Role::Settler, vec!["handoff"], vec!["keepalive", "proof"]),
        (Role::Operator, vec!["ingress", "trace"], vec!["handoff", "keepalive"]),
        (Role::Prover, vec!["proof"], vec!["keepalive", "trace"]),
    ] {
        let (router, _held) = router(&[role]).await;
        let hello = router.hello(Identity::from_secret(&[2; 32]).peer());
        let mut served = names(hello.serves);
        // What every node serves is no role's.
        let always = names(self::router(&[]).await.0.hello(Identity::from_secret(&[2; 32]).peer()).serves);
        served.retain(|it| !always.contains(it));
        assert_eq!(served, serves, "{role}");
        assert_eq!(names(hello.opens), opens, "{role}");
        // Of a peer that has every role and serves everything, exactly that is opened; of one that serves nothing, nothing.
        let asked = |theirs| {
            let opened = router.services.opened(&agreed(&router, theirs));
            opened.iter().map(|it| it.protocol()).collect::<BTreeSet<_>>()
        };
        assert_eq!(asked(curious()), opens.into_iter().collect(), "{role}");
        assert!(asked(Hello { serves: Vec::new(), ..curious() }).is_empty(), "{role}");
        assert_eq!(asked(Hello { roles: Vec::new(), ..curious() }), ["keepalive"].into(), "{role}");
    }
}

/// A fixed bug: the configuration was read on the thread that everything else runs on, so a node whose file was a pipe could neither work nor be stopped.
#[tokio::test]
async fn reading_the_configuration_again_holds_nothing_up_and_who_is_not_named_any_more_has_no_say() {
    let (go, waits) = std::sync::mpsc::channel();
    let waits = std::sync::Mutex::new(waits);
    let reload = Reload(Arc::new(move || {
        waits.lock().unwrap().recv().unwrap();
        Ok(ConfiguredPeers::default())
    }));
    let (router, _held) = router_reading(&[], Arc::new(NoNames), reload).await;
    let node = router.node.clone();
    node.clock.heard(Identity::from_secret(&[2; 32]).peer(), 0);
    let reloads = tokio::spawn(async move { node.reload().await.is_ok() });
    tokio::task::yield_now().await;
    assert!(!reloads.is_finished());
    go.send(()).unwrap();
    assert!(reloads.await.unwrap());
    assert_eq!(router.node.clock.heard_of(), []);
}

#[tokio::test(start_paused = true)]
async fn a_node_needs_somebody_of_each_role_that_its_own_work_with() {
    for (roles, needs) in [
        (vec![], vec![]),
        (vec![Role::Settler], vec!["operator", "prover"]),
        (vec![Role::Operator], vec!["prover", "settler"]),
        (vec![Role::Prover], vec!["operator", "settler"]),
        (vec![Role::Operator, Role::Prover], vec!["itself", "operator", "prover", "settler"]),
    ] {
        let (router, _held) = router(&roles).await;
        router.node.register_readiness();
        let unmet = router.node.host.telemetry.unmet();
        assert_eq!(unmet.iter().map(|it| it.condition).collect::<Vec<_>>(), needs, "{roles:?}");
        assert!(
            unmet.iter().all(|it| it.shortfall.code.starts_with("SW-READY-") && it.shortfall.next_step.ends_with('.'))
        );
    }
}
