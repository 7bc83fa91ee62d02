//! Changes that were written but not synced yet.

use rand::Rng;

/// The smallest part of a write that a disk writes whole, in bytes.
pub const SECTOR_BYTES: usize = 512;

/// What a power failure leaves of the changes that were not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Survives {
    /// Nothing of what wasn't synced survives.
    Nothing,
    /// All of them: the disk had written them.
    All,
    /// Each sector with a probability of one half, as the seed decides, independent of the order of writes.
    Some(u64),
}

/// A change of a file.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    Length(usize),
    Write(usize, Vec<u8>),
    /// Replaces the whole file by a new one under its name.
    Replace(Vec<u8>),
    Remove,
}

/// A file's content; `None` if there is no file.
pub(crate) type Content = Option<Vec<u8>>;

impl Change {
    pub(crate) fn apply(&self, content: &mut Content) {
        match self {
            Self::Length(length) => content.get_or_insert_default().resize(*length, 0),
            Self::Write(at, data) => put(content.get_or_insert_default(), *at, data),
            Self::Replace(data) => *content = Some(data.clone()),
            Self::Remove => *content = None,
        }
    }

    /// Applies those parts that the coin decides.
    pub(crate) fn apply_torn(&self, content: &mut Content, coin: &mut impl Rng) {
        match self {
            Self::Write(at, data) => {
                let bytes = content.get_or_insert_default();
                for (sector, n) in data.chunks(SECTOR_BYTES).zip(0..) {
                    if coin.random() {
                        put(bytes, at + n * SECTOR_BYTES, sector);
                    }
                }
            }
            // The name may reach the disk before the file's content.
            Self::Replace(data) => {
                if coin.random() {
                    let mut bytes = vec![0; data.len()];
                    for (sector, n) in data.chunks(SECTOR_BYTES).zip(0..) {
                        if coin.random() {
                            put(&mut bytes, n * SECTOR_BYTES, sector);
                        }
                    }
                    *content = Some(bytes);
                }
            }
            Self::Length(_) | Self::Remove => {
                if coin.random() {
                    self.apply(content);
                }
            }
        }
    }

    /// The length that the file has at least after this change.
    pub(crate) fn reaches(&self) -> usize {
        match self {
            Self::Length(length) => *length,
            Self::Write(at, data) => at.saturating_add(data.len()),
            Self::Replace(data) => data.len(),
            Self::Remove => 0,
        }
    }
}

fn put(bytes: &mut Vec<u8>, at: usize, data: &[u8]) {
    let end = at + data.len();
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    if let Some(place) = bytes.get_mut(at..end) {
        place.copy_from_slice(data);
    }
}
