//! The program, for a node's list of programs.

use crate::{
    Grounds, Segments,
    admission::ContractsAdmission,
    budget::{Limits, Meters, ShardBudget},
    geneses::is_of_this_machine,
    grounds::Found,
};
use shardwire_contracts::{Class, Opening, ReplayError, Spent, tree};
use shardwire_model::{Coded, ContractId, Felt, Key, Logged, ShardStart, StartError, Terms};
use shardwire_native::{GroundError, Native};
use shardwire_program::{Admission, Cutter, ExecuteError, Execution, Program, Sink};
use std::{cell::RefCell, sync::Arc};

const NAME: &str = "contracts";

/// The program of real Starknet contracts. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Contracts {
    grounds: Arc<Grounds>,
    meters: Arc<Meters>,
    limits: Limits,
}

impl Contracts {
    /// The program, with these states that shards begin from. What is added to them later is found, too.
    #[must_use]
    pub fn new(grounds: Arc<Grounds>) -> Self {
        Self::with_limits(grounds, Limits::DEFAULT)
    }

    /// The same, for provers that take so much.
    #[must_use]
    pub fn with_limits(grounds: Arc<Grounds>, limits: Limits) -> Self {
        Self { grounds, meters: Arc::default(), limits }
    }

    /// A shard before its first transaction. Reads and compiles what it begins from where no other shard has it: call it on a thread that may wait.
    ///
    /// # Errors
    /// [`ExecuteError::Terms`], [`ExecuteError::Start`]; [`ExecuteError::Other`] if what it begins from isn't here or isn't what the start data says;
    /// [`ExecuteError::Unable`] if this machine can't read it.
    pub fn open(&self, start: &ShardStart, values: &[Felt]) -> Result<Native, ExecuteError> {
        Ok(self.begun(start, values)?.native)
    }

    /// The same, to show it to visitors: what they ask for leaves room for the shard.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_shown(&self, start: &ShardStart, values: &[Felt]) -> Result<Native, ExecuteError> {
        let Opened { native, found } = self.begun(start, values)?;
        Ok(match found.forked {
            Some(forked) => native.over(forked.shown()),
            None => native,
        })
    }

    fn begun(&self, start: &ShardStart, values: &[Felt]) -> Result<Opened, ExecuteError> {
        let Terms::Contracts(terms) = &start.terms else { return Err(ExecuteError::Terms { program: NAME }) };
        let ordered = start.for_contracts().map_err(StartError::from)?;
        let found = self.grounds.begin(terms, &ordered).map_err(|error| cannot(error.is_of_this_machine(), error))?;
        let native = Native::open(found.ground.clone(), &ordered, values);
        let native = native.map_err(|error| cannot(is_of_this_machine(&error), error))?;
        Ok(Opened { native, found })
    }
}

/// A shard before its first transaction, and what it begins from.
pub(crate) struct Opened {
    pub(crate) native: Native,
    pub(crate) found: Found,
}

/// Why a shard can't be executed: because of what it is, or because of this machine.
pub(crate) fn cannot(of_this_machine: bool, error: impl Coded + Send + Sync + 'static) -> ExecuteError {
    match of_this_machine {
        true => ExecuteError::Unable(Box::new(error)),
        false => ExecuteError::Other(Box::new(error)),
    }
}

/// The state that a run begins from.
pub(crate) struct First<'a> {
    native: &'a Native,
    /// What couldn't be read: the run is worth nothing then.
    failed: RefCell<Option<GroundError>>,
}

impl<'a> First<'a> {
    pub(crate) fn of(native: &'a Native) -> Self {
        Self { native, failed: RefCell::default() }
    }

    /// What couldn't be read, if anything.
    pub(crate) fn failure(&self) -> Option<GroundError> {
        self.failed.take()
    }

    fn read<T: Default>(&self, value: Result<T, GroundError>) -> T {
        value.unwrap_or_else(|error| {
            self.failed.replace(Some(error));
            T::default()
        })
    }
}

impl tree::Snapshot for First<'_> {
    fn storage(&self, contract: Felt, key: Felt) -> Felt {
        self.read(self.native.first_storage_at(ContractId(contract), Key(key)))
    }

    fn nonce(&self, account: Felt) -> Felt {
        self.read(self.native.nonce_at(ContractId(account))).into()
    }
}

/// What the proving machine runs of each class.
pub(crate) fn classes(native: &Native) -> Result<Vec<Class>, ExecuteError> {
    let class = |hash: Felt| {
        let class = native
            .class(hash)
            .map_err(|error| cannot(true, error))?
            .ok_or_else(|| vm(&format!("class {hash:#x} is gone")))?;
        let casm = serde_json::to_vec(class.casm()).map_err(|error| vm(&error.to_string()))?;
        Class::from_casm(hash, &casm).map_err(|error| cannot(false, error))
    };
    native.start().classes.iter().map(|pair| class(pair.class_hash)).collect()
}

fn vm(what: &str) -> ExecuteError {
    ExecuteError::Vm(what.to_owned())
}

impl Program for Contracts {
    fn name(&self) -> &'static str {
        NAME
    }

    fn hash(&self) -> Felt {
        shardwire_contracts::hash()
    }

    fn admission(&self, start: ShardStart, values: &[Felt]) -> Result<Box<dyn Admission>, ExecuteError> {
        let opened = self.begun(&start, values)?;
        let opening = Opening::of(opened.native.start(), &classes(&opened.native)?);
        let budget = ShardBudget::new(opening, self.meters.of(start.shard), self.limits);
        Ok(Box::new(ContractsAdmission::new(start, opened, budget)))
    }

    fn execute(
        &self,
        start: &ShardStart,
        values: &[Felt],
        transactions: &mut dyn Iterator<Item = Logged>,
        sink: &mut Sink<'_>,
    ) -> Result<Execution, ExecuteError> {
        let meter = self.meters.of(start.shard);
        execute_from(self.open(start, values)?, transactions, &mut |spent| meter.take(0, spent), sink)
    }

    fn execute_in_segments(
        &self,
        start: &ShardStart,
        values: &[Felt],
        transactions: &mut dyn Iterator<Item = Logged>,
        cut: &mut Cutter<'_>,
        sink: &mut Sink<'_>,
    ) -> Result<Execution, ExecuteError> {
        let meter = self.meters.of(start.shard);
        let mut segments = Segments::of(self.open(start, values)?, self.limits, transactions)?;
        loop {
            let number = segments.number();
            let ended = segments.next(&mut |spent| meter.take(number, spent), sink)?.ok_or(ExecuteError::Dry)?;
            if ended.output.ended {
                return Ok(ended);
            }
            cut(ended)?;
        }
    }
}

/// As [`Program::execute`], for a shard before its first transaction, whatever its state was read from. What the run read is in its output, so a state that isn't the
/// one of the start data gives a run that no settler believes. `told` is what the run has cost before each transaction.
///
/// # Errors
/// As [`Program::execute`].
pub fn execute_from(
    native: Native,
    transactions: &mut dyn Iterator<Item = Logged>,
    told: &mut dyn FnMut(Spent),
    sink: &mut Sink<'_>,
) -> Result<Execution, ExecuteError> {
    // Nothing is more than a proof without bounds takes: the first segment is the run.
    let limits = Limits { proof_bytes: u64::MAX, segments: 1 };
    Segments::of(native, limits, transactions)?.next(told, sink)?.ok_or(ExecuteError::Dry)
}

pub(crate) fn run_error(error: ReplayError) -> ExecuteError {
    match error {
        ReplayError::Start(error) => ExecuteError::Start(error.into()),
        ReplayError::Program { started, this } => ExecuteError::Program { started, this },
        ReplayError::Dry => ExecuteError::Dry,
        ReplayError::Broken { transaction, reason } => ExecuteError::Broken { transaction, reason },
        ReplayError::TooLong => ExecuteError::TooLong,
        ReplayError::Vm(what) => ExecuteError::Vm(what),
        ReplayError::Sink(error) => ExecuteError::Sink(error),
        error @ (ReplayError::Class { .. } | ReplayError::Sessions(_)) => cannot(false, error),
    }
}
