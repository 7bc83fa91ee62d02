//! The files: what is in one, reading and writing them, and which are frozen.

use crate::generate;
use serde::{Deserialize, Serialize};
use shardwire_model::Hash;
use shardwire_protocols::catalogue::Entry;
use shardwire_transport::graph::MessageInfo;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
};

/// The digest of each released version's bytes. Written once, with the release; never changed. Nothing is released yet.
pub(crate) const FROZEN: &[Digest] = &[];

/// The name of a version's file, and the digest of its bytes.
pub(crate) type Digest = (&'static str, &'static str);

/// The vectors of one version of a protocol.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct File {
    pub(crate) protocol: String,
    pub(crate) version: u16,
    pub(crate) messages: BTreeMap<String, Vectors>,
    pub(crate) sessions: Vec<Recorded>,
}

/// The vectors of a message.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Vectors {
    pub(crate) encodings: Vec<Encoding>,
    pub(crate) generated: Generated,
}

/// A message's body, and what it means.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Encoding {
    pub(crate) value: String,
    pub(crate) bytes: String,
}

/// What [`generate::all`] came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Generated {
    /// How many bodies were read and written again.
    pub(crate) values: u32,
    /// How many more the type refused.
    pub(crate) refused: u32,
    /// Of all their bytes.
    pub(crate) hash: Hash,
}

/// A whole session: what each side put on the stream, in the protocol's order.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Recorded {
    pub(crate) name: String,
    pub(crate) steps: Vec<RecordedMessage>,
}

/// One message on the stream: branch tags, length, body.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RecordedMessage {
    pub(crate) from: From,
    pub(crate) message: String,
    pub(crate) bytes: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum From {
    Initiator,
    Responder,
}

impl File {
    pub(crate) fn of(entry: &Entry, sessions: Vec<Recorded>) -> Self {
        let vectors = |message: &MessageInfo| Vectors {
            encodings: generate::encodings(entry, message),
            generated: generate::all(entry, message),
        };
        Self {
            protocol: entry.name.to_owned(),
            version: entry.version,
            messages: entry.messages().iter().map(|(name, message)| ((*name).to_owned(), vectors(message))).collect(),
            sessions,
        }
    }

    /// Reads and writes every encoding with the types of today.
    pub(crate) fn check_messages(&self, entry: &Entry) -> Result<(), String> {
        let messages = entry.messages();
        let names: BTreeSet<&str> = messages.keys().copied().collect();
        let had: BTreeSet<&str> = self.messages.keys().map(String::as_str).collect();
        if names != had || (self.protocol.as_str(), self.version) != (entry.name, entry.version) {
            return Err(format!("its messages are {names:?}, and were {had:?}"));
        }
        for (message, vectors) in messages.values().zip(self.messages.values()) {
            vectors.check(entry, message).map_err(|what| format!("message {}: {what}", message.name))?;
        }
        Ok(())
    }

    /// The digest of all bytes in it, whatever the names.
    fn digest(&self) -> Hash {
        let of = |parts: Vec<&str>| Hash::of(parts.join("\n").as_bytes()).to_string();
        let mut digests: Vec<String> = self
            .messages
            .values()
            .map(|message| {
                let generated = message.generated.hash.to_string();
                let encodings = message.encodings.iter().map(|encoding| encoding.bytes.as_str());
                of(std::iter::once(generated.as_str()).chain(encodings).collect())
            })
            .chain(
                self.sessions.iter().map(|session| of(session.steps.iter().map(|step| step.bytes.as_str()).collect())),
            )
            .collect();
        digests.sort();
        Hash::of(digests.join("\n").as_bytes())
    }
}

impl Vectors {
    fn check(&self, entry: &Entry, message: &MessageInfo) -> Result<(), String> {
        for Encoding { value, bytes } in &self.encodings {
            let body = bytes::Bytes::from(hex::decode(bytes).map_err(|error| format!("{bytes}: {error}"))?);
            let refused = |error| format!("{bytes} is refused ({error}), and was {value}");
            let today = format!("{:?}", message.read(body.clone()).map_err(refused)?);
            if today != *value {
                return Err(format!("{bytes} is {today}, and was {value}"));
            }
            let again = message.reread(body.clone()).map_err(refused)?;
            if again != body {
                return Err(format!("{value} is now written as {}, and was {bytes}", hex::encode(&again)));
            }
        }
        let today = generate::all(entry, message);
        if today != self.generated {
            let Generated { values, refused, hash } = today;
            let was = &self.generated;
            return Err(format!(
                "{values} generated values have the hash {hash} ({refused} refused), and had {} ({} refused)",
                was.hash, was.refused
            ));
        }
        Ok(())
    }
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("vectors")
}

/// The name of a version's file, without `.json`.
pub(crate) fn name(entry: &Entry) -> String {
    format!("{}-v{}", entry.name, entry.version)
}

/// The names of all files.
pub(crate) fn all() -> BTreeSet<String> {
    let files = fs::read_dir(folder()).expect("protocols/vectors").map(|entry| entry.unwrap().path());
    files.filter_map(|path| Some(path.file_name()?.to_str()?.strip_suffix(".json")?.to_owned())).collect()
}

pub(crate) fn read(name: &str) -> Result<File, String> {
    let path = folder().join(format!("{name}.json"));
    let missing = "WRITE_VECTORS=1 cargo test -p shardwire-protocols --test vectors";
    let text =
        fs::read_to_string(&path).map_err(|error| format!("{}: {error}; `{missing}` writes it", path.display()))?;
    serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
}

/// Writes a version's file. A frozen one's names may change, its bytes may not.
pub(crate) fn write(entry: &Entry, file: &File) {
    if unchanged(FROZEN, entry, file).is_ok() {
        let text = serde_json::to_string_pretty(file).unwrap() + "\n";
        fs::create_dir_all(folder()).unwrap();
        fs::write(folder().join(format!("{}.json", name(entry))), text).unwrap();
        println!("    (\"{}\", \"{}\"),", name(entry), file.digest());
    }
}

/// Fails if a file's version is frozen with other bytes.
pub(crate) fn unchanged(frozen: &[Digest], entry: &Entry, file: &File) -> Result<(), String> {
    let (name, digest) = (name(entry), file.digest().to_string());
    match frozen.iter().find(|(frozen, _)| *frozen == name) {
        Some((_, frozen)) if *frozen != digest => {
            Err(format!("protocols/vectors/{name}.json itself was changed (its digest is now {digest})"))
        }
        _ => Ok(()),
    }
}

/// What to do about a change.
pub(crate) fn what_next(frozen: &[Digest], entry: &Entry, what: &str) -> String {
    let (name, version, next) = (entry.name, entry.version, entry.version + 1);
    let command = "WRITE_VECTORS=1 cargo test -p shardwire-protocols --test vectors";
    if !frozen.iter().any(|(frozen, _)| *frozen == self::name(entry)) {
        return format!(
            "protocol {name} version {version} is not what its vectors say: {what}

No release speaks this version, so its bytes may change. If the change is meant, `{command}`
writes protocols/vectors/{name}-v{version}.json; its difference is reviewed with the change."
        );
    }
    format!(
        "protocol {name} version {version} is not what it was: {what}

The bytes of a released version never change: peers speak it. If the change is meant, it is version {next}:
  1. keep the protocol type of version {version}, with every message type that changes, as a module of its own;
  2. give the changed protocol type `VERSION = {next}`, and list both in protocols/src/lib.rs;
  3. serve both where sessions are dispatched (`Incoming::is`), and open the one that was agreed on (`Agreed::speaks`);
  4. record a session in protocols/tests/vectors/scripts and run `{command}`,
     which writes protocols/vectors/{name}-v{next}.json; its digest goes into FROZEN with the next release.
If only the name of a type or field changed, the same command writes the new name into {name}-v{version}.json.
CONTRIBUTING.md, \"A new version of a protocol\", says more."
    )
}
