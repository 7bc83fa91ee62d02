//! A peer's identity: an ed25519 key in a file that only its owner may read.
//!
//! The peer id *is* the public key, so no authority has to vouch for it. The same key authenticates connections
//! ([`tls`](crate::tls)) and signs statements. Signatures are separated by context: the signed bytes begin with
//! [`SIGNING_PREFIX`], the context's length and the context. A signature made for one purpose is worth nothing for
//! another, TLS included (its signed content begins with 64 spaces).
//!
//! The file holds one line, `shardwire-identity-1 ` and 64 hexadecimal digits. It is created whole or not at all,
//! with mode 0600, and never overwritten. A file is refused if others may read or write it, or if it has any other
//! content.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "the identity is a file")]

use ed25519_dalek::{Signature as DalekSignature, Signer, SigningKey, VerifyingKey};
use rand::CryptoRng;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser::SerializeTuple};
use shardwire_model::{Coded, Hash, PeerId};
use std::{
    fmt,
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    sync::Arc,
};
use zeroize::Zeroizing;

/// The bytes with which every signed statement begins.
pub const SIGNING_PREFIX: &[u8] = b"shardwire-signature-1";

/// The prefix of an identity file's line.
const FILE_PREFIX: &str = "shardwire-identity-1 ";
/// The longest file that is read, in bytes: the line and a little white space.
const MAX_FILE_BYTES: u64 = 128;

/// A peer's secret key. Cheap to clone; `Debug` shows the public half only.
#[derive(Clone)]
pub struct Identity {
    key: Arc<SigningKey>,
}

/// Why an identity can't be read or created.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// There is no file.
    #[error("there is no identity at {}", path.display())]
    Missing {
        /// The file's path.
        path: PathBuf,
    },
    /// A file exists where a new one should be written.
    #[error("an identity exists already at {}", path.display())]
    Exists {
        /// The file's path.
        path: PathBuf,
    },
    /// Others may read or write the file.
    #[error("{} may be read or changed by others (mode {mode:04o})", path.display())]
    Exposed {
        /// The file's path.
        path: PathBuf,
        /// The file's permission bits.
        mode: u32,
    },
    /// The file doesn't hold an identity.
    #[error("{} is not an identity: {reason}", path.display())]
    Malformed {
        /// The file's path.
        path: PathBuf,
        /// What is wrong with its content.
        reason: &'static str,
    },
    /// The file system failed.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file's path.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

impl Coded for IdentityError {
    fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "SW-IDENTITY-001",
            Self::Exists { .. } => "SW-IDENTITY-002",
            Self::Exposed { .. } => "SW-IDENTITY-003",
            Self::Malformed { .. } => "SW-IDENTITY-004",
            Self::Io { .. } => "SW-IDENTITY-005",
        }
    }

    fn next_step(&self) -> String {
        match self {
            Self::Missing { .. } => "Create one with `shardwire init`, or name the right data folder.".to_owned(),
            Self::Exists { .. } => {
                "Keep it: peers know this node by it. To start anew, move the file away first.".to_owned()
            }
            Self::Exposed { path, .. } => {
                format!(
                    "If nobody else can have read it, run `chmod 600 {}`; else replace the identity.",
                    path.display()
                )
            }
            Self::Malformed { .. } => {
                "Restore the file from a backup, or move it away and create a new identity.".to_owned()
            }
            Self::Io { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                "Run the command as the user that owns the file.".to_owned()
            }
            Self::Io { .. } => "Check that the folder exists and that this user may write to it.".to_owned(),
        }
    }
}

impl Identity {
    /// Generates a key.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut secret = Zeroizing::new([0; 32]);
        rng.fill_bytes(&mut *secret);
        Self::from_secret(&secret)
    }

    /// The identity of a secret key. For tests and simulations, in which identities come from a seed.
    #[must_use]
    pub fn from_secret(secret: &[u8; 32]) -> Self {
        Self { key: Arc::new(SigningKey::from_bytes(secret)) }
    }

    /// Generates a key and writes it to a new file.
    ///
    /// # Errors
    /// [`IdentityError::Exists`] if there is a file already, [`IdentityError::Io`] if it can't be written.
    pub fn create(path: &Path, rng: &mut impl CryptoRng) -> Result<Self, IdentityError> {
        let identity = Self::generate(rng);
        let secret = Zeroizing::new(identity.key.to_bytes());
        let mut line = Zeroizing::new(String::with_capacity(FILE_PREFIX.len() + 65));
        line.push_str(FILE_PREFIX);
        for byte in secret.iter() {
            for digit in [byte >> 4, byte & 15] {
                line.push(char::from_digit(digit.into(), 16).unwrap_or_default());
            }
        }
        line.push('\n');
        // Written under a name of our own, then hard-linked, which fails if the target exists: the file appears whole
        // or not at all, and nothing is overwritten.
        let partial = path.with_extension(format!("{}.partial", identity.peer().short()));
        let result = write_new(&partial, line.as_bytes()).and_then(|()| fs::hard_link(&partial, path));
        let _ = fs::remove_file(&partial); // no longer needed, or never made
        result.and_then(|()| sync_folder(path)).map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => IdentityError::Exists { path: path.to_owned() },
            _ => IdentityError::Io { path: path.to_owned(), source },
        })?;
        Ok(identity)
    }

    /// Reads a key from its file.
    ///
    /// # Errors
    /// [`IdentityError::Missing`] if there is no file, [`IdentityError::Exposed`] if others may read or write it,
    /// [`IdentityError::Malformed`] if it holds anything but an identity, [`IdentityError::Io`] if it can't be read.
    pub fn load(path: &Path) -> Result<Self, IdentityError> {
        match Self::read(path)? {
            (identity, None) => Ok(identity),
            (_, Some(exposed)) => Err(exposed),
        }
    }

    /// Whose key is in a file, and why the key may not be used, if so: to look at what a peer has left, which needs no secret.
    ///
    /// # Errors
    /// As [`load`](Self::load), but for [`IdentityError::Exposed`].
    pub fn look(path: &Path) -> Result<(PeerId, Option<IdentityError>), IdentityError> {
        Self::read(path).map(|(identity, exposed)| (identity.peer(), exposed))
    }

    /// The identity, and [`IdentityError::Exposed`] if it is.
    fn read(path: &Path) -> Result<(Self, Option<IdentityError>), IdentityError> {
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => IdentityError::Missing { path: path.to_owned() },
            _ => IdentityError::Io { path: path.to_owned(), source },
        };
        let malformed = |reason| IdentityError::Malformed { path: path.to_owned(), reason };
        // Before it is opened: the opening of a pipe waits for somebody at its other end.
        if !fs::metadata(path).map_err(failed)?.is_file() {
            return Err(malformed("not a file"));
        }
        let file = File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        let exposed = exposed(&metadata).map(|mode| IdentityError::Exposed { path: path.to_owned(), mode });
        if metadata.len() > MAX_FILE_BYTES {
            return Err(malformed("too long"));
        }
        let mut text = Zeroizing::new(String::new());
        file.take(MAX_FILE_BYTES).read_to_string(&mut text).map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => malformed("not text"),
            _ => failed(error),
        })?;
        let digits = text.trim_end().strip_prefix(FILE_PREFIX).ok_or_else(|| malformed("another format"))?;
        let mut secret = Zeroizing::new([0; 32]);
        if digits.len() != 64 {
            return Err(malformed("not 64 hexadecimal digits"));
        }
        for (byte, pair) in secret.iter_mut().zip(digits.as_bytes().chunks(2)) {
            for digit in pair {
                let value = char::from(*digit).to_digit(16).ok_or_else(|| malformed("not 64 hexadecimal digits"))?;
                *byte = (*byte << 4) | u8::try_from(value).unwrap_or_default();
            }
        }
        Ok((Self::from_secret(&secret), exposed))
    }

    /// The peer id: the public key.
    #[must_use]
    pub fn peer(&self) -> PeerId {
        PeerId(self.key.verifying_key().to_bytes())
    }

    /// Signs a statement made in a context.
    #[must_use]
    pub fn sign(&self, context: &'static str, statement: &[u8]) -> PeerSignature {
        PeerSignature(self.key.sign(&signed_bytes(context, statement)).to_bytes())
    }

    /// Derives a key for one use. It stays the same from run to run and reveals nothing about the identity's key.
    pub(crate) fn derived_key(&self, context: &'static str) -> [u8; 32] {
        Hash::of_parts(context, &[self.key.as_bytes()]).0
    }

    pub(crate) fn sign_raw(&self, bytes: &[u8]) -> Vec<u8> {
        self.key.sign(bytes).to_vec()
    }
}

/// A peer's public key, ready to check signatures with. Its point is computed when it is made, once for all that are checked.
#[derive(Clone, Debug)]
pub struct PeerKey {
    peer: PeerId,
    /// Nothing if the id is no point of the curve: such a peer can't have signed anything.
    point: Option<VerifyingKey>,
}

impl PeerKey {
    /// The key of a peer.
    #[must_use]
    pub fn of(peer: PeerId) -> Self {
        Self { peer, point: VerifyingKey::from_bytes(&peer.0).ok() }
    }

    /// Whose it is.
    #[must_use]
    pub const fn peer(&self) -> PeerId {
        self.peer
    }

    /// Whether the peer signed this statement in this context.
    #[must_use]
    pub fn verifies(&self, context: &'static str, statement: &[u8], signature: &PeerSignature) -> bool {
        let signature = DalekSignature::from_bytes(&signature.0);
        self.point.is_some_and(|key| key.verify_strict(&signed_bytes(context, statement), &signature).is_ok())
    }
}

/// Whether `peer` signed this statement in this context.
#[must_use]
pub fn verify(peer: &PeerId, context: &'static str, statement: &[u8], signature: &PeerSignature) -> bool {
    PeerKey::of(*peer).verifies(context, statement, signature)
}

fn signed_bytes(context: &'static str, statement: &[u8]) -> Vec<u8> {
    let length = (context.len() as u64).to_le_bytes();
    [SIGNING_PREFIX, &length, context.as_bytes(), statement].concat()
}

#[cfg(unix)]
fn exposed(metadata: &fs::Metadata) -> Option<u32> {
    use std::os::unix::fs::MetadataExt;
    let mode = metadata.mode() & 0o7777;
    (mode & 0o077 != 0).then_some(mode)
}

#[cfg(not(unix))]
fn exposed(_: &fs::Metadata) -> Option<u32> {
    None // permissions there are inherited from the user's folder
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({})", self.peer())
    }
}

/// A peer's signature: 64 bytes on the wire, 128 hexadecimal digits in text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerSignature(pub [u8; 64]);

impl fmt::Display for PeerSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for PeerSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PeerSignature({self})")
    }
}

impl Serialize for PeerSignature {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return serializer.collect_str(self);
        }
        let mut tuple = serializer.serialize_tuple(64)?;
        self.0.iter().try_for_each(|byte| tuple.serialize_element(byte))?;
        tuple.end()
    }
}

impl<'de> Deserialize<'de> for PeerSignature {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = PeerSignature;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an ed25519 signature: 64 bytes (or 128 hexadecimal digits)")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<PeerSignature, E> {
                let wrong = || E::custom("a signature has 128 hexadecimal digits");
                let mut bytes = [0_u8; 64];
                if text.len() != 128 {
                    return Err(wrong());
                }
                for (at, digit) in text.chars().enumerate() {
                    let value = digit.to_digit(16).and_then(|value| u8::try_from(value).ok()).ok_or_else(wrong)?;
                    let byte = bytes.get_mut(at / 2).ok_or_else(wrong)?;
                    *byte = (*byte << 4) | value;
                }
                Ok(PeerSignature(bytes))
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<PeerSignature, A::Error> {
                let mut bytes = [0; 64];
                for (at, byte) in bytes.iter_mut().enumerate() {
                    *byte = seq.next_element()?.ok_or_else(|| de::Error::invalid_length(at, &self))?;
                }
                Ok(PeerSignature(bytes))
            }
        }
        if deserializer.is_human_readable() {
            deserializer.deserialize_str(Visitor)
        } else {
            deserializer.deserialize_tuple(64, Visitor)
        }
    }
}
