//! The disk and its power supply.

use crate::change::{Change, Content, Survives};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::{
    collections::BTreeMap,
    io::{self, Error, ErrorKind},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The largest file, in bytes: a simulation's databases are a few MiB, and all of them are in memory.
pub const MAX_FILE_BYTES: usize = 1 << 30;
/// An input or output error, as Linux numbers it.
const EIO: i32 = 5;
/// Chances are in parts per million.
const PPM: u32 = 1_000_000;

/// A disk in memory. Cheap to clone: clones are the same disk.
#[derive(Debug, Clone)]
pub struct Medium(Arc<Mutex<State>>);

/// What the system refuses on a disk that is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// It was mounted again to be read only (EROFS), as after an error: nothing is changed.
    ReadOnly,
    /// The user has used up its quota (EDQUOT): no file becomes longer.
    OverQuota,
    /// The process has as many files open as it may (EMFILE): none is opened. What is open goes on.
    NoFilesLeft,
}

impl Trouble {
    /// Each of them.
    pub const ALL: [Self; 3] = [Self::ReadOnly, Self::OverQuota, Self::NoFilesLeft];

    /// What the system says.
    #[must_use]
    pub fn error(self) -> Error {
        // As Linux numbers them.
        Error::from_raw_os_error(match self {
            Self::ReadOnly => 30,
            Self::OverQuota => 122,
            Self::NoFilesLeft => 24,
        })
    }
}

#[derive(Debug)]
struct State {
    files: BTreeMap<String, File>,
    rng: ChaCha8Rng,
    /// The number of power-ons. A handle from an earlier one is dead.
    life: u64,
    powered: bool,
    acts: u64,
    fails_at: Option<u64>,
    /// Which act alone fails.
    errs_at: Option<u64>,
    capacity: Option<usize>,
    failing_reads: u32,
    trouble: Option<Trouble>,
}

#[derive(Debug, Clone, Default)]
struct File {
    /// What readers see.
    current: Content,
    /// What is certainly on the disk.
    synced: Content,
    /// Changes that may be on the disk.
    unsynced: Vec<Change>,
    /// Whether a sector of it can't be read (EIO): so until the file is written anew, elsewhere.
    unreadable: bool,
}

impl File {
    fn whole(content: Content) -> Self {
        Self { current: content.clone(), synced: content, unsynced: Vec::new(), unreadable: false }
    }

    fn sync(&mut self) {
        for change in self.unsynced.drain(..) {
            change.apply(&mut self.synced);
        }
    }

    fn after(&self, survives: Survives) -> Content {
        match survives {
            Survives::Nothing => self.synced.clone(),
            Survives::All => self.current.clone(),
            Survives::Some(seed) => {
                let mut coin = ChaCha8Rng::seed_from_u64(seed);
                let mut content = self.synced.clone();
                self.unsynced.iter().for_each(|change| change.apply_torn(&mut content, &mut coin));
                content
            }
        }
    }
}

fn power_failed() -> Error {
    Error::other("the power failed")
}

impl State {
    fn alive(&self, life: u64) -> io::Result<()> {
        if self.powered && self.life == life { Ok(()) } else { Err(power_failed()) }
    }

    /// Counts an act. The power may fail at it.
    fn act(&mut self, life: u64) -> io::Result<()> {
        self.alive(life)?;
        if self.fails_at == Some(self.acts) {
            self.powered = false;
            return Err(power_failed());
        }
        self.acts += 1;
        if self.errs_at.is_some_and(|at| at < self.acts) {
            self.errs_at = None;
            return Err(Error::other("the disk can't write this"));
        }
        Ok(())
    }

    fn meets(&self, trouble: Trouble) -> io::Result<()> {
        if self.trouble == Some(trouble) { Err(trouble.error()) } else { Ok(()) }
    }

    fn used(&self) -> usize {
        self.files.values().filter_map(|file| file.current.as_ref()).map(Vec::len).sum()
    }
}

impl Medium {
    /// An empty disk, with power.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(State {
            files: BTreeMap::new(),
            rng: ChaCha8Rng::seed_from_u64(seed),
            life: 0,
            powered: true,
            acts: 0,
            fails_at: None,
            errs_at: None,
            capacity: None,
            failing_reads: 0,
            trouble: None,
        })))
    }

    /// A disk with one file on it.
    #[must_use]
    pub fn with_file(seed: u64, name: &str, content: Vec<u8>) -> Self {
        let medium = Self::new(seed);
        medium.state().files.insert(name.to_owned(), File::whole(Some(content)));
        medium
    }

    /// The current life: how often the disk lost its power before.
    pub(crate) fn life(&self) -> u64 {
        self.state().life
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each change is complete before anything can panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of writes, resizes, syncs and replacements so far.
    #[must_use]
    pub fn acts(&self) -> u64 {
        self.state().acts
    }

    /// Makes the power fail after this many more acts: the next one and everything after it fails.
    pub fn power_off_after(&self, acts: u64) {
        let mut state = self.state();
        state.fails_at = Some(state.acts.saturating_add(acts));
    }

    /// Makes one act fail, after this many more; the disk then goes on.
    pub fn fail_once_after(&self, acts: u64) {
        let mut state = self.state();
        state.errs_at = Some(state.acts.saturating_add(acts));
    }

    /// Whether an act that should fail hasn't come yet.
    #[must_use]
    pub fn will_fail_once(&self) -> bool {
        self.state().errs_at.is_some()
    }

    /// Makes the power fail now.
    pub fn power_off(&self) {
        self.state().powered = false;
    }

    /// Whether there is power.
    #[must_use]
    pub fn is_powered(&self) -> bool {
        self.state().powered
    }

    /// Ends the life of all handles and begins a new one, with what survives. With [`Survives::Some`] each file is
    /// torn in its own way. A planned power failure that hasn't happened is forgotten.
    pub fn power_on(&self, survives: Survives) {
        let mut state = self.state();
        let mut seeds = ChaCha8Rng::seed_from_u64(if let Survives::Some(seed) = survives { seed } else { 0 });
        for file in state.files.values_mut() {
            let own = if let Survives::Some(_) = survives { Survives::Some(seeds.random()) } else { survives };
            *file = File { unreadable: file.unreadable, ..File::whole(file.after(own)) };
        }
        state.files.retain(|_, file| file.current.is_some());
        state.life += 1;
        (state.powered, state.fails_at) = (true, None);
    }

    /// What a file would be if the power failed now; `None` if there would be no such file.
    #[must_use]
    pub fn image(&self, name: &str, survives: Survives) -> Option<Vec<u8>> {
        self.state().files.get(name).and_then(|file| file.after(survives))
    }

    /// Sets how many bytes all files may have together; `None` for no limit.
    pub fn set_capacity(&self, bytes: Option<usize>) {
        self.state().capacity = bytes;
    }

    /// Bytes in all files.
    #[must_use]
    pub fn used(&self) -> usize {
        self.state().used()
    }

    /// Makes this many reads in a million fail with an error.
    pub fn fail_reads(&self, chance: u32) {
        self.state().failing_reads = chance;
    }

    /// Makes the system refuse what this trouble refuses, until it is told otherwise.
    pub fn trouble(&self, trouble: Option<Trouble>) {
        self.state().trouble = trouble;
    }

    /// A file is opened.
    pub(crate) fn open(&self) -> io::Result<()> {
        self.state().meets(Trouble::NoFilesLeft)
    }

    /// Flips a bit of a file, like a disk that corrupts data; `false` if there is no such place.
    pub fn damage(&self, name: &str, at: usize) -> bool {
        let mut state = self.state();
        let Some(file) = state.files.get_mut(name) else { return false };
        file.sync();
        match file.current.as_mut().and_then(|bytes| bytes.get_mut(at)) {
            Some(byte) => *byte ^= 1,
            None => return false,
        }
        file.synced = file.current.clone();
        true
    }

    /// Makes a sector of a file unreadable (EIO) until the file is written anew, as on a disk that wears out; `false` if there is no such file.
    pub fn wear_out(&self, name: &str) -> bool {
        let mut state = self.state();
        let Some(file) = state.files.get_mut(name).filter(|file| file.current.is_some()) else { return false };
        file.unreadable = true;
        true
    }

    pub(crate) fn length(&self, name: &str, life: u64) -> io::Result<Option<usize>> {
        let state = self.state();
        state.alive(life)?;
        Ok(state.files.get(name).and_then(|file| file.current.as_ref()).map(Vec::len))
    }

    pub(crate) fn read<T>(
        &self,
        name: &str,
        life: u64,
        look: impl FnOnce(Option<&[u8]>) -> io::Result<T>,
    ) -> io::Result<T> {
        let mut state = self.state();
        state.alive(life)?;
        let chance = state.failing_reads;
        if chance > 0 && state.rng.random_range(0..PPM) < chance {
            return Err(Error::other("the disk can't read this"));
        }
        let file = state.files.get(name);
        if file.is_some_and(|file| file.unreadable) {
            return Err(Error::from_raw_os_error(EIO));
        }
        look(file.and_then(|file| file.current.as_deref()))
    }

    pub(crate) fn change(&self, name: &str, life: u64, change: Change) -> io::Result<()> {
        let mut state = self.state();
        state.act(life)?;
        let present = state.files.get(name).and_then(|file| file.current.as_ref()).map_or(0, Vec::len);
        let reached = change.reaches();
        let longer = reached.saturating_sub(present);
        let full = state.capacity.is_some_and(|capacity| longer > 0 && state.used() + longer > capacity);
        if full || reached > MAX_FILE_BYTES {
            return Err(ErrorKind::StorageFull.into());
        }
        state.meets(Trouble::ReadOnly)?;
        if longer > 0 {
            state.meets(Trouble::OverQuota)?;
        }
        let file = state.files.entry(name.to_owned()).or_default();
        file.unreadable &= !matches!(change, Change::Replace(_) | Change::Remove);
        change.apply(&mut file.current);
        file.unsynced.push(change);
        Ok(())
    }

    pub(crate) fn sync(&self, name: &str, life: u64) -> io::Result<()> {
        let mut state = self.state();
        state.act(life)?;
        if let Some(file) = state.files.get_mut(name) {
            file.sync();
        }
        Ok(())
    }

    /// Moves a file, synced and unsynced, to another name: one act, which a file system's journal keeps whole.
    pub(crate) fn rename(&self, from: &str, to: &str, life: u64) -> io::Result<()> {
        let mut state = self.state();
        state.act(life)?;
        state.meets(Trouble::ReadOnly)?;
        let file = state.files.remove(from).ok_or(ErrorKind::NotFound)?;
        state.files.insert(to.to_owned(), file);
        Ok(())
    }

    /// The names of all files with this prefix.
    pub(crate) fn names(&self, prefix: &str, life: u64) -> io::Result<Vec<String>> {
        let state = self.state();
        state.alive(life)?;
        let all = state.files.range(prefix.to_owned()..).take_while(|(name, _)| name.starts_with(prefix));
        Ok(all.filter(|(_, file)| file.current.is_some()).map(|(name, _)| name.clone()).collect())
    }
}
