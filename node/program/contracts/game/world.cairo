// World: what players call. It counts their experience, and ends the game.
#[starknet::interface]
trait IArena<T> {
    fn fight(ref self: T, hero: starknet::ContractAddress, prize: u128) -> u128;
}

#[starknet::interface]
trait IDice<T> {
    fn roll(ref self: T, sides: felt252) -> felt252;
}

#[starknet::interface]
trait IWorld<T> {
    fn train(ref self: T, points: u128) -> u128;
    fn adventure(ref self: T, prize: u128) -> u128;
    fn try_adventure(ref self: T, prize: u128) -> felt252;
    fn try_call(
        ref self: T, contract: starknet::ContractAddress, selector: felt252, calldata: Array<felt252>
    ) -> felt252;
    fn gamble(ref self: T, sides: felt252) -> felt252;
    fn try_library(ref self: T, selector: felt252) -> felt252;
    fn look(ref self: T) -> felt252;
    fn burn(ref self: T, rounds: felt252) -> felt252;
    fn doom(ref self: T);
    fn finish(ref self: T);
}

#[starknet::contract]
mod World {
    use super::{IArenaDispatcher, IArenaDispatcherTrait, IDiceLibraryDispatcher, IDiceDispatcherTrait};
    use array::{ArrayTrait, SpanTrait};
    use box::BoxTrait;
    use option::OptionTrait;
    use starknet::syscalls::{call_contract_syscall, library_call_syscall};
    use starknet::{
        ClassHash, ContractAddress, contract_address_to_felt252, get_block_info, get_caller_address,
        get_contract_address, get_tx_info
    };
    use traits::Into;

    #[storage]
    struct Storage {
        arena: ContractAddress,
        dice: ClassHash,
        master: ContractAddress,
        xp: LegacyMap<ContractAddress, u128>,
        failures: felt252,
        seen: felt252,
        ended: felt252,
        rolls: felt252,
    }

    #[event]
    #[derive(Drop, starknet::Event)]
    enum Event {
        Gained: Gained,
        Finished: Finished,
    }

    #[derive(Drop, starknet::Event)]
    struct Gained {
        #[key]
        hero: ContractAddress,
        xp: u128,
    }

    #[derive(Drop, starknet::Event)]
    struct Finished {}

    #[external(v0)]
    impl World of super::IWorld<ContractState> {
        // One call, nothing nested.
        fn train(ref self: ContractState, points: u128) -> u128 {
            let hero = get_caller_address();
            self.gain(hero, points)
        }

        // World, arena, gold: three deep. Fails whole if the arena can't pay.
        fn adventure(ref self: ContractState, prize: u128) -> u128 {
            let hero = get_caller_address();
            let xp = self.gain(hero, 10);
            IArenaDispatcher { contract_address: self.arena.read() }.fight(hero, prize);
            xp
        }

        // The same, but the arena's failure is counted and forgiven. Returns its last felt.
        fn try_adventure(ref self: ContractState, prize: u128) -> felt252 {
            let hero = get_caller_address();
            self.gain(hero, 1);
            let mut calldata = ArrayTrait::new();
            calldata.append(contract_address_to_felt252(hero));
            calldata.append(prize.into());
            // The selector of fight.
            let fight = 0x109b5ef86c19a8782a3f7620dc7d11b51db5de74c78edbbe6f470651b0357da;
            self.attempt(self.arena.read(), fight, calldata)
        }

        fn try_call(
            ref self: ContractState, contract: ContractAddress, selector: felt252, calldata: Array<felt252>
        ) -> felt252 {
            self.attempt(contract, selector, calldata)
        }

        fn gamble(ref self: ContractState, sides: felt252) -> felt252 {
            IDiceLibraryDispatcher { class_hash: self.dice.read() }.roll(sides)
        }

        fn try_library(ref self: ContractState, selector: felt252) -> felt252 {
            match library_call_syscall(self.dice.read(), selector, ArrayTrait::new().span()) {
                Result::Ok(_) => 1,
                Result::Err(reason) => {
                    self.failures.write(self.failures.read() + 1);
                    *reason.span().at(reason.len() - 1)
                },
            }
        }

        // What a contract is told, hashed, so that nothing of it can be another.
        fn look(ref self: ContractState) -> felt252 {
            let block = get_block_info().unbox();
            let tx = get_tx_info().unbox();
            let mut all = ArrayTrait::new();
            all.append(self.seen.read());
            all.append(block.block_number.into());
            all.append(block.block_timestamp.into());
            all.append(contract_address_to_felt252(block.sequencer_address));
            all.append(tx.version);
            all.append(contract_address_to_felt252(tx.account_contract_address));
            all.append(tx.max_fee.into());
            all.append(tx.signature.len().into());
            all.append(tx.transaction_hash);
            all.append(tx.chain_id);
            all.append(tx.nonce);
            all.append(contract_address_to_felt252(get_caller_address()));
            all.append(contract_address_to_felt252(get_contract_address()));
            let seen = poseidon::poseidon_hash_span(all.span());
            self.seen.write(seen);
            seen
        }

        // Uses gas.
        fn burn(ref self: ContractState, rounds: felt252) -> felt252 {
            let mut left = rounds;
            loop {
                if left == 0 {
                    break 0;
                }
                self.rolls.write(left);
                left -= 1;
            }
        }

        fn doom(ref self: ContractState) {
            self.failures.write(self.failures.read() + 1);
            assert(1 == 2, 'doom');
        }

        fn finish(ref self: ContractState) {
            assert(get_caller_address() == self.master.read(), 'not the master');
            self.ended.write(1);
            self.emit(Event::Finished(Finished {}));
        }
    }

    #[generate_trait]
    impl Inside of InsideTrait {
        fn gain(ref self: ContractState, hero: ContractAddress, points: u128) -> u128 {
            let xp = self.xp.read(hero) + points;
            self.xp.write(hero, xp);
            self.emit(Event::Gained(Gained { hero: hero, xp: xp }));
            xp
        }

        fn attempt(
            ref self: ContractState, contract: ContractAddress, selector: felt252, calldata: Array<felt252>
        ) -> felt252 {
            match call_contract_syscall(contract, selector, calldata.span()) {
                Result::Ok(_) => 1,
                Result::Err(reason) => {
                    self.failures.write(self.failures.read() + 1);
                    *reason.span().at(reason.len() - 1)
                },
            }
        }
    }
}
