use super::*;
use crate::testing::{fits, halves, identity, largest_cause, refused_when_read};
use shardwire_model::{Coded, Hash, Timestamp};

fn hello(network: &str, role: &str, protocols: Vec<Spoken>) -> Hello {
    Hello {
        network: network.into(),
        world: None,
        agent: format!("shardwire/0.1.0 {role}"),
        roles: vec![role.into()],
        serves: protocols.clone(),
        opens: protocols,
        capabilities: vec![],
        time: Timestamp(1_000_000),
    }
}

fn one(name: &str, min: u16, max: u16) -> Vec<Spoken> {
    vec![Spoken { name: name.into(), min, max }]
}

async fn meet(dialling: Hello, accepting: Hello) -> [Result<Agreed, HandshakeError>; 2] {
    let (a, b) = halves::<Handshake>(&identity(1), &identity(2));
    let (there, here) = tokio::join!(greet(a, dialling), answer(b, accepting));
    [there, here]
}

#[tokio::test]
async fn two_peers_of_this_build_agree_on_every_protocol() {
    let mut theirs = hello("net", "prover", spoken());
    theirs.time = Timestamp(1_002_500);
    let [dialled, accepted] = meet(hello("net", "operator", spoken()), theirs).await;
    let (dialled, accepted) = (dialled.unwrap(), accepted.unwrap());
    let names: Vec<&str> = dialled.opens.keys().map(String::as_str).collect();
    let spoken = spoken();
    let mut known: Vec<&str> = spoken.iter().map(|it| it.name.as_str()).collect();
    known.sort_unstable();
    assert_eq!(names, known);
    assert!(known.contains(&"trace") && !known.contains(&"handshake"), "{known:?}");
    assert_eq!((&dialled.opens, &dialled.serves), (&accepted.serves, &accepted.opens));
    assert!(dialled.may_open::<crate::trace::Trace>());
    assert_eq!((dialled.peer, accepted.peer), (identity(2).peer(), identity(1).peer()));
    assert!(dialled.roles.contains("prover") && accepted.roles.contains("operator"));
    assert_eq!((dialled.skew_ms, accepted.skew_ms), (2500, -2500));
    assert_eq!(dialled.agent, "shardwire/0.1.0 prover");
}

#[tokio::test]
async fn the_highest_common_version_wins_and_what_is_unknown_is_tolerated() {
    let mut ours = hello("net", "operator", one("trace", 1, 4));
    ours.serves.extend(one("only-ours", 1, 1));
    let mut theirs = hello("net", "astrologer", one("trace", 2, 7));
    theirs.opens.extend(one("only-theirs", 3, 9));
    theirs.capabilities = vec!["levitation".into()];
    let [dialled, accepted] = meet(ours, theirs).await;
    let dialled = dialled.unwrap();
    assert_eq!(dialled.opens, [("trace".to_owned(), 4)].into());
    assert_eq!(dialled.serves, dialled.opens);
    assert!(dialled.roles.contains("astrologer") && dialled.capabilities.contains("levitation"));
    assert!(!dialled.may_open::<crate::trace::Trace>());
    assert_eq!(accepted.unwrap().serves, dialled.opens);
}

#[tokio::test]
async fn each_direction_is_what_one_side_opens_and_the_other_serves() {
    let settler = Hello { serves: one("handoff", 1, 1), opens: one("proof", 1, 2), ..hello("net", "settler", vec![]) };
    let prover = Hello { serves: one("proof", 2, 3), opens: one("trace", 1, 1), ..hello("net", "prover", vec![]) };
    for dials in [true, false] {
        let (settler, prover) = (settler.clone(), prover.clone());
        let [settler, prover] = if dials {
            meet(settler, prover).await
        } else {
            let [prover, settler] = meet(prover, settler).await;
            [settler, prover]
        };
        let (settler, prover) = (settler.unwrap(), prover.unwrap());
        let proof = [("proof".to_owned(), 2)].into();
        assert_eq!((&settler.opens, &prover.serves), (&proof, &proof), "settler dials: {dials}");
        assert!(settler.serves.is_empty() && prover.opens.is_empty(), "nobody opens `handoff`, nobody serves `trace`");
        assert!(prover.allows(&shardwire_transport::session::Header::new("proof", 2).unwrap()));
        assert!(!settler.allows(&shardwire_transport::session::Header::new("proof", 2).unwrap()));
    }
}

#[tokio::test]
async fn another_network_is_refused_on_both_sides_with_both_names() {
    let [dialled, accepted] = meet(hello("main", "operator", spoken()), hello("test", "settler", spoken())).await;
    let text = "the dialling peer belongs to network 'main', the accepting peer to 'test'";
    let accepted = accepted.unwrap_err();
    assert_eq!((accepted.to_string().as_str(), accepted.code()), (text, "SW-HANDSHAKE-001"));
    let dialled = dialled.unwrap_err();
    assert_eq!(dialled.to_string(), format!("the peer refuses the connection: {text} (SW-HANDSHAKE-001)"));
    assert_eq!(dialled.code(), "SW-HANDSHAKE-001");
    assert_eq!(dialled.next_step(), accepted.next_step());
    assert!(dialled.next_step().contains("`network`"));
}

#[tokio::test]
async fn another_world_is_refused_on_both_sides_and_clients_need_none() {
    let of =
        |role: &str, world: Option<u8>| Hello { world: world.map(|it| Hash([it; 32])), ..hello("net", role, spoken()) };
    let client = || Hello { roles: vec![], ..of("", None) };
    for (dialling, accepting) in [(Some(1), Some(2)), (None, Some(2)), (Some(1), None)] {
        let [dialled, accepted] = meet(of("operator", dialling), of("settler", accepting)).await;
        let (dialled, accepted) = (dialled.unwrap_err(), accepted.unwrap_err());
        assert_eq!((dialled.code(), accepted.code()), ("SW-HANDSHAKE-005", "SW-HANDSHAKE-005"));
        assert!(accepted.to_string().starts_with("the dialling peer belongs to World "), "{accepted}");
        assert_eq!(dialled.next_step(), accepted.next_step());
        assert!(dialled.next_step().contains("world.json"));
    }
    for (dialling, accepting) in [
        (of("operator", Some(1)), of("settler", Some(1))),
        (client(), of("settler", Some(1))),
        (of("operator", Some(1)), client()),
        (of("operator", None), of("settler", None)),
    ] {
        let both = meet(dialling, accepting).await;
        assert!(both.iter().all(Result::is_ok), "{both:?}");
    }
}

#[tokio::test]
async fn without_a_common_version_the_reason_says_who_must_upgrade() {
    for (ours, theirs, behind) in
        [((1, 1), (2, 3), "the dialling peer must upgrade"), ((4, 5), (2, 3), "the accepting peer must upgrade")]
    {
        let dialling = hello("net", "operator", one("trace", ours.0, ours.1));
        let [dialled, accepted] = meet(dialling, hello("net", "prover", one("trace", theirs.0, theirs.1))).await;
        let (dialled, accepted) = (dialled.unwrap_err(), accepted.unwrap_err());
        let text = format!(
            "protocol trace: the dialling peer speaks version {} to {}, the accepting peer {} to {}; {behind}",
            ours.0, ours.1, theirs.0, theirs.1
        );
        assert_eq!(accepted.to_string(), text);
        assert!(dialled.to_string().contains(&text));
        assert_eq!((dialled.code(), accepted.code()), ("SW-HANDSHAKE-002", "SW-HANDSHAKE-002"));
        assert!(accepted.next_step().starts_with("Upgrade the ") && dialled.next_step().starts_with("Upgrade the "));
    }
}

#[tokio::test]
async fn contradictory_versions_are_refused() {
    let twice = [one("trace", 1, 1), one("trace", 2, 2)].concat();
    for protocols in [one("trace", 2, 1), twice] {
        let [dialled, accepted] = meet(hello("net", "x", protocols), hello("net", "y", spoken())).await;
        let text = "the dialling peer announces contradictory versions of protocol trace";
        assert_eq!(accepted.unwrap_err().to_string(), text);
        assert_eq!(dialled.unwrap_err().code(), "SW-HANDSHAKE-003");
    }
}

#[tokio::test]
async fn a_refusal_for_a_reason_of_a_later_version_is_passed_on() {
    let (a, b) = halves::<Handshake>(&identity(1), &identity(2));
    let refuse = async {
        let (_, session) = b.recv::<Hello, _>().await.unwrap();
        let cause = shardwire_model::Cause::new("SW-HANDSHAKE-900", "it is full moon");
        session.choose(Refused { reason: RefusalReason::Other, cause }).await.unwrap().close().await.unwrap();
    };
    let (dialled, ()) = tokio::join!(greet(a, hello("net", "x", spoken())), refuse);
    let error = dialled.unwrap_err();
    assert_eq!(error.to_string(), "the peer refuses the connection: it is full moon (SW-HANDSHAKE-900)");
    assert_eq!(
        (error.code(), error.next_step().contains("Ask the people who run the peer")),
        ("SW-HANDSHAKE-004", true)
    );
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_says_nothing_is_given_up() {
    let (silent, b) = halves::<Handshake>(&identity(1), &identity(2));
    let began = tokio::time::Instant::now();
    let error = answer(b, hello("net", "x", spoken())).await.unwrap_err();
    assert!(error.to_string().contains("nothing came within 10s"), "{error}");
    assert_eq!(began.elapsed(), crate::timing::GREETING);
    drop(silent);
}

#[test]
fn the_largest_messages_fit_and_longer_lists_are_refused() {
    let name = || "n".repeat(MAX_NAME);
    let mut largest = Hello {
        network: name(),
        world: Some(Hash([0xff; 32])),
        agent: name(),
        roles: vec![name(); MAX_ROLES],
        serves: vec![Spoken { name: name(), min: u16::MAX, max: u16::MAX }; MAX_PROTOCOLS],
        opens: vec![Spoken { name: name(), min: u16::MAX, max: u16::MAX }; MAX_PROTOCOLS],
        capabilities: vec![name(); MAX_CAPABILITIES],
        time: Timestamp(u64::MAX),
    };
    fits(&largest);
    fits(&Refused { reason: RefusalReason::Other, cause: largest_cause() });
    largest.roles.push("one more".into());
    refused_when_read(&largest);
    refused_when_read(&Hello { network: "n".repeat(MAX_NAME + 1), ..hello("", "x", vec![]) });
    refused_when_read(&Hello { capabilities: vec![String::new(); MAX_CAPABILITIES + 1], ..hello("", "x", vec![]) });
    refused_when_read(&hello("", "x", vec![Spoken { name: String::new(), min: 0, max: 0 }; MAX_PROTOCOLS + 1]));
}
