// Sessions: which keys may call what in an account's name, and until when.
//
// An account calls `open` in a transaction of its own; the shard's program looks up in this storage whether a session call may happen. The slot that
// it reads is the usual one of `allowed`, and the class hash of this contract is a constant of that program: a changed line here is another program.
#[starknet::interface]
trait ISessions<T> {
    fn open(ref self: T, key: felt252, expires: u64, contracts: Array<felt252>, selectors: Array<felt252>);
    fn close(ref self: T, key: felt252, contracts: Array<felt252>, selectors: Array<felt252>);
    fn expires(self: @T, account: felt252, key: felt252, contract: felt252, selector: felt252) -> u64;
}

#[starknet::contract]
mod Sessions {
    use array::ArrayTrait;
    use option::OptionTrait;
    use starknet::{contract_address_to_felt252, get_caller_address, get_contract_address};

    #[storage]
    struct Storage {
        // By (account, key, contract, selector): the time, in seconds since the Unix epoch, from which the key may not call it any more.
        allowed: LegacyMap<(felt252, felt252, felt252, felt252), u64>,
    }

    #[event]
    #[derive(Drop, starknet::Event)]
    enum Event {
        Allowed: Allowed,
    }

    // A key may call this until then; zero: not any more.
    #[derive(Drop, starknet::Event)]
    struct Allowed {
        #[key]
        account: felt252,
        #[key]
        key: felt252,
        contract: felt252,
        selector: felt252,
        expires: u64,
    }

    #[external(v0)]
    impl Sessions of super::ISessions<ContractState> {
        // Allows a key to call, in the caller's name, each of these contracts' selectors. What was allowed before and isn't listed stays.
        fn open(
            ref self: ContractState,
            key: felt252,
            expires: u64,
            contracts: Array<felt252>,
            selectors: Array<felt252>
        ) {
            assert(key != 0, 'no key');
            self.allow(key, expires, contracts, selectors);
        }

        // Takes it back.
        fn close(ref self: ContractState, key: felt252, contracts: Array<felt252>, selectors: Array<felt252>) {
            self.allow(key, 0, contracts, selectors);
        }

        fn expires(
            self: @ContractState, account: felt252, key: felt252, contract: felt252, selector: felt252
        ) -> u64 {
            self.allowed.read((account, key, contract, selector))
        }
    }

    #[generate_trait]
    impl Inside of InsideTrait {
        fn allow(
            ref self: ContractState,
            key: felt252,
            expires: u64,
            mut contracts: Array<felt252>,
            mut selectors: Array<felt252>
        ) {
            assert(contracts.len() == selectors.len(), 'not as many selectors');
            let account = contract_address_to_felt252(get_caller_address());
            let this = contract_address_to_felt252(get_contract_address());
            loop {
                match contracts.pop_front() {
                    Option::Some(contract) => {
                        let selector = selectors.pop_front().unwrap();
                        // The program refuses such calls, whatever is stored.
                        assert(contract != account, 'never the account itself');
                        assert(contract != this, 'never the sessions');
                        self.allowed.write((account, key, contract, selector), expires);
                        self.emit(Event::Allowed(Allowed { account, key, contract, selector, expires }));
                    },
                    Option::None(_) => {
                        break ();
                    },
                };
            };
        }
    }
}
