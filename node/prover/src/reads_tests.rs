//! The list of what a run of contracts read, at a prover: it comes with the end of the trace, is compared with the output, and stands before the proof.
#![cfg(unix)]
#![allow(clippy::disallowed_methods, reason = "the tests look at the files that a prover leaves")]

use super::{
    operator_half::Operator,
    sound_tests::{PROOF, Writes},
    tests::{identities, settlers},
    trouble_tests::{in_trouble, session},
    *,
};
use shardwire_host::{
    Tasks,
    clock::SystemClock,
    testing::{host, store},
};
use shardwire_model::{
    ContractId, ContractTerms, Felt, Instance, Maximum, Output, Reads, Terms,
    contracts::{ClassPair, Rule},
    reads::join,
    state_commitment,
};
use shardwire_proving::{
    settle::{Believed, Expected, believe},
    verify::{Proven, VerifyError},
};
use std::{fs, path::Path};

/// Believes what begins with [`PROOF`]: it proves this output.
#[derive(Debug)]
struct Believer(Output);

impl Verify for Believer {
    fn verify(&self, bytes: &[u8]) -> Result<Proven, VerifyError> {
        let output = self.0.to_felts();
        bytes.strip_prefix(PROOF).ok_or(VerifyError::Rejected("it is no text of a test".into()))?;
        Ok(Proven { program: self.0.program, output })
    }
}

/// What the run read: the slot of its counter, and another one.
fn reads() -> Reads {
    Reads { storage: [((0, Felt::from(6)), Felt::THREE), ((0, Felt::from(9)), Felt::ONE)].into(), ..Reads::default() }
}

/// The short run, as if it were of contracts and had read that.
fn operator() -> Operator {
    let mut felts = Vec::new();
    let mut operator = Operator::of(|start, output| {
        let pair = ClassPair { class_hash: Felt::from(0x10), compiled_class_hash: Felt::from(0x11) };
        start.contracts.extend(start.accounts.iter().map(|account| ContractId(account.0)));
        start.contracts.sort_unstable();
        start.terms = Terms::Contracts(Box::new(ContractTerms {
            origin: Hash::of(b"genesis").into(),
            begins: 1,
            first_block: 1,
            sequencer: ContractId(Felt::ONE),
            classes: vec![pair],
            instances: vec![Instance { class: pair.class_hash, rule: Rule::Scratch }; start.contracts.len()],
            maxima: vec![Maximum(100)],
            scratch: Vec::new(),
        }));
        start.validate().unwrap();
        felts = reads().to_felts(&start.for_contracts().unwrap());
        output.before = state_commitment(start.commitment(), &[Felt::THREE]);
        output.reads = shardwire_model::reads::commitment(&felts);
    });
    operator.ending.reads = felts;
    operator
}

/// A prover whose worker writes this, and proofs after that.
fn prover(folder: &Path, operator: &Operator, worker: Arc<Writes>) -> (Arc<Prover>, Tasks) {
    let (host, tasks) = host(identities()[0].clone(), store(folder), folder, Arc::new(SystemClock), "");
    (Prover::resume(host, worker, Arc::new(Believer(operator.ending.output.clone()))).unwrap(), tasks)
}

/// Of a lie: why it is given back, and whether the job has failed.
fn given_back(prover: &Prover, operator: &Operator) -> (String, Option<Stage>) {
    let cause = operator.abandoned.lock().unwrap().take().expect("it is given back");
    (cause.code, prover.job(operator.offer.job).unwrap().stage())
}

#[tokio::test(start_paused = true)]
async fn the_list_stands_before_the_proof_that_is_kept_and_offered() {
    let folder = tempfile::tempdir().unwrap();
    let operator = Arc::new(operator());
    let (prover, _tasks) = prover(folder.path(), &operator, Writes::first([PROOF.to_vec()]));
    session(&prover, &operator).await;
    let proof = operator.finished.lock().unwrap().take().expect("the operator is told");
    let bytes = join(&operator.ending.reads, PROOF);
    assert_eq!(proof, Hash::of(&bytes), "the hash is of both");
    assert_eq!(fs::read(prover.host.artefacts.proof(proof)).unwrap(), bytes);
    let [settler, _] = settlers();
    let offered = prover.proof_for(settler.peer()).await.unwrap().unwrap();
    assert_eq!((offered.proof, &offered.bytes[..]), (proof, &bytes[..]));
    let offer = &operator.offer;
    let expected = Expected { start: &offer.start, segment: 0, before: offer.before };
    let output = operator.ending.output.clone();
    let believed = believe(&Believer(output.clone()), &offered.bytes, &expected).unwrap();
    assert_eq!(believed, Believed { output, reads: Some(reads()) });
}

#[tokio::test(start_paused = true)]
async fn a_witness_with_another_list_or_none_is_of_another_run() {
    let lies: [fn(&mut Vec<Felt>); 4] = [
        |list| list[5] += Felt::ONE,
        |list| list.clear(),
        |list| list.truncate(list.len() - 1),
        |list| list.extend([Felt::ONE, Felt::ONE]),
    ];
    for lie in lies {
        let folder = tempfile::tempdir().unwrap();
        let mut operator = operator();
        lie(&mut operator.ending.reads);
        let operator = Arc::new(operator);
        let (prover, _tasks) = prover(folder.path(), &operator, Writes::first([]));
        session(&prover, &operator).await;
        assert_eq!(given_back(&prover, &operator), ("SW-PROVER-001".to_owned(), Some(Stage::Failed)));
        assert!(!prover.host.artefacts.fetched_reads(operator.offer.job).exists(), "it isn't even kept");
    }
    // A run of rules has none.
    let folder = tempfile::tempdir().unwrap();
    let mut operator = Operator::new();
    operator.ending.reads = vec![Felt::ONE];
    let operator = Arc::new(operator);
    let (prover, _tasks) = prover(folder.path(), &operator, Writes::first([]));
    session(&prover, &operator).await;
    assert_eq!(given_back(&prover, &operator).0, "SW-PROVER-001");
}

#[tokio::test(start_paused = true)]
async fn a_list_that_is_lost_or_damaged_or_cannot_be_read_is_fetched_again() {
    let spoils: [fn(&Path, &[u8]); 3] = [
        |file, _| fs::remove_file(file).unwrap(),
        |file, whole| fs::write(file, &whole[1..]).unwrap(),
        |file, _| {
            fs::remove_file(file).unwrap();
            // The system gives out none of it.
            std::os::unix::fs::symlink(file, file).unwrap();
        },
    ];
    for spoil in spoils {
        let folder = tempfile::tempdir().unwrap();
        let operator = Arc::new(operator());
        // The first proof doesn't hold, so the job waits with its witness.
        let (prover, _tasks) = prover(folder.path(), &operator, Writes::first([b"nothing".to_vec()]));
        session(&prover, &operator).await;
        assert_eq!(given_back(&prover, &operator), ("SW-PROVER-015".to_owned(), Some(Stage::Proving)));
        let file = prover.host.artefacts.fetched_reads(operator.offer.job);
        let whole = fs::read(&file).unwrap();
        spoil(&file, &whole);
        session(&prover, &operator).await;
        assert_eq!(given_back(&prover, &operator), ("SW-PROVER-018".to_owned(), Some(Stage::Proving)));
        in_trouble(&prover).await;
        session(&prover, &operator).await;
        let proof = operator.finished.lock().unwrap().take().expect("the operator is told");
        let bytes = fs::read(prover.host.artefacts.proof(proof)).unwrap();
        assert!(bytes.starts_with(&join(&operator.ending.reads, PROOF)));
    }
}
