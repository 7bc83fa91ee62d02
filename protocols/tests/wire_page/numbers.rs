//! Numbers on the page that are written by hand, or that a newcomer meets: each is compared with the constant that it is.

use shardwire_model::{
    MAX_ACCOUNTS, MAX_CODE, MAX_CONTRACTS, MAX_ENTRIES, MAX_PROOF_BYTES, MAX_READ_SLOTS, MAX_READS, MAX_REASON,
    MAX_TRANSACTIONS,
    contracts::{MAX_AMOUNT, MAX_CLASSES, MAX_SCRATCH},
    finished_selector,
};
use shardwire_protocols::{describe::markdown, evidence, handshake, keepalive, proof, timing, trace};
use shardwire_reputation::{FORGIVEN_AFTER, HIGH_AT, LONGEST_WAIT, NORMAL_AT, Policy, Quotas, Tier, admission::Limits};
use shardwire_transport::{
    Profile, Settings,
    settings::{BULK_MESSAGE_BYTES, BULK_SESSIONS, HANDSHAKE_DEADLINE},
    tls::ALPN,
};
use std::{fs, path::Path, time::Duration};

/// What a peer of each tier may use.
pub(crate) fn quotas() -> String {
    let quotas = Quotas::default();
    let row_of = |protocol: &str, what: &str, of: fn(&shardwire_reputation::Quota) -> u32| {
        let [low, normal, high] = Tier::ALL.map(|tier| thousands(of(quotas.of(tier, protocol)).into()));
        [what.to_owned(), low, normal, high]
    };
    let row = |what, of| row_of("any", what, of);
    let rows = [
        row("frames received a second", |quota| quota.frames_per_s),
        row("KiB received and sent a second", |quota| quota.kib_per_s),
        row("sessions that it opens a second", |quota| quota.sessions_per_s),
        row("sessions that it has open at a time", |quota| quota.sessions),
        row_of("trace", "leases that it holds at a time", |quota| quota.leases),
        row_of("keepalive", "in keepalive: frames received a second", |quota| quota.frames_per_s),
        row_of("keepalive", "in keepalive: KiB received and sent a second", |quota| quota.kib_per_s),
        row_of("trace", "in trace: frames received a second", |quota| quota.frames_per_s),
    ];
    let own: std::collections::BTreeSet<&str> = quotas.named().collect();
    assert_eq!(own, ["keepalive", "trace"].into(), "say which protocols have their own");
    markdown(["what a peer may use", "low", "normal", "high"], &rows)
}

/// How many connections a node takes, and how fast.
pub(crate) fn admission() -> String {
    let limits = Limits::default();
    let row = |what: &str, number: String| [what.to_owned(), number];
    let rows = [
        row("connections from which on strangers come again with a token and wait", limits.soft.to_string()),
        row("connections from which on only configured peers are taken", limits.hard.to_string()),
        row("places for configured peers beyond that", limits.reserved.to_string()),
        row("longest wait before a handshake", seconds(limits.longest_delay)),
        row("connections from one address (of IPv6 from one /64)", limits.per_host.to_string()),
        row("connections from one address that its configuration names", limits.per_configured_host.to_string()),
        row("connections from one network (/24, /48)", limits.per_network.to_string()),
        row("connections of one key", limits.per_peer.to_string()),
        row("strangers' handshakes a second from one address", limits.host_per_s.to_string()),
        row("strangers' handshakes a second from one network", limits.network_per_s.to_string()),
        row("strangers' handshakes a second in all", limits.strangers_per_s.to_string()),
        row(
            "first datagrams of handshakes a second from one network; the rest is dropped",
            limits.arrivals_per_s.to_string(),
        ),
        row("refusals and requests for a token a second; the rest gets no answer", limits.answers_per_s.to_string()),
    ];
    markdown(["by default", "number"], &rows)
}

fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let parts: Vec<&str> =
        (0..digits.len()).rev().step_by(3).map(|end| &digits[(end + 1).saturating_sub(3)..=end]).collect();
    parts.into_iter().rev().collect::<Vec<_>>().join(",")
}

fn seconds(time: Duration) -> String {
    format!("{} s", time.as_secs())
}

/// The page in one line, so that a sentence is found wherever its lines break.
fn page() -> String {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/wire.md")).unwrap();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn numbers_that_are_written_by_hand_are_those_of_the_constants() {
    let [internet, datacentre] = [Profile::Internet, Profile::Datacentre].map(Settings::from);
    let policy = Policy::default();
    let alpn: Vec<String> = ALPN.iter().map(|byte| format!("{byte:02x}")).collect();
    let bytes = |number: u32| thousands(number.into());
    assert_eq!(BULK_SESSIONS, 8, "the page says eight");
    let [minute, day] = [60, 24 * 60 * 60].map(Duration::from_secs);
    assert_eq!(policy.fault_half_life, 10 * minute, "half of lateness and of faults is forgotten every ten minutes");
    assert_eq!((policy.longest_ban, FORGIVEN_AFTER), (day, day), "the page says a day");
    let numbers = [
        format!("`{}` ({} bytes, `{}`)", std::str::from_utf8(ALPN).unwrap(), ALPN.len(), alpn.join(" ")),
        format!("Datagrams of {} bytes to begin with, at most {}", internet.initial_mtu, internet.max_mtu),
        format!("at most {} where both ends", datacentre.max_mtu),
        format!("has {} from the end of TLS", seconds(timing::GREETING)),
        format!("TLS itself may take {}", seconds(HANDSHAKE_DEADLINE)),
        format!("the responder waits {} for it", seconds(timing::GREETING)),
        format!("longer than {} bytes", bytes(BULK_MESSAGE_BYTES)),
        "At most eight such sessions".to_owned(),
        format!("at most {MAX_CODE} and {MAX_REASON} bytes"),
        format!("held by the responder for at most {}", seconds(timing::HOLD)),
        format!("at the earliest {} after it asked", seconds(timing::ASK_INTERVAL)),
        format!("{MAX_CONTRACTS} contracts, {MAX_ACCOUNTS} accounts, {} entries", thousands(MAX_ENTRIES as u64)),
        format!("{MAX_CLASSES} classes, {} scratch keys", thousands(MAX_SCRATCH as u64)),
        format!("of 1 to {MAX_AMOUNT}"),
        format!("at most {} transactions", bytes(MAX_TRANSACTIONS)),
        format!("`{}`", finished_selector()),
        format!("The lease lasts {}", seconds(trace::LEASE)),
        format!("reports every {}", seconds(trace::REPORT_EVERY)),
        format!("The initiator pings every {}", seconds(keepalive::EVERY)),
        format!("pieces of {} bytes", bytes(proof::PROOF_CHUNK_BYTES)),
        format!("a proof has 1 to {} bytes", bytes(MAX_PROOF_BYTES)),
        format!("Both together have at most {} bytes", bytes(MAX_PROOF_BYTES)),
        format!("at most {} felts", thousands(MAX_READS as u64)),
        format!("touches at most {} slots", thousands(MAX_READ_SLOTS as u64)),
        format!("A file has at most {} bytes", bytes(evidence::MAX_EVIDENCE_BYTES)),
        format!("there are at most {}", thousands(trace::MAX_CHUNKS as u64)),
        format!("at most {} bytes when decompressed", bytes(trace::MAX_CHUNK_RAW)),
        format!("clocks that are {} apart", seconds(handshake::SKEW_NOTICED)),
        format!("tier normal from a score of {NORMAL_AT}, high from {HIGH_AT}"),
        format!("A first ban lasts {}", seconds(policy.first_ban)),
        format!("isn't offered to it for {}", seconds(trace::DECLINED_FOR)),
        format!("waits {} at most", seconds(LONGEST_WAIT)),
    ];
    let page = page();
    let missing: Vec<&String> = numbers.iter().filter(|number| !page.contains(number.as_str())).collect();
    assert!(missing.is_empty(), "docs/wire.md doesn't say {missing:#?}");
}

/// What rooms above this one decide: their source, and what the page says of it.
#[test]
fn what_nodes_decide_is_what_their_sources_say() {
    let said = [
        ("node/settler/src/handoff.rs", "LEASE: Duration = Duration::from_secs(120)", "An assignment lasts 120 s"),
        (
            "node/settler/src/declined.rs",
            "Backoff::between(Duration::from_secs(15), Duration::from_secs(5 * 60))",
            "isn't assigned again for 15 s, longer after each further time, 5 min at most",
        ),
        ("node/config/src/config.rs", "DEFAULT_NETWORK: &str = \"local\"", "the network is `local`"),
        ("node/src/network/links.rs", "AT_ONCE: Duration = Duration::from_secs(5)", "dial each other within 5 s"),
        (
            "node/src/network/links.rs",
            "REPLACED: Duration = Duration::from_secs(30)",
            "one that has replaced another stays for 30 s",
        ),
        (
            "node/src/network/twin.rs",
            "Backoff::between(Duration::from_secs(30), Duration::from_secs(300))",
            "dials that peer again after 30 s at the earliest, then after twice as long each time, up to 5 minutes",
        ),
        (
            "node/peers/src/presence.rs",
            "BUSY_FOR: Duration = Duration::from_secs(5)",
            "5 s if the node is overloaded or full",
        ),
        (
            "node/peers/src/peers.rs",
            "DENIED_FOR: Duration = Duration::from_secs(24 * 60 * 60)",
            "24 h if it denies the peer",
        ),
        (
            "reputation/src/score.rs",
            "UNCLEAR: u32 = 25;",
            "each costs a peer 25 of the 1,000 points that work can earn",
        ),
        ("reputation/src/score.rs", "MAX_WORK: u32 = 1000;", "25 of the 1,000 points that work can earn"),
        ("reputation/src/score.rs", "MAX_LATE: u32 = 200;", "all together 200 at most"),
        ("reputation/src/score.rs", "VIOLATION: u32 = 1500;", "Each other violation costs 1,500."),
        // Two of them are less than this, and three of them decayed for a few minutes aren't.
        ("reputation/src/ban.rs", "BAN_AT: u32 = 3500;", "Three violations within a few minutes are a ban"),
        ("reputation/src/ban.rs", "GROWTH: u32 = 4;", "each further one within a day four times as long"),
        (
            "node/operator/src/lease.rs",
            "FAIR_BASE: Duration = Duration::from_secs(60);",
            "A fair time is 60 s and one second more for each 2,000 steps of the run",
        ),
        (
            "node/operator/src/lease.rs",
            "FAIR_STEPS_PER_S: u64 = 2_000;",
            "one second more for each 2,000 steps of the run",
        ),
        ("node/operator/src/lease.rs", "NEWCOMER: u32 = 4;", "to others in tier low after four"),
        ("node/operator/src/lease.rs", "PROVEN: u32 = 16;", "to everybody after sixteen"),
        ("node/operator/src/lease.rs", "STALL: Duration = Duration::from_secs(120);", "leaves chunks lie for 120 s"),
        (
            "node/operator/src/lease.rs",
            "CLAIM_HOLD: Duration = Duration::from_secs(60);",
            "The job is leased to nobody else for 60 s",
        ),
        (
            "node/operator/src/lease.rs",
            "VERIFIED_HOLD: Duration = Duration::from_secs(600);",
            "has verified the proof, for 600 s from then on",
        ),
        ("node/peers/src/serve.rs", "LAST_WORDS: Duration = Duration::from_millis(500)", "is closed 500 ms later"),
        ("node/peers/src/serve.rs", "BEGINNING: usize = 16", "16 at a time"),
        ("node/prover/src/offer.rs", "OFFER_AGAIN: Duration = Duration::from_secs(15)", "offered again after 15 s"),
        ("node/witness/src/lib.rs", "CHUNK_STEPS: usize = 1 << 14", "its steps: 16,384"),
        (
            "node/world/src/identity.rs",
            "f76284e7f109e50776fff436fe6e60239e57acf75b66e1cfef75bc83ecbd9273",
            "f76284e7f109e507",
        ),
    ];
    let page = page();
    for (file, constant, sentence) in said {
        let source = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file)).unwrap();
        assert!(source.contains(constant), "{file} has no {constant} any more: mend what docs/wire.md says of it");
        assert!(page.contains(sentence), "docs/wire.md doesn't say \"{sentence}\"");
    }
}
