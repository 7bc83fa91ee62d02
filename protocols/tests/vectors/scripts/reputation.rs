use super::{INITIATOR, RESPONDER, Script, script};
use shardwire_model::{PeerId, Timestamp};
use shardwire_protocols::reputation::{
    Answer as _, Changed, Client, Counts, Handler, Overview, PeerView, ProtocolQuota, Reputation, Request, Response,
    serve,
};
use shardwire_reputation::{Ban, Components, Listing, Quotas, Standing, Tier};

struct Node;

const EVIDENCE: &[u8] = b"what was signed";

fn view(peer: PeerId, standing: Standing) -> PeerView {
    PeerView {
        peer,
        standing,
        listing: Some(Listing::Configured),
        score: 320,
        components: Components { work: 500, harm: 100, broken: 50, late: 25, cost: 5 },
        ban: Some(Ban { until: Timestamp(1_700_000_060_000), times: 2 }),
        connected: vec!["192.0.2.7".into()],
        quotas: vec![ProtocolQuota { protocol: "others".into(), quota: Quotas::default().low.others }],
        changes: vec![Changed::new(
            Timestamp(1_700_000_000_000),
            Standing::Admitted(Tier::High),
            standing,
            "violation SW-SESSION-003 of trace, awaiting Pull",
        )],
        evidence: 1,
    }
}

impl Handler<Reputation> for Node {
    fn allows(&self, peer: PeerId, _: &Request) -> bool {
        peer == INITIATOR.peer()
    }

    async fn handle(&self, _: PeerId, request: Request) -> Response {
        let shown = |peer, standing| Response::Peer(Box::new(view(peer, standing)));
        match request {
            Request::Overview => Response::Overview(Box::new(Overview {
                ready: false,
                refused_tier: Some(Tier::Low),
                queue_depth: 1100,
                queue_watermark: 1024,
                loop_delay_us: 5,
                loop_watermark_us: 250_000,
                memory_bytes: 1 << 30,
                memory_watermark_bytes: 4 << 30,
                connections: 3,
                reserved: 1,
                low: Counts { connected: 1, sessions: 9, refused: 4, waits: 70, bytes: 1 << 20 },
                normal: Counts::default(),
                high: Counts { connected: 2, ..Counts::default() },
                admitted: 12,
                retried: 3,
                refused: 4,
                ignored: 5,
                turned_away: 6,
            })),
            Request::List { after: None } => {
                let peers = vec![
                    view(PeerId([1; 32]), Standing::Denied),
                    view(PeerId([2; 32]), Standing::Admitted(Tier::Normal)),
                ];
                Response::Peers { peers, more: true }
            }
            Request::List { .. } => Response::Peers { peers: vec![], more: false },
            Request::Show { peer } => shown(peer, Standing::Admitted(Tier::Low)),
            Request::Ban { peer, seconds: Some(seconds) } => {
                shown(peer, Standing::Banned { until: Timestamp(seconds * 1000) })
            }
            Request::Ban { peer, seconds: None } => shown(peer, Standing::Denied),
            Request::Unban { peer } => shown(peer, Standing::Admitted(Tier::Low)),
            Request::Allow { withdraw: true, .. } => {
                Response::failure("SW-TEST-001", "the disk is full", "Buy a larger one.")
            }
            Request::Allow { peer, .. } => shown(peer, Standing::Admitted(Tier::High)),
            Request::Reload => Response::Reloaded { configured: 2, allowed: 1, denied: 300 },
            Request::Evidence { from, .. } => {
                let rest = EVIDENCE.get(from as usize..).unwrap_or_default();
                let bytes = u32::try_from(EVIDENCE.len()).unwrap();
                Response::Evidence { bytes, part: rest[..rest.len().min(10)].to_vec() }
            }
        }
    }
}

pub(super) fn scripts() -> Vec<Script> {
    vec![script::<Reputation, _, _>(
        "every request once",
        |session| async move {
            let mut client = Client::new(session);
            let peer = RESPONDER.peer();
            client.overview().await?;
            let (peers, _) = client.page(None).await?;
            client.page(peers.last().map(|it| it.peer)).await?;
            for request in [
                Request::Show { peer },
                Request::Ban { peer, seconds: Some(90) },
                Request::Ban { peer, seconds: None },
                Request::Unban { peer },
                Request::Allow { peer, withdraw: false },
            ] {
                client.peer(request).await?;
            }
            assert!(client.peer(Request::Allow { peer, withdraw: true }).await.is_err());
            client.request(Request::Reload).await?;
            assert_eq!(client.evidence(peer, 0).await?, EVIDENCE);
            Ok(client.close().await?)
        },
        |session| async move { Ok(serve(session, &Node).await?) },
    )]
}
