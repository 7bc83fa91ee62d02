//! One real proof, made once by the real worker from a real run, and every change of it that must be refused.
//!
//! Where there is no worker the first test builds one, which takes minutes.

mod forge;

use cairo_air::{CairoProofForRustVerifier, verifier::verify_cairo};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use shardwire_model::{Coded, Felt, MAX_PROOF_BYTES, Output, state_commitment};
use shardwire_program::rules::{self, execute};
use shardwire_proving::{
    settle::{Believed, Expected, believe, check_output},
    verify::{Proven, Verifier, VerifyError},
    worker::{LocateError, ProveRequest, Worker, WorkerPaths, locate_in, prove},
};
use shardwire_witness as witness;
use std::{path::Path, sync::OnceLock, time::Duration};
use stwo::core::{
    fields::{
        m31::{M31, P},
        qm31::SecureField,
    },
    vcs_lifted::blake2_merkle::{Blake2sMerkleChannel, Blake2sMerkleHasher},
};
use stwo_cairo_common::preprocessed_columns::preprocessed_trace::PreProcessedTraceVariant;

type Proof = CairoProofForRustVerifier<Blake2sMerkleHasher>;

/// Few players, so that the proof takes little more than the shortest one.
const PLAYERS: usize = 2;
const TRANSACTIONS: usize = 12;
const SEED: u64 = 11;

struct Real {
    work: shardwire_sample::Workload,
    witness: Vec<u8>,
    proof: Vec<u8>,
    output: Output,
    verifier: Verifier,
}

/// The run, its witness and its proof.
fn real() -> &'static Real {
    static REAL: OnceLock<Real> = OnceLock::new();
    REAL.get_or_init(|| {
        let work = shardwire_sample::workload(PLAYERS, TRANSACTIONS, SEED);
        let mut assembler = witness::Assembler::new(rules::hash());
        let run = execute(&work.start, &work.values, work.transactions.clone(), |chunk| {
            assembler.push(&chunk.body).map(drop).map_err(|e| std::io::Error::other(e.to_string()))
        })
        .unwrap();
        let mut witness = Vec::new();
        assembler.finish(&run.manifest, &mut witness).unwrap();
        let proof = prove_bytes(&witness);
        Real { work, witness, proof, output: run.output, verifier: Verifier::new() }
    })
}

fn worker() -> &'static Worker {
    static WORKER: OnceLock<Worker> = OnceLock::new();
    WORKER.get_or_init(|| match locate_in(&WorkerPaths { built: None, ..WorkerPaths::of_process() }) {
        Err(LocateError::Missing) => {
            let checkout = shardwire_worker_build::checkout().unwrap();
            Worker::at(&shardwire_worker_build::build(&checkout, &mut |line| eprintln!("{line}")).unwrap()).unwrap()
        }
        found => found.unwrap(),
    })
}

fn prove_bytes(witness: &[u8]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let request = ProveRequest {
        witness: folder.path().join("witness"),
        proof: folder.path().join("proof"),
        memory_limit: 8 << 30,
        time_limit: Duration::from_secs(900),
        threads: None,
    };
    std::fs::write(&request.witness, witness).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let proved = runtime.block_on(prove(worker(), &request, std::future::pending(), |_| {})).unwrap();
    let proof = std::fs::read(&request.proof).unwrap();
    assert_eq!(proved.proof_bytes, proof.len() as u64);
    proof
}

fn decode(bytes: &[u8]) -> Proof {
    bincode::deserialize(bytes).unwrap()
}

fn encode(proof: &Proof) -> Vec<u8> {
    bincode::serialize(proof).unwrap()
}

/// Changes the real proof and returns the error that the verifier gives.
fn changed(change: impl FnOnce(&mut Proof)) -> VerifyError {
    let mut proof = decode(&real().proof);
    change(&mut proof);
    real().verifier.verify(&encode(&proof)).unwrap_err()
}

fn cairo_air_accepts(proof: &Proof) -> bool {
    verify_cairo::<Blake2sMerkleChannel>(proof.clone()).is_ok()
}

#[test]
fn the_proof_of_a_run_yields_its_output_and_settles_its_shard() {
    let real = real();
    let Proven { program, output } = real.verifier.verify(&real.proof).unwrap();
    assert_eq!(program, rules::hash());
    let output = Output::from_felts(&output).unwrap();
    assert_eq!(output, real.output);
    let before = state_commitment(real.work.start.commitment(), &real.work.values);
    let expected = Expected { start: &real.work.start, segment: 0, before };
    assert_eq!(check_output(program, &output, &[], &expected), Ok(None));
    let believed = believe(&real.verifier, &real.proof, &expected).unwrap();
    assert_eq!(believed, Believed { output, reads: None });
}

#[test]
fn the_output_of_another_shard_segment_state_or_list_is_refused() {
    let real = real();
    let before = state_commitment(real.work.start.commitment(), &real.work.values);
    let expected = Expected { start: &real.work.start, segment: 0, before };
    let refused = |change: &dyn Fn(&mut Output)| {
        let mut output = real.output.clone();
        change(&mut output);
        let error = check_output(rules::hash(), &output, &[], &expected).unwrap_err();
        (error.code(), error.to_string())
    };
    let (code, text) = refused(&|o| o.program += Felt::ONE);
    assert_eq!(code, "SW-SETTLE-006");
    assert!(text.starts_with("the output names program 0x"), "{text}");
    let (code, text) = refused(&|o| o.shard.0 += Felt::ONE);
    assert_eq!(code, "SW-SETTLE-001");
    assert!(text.starts_with("the output is of shard 0x"), "{text}");
    assert_eq!(
        refused(&|o| o.segment = 3),
        ("SW-SETTLE-002", "the output is of segment 3, and segment 0 is next".into())
    );
    let (code, text) = refused(&|o| o.before = Felt::TWO);
    assert_eq!(code, "SW-SETTLE-003");
    assert!(text.starts_with("the run began from state 0x2, not from 0x"), "{text}");
    assert_eq!(
        refused(&|o| o.reads = Felt::TWO),
        ("SW-SETTLE-007", "the list of what the run read has commitment 0x0, and the proof commits to 0x2".into())
    );
    let last = real.output.updates.len() - 1;
    let not_the_list =
        |index: usize| ("SW-SETTLE-004", format!("update {index} is not of that entry of the settlement list"));
    assert_eq!(refused(&|o| o.updates[1].key.0 += Felt::ONE), not_the_list(1));
    assert_eq!(refused(&|o| o.updates.truncate(last)), not_the_list(last));
    assert_eq!(refused(&|o| o.updates.push(o.updates[0])), not_the_list(last + 1));
}

#[test]
fn another_output_is_refused() {
    let error = changed(|p| p.claim.public_data.public_memory.output[3].1[0] ^= 1);
    assert_eq!(error.code(), "SW-VERIFY-009", "{error}");
    assert_eq!(error.to_string(), "the proof doesn't verify: Proof of work verification failed.");
    let error = changed(|p| p.claim.public_data.public_memory.output.truncate(3));
    assert_eq!(error, VerifyError::Output("it has another length than the output"));
    let error = changed(|p| p.claim.public_data.public_memory.public_segments.output.start_ptr.value -= 1);
    assert_eq!(error, VerifyError::Output("it doesn't begin at the final ap"));
}

#[test]
fn output_bits_that_no_proof_covers_are_refused() {
    // Bit 255 of an output word is in neither transcript nor memory: cairo-air takes the changed proof.
    let mut proof = decode(&real().proof);
    proof.claim.public_data.public_memory.output[3].1[7] |= 1 << 31;
    assert!(cairo_air_accepts(&proof), "cairo-air has learnt to refuse this; the check here is then spare");
    let error = real().verifier.verify(&encode(&proof)).unwrap_err();
    assert_eq!(error, VerifyError::NotCanonical("a felt of the output"));
}

#[test]
fn a_proof_of_another_program_is_refused_whatever_its_output_says() {
    // The same program with a felt changed that this run never reached. Its output has the right one's hash, from the start data.
    let real = real();
    let proof = prove_bytes(&forge::of_another_program(&real.witness, rules::data().len()));
    let Proven { program, output } = real.verifier.verify(&proof).unwrap();
    let output = Output::from_felts(&output).unwrap();
    assert_eq!(output, real.output);
    assert_ne!(program, rules::hash());
    let before = state_commitment(real.work.start.commitment(), &real.work.values);
    let expected = Expected { start: &real.work.start, segment: 0, before };
    let error = check_output(program, &output, &[], &expected).unwrap_err();
    assert_eq!(error.code(), "SW-SETTLE-005");
    let text = format!("the proof is of program {program:#x}, and shard {} was started with", real.work.start.shard);
    assert!(error.to_string().starts_with(&text), "{error}");
}

#[test]
fn a_changed_program_is_refused() {
    let word = |p: &mut Proof| p.claim.public_data.public_memory.program[20].1[0] ^= 1;
    assert_eq!(changed(word).code(), "SW-VERIFY-009");
    let shorter = changed(|p| p.claim.public_data.public_memory.program.truncate(100));
    assert_eq!(shorter, VerifyError::Claim("the stack doesn't begin after the program"));
    let none = changed(|p| p.claim.public_data.public_memory.program.truncate(5));
    assert_eq!(none, VerifyError::Program("it wasn't compiled in proof mode with all eleven builtins"));
    let builtins = changed(|p| p.claim.public_data.public_memory.program[1].1[0] = 10);
    assert_eq!(builtins.code(), "SW-VERIFY-006");
    let shifted = changed(|p| {
        p.claim.public_data.initial_state.ap += M31(1);
        p.claim.public_data.initial_state.fp += M31(1);
    });
    assert_eq!(shifted, VerifyError::Claim("the stack doesn't begin after the program"));
}

#[test]
fn other_parameters_are_refused() {
    let weak = changed(|p| {
        p.stark_proof.0.config.pow_bits = 10;
        p.stark_proof.0.config.fri_config.n_queries = 3;
    });
    assert_eq!(weak.code(), "SW-VERIFY-004");
    assert_eq!(
        weak.to_string(),
        "the proof was made with other parameters, worth 13 bits; only the pinned ones of 96 bits are accepted"
    );
    // The same security in bits, spent differently.
    let other = changed(|p| p.stark_proof.0.config.fri_config.fold_step = 3);
    assert_eq!(other, VerifyError::Parameters { bits: 96 });
    let lifted = changed(|p| p.stark_proof.0.config.lifting_log_size = Some(24));
    assert_eq!(lifted, VerifyError::Parameters { bits: 96 });
    assert_eq!(changed(|p| p.channel_salt = 1), VerifyError::Claim("the channel's salt is not zero"));
    let variant = changed(|p| p.preprocessed_trace_variant = PreProcessedTraceVariant::Canonical);
    assert_eq!(variant, VerifyError::Preprocessed("another variant"));
    let root = changed(|p| p.stark_proof.0.commitments[0].0[0] ^= 1);
    assert_eq!(root, VerifyError::Preprocessed("another root"));
    let more = changed(|p| {
        let last = *p.stark_proof.0.commitments.last().unwrap();
        p.stark_proof.0.commitments.push(last);
    });
    assert_eq!(more, VerifyError::Claim("not four commitments"));
}

#[test]
fn impossible_claims_are_refused() {
    type Change = fn(&mut Proof);
    let claims: [(&str, Change); 9] = [
        ("the final ap is out of range", |p| p.claim.public_data.final_state.ap = M31(1 << 29)),
        ("a builtin is missing", |p| p.claim.public_data.public_memory.public_segments.keccak = None),
        ("a builtin that can't be proven was used", |p| {
            p.claim.public_data.public_memory.public_segments.ecdsa.as_mut().unwrap().stop_ptr.value += 2;
        }),
        ("a builtin's component isn't that of its segment", |p| {
            p.claim.range_check_builtin.as_mut().unwrap().range_check_builtin_segment_start += 1;
        }),
        ("a component without its sum, or a sum without its component", |p| {
            p.interaction_claim.qm_31_add_mul_opcode =
                Some(cairo_air::components::qm_31_add_mul_opcode::InteractionClaim {
                    claimed_sum: SecureField::from(7),
                });
        }),
        ("the memory's sum is not the sum of its tables", |p| {
            p.interaction_claim.memory_id_to_big.as_mut().unwrap().claimed_sum += SecureField::from(1);
        }),
        ("a table with more rows than any prover has", |p| p.claim.memory_id_to_small.as_mut().unwrap().log_size = 64),
        ("a wrong number of memory tables", |p| p.claim.memory_id_to_big.as_mut().unwrap().big_log_sizes = vec![4; 17]),
        ("a memory id outside the field", |p| p.claim.public_data.public_memory.safe_call_ids[0] += P),
    ];
    for (what, change) in claims {
        assert_eq!(changed(change), VerifyError::Claim(what));
    }
    assert_eq!(changed(|p| p.claim.public_data.final_state.fp.0 += P), VerifyError::NotCanonical("a field element"));
}

#[test]
fn a_panic_of_the_verifier_is_an_error() {
    let error = changed(|p| p.claim.public_data.final_state.pc = M31(6));
    assert_eq!(error.code(), "SW-VERIFY-010", "{error}");
    assert!(error.to_string().starts_with("the proof doesn't verify: the verifier stopped at 'assertion"), "{error}");
}

#[test]
fn a_forged_statement_is_refused() {
    // A trace of which all but the first and last step are missing, with an output of the forger's choice. The lookup argument doesn't
    // balance, which is all that cairo-air has against it, and it adds a number to that balance that nothing binds.
    let real = real();
    let mut wanted = real.output.to_felts();
    let last = wanted.len() - 1;
    wanted[last] = Felt::from(1_000_000);
    let forged = forge::balance(decode(&prove_bytes(&forge::without_steps(&real.witness, &wanted))));
    assert!(cairo_air_accepts(&forged), "cairo-air has learnt to refuse this; the check here is then spare");
    let error = real.verifier.verify(&encode(&forged)).unwrap_err();
    assert_eq!(error, VerifyError::Claim("the memory's sum is not the sum of its tables"));
}

#[test]
fn truncated_oversized_and_trailing_bytes_are_refused() {
    let real = real();
    let whole = &real.proof;
    let cuts = (0..64).chain((0..200).map(|i| i * whole.len() / 200)).chain(whole.len() - 64..whole.len());
    for cut in cuts {
        let error = real.verifier.verify(&whole[..cut]).unwrap_err();
        assert_eq!(error.code(), "SW-VERIFY-002", "cut at {cut}: {error}");
    }
    let mut longer = whole.clone();
    longer.push(0);
    let error = real.verifier.verify(&longer).unwrap_err();
    assert_eq!(error.code(), "SW-VERIFY-002", "{error}");
    longer.resize(MAX_PROOF_BYTES as usize + 1, 0);
    assert_eq!(
        real.verifier.verify(&longer).unwrap_err().to_string(),
        "the proof has 4194305 bytes, at most 4194304 are allowed"
    );
    assert_eq!(real.verifier.verify(&[]).unwrap_err().code(), "SW-VERIFY-002");
}

#[test]
fn no_changed_byte_is_accepted() {
    let real = real();
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let mut proof = real.proof.clone();
    // Claims and public data come first and are a hundredth of the proof; half the changes go there.
    let head = proof.len() / 100;
    for i in 0..400 {
        let at = if i % 2 == 0 { rng.random_range(0..head) } else { rng.random_range(0..proof.len()) };
        let bit = 1 << rng.random_range(0..8);
        proof[at] ^= bit;
        assert!(real.verifier.verify(&proof).is_err(), "bit {bit} of byte {at}");
        proof[at] ^= bit;
    }
    assert!(real.verifier.verify(&proof).is_ok());
}

#[test]
fn a_malformed_witness_is_the_workers_error() {
    let folder = tempfile::tempdir().unwrap();
    let request = ProveRequest {
        witness: folder.path().join("witness"),
        proof: folder.path().join("proof"),
        memory_limit: 8 << 30,
        time_limit: Duration::from_secs(60),
        threads: Some(1),
    };
    std::fs::write(&request.witness, b"SWWITNS1 and then nothing that makes sense").unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let error = runtime.block_on(prove(worker(), &request, std::future::pending(), |_| {})).unwrap_err();
    assert_eq!(error.code(), "SW-PROVE-012");
    assert!(error.to_string().starts_with("the prover worker refuses the witness: malformed witness: "), "{error}");
    assert!(!Path::new(&request.proof).exists());
}

#[test]
fn a_worker_without_enough_memory_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let request = ProveRequest {
        witness: folder.path().join("witness"),
        proof: folder.path().join("proof"),
        memory_limit: 300 << 20,
        time_limit: Duration::from_secs(300),
        threads: Some(1),
    };
    std::fs::write(&request.witness, &real().witness).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let error = runtime.block_on(prove(worker(), &request, std::future::pending(), |_| {})).unwrap_err();
    assert_eq!(error.code(), "SW-PROVE-004", "{error}");
    assert_eq!(error.to_string(), "the prover worker needs more than its memory limit of 314572800 bytes");
}
