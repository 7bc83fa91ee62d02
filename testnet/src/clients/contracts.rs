//! The dungeon as contracts, for a network that breaks: what the World and the nodes have of it, and its shards.
//!
//! Players, contracts and rules are those of [`crate::contracts`]. What everybody does is drawn here, because a shard has few moves and each should be
//! worth something: any sort is as likely as any other, a third of them are transactions of an account, the others session calls. Some fail inside, some
//! at the top. Now and then somebody does what would leave the shard unsettleable (a coin for an address that isn't listed, an allowance in a
//! contract that is closed): that has to be refused, and nothing of it may remain.
//!
//! Bound: [`MAX_MOVES`] beside the session keys that are allowed first, the refused ones and the end.

use super::Move;
use crate::{
    contracts::{
        L2_GAS,
        game::{Deed, Game, OPENING, Player, addresses, allowed},
        prepared::{self, Prepared},
    },
    dice::{Dice, PPM},
    dungeon::Options,
    recompute::{State, Value},
};
use shardwire_model::{
    ContractId, Felt, Invoke, PeerId, Selector, ShardStart, ShardTransaction, StartRequest, starknet_keccak,
};
use shardwire_starknet::{Call, Session, allow};
use std::sync::Arc;

/// The most moves of a shard: each is executed four times at least.
pub(crate) const MAX_MOVES: usize = 12;
/// The most that play.
const MAX_PLAYERS: usize = 3;
/// How often somebody does what has to be refused.
const TEMPTED: u32 = PPM / 5;
/// What the operator answers then.
const CLOSED_SLOT: &str = "SW-NATIVE-117";
/// An address that no shard lists.
const OUTSIDER: u64 = 0x0075_1de2;
/// How long after its start a shard's session keys are good: longer than every shard.
const SESSION_SECONDS: u64 = 30 * 24 * 60 * 60;

/// The dungeon of one World.
#[derive(Debug)]
pub(crate) struct Dungeon {
    game: Game,
    prepared: Prepared,
}

/// One thing that a player does.
#[derive(Clone, Debug)]
enum Step {
    /// Its account allows its session key to play.
    Allow,
    /// Its account makes these calls.
    Account(Vec<Call>),
    /// Its session key makes this call.
    Session(Call),
}

/// A shard of the dungeon: what everybody does, in this order.
#[derive(Clone, Debug)]
pub(crate) struct DungeonShard {
    dungeon: Arc<Dungeon>,
    salt: u64,
    /// The time before which nothing happens, in seconds since the Unix epoch.
    begins: u64,
    /// Who, what, and whether it is to be refused.
    steps: Vec<(usize, Step, bool)>,
}

impl Dungeon {
    /// A dungeon with some players.
    ///
    /// # Panics
    /// If a class of this release doesn't compile: the tests of `contracts` would show it.
    pub(crate) fn of(dice: &mut Dice) -> Arc<Self> {
        let players = 2 + dice.index(MAX_PLAYERS - 1);
        let game = Game::of(Options { players, transactions: players + 1, seed: dice.number() });
        let prepared = Prepared::of(&game).expect("the classes of this release compile");
        Arc::new(Self { game, prepared })
    }

    /// The genesis file: the state that its shards begin from.
    pub(crate) fn genesis(&self) -> &[u8] {
        &self.prepared.genesis
    }

    /// What the World has of it at first.
    pub(crate) fn first(&self) -> State {
        let storage = prepared::world(&self.game).storage.into_iter();
        storage.map(|it| (it.slot(), Value { kind: it.kind, value: it.value })).collect()
    }

    /// The account of the master, who may end a shard.
    pub(crate) fn master(&self) -> ContractId {
        self.player(0).account.address()
    }

    /// What makes the master a hero and ends a shard.
    pub(crate) fn triumph(&self) -> [Call; 2] {
        [Deed::Train(1_000), Deed::Finish].map(|deed| deed.call(&self.game.players))
    }

    fn player(&self, index: usize) -> &Player {
        &self.game.players[index]
    }

    /// One shard: everybody allows a session key, some moves, the end.
    pub(crate) fn shard(self: &Arc<Self>, salt: u64, begins: u64, moves: usize, dice: &mut Dice) -> DungeonShard {
        let players = self.game.players.len();
        let mut steps: Vec<_> = (0..players).map(|me| (me, Step::Allow, false)).collect();
        for _ in 0..moves.min(MAX_MOVES) {
            let me = dice.index(players);
            if dice.chance(TEMPTED) {
                steps.push((me, temptation(dice), true));
            }
            let mut deed = || OPENING[dice.index(OPENING.len())](dice, me, players).call(&self.game.players);
            let (first, second) = (deed(), deed());
            steps.push(match dice.below(6) {
                0 => (me, Step::Account(vec![first, second]), false),
                1 => (me, Step::Account(vec![first]), false),
                _ => (me, Step::Session(first), false),
            });
        }
        steps.push((0, Step::Account(vec![Deed::Finish.call(&self.game.players)]), false));
        DungeonShard { dungeon: self.clone(), salt, begins, steps }
    }
}

/// What has to be refused: it would change a slot of a closed contract that isn't listed.
fn temptation(dice: &mut Dice) -> Step {
    let gold = |name: &str| Call {
        to: addresses().gold,
        selector: Selector(starknet_keccak(name)),
        calldata: vec![OUTSIDER.into(), Felt::ONE, Felt::ZERO],
    };
    match dice.below(3) {
        0 => Step::Session(gold("transfer")),
        1 => Step::Account(vec![gold("transfer")]),
        _ => Step::Account(vec![gold("approve")]),
    }
}

/// How far a player is with what it signs.
struct Signer<'a> {
    player: &'a Player,
    chain: Felt,
    nonce: u64,
    session: Session,
}

impl<'a> Signer<'a> {
    fn of(player: &'a Player, chain: Felt) -> Self {
        let session = Session::new(chain, player.account.address(), player.session.clone());
        Self { player, chain, nonce: 0, session }
    }

    fn invoke(&self, calls: &[Call]) -> Option<Invoke> {
        self.player.account.invoke(self.chain, self.nonce, calls, L2_GAS)
    }

    /// Signs a step. What is to be refused uses neither a nonce nor a link.
    fn sign(&mut self, step: &Step, expires: u64, refused: bool) -> Option<ShardTransaction> {
        match step {
            Step::Session(call) if refused => self.session.clone().sign(call.clone()).map(Into::into),
            Step::Session(call) => self.session.sign(call.clone()).map(Into::into),
            Step::Allow | Step::Account(_) => {
                let signed = match step {
                    Step::Account(calls) => self.invoke(calls),
                    _ => self.invoke(&[allow(addresses().sessions, self.session.key(), expires, &allowed())]),
                };
                self.nonce += u64::from(!refused);
                signed.map(Into::into)
            }
        }
    }
}

impl DungeonShard {
    /// The request that starts it with this operator.
    pub(crate) fn request(&self, operator: PeerId) -> StartRequest {
        let Dungeon { game, prepared } = &*self.dungeon;
        StartRequest { salt: self.salt, ..prepared.request(game, shardwire_contracts::hash(), operator, self.begins) }
    }

    /// Signs all of it, once it is started.
    pub(crate) fn sign(&self, start: &ShardStart) -> Result<Vec<Move>, String> {
        let chain = start.for_contracts().map_err(|error| error.to_string())?.chain_id();
        let mut signers: Vec<_> = self.dungeon.game.players.iter().map(|player| Signer::of(player, chain)).collect();
        let expires = self.begins + SESSION_SECONDS;
        let signed = self.steps.iter().map(|(me, step, refused)| {
            let transaction = signers[*me].sign(step, expires, *refused)?;
            Some(Move { transaction, refused: refused.then_some(CLOSED_SLOT) })
        });
        signed.collect::<Option<_>>().ok_or_else(|| "a key that can't sign".to_owned())
    }
}
