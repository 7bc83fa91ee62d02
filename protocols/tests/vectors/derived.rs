//! Sessions of a protocol that has no script: derived from its type, so that they have each of its messages.

use crate::{
    generate,
    scripts::{Ended, Script},
};
use bytes::Bytes;
use shardwire_protocols::catalogue::Entry;
use shardwire_transport::{
    Channel,
    graph::{Edge, Graph, MessageInfo, Side},
    session::drive::Driver,
};
use std::{
    collections::{BTreeSet, VecDeque},
    rc::Rc,
};

/// What one side does in a session: the branches that it takes, and the bodies that it sends.
#[derive(Debug, Default, Clone)]
struct Part {
    branches: VecDeque<bool>,
    bodies: VecDeque<Bytes>,
}

impl Driver for Part {
    fn message(&mut self, _: MessageInfo) -> Option<Bytes> {
        self.bodies.pop_front()
    }

    fn choose(&mut self) -> Option<bool> {
        self.branches.pop_front()
    }
}

/// An edge of a graph: the number of its state, and its own there.
type EdgeId = (usize, usize);

fn edge(graph: &Graph, (state, number): EdgeId) -> &Edge {
    &graph.states[state].edges[number]
}

/// The shortest way from a state to the end of an edge that is `wanted`; to the end of the session if there is none.
fn way(graph: &Graph, from: usize, wanted: &BTreeSet<EdgeId>) -> Vec<EdgeId> {
    let mut queue = VecDeque::from([(from, Vec::new())]);
    let (mut seen, mut to_end) = (BTreeSet::from([from]), None);
    while let Some((state, way)) = queue.pop_front() {
        if graph.states[state].speaker.is_none() {
            to_end.get_or_insert(way);
            continue;
        }
        for number in 0..graph.states[state].edges.len() {
            let further = [&way[..], &[(state, number)]].concat();
            if wanted.contains(&(state, number)) {
                return further;
            }
            let to = edge(graph, (state, number)).to;
            if seen.insert(to) {
                queue.push_back((to, further));
            }
        }
    }
    to_end.unwrap_or_default()
}

/// Sessions that have each edge of the graph.
fn sessions(graph: &Graph) -> Vec<Vec<EdgeId>> {
    let states = graph.states.iter().enumerate();
    let mut wanted: BTreeSet<EdgeId> =
        states.flat_map(|(state, node)| (0..node.edges.len()).map(move |number| (state, number))).collect();
    let mut sessions = Vec::new();
    while !wanted.is_empty() {
        let (mut state, mut session, before) = (0, Vec::new(), wanted.len());
        while graph.states[state].speaker.is_some() {
            let further = way(graph, state, &wanted);
            wanted.retain(|step| !further.contains(step));
            state = further.last().map_or(state, |step| edge(graph, *step).to);
            session.extend(further);
        }
        assert!(wanted.len() < before, "a state that nothing leads to");
        sessions.push(session);
    }
    sessions
}

/// The scripts of a protocol, from its type alone.
pub(crate) fn scripts(entry: &Entry) -> Vec<Script> {
    let graph = entry.initiator();
    let script = |session: Vec<EdgeId>| {
        let (mut initiator, mut responder) = (Part::default(), Part::default());
        for step in &session {
            let taken = edge(&graph, *step);
            let part = match graph.states[step.0].speaker {
                Some(Side::Here) => &mut initiator,
                _ => &mut responder,
            };
            part.branches.extend(taken.tags.iter().map(|tag| *tag == 1));
            part.bodies.extend(taken.message.map(|message| generate::body(entry, &message)));
        }
        let names: Vec<&str> =
            session.iter().filter_map(|step| edge(&graph, *step).message).map(|it| it.name).collect();
        let (entry, initiator, responder) = (*entry, Rc::new(initiator), Rc::new(responder));
        let half = move |part: &Rc<Part>, drive: fn(Entry, Channel, Part) -> crate::scripts::Half| {
            let part = part.clone();
            Box::new(move |channel| drive(entry, channel, (*part).clone())) as Box<dyn Fn(Channel) -> _>
        };
        Script {
            name: names.join(", "),
            initiator: half(&initiator, |entry, channel, mut part| {
                Box::pin(async move { Ended::Ok(entry.drive_initiator(channel, &mut part).await?) })
            }),
            responder: half(&responder, |entry, channel, mut part| {
                Box::pin(async move { Ended::Ok(entry.drive_responder(channel, &mut part).await?) })
            }),
        }
    };
    sessions(&graph).into_iter().map(script).collect()
}
