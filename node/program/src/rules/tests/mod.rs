//! The program alone, without admission in front of it, and the chunks of its runs.

mod chunks;
mod lies;
mod rules;

use super::{execute::execute_transactions, hints::ProgramTransaction};
use crate::{ExecuteError, Execution};
use shardwire_model::{ChainHead, Felt};
use shardwire_sample::{Workload, workload};

const ADD: u32 = 1;
const SPEND: u32 = 2;
const PASS: u32 = 3;
const GIVE: u32 = 4;
const FINISH: u32 = 5;

/// Two players. Entries: counter 0, escrow 1, counter 2, escrow 3, the lock 4. Contract 0 has the escrows, contract 1 the rest.
struct Table {
    work: Workload,
    heads: Vec<ChainHead>,
    transactions: Vec<ProgramTransaction>,
}

impl Table {
    fn new() -> Self {
        let mut work = workload(2, 1, 5);
        work.values = [10u128, 1000, u128::MAX - 10, 5].map(Felt::from).to_vec();
        work.values.push(work.keys[0].id().0);
        let commitment = work.start.commitment();
        let heads = work.start.accounts.iter().map(|account| ChainHead::start(commitment, *account)).collect();
        Self { work, heads, transactions: Vec::new() }
    }

    /// Any words, signed by the account over its chain.
    fn transaction(mut self, account: usize, words: [u32; 8]) -> Self {
        self.heads[account] = self.heads[account].extend(words);
        let signature = self.work.keys[account].sign(self.heads[account].message()).expect("below 2^251");
        self.transactions.push(ProgramTransaction { account, words, signature });
        self
    }

    fn run(&self) -> Result<Execution, ExecuteError> {
        execute_transactions(&self.work.start, &self.work.values, &mut self.transactions.iter().copied(), |_| Ok(()))
    }

    #[track_caller]
    fn breaks_at(&self, place: u64) {
        match self.run() {
            Err(ExecuteError::Broken { transaction, .. }) => assert_eq!(transaction, place),
            other => panic!("expected the program to refuse transaction {place}, got {other:?}"),
        }
    }
}

const FINISHED: [u32; 8] = [1, FINISH, 1, 0, 0, 0, 0, 0];
