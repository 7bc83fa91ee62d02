//! What an operator serves and consumes.

use super::Operator;
use shardwire_host::Services;
use shardwire_model::Role;
use shardwire_protocols::{
    handoff::Handoff,
    ingress::{self, Ingress},
    trace::{self, Trace},
};
use shardwire_transport::{Initiator, Responder};
use std::sync::Arc;

impl Operator {
    /// Adds what an operator serves and consumes.
    pub fn services(self: &Arc<Self>, services: Services) -> Services {
        services
            .serve(self, |it, session: Responder<Trace>| async move { trace::serve(session, &*it).await })
            .serve(self, |it, session: Responder<Ingress>| async move {
                ingress::serve(session, &*it, &it.host.identity).await
            })
            .consume_from(
                Role::Settler,
                self,
                |it, session: Initiator<Handoff>| async move { it.follow(session).await },
            )
    }
}
