use super::*;

#[test]
fn json_has_the_names_that_the_command_line_prints() {
    let status = ShardStatus {
        program_hash: Some(Felt::from(255)),
        error: Some(shardwire_model::Cause::new("SW-X-001", "why")),
        ..shard_status(16)
    };
    let shard = serde_json::to_value(&status).unwrap();
    assert_eq!(shard["shard"], "0x10");
    assert_eq!((&shard["role"], &shard["stage"]), (&"settler".into(), &"settled".into()));
    assert_eq!(shard["program_hash"], "0xff");
    assert_eq!(
        shard["updates"][0],
        serde_json::json!({"kind": "counter", "contract": "0x1", "key": "0x1", "value": "0x2"})
    );
    assert_eq!(shard["error"], serde_json::json!({"code": "SW-X-001", "reason": "why"}));
    assert_eq!(serde_json::from_value::<ShardStatus>(shard).unwrap(), status);
    let status = serde_json::to_value(node_status()).unwrap();
    assert_eq!((&status["roles"][0], &status["peers"][0]["round_trip_us"]), (&"settler".into(), &210.into()));
    let unmet = serde_json::json!({
        "condition": "worker",
        "cause": {"code": "SW-TEST-001", "reason": "there is none"},
        "next_step": "Build one.",
    });
    assert_eq!(status["unmet"], serde_json::json!([unmet]));
    let failed = serde_json::to_value(Failed::of(&DiskFull)).unwrap();
    let expected = serde_json::json!({"reason": "other", "cause": {"code": "SW-TEST-001", "reason": "the disk is full"}, "next_step": "Buy a larger one."});
    assert_eq!(failed, expected);
}

#[test]
fn the_largest_messages_fit_and_longer_lists_are_refused() {
    fits(&Request::Shard(shard::Request::Start {
        request: request(),
        timeout_s: Some(u64::MAX),
        unknown_operator: true,
    }));
    let update = Update { kind: Kind::Lock, contract: ContractId(LARGEST), key: Key(LARGEST), value: LARGEST };
    let shard = ShardStatus {
        shard: ShardId(LARGEST),
        role: Role::Prover,
        stage: Stage::Aborted,
        operator: PeerId([255; 32]),
        prover: Some(PeerId([255; 32])),
        transactions: u32::MAX,
        refused: u32::MAX,
        steps: u64::MAX,
        chunks: u32::MAX,
        witness_bytes_raw: u64::MAX,
        witness_bytes_wire: u64::MAX,
        budget_used_bytes: u64::MAX,
        budget_bytes: u64::MAX,
        segments: u32::MAX,
        segments_proven: u32::MAX,
        segment: u32::MAX,
        execute_ms: u64::MAX,
        stream_ms: u64::MAX,
        prove_ms: u64::MAX,
        prove_cpu_ms: u64::MAX,
        prove_peak_bytes: u64::MAX,
        verify_us: u64::MAX,
        proof: Some(Hash([255; 32])),
        proof_bytes: u64::MAX,
        program_hash: Some(LARGEST),
        updates: vec![],
        error: Some(largest_cause()),
    };
    let name = || "n".repeat(crate::handshake::MAX_NAME);
    let peer = PeerStatus {
        peer: PeerId([255; 32]),
        addr: name(),
        roles: vec![name(); crate::handshake::MAX_ROLES],
        connected: true,
        round_trip_us: Some(u64::MAX),
        skew_ms: Some(i64::MIN),
        trouble: Some(largest_cause()),
    };
    let long = "w".repeat(1000);
    let unmet = Unmet::new(&long, &long, &long, &long);
    let mut shards = vec![shard.clone(); MAX_SHARDS_LISTED];
    shards[0].updates = vec![update; MAX_ENTRIES];
    let mut status = NodeStatus {
        peer: PeerId([255; 32]),
        network: name(),
        roles: vec![Role::Prover; crate::handshake::MAX_ROLES],
        listen: name(),
        agent: name(),
        since: Timestamp(u64::MAX),
        clock: ClockStatus {
            now: Timestamp(u64::MAX),
            jumped_ms: Some(i64::MIN),
            trust: Trust::Contradicted,
            agree: u32::MAX,
            apart: u32::MAX,
        },
        unmet: vec![unmet; MAX_UNMET],
        peers: vec![peer.clone(); MAX_PEERS_LISTED],
        shards: shards.clone(),
        more_shards: u32::MAX,
    };
    fits(&Response::Node(node::Response::Status(Box::new(status.clone()))));
    let encodes = |response: &Response| shardwire_transport::message::encode(response).is_ok();
    let started =
        shard::Response::Started { start: Box::new(largest_start()), left_s: u64::MAX, operator_connected: true };
    assert!(encodes(&started.into()));
    assert!(encodes(&shard::Response::Shards(shards).into()));
    let storage = StorageStatus {
        contract: ContractId(LARGEST),
        key: Key(LARGEST),
        kind: Kind::Lock,
        value: LARGEST,
        in_escrow: u128::MAX,
        held_by: Some(ShardId(LARGEST)),
    };
    let stored = |count| world::Response::Storage { storage: vec![storage; count], more: true };
    assert!(encodes(&stored(MAX_STORAGE_LISTED).into()));
    fits(&Bye {});

    refused_when_read(&stored(MAX_STORAGE_LISTED + 1));
    refused_when_read(&peer::Response::Links(vec![peer; MAX_PEERS_LISTED + 1]));
    refused_when_read(&shard::Response::Shards(vec![shard; MAX_SHARDS_LISTED + 1]));
    status.unmet.push(Unmet::new("one", "more", "than", "fits"));
    refused_when_read(&status);
    status.unmet.clear();
    status.network.push('n');
    refused_when_read(&status);
    let code = "C".repeat(shardwire_model::MAX_CODE + 1);
    let cause = shardwire_model::Cause { code, reason: String::new() };
    refused_when_read(&Response::Failed(Failed { reason: FailedReason::Other, cause, next_step: String::new() }));
}

#[test]
fn the_largest_peers_and_evidence_fit_and_longer_lists_are_refused() {
    let name = || "n".repeat(crate::handshake::MAX_NAME);
    let most = u32::MAX;
    let quota = Quota { frames_per_s: most, kib_per_s: most, sessions_per_s: most, sessions: most, leases: most };
    let banned = Standing::Banned { until: Timestamp(u64::MAX) };
    let largest = PeerView {
        peer: PeerId([255; 32]),
        now: Timestamp(u64::MAX),
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
    let page = peer::Response::Peers { peers: vec![largest.clone(); MAX_VIEWS_LISTED], more: true };
    let part = peer::Response::Evidence { bytes: most, part: vec![255; PART_BYTES] };
    assert!(encodes(&page.into()) && encodes(&part.into()));
    refused_when_read(&peer::Response::Peers { peers: vec![largest.clone(); MAX_VIEWS_LISTED + 1], more: true });
    refused_when_read(&peer::Response::Evidence { bytes: most, part: vec![255; PART_BYTES + 1] });
    refused_when_read(&PeerView { connected: vec![name(); MAX_ADDRESSES + 1], ..largest });
}

#[test]
fn the_largest_history_fits_and_a_longer_one_is_refused() {
    let part = Part {
        segment: u32::MAX,
        ..Part::of_job(shardwire_model::SegmentId::first(ShardId(Felt::MAX)), Hash([255; 32]))
    };
    let entry = HistoryEntry {
        part,
        number: u32::MAX,
        before: Hash([255; 32]),
        at: Timestamp(u64::MAX),
        step: Step::Failed { cause: largest_cause() },
        form: EntryForm::default(),
    };
    let entry = Signed::by(&identity(1), entry);
    let history = |count| shard::Response::History { entries: vec![entry.clone(); count], more: true };
    assert!(shardwire_transport::message::encode(&Response::from(history(MAX_ENTRIES_LISTED))).is_ok());
    refused_when_read(&history(MAX_ENTRIES_LISTED + 1));
}
