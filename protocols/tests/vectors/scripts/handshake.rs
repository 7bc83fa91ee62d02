use super::{Script, script};
use shardwire_model::Timestamp;
use shardwire_protocols::handshake::{Handshake, Hello, Spoken, answer, greet};

fn hello(network: &str, role: &str) -> Hello {
    let spoken = |name: &str, min, max| Spoken { name: name.into(), min, max };
    Hello {
        network: network.into(),
        agent: "shardwire/0.1.0".into(),
        roles: vec![role.into()],
        serves: vec![spoken("keepalive", 1, 1), spoken("trace", 1, 3)],
        opens: vec![spoken("keepalive", 1, 1), spoken("trace", 2, 4)],
        capabilities: vec!["x-future".into()],
        time: Timestamp(1_700_000_000_000),
    }
}

pub(super) fn scripts() -> Vec<Script> {
    vec![
        script::<Handshake, _, _>(
            "two peers agree",
            |session| async move {
                let agreed = greet(session, hello("net", "prover")).await?;
                assert_eq!(agreed.opens["trace"], 3);
                Ok(())
            },
            |session| async move {
                answer(session, hello("net", "operator")).await?;
                Ok(())
            },
        ),
        script::<Handshake, _, _>(
            "a peer of another network",
            |session| async move {
                assert!(greet(session, hello("main", "prover")).await.is_err());
                Ok(())
            },
            |session| async move {
                assert!(answer(session, hello("test", "operator")).await.is_err());
                Ok(())
            },
        ),
    ]
}
