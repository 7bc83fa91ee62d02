//! Signed statements and evidence, in `protocols/vectors/signed`: what a peer signs of each kind, and what is shown against one by such
//! statements, as bytes.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use shardwire_model::{
    AccountId, Cause, Felt, Hash, Output, PeerId, Role, SegmentId, ShardId, Timestamp,
    life::{EntryForm, HistoryEntry, Part, Step},
};
use shardwire_protocols::{
    Signed, Statement,
    evidence::{Accusation, BadProof, Evidence, Shown, Verifier},
    handoff, ingress, proof, trace,
};
use shardwire_transport::Identity;
use std::{fs, path::Path};

/// Whose statements they are: the key of the secret that repeats this byte.
const SIGNER: u8 = 1;

fn signer() -> Identity {
    Identity::from_secret(&[SIGNER; 32])
}

fn other() -> Identity {
    Identity::from_secret(&[2; 32])
}

const SHARD: ShardId = ShardId(Felt::THREE);
const JOB: Hash = Hash([7; 32]);

/// A statement, what it was signed under, and the signature.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Kept {
    statement: String,
    context: String,
    secret: String,
    peer: PeerId,
    bytes: String,
    signature: String,
}

fn kept<T: Statement>(statement: T) -> Kept {
    let name = std::any::type_name::<T>().rsplit("::").next().unwrap().to_owned();
    let context = statement.context().to_owned();
    let bytes = hex::encode(statement.canonical());
    let signed = Signed::by(&signer(), statement);
    assert!(signed.verify(&signer().peer()).is_ok());
    let (secret, signature) = (hex::encode([SIGNER; 32]), hex::encode(signed.signature.0));
    Kept { statement: name, context, secret, peer: signer().peer(), bytes, signature }
}

fn lease(prover: &Identity) -> Signed<trace::LeaseTerms> {
    let terms =
        trace::LeaseTerms { job: JOB, epoch: 300, expires: Timestamp(1_700_000_060_000), prover: prover.peer() };
    Signed::by(&signer(), terms)
}

fn receipt(transaction: u8) -> Signed<ingress::ReceiptContent> {
    let content = ingress::ReceiptContent {
        shard: SHARD,
        transaction: Hash([transaction; 32]),
        account: AccountId(Felt::TWO),
        nonce: 1,
        outcome: ingress::Outcome::Accepted { sequence: 0, duplicate: false, reverted: false },
    };
    Signed::by(&signer(), content)
}

/// What the signer announced with these bytes, under a lease of its own.
fn announced(job: Hash, proof: &[u8]) -> proof::Announced {
    let terms = trace::LeaseTerms { job, epoch: 1, expires: Timestamp(1_700_000_060_000), prover: signer().peer() };
    let lease = Signed::by(&other(), terms);
    let bytes = u32::try_from(proof.len()).unwrap();
    let ready = proof::Ready { shard: SHARD, segment: 0, job, proof: Hash::of(proof), bytes };
    proof::Announced { ready, leased: Some(proof::Leased::by(other().peer(), &lease)) }
}

fn statements() -> Vec<Kept> {
    let proof = Hash([9; 32]);
    let entry = |form, step| HistoryEntry {
        part: Part::of(SegmentId::first(SHARD), Role::Operator),
        number: 0,
        before: Hash::default(),
        at: Timestamp(1_700_000_000_000),
        step,
        form,
    };
    let assigned = || Step::Assigned { commitment: Felt::ONE, peer: other().peer() };
    let cause = Cause::new("SW-VERIFY-009", "the proof doesn't verify: no");
    vec![
        kept(handoff::Acceptance { shard: SHARD, epoch: 300 }),
        kept(handoff::AssignmentTerms { shard: SHARD, segment: 0, operator: other().peer(), before: Felt::TWO }),
        kept(receipt(4).statement),
        kept(lease(&other()).statement),
        kept(announced(JOB, b"a proof")),
        kept(proof::Settlement { shard: SHARD, segment: 0, proof, settled_at: Timestamp(1_700_000_000_000) }),
        kept(proof::Objection { shard: SHARD, segment: 0, proof, cause }),
        kept(entry(EntryForm::First, assigned())),
        kept(entry(EntryForm::Second, assigned())),
    ]
}

/// A file of evidence, and what it shows.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct EvidenceFile {
    shows: Shown,
    accused: PeerId,
    bytes: String,
}

/// Believes no proof.
struct Nobody;

impl Verifier for Nobody {
    fn program(&self) -> Felt {
        Felt::TWO
    }

    fn output(&self, _: &[u8]) -> Result<Output, Cause> {
        Err(Cause::new("SW-VERIFY-002", "the bytes are no proof: none"))
    }
}

fn pieces() -> Vec<EvidenceFile> {
    let (start, before) = (Felt::from(5), Felt::from(6));
    let proof = b"these bytes prove nothing".to_vec();
    let job = trace::job_id(Nobody.program(), start, before, 0);
    let announcement = Signed::by(&signer(), announced(job, &proof));
    let pieces = [
        Evidence::Leases(Box::new([lease(&signer()), lease(&other())])),
        Evidence::Receipts(Box::new([receipt(4), receipt(5)])),
        Evidence::Proof(Box::new(BadProof { announcement, start, before, bytes: proof })),
    ];
    pieces
        .into_iter()
        .map(|evidence| {
            let accused = signer().peer();
            let file = Accusation { accused, evidence }.to_bytes();
            let shows = Accusation::from_bytes(&file).unwrap().check(&Nobody).unwrap();
            EvidenceFile { shows, accused, bytes: hex::encode(file) }
        })
        .collect()
}

/// The file of this name has this, or gets it.
fn compare<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(name: &str, made: &[T]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors/signed").join(name);
    if std::env::var_os("WRITE_VECTORS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, serde_json::to_string_pretty(made).unwrap() + "\n").unwrap();
    }
    let kept: Vec<T> = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(kept, made, "{name}: what was signed can't be signed anew; WRITE_VECTORS=1 writes it before a release");
}

#[test]
fn statements_of_each_kind_are_signed_as_they_were() {
    compare("statements.json", &statements());
}

#[test]
fn evidence_of_each_kind_is_what_it_was() {
    compare("evidence.json", &pieces());
}
