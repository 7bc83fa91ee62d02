// Account: one key signs its transactions.
use starknet::account::Call;

#[starknet::interface]
trait IAccount<T> {
    fn __validate__(self: @T, calls: Array<Call>) -> felt252;
    fn __execute__(ref self: T, calls: Array<Call>) -> Array<Span<felt252>>;
    fn is_valid_signature(self: @T, hash: felt252, signature: Array<felt252>) -> felt252;
    fn public_key(self: @T) -> felt252;
}

#[starknet::contract]
mod Account {
    use array::{ArrayTrait, SpanTrait};
    use box::BoxTrait;
    use ecdsa::check_ecdsa_signature;
    use option::OptionTrait;
    use super::Call;
    use starknet::syscalls::call_contract_syscall;
    use starknet::{get_caller_address, get_tx_info};
    use zeroable::Zeroable;

    // 2^128 + 3: what a wallet signs that only asks what a transaction would do. It can't be submitted.
    const QUERY: felt252 = 0x100000000000000000000000000000003;

    #[storage]
    struct Storage {
        public_key: felt252,
    }

    #[external(v0)]
    impl Account of super::IAccount<ContractState> {
        fn __validate__(self: @ContractState, calls: Array<Call>) -> felt252 {
            let tx = get_tx_info().unbox();
            assert(self.signed(tx.transaction_hash, tx.signature), 'invalid signature');
            starknet::VALIDATED
        }

        fn __execute__(ref self: ContractState, mut calls: Array<Call>) -> Array<Span<felt252>> {
            assert(get_caller_address().is_zero(), 'not from outside');
            let version = get_tx_info().unbox().version;
            assert(version == 3 || version == QUERY, 'not version 3');
            let mut answers = ArrayTrait::new();
            loop {
                match calls.pop_front() {
                    Option::Some(call) => {
                        let Call{to, selector, calldata } = call;
                        match call_contract_syscall(to, selector, calldata.span()) {
                            Result::Ok(answer) => answers.append(answer),
                            Result::Err(reason) => panic(reason),
                        };
                    },
                    Option::None(_) => {
                        break ();
                    },
                };
            };
            answers
        }

        fn is_valid_signature(self: @ContractState, hash: felt252, signature: Array<felt252>) -> felt252 {
            if self.signed(hash, signature.span()) {
                starknet::VALIDATED
            } else {
                0
            }
        }

        fn public_key(self: @ContractState) -> felt252 {
            self.public_key.read()
        }
    }

    #[generate_trait]
    impl Inside of InsideTrait {
        fn signed(self: @ContractState, hash: felt252, signature: Span<felt252>) -> bool {
            if signature.len() != 2 {
                return false;
            }
            check_ecdsa_signature(hash, self.public_key.read(), *signature.at(0), *signature.at(1))
        }
    }
}
