//! An operator that is named by its host, and moves.

use super::*;
use shardwire_host::names::{Answer, Names};
use shardwire_model::Address;
use std::{
    net::SocketAddr,
    sync::atomic::{AtomicUsize, Ordering},
};

/// A name server that says these things in turn, the last of them for ever.
#[derive(Debug)]
struct Moving {
    answers: Vec<Vec<SocketAddr>>,
    asked: AtomicUsize,
}

impl Names for Moving {
    fn ask<'a>(&'a self, _: &'a str, _: u16) -> Answer<'a> {
        let asked = self.asked.fetch_add(1, Ordering::SeqCst);
        let answer = self.answers[asked.min(self.answers.len() - 1)].clone();
        Box::pin(async move { Ok(answer) })
    }
}

/// Fixed bugs: a client asked for its operator's name once, and dialled the first of its addresses alone.
#[tokio::test]
async fn each_address_of_an_operators_name_is_dialled_and_the_name_is_asked_again_when_it_has_moved() {
    let (_, somebody) = StandIn::new(identity(3)).start();
    let (node, first) = StandIn { breaks: vec![15], ..StandIn::new(identity(2)) }.start();
    let second = endpoint(identity(2));
    // While it moves its name stands for nothing, and then still for an address that somebody else has.
    let answers = vec![vec![somebody.address, first.address], vec![], vec![somebody.address], vec![second.address()]];
    tokio::spawn(node.accept(second));
    let names = Arc::new(Moving { answers, asked: AtomicUsize::new(0) });
    let dialler = Dialler { platform: Platform { names: names.clone(), ..platform() }, ..dialler() };
    let operator = NodeAddress { peer: first.peer, address: Address::Name { host: "operator".into(), port: 7001 } };
    let shard = start(first.peer).shard;
    // The connection breaks at the fifteenth.
    let report = submit(&dialler, &operator, shard, &transactions(30), |_| {}).await.unwrap();
    assert_eq!((report.accepted, report.refused.len(), report.reconnections), (29, 1, 3));
    assert_eq!(names.asked.load(Ordering::SeqCst), 4);
}
