//! Contracts that nobody here wrote: OpenZeppelin's account and an ERC-20, unchanged.

use super::{
    registry::{self, ACCOUNT, CAIRO_0, ERC20},
    shard::{BEGINS, Shard, felts, start},
};
use shardwire_contracts::{
    Start,
    start::{ClassPair, Contract, Entry, EntryKind, Rule},
};
use shardwire_model::{Coded, ContractId, Felt, Invoke, Key, execution::Status, starknet_keccak};
use shardwire_native::{Class, ClassError, Genesis, Refusal};
use starknet_types_core::hash::{Pedersen, StarkHash};
use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock},
};

pub(crate) const TOKEN: u64 = 0x720;
pub(crate) const ALICE: u64 = 0xa11ce;
pub(crate) const BOB: u64 = 0xb0b;

struct Classes {
    account: Class,
    token: Class,
    genesis: Arc<Genesis>,
}

static CLASSES: LazyLock<Classes> = LazyLock::new(|| {
    let files = BTreeMap::from([("account", registry::class(ACCOUNT)), ("token", registry::class(ERC20))]);
    let (account, token) = (Class::compile(&files["account"]).unwrap(), Class::compile(&files["token"]).unwrap());
    let key = |secret: u64| starknet_crypto::get_public_key(&Felt::from(secret));
    let account_json = |address: u64| {
        let slot = starknet_keccak("Account_public_key");
        let (class, key) = (account.hash(), key(address));
        format!(r#"{{"address": "{address:#x}", "class_hash": "{class:#x}", "storage": {{"{slot:#x}": "{key:#x}"}}}}"#)
    };
    let (class, slot) = (token.hash(), balance(ALICE).0);
    let token_json =
        format!(r#"{{"address": "{TOKEN:#x}", "class_hash": "{class:#x}", "storage": {{"{slot:#x}": "0x3e8"}}}}"#);
    let contracts = [account_json(ALICE), account_json(BOB), token_json].join(",");
    let classes = r#"[{"sierra": "account"}, {"sierra": "token"}]"#;
    let json = format!(r#"{{"version": 1, "classes": {classes}, "contracts": [{contracts}]}}"#);
    let genesis = Genesis::read(json.as_bytes(), &mut |name| Ok(files[name].clone()), &mut Class::compile).unwrap();
    Classes { account, token, genesis: genesis.into() }
});

fn balance(owner: u64) -> Key {
    Key(Pedersen::hash(&starknet_keccak("ERC20_balances"), &owner.into()))
}

fn allowance(owner: u64, spender: u64) -> Key {
    let of_owner = Pedersen::hash(&starknet_keccak("ERC20_allowances"), &owner.into());
    Key(Pedersen::hash(&of_owner, &spender.into()))
}

/// The token is closed: both balances are escrows, and the allowance of Bob by Alice is a scratch key.
pub(crate) fn settled() -> Start {
    let Classes { account, token, .. } = &*CLASSES;
    let pair = |class: &Class| ClassPair { class_hash: class.hash(), compiled_class_hash: class.compiled_hash() };
    let contract = |address: u64, class, rule, account| Contract { address: address.into(), class, rule, account };
    let entry = |kind, key, maximum| Entry { kind, contract: 0, key, guard: Felt::ZERO, maximum };
    let mut entries = vec![
        entry(EntryKind::Escrow, balance(ALICE), 1_000_000),
        entry(EntryKind::Escrow, balance(BOB), 1_000_000),
        entry(EntryKind::Scratch, allowance(ALICE, BOB), 0),
    ];
    entries.sort_by_key(|entry| entry.key);
    let mut start = start();
    start.end_event.from = ContractId(TOKEN.into());
    start.classes = vec![pair(token), pair(account)];
    start.contracts = vec![
        contract(TOKEN, 0, Rule::Closed, false),
        contract(BOB, 1, Rule::Scratch, true),
        contract(ALICE, 1, Rule::Scratch, true),
    ];
    start.entries = entries;
    start
}

/// The classes' genesis.
pub(crate) fn genesis() -> Arc<Genesis> {
    CLASSES.genesis.clone()
}

fn open() -> Shard {
    over(&settled())
}

/// A shard over that genesis.
pub(crate) fn over(start: &Start) -> Shard {
    let first = |entry: &Entry| if entry.key == balance(ALICE) { Felt::from(1_000) } else { Felt::ZERO };
    let values: Vec<_> = start.settled().map(first).collect();
    Shard::over(genesis(), start, &values)
}

/// A call of the token, signed by the account's key, which is its address.
pub(crate) fn token(shard: &Shard, account: u64, name: &str, arguments: &[u64]) -> Invoke {
    signed(shard, account, TOKEN, name, felts(arguments))
}

fn signed(shard: &Shard, account: u64, to: u64, name: &str, arguments: Vec<Felt>) -> Invoke {
    let mut invoke = shard.invoke(account, &[(to, starknet_keccak(name), arguments)]);
    let hash = invoke.hash(shard.native.chain_id());
    let signature = starknet_crypto::sign(&account.into(), &hash, &Felt::from(0x77)).unwrap();
    invoke.signature = vec![signature.r, signature.s];
    invoke
}

#[test]
fn their_class_hashes_are_those_of_the_network() {
    let Classes { account, token, .. } = &*CLASSES;
    let known = "0x5b4b537eaa2399e3aa99c4e2e0208ebd6c71bc1467938cd52c798c601e43564";
    assert_eq!(account.hash(), Felt::from_hex_unchecked(known));
    let known = "0x2e77ee61d4df3d988ee1f42ea5442e913862cc82c2584d212ecda76666498fc";
    assert_eq!(token.hash(), Felt::from_hex_unchecked(known));
    assert!(account.beyond_proof().contains("replace_class_syscall"), "{:?}", account.beyond_proof());
    assert_eq!(Class::compile(&registry::class(CAIRO_0)).unwrap_err(), ClassError::Cairo0);
}

#[test]
fn a_token_moves_between_accounts() {
    let mut shard = open();
    let receipt = shard.submit(&token(&shard, ALICE, "transfer", &[BOB, 300, 0])).unwrap();
    assert_eq!(receipt.status, Status::Succeeded);
    assert_eq!(receipt.returned, felts(&[1, 1, 1]), "true");
    let [event] = &receipt.events[..] else { panic!("{receipt:?}") };
    assert_eq!(event.keys, [starknet_keccak("Transfer"), ALICE.into(), BOB.into()]);
    assert_eq!((event.from, &event.data), (ContractId(TOKEN.into()), &felts(&[300, 0])));
    let asked = shard.native.call(ContractId(TOKEN.into()), starknet_keccak("balance_of"), &felts(&[BOB]), BEGINS);
    assert_eq!(asked.unwrap(), felts(&[300, 0]));
    assert!(receipt.gas.validate > 100_000 && receipt.gas.execute > 500_000, "{:?}", receipt.gas);
}

#[test]
fn what_the_token_refuses_is_reverted() {
    let mut shard = open();
    let receipt = shard.submit(&token(&shard, BOB, "transfer", &[ALICE, 1, 0])).unwrap();
    let Status::Reverted { reason } = &receipt.status else { panic!("{receipt:?}") };
    assert!(reason.contains("ERC20: insufficient balance"), "{reason}");
    assert_eq!(receipt.diff.nonce, 1);
}

#[test]
fn an_allowance_of_a_closed_token_must_be_listed() {
    let mut shard = open();
    let refusal = shard.submit(&token(&shard, BOB, "approve", &[ALICE, 5, 0])).unwrap_err();
    assert_eq!(refusal.code(), "SW-NATIVE-117", "{refusal}");
    assert_eq!(shard.submit(&token(&shard, ALICE, "approve", &[BOB, 5, 0])).unwrap().status, Status::Succeeded);
    let receipt = shard.submit(&token(&shard, BOB, "transfer_from", &[ALICE, BOB, 5, 0])).unwrap();
    assert_eq!(receipt.status, Status::Succeeded);
    let refusal = shard.submit(&token(&shard, ALICE, "transfer", &[0xdead, 5, 0])).unwrap_err();
    assert_eq!(refusal.code(), "SW-NATIVE-117", "a coin that goes to an unlisted address: {refusal}");
}

#[test]
fn another_key_or_another_shard_is_not_accepted() {
    let mut shard = open();
    let mut invoke = token(&shard, ALICE, "transfer", &[BOB, 300, 0]);
    let hash = invoke.hash(super::shard::short("SN_MAIN"));
    let signature = starknet_crypto::sign(&ALICE.into(), &hash, &Felt::from(0x77)).unwrap();
    invoke.signature = vec![signature.r, signature.s];
    let refusal = shard.submit(&invoke).unwrap_err();
    assert!(matches!(&refusal, Refusal::Invalid { reason, .. } if reason.contains("invalid signature")), "{refusal}");
}

#[test]
fn an_upgrade_is_refused_by_its_name() {
    let mut shard = open();
    let class = CLASSES.token.hash();
    let invoke = signed(&shard, ALICE, ALICE, "upgrade", vec![class]);
    let refusal = shard.submit(&invoke).unwrap_err();
    assert_eq!(refusal, Refusal::Syscall { contract: ContractId(ALICE.into()), name: "replace_class" });
}
