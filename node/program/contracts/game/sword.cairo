// Sword: each exists once, and has one owner.
#[starknet::interface]
trait ISword<T> {
    fn owner_of(self: @T, sword: felt252) -> starknet::ContractAddress;
    fn give(ref self: T, sword: felt252, to: starknet::ContractAddress);
}

#[starknet::contract]
mod Sword {
    use starknet::{ContractAddress, get_caller_address};

    #[storage]
    struct Storage {
        owners: LegacyMap<felt252, ContractAddress>,
    }

    #[event]
    #[derive(Drop, starknet::Event)]
    enum Event {
        Given: Given,
    }

    #[derive(Drop, starknet::Event)]
    struct Given {
        #[key]
        sword: felt252,
        from: ContractAddress,
        to: ContractAddress,
    }

    #[external(v0)]
    impl Sword of super::ISword<ContractState> {
        fn owner_of(self: @ContractState, sword: felt252) -> ContractAddress {
            self.owners.read(sword)
        }

        fn give(ref self: ContractState, sword: felt252, to: ContractAddress) {
            let from = get_caller_address();
            assert(self.owners.read(sword) == from, 'not the owner');
            self.owners.write(sword, to);
            self.emit(Event::Given(Given { sword: sword, from: from, to: to }));
        }
    }
}
