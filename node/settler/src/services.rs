//! What a settler serves and consumes.

use super::Settler;
use shardwire_host::Services;
use shardwire_model::Role;
use shardwire_protocols::{
    handoff::{self, Handoff},
    proof::Proof,
};
use shardwire_transport::{Initiator, Responder};
use std::sync::Arc;

impl Settler {
    /// Adds what a settler serves and consumes.
    pub fn services(self: &Arc<Self>, services: Services) -> Services {
        services
            .serve(self, |it, session: Responder<Handoff>| async move { handoff::serve(session, &*it).await })
            .consume_from(Role::Prover, self, |it, session: Initiator<Proof>| async move { it.collect(session).await })
    }
}
