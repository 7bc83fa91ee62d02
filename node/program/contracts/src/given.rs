//! What the program is given of a transaction, in the order of its records, and of the chains of session keys.

use crate::{
    cells::{Ids, custom, felt},
    hints::Hints,
    syscalls::frames,
    tree::{Call, Invoke, Session, Transaction},
};
use cairo_vm::{
    types::relocatable::{MaybeRelocatable, Relocatable},
    vm::{errors::hint_errors::HintError, vm_core::VirtualMachine},
};
use shardwire_model::{Felt, SessionCall};

fn cells(felts: &[Felt]) -> Vec<MaybeRelocatable> {
    felts.iter().map(|felt| (*felt).into()).collect()
}

impl Hints<'_> {
    /// Writes felts where the next array goes. Where they begin.
    fn write(&mut self, vm: &mut VirtualMachine, cells: &[MaybeRelocatable]) -> Result<Relocatable, HintError> {
        let begin = self.answers.arrays.ok_or_else(|| custom("not started"))?;
        self.answers.arrays = Some(vm.load_data(begin, cells)?);
        Ok(begin)
    }

    /// The next transaction, if the segment doesn't end here: waits until that is known.
    fn look_for_next(&mut self, vm: &VirtualMachine, ids: &Ids<'_>) -> Result<Option<Transaction>, HintError> {
        self.count(vm, ids)?;
        match self.transactions.next() {
            None if !(self.is_cut)() => {
                self.dry = true;
                Err(custom("no further transaction, and the shard has not ended"))
            }
            next => Ok(next),
        }
    }

    /// Whether the segment goes on.
    pub(crate) fn more_transactions(&mut self, vm: &mut VirtualMachine, ids: &Ids<'_>) -> Result<(), HintError> {
        self.next = self.look_for_next(vm, ids)?;
        ids.set("more", Felt::from(u64::from(self.next.is_some())), vm)
    }

    /// The next transaction. Before the first one nobody has asked whether there is one.
    pub(crate) fn next_transaction(&mut self, vm: &mut VirtualMachine, ids: &Ids<'_>) -> Result<(), HintError> {
        let next = match self.next.take() {
            None => self.look_for_next(vm, ids)?,
            known => known,
        };
        let transaction = next.ok_or_else(|| custom("a segment without a transaction"))?;
        self.taken += 1;
        self.time = transaction.time();
        self.calls_ahead.clear();
        self.first_notes.clear();
        let given = match transaction {
            Transaction::Invoke(invoke) => self.invoke(vm, invoke)?,
            Transaction::Session(session) => self.session(vm, session)?,
        };
        ids.set("given", given, vm)
    }

    fn begin(&mut self, calls: Vec<Call>) {
        for call in calls {
            frames(call, &mut self.calls_ahead);
        }
    }

    /// As `Given` has it in `program/transactions.cairo`.
    fn invoke(&mut self, vm: &mut VirtualMachine, invoke: Invoke) -> Result<Relocatable, HintError> {
        let place = self.place_of(invoke.sender)?;
        if self.nonces.insert(place, invoke.nonce + Felt::ONE).is_none() {
            self.reads.nonces.insert(place, self.snapshot.nonce(invoke.sender));
        }
        let calldata = self.write(vm, &cells(&invoke.calldata))?;
        let signature = self.write(vm, &cells(&invoke.signature))?;
        let (log, notes) = (vm.add_memory_segment(), vm.add_memory_segment());
        let record: [MaybeRelocatable; 13] = [
            Felt::ZERO.into(),
            place.into(),
            invoke.nonce.into(),
            Felt::from(invoke.bounds.l1_gas).into(),
            Felt::from(invoke.bounds.l2_gas).into(),
            Felt::from(invoke.bounds.l1_data_gas).into(),
            Felt::from(invoke.time).into(),
            calldata.into(),
            invoke.calldata.len().into(),
            signature.into(),
            invoke.signature.len().into(),
            log.into(),
            notes.into(),
        ];
        self.begin(vec![invoke.validate, invoke.execute]);
        self.write(vm, &record)
    }

    /// As `GivenCall` has it in `program/sessions.cairo`.
    fn session(&mut self, vm: &mut VirtualMachine, session: Session) -> Result<Relocatable, HintError> {
        let call = session.call;
        let (account, place) = (self.place_of(call.account.0)?, self.place_of(call.contract.0)?);
        let message = self.write(vm, &cells(&[call.previous, session.hashes.permission.0]))?;
        self.write(vm, &cells(&call.calldata))?;
        let (log, notes) = (vm.add_memory_segment(), vm.add_memory_segment());
        let record: [MaybeRelocatable; 9] = [
            call.key.into(),
            account.into(),
            place.into(),
            call.selector.into(),
            Felt::from(session.time).into(),
            message.into(),
            call.calldata.len().into(),
            log.into(),
            notes.into(),
        ];
        self.chains.signatures.insert(call.key, call.signature);
        self.counter.blakes += (call.calldata.len() as u64 + 2) / 2 + 1;
        self.begin(vec![session.execute]);
        self.write(vm, &record)
    }

    /// How far a key's chain was before this access to it.
    pub(crate) fn last_link(&mut self, vm: &mut VirtualMachine, ids: &Ids<'_>) -> Result<(), HintError> {
        let access = ids.pointer("chains", vm)?;
        let key = felt(vm, access, 0)?;
        let before = match self.chains.accesses.insert(key, access) {
            Some(last) => vm.get_relocatable((last + 2)?)?,
            None => match self.chains.records.get(&key) {
                Some(record) => *record,
                None => {
                    let first = SessionCall::first_link(self.start.chain_id(), key);
                    self.write(vm, &cells(&[first, Felt::ZERO]))?
                }
            },
        };
        vm.insert_value((access + 1)?, before)?;
        Ok(())
    }

    /// The newest signature of a key.
    pub(crate) fn last_signature(&self, vm: &mut VirtualMachine, ids: &Ids<'_>) -> Result<(), HintError> {
        let signature = self.chains.signatures.get(&ids.felt("key", vm)?);
        let signature = signature.ok_or_else(|| custom("a key that signed nothing"))?;
        ids.set("r", signature.r, vm)?;
        ids.set("s", signature.s, vm)
    }
}
