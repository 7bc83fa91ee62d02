//! A node that is told to stop while it begins.

use super::*;
use crate::{
    config::{Environment, Flags, Setting},
    data::DataFolder,
    offline::tests::{folder, proven},
};
use shardwire_store::{Backend, DiskError, SystemDisk};
use std::{
    io::Write,
    path::Path,
    sync::{Mutex, PoisonError, mpsc},
};
use tokio::time::Instant;

/// How long the disk hangs at most: a node that waits for it is too late then.
const HANGS: Duration = Duration::from_secs(10);

/// The system's disk, which hangs when something of one name is used.
#[derive(Debug)]
struct Hanging {
    at: &'static str,
    reached: Arc<Notify>,
    released: Mutex<mpsc::Receiver<()>>,
}

impl Hanging {
    fn use_of(&self, path: &Path) -> SystemDisk {
        if path.components().any(|part| part.as_os_str() == self.at) {
            self.reached.notify_one();
            let released = self.released.lock().unwrap_or_else(PoisonError::into_inner);
            let _ = released.recv_timeout(HANGS);
        }
        SystemDisk
    }
}

impl Disk for Hanging {
    fn write(&self, path: &Path, parts: &[&[u8]], durable: bool) -> Result<(), DiskError> {
        self.use_of(path).write(path, parts, durable)
    }

    fn create(&self, path: &Path) -> Result<Box<dyn Write + Send>, DiskError> {
        self.use_of(path).create(path)
    }

    fn read(&self, path: &Path, most: u64) -> Result<Option<Vec<u8>>, DiskError> {
        self.use_of(path).read(path, most)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
        self.use_of(to).rename(from, to)
    }

    fn remove(&self, path: &Path) -> Result<(), DiskError> {
        self.use_of(path).remove(path)
    }

    fn database(&self, path: &Path) -> Result<Option<Backend>, DiskError> {
        self.use_of(path).database(path)
    }

    fn database_to_read(&self, path: &Path) -> Result<Option<Backend>, DiskError> {
        self.use_of(path).database_to_read(path)
    }

    fn create_database(&self, path: &Path) -> Result<Backend, DiskError> {
        self.use_of(path).create_database(path)
    }
}

/// Begins a node on a disk that hangs at this file, with that program as its worker, and tells it to stop once `reached` completes.
async fn is_stopped(at: &'static str, worker: &Path, reached: impl AsyncFnOnce(&Notify)) {
    let place = tempfile::tempdir().unwrap();
    let (root, paths) = folder(place.path());
    proven(&root, &paths);
    let identity = DataFolder::open(&root).unwrap().identity().clone();
    let flags = Flags::default().with(Setting::Listen, ["127.0.0.1:0"]);
    let flags = flags.with(Setting::WorkerPath, [worker.display().to_string()]);
    let config = Config::load(&paths.config(), &Environment::default(), flags).unwrap();
    let (release, released) = mpsc::sync_channel(1);
    let hangs = Arc::new(Notify::new());
    let disk = Arc::new(Hanging { at, reached: hangs.clone(), released: Mutex::new(released) });
    let platform = Platform { disk, ..Platform::system() };
    let (stop, began) = (CancellationToken::new(), Instant::now());
    let listens = |_| panic!("{at}: it listens");
    let node = run_at(config, Home { identity, paths }, platform, Proofs::stark(), stop.clone(), listens);
    let told = async {
        reached(&hangs).await;
        stop.cancel();
    };
    let (ended, ()) = tokio::join!(node, told);
    ended.unwrap();
    assert!(began.elapsed() < HANGS, "{at}");
    drop(release);
}

/// A fixed bug: it was heeded when all was taken up.
#[tokio::test]
async fn a_node_that_is_told_to_stop_while_it_opens_its_databases_ends_at_once() {
    // Where it would be migrated, too.
    for at in ["node.redb", "ledger.redb"] {
        is_stopped(at, Path::new("/no/worker"), async |hangs| hangs.notified().await).await;
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_node_that_is_told_to_stop_while_it_takes_up_its_roles_ends_at_once() {
    use std::{fs, os::unix::fs::PermissionsExt as _};
    let place = tempfile::tempdir().unwrap();
    let [worker, asked] = ["worker", "asked"].map(|name| place.path().join(name));
    // It answers when the file is gone.
    let script = format!("#!/bin/sh\n: > {0}\nwhile [ -e {0} ]; do sleep 0.05; done\n", asked.display());
    fs::write(&worker, script).unwrap();
    fs::set_permissions(&worker, fs::Permissions::from_mode(0o700)).unwrap();
    let is_asked = async |_: &Notify| {
        while !asked.exists() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    is_stopped("nothing", &worker, is_asked).await;
    fs::remove_file(&asked).unwrap();
}
