// A contract that does what its caller writes down: for tests of execution, by hand and at random. It is an account, too.
//
// A script is a list of operations; what they find adds up in a sum, which is returned:
//   0 key                        read a slot
//   1 key value                  write a slot
//   2 key value                  write the sum and a value to a slot
//   3 n keys… m data…            emit an event
//   4 contract caught n script…  have a contract run a script; a failure is caught if `caught` isn't 0
//   5 class caught n script…     the same by a class, on this contract's storage
//   6 reason                     panic
//   7                            caller, block, time, transaction hash, nonce and chain id
//   8 n                          go round n times
//   9 keys data                  emit an event with that many keys and data
//   10 which                     a system call that no proof covers: 0 keccak, 1 message, 2 deploy, 3 replace class, 4 block hash
//   11 contract selector caught  call an entry point without arguments
//   12                           have this contract call itself for ever
#[starknet::contract]
mod Probe {
    use array::{ArrayTrait, SpanTrait};
    use box::BoxTrait;
    use ecdsa::check_ecdsa_signature;
    use integer::u64_try_from_felt252;
    use option::OptionTrait;
    use serde::Serde;
    use starknet::{
        ContractAddress, SyscallResult, class_hash_try_from_felt252,
        contract_address_to_felt252, contract_address_try_from_felt252, get_contract_address, get_execution_info,
        storage_access::storage_address_try_from_felt252,
        syscalls::{
            call_contract_syscall, deploy_syscall, emit_event_syscall, get_block_hash_syscall, keccak_syscall,
            library_call_syscall, replace_class_syscall, send_message_to_l1_syscall, storage_read_syscall,
            storage_write_syscall
        },
    };
    use traits::{Into, TryInto};
    use zeroable::Zeroable;

    #[derive(Drop, Serde)]
    struct Call {
        to: ContractAddress,
        selector: felt252,
        calldata: Array<felt252>,
    }

    #[storage]
    struct Storage {
        // The key that transactions are signed with; none is needed if it is zero.
        public_key: felt252,
        // What validation does: 0 accept, 1 panic, 2 answer something else, 3 go round for ever, 4 write a slot and accept.
        manner: felt252,
    }

    // The selector of `run`.
    const RUN: felt252 = 0x17655d3ec0a25c443f877d52bb6b36e9e6aaf8fbeb43608c3b9423bdc0822be;

    #[external(v0)]
    fn __validate__(ref self: ContractState, calls: Array<Call>) -> felt252 {
        let manner = self.manner.read();
        if manner == 1 {
            panic_with_felt252('not today');
        }
        if manner == 2 {
            return 'MAYBE';
        }
        if manner == 3 {
            let mut rounds = 1;
            loop {
                if rounds == 0 {
                    break;
                }
                rounds += 1;
            };
        }
        if manner == 4 {
            write(77, read(77) + 1);
        }
        let key = self.public_key.read();
        if key != 0 {
            let info = get_execution_info().unbox().tx_info.unbox();
            let signature = info.signature;
            assert(signature.len() == 2, 'signature length');
            assert(
                check_ecdsa_signature(info.transaction_hash, key, *signature.at(0), *signature.at(1)), 'signature'
            );
        }
        'VALID'
    }

    #[external(v0)]
    fn __execute__(ref self: ContractState, mut calls: Array<Call>) -> Array<Span<felt252>> {
        let mut answers = ArrayTrait::new();
        loop {
            match calls.pop_front() {
                Option::Some(call) => {
                    let Call{to, selector, calldata } = call;
                    answers.append(call_contract_syscall(to, selector, calldata.span()).unwrap_syscall());
                },
                Option::None => {
                    break;
                },
            };
        };
        answers
    }

    #[external(v0)]
    fn run(ref self: ContractState, script: Array<felt252>) -> felt252 {
        let mut script = script.span();
        let mut sum = 0;
        loop {
            let operation = match script.pop_front() {
                Option::Some(operation) => *operation,
                Option::None => {
                    break;
                },
            };
            if operation == 0 {
                sum += read(next(ref script));
            } else if operation == 1 {
                let key = next(ref script);
                write(key, next(ref script));
            } else if operation == 2 {
                let key = next(ref script);
                sum += next(ref script);
                write(key, sum);
            } else if operation == 3 {
                let keys = some(ref script);
                let data = some(ref script);
                emit_event_syscall(keys, data).unwrap_syscall();
            } else if operation == 4 {
                let contract = address(next(ref script));
                let caught = next(ref script);
                let arguments = passed(ref script);
                sum += answer(call_contract_syscall(contract, RUN, arguments), caught);
            } else if operation == 5 {
                let class = class_hash_try_from_felt252(next(ref script)).unwrap();
                let caught = next(ref script);
                let arguments = passed(ref script);
                sum += answer(library_call_syscall(class, RUN, arguments), caught);
            } else if operation == 6 {
                panic_with_felt252(next(ref script));
            } else if operation == 7 {
                let info = get_execution_info().unbox();
                let block = info.block_info.unbox();
                let tx = info.tx_info.unbox();
                sum += contract_address_to_felt252(info.caller_address)
                    + contract_address_to_felt252(info.contract_address)
                    + block.block_number.into()
                    + 1000 * block.block_timestamp.into()
                    + tx.transaction_hash
                    + tx.nonce
                    + tx.chain_id;
            } else if operation == 8 {
                let mut rounds = next(ref script);
                loop {
                    if rounds == 0 {
                        break;
                    }
                    rounds -= 1;
                };
            } else if operation == 9 {
                let keys = many(next(ref script));
                let data = many(next(ref script));
                emit_event_syscall(keys, data).unwrap_syscall();
            } else if operation == 10 {
                sum += unproven(next(ref script));
            } else if operation == 11 {
                let contract = address(next(ref script));
                let selector = next(ref script);
                let caught = next(ref script);
                sum += answer(call_contract_syscall(contract, selector, ArrayTrait::new().span()), caught);
            } else if operation == 12 {
                let mut arguments = ArrayTrait::new();
                arguments.append(1);
                arguments.append(12);
                sum += answer(call_contract_syscall(get_contract_address(), RUN, arguments.span()), 0);
            } else {
                panic_with_felt252('no such operation');
            };
        };
        sum
    }

    fn next(ref script: Span<felt252>) -> felt252 {
        *script.pop_front().expect('script too short')
    }

    // A list with its length before it.
    fn some(ref script: Span<felt252>) -> Span<felt252> {
        let mut left = next(ref script);
        let mut list = ArrayTrait::new();
        loop {
            if left == 0 {
                break;
            }
            list.append(next(ref script));
            left -= 1;
        };
        list.span()
    }

    // The same as one passes it to `run`.
    fn passed(ref script: Span<felt252>) -> Span<felt252> {
        let mut left = next(ref script);
        let mut list = ArrayTrait::new();
        list.append(left);
        loop {
            if left == 0 {
                break;
            }
            list.append(next(ref script));
            left -= 1;
        };
        list.span()
    }

    fn many(mut left: felt252) -> Span<felt252> {
        let mut list = ArrayTrait::new();
        loop {
            if left == 0 {
                break;
            }
            list.append(left);
            left -= 1;
        };
        list.span()
    }

    fn address(felt: felt252) -> ContractAddress {
        contract_address_try_from_felt252(felt).unwrap()
    }

    // The first felt of an answer; of a failure that is caught, its first and last.
    fn answer(result: SyscallResult<Span<felt252>>, caught: felt252) -> felt252 {
        match result {
            Result::Ok(returned) => if returned.len() == 0 {
                0
            } else {
                *returned.at(0)
            },
            Result::Err(reason) => {
                let both = *reason.at(0) + *reason.at(reason.len() - 1);
                if caught == 0 {
                    panic(reason);
                }
                both
            },
        }
    }

    fn read(key: felt252) -> felt252 {
        storage_read_syscall(0, storage_address_try_from_felt252(key).unwrap()).unwrap_syscall()
    }

    fn write(key: felt252, value: felt252) {
        storage_write_syscall(0, storage_address_try_from_felt252(key).unwrap(), value).unwrap_syscall()
    }

    fn unproven(which: felt252) -> felt252 {
        if which == 0 {
            let mut words = ArrayTrait::new();
            let mut left = 17;
            loop {
                if left == 0 {
                    break;
                }
                words.append(1_u64);
                left -= 1;
            };
            keccak_syscall(words.span()).unwrap_syscall().low.into()
        } else if which == 1 {
            send_message_to_l1_syscall(1, ArrayTrait::new().span()).unwrap_syscall();
            0
        } else if which == 2 {
            let class = class_hash_try_from_felt252(read('class')).unwrap();
            let (contract, _) = deploy_syscall(class, 0, ArrayTrait::new().span(), false).unwrap_syscall();
            contract_address_to_felt252(contract)
        } else if which == 3 {
            replace_class_syscall(class_hash_try_from_felt252(read('class')).unwrap()).unwrap_syscall();
            0
        } else {
            get_block_hash_syscall(0).unwrap_syscall()
        }
    }
}
