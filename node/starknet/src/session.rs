//! Sessions: calls in an account's name, each signed by a key that the account allowed, without a transaction of the account.
//!
//! The account allows a key by a call of [`allow`], and takes that back by one of [`forbid`]. Then a [`Session`] signs calls, each over the link of the one
//! before, and [`add_session_call`] has a shard's door take them.
//!
//! **The links are kept here.** Who signs a link vouches for all links before it, so none is ever taken from a node, neither from an answer of
//! `shardwire_sessionLink` nor from a refusal. A client that stops keeps the [link](Session::link) and goes on [from it](Session::resume); one that has lost
//! it has the account allow another key.
//!
//! A lost answer is asked for again with the same call: it is taken once. A refused call has no place: [`Session::refused`] goes back to the link before it.

use crate::{Call, Rpc, RpcError};
use serde::Deserialize;
use serde_json::json;
use shardwire_model::{AccountKey, ContractId, Felt, Selector, SessionCall, Signature, felt, starknet_keccak};
use std::collections::VecDeque;

/// Most calls that are signed ahead of the first that may still be refused: as many as a client submits ahead of its receipts.
pub const MAX_AHEAD: usize = 64;

/// A session key of an account, and the chain of what it signed for one shard.
#[derive(Clone, Debug)]
pub struct Session {
    account: ContractId,
    key: AccountKey,
    /// The public key.
    id: Felt,
    /// The last links, the newest at the end.
    links: VecDeque<Felt>,
}

impl Session {
    /// A key that has signed nothing yet for the chain with this id.
    #[must_use]
    pub fn new(chain: Felt, account: ContractId, key: AccountKey) -> Self {
        let link = SessionCall::first_link(chain, key.id().0);
        Self::resume(account, key, link)
    }

    /// A key that goes on from a link that it signed itself.
    #[must_use]
    pub fn resume(account: ContractId, key: AccountKey, link: Felt) -> Self {
        let id = key.id().0;
        Self { account, key, id, links: VecDeque::from([link]) }
    }

    /// The public key: what the account allows.
    #[must_use]
    pub const fn key(&self) -> Felt {
        self.id
    }

    /// The link that the next call follows.
    #[must_use]
    pub fn link(&self) -> Felt {
        self.links.back().copied().unwrap_or_default() // There is always one.
    }

    /// Signs a call, which the next one follows. `None` with a probability of 2^-55; then call with other arguments.
    #[must_use]
    pub fn sign(&mut self, call: Call) -> Option<SessionCall> {
        let Call { to, selector, calldata } = call;
        let unsigned = SessionCall {
            account: self.account,
            key: self.id,
            previous: self.link(),
            contract: to,
            selector: selector.0,
            calldata,
            signature: Signature::NONE,
        };
        let link = unsigned.link();
        let signature = self.key.sign(link)?;
        if self.links.len() > MAX_AHEAD {
            self.links.pop_front();
        }
        self.links.push_back(link);
        Some(SessionCall { signature, ..unsigned })
    }

    /// The shard refused this call of the session, which is the end of those that were signed after it, too: the next one follows what this one did. It is said
    /// of each refused call once, in any order.
    pub fn refused(&mut self, call: &SessionCall) {
        if let Some(place) = self.links.iter().position(|link| *link == call.previous) {
            self.links.truncate(place + 1);
        }
    }
}

/// The call of an account that allows a key to call these entry points in its name, until a time in seconds since the Unix epoch. `sessions` is the
/// shard's contract that keeps sessions.
#[must_use]
pub fn allow(sessions: ContractId, key: Felt, expires: u64, calls: &[(ContractId, Selector)]) -> Call {
    scope(sessions, "open", &[key, expires.into()], calls)
}

/// The call of an account that takes this back.
#[must_use]
pub fn forbid(sessions: ContractId, key: Felt, calls: &[(ContractId, Selector)]) -> Call {
    scope(sessions, "close", &[key], calls)
}

fn scope(to: ContractId, name: &str, first: &[Felt], calls: &[(ContractId, Selector)]) -> Call {
    let count = Felt::from(calls.len());
    let mut calldata = first.to_vec();
    calldata.push(count);
    calldata.extend(calls.iter().map(|(contract, _)| contract.0));
    calldata.push(count);
    calldata.extend(calls.iter().map(|(_, selector)| selector.0));
    Call { to, selector: Selector(starknet_keccak(name)), calldata }
}

/// A session call that is in a shard's log.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Added {
    /// Its hash: the call's link.
    #[serde(with = "felt::wire")]
    pub transaction_hash: Felt,
    /// What the shard says beside.
    pub shardwire: AddedTo,
}

/// What a shard says of a transaction that it took.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct AddedTo {
    /// The operator's signed receipt, as the protocol `ingress` encodes it, in hexadecimal digits after `0x`; none of a shard that signs nothing.
    #[serde(default)]
    pub receipt: Option<String>,
}

/// Has a shard's door take a session call. The same call again is answered as the first time.
///
/// # Errors
/// [`RpcError::Refused`] if it breaks a rule of the shard: then [`Session::refused`] says so to its session. All others say nothing about the call: it may
/// be in the log, and is sent again.
pub async fn add_session_call(door: &Rpc, call: &SessionCall) -> Result<Added, RpcError> {
    door.ask("shardwire_addSessionCall", json!([call])).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain() -> Felt {
        Felt::from_bytes_be_slice(b"SW_TEST")
    }

    fn session() -> Session {
        Session::new(chain(), ContractId(Felt::from(0xacc)), AccountKey::from_secret([7; 32]))
    }

    fn call(arguments: &[u64]) -> Call {
        let calldata = arguments.iter().map(|it| Felt::from(*it)).collect();
        Call { to: ContractId(Felt::from(0xc0)), selector: Selector(Felt::from(9)), calldata }
    }

    #[test]
    fn each_call_follows_the_one_before_and_a_refused_one_is_followed_by_none() {
        let mut session = session();
        let first = session.sign(call(&[1])).unwrap();
        assert_eq!(first.previous, SessionCall::first_link(chain(), session.key()));
        let second = session.sign(call(&[1])).unwrap();
        let third = session.sign(call(&[2])).unwrap();
        assert_eq!([second.previous, third.previous, session.link()], [first.link(), second.link(), third.link()]);
        assert!([&first, &second, &third].iter().all(|call| call.is_signed()));
        // The second is refused, and so the third; in any order.
        let mut other = session.clone();
        session.refused(&third);
        session.refused(&second);
        other.refused(&second);
        other.refused(&third);
        assert_eq!([session.link(), other.link()], [first.link(); 2]);
        let mut kept = Session::resume(ContractId(Felt::from(0xacc)), AccountKey::from_secret([7; 32]), first.link());
        assert_eq!(kept.sign(call(&[3])), session.sign(call(&[3])));
        assert!(!format!("{session:?}").contains("0707"));
        // However many are signed ahead.
        let ahead: Vec<_> = (0..2 * MAX_AHEAD).map(|_| session.sign(call(&[4])).unwrap()).collect();
        session.refused(&ahead[MAX_AHEAD]);
        assert_eq!((session.link(), session.links.len()), (ahead[MAX_AHEAD].previous, 1));
    }

    #[test]
    fn an_account_allows_a_key_and_takes_it_back() {
        let (keeper, key) = (ContractId(Felt::from(0x5e55)), session().key());
        let calls = [(1, 8), (2, 9)]
            .map(|(contract, selector): (u64, u64)| (ContractId(Felt::from(contract)), Selector(Felt::from(selector))));
        let felts = |list: &[u64]| list.iter().map(|it| Felt::from(*it)).collect::<Vec<_>>();
        let allowed = allow(keeper, key, 77, &calls);
        assert_eq!((allowed.to, allowed.selector.0), (keeper, starknet_keccak("open")));
        assert_eq!(allowed.calldata, [vec![key], felts(&[77, 2, 1, 2, 2, 8, 9])].concat());
        let forbidden = forbid(keeper, key, &calls);
        assert_eq!(forbidden.selector.0, starknet_keccak("close"));
        assert_eq!(forbidden.calldata, [vec![key], felts(&[2, 1, 2, 2, 8, 9])].concat());
    }
}
