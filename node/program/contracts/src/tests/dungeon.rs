//! The contracts of `game/`, deployed in a state, with players that sign.

use super::recorder::{Native, Request};
use crate::{
    Class, Start,
    class::Segments,
    compiled,
    start::{ClassPair, Contract, Entry, EntryKind, MAX_AMOUNT, Rule},
    tree::{ResourceBounds, Snapshot, State, Transaction, short},
};
use shardwire_model::{
    EventId, Felt, PeerId, ShardId,
    felt::{ContractId, Key, Selector, starknet_keccak},
};

pub(super) const PLAYERS: u64 = 3;
pub(super) const SHARD: u64 = 0x5a4d;
pub(super) const BEGINS: u64 = 1_764_460_805;
pub(super) const DEADLINE: u64 = BEGINS + 10_000;

pub(super) fn gold() -> Felt {
    0x601du64.into()
}
pub(super) fn arena() -> Felt {
    0xa7e7au64.into()
}
pub(super) fn sword() -> Felt {
    0x5803du64.into()
}
pub(super) fn world() -> Felt {
    0x3031du64.into()
}
pub(super) fn sessions() -> Felt {
    0x5e55_1035u64.into()
}
pub(super) fn player(i: u64) -> Felt {
    (0x1000 + i).into()
}

/// The address of a variable of a contract's storage, or of what it has under keys.
pub(super) fn key(name: &str, keys: &[Felt]) -> Felt {
    Key::of_variable(name, keys).0
}

pub(super) fn selector(name: &str) -> Felt {
    starknet_keccak(name)
}

pub(super) struct Dungeon {
    pub(super) start: Start,
    pub(super) classes: Vec<Class>,
    pub(super) state: State,
}

/// A transaction that is to come: who calls what, and when.
pub(super) struct Planned {
    pub(super) player: u64,
    pub(super) calls: Vec<(Felt, Felt, Vec<Felt>)>,
    pub(super) l2_gas: u64,
    pub(super) time: u64,
}

pub(super) fn plan(player: u64, contract: Felt, name: &str, calldata: &[Felt]) -> Planned {
    let calls = vec![(contract, selector(name), calldata.to_vec())];
    Planned { player, calls, l2_gas: 50_000_000, time: BEGINS }
}

pub(super) fn finish() -> Planned {
    plan(0, world(), "finish", &[])
}

impl Dungeon {
    pub(super) fn new() -> Self {
        let casm: [(&str, &[u8]); 6] = [
            ("Account", include_bytes!("../../game/account.casm.json")),
            ("Arena", include_bytes!("../../game/arena.casm.json")),
            ("Dice", include_bytes!("../../game/dice.casm.json")),
            ("Gold", include_bytes!("../../game/gold.casm.json")),
            ("Sword", include_bytes!("../../game/sword.casm.json")),
            ("World", include_bytes!("../../game/world.casm.json")),
        ];
        let mut classes: Vec<Class> =
            casm.iter().map(|(name, json)| Class::from_casm(short(name), json).unwrap()).collect();
        let json = include_bytes!("../../sessions/sessions.casm.json");
        classes.push(Class::from_casm(crate::sessions::CLASS, json).unwrap());
        classes.sort_by_key(|class| class.class_hash);
        let class = |name: &str| classes.iter().position(|class| class.class_hash == short(name)).unwrap();
        let listed = |address, name, rule, account| Contract { address, class: class(name), rule, account };
        let mut contracts = vec![
            listed(gold(), "Gold", Rule::Closed, false),
            listed(arena(), "Arena", Rule::Scratch, false),
            listed(sword(), "Sword", Rule::Closed, false),
            listed(world(), "World", Rule::Scratch, false),
        ];
        let last = classes.iter().position(|class| class.class_hash == crate::sessions::CLASS).unwrap();
        contracts.push(Contract { address: sessions(), class: last, rule: Rule::Scratch, account: false });
        contracts.extend((0..PLAYERS).map(|i| listed(player(i), "Account", Rule::Scratch, true)));
        contracts.sort_by_key(|contract| contract.address);
        let place = |address| contracts.iter().position(|contract| contract.address == address).unwrap();
        let shard = Felt::from(SHARD);
        let entry = |kind, address, key, guard| {
            let maximum = if matches!(kind, EntryKind::Counter | EntryKind::Escrow) { MAX_AMOUNT } else { 0 };
            Entry { kind, contract: place(address), key: Key(key), guard, maximum }
        };
        let mut entries = vec![
            entry(EntryKind::Escrow, gold(), key("balances", &[arena()]), Felt::ZERO),
            entry(EntryKind::Scratch, gold(), key("allowances", &[player(0), player(1)]), Felt::ZERO),
            entry(EntryKind::Lock, sword(), key("owners", &[Felt::from(7)]), shard),
            entry(EntryKind::Lock, sword(), key("owners", &[Felt::from(8)]), Felt::ONE),
        ];
        let mut state = State::default();
        let mut put = |contract, name: &str, keys: &[Felt], value| {
            state.storage.insert((contract, key(name, keys)), value);
        };
        put(gold(), "balances", &[arena()], 1_000u64.into());
        put(gold(), "minter", &[], player(0));
        put(arena(), "gold", &[], gold());
        put(world(), "arena", &[], arena());
        put(world(), "dice", &[], short("Dice"));
        put(world(), "master", &[], player(0));
        for i in 0..PLAYERS {
            entries.push(entry(EntryKind::Counter, world(), key("xp", &[player(i)]), Felt::ZERO));
            entries.push(entry(EntryKind::Escrow, gold(), key("balances", &[player(i)]), Felt::ZERO));
            put(player(i), "public_key", &[], starknet_crypto::get_public_key(&(0x1234 + i).into()));
            put(gold(), "balances", &[player(i)], 10u64.into());
            put(world(), "xp", &[player(i)], (5 * i).into());
        }
        put(sword(), "owners", &[Felt::from(7)], player(1));
        put(sword(), "owners", &[Felt::from(8)], player(1));
        state.nonces.insert(player(1), 41u64.into());
        entries.sort_by_key(|entry| (entry.contract, entry.key.0));
        let pair = |class: &Class| ClassPair {
            class_hash: class.class_hash,
            compiled_class_hash: class.compiled_class_hash(),
        };
        let start = Start {
            shard: ShardId(shard),
            program: compiled::hash(),
            operator: PeerId([7; 32]),
            end_event: EventId { from: ContractId(world()), selector: Selector(starknet_keccak("Finished")) },
            begins: BEGINS,
            deadline: DEADLINE,
            first_block: 1_234,
            sequencer: 0x5e9u64.into(),
            classes: classes.iter().map(pair).collect(),
            contracts,
            entries,
        };
        Self { start, classes, state }
    }

    /// Another class instead of the one that is so named.
    pub(super) fn with(mut self, class: Class) -> Self {
        let compiled_class_hash = class.compiled_class_hash();
        for pair in self.start.classes.iter_mut().filter(|pair| pair.class_hash == class.class_hash) {
            pair.compiled_class_hash = compiled_class_hash;
        }
        let name = class.class_hash;
        *self.classes.iter_mut().find(|it| it.class_hash == name).unwrap() = class;
        self
    }

    /// A slot of a closed contract may change besides.
    pub(super) fn with_scratch(mut self, address: Felt, key: Felt) -> Self {
        let contract = self.start.contract_place(address).unwrap();
        self.start.entries.push(Entry {
            kind: EntryKind::Scratch,
            contract,
            key: Key(key),
            guard: Felt::ZERO,
            maximum: 0,
        });
        self.start.entries.sort_by_key(|entry| (entry.contract, entry.key.0));
        self
    }

    pub(super) fn class(&self, name: &str) -> &Class {
        self.classes.iter().find(|class| class.class_hash == short(name)).unwrap()
    }

    /// The world's code stands behind so many felts that nothing uses, and which are hashed alone.
    pub(super) fn with_unused(unused: usize) -> Self {
        let dungeon = Self::new();
        let mut class = dungeon.class("World").clone();
        class.segments = Segments::Node(vec![Segments::Leaf(unused), Segments::Leaf(class.bytecode.len())]);
        class.bytecode.splice(0..0, (0..unused).map(|_| Felt::from(compiled::RET)));
        class.hints = class.hints.into_iter().map(|(offset, hints)| (offset + unused, hints)).collect();
        class.entry_points.iter_mut().for_each(|entry_point| entry_point.offset += unused);
        dungeon.with(class)
    }

    /// Executes what is planned natively. Also what the state is afterwards.
    pub(super) fn play(&self, planned: Vec<Planned>) -> (Vec<Transaction>, State) {
        let mut native = Native::new(&self.start, &self.classes, self.state.clone());
        let transactions =
            planned.into_iter().map(|planned| run(&mut native, planned, self.start.chain_id())).collect();
        (transactions, native.state)
    }
}

pub(super) fn run(native: &mut Native<'_>, planned: Planned, chain_id: Felt) -> Transaction {
    let mut calldata = vec![Felt::from(planned.calls.len() as u64)];
    for (to, selector, arguments) in planned.calls {
        calldata.extend([to, selector, (arguments.len() as u64).into()]);
        calldata.extend(arguments);
    }
    let sender = player(planned.player);
    let request = Request {
        sender,
        nonce: u64::try_from(native.state.nonce(sender)).unwrap(),
        calldata,
        bounds: ResourceBounds { l1_gas: 3, l2_gas: planned.l2_gas, l1_data_gas: 7 },
        time: planned.time,
    };
    let hash = request.hash(chain_id);
    let signed = starknet_crypto::sign(&(0x1234 + planned.player).into(), &hash, &0x777u64.into()).unwrap();
    native.invoke(request, vec![signed.r, signed.s])
}
