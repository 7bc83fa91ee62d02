//! A network is upgraded peer by peer: what an old peer and a new one do with each other.
//!
//! The old program ([`old`]) is a copy of version 1 of one protocol, `keepalive`, that never changes. The new one speaks
//! this build's version 1 and a version 2 ([`new`]). They meet over real endpoints.

mod agreement;
mod dissection;
mod new;
mod old;

use shardwire_model::{Clock, Coded, Timestamp};
use shardwire_protocols::{
    catalogue::{Entry, ProtocolId},
    handshake::{Agreed, Handshake, HandshakeError, Hello, announce, answer, greet},
    keepalive::{self, Keepalive},
};
use shardwire_transport::{Connection, Endpoint, Identity, LostCause, Protocol, SessionError, Settings, WireCode};
use std::net::{Ipv4Addr, SocketAddr};

/// A program of the network.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Program {
    /// Speaks version 1.
    Old,
    /// Speaks versions 1 and 2.
    New,
    /// Speaks version 2 and nothing older.
    Newest,
}
use Program::{New, Newest, Old};

#[derive(Debug)]
struct Noon;

impl Clock for Noon {
    fn now(&self) -> Timestamp {
        Timestamp(43_200_000)
    }
}

impl Program {
    fn hello(self) -> Hello {
        let entries = match self {
            Old => vec![Entry::of::<old::Keepalive>()],
            New => vec![Entry::of::<Keepalive>(), Entry::of::<new::Keepalive>()],
            Newest => vec![Entry::of::<new::Keepalive>()],
        };
        Hello {
            network: "net".into(),
            world: None,
            agent: format!("{self:?}"),
            roles: vec![],
            serves: announce(entries.iter().map(ProtocolId::from)),
            opens: announce(entries.iter().map(ProtocolId::from)),
            capabilities: vec![],
            time: Noon.now(),
        }
    }

    /// Opens the version that was agreed on, and asks once. Says which it was.
    async fn ask(self, connection: &Connection, agreed: &Agreed) -> Result<u16, SessionError> {
        if self == Old {
            old::ping(connection.open::<old::Keepalive>().await?, 7).await?;
            Ok(old::Keepalive::VERSION)
        } else if agreed.may_open::<new::Keepalive>() {
            assert_eq!(new::ping(connection.open::<new::Keepalive>().await?, 7).await?, new::LOAD);
            Ok(new::Keepalive::VERSION)
        } else {
            let (_, client) = keepalive::Client::new(connection.open::<Keepalive>().await?).ping(&Noon).await?;
            client.close().await?;
            Ok(Keepalive::VERSION)
        }
    }

    /// Serves the next session in the version that its header names, if that is the one agreed on.
    async fn serve(self, connection: &Connection, agreed: &Agreed) -> Result<u16, SessionError> {
        let mut incoming = connection.accept().await?;
        let header = incoming.header().await?.clone();
        if !agreed.allows(&header) {
            return Err(incoming.unserved());
        }
        if self == Old {
            old::serve(incoming.serve::<old::Keepalive>().await?).await?;
        } else if incoming.is::<new::Keepalive>() {
            new::serve(incoming.serve::<new::Keepalive>().await?).await?;
        } else {
            keepalive::serve(incoming.serve::<Keepalive>().await?, &Noon).await?;
        }
        Ok(header.version)
    }
}

fn endpoint(number: u8) -> Endpoint {
    use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng as _};
    let mut rng = ChaCha8Rng::from_seed([number; 32]);
    let identity = Identity::from_secret(&[number; 32]);
    Endpoint::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), identity, &Settings::default(), &mut rng).unwrap()
}

/// Both ends of a connection, with what its handshake came to.
struct Meeting {
    connections: [Connection; 2],
    agreed: [Result<Agreed, HandshakeError>; 2],
    _endpoints: [Endpoint; 2],
}

async fn meet(dialling: Program, accepting: Program) -> Meeting {
    let endpoints = [endpoint(1), endpoint(2)];
    let [a, b] = &endpoints;
    let dial = async {
        let connection = a.connect(b.address(), Some(b.identity().peer())).await.unwrap();
        let agreed = greet(connection.open::<Handshake>().await.unwrap(), dialling.hello()).await;
        (connection, agreed)
    };
    let accept = async {
        let connection = b.accept().await.unwrap().admit().await.unwrap();
        let session = connection.accept().await.unwrap().serve::<Handshake>().await.unwrap();
        (connection, answer(session, accepting.hello()).await)
    };
    let ((near, dialled), (far, accepted)) = tokio::join!(dial, accept);
    Meeting { connections: [near, far], agreed: [dialled, accepted], _endpoints: endpoints }
}

#[tokio::test]
async fn old_and_new_peers_talk_in_the_highest_common_version_from_either_side() {
    for (dialling, accepting, version) in
        [(Old, Old, 1), (Old, New, 1), (New, Old, 1), (New, New, 2), (New, Newest, 2), (Newest, New, 2)]
    {
        let Meeting { connections: [near, far], agreed: [dialled, accepted], .. } = &meet(dialling, accepting).await;
        let (dialled, accepted) = (dialled.as_ref().unwrap(), accepted.as_ref().unwrap());
        assert_eq!((dialled.opens["keepalive"], accepted.opens["keepalive"]), (version, version));
        let (asked, served) = tokio::join!(dialling.ask(near, dialled), accepting.serve(far, accepted));
        assert_eq!((asked.unwrap(), served.unwrap()), (version, version), "{dialling:?} asks {accepting:?}");
        let (asked, served) = tokio::join!(accepting.ask(far, accepted), dialling.serve(near, dialled));
        assert_eq!((asked.unwrap(), served.unwrap()), (version, version), "{accepting:?} asks {dialling:?}");
    }
}

#[tokio::test]
async fn peers_without_a_common_version_hear_which_of_them_must_upgrade() {
    for (dialling, accepting, behind) in [(Old, Newest, "the dialling peer"), (Newest, Old, "the accepting peer")] {
        let [dialled, accepted] = meet(dialling, accepting).await.agreed.map(Result::unwrap_err);
        for error in [&dialled, &accepted] {
            assert!(error.to_string().contains(&format!("{behind} must upgrade")), "{error}");
            assert_eq!(error.code(), "SW-HANDSHAKE-002");
        }
        assert_eq!(accepted.next_step(), format!("Upgrade {behind}, then connect again."));
    }
}

#[tokio::test]
async fn a_version_other_than_the_one_agreed_on_is_refused_and_the_connection_goes_on() {
    for (dialling, accepting, opened) in [(New, Old, 2), (New, New, 1)] {
        let Meeting { connections: [near, far], agreed: [dialled, accepted], .. } = &meet(dialling, accepting).await;
        let (dialled, accepted) = (dialled.as_ref().unwrap(), accepted.as_ref().unwrap());
        let open = async {
            match opened {
                1 => keepalive::Client::new(near.open::<Keepalive>().await?).ping(&Noon).await.map(drop),
                _ => new::ping(near.open::<new::Keepalive>().await?, 7).await.map(drop),
            }
        };
        let (asked, served) = tokio::join!(open, accepting.serve(far, accepted));
        let served = served.unwrap_err().to_string();
        assert!(served.contains("keepalive") && served.contains(&opened.to_string()), "{served}");
        match asked.unwrap_err() {
            SessionError::Lost(lost) => assert_eq!(lost.cause, LostCause::Reset(WireCode::UnknownProtocol)),
            other => panic!("{other}"),
        }
        let (asked, served) = tokio::join!(dialling.ask(near, dialled), accepting.serve(far, accepted));
        assert_eq!((asked.unwrap(), served.unwrap()), (3 - opened, 3 - opened));
    }
}
