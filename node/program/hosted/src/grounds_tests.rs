//! A shard that goes on from a network: executed by its operator, looked at by its settler, and what either can't.

use crate::{
    BeginError, Class, Contracts, Geneses, Grounds,
    dungeon::{self, ANNA, BEGINS, BLOCK, WORLD},
};
use shardwire_fork::testing::{Fault, Memory, StandIn, forks};
use shardwire_model::{
    AccountId, Cause, Coded as _, ContractId, Felt, ForkId, Logged, PeerId, Reads, ShardStart, Terms,
};
use shardwire_program::{Checked, ExecuteError, Execution, Program as _, Refusal};
use shardwire_proving::origin::{Compared, Origin, OriginError, OriginMismatch, Origins as _, compare};
use std::sync::Arc;
use tokio::runtime::{Builder, Runtime};

/// A network with the dungeon's contracts, and a node that knows it.
struct Game {
    node: StandIn,
    keeper: Memory,
    runtime: Runtime,
}

impl Game {
    fn new() -> Self {
        let node = StandIn::new(BLOCK, BEGINS - 5, dungeon::state(), dungeon::class_files());
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        Self { node, keeper: Memory::default(), runtime }
    }

    /// What a node has after a start: what it kept before is there.
    fn grounds(&self) -> Arc<Grounds> {
        let _runtime = self.runtime.enter();
        let none = Geneses::new(|_, _| Ok(None), Class::compile);
        Arc::new(Grounds::from(none).with_networks(forks(&[&self.node], &self.keeper)))
    }
}

fn shard() -> (ShardStart, Vec<Felt>) {
    dungeon::forked(PeerId([7; 32]), BLOCK)
}

fn execute(contracts: &Contracts, start: &ShardStart, values: &[Felt]) -> Result<Execution, ExecuteError> {
    let logged =
        |(invoke, time): (shardwire_model::Invoke, u64)| Logged { transaction: invoke.into(), time, reverted: false };
    let mut log = dungeon::game(start).into_iter().zip(BEGINS..).map(logged);
    contracts.execute(start, values, &mut log, &mut |_| Ok(()))
}

fn read_of(start: &ShardStart, run: &Execution) -> Reads {
    Reads::from_felts(&start.for_contracts().unwrap(), &run.reads).unwrap()
}

fn opened(grounds: &Grounds, start: &ShardStart) -> Box<dyn Origin> {
    grounds.open(start).unwrap().expect("a shard of contracts has an origin")
}

/// What is said to start data that is changed like this: of this machine or not, and how.
fn said(grounds: &Arc<Grounds>, change: impl FnOnce(&mut ShardStart)) -> (bool, String) {
    let (mut start, values) = shard();
    change(&mut start);
    let executed = Contracts::new(grounds.clone()).open(&start, &values).unwrap_err();
    let looked_at = grounds.open(&start).unwrap_err();
    assert_eq!((looked_at.code(), looked_at.to_string()), (executed.code(), executed.to_string()));
    assert_eq!(looked_at.next_step(), executed.next_step());
    let is_of_this_machine = executed.is_of_this_machine();
    if is_of_this_machine {
        assert!(matches!(looked_at, OriginError::Unable(_)), "{looked_at:?}");
    }
    (is_of_this_machine, format!("{} {executed} {}", executed.code(), executed.next_step()))
}

fn terms(start: &mut ShardStart) -> &mut shardwire_model::ContractTerms {
    match &mut start.terms {
        Terms::Contracts(terms) => terms,
        Terms::Rules => panic!("contracts have terms"),
    }
}

#[test]
fn a_shard_that_goes_on_from_a_network_is_executed_as_one_of_a_genesis() {
    let game = Game::new();
    let (start, values) = shard();
    let run = execute(&Contracts::new(game.grounds()), &start, &values).unwrap();
    assert!(run.output.ended && run.output.count == 4);
    let (of_genesis, values) = dungeon::shard(PeerId([7; 32]));
    let genesis = Contracts::new(Arc::new(dungeon::geneses().into()));
    let same = execute(&genesis, &of_genesis, &values).unwrap();
    assert_eq!(read_of(&start, &run), read_of(&of_genesis, &same));
    assert_eq!(run.output.updates, same.output.updates);
    assert_ne!(start.shard, of_genesis.shard);
    // It is executed again after a restart, and no network is needed for it.
    game.node.fail(Fault::Silent);
    let before = game.node.requests();
    let again = execute(&Contracts::new(game.grounds()), &start, &values).unwrap();
    assert_eq!((again.output, again.reads, again.manifest), (run.output, run.reads, run.manifest));
    assert_eq!(game.node.requests(), before);
}

#[test]
fn a_network_that_cannot_be_read_is_this_machines_trouble_and_passes() {
    let game = Game::new();
    let grounds = game.grounds();
    for (fault, code) in [
        (Fault::OtherChain, "SW-FORK-003"),
        (Fault::NoBlock, "SW-FORK-005"),
        (Fault::OtherNumber, "SW-FORK-004"),
        (Fault::NotAccepted, "SW-FORK-001"),
        (Fault::Pruned, "SW-FORK-006"),
    ] {
        game.node.fail(fault);
        let (is_of_this_machine, text) = said(&grounds, |_| ());
        assert!(is_of_this_machine && text.starts_with(code), "{text}");
    }
    game.node.fail(Fault::None);
    let (start, values) = shard();
    assert!(execute(&Contracts::new(grounds.clone()), &start, &values).is_ok());
    // A run that needs what was never read stops, and isn't wrong for it.
    let other = Game::new();
    let contracts = Contracts::new(other.grounds());
    contracts.open(&start, &values).unwrap();
    other.node.fail(Fault::NoBlock);
    let error = execute(&contracts, &start, &values).unwrap_err();
    assert!(error.is_of_this_machine(), "{error}");
    assert_eq!(error.code(), "SW-FORK-005");
    other.node.fail(Fault::None);
    assert!(execute(&contracts, &start, &values).is_ok());
}

#[test]
fn a_shard_that_no_network_can_carry_is_refused() {
    let game = Game::new();
    let grounds = game.grounds();
    let unknown = |start: &mut ShardStart| terms(start).origin = ForkId { chain: Felt::ONE, ..BLOCK }.into();
    let (is_of_this_machine, text) = said(&grounds, unknown);
    assert!(!is_of_this_machine);
    assert_eq!(
        text,
        "SW-PROGRAM-010 this node isn't told who knows the network of chain 0x1 Add a node of that network to `fork.nodes` in the shardwire.toml \
         of settler and operator (\"0x1=https://…\"), and start them again."
    );
    assert!(matches!(
        grounds.open(&{
            let mut it = shard().0;
            unknown(&mut it);
            it
        }),
        Err(OriginError::Unable(_))
    ));
    let none = Arc::new(Grounds::from(Geneses::new(|_, _| Ok(None), Class::compile)));
    assert!(said(&none, |_| ()).1.starts_with("SW-PROGRAM-010"));

    let early = |start: &mut ShardStart| terms(start).begins = BEGINS - 6;
    let (is_of_this_machine, text) = said(&grounds, early);
    assert!(!is_of_this_machine);
    assert_eq!(
        text,
        format!(
            "SW-PROGRAM-011 the shard begins at {}, and the block that it goes on from was made at {}, in seconds since 1970 Let `begins` be no earlier \
             than the block's time, or name an earlier block.",
            BEGINS - 6,
            BEGINS - 5
        )
    );
    let missing = |start: &mut ShardStart| start.contracts[4] = ContractId(Felt::from(0x5e_5511));
    let (is_of_this_machine, text) = said(&grounds, missing);
    assert!(!is_of_this_machine);
    assert_eq!(
        text,
        "SW-NATIVE-009 the start data lists contract 0x5e5511, and there is none at this address Take it out of the start data, or name a block of the \
         network at which it is there."
    );
    let swapped = |start: &mut ShardStart| terms(start).instances[0].class = terms(start).instances[3].class;
    assert!(said(&grounds, swapped).1.starts_with("SW-NATIVE-010 "));
    assert!(said(&grounds, swapped).1.ends_with("a contract's class may have been replaced since."));
}

/// A node asks nobody what others told it: what it tells them has no address of its own nodes in it.
#[test]
fn others_are_not_told_who_is_asked() {
    let game = Game::new();
    game.node.fail(Fault::OtherChain);
    let grounds = game.grounds();
    let host = game.node.url().replace("http://", "").replace("/rpc", "");
    let error = grounds.open(&shard().0).unwrap_err();
    assert!(error.to_string().contains(&host), "{error}");
    let cause = Cause::from(error);
    assert_eq!((cause.code.as_str(), cause.reason.contains(&host)), ("SW-FORK-003", false), "{cause}");
    let error: BeginError = shardwire_native::GroundError::new("of a host").into();
    assert_eq!(error.told(), "the state that the shard began from can't be read at the moment");
}

#[test]
fn a_settler_compares_what_a_run_read_with_the_block_as_its_own_node_has_it() {
    let game = Game::new();
    let (start, values) = shard();
    let run = execute(&Contracts::new(game.grounds()), &start, &values).unwrap();
    let reads = read_of(&start, &run);
    assert!(reads.storage.len() > 3 && reads.nonces.len() == 2);

    let settler = Game::new();
    let grounds = settler.grounds();
    let origin = opened(&grounds, &start);
    let before = settler.node.requests();
    compare(&reads, &start, &values, &*origin).unwrap();
    assert_eq!(settler.node.requests() - before, 1, "all slots in one request");
    assert_eq!(origin.storage(ContractId(WORLD.into()), dungeon::key("master", &[])).unwrap(), Felt::from(ANNA));
    assert_eq!(origin.nonce(AccountId(ANNA.into())).unwrap(), Felt::ZERO);

    // A run that began with another value or nonce is no run from this block.
    let mut forged = reads.clone();
    *forged.storage.values_mut().next().unwrap() += Felt::ONE;
    let forged = compare(&forged, &start, &values, &*origin).unwrap_err();
    assert!(matches!(forged, Compared::Mismatch(OriginMismatch::Slot { .. })), "{forged}");
    let mut forged = reads.clone();
    *forged.nonces.values_mut().next().unwrap() += Felt::ONE;
    let forged = compare(&forged, &start, &values, &*origin).unwrap_err();
    assert!(matches!(forged, Compared::Mismatch(OriginMismatch::Nonce { .. })), "{forged}");
}

#[test]
fn a_settler_whose_node_fails_says_nothing_until_it_can() {
    let game = Game::new();
    let (start, values) = shard();
    let run = execute(&Contracts::new(game.grounds()), &start, &values).unwrap();
    let reads = read_of(&start, &run);
    let settler = Game::new();
    let grounds = settler.grounds();
    let origin = opened(&grounds, &start);
    settler.node.fail(Fault::NoBlock);
    let error = compare(&reads, &start, &values, &*origin).unwrap_err();
    let Compared::Origin(OriginError::Unable(error)) = error else { panic!("it is no verdict: {error}") };
    assert_eq!(error.code(), "SW-FORK-005");
    settler.node.fail(Fault::None);
    compare(&reads, &start, &values, &*origin).unwrap();

    // An operator whose node lied to it is disputed by a settler whose node doesn't.
    let liar = Game::new();
    let contracts = Contracts::new(liar.grounds());
    contracts.open(&start, &values).unwrap();
    liar.node.fail(Fault::Lies);
    // What it reads from here on is false.
    let lied = contracts.open(&start, &values).unwrap();
    let key = dungeon::key("public_key", &[]);
    let lie = lied.first_storage_at(ContractId(ANNA.into()), key).unwrap();
    let place = start.contracts.iter().position(|it| it.0 == Felt::from(ANNA)).unwrap();
    let mut reads = reads;
    reads.storage.insert((place, key.0), lie);
    let error = compare(&reads, &start, &values, &*origin).unwrap_err();
    let Compared::Mismatch(mismatch) = error else { panic!("it is false: {error}") };
    assert_eq!(mismatch.code(), "SW-SETTLE-008");
    assert!(mismatch.to_string().contains(&format!("the run began with {lie:#x}")), "{mismatch}");
}

/// Two nodes of one network, asked in this order by the same one.
fn both(game: &Game, second: &StandIn) -> Arc<Grounds> {
    let _runtime = game.runtime.enter();
    let none = Geneses::new(|_, _| Ok(None), Class::compile);
    Arc::new(Grounds::from(none).with_networks(forks(&[&game.node, second], &game.keeper)))
}

#[test]
fn a_settler_whose_nodes_contradict_each_other_says_nothing_until_they_agree() {
    let game = Game::new();
    let (start, values) = shard();
    let run = execute(&Contracts::new(game.grounds()), &start, &values).unwrap();
    let reads = read_of(&start, &run);
    let (settler, second) = (Game::new(), Game::new().node);
    let grounds = both(&settler, &second);
    let origin = opened(&grounds, &start);
    settler.node.fail(Fault::Lies);
    let error = compare(&reads, &start, &values, &*origin).unwrap_err();
    let Compared::Origin(OriginError::Unable(error)) = error else { panic!("it is no verdict: {error}") };
    assert_eq!(error.code(), "SW-FORK-014", "{error}");
    // So the proof waits, as it does where a state can't be opened.
    assert!(matches!(grounds.open(&start), Err(OriginError::Unable(_))));
    settler.node.fail(Fault::None);
    let origin = opened(&grounds, &start);
    compare(&reads, &start, &values, &*origin).unwrap();
    // A list that is false is one, whichever node is asked.
    let mut forged = reads.clone();
    *forged.storage.values_mut().next().unwrap() += Felt::THREE;
    assert!(matches!(compare(&forged, &start, &values, &*origin).unwrap_err(), Compared::Mismatch(_)));
}

#[test]
fn a_node_that_lies_of_a_class_is_no_verdict_on_the_shard() {
    let (start, values) = shard();
    for (fault, code) in [(Fault::OtherClass, "SW-FORK-014"), (Fault::OtherFile, "SW-FORK-007")] {
        let (game, second) = (Game::new(), Game::new().node);
        let grounds = both(&game, &second);
        game.node.fail(fault);
        let (is_of_this_machine, text) = said(&grounds, |_| ());
        assert!(is_of_this_machine && text.starts_with(code), "{text}");
        game.node.fail(Fault::None);
        assert!(execute(&Contracts::new(grounds), &start, &values).is_ok());
    }
    // If all say so, the start data is wrong.
    let alone = Game::new();
    alone.node.fail(Fault::OtherClass);
    let (is_of_this_machine, text) = said(&alone.grounds(), |_| ());
    assert!(!is_of_this_machine && text.starts_with("SW-NATIVE-010"), "{text}");
}

/// Whoever checks before it has its place in the log must not wait for a network.
#[test]
fn what_admission_lacks_is_read_beside_it() {
    let game = Game::new();
    let (start, values) = shard();
    let contracts = Contracts::new(game.grounds());
    let mut admission = contracts.admission(start.clone(), &values).unwrap();
    let [train, pay, ..] = dungeon::game(&start).map(shardwire_model::ShardTransaction::from);
    let before = game.node.requests();
    let refusal = admission.check(&train, BEGINS).unwrap_err();
    assert!(matches!(refusal, Refusal::Absent(_)) && refusal.is_of_this_machine(), "{refusal:?}");
    assert_eq!((game.node.requests(), refusal.code()), (before, "SW-FORK-016"));
    assert_eq!(refusal.told(), "this machine can't look at the transaction at the moment");
    admission.fork().fetch(&train, BEGINS).unwrap();
    let asked = game.node.requests();
    assert!(asked > before);
    let Checked::New(change) = admission.check(&train, BEGINS).unwrap() else { panic!("it is new") };
    admission.apply(change);
    assert_eq!(game.node.requests(), asked);
    // A log is taken in as it is, whatever has to be read for it.
    assert!(matches!(admission.take_in(&pay, BEGINS + 1).unwrap(), Checked::New(_)));
    // What can't be read says so, and says nothing of the transaction.
    let other = Game::new();
    let contracts = Contracts::new(other.grounds());
    let mut admission = contracts.admission(start, &values).unwrap();
    other.node.fail(Fault::NoBlock);
    let refusal = admission.fork().fetch(&train, BEGINS).unwrap_err();
    assert!(matches!(refusal, Refusal::Machine(_)), "{refusal:?}");
    assert_eq!((refusal.code(), admission.take_in(&train, BEGINS).unwrap_err().code()), ("SW-FORK-005", "SW-FORK-005"));
    // One that is over has nothing to read.
    other.node.fail(Fault::None);
    admission.take_in(&train, BEGINS).unwrap();
    let (accepted, nonces) = (admission.accepted(), admission.next_nonces());
    admission.let_go();
    assert_eq!((admission.accepted(), admission.next_nonces()), (accepted, nonces));
    assert!(admission.check(&pay, BEGINS + 1).unwrap_err().is_of_this_machine());
}
