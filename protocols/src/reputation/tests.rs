use super::*;
use crate::{
    control::ControlError,
    testing::{DiskFull, fits, halves, identity, refused_when_read, rule},
};
use shardwire_model::{Coded, PeerId, Timestamp};
use shardwire_reputation::{Ban, Components, Listing, Quota, Standing, Tier};
use shardwire_transport::Branch;

fn view(number: u8) -> PeerView {
    PeerView {
        peer: PeerId([number; 32]),
        standing: Standing::Admitted(Tier::Normal),
        listing: None,
        score: 450,
        components: Components { work: 500, late: 50, ..Components::default() },
        ban: None,
        connected: vec![],
        quotas: vec![],
        changes: vec![],
        evidence: 0,
    }
}

/// Has so many peers, and evidence of so many bytes.
struct Node(u8, usize);

impl Handler<Reputation> for Node {
    fn allows(&self, peer: PeerId, _: &Request) -> bool {
        peer == identity(1).peer()
    }

    async fn handle(&self, _: PeerId, request: Request) -> Response {
        match request {
            Request::List { after } => {
                let all = (0..self.0).map(view).filter(|it| Some(it.peer) > after);
                Response::Peers { peers: all.collect(), more: false }
            }
            Request::Evidence { from, .. } => {
                Response::Evidence { bytes: u32::try_from(self.1).unwrap(), part: vec![7; self.1 - from as usize] }
            }
            _ => Response::failed(&DiskFull),
        }
    }
}

#[tokio::test]
async fn peers_come_in_pages_and_evidence_in_parts() {
    let (a, b) = halves::<Reputation>(&identity(1), &identity(2));
    let ask = async {
        let mut client = Client::new(a);
        let (first, more) = client.page(None).await.unwrap();
        assert_eq!((first.len(), more), (MAX_LISTED, true));
        let (rest, more) = client.page(first.last().map(|it| it.peer)).await.unwrap();
        assert_eq!((rest.len(), more), (8, false));
        assert_eq!(client.evidence(PeerId([1; 32]), 0).await.unwrap(), vec![7; 3 * PART_BYTES + 5]);
        let failed = client.overview().await.unwrap_err();
        assert_eq!((failed.to_string().as_str(), failed.code()), ("the disk is full (SW-TEST-001)", "SW-CONTROL-002"));
        client.close().await.unwrap();
    };
    let node = Node(40, 3 * PART_BYTES + 5);
    let ((), served) = tokio::join!(ask, serve(b, &node));
    served.unwrap();
}

#[tokio::test]
async fn a_stranger_is_told_who_may_ask() {
    let (a, b) = halves::<Reputation>(&identity(8), &identity(2));
    let ask = async {
        let mut client = Client::new(a);
        let error = client.peer(Request::Ban { peer: PeerId([1; 32]), seconds: None }).await.unwrap_err();
        assert!(error.to_string().ends_with("may not control this node (SW-CONTROL-001)"), "{error}");
        assert!(error.next_step().contains("administrators"), "{}", error.next_step());
        client.close().await.unwrap();
    };
    let ((), served) = tokio::join!(ask, serve(b, &Node(0, 0)));
    served.unwrap();
}

#[tokio::test]
async fn pages_and_parts_that_go_nowhere_are_the_nodes_fault() {
    for response in [
        Response::Peers { peers: vec![], more: true },
        Response::Peers { peers: vec![view(2), view(1)], more: false },
        Response::Evidence { bytes: 5, part: vec![] },
    ] {
        let (a, b) = halves::<Reputation>(&identity(1), &identity(2));
        let cheat = async {
            let Branch::First(session) = b.enter().offer().await.unwrap() else { panic!("bye") };
            let (request, session) = session.recv::<Request, _>().await.unwrap();
            (request, session.send(response.clone()).await.unwrap().again())
        };
        let ask = async {
            let mut client = Client::new(a);
            let asked = match &response {
                Response::Evidence { .. } => client.evidence(PeerId([1; 32]), 0).await.map(drop),
                _ => client.page(None).await.map(drop),
            };
            let Err(ControlError::Session(error)) = asked else { panic!("no violation: {asked:?}") };
            assert_eq!(rule::<()>(Err(error)), "SW-REPUTATION-030 the response answers another request");
        };
        let ((), _held) = tokio::join!(ask, cheat);
    }
}

#[test]
fn the_largest_messages_fit_and_longer_lists_are_refused() {
    let name = || "n".repeat(crate::handshake::MAX_NAME);
    let most = u32::MAX;
    let quota = Quota { frames_per_s: most, kib_per_s: most, sessions_per_s: most, sessions: most, leases: most };
    let banned = Standing::Banned { until: Timestamp(u64::MAX) };
    let largest = PeerView {
        peer: PeerId([255; 32]),
        standing: banned,
        listing: Some(Listing::Allowed),
        score: most,
        components: Components { work: most, harm: most, broken: most, late: most, cost: most },
        ban: Some(Ban { until: Timestamp(u64::MAX), times: most }),
        connected: vec![name(); MAX_ADDRESSES],
        quotas: vec![ProtocolQuota { protocol: name(), quota }; MAX_QUOTAS],
        changes: vec![Changed::new(Timestamp(u64::MAX), banned, banned, &"c".repeat(1000)); MAX_CHANGES],
        evidence: most,
    };
    let encodes = |response: &Response| shardwire_transport::message::encode(response).is_ok();
    let page = Response::Peers { peers: vec![largest.clone(); MAX_LISTED], more: true };
    let part = Response::Evidence { bytes: most, part: vec![255; PART_BYTES] };
    assert!(encodes(&page) && encodes(&part));
    fits(&Request::Evidence { peer: PeerId([255; 32]), number: most, from: most });
    fits(&Request::Ban { peer: PeerId([255; 32]), seconds: Some(u64::MAX) });
    fits(&Bye {});
    refused_when_read(&Response::Peers { peers: vec![largest.clone(); MAX_LISTED + 1], more: true });
    refused_when_read(&Response::Evidence { bytes: most, part: vec![255; PART_BYTES + 1] });
    refused_when_read(&PeerView { connected: vec![name(); MAX_ADDRESSES + 1], ..largest });
}
