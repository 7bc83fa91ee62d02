//! The genesis files that a node has.
//!
//! A genesis is a file `<content hash>.json`; the class files that it names lie beside it. It is looked for when a shard begins from it, and held with its compiled
//! classes for as long as a shard has it. A class file is compiled once: what came of the last [`MAX_KEPT_CLASSES`] is kept by their content, since a game's
//! next genesis has other storage and the same classes. Refused: a file with another content than its name says, a longer one than
//! [`MAX_GENESIS_BYTES`](bounds::MAX_GENESIS_BYTES), the name of a class file that isn't one of that folder.

use shardwire_model::{Coded, Hash};
use shardwire_native::{Class, ClassError, Genesis, GenesisError, bounds};
use std::{
    cell::Cell,
    collections::{BTreeMap, VecDeque},
    fmt, io,
    path::{Component, Path},
    sync::{Arc, Mutex, PoisonError},
};

/// Most genesis files that shards have at the same time: each is held with its compiled classes, some tens of megabytes.
pub const MAX_GENESES: usize = 16;
/// Most compiled classes that are kept beyond the genesis files that have them: as many as one shard has, some megabytes each.
pub const MAX_KEPT_CLASSES: usize = bounds::MAX_CLASSES;

/// Gives the first bytes of a file of the node's folder of genesis files, at most so many; none if there is no such file.
pub type ReadFile = dyn Fn(&Path, u64) -> io::Result<Option<Vec<u8>>> + Send + Sync;
type Compile = dyn Fn(&[u8]) -> Result<Class, ClassError> + Send + Sync;

/// The genesis files that a node has, by their content hashes. Shards that begin from the same one share it.
pub struct Geneses {
    read: Box<ReadFile>,
    compile: Box<Compile>,
    /// Locked while one is read and compiled, so that no two shards do that at the same time.
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    geneses: BTreeMap<Hash, Arc<Genesis>>,
    /// By the hash of the class file; the oldest first.
    classes: VecDeque<(Hash, Class)>,
}

impl fmt::Debug for Geneses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Geneses") // what reads and compiles has nothing to show
    }
}

impl Geneses {
    /// Those that `read` finds, with their classes as `compile` makes them ([`Class::compile`], in this process or in another).
    pub fn new(
        read: impl Fn(&Path, u64) -> io::Result<Option<Vec<u8>>> + Send + Sync + 'static,
        compile: impl Fn(&[u8]) -> Result<Class, ClassError> + Send + Sync + 'static,
    ) -> Self {
        Self { read: Box::new(read), compile: Box::new(compile), held: Mutex::default() }
    }

    /// The genesis with this content hash. Reading and compiling take their time: call it on a thread that may wait.
    ///
    /// # Errors
    /// [`GenesisFileError::Missing`] if it isn't here, [`GenesisFileError::TooLong`] or [`GenesisFileError::OtherContent`] if it, or a class of it, isn't what it is called,
    /// [`GenesisFileError::Content`] if it is no genesis, [`GenesisFileError::Full`] if there is no room for one more, [`GenesisFileError::Unreadable`] if it can't be read now.
    pub fn find(&self, hash: Hash) -> Result<Arc<Genesis>, GenesisFileError> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let Held { geneses, classes } = &mut *held;
        if let Some(genesis) = geneses.get(&hash) {
            return Ok(genesis.clone());
        }
        if geneses.len() >= MAX_GENESES {
            geneses.retain(|_, genesis| Arc::strong_count(genesis) > 1);
        }
        if geneses.len() >= MAX_GENESES {
            return Err(GenesisFileError::Full);
        }
        let genesis = Arc::new(self.load(hash, classes)?);
        geneses.insert(hash, genesis.clone());
        Ok(genesis)
    }

    fn load(&self, hash: Hash, classes: &mut VecDeque<(Hash, Class)>) -> Result<Genesis, GenesisFileError> {
        let name = format!("{hash}.json");
        let file = (self.read)(Path::new(&name), bounds::MAX_GENESIS_BYTES as u64 + 1)
            .map_err(|error| GenesisFileError::Unreadable { name: name.clone(), reason: error.to_string() })?
            .ok_or(GenesisFileError::Missing { hash })?;
        if file.len() > bounds::MAX_GENESIS_BYTES {
            return Err(GenesisFileError::TooLong { name });
        }
        let found = Hash::of(&file);
        if found != hash {
            return Err(GenesisFileError::OtherContent { name, found });
        }
        let broken = Cell::new(None);
        let mut beside = |name: &str| {
            if !is_plain(name) {
                return Err(io::Error::other("it isn't the name of a file in the folder of the genesis"));
            }
            match (self.read)(Path::new(name), bounds::MAX_CLASS_BYTES as u64 + 1) {
                Ok(Some(bytes)) => Ok(bytes),
                Ok(None) => Err(io::Error::new(io::ErrorKind::NotFound, "there is no such file")),
                Err(error) => {
                    broken.set(Some((name.to_owned(), error.to_string())));
                    Err(error)
                }
            }
        };
        Genesis::read(&file, &mut beside, &mut |class| self.compiled(class, classes)).map_err(|error| {
            match broken.take() {
                Some((name, reason)) => GenesisFileError::Unreadable { name, reason },
                None => GenesisFileError::Content { name, error },
            }
        })
    }

    /// What a class file compiles to.
    fn compiled(&self, file: &[u8], classes: &mut VecDeque<(Hash, Class)>) -> Result<Class, ClassError> {
        let hash = Hash::of(file);
        if let Some((_, class)) = classes.iter().find(|(known, _)| *known == hash) {
            return Ok(class.clone());
        }
        let class = (self.compile)(file)?;
        if classes.len() >= MAX_KEPT_CLASSES {
            classes.pop_front();
        }
        classes.push_back((hash, class.clone()));
        Ok(class)
    }
}

/// Whether it is the name of a file, and no path to somewhere else.
fn is_plain(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    !name.contains('/') && matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None))
}

/// A genesis that no shard can begin from here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GenesisFileError {
    /// There is no file of that name.
    #[error("genesis {hash} isn't here")]
    Missing {
        /// The content hash that the start data names.
        hash: Hash,
    },
    /// The file is longer than a genesis may be.
    #[error("genesis file {name} is longer than {} bytes", bounds::MAX_GENESIS_BYTES)]
    TooLong {
        /// The file's name.
        name: String,
    },
    /// The file has another content than its name says.
    #[error("genesis file {name} has content hash {found}")]
    OtherContent {
        /// The file's name.
        name: String,
        /// The hash of what is in it.
        found: Hash,
    },
    /// What is in it, or beside it, is no genesis.
    #[error("genesis file {name}: {error}")]
    Content {
        /// The file's name.
        name: String,
        /// What is wrong with it.
        error: GenesisError,
    },
    /// Shards have as many others as may be.
    #[error("shards have {MAX_GENESES} other genesis files")]
    Full,
    /// A file can't be read at the moment.
    #[error("file {name} of the genesis can't be read: {reason}")]
    Unreadable {
        /// The file's name.
        name: String,
        /// The system's reason.
        reason: String,
    },
}

impl GenesisFileError {
    /// Whether this machine couldn't, which says nothing about the genesis: another try may succeed.
    #[must_use]
    pub const fn is_of_this_machine(&self) -> bool {
        match self {
            Self::Unreadable { .. } => true,
            Self::Content { error, .. } => is_of_this_machine(error),
            Self::Missing { .. } | Self::TooLong { .. } | Self::OtherContent { .. } | Self::Full => false,
        }
    }
}

/// Whether that is about the machine that reads, not about the genesis.
pub(crate) const fn is_of_this_machine(error: &GenesisError) -> bool {
    matches!(error, GenesisError::Ground(_) | GenesisError::Class { error: ClassError::Machine(_), .. })
}

impl Coded for GenesisFileError {
    fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "SW-PROGRAM-004",
            Self::TooLong { .. } => "SW-PROGRAM-005",
            Self::OtherContent { .. } => "SW-PROGRAM-006",
            Self::Full => "SW-PROGRAM-007",
            Self::Unreadable { .. } => "SW-PROGRAM-008",
            Self::Content { error, .. } => error.code(),
        }
    }

    fn next_step(&self) -> String {
        match self {
            Self::Missing { hash } => {
                format!(
                    "Put the genesis into the data folders of settler and operator, as genesis/{hash}.json, with the class files that it names beside it."
                )
            }
            Self::TooLong { .. } => {
                "Leave out of the genesis what the shard doesn't touch, and put classes into files of their own.".into()
            }
            Self::OtherContent { found, .. } => {
                format!("Put the file there that the shard was started with; this one would be called {found}.json.")
            }
            Self::Full => {
                "Wait until a shard of another genesis is settled, or start the shard with other nodes.".into()
            }
            Self::Unreadable { .. } => "Mend the disk, or the rights to the file; the node tries again.".into(),
            Self::Content { error, .. } => error.next_step(),
        }
    }

    fn told(&self) -> String {
        match self {
            error if error.is_of_this_machine() => "this machine can't read the genesis at the moment".into(),
            _ => self.to_string(),
        }
    }
}
