//! What can be proven against peers, kept whole in the store: an accusation can be checked without anything else of this node.
//!
//! An accusation ([`Accusation`]) is kept as the bytes that are exported, in parts, because a proof is longer than a record may be; an index says which accusations
//! there are against whom. Index and parts change in one transaction.
//!
//! Bounds: against one peer [`MAX_PIECES`] and [`MAX_PEER_BYTES`], whatever is over it isn't kept, since enough is shown; in all
//! [`MAX_ACCUSED`] peers and [`MAX_ALL_BYTES`]. When that is full, everything against a peer that has nothing to lose gives way, beginning
//! with the peer that was accused longest ago: identities cost nothing, so a flood of them displaces its own like, and never what is known of somebody who has worked.

use crate::{
    Host,
    events::{EvidenceDropped, EvidenceKept, EvidenceNotKept},
};
use shardwire_model::{Coded as _, Hash, PeerId, Timestamp};
use shardwire_protocols::evidence::{Accusation, MAX_EVIDENCE_BYTES};
use shardwire_store::{
    Store, StoreError, Write,
    records::{ACCUSED, EVIDENCE, EVIDENCE_PART_BYTES, EvidenceKey, EvidencePart, KeptEvidence},
};

/// Most accusations against one peer: one shows it, some more show that it wasn't once.
const MAX_PIECES: usize = 8;
/// Most bytes against one peer: two of the longest accusations, or four of the usual two megabytes.
const MAX_PEER_BYTES: u64 = 2 * MAX_EVIDENCE_BYTES as u64;
/// Most peers against whom something is kept.
const MAX_ACCUSED: usize = 256;
/// Most bytes in all.
const MAX_ALL_BYTES: u64 = 128 << 20;

fn parts(kept: &KeptEvidence) -> u32 {
    kept.bytes.div_ceil(PART)
}

/// What became of an accusation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeping {
    /// It is kept now.
    Now,
    /// It was stored before.
    Before,
    /// There is no room for it.
    NoRoom,
}

#[allow(clippy::cast_possible_truncation)] // 128 KiB
const PART: u32 = EVIDENCE_PART_BYTES as u32;

/// Keeps an accusation, if there is room. `worked` says who has something to lose.
///
/// # Errors
/// [`StoreError::Disk`] if the disk fails; then everything is as it was.
pub async fn keep(
    store: &Store,
    accusation: &Accusation,
    now: Timestamp,
    worked: impl Fn(PeerId) -> bool + Send + 'static,
) -> Result<Keeping, StoreError> {
    let (accused, bytes) = (accusation.accused, accusation.to_bytes());
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let fresh = KeptEvidence { hash: Hash::of(&bytes), bytes: length, at: now };
    let changes = move |write: &mut Write<'_>| {
        // Only one writes at a time: what is read here is as it will be replaced.
        let mut kept = write.get(&ACCUSED, &accused)?.unwrap_or_default();
        if kept.iter().any(|it| it.hash == fresh.hash) {
            return Ok(Keeping::Before);
        }
        let peer_bytes = total(&kept) + u64::from(length);
        if length > MAX_EVIDENCE_BYTES || kept.len() >= MAX_PIECES || peer_bytes > MAX_PEER_BYTES {
            return Ok(Keeping::NoRoom);
        }
        let mut others = write.with_prefix(&ACCUSED, &[])?;
        others.retain(|(peer, _)| *peer != accused);
        let Some(give_way) = give_way(others, peer_bytes, worked) else { return Ok(Keeping::NoRoom) };
        for (peer, accusations) in give_way {
            forget(write, peer, &accusations)?;
        }
        let number = u32::try_from(kept.len()).unwrap_or(u32::MAX);
        for (part, bytes) in (0..).zip(bytes.chunks(EVIDENCE_PART_BYTES)) {
            let key = EvidenceKey { peer: accused, number, part };
            write.put(&EVIDENCE, &key, &EvidencePart { whole: length, bytes: bytes.to_vec() })?;
        }
        kept.push(fresh);
        write.put(&ACCUSED, &accused, &kept)?;
        Ok(Keeping::Now)
    };
    store.commit(changes).await
}

fn total(kept: &[KeptEvidence]) -> u64 {
    kept.iter().map(|it| u64::from(it.bytes)).sum()
}

/// Against whom all is to be forgotten so that there is room for so many bytes against another one; none if that can't be.
fn give_way(
    mut accused: Vec<(PeerId, Vec<KeptEvidence>)>,
    bytes: u64,
    worked: impl Fn(PeerId) -> bool,
) -> Option<Vec<(PeerId, Vec<KeptEvidence>)>> {
    let mut all: u64 = accused.iter().map(|(_, kept)| total(kept)).sum();
    let mut count = accused.len();
    accused.retain(|(peer, _)| !worked(*peer));
    accused.sort_by_key(|(peer, kept)| (kept.last().map(|it| it.at), *peer));
    let mut gone = Vec::new();
    let mut accused = accused.into_iter();
    while count >= MAX_ACCUSED || all + bytes > MAX_ALL_BYTES {
        let (peer, kept) = accused.next()?;
        all -= total(&kept);
        count -= 1;
        gone.push((peer, kept));
    }
    Some(gone)
}

fn forget(write: &mut Write<'_>, peer: PeerId, kept: &[KeptEvidence]) -> Result<(), StoreError> {
    for (number, accusation) in (0..).zip(kept) {
        for part in 0..parts(accusation) {
            write.remove(&EVIDENCE, &EvidenceKey { peer, number, part })?;
        }
    }
    write.remove(&ACCUSED, &peer)
}

/// How many accusations are kept against a peer.
pub fn accusations(store: &Store, peer: PeerId) -> Result<usize, StoreError> {
    Ok(store.get(&ACCUSED, &peer)?.map_or(0, |kept| kept.len()))
}

/// A part of an accusation from this byte on: at most as much as is stored together, nothing past its end; `None` if there is no such accusation.
pub fn read(store: &Store, peer: PeerId, number: u32, from: u32) -> Result<Option<EvidencePart>, StoreError> {
    let (part, offset) = (from / PART, (from % PART) as usize);
    if let Some(EvidencePart { whole, bytes }) = store.get(&EVIDENCE, &EvidenceKey { peer, number, part })? {
        return Ok(Some(EvidencePart { whole, bytes: bytes.get(offset..).unwrap_or_default().to_vec() }));
    }
    let first = store.get(&EVIDENCE, &EvidenceKey { peer, number, part: 0 })?;
    Ok(first.map(|EvidencePart { whole, .. }| EvidencePart { whole, bytes: Vec::new() }))
}

impl Host {
    /// Keeps what can be proven against a peer, and says so. What follows for its score is the caller's to note; `true` if that was not known
    /// before. A disk that fails loses the accusation, not what follows from it.
    pub async fn accuse(&self, accusation: Accusation) -> bool {
        let (peer, peers, events) = (accusation.accused, self.peers.clone(), self.telemetry.events());
        let worked = move |peer| {
            let view = peers.view(peer);
            view.components.work > 0 || view.listing.is_some()
        };
        match keep(&self.store, &accusation, self.clock.now(), worked).await {
            Ok(Keeping::Now) => events.emit(EvidenceKept { peer }),
            Ok(Keeping::Before) => return false,
            Ok(Keeping::NoRoom) => events.emit(EvidenceDropped { peer }),
            Err(error) => events.emit(EvidenceNotKept { peer, code: error.code(), error: error.to_string() }),
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shardwire_model::Felt;
    use shardwire_model::ShardId;
    use shardwire_protocols::{
        Signed,
        evidence::{BadProof, Evidence},
        proof::{Announced, Ready},
    };
    use shardwire_store::records::LAYOUT;
    use shardwire_transport::Identity;

    fn store() -> Store {
        Store::in_memory(&LAYOUT).unwrap()
    }

    /// One of many that come and go.
    fn peer(number: u16) -> PeerId {
        let mut id = [0; 32];
        id[1..3].copy_from_slice(&number.to_be_bytes());
        PeerId(id)
    }

    /// One that has worked.
    fn worker(number: u16) -> PeerId {
        let PeerId(mut id) = peer(number);
        id[0] = 1;
        PeerId(id)
    }

    /// An accusation of a proof of so many bytes.
    fn accusation(accused: PeerId, bytes: usize, fill: u8) -> Accusation {
        let bytes = vec![fill; bytes];
        let (job, proof) = (Hash::of(b"job"), Hash::of(&bytes));
        let ready = Ready { shard: ShardId(Felt::ONE), segment: 0, job, proof, bytes: 1 };
        let announcement = Signed::by(&Identity::from_secret(&[1; 32]), Announced { ready, leased: None });
        let proof = BadProof { announcement, start: Felt::ONE, before: Felt::ONE, bytes };
        Accusation { accused, evidence: Evidence::Proof(Box::new(proof)) }
    }

    async fn keeps(store: &Store, accusation: &Accusation, at: u64) -> Keeping {
        keep(store, accusation, Timestamp(at), |peer| peer.0[0] == 1).await.unwrap()
    }

    fn whole(store: &Store, peer: PeerId, number: u32) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        loop {
            let from = u32::try_from(bytes.len()).unwrap();
            let part = read(store, peer, number, from).unwrap()?;
            bytes.extend_from_slice(&part.bytes);
            if bytes.len() == part.whole as usize {
                return Some(bytes);
            }
            assert!(!part.bytes.is_empty() && part.bytes.len() <= EVIDENCE_PART_BYTES);
        }
    }

    #[tokio::test]
    async fn an_accusation_is_kept_whole_and_once() {
        let (store, accused) = (store(), peer(1));
        // Just a part, a byte more, much more.
        for (number, bytes) in (0..).zip([10, EVIDENCE_PART_BYTES, 3 * EVIDENCE_PART_BYTES + 5]) {
            let accusation = accusation(accused, bytes, 7);
            assert_eq!(keeps(&store, &accusation, 5).await, Keeping::Now);
            assert_eq!(keeps(&store, &accusation, 6).await, Keeping::Before);
            assert_eq!(Accusation::from_bytes(&whole(&store, accused, number).unwrap()).unwrap(), accusation);
        }
        assert_eq!((accusations(&store, accused).unwrap(), accusations(&store, peer(2)).unwrap()), (3, 0));
        assert_eq!(whole(&store, accused, 3), None);
    }

    /// How an accusation is stored is no business of the peer that asks for it: a message may carry more or less.
    #[tokio::test]
    async fn an_accusation_is_read_from_whatever_byte_on() {
        let (store, accused) = (store(), peer(1));
        let accusation = accusation(accused, 2 * EVIDENCE_PART_BYTES, 7);
        assert_eq!(keeps(&store, &accusation, 5).await, Keeping::Now);
        for carried in [1000, EVIDENCE_PART_BYTES - 1, EVIDENCE_PART_BYTES + 1] {
            let mut bytes = Vec::new();
            loop {
                let part = read(&store, accused, 0, u32::try_from(bytes.len()).unwrap()).unwrap().unwrap();
                bytes.extend(part.bytes.into_iter().take(carried));
                if bytes.len() == part.whole as usize {
                    break;
                }
            }
            assert_eq!(bytes, accusation.to_bytes(), "{carried}");
        }
    }

    #[tokio::test]
    async fn one_peer_fills_no_more_than_its_share() {
        let (store, accused) = (store(), peer(1));
        for fill in 0..8 {
            assert_eq!(keeps(&store, &accusation(accused, 10, fill), 5).await, Keeping::Now);
        }
        assert_eq!(keeps(&store, &accusation(accused, 10, 8), 5).await, Keeping::NoRoom, "accusations");
        let long = 7 << 19;
        for (fill, keeping) in (0..).zip([Keeping::Now, Keeping::Now, Keeping::NoRoom]) {
            assert_eq!(keeps(&store, &accusation(peer(2), long, fill), 5).await, keeping);
        }
        assert_eq!(keeps(&store, &accusation(peer(2), 10, 3), 5).await, Keeping::Now, "a short one still fits");
    }

    #[tokio::test]
    async fn a_flood_of_identities_displaces_nothing_that_matters() {
        let store = store();
        let worker = worker(1);
        assert_eq!(keeps(&store, &accusation(worker, 10, 0), 0).await, Keeping::Now);
        for number in 0..300 {
            assert_eq!(
                keeps(&store, &accusation(peer(number), 10, 1), u64::from(number)).await,
                Keeping::Now,
                "{number}"
            );
            let accused = store.all(&ACCUSED).unwrap();
            assert!(accused.len() <= MAX_ACCUSED, "{}", accused.len());
        }
        assert_eq!(accusations(&store, worker).unwrap(), 1);
        // The longest accused gave way, wholly.
        assert_eq!((accusations(&store, peer(0)).unwrap(), whole(&store, peer(0), 0)), (0, None));
        assert_eq!(accusations(&store, peer(299)).unwrap(), 1);
    }

    #[tokio::test]
    async fn bytes_in_all_are_bounded_and_those_with_something_to_lose_stay() {
        let store = store();
        let long = 4 << 20;
        // Thirty-two of the longest but one fit.
        for number in 1..=31 {
            assert_eq!(keeps(&store, &accusation(worker(number), long, 0), 1).await, Keeping::Now, "{number}");
        }
        assert_eq!(keeps(&store, &accusation(worker(99), long, 0), 2).await, Keeping::NoRoom, "nobody has to give way");
        assert_eq!(keeps(&store, &accusation(peer(3), 7 << 19, 0), 2).await, Keeping::Now);
        assert_eq!(keeps(&store, &accusation(worker(99), 7 << 19, 0), 3).await, Keeping::Now);
        assert_eq!((accusations(&store, peer(3)).unwrap(), whole(&store, peer(3), 0)), (0, None));
        let all: u64 = store.all(&ACCUSED).unwrap().iter().map(|(_, kept)| total(kept)).sum();
        assert!(all <= MAX_ALL_BYTES);
    }
}
