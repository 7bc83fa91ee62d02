//! The answers, as the specification has them.

mod block;
mod class;
mod events;
mod state;
mod trace;
mod transaction;

pub(crate) use block::{Form, block, pre_confirmed};
pub(crate) use class::ContractClass;
pub(crate) use events::chunk;
pub(crate) use state::state_update;
pub(crate) use trace::{estimate, simulation, trace};
pub(crate) use transaction::{Transaction, receipt, status};

use crate::block::View;
use serde::Serialize;
use shardwire_model::{ShardId, Stage};

const ACCEPTED: &str = "ACCEPTED_ON_L2";
const ZERO: &str = "0x0";

/// What no other chain has: the shard, how far it is, and the operator's signed receipt of the transaction.
#[derive(Serialize)]
pub(crate) struct Shardwire {
    shard: ShardId,
    stage: Stage,
    #[serde(skip_serializing_if = "Option::is_none")]
    receipt: Option<String>,
}

impl Shardwire {
    pub(crate) fn of(view: View<'_>) -> Self {
        Self { shard: view.journal.origin().shard, stage: view.stage, receipt: None }
    }

    pub(crate) fn with(view: View<'_>, signed: &[u8]) -> Self {
        let receipt = (!signed.is_empty()).then(|| format!("0x{}", hex::encode(signed)));
        Self { receipt, ..Self::of(view) }
    }
}

/// A number as the specification has it.
pub(crate) fn number(number: u64) -> String {
    format!("{number:#x}")
}
