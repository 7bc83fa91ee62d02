//! A game's shard without a network: admitted and executed in this process, as an operator does it, for tests and measurements.
//!
//! Bounds: those of a game, and of native execution. Time goes on by a second a transaction, so the same game has the same log.

use super::{
    ContractsError,
    game::{Game, Planned},
    hand::Hand,
    prepared::{self, Prepared},
};
use shardwire_hosted::{Class, Contracts, Geneses};
use shardwire_model::{
    ContractId, Felt, Hash, Key, Logged, MAX_TRANSACTIONS, PeerId, ShardStart, ShardTransaction, Timestamp,
};
use shardwire_program::{Admission, Change, Checked, Execution, Program as _, Sink};
use std::{collections::BTreeMap, path::Path, sync::Arc};

/// When the shard begins, in seconds since the Unix epoch.
const BEGINS: u64 = 1_764_460_800;
/// Until when it may be played.
const DEADLINE: u64 = BEGINS + MAX_TRANSACTIONS as u64 + 3_600;
/// Its operator: nobody.
const OPERATOR: PeerId = PeerId([7; 32]);

/// See the [module](self).
#[derive(Debug)]
pub struct Shard {
    program: Contracts,
    start: ShardStart,
    /// The World's values of what settles, in the order of the start data.
    values: Vec<Felt>,
}

/// What was played.
#[derive(Debug)]
pub struct Log {
    /// All transactions, in order.
    pub transactions: Vec<Logged>,
    /// The state after them.
    pub admission: Box<dyn Admission>,
}

impl Shard {
    /// That of this game.
    ///
    /// # Errors
    /// [`ContractsError::Class`] if a class of this release can't be compiled, [`ContractsError::Absurd`] if the game makes no start data.
    pub fn of(game: &Game) -> Result<Self, ContractsError> {
        let prepared = Prepared::of(game)?;
        let name = format!("{}.json", Hash::of(&prepared.genesis));
        let request = prepared.request(game, shardwire_contracts::hash(), OPERATOR, BEGINS);
        let genesis = prepared.genesis;
        let read = move |path: &Path, _| Ok((path == Path::new(&name)).then(|| genesis.clone()));
        let program = Contracts::new(Arc::new(Geneses::new(read, Class::compile).into()));
        let world: BTreeMap<(ContractId, Key), Felt> =
            prepared::world(game).storage.iter().map(|it| ((it.contract, it.key), it.value)).collect();
        let asked: BTreeMap<(ContractId, Key), u128> =
            request.entries.iter().map(|it| ((it.contract, it.key), it.amount)).collect();
        let start = request.validate("testnet", Timestamp(DEADLINE * 1_000));
        let start = start.map_err(|error| ContractsError::Absurd(error.to_string()))?;
        let value = |slot: (ContractId, Key)| match asked.get(&slot) {
            Some(amount) if *amount > 0 => (*amount).into(),
            _ => world.get(&slot).copied().unwrap_or_default(),
        };
        let values = start.entries.iter().map(|entry| value((entry.contract, entry.key))).collect();
        Ok(Self { program, start, values })
    }

    /// The start data.
    #[must_use]
    pub const fn start(&self) -> &ShardStart {
        &self.start
    }

    /// The World's values of what settles, in the order of the start data.
    #[must_use]
    pub fn values(&self) -> &[Felt] {
        &self.values
    }

    /// Plays the plans round by round, as players that take turns would; what ends the game comes last. `each` hears of each transaction: whose it is, what was planned,
    /// what it changes.
    ///
    /// # Errors
    /// [`ContractsError::Key`] if a transaction can't be signed, [`ContractsError::Refused`] if the shard refuses it, [`ContractsError::Execute`] if the shard can't be executed.
    pub fn play(&self, game: &Game, each: &mut dyn FnMut(usize, &Planned, &Change)) -> Result<Log, ContractsError> {
        let mut admission = self.program.admission(self.start.clone(), &self.values)?;
        let ordered = self.start.for_contracts().map_err(|error| ContractsError::Absurd(error.to_string()))?;
        let hand = |player| Hand::new(game, player, ordered.chain_id(), DEADLINE);
        let mut hands: Vec<_> = (0..game.players.len()).map(hand).collect();
        let mut transactions = Vec::new();
        for ((player, planned), time) in turns(game).into_iter().zip(BEGINS..) {
            let signed = hands[player].sign(game, planned);
            let signed = signed.ok_or_else(|| ContractsError::Key(game.players[player].name.clone()))?;
            let transaction = ShardTransaction::from(signed);
            // A hand signs nothing twice.
            let Checked::New(change) = admission.check(&transaction, time)? else { continue };
            each(player, planned, &change);
            let reverted = change.reverted();
            admission.apply(change);
            transactions.push(Logged { transaction, time, reverted });
        }
        Ok(Log { transactions, admission })
    }

    /// Executes what was played for its proof. `sink` takes each chunk of the witness.
    ///
    /// # Errors
    /// [`ContractsError::Execute`] if it can't be executed, or `sink` fails.
    pub fn execute(&self, transactions: Vec<Logged>, sink: &mut Sink<'_>) -> Result<Execution, ContractsError> {
        Ok(self.program.execute(&self.start, &self.values, &mut transactions.into_iter(), sink)?)
    }
}

/// Whose turn it is, and what is planned then.
fn turns(game: &Game) -> Vec<(usize, &Planned)> {
    let rounds = game.plans.iter().map(Vec::len).max().unwrap_or_default();
    let round =
        |round| game.plans.iter().enumerate().filter_map(move |(player, plan)| Some((player, plan.get(round)?)));
    let (last, mut turns): (Vec<_>, Vec<_>) =
        (0..rounds).flat_map(round).partition(|(_, planned)| **planned == Planned::finish());
    turns.extend(last);
    turns
}
