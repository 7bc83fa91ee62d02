// Gold: an ERC-20-like token. Closed in a shard: its listed balances are escrows; an allowance that is to be used is a scratch key.
#[starknet::interface]
trait IGold<T> {
    fn total_supply(self: @T) -> u256;
    fn balance_of(self: @T, account: starknet::ContractAddress) -> u256;
    fn allowance(self: @T, owner: starknet::ContractAddress, spender: starknet::ContractAddress) -> u256;
    fn transfer(ref self: T, recipient: starknet::ContractAddress, amount: u256) -> bool;
    fn transfer_from(
        ref self: T,
        sender: starknet::ContractAddress,
        recipient: starknet::ContractAddress,
        amount: u256
    ) -> bool;
    fn approve(ref self: T, spender: starknet::ContractAddress, amount: u256) -> bool;
    fn mint(ref self: T, recipient: starknet::ContractAddress, amount: u256);
}

#[starknet::contract]
mod Gold {
    use starknet::{ContractAddress, get_caller_address};

    #[storage]
    struct Storage {
        minter: ContractAddress,
        supply: u256,
        balances: LegacyMap<ContractAddress, u256>,
        allowances: LegacyMap<(ContractAddress, ContractAddress), u256>,
    }

    #[event]
    #[derive(Drop, starknet::Event)]
    enum Event {
        Transfer: Transfer,
        Approval: Approval,
    }

    #[derive(Drop, starknet::Event)]
    struct Transfer {
        #[key]
        from: ContractAddress,
        #[key]
        to: ContractAddress,
        value: u256,
    }

    #[derive(Drop, starknet::Event)]
    struct Approval {
        #[key]
        owner: ContractAddress,
        #[key]
        spender: ContractAddress,
        value: u256,
    }

    #[external(v0)]
    impl Gold of super::IGold<ContractState> {
        fn total_supply(self: @ContractState) -> u256 {
            self.supply.read()
        }

        fn balance_of(self: @ContractState, account: ContractAddress) -> u256 {
            self.balances.read(account)
        }

        fn allowance(self: @ContractState, owner: ContractAddress, spender: ContractAddress) -> u256 {
            self.allowances.read((owner, spender))
        }

        fn transfer(ref self: ContractState, recipient: ContractAddress, amount: u256) -> bool {
            let sender = get_caller_address();
            self.move(sender, recipient, amount);
            true
        }

        fn transfer_from(
            ref self: ContractState, sender: ContractAddress, recipient: ContractAddress, amount: u256
        ) -> bool {
            let spender = get_caller_address();
            let allowed = self.allowances.read((sender, spender));
            assert(allowed >= amount, 'not allowed');
            self.allowances.write((sender, spender), allowed - amount);
            self.move(sender, recipient, amount);
            true
        }

        fn approve(ref self: ContractState, spender: ContractAddress, amount: u256) -> bool {
            let owner = get_caller_address();
            self.allowances.write((owner, spender), amount);
            self.emit(Event::Approval(Approval { owner: owner, spender: spender, value: amount }));
            true
        }

        fn mint(ref self: ContractState, recipient: ContractAddress, amount: u256) {
            assert(get_caller_address() == self.minter.read(), 'not the minter');
            self.supply.write(self.supply.read() + amount);
            self.balances.write(recipient, self.balances.read(recipient) + amount);
        }
    }

    #[generate_trait]
    impl Inside of InsideTrait {
        // The receiver's balance is written before the sender's is checked, so that a failure has something to undo.
        fn move(ref self: ContractState, sender: ContractAddress, recipient: ContractAddress, amount: u256) {
            self.balances.write(recipient, self.balances.read(recipient) + amount);
            let mine = self.balances.read(sender);
            assert(mine >= amount, 'not enough gold');
            self.balances.write(sender, mine - amount);
            self.emit(Event::Transfer(Transfer { from: sender, to: recipient, value: amount }));
        }
    }
}
