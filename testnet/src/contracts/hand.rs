//! What a player's wallet signs: the account's INVOKEs with their nonces, and the session key's calls with their links.

use super::game::{Game, Planned, addresses, allowed};
use shardwire_model::{Felt, execution::Sent};
use shardwire_starknet::{Account, Call, Rpc, RpcError, Session, add_invoke, add_session_call, allow};

/// L2 gas that a transaction may use: some hundred calls.
pub const L2_GAS: u64 = 100_000_000;

/// A player's keys in one shard, and how far each of them is.
#[derive(Clone, Debug)]
pub struct Hand {
    account: Account,
    session: Session,
    chain: Felt,
    /// Until when the session key is allowed, in seconds since the Unix epoch.
    expires: u64,
    /// The account's next nonce.
    nonce: u64,
}

impl Hand {
    /// Those of this player, by its place in the game, before its first transaction in the shard with this chain id.
    ///
    /// # Panics
    /// If the game has no such player.
    #[must_use]
    pub fn new(game: &Game, player: usize, chain: Felt, expires: u64) -> Self {
        let player = &game.players[player];
        let session = Session::new(chain, player.account.address(), player.session.clone());
        Self { account: player.account.clone(), session, chain, expires, nonce: 0 }
    }

    /// Signs what is planned next. Each follows the one before it, whether that was sent or not. `None` if a key is none that can sign.
    #[must_use]
    pub fn sign(&mut self, game: &Game, planned: &Planned) -> Option<Sent> {
        let calls = match planned {
            Planned::Allow => vec![allow(addresses().sessions, self.session.key(), self.expires, &allowed())],
            Planned::Account(deeds) => deeds.iter().map(|deed| deed.call(&game.players)).collect(),
            Planned::Session(deed) => return self.session.sign(deed.call(&game.players)).map(Sent::Session),
        };
        self.invoke(&calls).map(Sent::Invoke)
    }

    fn invoke(&mut self, calls: &[Call]) -> Option<shardwire_model::Invoke> {
        let invoke = self.account.invoke(self.chain, self.nonce, calls, L2_GAS)?;
        self.nonce += 1;
        Some(invoke)
    }
}

/// Has a shard's door take a transaction; returns its hash when it is in the log.
///
/// # Errors
/// [`RpcError::Refused`] if it breaks a rule of the shard. All others say nothing about it: it may be in the log.
pub async fn submit(door: &Rpc, transaction: &Sent) -> Result<Felt, RpcError> {
    match transaction {
        Sent::Invoke(invoke) => add_invoke(door, invoke).await,
        Sent::Session(call) => Ok(add_session_call(door, call).await?.transaction_hash),
    }
}
