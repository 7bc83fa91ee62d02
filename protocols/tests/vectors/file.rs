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

/// The digest of each version's bytes. Written once, when the version is released; never changed.
pub(crate) const FROZEN: [(&str, &str); 10] = [
    ("control-v1", "3904db930a64059c385fac7344014dda208027433ec46b7cd928f6ac93823c72"),
    ("handoff-v1", "580ae9df49ceda967de8cab473d88379d6662e77bff5fe45718e916329e61f98"),
    ("handshake-v1", "94bfe2f4990ee2df0316f948bbcb241aa155adb063ca0946c6342aaff256d3d1"),
    ("ingress-v1", "bdfa6ecb1e4e40afed69c0e90f096e7fb0c3d75e97a944902c76fe6233514349"),
    ("keepalive-v1", "a35c36b2e8e5ef8f93fafa07341f522f29207a51ad71c3f56632fa83eec2b9de"),
    ("life-v1", "3bc5b8ab7bdaca170567c1b9ea008eb7b0d273fe9059c382c77f225ad8ed313e"),
    ("proof-v1", "790dd5e1b2ec987b78b4cb419d3763e4b435707c50ebc83cbe0d1d6d422161fe"),
    ("proof-v2", "e049d171e02340c2501ec9b0936ca0448209a8d9a1eb290c9a1121a764537fd7"),
    ("reputation-v1", "50771d6b4c76b1d97cbfceedf14a288985c0619d02c02f3de8caddd80cec1884"),
    ("trace-v1", "62c6fc4e795762340426d6912ac4fe3504fce98c323625a6f65312bc1e2fc530"),
];

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
    pub(crate) steps: Vec<Step>,
}

/// One message on the stream: branch tags, length, body.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Step {
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
    if frozen(entry, file).is_ok() {
        let text = serde_json::to_string_pretty(file).unwrap() + "\n";
        fs::create_dir_all(folder()).unwrap();
        fs::write(folder().join(format!("{}.json", name(entry))), text).unwrap();
        println!("    (\"{}\", \"{}\"),", name(entry), file.digest());
    }
}

/// Fails if a file isn't the frozen one.
pub(crate) fn frozen(entry: &Entry, file: &File) -> Result<(), String> {
    let (name, digest) = (name(entry), file.digest().to_string());
    match FROZEN.iter().find(|(frozen, _)| *frozen == name) {
        Some((_, frozen)) if *frozen != digest => {
            let what = format!("protocols/vectors/{name}.json itself was changed (its digest is now {digest})");
            Err(how_to_version(entry, &what))
        }
        _ => Ok(()),
    }
}

/// What to do about a change.
pub(crate) fn how_to_version(entry: &Entry, what: &str) -> String {
    let (name, version, next) = (entry.name, entry.version, entry.version + 1);
    format!(
        "protocol {name} version {version} is not what it was: {what}

The bytes of a version never change: peers speak it. If the change is meant, it is version {next}:
  1. keep the protocol type of version {version}, with every message type that changes, as a module of its own;
  2. give the changed protocol type `VERSION = {next}`, and list both in protocols/src/catalogue.rs;
  3. serve both where sessions are dispatched (`Incoming::is`), and open the one that was agreed on (`Agreed::speaks`);
  4. record a session in protocols/tests/vectors/scripts, run `WRITE_VECTORS=1 cargo test -p shardwire-protocols --test vectors`,
     which writes protocols/vectors/{name}-v{next}.json, and add its digest to FROZEN in protocols/tests/vectors/file.rs.
If only the name of a type or field changed, `WRITE_VECTORS=1` writes the new name into {name}-v{version}.json.
CONTRIBUTING.md, \"A new version of a protocol\", says more."
    )
}
