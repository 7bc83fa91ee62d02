//! How to get into each state of a graph.

use shardwire_transport::graph::{Edge, Graph, Side};
use std::collections::VecDeque;

/// One step on the way: who speaks, and what.
#[derive(Clone, Debug)]
pub(crate) struct Leg {
    pub(crate) speaker: Side,
    pub(crate) edge: Edge,
}

/// The shortest way into each state, by the state's number.
pub(crate) fn to_every_state(graph: &Graph) -> Vec<Vec<Leg>> {
    let mut routes: Vec<Option<Vec<Leg>>> = vec![None; graph.states.len()];
    routes[0] = Some(vec![]);
    let mut next = VecDeque::from([0]);
    while let Some(here) = next.pop_front() {
        let so_far = routes[here].clone().unwrap();
        let Some(speaker) = graph.states[here].speaker else { continue };
        for edge in &graph.states[here].edges {
            if routes[edge.to].is_none() {
                routes[edge.to] = Some([&so_far[..], &[Leg { speaker, edge: edge.clone() }]].concat());
                next.push_back(edge.to);
            }
        }
    }
    routes.into_iter().enumerate().map(|(at, it)| it.unwrap_or_else(|| panic!("no way leads to s{at}"))).collect()
}

/// The shortest way from a state to one in which this side doesn't speak: there the peer's words are read.
pub(crate) fn to_listening(graph: &Graph, from: usize) -> (Vec<Leg>, usize) {
    let mut next = VecDeque::from([(from, vec![])]);
    let mut seen = vec![false; graph.states.len()];
    while let Some((here, legs)) = next.pop_front() {
        if graph.states[here].speaker != Some(Side::Here) {
            return (legs, here);
        }
        if std::mem::replace(&mut seen[here], true) {
            continue;
        }
        for edge in &graph.states[here].edges {
            let leg = Leg { speaker: Side::Here, edge: edge.clone() };
            next.push_back((edge.to, [&legs[..], &[leg]].concat()));
        }
    }
    panic!("s{from} only ever speaks")
}
