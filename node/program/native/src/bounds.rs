//! The bounds of a shard of contracts, each with its unit and reason.

use shardwire_contracts::class;
use shardwire_model::{MAX_READ_SLOTS, SESSION_GAS};

/// Bytes of a genesis file: its storage, and classes that are written into it.
pub const MAX_GENESIS_BYTES: usize = 64 << 20;
/// Classes of a shard.
pub const MAX_CLASSES: usize = 64;
/// Bytes of one class file. Starknet takes 4 MB; debug information, which nobody reads, may be as much again.
pub const MAX_CLASS_BYTES: usize = 8 << 20;
/// Felts of a Sierra program, as it is declared (compressed).
pub const MAX_SIERRA_FELTS: usize = 81_920;
/// Felts of a class' bytecode: Starknet's own bound.
pub const MAX_BYTECODE_FELTS: usize = class::MAX_BYTECODE;
/// Entry points of a class.
pub const MAX_ENTRY_POINTS: usize = class::MAX_ENTRY_POINTS;
/// Stack of the thread that compiles one class, in bytes: the compiler recurses over types.
pub const COMPILER_STACK_BYTES: usize = 64 << 20;
/// Slots that a genesis gives a value, over all contracts.
pub const MAX_STORAGE_SLOTS: usize = 1 << 18;
/// Contracts of a genesis, accounts included. A shard lists fewer.
pub const MAX_GENESIS_CONTRACTS: usize = 1 << 14;

/// L2 gas that `__validate__` may use: Starknet's own bound. A step costs 100, so this is a million steps at most.
pub const MAX_VALIDATE_GAS: u64 = 100_000_000;
/// L2 gas that `__execute__` may use: Starknet's own bound. Eleven million steps, some seconds.
pub const MAX_EXECUTE_GAS: u64 = 1_110_000_000;
/// L2 gas that a session call may use.
pub const MAX_SESSION_GAS: u64 = SESSION_GAS;
/// L2 gas that a read-only call may use.
pub const MAX_CALL_GAS: u64 = 100_000_000;
/// Calls within calls, the outermost included. Starknet has 50; each takes the native stack of a virtual machine.
pub const MAX_CALL_DEPTH: usize = 24;
/// Stack of the thread that executes one transaction, in bytes: [`MAX_CALL_DEPTH`] virtual machines, one within the other.
pub const EXECUTION_STACK_BYTES: usize = 64 << 20;
/// Events of one transaction: Starknet's own bound.
pub const MAX_EVENTS: usize = 1_000;
/// Keys of one event: Starknet's own bound.
pub const MAX_EVENT_KEYS: usize = 50;
/// Felts of one event's data: Starknet's own bound.
pub const MAX_EVENT_DATA: usize = 300;
/// Slots that all transactions of a shard touch together, listed ones included: so many the list has that travels with the proof.
pub const MAX_SLOTS: usize = MAX_READ_SLOTS;
/// Slots of those that only the transaction that ends the shard may be the first to touch.
pub const END_SLOTS: usize = 64;
/// Characters of a reason that a contract or the virtual machine gives; what is beyond is cut.
pub const MAX_REASON_CHARS: usize = 2_000;
