//! What happens to what a node keeps.

use shardwire_model::PeerId;
use shardwire_telemetry::events;

events! {
    pub room "host";

    /// A disk that had failed takes writes again
    DiskRecovered = "disk_recovered" {}
        => INFO : ("the disk can be used again");

    /// The records of peers that changed couldn't be stored; the next change of each stores it again
    PeersNotKept = "peers_not_kept" { code: &'static str, error: String }
        => ERROR : (code, "what is known of peers can't be kept: {error}");

    /// What proves that a peer broke its word was stored
    EvidenceKept = "evidence_kept" { peer: PeerId }
        => WARN : (peer = %peer.short(), "evidence is kept: `shardwire peer evidence` shows it");

    /// What proves that a peer broke its word wasn't stored: there is as much as may be
    EvidenceDropped = "evidence_dropped" { peer: PeerId }
        => WARN : (peer = %peer.short(), "evidence isn't kept: there is no room for more");

    /// What proves that a peer broke its word couldn't be stored
    EvidenceNotKept = "evidence_not_kept" { peer: PeerId, code: &'static str, error: String }
        => ERROR : (peer = %peer.short(), code, "evidence can't be kept: {error}");
}
