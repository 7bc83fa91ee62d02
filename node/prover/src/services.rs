//! What a prover serves and consumes.

use super::Prover;
use shardwire_host::Services;
use shardwire_model::Role;
use shardwire_protocols::{
    proof::{self, Proof},
    trace::Trace,
};
use shardwire_transport::{Initiator, Responder};
use std::sync::Arc;

impl Prover {
    /// Adds what a prover serves and consumes.
    pub fn services(self: &Arc<Self>, services: Services) -> Services {
        services
            .serve(
                self,
                |it, session: Responder<Proof>| async move { proof::serve(session, &it.host.identity, &*it).await },
            )
            .consume_from(Role::Operator, self, |it, session: Initiator<Trace>| async move { it.take(session).await })
    }
}
