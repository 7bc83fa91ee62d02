//! What an execution did.

use blockifier::execution::call_info::CallInfo;
use shardwire_model::{
    Felt,
    execution::{Diff, Event, Gas, Status},
};

/// All that an execution found.
#[derive(Debug)]
pub struct Outcome {
    /// Whether it stands.
    pub status: Status,
    /// The events of what stands, in order.
    pub events: Vec<Event>,
    /// What `__execute__`, or the call of a session, returned or panicked with.
    pub returned: Vec<Felt>,
    /// The gas.
    pub gas: Gas,
    /// What changed.
    pub diff: Diff,
    /// The calls of `__validate__`, unless it was left out or it is a session's.
    pub(crate) validate: Option<CallInfo>,
    /// The calls of `__execute__`, or of the session, whether it stands or not.
    pub(crate) execute: CallInfo,
}
