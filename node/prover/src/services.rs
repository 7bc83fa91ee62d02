//! What a prover serves and consumes.

use super::{Prover, hand::PLACES};
use shardwire_host::Services;
use shardwire_model::Role;
use shardwire_protocols::{
    proof::{self, Proof},
    trace::Trace,
};
use shardwire_transport::{Connection, Responder};
use std::sync::Arc;

/// Sessions with an operator: one for each job in hand, and one that asks.
pub(super) const SESSIONS: usize = PLACES + 1;

impl Prover {
    /// Adds what a prover serves and consumes.
    pub fn services(self: &Arc<Self>, services: Services) -> Services {
        services
            .serve(
                self,
                |it, session: Responder<Proof>| async move { proof::serve(session, &it.host.identity, &*it).await },
            )
            .consume_in_sessions::<Trace, _, _>(
                Role::Operator,
                SESSIONS,
                self,
                |it, connection: Connection| async move { it.work_for(&connection).await },
            )
    }
}
