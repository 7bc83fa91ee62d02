//! `shardwire peer evidence` and `shardwire evidence check`: what can be proven against peers, from a node to a file, and from a file to
//! anybody who wants to see it.
//!
//! A check needs the file and nothing else: no node, no data folder, no word of who made it.

use super::{
    failure::Failure,
    named::PeerName,
    node::ask,
    output::{Answer, columns},
};
use crate::{programs, proofs::Proofs};
use clap::{Args, Subcommand};
use serde::Serialize;
use shardwire_model::{Coded, Hash, PeerId};
use shardwire_protocols::{
    administration::{AdministrationError, Client, peer::Request},
    evidence::{Accusation, MAX_EVIDENCE_BYTES, Shown},
};
use shardwire_store::{Disk as _, DiskError, SystemDisk};
use std::path::{Path, PathBuf};

#[derive(Debug, Subcommand)]
pub(super) enum EvidenceCommand {
    /// Say what a file of evidence shows, and against whom
    #[command(
        after_help = "Signatures, hashes and, of a proof, what it proves are checked again; where the file came from doesn't\n\
        matter. Exit code 0: it shows that the peer broke its word. 1: it shows nothing.\n\nExample:\n  \
        shardwire evidence check 2222222222-1a2b3c4d5e.evidence"
    )]
    Check(EvidenceCheckArgs),
}

#[derive(Debug, Args)]
pub(super) struct EvidenceCheckArgs {
    /// The file with the evidence
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct EvidenceArgs {
    /// The peer's id, or its beginning
    #[arg(value_name = "PEER")]
    peer: PeerName,
    /// A folder to write each piece to
    #[arg(long, value_name = "FOLDER")]
    to: Option<PathBuf>,
}

impl EvidenceCommand {
    pub(super) fn run(self) -> Result<Answer, Failure> {
        let Self::Check(args) = self;
        check(&args)
    }
}

/// A file of evidence that can't be used.
#[derive(Debug, thiserror::Error)]
enum FileError {
    /// The file can't be read or written.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// There is no such file.
    #[error("there is no file {path}", path = path.display())]
    Missing { path: PathBuf },
}

impl Coded for FileError {
    fn code(&self) -> &'static str {
        match self {
            Self::Disk(_) => "SW-EVIDENCE-006",
            Self::Missing { .. } => "SW-EVIDENCE-007",
        }
    }

    fn next_step(&self) -> String {
        match self {
            Self::Disk(_) => "Check the path, its permissions, and that the disk has room.",
            Self::Missing { .. } => "Check the path.",
        }
        .into()
    }
}

/// A piece, as it is shown.
#[derive(Serialize)]
struct Seen {
    peer: PeerId,
    shows: Shown,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "shardwire_files::path::serialize_some")]
    file: Option<PathBuf>,
}

#[derive(Serialize)]
struct All {
    peer: PeerId,
    pieces: Vec<Seen>,
}

/// What a piece shows.
fn see(bytes: &[u8]) -> Result<Seen, Failure> {
    let piece = Accusation::from_bytes(bytes).map_err(|error| Failure::of(&error))?;
    let (proofs, programs) = (Proofs::stark(), programs::all());
    let shows = shardwire_settler::evidence::check(&piece, &*proofs.verify, programs.hashes())
        .map_err(|error| Failure::of(&error))?;
    Ok(Seen { peer: piece.accused, shows, file: None })
}

/// Writes a piece to a file of its own in a folder; the same piece to the same file.
pub(super) fn save(accused: PeerId, bytes: &[u8], folder: &Path) -> Result<PathBuf, Failure> {
    let path = folder.join(format!("{}-{}.evidence", accused.short(), Hash::of(bytes).short()));
    SystemDisk.write(&path, &[bytes], true).map_err(|error| Failure::of(&FileError::from(error)))?;
    Ok(path)
}

fn check(args: &EvidenceCheckArgs) -> Result<Answer, Failure> {
    let path = &args.file;
    // A byte more than there may be, so that more is seen to be too much.
    let read = SystemDisk.read(path, u64::from(MAX_EVIDENCE_BYTES) + 1).map_err(FileError::from);
    let bytes = read.and_then(|bytes| bytes.ok_or_else(|| FileError::Missing { path: path.clone() }));
    let seen = see(&bytes.map_err(|error| Failure::of(&error))?)?;
    Ok(Answer::new(format!("against {}: {}", seen.peer, seen.shows), &seen))
}

pub(super) async fn export(root: Option<PathBuf>, args: &EvidenceArgs) -> Result<Answer, Failure> {
    let peer = args.peer.find(root.as_ref()).await?;
    let pieces = ask(root, async move |client| fetch(client, peer).await).await?;
    let mut seen = Vec::new();
    for bytes in pieces {
        let file = args.to.as_deref().map(|folder| save(peer, &bytes, folder)).transpose()?;
        seen.push(Seen { file, ..see(&bytes)? });
    }
    Ok(Answer::new(describe(peer, &seen), &All { peer, pieces: seen }))
}

/// All that the node has against a peer, whole.
async fn fetch(client: &mut Client, peer: PeerId) -> Result<Vec<Vec<u8>>, AdministrationError> {
    let count = client.peer(Request::Show { peer }).await?.evidence;
    let mut pieces = Vec::new();
    for number in 0..count {
        pieces.push(client.evidence(peer, number).await?);
    }
    Ok(pieces)
}

fn describe(peer: PeerId, seen: &[Seen]) -> String {
    if seen.is_empty() {
        return format!("nothing is known against {}", peer.short());
    }
    let rows: Vec<[String; 2]> = seen
        .iter()
        .map(|seen| {
            let file = seen.file.as_ref().map_or_else(|| "-".to_owned(), |file| file.display().to_string());
            [file, seen.shows.to_string()]
        })
        .collect();
    columns(&rows)
}
