//! `shardwire peer list`, `show`, `ban`, `unban`, `allow` and `reload`.

use super::{
    args::{AllowArgs, BanArgs, PeerArgs},
    failure::Failure,
    node::ask,
    output::{Answer, columns, plain},
};
use serde::Serialize;
use serde_json::json;
use shardwire_host::clock::SystemClock;
use shardwire_model::{Clock as _, Timestamp};
use shardwire_protocols::administration::{Changed, PeerView, peer::Request};
use shardwire_reputation::{Components, Listing, MAX_RECORDS, Standing};
use std::path::PathBuf;

type Root = Option<PathBuf>;

#[derive(Serialize)]
struct Listed {
    peers: Vec<PeerView>,
}

async fn one(root: Root, request: Request) -> Result<PeerView, Failure> {
    ask(root, async move |client| client.peer(request).await).await
}

pub(super) async fn list(root: Root) -> Result<Answer, Failure> {
    let peers = ask(root, async |client| {
        let mut all: Vec<PeerView> = Vec::new();
        loop {
            let (page, more) = client.peers_page(all.last().map(|it| it.peer)).await?;
            all.extend(page);
            // A node remembers no more than that.
            if !more || all.len() > 2 * MAX_RECORDS {
                return Ok(all);
            }
        }
    })
    .await?;
    Ok(Answer::new(table(&peers, SystemClock.now()), &Listed { peers }))
}

pub(super) async fn show(root: Root, args: &PeerArgs) -> Result<Answer, Failure> {
    let peer = one(root, Request::Show { peer: args.peer }).await?;
    Ok(Answer::new(describe(&peer, SystemClock.now()), &peer))
}

pub(super) async fn ban(root: Root, args: &BanArgs) -> Result<Answer, Failure> {
    said(one(root, Request::Ban { peer: args.peer, seconds: args.seconds }).await?)
}

pub(super) async fn unban(root: Root, args: &PeerArgs) -> Result<Answer, Failure> {
    said(one(root, Request::Unban { peer: args.peer }).await?)
}

pub(super) async fn allow(root: Root, args: &AllowArgs) -> Result<Answer, Failure> {
    said(one(root, Request::Allow { peer: args.peer, withdraw: args.withdraw }).await?)
}

/// What was done about a peer, as how it stands now.
fn said(peer: PeerView) -> Result<Answer, Failure> {
    let text = format!("peer {} is now {}", peer.peer.short(), stands(&peer, SystemClock.now()));
    Ok(Answer::new(text, &peer))
}

pub(super) async fn reload(root: Root) -> Result<Answer, Failure> {
    let [configured, allowed, denied] = ask(root, async |client| client.reload().await).await?;
    let text = format!("read again: {configured} peers to work with, {allowed} allowed, {denied} denied");
    Ok(Answer::new(text, &json!({ "configured": configured, "allowed": allowed, "denied": denied })))
}

fn table(peers: &[PeerView], now: Timestamp) -> String {
    if peers.is_empty() {
        return "no peers".to_owned();
    }
    let head = ["peer", "stands", "score", "work", "harm", "broken", "late", "cost", "connected from", "evidence"];
    let rows = peers.iter().map(|peer| {
        let Components { work, harm, broken, late, cost } = peer.components;
        let numbers = [peer.score, work, harm, broken, late, cost].map(|number| number.to_string());
        let [score, work, harm, broken, late, cost] = numbers;
        let from = if peer.connected.is_empty() { "-".to_owned() } else { peer.connected.join(", ") };
        let evidence = if peer.evidence == 0 { "-".to_owned() } else { peer.evidence.to_string() };
        [peer.peer.short(), stands(peer, now), score, work, harm, broken, late, cost, plain(&from), evidence]
    });
    columns(&std::iter::once(head.map(ToOwned::to_owned)).chain(rows).collect::<Vec<_>>())
}

/// How a peer stands, and by whose word.
fn stands(peer: &PeerView, now: Timestamp) -> String {
    let word = match peer.listing {
        Some(Listing::Configured) => " (configured)",
        Some(Listing::Allowed) => " (allowed)",
        Some(Listing::Denied) | None => "",
    };
    match peer.standing {
        Standing::Denied => "denied".to_owned(),
        Standing::Banned { until } => format!("banned for {} s{word}", until.since(now).as_secs()),
        Standing::Admitted(tier) => format!("{tier}{word}"),
    }
}

fn describe(peer: &PeerView, now: Timestamp) -> String {
    let Components { work, harm, broken, late, cost } = peer.components;
    let bans = peer.ban.map_or_else(
        || "none".to_owned(),
        |ban| match ban.holds(now) {
            true => format!("holds for another {} s, the {}. in a row", ban.until.since(now).as_secs(), ban.times),
            false => format!("ended {} s ago, the {}. in a row", now.since(ban.until).as_secs(), ban.times),
        },
    );
    let from = if peer.connected.is_empty() { "nowhere".to_owned() } else { peer.connected.join(", ") };
    let rows = [
        ["id".to_owned(), peer.peer.to_string()],
        ["stands".to_owned(), stands(peer, now)],
        [
            "score".to_owned(),
            format!(
                "{} = {work} work - {harm} harm - {broken} broken - {late} late - {cost} cost, at least 0",
                peer.score
            ),
        ],
        ["ban".to_owned(), bans],
        ["connected".to_owned(), from],
        ["evidence".to_owned(), peer.evidence.to_string()],
    ];
    let mut parts = vec![columns(&rows)];
    if !peer.quotas.is_empty() {
        let head = ["protocol", "frames/s", "KiB/s", "sessions/s", "sessions", "leases"].map(ToOwned::to_owned);
        let rows = peer.quotas.iter().map(|of| {
            let quota = of.quota;
            let [frames, kib, new, sessions, leases] =
                [quota.frames_per_s, quota.kib_per_s, quota.sessions_per_s, quota.sessions, quota.leases]
                    .map(|number| number.to_string());
            [plain(&of.protocol), frames, kib, new, sessions, leases]
        });
        parts.push(columns(&std::iter::once(head).chain(rows).collect::<Vec<_>>()));
    }
    if !peer.changes.is_empty() {
        let rows: Vec<_> = peer.changes.iter().map(|change| changed(change, now)).collect();
        parts.push(columns(&rows));
    }
    parts.join("\n\n")
}

fn changed(change: &Changed, now: Timestamp) -> [String; 3] {
    let name = |standing: Standing| standing.to_string();
    [
        format!("{} s ago", now.since(change.at).as_secs()),
        format!("{} -> {}", name(change.from), name(change.to)),
        plain(&change.cause),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use shardwire_model::PeerId;
    use shardwire_protocols::administration::ProtocolQuota;
    use shardwire_reputation::{Ban, Quotas, Tier};

    fn view() -> PeerView {
        PeerView {
            peer: PeerId([0x22; 32]),
            standing: Standing::Admitted(Tier::Low),
            listing: None,
            score: 0,
            components: Components { work: 500, harm: 1500, broken: 0, late: 25, cost: 3 },
            ban: Some(Ban { until: Timestamp(40_000), times: 2 }),
            connected: vec!["192.0.2.7".into()],
            quotas: vec![ProtocolQuota { protocol: "others".into(), quota: Quotas::default().low.others }],
            changes: vec![Changed::new(
                Timestamp(30_000),
                Standing::Admitted(Tier::Normal),
                Standing::Banned { until: Timestamp(40_000) },
                "invalid proof",
            )],
            evidence: 1,
        }
    }

    #[test]
    fn a_peer_is_described_with_all_that_its_score_is_made_of() {
        assert_eq!(
            describe(&view(), Timestamp(60_000)),
            "id         2222222222222222222222222222222222222222222222222222222222222222\n\
             stands     low\n\
             score      0 = 500 work - 1500 harm - 0 broken - 25 late - 3 cost, at least 0\n\
             ban        ended 20 s ago, the 2. in a row\n\
             connected  192.0.2.7\n\
             evidence   1\n\n\
             protocol  frames/s  KiB/s  sessions/s  sessions  leases\n\
             others    2000      16384  8           8         2\n\n\
             30 s ago  normal -> banned  invalid proof"
        );
    }

    #[test]
    fn peers_are_listed_with_their_standing_and_by_whose_word() {
        let banned = PeerView {
            standing: Standing::Banned { until: Timestamp(90_000) },
            listing: Some(Listing::Configured),
            connected: vec![],
            evidence: 0,
            ..view()
        };
        assert_eq!(
            table(&[view(), banned], Timestamp(60_000)),
            "peer        stands                        score  work  harm  broken  late  cost  connected from  evidence\n\
             2222222222  low                           0      500   1500  0       25    3     192.0.2.7       1\n\
             2222222222  banned for 30 s (configured)  0      500   1500  0       25    3     -               -"
        );
        assert_eq!(table(&[], Timestamp(0)), "no peers");
        let denied = PeerView { standing: Standing::Denied, listing: Some(Listing::Denied), ..view() };
        assert_eq!(stands(&denied, Timestamp(0)), "denied");
        let allowed = PeerView { listing: Some(Listing::Allowed), ..view() };
        assert_eq!(stands(&allowed, Timestamp(0)), "low (allowed)");
    }
}
