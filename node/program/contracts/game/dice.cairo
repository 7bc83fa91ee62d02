// Dice: a class without a contract, for library calls. Its storage is its caller's.
#[starknet::interface]
trait IDice<T> {
    fn roll(ref self: T, sides: felt252) -> felt252;
    fn spoil(ref self: T) -> felt252;
}

#[starknet::contract]
mod Dice {
    use array::ArrayTrait;
    use starknet::{get_caller_address, get_contract_address, contract_address_to_felt252};

    #[storage]
    struct Storage {
        rolls: felt252,
    }

    #[external(v0)]
    impl Dice of super::IDice<ContractState> {
        fn roll(ref self: ContractState, sides: felt252) -> felt252 {
            let rolls = self.rolls.read() + 1;
            self.rolls.write(rolls);
            let who = contract_address_to_felt252(get_caller_address());
            let whose = contract_address_to_felt252(get_contract_address());
            let mut all = ArrayTrait::new();
            all.append(who);
            all.append(whose);
            all.append(rolls);
            all.append(sides);
            poseidon::poseidon_hash_span(all.span())
        }

        fn spoil(ref self: ContractState) -> felt252 {
            self.rolls.write(1000);
            assert(1 == 2, 'the dice broke');
            0
        }
    }
}
