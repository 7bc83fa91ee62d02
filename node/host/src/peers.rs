//! What this node remembers of its peers: records, and the operator's word on them, in its store; whom its configuration names.
//!
//! Everything else about peers is [`shardwire_peers`]'s.

use crate::{Host, clock::Steady, events::PeersNotKept};
use shardwire_config::Config;
use shardwire_model::{Clock, Coded as _, PeerId};
use shardwire_peers::{ConfiguredPeers, Peers};
use shardwire_reputation::{Listing, Record};
use shardwire_store::records::{PEERS, WORDS};
use shardwire_store::{Store, StoreError, Write};
use shardwire_telemetry::Telemetry;
use std::{
    net::{Ipv4Addr, Ipv6Addr},
    sync::Arc,
};

/// Whom a configuration names.
pub fn named(config: &Config, own: PeerId) -> ConfiguredPeers {
    ConfiguredPeers {
        own: config.admins.iter().copied().chain([own]).collect(),
        configured: config.peers.iter().map(|peer| (peer.id, peer.ip())).collect(),
        allowed: config.reputation.allow.clone(),
        denied: config.reputation.deny.clone(),
        // The node's command line comes from this machine.
        hosts: [config.listen.ip(), Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()].into(),
    }
}

/// With what the store remembers. What has a length, bans and the decay of scores, goes by the clock's steady reading.
///
/// # Errors
/// [`StoreError::Disk`] or [`StoreError::Damaged`] if the store can't be read.
pub fn recall(
    config: &Config,
    own: PeerId,
    clock: Arc<dyn Clock>,
    store: &Store,
    telemetry: &Telemetry,
) -> Result<Arc<Peers>, StoreError> {
    let (records, words) = (store.all(&PEERS)?, store.all(&WORDS)?);
    let words = words.into_iter().collect();
    let clock = Arc::new(Steady(clock));
    let peers = Peers::new(&config.reputation.rules, named(config, own), records, words, clock, telemetry);
    peers.register(telemetry);
    Ok(peers)
}

/// Keeps the records that changed.
pub async fn keep(host: &Host, changed: Vec<(PeerId, Option<Record>)>) {
    let changes = move |write: &mut Write<'_>| {
        changed.iter().try_for_each(|(peer, record)| match record {
            Some(record) => write.put(&PEERS, peer, record),
            None => write.remove(&PEERS, peer),
        })
    };
    let kept: Result<(), StoreError> = host.store.commit(changes).await;
    if let Err(error) = kept {
        // What follows is kept again with the next change of each; the node goes on with what it has in memory.
        host.telemetry.events().emit(PeersNotKept { code: error.code(), error: error.to_string() });
    }
}

/// Takes or withdraws the operator's word on a peer: durable first, then it holds.
///
/// # Errors
/// [`StoreError::Disk`] if it can't be kept; then it doesn't hold.
pub async fn say(host: &Host, peer: PeerId, word: Option<Listing>) -> Result<(), StoreError> {
    let reserved = host.store.reserve().await?;
    let peers = host.peers.clone();
    let changes = move |write: &mut Write<'_>| match &word {
        Some(word) => write.put(&WORDS, &peer, word),
        None => write.remove(&WORDS, &peer),
    };
    // In the order of the commits, and also if who said it goes away meanwhile.
    let holds = move |kept: &Result<(), StoreError>| {
        if kept.is_ok() {
            peers.set_listing(peer, word);
        }
    };
    reserved.enqueue_then(changes, holds).await
}
