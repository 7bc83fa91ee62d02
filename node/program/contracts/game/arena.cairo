// Arena: fights for gold that the arena pays out.
#[starknet::interface]
trait IGold<T> {
    fn transfer(ref self: T, recipient: starknet::ContractAddress, amount: u256) -> bool;
}

#[starknet::interface]
trait IArena<T> {
    fn fight(ref self: T, hero: starknet::ContractAddress, prize: u128) -> u128;
    fn fights(self: @T) -> u128;
}

#[starknet::contract]
mod Arena {
    use super::{IGoldDispatcher, IGoldDispatcherTrait};
    use starknet::{ContractAddress, get_caller_address};
    use traits::Into;

    #[storage]
    struct Storage {
        gold: ContractAddress,
        fights: u128,
        wins: LegacyMap<ContractAddress, u128>,
    }

    #[event]
    #[derive(Drop, starknet::Event)]
    enum Event {
        Fought: Fought,
    }

    #[derive(Drop, starknet::Event)]
    struct Fought {
        #[key]
        hero: ContractAddress,
        prize: u128,
    }

    #[external(v0)]
    impl Arena of super::IArena<ContractState> {
        // Whoever can't be paid has not fought.
        fn fight(ref self: ContractState, hero: ContractAddress, prize: u128) -> u128 {
            self.fights.write(self.fights.read() + 1);
            let wins = self.wins.read(hero) + 1;
            self.wins.write(hero, wins);
            self.emit(Event::Fought(Fought { hero: hero, prize: prize }));
            IGoldDispatcher { contract_address: self.gold.read() }.transfer(hero, prize.into());
            wins
        }

        fn fights(self: @ContractState) -> u128 {
            self.fights.read()
        }
    }
}
