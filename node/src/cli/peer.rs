//! `shardwire peer list`, `show`, `ban`, `unban`, `allow` and `reload`.

use super::{
    evidence::{self, EvidenceArgs},
    failure::Failure,
    named::PeerName,
    node::{ask, wait_for},
    output::{Answer, columns, plain},
};
use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::json;
use shardwire_model::Timestamp;
use shardwire_protocols::administration::{Changed, PeerView, peer::Request};
use shardwire_reputation::{Components, Listing, MAX_RECORDS, Standing};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(super) enum PeerCommand {
    /// List the peers that are connected, known or named, with the components of their scores
    #[command(after_help = "Example:\n  shardwire peer list --data ./operator")]
    List,
    /// Show one peer: its score, what its tier may use, how its standing changed
    #[command(after_help = "Example:\n  shardwire peer show --data ./operator ID")]
    Show(PeerArgs),
    /// Shut a peer out, at once and across restarts: for some time, or until it is unbanned
    #[command(after_help = "Examples:\n  \
        shardwire peer ban --data ./operator ID --seconds 3600\n  \
        shardwire peer ban --data ./operator ID")]
    Ban(BanArgs),
    /// Let a peer in again, and forgive what led to its ban
    #[command(after_help = "Example:\n  shardwire peer unban --data ./operator ID")]
    Unban(PeerArgs),
    /// Never ban a peer, whatever it does; it is in tier normal at least
    #[command(after_help = "Examples:\n  \
        shardwire peer allow --data ./operator ID\n  \
        shardwire peer allow --data ./operator ID --withdraw")]
    Allow(AllowArgs),
    /// Show what the node can prove against a peer: a bad proof, or signed words that contradict each other
    #[command(after_help = "With --to each piece is written to a file of its own, whole: anybody can check it with\n\
        `shardwire evidence check`, without this node.\n\nExamples:\n  \
        shardwire peer evidence --data ./settler ID\n  \
        shardwire peer evidence --data ./settler ID --to ./evidence")]
    Evidence(EvidenceArgs),
    /// Let the running node read its configuration's peers, reputation.allow and reputation.deny again
    #[command(
        after_help = "A node that runs under a supervisor does the same when it gets SIGHUP. Peers that were added are admitted\n\
        as configured; to dial them takes a restart. What `peer ban` and `peer allow` said stays said.\n\n\
        Example:\n  shardwire peer reload --data ./operator"
    )]
    Reload,
}

#[derive(Debug, Args)]
pub(super) struct PeerArgs {
    /// The peer's id, or its beginning
    #[arg(value_name = "PEER")]
    peer: PeerName,
}

#[derive(Debug, Args)]
pub(super) struct BanArgs {
    /// The peer's id, or its beginning
    #[arg(value_name = "PEER")]
    peer: PeerName,
    /// For how long; until `peer unban` if not given
    #[arg(long, value_name = "SECONDS")]
    seconds: Option<u64>,
}

#[derive(Debug, Args)]
pub(super) struct AllowArgs {
    /// The peer's id, or its beginning
    #[arg(value_name = "PEER")]
    peer: PeerName,
    /// Treat it like others again
    #[arg(long)]
    withdraw: bool,
}

impl PeerCommand {
    pub(super) fn run(self, root: Root) -> Result<Answer, Failure> {
        match self {
            Self::List => wait_for(list(root)),
            Self::Show(args) => wait_for(show(root, &args)),
            Self::Ban(args) => wait_for(ban(root, &args)),
            Self::Unban(args) => wait_for(unban(root, &args)),
            Self::Allow(args) => wait_for(allow(root, &args)),
            Self::Evidence(args) => wait_for(evidence::export(root, &args)),
            Self::Reload => wait_for(reload(root)),
        }
    }
}

type Root = Option<PathBuf>;

#[derive(Serialize)]
struct Listed {
    peers: Vec<PeerView>,
}

async fn one(root: Root, request: Request) -> Result<PeerView, Failure> {
    ask(root, async move |client| client.peer(request).await).await
}

async fn list(root: Root) -> Result<Answer, Failure> {
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
    Ok(Answer::new(table(&peers), &Listed { peers }))
}

async fn show(root: Root, args: &PeerArgs) -> Result<Answer, Failure> {
    let peer = args.peer.find(root.as_ref()).await?;
    let peer = one(root, Request::Show { peer }).await?;
    Ok(Answer::new(describe(&peer), &peer))
}

async fn ban(root: Root, args: &BanArgs) -> Result<Answer, Failure> {
    let peer = args.peer.find(root.as_ref()).await?;
    as_it_stands(one(root, Request::Ban { peer, seconds: args.seconds }).await?)
}

async fn unban(root: Root, args: &PeerArgs) -> Result<Answer, Failure> {
    let peer = args.peer.find(root.as_ref()).await?;
    as_it_stands(one(root, Request::Unban { peer }).await?)
}

async fn allow(root: Root, args: &AllowArgs) -> Result<Answer, Failure> {
    let peer = args.peer.find(root.as_ref()).await?;
    as_it_stands(one(root, Request::Allow { peer, withdraw: args.withdraw }).await?)
}

/// What was done about a peer, as how it stands now.
fn as_it_stands(peer: PeerView) -> Result<Answer, Failure> {
    let text = format!("peer {} is now {}", peer.peer.short(), stands(&peer));
    Ok(Answer::new(text, &peer))
}

async fn reload(root: Root) -> Result<Answer, Failure> {
    let [configured, allowed, denied] = ask(root, async |client| client.reload().await).await?;
    let text = format!("read again: {configured} peers to work with, {allowed} allowed, {denied} denied");
    Ok(Answer::new(text, &json!({ "configured": configured, "allowed": allowed, "denied": denied })))
}

fn table(peers: &[PeerView]) -> String {
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
        [peer.peer.short(), stands(peer), score, work, harm, broken, late, cost, plain(&from), evidence]
    });
    columns(&std::iter::once(head.map(ToOwned::to_owned)).chain(rows).collect::<Vec<_>>())
}

/// How a peer stands, and by whose word.
fn stands(peer: &PeerView) -> String {
    let word = match peer.listing {
        Some(Listing::Configured) => " (configured)",
        Some(Listing::Allowed) => " (allowed)",
        Some(Listing::Denied) | None => "",
    };
    match peer.standing {
        Standing::Denied => "denied".to_owned(),
        Standing::Banned { until } => format!("banned for {} s{word}", until.since(peer.now).as_secs()),
        Standing::Admitted(tier) => format!("{tier}{word}"),
    }
}

fn describe(peer: &PeerView) -> String {
    let now = peer.now;
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
        ["stands".to_owned(), stands(peer)],
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
            now: Timestamp(60_000),
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
            describe(&view()),
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
            table(&[view(), banned]),
            "peer        stands                        score  work  harm  broken  late  cost  connected from  evidence\n\
             2222222222  low                           0      500   1500  0       25    3     192.0.2.7       1\n\
             2222222222  banned for 30 s (configured)  0      500   1500  0       25    3     -               -"
        );
        assert_eq!(table(&[]), "no peers");
        let denied = PeerView { standing: Standing::Denied, listing: Some(Listing::Denied), ..view() };
        assert_eq!(stands(&denied), "denied");
        let allowed = PeerView { listing: Some(Listing::Allowed), ..view() };
        assert_eq!(stands(&allowed), "low (allowed)");
    }
}
