//! A data folder in use: the claim on it, and the announcement of the process that has it.

use super::{DataError, DataPaths, world};
use serde::{Deserialize, Serialize};
use shardwire_host::names::from_here;
use shardwire_model::{Address, PeerId};
use shardwire_store::{Artefacts, refuse_unwritable};
use shardwire_transport::Identity;
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read as _, Write as _},
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

/// Largest announcement that is read, in bytes: one is about 200.
const MAX_ANNOUNCEMENT_BYTES: u64 = 4096;
/// How often a claim is tried: `shardwire status` and the like hold the lock for a moment to see whether anybody has it.
const CLAIM_ATTEMPTS: u32 = 5;
/// How long between two attempts; looking takes microseconds.
const CLAIM_PAUSE: Duration = Duration::from_millis(20);

/// How to reach the process that uses a data folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    /// The id of the process.
    pub pid: u32,
    /// The address that it listens at.
    pub listen: SocketAddr,
    /// What others dial, if that is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advertise: Option<Address>,
    /// The node's id.
    pub peer: PeerId,
    /// The name of its network.
    pub network: String,
    /// Where it serves wallets, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rpc: Option<SocketAddr>,
}

impl Running {
    /// Where to dial it from this machine: a node that listens everywhere is reached over loopback.
    #[must_use]
    pub fn dial(&self) -> SocketAddr {
        from_here(self.listen)
    }

    /// Where a wallet on this machine finds its door, if it has one.
    #[must_use]
    pub fn door(&self) -> Option<SocketAddr> {
        self.rpc.map(from_here)
    }
}

/// A data folder that belongs to this process until dropped.
#[derive(Debug)]
pub struct DataFolder {
    paths: DataPaths,
    identity: Identity,
    /// The claim: gone when the file is closed, by whatever.
    _lock: File,
}

impl DataFolder {
    /// Claims a folder for this process. Whatever an earlier one announced is withdrawn.
    ///
    /// # Errors
    /// [`DataError::NotInitialised`] if it is no data folder, [`DataError::NoConfig`] if it has no configuration, [`DataError::InUse`] if another process
    /// has it, [`DataError::Identity`] if its key can't be used, [`DataError::Disk`] if the disk fails.
    pub fn open(root: &Path) -> Result<Self, DataError> {
        let paths = DataPaths::existing(root)?;
        let lock = claim(&paths)?;
        let identity = Identity::load(&paths.identity())?;
        let folder = Self { paths, identity, _lock: lock };
        folder.withdraw()?;
        Ok(folder)
    }

    /// The paths of what is in the folder.
    #[must_use]
    pub fn paths(&self) -> &DataPaths {
        &self.paths
    }

    /// Who this node is.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Lets others find this process; to be called once it can be talked to. The file appears whole or not at all.
    ///
    /// # Errors
    /// [`DataError::Disk`] if the disk fails.
    pub fn announce(&self, running: &Running) -> Result<(), DataError> {
        publish(&self.paths, self.identity.peer())?;
        let path = self.paths.announcement();
        let partial = partial_announcement(&path);
        // A struct of plain fields: it always encodes.
        let text = serde_json::to_string(running).unwrap_or_default() + "\n";
        write_file(&partial, text.as_bytes(), Existing::Replaced)
            .and_then(|()| fs::rename(&partial, &path))
            .map_err(|reason| DataError::Disk { path, what: "written", reason })
    }

    /// Takes the announcement back. Dropping the folder does so too.
    ///
    /// # Errors
    /// [`DataError::Disk`] if the disk fails.
    pub fn withdraw(&self) -> Result<(), DataError> {
        let path = self.paths.announcement();
        match fs::remove_file(&path) {
            Err(reason) if reason.kind() != io::ErrorKind::NotFound => {
                Err(DataError::Disk { path, what: "removed", reason })
            }
            _ => Ok(()),
        }
    }
}

impl Drop for DataFolder {
    fn drop(&mut self) {
        // Were it to stay, the lock would still tell that nobody runs.
        let _ = self.withdraw();
    }
}

impl DataPaths {
    /// What keeps a node of this user from starting in the folder, or from working there, though all in it may be sound: what it can't write, and what stands where it has a file or a folder.
    /// Nothing is changed or made.
    #[must_use]
    pub fn hindrances(&self, own: PeerId) -> Vec<(PathBuf, DataError)> {
        let found = |path: PathBuf, what, able: io::Result<()>| {
            let reason = able.err()?;
            Some((path.clone(), DataError::Disk { path, what, reason }))
        };
        let file = |path: PathBuf, what| {
            let able = writable(&path, Kind::File);
            found(path, what, able)
        };
        let folder = |path: PathBuf| {
            let able = writable(&path, Kind::Folder);
            found(path, "written", able)
        };
        let root = folder(self.0.clone());
        if let Some((_, DataError::Disk { reason, .. })) = &root
            && reason.kind() == io::ErrorKind::ReadOnlyFilesystem
        {
            // It is so with all in it.
            return root.into_iter().collect();
        }
        let mut all = vec![root, file(self.lock(), "locked")];
        all.extend([self.store(), world::kept_in(self)].map(|path| file(path, "written")));
        if published(self) != Some(own) {
            all.push(file(self.public_identity(), "written"));
        }
        // The announcement itself is removed, and renamed over.
        let announcement = self.announcement();
        all.push(file(partial_announcement(&announcement), "written"));
        if announcement.is_dir() {
            all.push(found(announcement, "removed", Err(io::ErrorKind::IsADirectory.into())));
        }
        all.extend(Artefacts::FOLDERS.map(|name| folder(self.0.join(name))));
        all.into_iter().flatten().collect()
    }
}

/// What a node has at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    File,
    Folder,
}

/// Whether this user may write what is there; what isn't there yet is no hindrance.
fn writable(path: &Path, kind: Kind) -> io::Result<()> {
    refuse_unwritable(path)?;
    match (fs::metadata(path), kind) {
        (Err(reason), _) if reason.kind() == io::ErrorKind::NotFound => return Ok(()),
        (Err(reason), _) => return Err(reason),
        (Ok(found), Kind::File) if found.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
        (Ok(found), Kind::Folder) if !found.is_dir() => return Err(io::ErrorKind::NotADirectory.into()),
        (Ok(_), _) => {}
    }
    #[cfg(unix)]
    {
        use rustix::fs::{Access, access};
        let needed = if kind == Kind::Folder { Access::WRITE_OK | Access::EXEC_OK } else { Access::WRITE_OK };
        access(path, needed)?;
    }
    Ok(())
}

/// What an announcement is called until it is complete.
fn partial_announcement(path: &Path) -> PathBuf {
    path.with_extension("json.partial")
}

/// A data folder that is looked at: until this is dropped no node runs there, and nothing in it changes. It need not be writable, nor belong to this user.
#[derive(Debug)]
pub struct Look {
    paths: DataPaths,
    peer: PeerId,
    /// What a node that starts here would be refused for, of what was looked at so far.
    refused: Option<DataError>,
    /// The claim, if this user can make one. Who can't open the lock is kept from a running node's databases by their own locks.
    _lock: Option<File>,
}

impl Look {
    /// Claims a folder to look at it.
    ///
    /// # Errors
    /// [`DataError::NotInitialised`] if it is no data folder, [`DataError::NoConfig`] if it has no configuration, [`DataError::InUse`] if a node has it,
    /// [`DataError::Identity`] if nothing says whose folder it is, [`DataError::Disk`] if this user may not read it.
    pub fn at(root: &Path) -> Result<Self, DataError> {
        let paths = DataPaths::existing(root)?;
        let lock = match opened(&paths.lock()) {
            // No node ever ran here, or this user can't see.
            Err(_) => None,
            Ok(file) => Some(locked(&paths, file, File::try_lock_shared)?),
        };
        let (peer, refused) = match Identity::look(&paths.identity()) {
            Ok((peer, exposed)) => (peer, exposed),
            Err(unreadable) => match published(&paths) {
                Some(peer) => (peer, Some(unreadable)),
                None => return Err(unreadable.into()),
            },
        };
        Ok(Self { paths, peer, refused: refused.map(DataError::from), _lock: lock })
    }

    /// The paths of what is in the folder.
    #[must_use]
    pub fn paths(&self) -> &DataPaths {
        &self.paths
    }

    /// Whose folder it is.
    #[must_use]
    pub fn peer(&self) -> PeerId {
        self.peer
    }

    /// Why a node that this user starts here would be refused, of what was looked at so far.
    #[must_use]
    pub fn refused(&self) -> Option<&DataError> {
        self.refused.as_ref()
    }
}

/// Writes down whose folder it is, where everybody who may enter it can read that.
pub(super) fn publish(paths: &DataPaths, peer: PeerId) -> Result<(), DataError> {
    if published(paths) == Some(peer) {
        return Ok(());
    }
    let path = paths.public_identity();
    let written = refuse_unwritable(&path).and_then(|()| fs::write(&path, format!("{peer}\n")));
    written.map_err(|reason| DataError::Disk { path, what: "written", reason })
}

fn published(paths: &DataPaths) -> Option<PeerId> {
    read_bounded(&paths.public_identity()).ok()?.trim_end().parse().ok()
}

impl DataPaths {
    /// How to reach the process that uses this folder, whose configuration may be gone meanwhile.
    ///
    /// # Errors
    /// As [`existing`](Self::existing) if nobody runs there and it is no data folder; else as [`running`](Self::running).
    pub fn of_running(root: &Path) -> Result<(Self, Running), DataError> {
        let paths = Self(root.to_owned());
        match paths.running() {
            Ok(running) => Ok((paths, running)),
            Err(not_running @ DataError::NotRunning { .. }) => Err(Self::existing(root).err().unwrap_or(not_running)),
            Err(error) => Err(error),
        }
    }

    /// How to reach the process that uses this folder.
    ///
    /// # Errors
    /// [`DataError::NotRunning`] if there is none, [`DataError::NotAnnounced`] if it hasn't said so yet; [`DataError::Announcement`] if what it announced can't
    /// be read.
    pub fn running(&self) -> Result<Running, DataError> {
        let path = self.announcement();
        let text = match read_bounded(&path) {
            Ok(text) => text,
            Err(reason) if reason.kind() == io::ErrorKind::NotFound => {
                let path = self.0.clone();
                // Who may not look at the lock isn't told more.
                return Err(match self.is_claimed() {
                    Ok(true) => DataError::NotAnnounced { path },
                    _ => DataError::NotRunning { path, left_over: false },
                });
            }
            Err(reason) => return Err(DataError::Disk { path, what: "read", reason }),
        };
        if !self.is_claimed()? {
            return Err(DataError::NotRunning { path: self.0.clone(), left_over: true });
        }
        serde_json::from_str(&text).map_err(|reason| DataError::Announcement { path, reason: reason.to_string() })
    }

    /// Whether a process has this folder now.
    fn is_claimed(&self) -> Result<bool, DataError> {
        let path = self.lock();
        let failed = |reason| DataError::Disk { path: path.clone(), what: "locked", reason };
        let file = match opened(&path) {
            Err(reason) if reason.kind() == io::ErrorKind::NotFound => return Ok(false),
            file => file.map_err(failed)?,
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(reason)) => Err(failed(reason)),
        }
    }
}

fn claim(paths: &DataPaths) -> Result<File, DataError> {
    let path = paths.lock();
    let file =
        open_private(&path, Existing::Kept).map_err(|reason| DataError::Disk { path, what: "locked", reason })?;
    locked(paths, file, File::try_lock)
}

/// Locks the folder's lock, as a node does or as one who looks.
fn locked(paths: &DataPaths, file: File, lock: fn(&File) -> Result<(), TryLockError>) -> Result<File, DataError> {
    for attempt in 1..=CLAIM_ATTEMPTS {
        match lock(&file) {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if attempt < CLAIM_ATTEMPTS => std::thread::sleep(CLAIM_PAUSE),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(reason)) => {
                return Err(DataError::Disk { path: paths.lock(), what: "locked", reason });
            }
        }
    }
    let pid = paths.running().ok().map(|running| running.pid);
    Err(DataError::InUse { path: paths.0.clone(), pid })
}

fn opened(path: &Path) -> io::Result<File> {
    shardwire_files::special::refuse(path)?;
    File::open(path)
}

fn read_bounded(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    opened(path)?.take(MAX_ANNOUNCEMENT_BYTES).read_to_string(&mut text)?;
    Ok(text)
}

/// What becomes of a file that is there already.
#[derive(Clone, Copy)]
pub(super) enum Existing {
    Kept,
    Replaced,
    Refused,
}

/// Writes a file that only its owner may read, and waits for the disk.
pub(super) fn write_file(path: &Path, bytes: &[u8], existing: Existing) -> io::Result<()> {
    let mut file = open_private(path, existing)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn open_private(path: &Path, existing: Existing) -> io::Result<File> {
    refuse_unwritable(path)?;
    let mut options = OpenOptions::new();
    options.write(true);
    match existing {
        Existing::Kept => options.create(true).truncate(false),
        Existing::Replaced => options.create(true).truncate(true),
        Existing::Refused => options.create_new(true),
    };
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
