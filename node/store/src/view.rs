//! A copy-on-write view of a storage: what is written stays in memory, so that opening and migrating can be tried, or a database be looked at,
//! without changing a byte.

use redb::{BackendError, StorageBackend};
use std::{
    collections::BTreeMap,
    io::{Error, ErrorKind, Result},
    ops::Bound,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Bytes of a page of the view.
const PAGE: u64 = 4096;
/// Most pages that may be written: 256 MiB. Opening writes headers and a repaired allocator, a few pages in a thousand; a migration all
/// pages of the tables that it changes.
const MAX_PAGES: usize = 65_536;

/// See the module's page. Nothing is written below, so each lock is a shared one there: views don't exclude each other, a writer excludes all, and
/// the file need not be writable.
#[derive(Debug)]
pub struct CopyOnWrite<B> {
    below: B,
    written: Mutex<Written>,
}

#[derive(Debug, Default)]
struct Written {
    pages: BTreeMap<u64, Vec<u8>>,
    /// `None`: as below.
    length: Option<u64>,
    /// Below, everything from here on was cut off.
    cut: Option<u64>,
}

impl<B: StorageBackend> CopyOnWrite<B> {
    /// A view in which nothing is written yet.
    pub fn new(below: B) -> Self {
        Self { below, written: Mutex::default() }
    }

    fn written(&self) -> MutexGuard<'_, Written> {
        // Each change is complete before anything can panic.
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn length(&self, written: &Written) -> Result<u64> {
        written.length.map_or_else(|| self.below.len(), Ok)
    }

    /// A page as it is below, zeros where there is nothing.
    fn page_below(&self, written: &Written, page: u64) -> Result<Vec<u8>> {
        let mut bytes = vec![0; PAGE as usize];
        let begin = page * PAGE;
        let end = self.below.len()?.min(written.cut.unwrap_or(u64::MAX)).min(begin + PAGE);
        let there = end.saturating_sub(begin) as usize;
        if let Some(there) = bytes.get_mut(..there).filter(|there| !there.is_empty()) {
            self.below.read(begin, there)?;
        }
        Ok(bytes)
    }
}

/// The parts of a range that lie in each page: (page, offset in the page, offset in the range, length).
fn parts(offset: u64, length: usize) -> impl Iterator<Item = (u64, usize, usize, usize)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        (done < length).then(|| {
            let at = offset + done as u64;
            let within = (at % PAGE) as usize;
            let part = (PAGE as usize - within).min(length - done);
            done += part;
            (at / PAGE, within, done - part, part)
        })
    })
}

fn beyond() -> Error {
    Error::new(ErrorKind::UnexpectedEof, "it is shorter than it says")
}

impl<B: StorageBackend> StorageBackend for CopyOnWrite<B> {
    fn len(&self) -> Result<u64> {
        self.length(&self.written())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<()> {
        let written = self.written();
        let end = offset.checked_add(out.len() as u64).ok_or_else(beyond)?;
        if end > self.length(&written)? {
            return Err(beyond());
        }
        for (page, within, at, length) in parts(offset, out.len()) {
            let below;
            let bytes = match written.pages.get(&page) {
                Some(bytes) => bytes,
                None => {
                    below = self.page_below(&written, page)?;
                    &below
                }
            };
            let (Some(to), Some(from)) = (out.get_mut(at..at + length), bytes.get(within..within + length)) else {
                return Err(beyond());
            };
            to.copy_from_slice(from);
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> Result<()> {
        let mut written = self.written();
        let before = self.length(&written)?;
        if len < before {
            written.cut = Some(written.cut.map_or(len, |cut| cut.min(len)));
            written.pages.retain(|page, _| page * PAGE < len);
            let last = len / PAGE;
            if let Some(rest) = written.pages.get_mut(&last).and_then(|bytes| bytes.get_mut((len % PAGE) as usize..)) {
                rest.fill(0);
            }
        }
        written.length = Some(len);
        Ok(())
    }

    fn sync_data(&self) -> Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<()> {
        let mut written = self.written();
        for (page, within, at, length) in parts(offset, data.len()) {
            if !written.pages.contains_key(&page) {
                if written.pages.len() >= MAX_PAGES {
                    return Err(Error::new(ErrorKind::StorageFull, "opening it would rewrite more than expected"));
                }
                let bytes = self.page_below(&written, page)?;
                written.pages.insert(page, bytes);
            }
            let to = written.pages.get_mut(&page).and_then(|bytes| bytes.get_mut(within..within + length));
            let (Some(to), Some(from)) = (to, data.get(at..at + length)) else { return Err(beyond()) };
            to.copy_from_slice(from);
        }
        let end = offset + data.len() as u64;
        if end > self.length(&written)? {
            written.length = Some(end);
        }
        Ok(())
    }

    fn close(&self) -> Result<()> {
        self.below.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> std::result::Result<bool, BackendError> {
        self.below.try_lock_shared_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> std::result::Result<bool, BackendError> {
        self.below.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> std::result::Result<(), BackendError> {
        self.below.lock_shared_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> std::result::Result<(), BackendError> {
        self.below.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> std::result::Result<(), BackendError> {
        self.below.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> std::result::Result<bool, BackendError> {
        self.below.query_lock_range(start, end)
    }
}
