//! Session calls: what a key may call in an account's name, and where its chain of calls is.
//!
//! The program verifies the last signature of a key alone. Here each is verified before its call is logged, so that the newest one, which the log has, is
//! good for all before it.

use crate::{
    Checked, Native, Refusal,
    execute::{self, Session},
    transaction::bounded,
};
use shardwire_model::{AccountId, ContractId, Felt, MAX_CALLDATA_FELTS, SessionCall, SessionHashes, starknet_keccak};
use std::sync::LazyLock;

static EXECUTE: LazyLock<Felt> = LazyLock::new(|| starknet_keccak("__execute__"));

/// How far the chain of a session key is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chain {
    /// The last link.
    link: Felt,
    /// How many calls it has.
    calls: u64,
}

impl Native {
    /// The contract that keeps sessions, if the shard has it.
    #[must_use]
    pub const fn sessions(&self) -> Option<ContractId> {
        self.sessions
    }

    /// The link that the next call of a session key follows, and how many calls it made before.
    ///
    /// It is for the one who operates the shard. A client keeps the links that it signed: see [`SessionCall`].
    #[must_use]
    pub fn last_link(&self, key: Felt) -> (Felt, u64) {
        let chain = self.chains.get(&key);
        chain.map_or_else(|| (SessionCall::first_link(self.chain_id(), key), 0), |chain| (chain.link, chain.calls))
    }

    /// Executes a session call at a time, in seconds since the Unix epoch, and says what it changes. Nothing changes yet.
    ///
    /// # Errors
    /// The [`Refusal`] of the first rule that it breaks, of sessions ([`Refusal::NoSessions`], [`Refusal::BeyondSessions`], [`Refusal::NotAllowed`], [`Refusal::Link`],
    /// [`Refusal::Unsigned`]) or as [`check`](Native::check) has it.
    pub fn check_session(&self, call: &SessionCall, time: u64) -> Result<Checked, Refusal> {
        bounded("calldata", call.calldata.len(), MAX_CALLDATA_FELTS)?;
        let hashes @ SessionHashes { permission, link } = call.hashes();
        if let Some(index) = self.place(link) {
            return Ok(Checked::Duplicate { index });
        }
        self.check_time(time)?;
        self.check_is_account(call.account)?;
        if !self.state.is_listed(call.contract) {
            return Err(Refusal::UnknownContract(call.contract));
        }
        let keeper = self.sessions.ok_or(Refusal::NoSessions)?;
        if call.contract == call.account || call.contract == keeper || call.selector == *EXECUTE {
            return Err(Refusal::BeyondSessions);
        }
        let &SessionCall { account, key, previous: got, contract, selector, .. } = call;
        // What isn't a time was not written by the contract, and the program wouldn't take it either.
        let expires = u64::try_from(self.state.storage_at(keeper, permission)?).unwrap_or(0);
        if time >= expires {
            return Err(Refusal::NotAllowed { account, key, contract, selector, time, expires });
        }
        let (last, calls) = self.last_link(key);
        if got != last {
            return Err(Refusal::Link { key, calls, last, got });
        }
        if !call.signature.verifies(AccountId(key), link) {
            return Err(Refusal::Unsigned(key));
        }
        let index = self.next_place()?;
        let block = self.block(index, time);
        let session = Session { call, link, before: calls, nonce: self.state.nonce_at(account)? };
        let outcome = execute::session(&self.state, &block, session)?;
        let tree = outcome.session_tree(call, hashes, time);
        self.change(index, &block, outcome, tree, calls, Some((key, Chain { link, calls: calls + 1 })))
    }
}
