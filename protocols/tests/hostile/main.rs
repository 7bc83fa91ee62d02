//! Every protocol, in every state of both its sides, against every misbehaviour: generated from the protocol's graph, so a new
//! protocol is covered by being in the catalogue.
//!
//! [`route`] finds how to get into each state, [`attack`] says what a hostile peer may do there and what must come of it,
//! [`case`] drives an honest session there, lets the peer misbehave, and looks. For each case: the session ends, at the moment
//! that its limit says (time is virtual), with protocol, state, kind and fault; what it held stays within [`case::bound`], as the
//! allocator counts it; and an honest session beside it reaches its end.

mod attack;
mod case;
mod route;

use peak_alloc::PeakAlloc;
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
use shardwire_protocols::catalogue;
use shardwire_transport::graph::Side;
use std::collections::BTreeMap;

/// Counts what this process holds. The test below is the only one in this binary, so nobody else is counted.
#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

#[tokio::test(start_paused = true)]
async fn every_misbehaviour_in_every_state_ends_the_session_and_nothing_else() {
    let mut random = ChaCha20Rng::seed_from_u64(1);
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for entry in catalogue::all() {
        for victim in [Side::Here, Side::There] {
            // Each side sees itself as `Here` in its own graph.
            let graph = if victim == Side::Here { entry.initiator() } else { entry.responder() };
            let routes = route::to_every_state(&graph);
            for (state, route) in routes.iter().enumerate() {
                for attack in attack::possible(&graph, state, &mut random) {
                    case::run(&entry, victim, &graph, state, route, &attack, &mut random).await;
                    *counts.entry((entry.name, attack.name)).or_default() += 1;
                }
            }
        }
    }
    // The matrix isn't empty where it must not be: what every protocol has to withstand in some state.
    for entry in catalogue::all() {
        for name in attack::EVERYWHERE {
            assert!(
                counts.get(&(entry.name, name)).is_some_and(|n| *n > 0),
                "{} was never met with {name}",
                entry.name
            );
        }
    }
    let total: usize = counts.values().sum();
    println!("{total} cases: {counts:#?}");
}
