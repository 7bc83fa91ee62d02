//! The output of random runs against a recomputation that shares no code with the shard program, the rules or the model's
//! commitments: plain loops over the transactions.
#![allow(missing_docs)]

use blake2::{Blake2s256, Digest};
use shardwire_model::{Call, Felt, Kind, ShardStart, SignedTransaction};
use shardwire_program::{Acceptance, Program as _, Rules, rules::execute};
use shardwire_sample::{Workload, workload};
use starknet_types_core::hash::{Poseidon, StarkHash};

fn start_felts(start: &ShardStart) -> Vec<Felt> {
    let id = start.operator.0;
    let mut felts = vec![
        Felt::from(2),
        start.shard.0,
        start.program,
        Felt::from(u128::from_be_bytes(id[16..].try_into().unwrap())),
        Felt::from(u128::from_be_bytes(id[..16].try_into().unwrap())),
        start.end_event.from.0,
        start.end_event.selector.0,
        Felt::from(start.deadline.0),
        Felt::from(start.contracts.len() as u64),
        Felt::from(start.accounts.len() as u64),
        Felt::from(start.entries.len() as u64),
    ];
    for contract in &start.contracts {
        felts.push(contract.0);
    }
    for account in &start.accounts {
        felts.push(account.0);
    }
    for entry in &start.entries {
        felts.push(Felt::from(match entry.kind {
            Kind::Counter => 1,
            Kind::Escrow => 2,
            Kind::Lock => 3,
        }));
        let contract = start.contracts.iter().position(|it| *it == entry.contract).unwrap();
        felts.push(Felt::from(contract as u64));
        felts.push(entry.key.0);
        felts.push(entry.guard);
    }
    felts
}

fn blake(parts: &[Vec<u8>]) -> Vec<u8> {
    Blake2s256::digest(parts.concat()).to_vec()
}

fn words(start: &ShardStart, signed: &SignedTransaction) -> Vec<u8> {
    let entry = |key| start.entries.iter().position(|it| it.key == key).unwrap();
    let contract = start.contracts.iter().position(|it| *it == signed.transaction.contract).unwrap();
    let (action, first, second, amount) = match signed.transaction.call {
        Call::Add { counter, amount } => (1, entry(counter), 0, amount),
        Call::Spend { escrow, amount } => (2, entry(escrow), 0, amount),
        Call::Pass { from, to, amount } => (3, entry(from), entry(to), amount),
        Call::Give { lock, to } => (4, entry(lock), start.accounts.iter().position(|it| *it == to).unwrap(), 0),
        Call::Finish => (5, contract, 0, 0),
    };
    let mut bytes = signed.transaction.nonce.to_le_bytes().to_vec();
    bytes.extend(u32::to_le_bytes(action));
    bytes.extend((first as u32).to_le_bytes());
    bytes.extend((second as u32).to_le_bytes());
    bytes.extend(amount.to_le_bytes());
    bytes
}

/// The output, as felts.
fn recompute(Workload { start, values, transactions, .. }: &Workload) -> Vec<Felt> {
    let commitment = Poseidon::hash_array(&start_felts(start));
    let state = |values: &[Felt]| Poseidon::hash_array(&[&[commitment], values].concat());

    let mut now = values.clone();
    let mut heads: Vec<Vec<u8>> = Vec::new();
    for account in &start.accounts {
        heads.push(blake(&[commitment.to_bytes_le().to_vec(), account.0.to_bytes_le().to_vec()]));
    }
    let mut order = Vec::new();
    for signed in transactions {
        let account = start.accounts.iter().position(|it| *it == signed.transaction.account).unwrap();
        heads[account] = blake(&[heads[account].clone(), words(start, signed)]);
        order.push((account as u32).to_le_bytes().to_vec());
        let entry = |key| start.entries.iter().position(|it| it.key == key).unwrap();
        match signed.transaction.call {
            Call::Add { counter, amount } => now[entry(counter)] += Felt::from(amount),
            Call::Spend { escrow, amount } => now[entry(escrow)] -= Felt::from(amount),
            Call::Pass { from, to, amount } => {
                now[entry(from)] -= Felt::from(amount);
                now[entry(to)] += Felt::from(amount);
            }
            Call::Give { lock, to } => now[entry(lock)] = to.0,
            Call::Finish => {}
        }
    }
    let digest: [u8; 32] = blake(&[heads.concat(), order.concat()]).try_into().unwrap();
    let mut output = vec![
        Felt::from(2),
        start.program,
        start.shard.0,
        Felt::ZERO,
        state(values),
        state(&now),
        Felt::ZERO,
        Felt::from_bytes_le(&digest),
        Felt::from(transactions.len() as u64),
        Felt::ONE,
        Felt::from(start.entries.len() as u64),
    ];
    for (index, entry) in start.entries.iter().enumerate() {
        let (kind, value) = match entry.kind {
            Kind::Counter => (1, now[index] - values[index]),
            Kind::Escrow => (2, now[index]),
            Kind::Lock => (3, now[index]),
        };
        output.extend([Felt::from(kind), entry.contract.0, entry.key.0, value]);
    }
    output
}

#[test]
fn the_output_is_that_of_a_recomputation() {
    for seed in 0..24u64 {
        let (players, n) = (1 + seed as usize % 9, [1, 2, 17, 40, 90, 250][seed as usize % 6]);
        let work = workload(players, n, seed);
        let run = execute(&work.start, &work.values, work.transactions.clone(), |_| Ok(())).expect("it runs");
        assert_eq!(run.output.to_felts(), recompute(&work), "seed {seed}: {n} transactions of {players} players");
    }
}

#[test]
fn what_runs_is_admitted_and_ends_in_the_same_state() {
    for seed in 100..104 {
        let work = workload(4, 60, seed);
        let mut admission = Rules.admission(work.start.clone(), &work.values).unwrap();
        for (transaction, sequence) in work.transactions.iter().zip(0..) {
            assert!(!admission.ended());
            assert_eq!(admission.accept(&transaction.into(), 0), Ok(Acceptance::Accepted { sequence }));
            assert_eq!(admission.accept(&transaction.into(), 0), Ok(Acceptance::Duplicate { sequence }));
        }
        assert!(admission.ended());
        let commitment = Poseidon::hash_array(&start_felts(&work.start));
        let after = Poseidon::hash_array(&[&[commitment][..], &admission.values()].concat());
        assert_eq!(after, recompute(&work)[5]);
    }
}
