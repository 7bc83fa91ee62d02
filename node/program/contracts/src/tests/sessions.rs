//! Session calls: what is proven of them, beside INVOKEs, is what was executed.

use super::{
    dungeon::{BEGINS, DEADLINE, Dungeon, Planned, finish, plan, player, run, selector, sessions, world},
    recorder::Native,
    runs::check_played,
};
use crate::tree::{State, Transaction};
use shardwire_model::{AccountKey, ContractId, Felt, SessionCall, Signature};
use std::collections::HashMap;

/// The session key of this number.
pub(super) fn session_key(number: u8) -> AccountKey {
    AccountKey::from_secret([number; 32])
}

/// A session call that is to come.
#[derive(Clone, Debug)]
pub(super) struct Move {
    pub(super) player: u64,
    /// The number of the key.
    pub(super) key: u8,
    pub(super) contract: Felt,
    pub(super) selector: Felt,
    pub(super) calldata: Vec<Felt>,
    pub(super) time: u64,
}

pub(super) fn step(player: u64, key: u8, contract: Felt, name: &str, calldata: &[Felt]) -> Move {
    Move { player, key, contract, selector: selector(name), calldata: calldata.to_vec(), time: BEGINS }
}

/// A game under way.
pub(super) struct Game<'a> {
    chain: Felt,
    native: Native<'a>,
    /// By key: its last link.
    pub(super) links: HashMap<Felt, Felt>,
    pub(super) transactions: Vec<Transaction>,
}

impl<'a> Game<'a> {
    pub(super) fn new(dungeon: &'a Dungeon) -> Self {
        Self {
            chain: dungeon.start.chain_id(),
            native: Native::new(&dungeon.start, &dungeon.classes, dungeon.state.clone()),
            links: HashMap::new(),
            transactions: Vec::new(),
        }
    }

    pub(super) fn invoke(&mut self, planned: Planned) {
        self.transactions.push(run(&mut self.native, planned, self.chain));
    }

    /// A player allows a key to call these, until then.
    pub(super) fn open(&mut self, owner: u64, key: u8, expires: u64, calls: &[(Felt, &str)]) {
        self.invoke(plan(owner, sessions(), "open", &scope(key, &[expires.into()], calls)));
    }

    /// The same, to the deadline, so many seconds after the beginning.
    pub(super) fn open_at(&mut self, after: u64, owner: u64, key: u8, calls: &[(Felt, &str)]) {
        let planned = plan(owner, sessions(), "open", &scope(key, &[DEADLINE.into()], calls));
        self.invoke(Planned { time: BEGINS + after, ..planned });
    }

    /// A session call after the key's last one, signed.
    pub(super) fn step(&mut self, step: Move) -> SessionCall {
        let key = session_key(step.key);
        let previous = self.links.get(&key.id().0).copied();
        let call = SessionCall {
            account: ContractId(player(step.player)),
            key: key.id().0,
            previous: previous.unwrap_or_else(|| SessionCall::first_link(self.chain, key.id().0)),
            contract: ContractId(step.contract),
            selector: step.selector,
            calldata: step.calldata,
            signature: Signature { r: Felt::ZERO, s: Felt::ZERO },
        };
        let call = call.sign(&key).unwrap();
        self.links.insert(call.key, call.link());
        self.transactions.push(self.native.session(call.clone(), step.time));
        call
    }

    pub(super) fn over(self) -> (Vec<Transaction>, State) {
        (self.transactions, self.native.state)
    }
}

/// What `open` (with when it ends) and `close` of the contract that keeps sessions are called with.
pub(super) fn scope(key: u8, expires: &[Felt], calls: &[(Felt, &str)]) -> Vec<Felt> {
    let mut calldata = vec![session_key(key).id().0];
    calldata.extend(expires);
    calldata.push(calls.len().into());
    calldata.extend(calls.iter().map(|(contract, _)| *contract));
    calldata.push(calls.len().into());
    calldata.extend(calls.iter().map(|(_, name)| selector(name)));
    calldata
}

fn felt(number: u64) -> Felt {
    number.into()
}

#[test]
fn session_calls_and_invokes_of_several_accounts_are_proven_as_they_were_executed() {
    let dungeon = Dungeon::new();
    let mut game = Game::new(&dungeon);
    let all = [(world(), "train"), (world(), "adventure"), (world(), "try_adventure"), (world(), "look")];
    game.open(1, 1, DEADLINE, &all);
    game.open(2, 2, DEADLINE, &all);
    // One key of two accounts has one chain.
    game.open(2, 1, DEADLINE, &all[..1]);
    game.open(0, 3, DEADLINE, &[(world(), "finish")]);
    game.step(step(1, 1, world(), "train", &[felt(7)]));
    game.step(step(2, 2, world(), "adventure", &[felt(20)]));
    game.invoke(plan(1, world(), "train", &[felt(1)]));
    // What a contract is told.
    game.step(step(1, 1, world(), "look", &[]));
    game.step(Move { time: BEGINS + 100, ..step(2, 1, world(), "train", &[felt(2)]) });
    // Fails inside.
    game.step(Move { time: BEGINS + 100, ..step(1, 1, world(), "try_adventure", &[felt(5_000)]) });
    // Fails at the top, and its place in the chain is used.
    game.step(Move { time: BEGINS + 200, ..step(2, 2, world(), "adventure", &[felt(5_000)]) });
    game.step(Move { time: BEGINS + 200, ..step(2, 2, world(), "look", &[]) });
    game.invoke(Planned { time: BEGINS + 300, ..plan(1, world(), "train", &[felt(1)]) });
    game.step(Move { time: BEGINS + 300, ..step(0, 3, world(), "finish", &[]) });
    let (transactions, after) = game.over();
    let reverted: Vec<usize> = (0..transactions.len()).filter(|it| transactions[*it].reverted()).collect();
    assert_eq!(reverted, [10]);
    check_played(&dungeon, transactions, &after);
}

#[test]
fn a_session_call_may_run_out_of_its_gas() {
    let dungeon = Dungeon::new();
    let mut game = Game::new(&dungeon);
    game.open(1, 1, DEADLINE, &[(world(), "burn")]);
    game.step(step(1, 1, world(), "burn", &[felt(10)]));
    game.step(step(1, 1, world(), "burn", &[felt(10_000)]));
    game.invoke(finish());
    let (transactions, after) = game.over();
    assert!(!transactions[1].reverted() && transactions[2].reverted());
    check_played(&dungeon, transactions, &after);
}

#[test]
fn a_session_call_costs_little_beside_an_invoke() {
    let dungeon = Dungeon::new();
    let played = |invokes: u64, steps: u64| {
        let mut game = Game::new(&dungeon);
        game.open(1, 1, DEADLINE, &[(world(), "train")]);
        game.step(step(1, 1, world(), "train", &[felt(1)]));
        (0..invokes).for_each(|_| game.invoke(plan(1, world(), "train", &[felt(1)])));
        for _ in 0..steps {
            game.step(step(1, 1, world(), "train", &[felt(1)]));
        }
        game.invoke(finish());
        let (transactions, after) = game.over();
        check_played(&dungeon, transactions, &after).1
    };
    let base = played(0, 0);
    let (invoke, session) = ((played(20, 0) - base) / 20, (played(0, 20) - base) / 20);
    println!("{session} steps a session call of one call, {invoke} an INVOKE of the same");
    // 600 or so are those of the call itself, as it is in an INVOKE.
    assert!(session <= 1_367 && invoke <= 3_166, "{session}, {invoke}");
}
