//! Each way in which a transaction is refused, with its text; and that nothing has changed then.
#![allow(missing_docs)]

use shardwire_model::{
    AccountId, AccountKey, Call, Coded, ContractId, ContractTerms, Felt, Hash, Invoke, Key, Kind, Logged,
    MAX_INCREMENT, ResourceBounds, ShardStart, ShardTransaction, Signature, SignedTransaction, Terms, Transaction,
};
use shardwire_program::{Acceptance, Admission, Checked, Program as _, Refusal, Rules};
use shardwire_sample::{Player, Workload, workload};

/// A shard of two players with 1000 and 5 in their escrows, player 0 holding the sword.
struct Table {
    admission: Box<dyn Admission>,
    start: ShardStart,
    players: Vec<Player>,
}

impl Table {
    fn new() -> Self {
        let Workload { start, keys, .. } = workload(2, 1, 3);
        let values = [0u128, 1000, u128::MAX - 10, 5].map(Felt::from);
        let values = [&values[..], &[keys[0].id().0]].concat();
        let players = keys.iter().map(|key| Player::new(&start, key)).collect();
        Self { admission: Rules.admission(start.clone(), &values).unwrap(), start, players }
    }
    fn bank(&self) -> ContractId {
        self.start.contracts[0]
    }
    fn game(&self) -> ContractId {
        self.start.contracts[1]
    }
    fn key(&self, index: usize) -> Key {
        self.start.entries[index].key
    }
    /// What becomes of a call, properly signed; a refused one leaves player and shard as they were.
    fn call(&mut self, player: usize, contract: ContractId, call: Call) -> Result<Acceptance, Refusal> {
        let mut signer = self.players[player].clone();
        let signed = signer.sign(&self.start, contract, call);
        let result = self.submit(&signed);
        if result.is_ok() {
            self.players[player] = signer;
        }
        result
    }
    fn submit(&mut self, signed: &SignedTransaction) -> Result<Acceptance, Refusal> {
        let state = |it: &dyn Admission| (it.values(), it.next_nonces(), it.accepted(), it.ended());
        let before = state(&*self.admission);
        let result = self.admission.accept(&signed.into(), 0);
        if result.is_err() {
            assert_eq!(state(&*self.admission), before, "a refused transaction changed something");
        }
        result
    }
    /// A refusal of something that names what isn't listed, so that there are no words to sign.
    fn unlisted(&mut self, transaction: Transaction) -> Refusal {
        let signature = Signature { r: Felt::ONE, s: Felt::ONE };
        self.submit(&SignedTransaction { transaction, signature }).expect_err("refused")
    }
}

#[track_caller]
fn is(result: Result<Acceptance, Refusal>, code: &str, text: &str) {
    let refusal = result.expect_err("refused");
    assert_eq!((refusal.code(), refusal.to_string().as_str()), (code, text));
    assert!(refusal.next_step().ends_with('.'));
}

#[test]
fn who_and_when() {
    let mut table = Table::new();
    let (game, finish) = (table.game(), Call::Finish);
    let stranger = AccountId(Felt::from(0xbad));
    let refusal = table.unlisted(Transaction { account: stranger, nonce: 1, contract: game, call: finish });
    is(Err(refusal), "SW-REFUSED-001", "account 0xbad is not whitelisted in this shard");

    let counter = table.key(0);
    let add = |amount| Call::Add { counter, amount };
    let mut signer = table.players[0].clone();
    let account = signer.key.id();
    let first = signer.sign(&table.start, game, add(1));
    let second = signer.sign(&table.start, game, add(2));
    is(table.submit(&second), "SW-REFUSED-004", &format!("account {account} must use nonce 1, not 2"));
    assert_eq!(table.submit(&first), Ok(Acceptance::Accepted { sequence: 0 }));
    assert_eq!(table.submit(&first), Ok(Acceptance::Duplicate { sequence: 0 }));
    let other = table.players[0].clone().sign(&table.start, game, add(7));
    let text = format!("nonce 1 of account {account} is used by another transaction; its next is 2");
    is(table.submit(&other), "SW-REFUSED-003", &text);
    let mut zero = first;
    zero.transaction.nonce = 0;
    is(table.submit(&zero), "SW-REFUSED-004", &format!("account {account} must use nonce 2, not 0"));

    let text = format!("the signature is not account {account}'s over its transactions up to this one");
    let mut forged = second;
    forged.signature.s += Felt::ONE;
    is(table.submit(&forged), "SW-REFUSED-017", &text);
    // Signed by another key; signed for another shard.
    let mut thief = Player { key: AccountKey::from_secret([9; 32]), ..signer.clone() };
    thief.nonce = 1;
    let mut stolen = thief.sign(&table.start, game, add(2));
    stolen.transaction.account = account;
    is(table.submit(&stolen), "SW-REFUSED-017", &text);
    for r in [Felt::ZERO, Felt::MAX] {
        let wild = SignedTransaction { signature: Signature { r, s: r }, ..second };
        is(table.submit(&wild), "SW-REFUSED-017", &text);
    }
    assert_eq!(table.submit(&second), Ok(Acceptance::Accepted { sequence: 1 }));

    table.players[0] = signer;
    let bank = table.bank();
    let refusal = table.call(0, bank, Call::Finish);
    let text =
        format!("event {} of contract {bank} is not this shard's end event", shardwire_model::finished_selector());
    is(refusal, "SW-REFUSED-016", &text);
    assert_eq!(table.call(1, game, Call::Finish), Ok(Acceptance::Accepted { sequence: 2 }));
    let call = add(1);
    is(table.call(0, game, call), "SW-REFUSED-002", "the shard has ended: nothing happens after its end event");
    assert_eq!(table.submit(&first), Ok(Acceptance::Duplicate { sequence: 0 }));
}

#[test]
fn what_it_names() {
    let mut table = Table::new();
    let (game, bank) = (table.game(), table.bank());
    let account = table.players[0].key.id();
    let (counter, escrow, lock) = (table.key(0), table.key(1), table.key(4));
    let transaction = |contract, call| Transaction { account, nonce: 1, contract, call };
    let nowhere = ContractId(Felt::from(0xc0));
    let refusal = table.unlisted(transaction(nowhere, Call::Finish));
    is(Err(refusal), "SW-REFUSED-005", "contract 0xc0 is not whitelisted in this shard");
    let refusal = table.unlisted(transaction(game, Call::Add { counter: Key(Felt::from(0xe0)), amount: 1 }));
    is(Err(refusal), "SW-REFUSED-006", &format!("storage slot {game}/0xe0 is not in the shard's settlement list"));
    let refusal = table.unlisted(transaction(game, Call::Give { lock, to: AccountId(Felt::from(0xa0)) }));
    is(Err(refusal), "SW-REFUSED-011", "account 0xa0 can't receive: it is not whitelisted in this shard");

    let refusal = table.unlisted(transaction(bank, Call::Add { counter, amount: 1 }));
    let text = format!("storage address {counter} belongs to contract {game}, not to {bank}");
    is(Err(refusal), "SW-REFUSED-007", &text);
    let refusal = table.unlisted(transaction(game, Call::Pass { from: escrow, to: escrow, amount: 1 }));
    let text = format!("storage address {escrow} belongs to contract {bank}, not to {game}");
    is(Err(refusal), "SW-REFUSED-007", &text);
    let kinds = [
        (bank, Call::Add { counter: escrow, amount: 1 }, escrow, "escrow", "counter"),
        (game, Call::Add { counter: lock, amount: 1 }, lock, "lock", "counter"),
        (game, Call::Spend { escrow: counter, amount: 1 }, counter, "counter", "escrow"),
        (game, Call::Pass { from: lock, to: lock, amount: 1 }, lock, "lock", "escrow"),
        (bank, Call::Give { lock: escrow, to: account }, escrow, "escrow", "lock"),
    ];
    for (contract, call, key, got, needed) in kinds {
        let text = format!("storage slot {contract}/{key} is a {got}, and this needs a {needed}");
        is(table.call(0, contract, call), "SW-REFUSED-008", &text);
    }
}

#[test]
fn what_is_checked_and_not_applied_leaves_everything_as_it_was() {
    let mut table = Table::new();
    let (game, counter) = (table.game(), table.key(0));
    let mut signer = table.players[0].clone();
    let signed = signer.sign(&table.start, game, Call::Add { counter, amount: 9 });
    let Ok(Checked::New(first)) = table.admission.check(&signed.into(), 0) else { panic!("it is new") };
    assert_eq!((first.sequence(), first.ends()), (0, false));
    drop(first);
    assert_eq!((table.admission.accepted(), table.admission.values()[0]), (0, Felt::ZERO));
    let Ok(Checked::New(again)) = table.admission.check(&signed.into(), 0) else { panic!("it is still new") };
    table.admission.apply(again);
    assert_eq!((table.admission.accepted(), table.admission.values()[0]), (1, Felt::from(9)));
    assert!(matches!(table.admission.check(&signed.into(), 0), Ok(Checked::Duplicate { sequence: 0 })));
}

#[test]
fn whose_and_how_much() {
    let mut table = Table::new();
    let (game, bank) = (table.game(), table.bank());
    let [first, second] = [0, 1].map(|i| table.players[i].key.id());
    let (mine, full, yours, lock) = (table.key(1), table.key(2), table.key(3), table.key(4));
    let refusal = table.call(0, bank, Call::Spend { escrow: yours, amount: 1 });
    is(refusal, "SW-REFUSED-009", &format!("escrow {bank}/{yours} is not account {first}'s to spend"));
    let refusal = table.call(0, bank, Call::Pass { from: yours, to: mine, amount: 1 });
    is(refusal, "SW-REFUSED-009", &format!("escrow {bank}/{yours} is not account {first}'s to spend"));
    let refusal = table.call(1, game, Call::Give { lock, to: second });
    is(refusal, "SW-REFUSED-010", &format!("account {second} doesn't hold what lock {game}/{lock} guards"));
    for call in [Call::Spend { escrow: mine, amount: 0 }, Call::Pass { from: mine, to: yours, amount: 0 }] {
        is(table.call(0, bank, call), "SW-REFUSED-012", "the amount is zero");
    }
    is(table.call(0, game, Call::Add { counter: full, amount: 0 }), "SW-REFUSED-012", "the amount is zero");
    let refusal = table.call(0, bank, Call::Pass { from: mine, to: mine, amount: 1 });
    is(refusal, "SW-REFUSED-013", &format!("escrow {bank}/{mine} can't pass to itself"));
    let text = format!("11 more would take {game}/{full} above 2^128 - 1: it is {}", u128::MAX - 10);
    is(table.call(0, game, Call::Add { counter: full, amount: 11 }), "SW-REFUSED-014", &text);
    for call in [Call::Spend { escrow: mine, amount: 1001 }, Call::Pass { from: mine, to: yours, amount: 1001 }] {
        is(
            table.call(0, bank, call),
            "SW-REFUSED-015",
            &format!("escrow {bank}/{mine} holds 1000, which is less than 1001"),
        );
    }

    // The edges are allowed, and what moved can be moved on.
    assert!(table.call(0, game, Call::Add { counter: full, amount: 10 }).is_ok());
    let counter = table.key(0);
    assert!(table.call(0, game, Call::Add { counter, amount: MAX_INCREMENT - 1 }).is_ok());
    let text = format!(
        "2 more would make the shard add more than {MAX_INCREMENT} to counter {game}/{counter}: it has added {}",
        MAX_INCREMENT - 1
    );
    is(table.call(0, game, Call::Add { counter, amount: 2 }), "SW-REFUSED-020", &text);
    is(
        table.call(0, game, Call::Add { counter, amount: u128::MAX }),
        "SW-REFUSED-020",
        &text.replacen('2', &u128::MAX.to_string(), 1),
    );
    assert!(table.call(0, game, Call::Add { counter, amount: 1 }).is_ok());
    assert!(table.call(0, bank, Call::Pass { from: mine, to: yours, amount: 1000 }).is_ok());
    assert!(table.call(1, bank, Call::Spend { escrow: yours, amount: 1005 }).is_ok());
    assert!(table.call(0, game, Call::Give { lock, to: second }).is_ok());
    let refusal = table.call(0, game, Call::Give { lock, to: first });
    is(refusal, "SW-REFUSED-010", &format!("account {first} doesn't hold what lock {game}/{lock} guards"));
    assert!(table.call(1, game, Call::Give { lock, to: first }).is_ok());
    assert_eq!(table.admission.values()[..4], [MAX_INCREMENT, 0, u128::MAX, 0].map(Felt::from));
}

#[test]
fn a_snapshot_without_usable_values() {
    let Workload { start, keys, .. } = workload(1, 1, 3);
    // The counter is too large, the escrow and the lock are missing.
    let mut admission = Rules.admission(start.clone(), &[Felt::from(u128::MAX) + Felt::ONE]).unwrap();
    let mut player = Player::new(&start, &keys[0]);
    assert_eq!(start.entries[0].kind, Kind::Counter);
    let (key, slot) = (start.entries[0].key, start.entries[0].slot());
    let signed = player.sign(&start, start.contracts[1], Call::Add { counter: key, amount: 1 });
    let text = format!("the snapshot has no usable value for storage slot {slot}");
    is(admission.accept(&signed.into(), 0), "SW-REFUSED-019", &text);
}

#[test]
fn a_transaction_in_the_form_of_another_program() {
    let mut table = Table::new();
    let account = table.start.accounts[0];
    let invoke = Invoke {
        sender: ContractId(account.0),
        nonce: 1,
        calldata: vec![],
        signature: vec![],
        bounds: ResourceBounds::default(),
    };
    let refusal = table.admission.accept(&invoke.clone().into(), 0);
    is(refusal, "SW-REFUSED-021", "the shard is one of the fixed rules, and takes neither INVOKEs nor session calls");

    let (start, game, call) = (table.start.clone(), table.game(), Call::Add { counter: table.key(0), amount: 1 });
    let signed = table.players[0].sign(&start, game, call);
    let log = [ShardTransaction::from(signed), invoke.into()].map(|transaction| Logged {
        transaction,
        time: 0,
        reverted: false,
    });
    let values = table.admission.values();
    let error = Rules.execute(&start, &values, &mut log.into_iter(), &mut |_| Ok(())).unwrap_err();
    let text = "the shard program stopped at transaction 2: the shard is one of the fixed rules, and takes neither INVOKEs nor session calls";
    assert_eq!((error.code(), error.to_string().as_str()), ("SW-EXEC-004", text));
}

#[test]
fn start_data_with_the_terms_of_another_program() {
    let Workload { mut start, values, .. } = workload(1, 1, 3);
    start.terms = Terms::Contracts(Box::new(ContractTerms {
        origin: Hash::default().into(),
        begins: 0,
        first_block: 1,
        sequencer: ContractId::default(),
        classes: vec![],
        instances: vec![],
        maxima: vec![],
        scratch: vec![],
    }));
    let error = Rules.admission(start, &values).unwrap_err();
    assert_eq!(
        format!("{} {error} | {}", error.code(), error.next_step()),
        "SW-EXEC-009 the start data has other terms than program rules takes | Start the shard with the program that its terms are of, or with the terms that its program takes."
    );
}
