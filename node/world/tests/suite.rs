//! The embedded World passes what every World has to.

use redb::backends::InMemoryBackend;
use shardwire_store::Work;
use shardwire_world::{
    EmbeddedLedger, EmbeddedWorld, World,
    suite::{Setup, histories, vectors},
};
use std::sync::Arc;

fn embedded(Setup { identity, genesis, clock }: Setup) -> Arc<dyn World> {
    let ledger = EmbeddedLedger::create_with_backend(InMemoryBackend::new(), &identity, &genesis).unwrap();
    Arc::new(EmbeddedWorld::new(ledger, clock, Work::AtOnce))
}

#[tokio::test]
async fn every_vector_ends_as_written() {
    vectors(&embedded).await;
}

#[tokio::test]
async fn random_histories_go_as_in_the_model() {
    histories(&embedded, 0..100).await;
}
