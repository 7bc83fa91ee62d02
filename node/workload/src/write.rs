//! Writes the file: JSON, one storage, entry, player or transaction a line, so that errors, people and `diff` can point at it.

use super::{Problem, Storage, VERSION, Workload, WorkloadError, World};
use serde::Serialize;
use shardwire_model::{AccountId, ContractId, EntryRequest, Felt, Key, Kind, amount, felt};
use std::{fmt::Write as _, path::Path};

/// `items` as the inside of a JSON list, one a line.
fn lines<T: Serialize>(items: &[T], indent: &str) -> String {
    let line = |item: &T| format!("{indent}{}", json(item));
    items.iter().map(line).collect::<Vec<_>>().join(",\n")
}

/// Types of this module, all of whose keys are texts: they always serialize.
fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// A [`Storage`]: amounts as whole numbers, what a lock guards as a felt, labels if there are any.
#[derive(Serialize)]
struct StorageForm<'a> {
    contract: ContractId,
    key: Key,
    kind: Kind,
    value: ValueForm,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    of: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum ValueForm {
    Amount(#[serde(with = "amount")] u128),
    Felt(#[serde(with = "felt::wire")] Felt),
}

impl<'a> StorageForm<'a> {
    fn of(storage: &'a Storage) -> Self {
        let Storage { contract, key, kind, value, name, of } = storage;
        let value = match u128::try_from(*value) {
            Ok(amount) if *kind != Kind::Lock => ValueForm::Amount(amount),
            _ => ValueForm::Felt(*value),
        };
        Self { contract: *contract, key: *key, kind: *kind, value, name: name.as_deref(), of: of.as_deref() }
    }
}

/// An [`EntryRequest`] without the fields that only escrows have.
#[derive(Serialize)]
struct EntryForm {
    kind: Kind,
    contract: ContractId,
    key: Key,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<AccountId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    amount: Option<AmountForm>,
}

#[derive(Serialize)]
struct AmountForm(#[serde(with = "amount")] u128);

impl EntryForm {
    fn of(entry: &EntryRequest) -> Self {
        let EntryRequest { kind, contract, key, owner, amount } = *entry;
        Self { kind, contract, key, owner, amount: (amount > 0).then_some(AmountForm(amount)) }
    }
}

impl Workload {
    /// The text of the file; [`Self::parse`] reads it back.
    #[must_use]
    pub fn to_text(&self) -> String {
        let start = &self.start;
        let mut text = String::new();
        // Writing to a String can't fail.
        let _ = write!(
            text,
            "{{\n  \"version\": {VERSION},\n  \"name\": {},\n  \"world\": {{\n    \"storage\": [\n{}\n    ]\n  }},\n  \"start\": {{\n    \
             \"salt\": {},\n{}    \"contracts\": [\n{}\n    ],\n    \"accounts\": [\n{}\n    ],\n    \"end_event\": {},\n    \"entries\": [\n{}\n    ]\n  }},\n  \
             \"players\": [\n{}\n  ],\n  \"transactions\": [\n{}\n  ]\n}}\n",
            json(&self.name),
            lines(&self.world.storage.iter().map(StorageForm::of).collect::<Vec<_>>(), "      "),
            start.salt,
            start.program.map(|program| format!("    \"program\": \"{program:#x}\",\n")).unwrap_or_default(),
            lines(&start.contracts, "      "),
            lines(&start.accounts, "      "),
            json(&start.end_event),
            lines(&start.entries.iter().map(EntryForm::of).collect::<Vec<_>>(), "      "),
            lines(&self.players, "    "),
            lines(&self.transactions, "    "),
        );
        text
    }

    /// Writes the file, readable only by its owner where the system knows that, also if it was there before: it holds the players' secrets.
    ///
    /// # Errors
    /// [`Problem::File`].
    pub fn write(&self, path: &Path) -> Result<(), WorkloadError> {
        shardwire_files::secret::write(path, self.to_text().as_bytes()).map_err(|source| WorkloadError {
            path: Some(path.into()),
            ..Problem::File { doing: "writing", source }.into()
        })
    }
}

impl World {
    /// The text with which a new ledger begins: the storage without the labels.
    #[must_use]
    pub fn to_genesis_text(&self) -> String {
        let bare = |it| StorageForm { name: None, of: None, ..StorageForm::of(it) };
        format!("{{\"storage\": [\n{}\n]}}\n", lines(&self.storage.iter().map(bare).collect::<Vec<_>>(), "  "))
    }
}
