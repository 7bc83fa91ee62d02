//! Reads the file: JSON to a [`Workload`], each element checked where it stands, so that an error can name its line.

use super::{
    MAX_FILE_BYTES, MAX_NAME_CHARS, MAX_STORAGE, Player, Problem, Start, Storage, UnsignedTransaction, VERSION,
    Workload, WorkloadError, World, check::Listed,
};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::value::RawValue;
use shardwire_files::text::{self, TextError};
use shardwire_model::{
    AccountId, Call, ContractId, EntryRequest, EventId, Felt, Kind, MAX_ACCOUNTS, MAX_ENTRIES, MAX_TRANSACTIONS,
    PeerId, Slot, Timestamp, felt, plain::is_plain,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

/// Where in the text a value stands.
type Raw<'a> = &'a RawValue;

#[derive(Deserialize)]
struct VersionForm {
    version: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WorkloadForm<'a> {
    #[serde(borrow, rename = "version")]
    _version: Raw<'a>,
    name: String,
    #[serde(borrow)]
    world: WorldForm<'a>,
    #[serde(borrow)]
    start: Raw<'a>,
    #[serde(borrow)]
    players: Vec<Raw<'a>>,
    #[serde(borrow)]
    transactions: Vec<Raw<'a>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WorldForm<'a> {
    #[serde(borrow)]
    storage: Vec<Raw<'a>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StartForm<'a> {
    salt: u64,
    #[serde(default)]
    program: Option<ProgramForm>,
    contracts: Vec<ContractId>,
    accounts: Vec<AccountId>,
    end_event: EventId,
    #[serde(borrow)]
    entries: Vec<Raw<'a>>,
}

#[derive(Clone, Copy, Deserialize)]
struct ProgramForm(#[serde(with = "felt::wire")] Felt);

/// The text, to find lines in.
#[derive(Clone, Copy)]
struct Document<'a>(&'a str);

impl<'a> Document<'a> {
    /// Line and column (from 1) at which `part`, a slice of this text, begins.
    fn place(self, part: &str) -> (usize, usize) {
        let offset = (part.as_ptr() as usize).saturating_sub(self.0.as_ptr() as usize);
        let before = self.0.as_bytes().get(..offset).unwrap_or_default();
        let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        (1 + before.iter().filter(|byte| **byte == b'\n').count(), 1 + offset - line_start)
    }

    fn line(self, raw: Raw<'a>) -> usize {
        self.place(raw.get()).0
    }

    /// Deserializes a part of the text; `what` names it in errors.
    fn parse<T: Deserialize<'a>>(self, part: &'a str, what: &str) -> Result<T, WorkloadError> {
        let mut unknown = None;
        let mut deserializer = serde_json::Deserializer::from_str(part);
        let parsed = serde_ignored::deserialize(&mut deserializer, |path| {
            unknown.get_or_insert_with(|| path.to_string());
        })
        .and_then(|parsed: T| deserializer.end().map(|()| parsed));
        let (line, column) = self.place(part);
        match (parsed, unknown) {
            (Ok(_), Some(field)) => Err(Problem::UnknownField { what: what.into(), field }.at(line)),
            (Ok(parsed), None) => Ok(parsed),
            (Err(error), _) => {
                let text = error.to_string();
                let reason = text.rsplit_once(" at line ").map_or(text.as_str(), |(reason, _)| reason);
                let column = error.column() + if error.line() <= 1 { column - 1 } else { 0 };
                let line = line + error.line().saturating_sub(1);
                Err(Problem::Json { reason: format!("{what}: {reason}"), column }.at(line))
            }
        }
    }

    /// Like [`Self::parse`] of the whole text, but fields that nobody knows are nobody's business.
    fn parse_loosely<T: Deserialize<'a>>(self, what: &str) -> Result<T, WorkloadError> {
        serde_json::from_str(self.0).or_else(|_| self.parse(self.0, what))
    }

    fn storage(self, form: &WorldForm<'a>) -> Result<Vec<Storage>, WorkloadError> {
        count("world.storage", form.storage.len(), MAX_STORAGE)?;
        let mut seen = BTreeSet::new();
        let storage = form.storage.iter().map(|raw| {
            let storage: Storage = self.parse(raw.get(), "storage")?;
            for label in storage.name.iter().chain(&storage.of) {
                named(label, "a storage's label").map_err(|problem| problem.at(self.line(raw)))?;
            }
            if storage.kind != Kind::Lock && u128::try_from(storage.value).is_err() {
                let (kind, value) = (storage.kind, format!("{:#x}", storage.value));
                return Err(Problem::Value { kind, slot: storage.slot(), value }.at(self.line(raw)));
            }
            if !seen.insert(storage.slot()) {
                return Err(Problem::Twice { what: format!("storage {}", storage.slot()) }.at(self.line(raw)));
            }
            Ok(storage)
        });
        storage.collect()
    }

    fn start(self, raw: Raw<'a>, world: &World) -> Result<Start, WorkloadError> {
        let form: StartForm = self.parse(raw.get(), "start")?;
        count("start.entries", form.entries.len(), MAX_ENTRIES)?;
        let kinds: BTreeMap<Slot, Kind> = world.storage.iter().map(|it| (it.slot(), it.kind)).collect();
        let entry = |(index, raw): (usize, &Raw<'a>)| {
            let entry: EntryRequest = self.parse(raw.get(), "entry")?;
            let found = match kinds.get(&entry.slot()) {
                Some(kind) if *kind == entry.kind => return Ok(entry),
                Some(kind) => format!("of kind {kind}"),
                None => "missing".into(),
            };
            let described = format!("{} {}", entry.kind, entry.slot());
            Err(Problem::Entry { number: index + 1, entry: described, found }.at(self.line(raw)))
        };
        let start = Start {
            salt: form.salt,
            program: form.program.map(|it| it.0),
            contracts: form.contracts,
            accounts: form.accounts,
            end_event: form.end_event,
            entries: form.entries.iter().enumerate().map(entry).collect::<Result<_, _>>()?,
        };
        // Neither operator, program, network nor deadline decide whether the rest can be.
        let request = start.request(PeerId([0; 32]), Felt::ZERO);
        request.validate("", Timestamp::default()).map_err(|it| Problem::Start(it).at(self.line(raw)))?;
        Ok(start)
    }

    fn players(self, raws: &[Raw<'a>], start: &Start) -> Result<Vec<Player>, WorkloadError> {
        count("players", raws.len(), MAX_ACCOUNTS)?;
        let whitelist: BTreeSet<AccountId> = start.accounts.iter().copied().collect();
        let (mut names, mut accounts) = (BTreeSet::new(), BTreeSet::new());
        let player = |raw: &Raw<'a>| {
            let player: Player = self.parse(raw.get(), "player")?;
            let mut check = || {
                named(&player.name, "a player's name")?;
                let account = player.key().id();
                if !whitelist.contains(&account) {
                    return Err(Problem::Outsider { player: player.name.clone(), account: account.to_string() });
                }
                if !names.insert(player.name.clone()) || !accounts.insert(account) {
                    return Err(Problem::Twice { what: format!("player '{}' (or its secret)", player.name) });
                }
                Ok(())
            };
            check().map_err(|problem| problem.at(self.line(raw)))?;
            Ok(player)
        };
        raws.iter().map(player).collect()
    }
}

fn count(what: &'static str, got: usize, max: usize) -> Result<(), WorkloadError> {
    if (1..=max).contains(&got) { Ok(()) } else { Err(Problem::Count { what, got, max }.into()) }
}

fn named(name: &str, what: &str) -> Result<(), Problem> {
    let length = name.chars().count();
    let good = (1..=MAX_NAME_CHARS).contains(&length) && name.chars().all(is_plain);
    if good { Ok(()) } else { Err(Problem::Name { what: what.into() }) }
}

impl Workload {
    /// Reads a workload file.
    ///
    /// # Errors
    /// [`WorkloadError`], which names the [`Problem`] and its line: the [module](super) lists what is refused.
    pub fn read(path: &Path) -> Result<Self, WorkloadError> {
        let located = |error: WorkloadError| WorkloadError { path: Some(path.into()), ..error };
        Self::parse(&text_of(path).map_err(|problem| located(problem.into()))?).map_err(located)
    }

    /// Reads the text of a workload file.
    ///
    /// # Errors
    /// [`WorkloadError`], which names the [`Problem`] and its line: the [module](super) lists what is refused.
    pub fn parse(text: &str) -> Result<Self, WorkloadError> {
        let document = Document(text);
        // The version first: a file of another version may well have other fields.
        match document.parse_loosely::<VersionForm>("workload")?.version {
            VERSION => {}
            other => return Err(Problem::Version(other).into()),
        }
        let form: WorkloadForm = document.parse(text, "workload")?;
        named(&form.name, "the workload's name")?;
        let world = World { storage: document.storage(&form.world)? };
        let start = document.start(form.start, &world)?;
        let players = document.players(&form.players, &start)?;
        count("transactions", form.transactions.len(), MAX_TRANSACTIONS as usize)?;
        let listed = Listed::of(&start, &players);
        let mut ended = false;
        let transaction = |(index, raw): (usize, &Raw)| {
            let number = index + 1;
            let transaction: UnsignedTransaction = document.parse(raw.get(), "transaction")?;
            let fits = if ended { Err(Problem::AfterEnd { number }) } else { listed.check(number, &transaction) };
            fits.map_err(|problem| problem.at(document.line(raw)))?;
            ended = transaction.call == Call::Finish;
            Ok(transaction)
        };
        let transactions =
            form.transactions.iter().enumerate().map(transaction).collect::<Result<_, WorkloadError>>()?;
        Ok(Self { name: form.name, world, start, players, transactions })
    }
}

impl World {
    /// Reads a World's first storage: a file `{"storage": […]}`, or a whole workload file.
    ///
    /// # Errors
    /// [`WorkloadError`], which names the [`Problem`] and its line: the [module](super) lists what is refused.
    pub fn read(path: &Path) -> Result<Self, WorkloadError> {
        let located = |error: WorkloadError| WorkloadError { path: Some(path.into()), ..error };
        Self::parse(&text_of(path).map_err(|problem| located(problem.into()))?).map_err(located)
    }

    /// Reads the text of such a file.
    ///
    /// # Errors
    /// [`WorkloadError`], which names the [`Problem`] and its line: the [module](super) lists what is refused.
    pub fn parse(text: &str) -> Result<Self, WorkloadError> {
        #[derive(Deserialize)]
        struct Probe {
            world: Option<IgnoredAny>,
        }
        let document = Document(text);
        if document.parse_loosely::<Probe>("world")?.world.is_some() {
            return Workload::parse(text).map(|workload| workload.world);
        }
        let storage = document.storage(&document.parse(text, "world")?)?;
        Ok(Self { storage })
    }
}

fn text_of(path: &Path) -> Result<String, Problem> {
    text::read(path, MAX_FILE_BYTES).map_err(|error| match error {
        TextError::Unreadable(source) => Problem::File { doing: "reading", source },
        TextError::TooLarge { .. } => Problem::TooLarge,
        TextError::NotText(reason) => Problem::NotText(reason),
    })
}
