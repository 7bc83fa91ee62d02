//! Whether a transaction fits the start data: it names what is listed, of the kind its call needs.

use super::{MAX_NAME_CHARS, Player, Problem, Start, UnsignedTransaction};
use shardwire_model::{AccountId, Call, ContractId, EntryRequest, EventId, Key, Kind, Slot, TransactionError};
use std::collections::{BTreeMap, BTreeSet};

/// What transactions may name.
pub(super) struct Listed<'a> {
    players: BTreeSet<&'a str>,
    accounts: BTreeSet<AccountId>,
    contracts: BTreeSet<ContractId>,
    entries: BTreeMap<Slot, &'a EntryRequest>,
    end: EventId,
}

impl<'a> Listed<'a> {
    pub(super) fn of(start: &'a Start, players: &'a [Player]) -> Self {
        Self {
            players: players.iter().map(|player| player.name.as_str()).collect(),
            accounts: start.accounts.iter().copied().collect(),
            contracts: start.contracts.iter().copied().collect(),
            entries: start.entries.iter().map(|entry| (entry.slot(), entry)).collect(),
            end: start.end_event,
        }
    }

    /// Refuses a transaction that names something unlisted, or something that does not fit the call.
    pub(super) fn check(&self, number: usize, transaction: &UnsignedTransaction) -> Result<(), Problem> {
        if !self.players.contains(transaction.player.as_str()) {
            let player = transaction.player.chars().take(MAX_NAME_CHARS).collect::<String>().escape_debug().to_string();
            return Err(Problem::UnknownPlayer { number, player });
        }
        let unlisted = |source| Problem::Unlisted { number, source };
        if !self.contracts.contains(&transaction.contract) {
            return Err(unlisted(TransactionError::Contract(transaction.contract)));
        }
        let misfit = |reason: String| Problem::Misfit { number, reason };
        let entry = |key: Key, kind: Kind| {
            let slot = Slot::new(transaction.contract, key);
            let Some(entry) = self.entries.get(&slot) else {
                return Err(match self.entries.values().find(|it| it.key == key) {
                    Some(it) => {
                        misfit(format!("{} {key} is of contract {}, not of the one called", it.kind, it.contract))
                    }
                    None => unlisted(TransactionError::Entry(slot)),
                });
            };
            if entry.kind != kind {
                return Err(misfit(format!("{slot} is of kind {}, the call needs kind {kind}", entry.kind)));
            }
            Ok(())
        };
        let some = |amount: u128| if amount == 0 { Err(Problem::Zero { number }) } else { Ok(()) };
        match transaction.call {
            Call::Add { counter, amount } => entry(counter, Kind::Counter).and_then(|()| some(amount)),
            Call::Spend { escrow, amount } => entry(escrow, Kind::Escrow).and_then(|()| some(amount)),
            Call::Pass { from, to, .. } if from == to => Err(misfit(format!("it passes from {from} to itself"))),
            Call::Pass { from, to, amount } => {
                entry(from, Kind::Escrow).and_then(|()| entry(to, Kind::Escrow)).and_then(|()| some(amount))
            }
            Call::Give { lock, to } => {
                entry(lock, Kind::Lock)?;
                let listed = self.accounts.contains(&to);
                if listed { Ok(()) } else { Err(unlisted(TransactionError::Account(to))) }
            }
            Call::Finish if transaction.contract != self.end.from => {
                Err(misfit("it finishes a contract which is not that of the end event".into()))
            }
            Call::Finish => Ok(()),
        }
    }
}
