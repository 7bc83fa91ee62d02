//! The event that a failed session is for a peer's reputation.

use shardwire_model::Coded as _;
use shardwire_protocols::ServeError;
use shardwire_reputation::{Blame, Breach, Event};
use shardwire_transport::{self as transport, SessionError};

/// The event that a failed session is; `None` if the connection was lost, or the failure is this node's.
#[must_use]
pub fn session_event(error: &ServeError) -> Option<Event> {
    let ServeError::Session(SessionError::Violation(violation)) = error else { return None };
    let (protocol, state) = (violation.protocol.clone(), violation.state.clone().into());
    Some(match violation.blame() {
        transport::Blame::Peer => {
            Event::Broke { breach: Breach::Violation { code: violation.code(), protocol, state }, blame: Blame::Peer }
        }
        transport::Blame::Unclear => {
            Event::Broke { breach: Breach::Deadline { protocol, state }, blame: Blame::Unclear }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use shardwire_model::Coded;
    use shardwire_model::PeerId;
    use shardwire_protocols::Failure;
    use shardwire_transport::{Local, Lost, LostCause, Violation, ViolationKind};
    use std::{fmt, time::Duration};

    #[derive(Debug)]
    struct DiskFull;
    impl fmt::Display for DiskFull {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("the disk is full")
        }
    }
    impl std::error::Error for DiskFull {}
    impl Coded for DiskFull {
        fn code(&self) -> &'static str {
            "SW-TEST-001"
        }
        fn next_step(&self) -> String {
            "Buy a larger one.".to_owned()
        }
    }

    fn violation(kind: ViolationKind) -> ServeError {
        let (peer, protocol, state) = (PeerId([1; 32]), "trace".into(), "awaiting Pull".to_owned());
        SessionError::Violation(Box::new(Violation { peer, protocol, state, kind, received: 0, sent: 0 })).into()
    }

    #[test]
    fn only_the_peers_fault_is_an_event_and_what_is_unclear_is_said_to_be() {
        let seen = |error: &ServeError| session_event(error).map(|event| event.to_string());
        let too_long = violation(ViolationKind::TooLong { announced: 9, max: 3 });
        assert_eq!(seen(&too_long).as_deref(), Some("violation SW-SESSION-003 of trace, awaiting Pull"));
        let late = violation(ViolationKind::Late { after: Duration::from_secs(9), have: 0 });
        assert!(matches!(super::session_event(&late), Some(Event::Broke { blame: Blame::Unclear, .. })));
        let (peer, protocol) = (PeerId([1; 32]), "trace");
        let lost = Lost { peer, protocol: protocol.into(), state: String::new(), cause: LostCause::Closed };
        assert_eq!(seen(&SessionError::Lost(Box::new(lost)).into()), None);
        let ours = Local::PipelineFull { protocol: protocol.into(), depth: 8 };
        assert_eq!(seen(&SessionError::Local(Box::new(ours)).into()), None);
        assert_eq!(seen(&Failure::from(DiskFull).into()), None);
    }
}
