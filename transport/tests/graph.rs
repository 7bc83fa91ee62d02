//! The protocol graph is derived from the type.

mod bulk;

use bulk::*;
use shardwire_transport::{
    Protocol,
    algebra::*,
    graph::{Graph, Side, Unread},
};

#[test]
fn both_sides_see_the_same_protocol() {
    let initiator = "\
s0: sending Request
  --[] Request (at most 4 bytes, 10s)--> s1
s1: awaiting Manifest
  --[] Manifest (at most 8 bytes, 10s)--> s2
s2: sending Pull | Renew | Done
  --[0] Pull (at most 8 bytes, 600s)--> s3
  --[1, 0] Renew (at most 0 bytes, 10s)--> s4
  --[1, 1] Done (at most 0 bytes, 10s)--> s5
s3: awaiting Chunk
  --[] Chunk (at most 65600 bytes, 60s)--> s2
s4: awaiting Renewed
  --[] Renewed (at most 8 bytes, 10s)--> s2
s5: the end
";
    assert_eq!(Graph::of::<<Bulk as Protocol>::Initiator>().to_string(), initiator);
    let turned = initiator.replace("sending", "~").replace("awaiting", "sending").replace('~', "awaiting");
    assert_eq!(Graph::of::<<Bulk as Protocol>::Responder>().to_string(), turned);
}

#[test]
fn tags_without_a_message_and_loops_within_loops() {
    type Inner = Rec<Choose<Send<Pull, Recv<Renewed, Var<Z>>>, Var<S<Z>>>>;
    type Outer = Rec<Offer<Recv<Request, Inner>, Choose<Send<Done, Eps>, Eps>>>;
    assert_eq!(
        Graph::of::<Outer>().to_string(),
        "\
s0: awaiting Request | a tag
  --[0] Request (at most 4 bytes, 10s)--> s1
  --[1]--> s3
s1: sending Pull | a tag
  --[0] Pull (at most 8 bytes, 600s)--> s2
  --[1]--> s0
s2: awaiting Renewed
  --[] Renewed (at most 8 bytes, 10s)--> s1
s3: sending Done | a tag
  --[0] Done (at most 0 bytes, 10s)--> s4
  --[1]--> s4
s4: the end
"
    );
}

const PULL: u64 = 1 + 1 + 8;
const PULLS: u64 = DEPTH as u64;
const CHUNK: u64 = 3 + 65_600;

#[test]
fn unread_bytes_follow_from_the_type() {
    let graph = Graph::of::<<Bulk as Protocol>::Initiator>();
    let may_send = |side| (0..6).map(|state| graph.may_send(state, side).bytes().unwrap()).collect::<Vec<_>>();
    // The request. In the loop, as many pulls as the pipeline is deep, or one less while the answer to another is
    // awaited.
    assert_eq!(may_send(Side::Here), [5, 0, PULLS * PULL, (PULLS - 1) * PULL, 0, 0]);
    // The manifest. As many chunks once all pulls are under way; the answer to a renewal just once.
    assert_eq!(may_send(Side::There), [0, 9, 0, PULLS * CHUNK, 9, 0]);
    assert_eq!(graph.unread(Side::Here), Unread::Bytes(PULLS * PULL));
    assert_eq!(graph.unread(Side::There), Unread::Bytes(PULLS * CHUNK));
}

#[test]
fn the_other_side_sees_the_same_unread_bytes() {
    let graph = Graph::of::<<Bulk as Protocol>::Responder>();
    assert_eq!(graph.unread(Side::There), Unread::Bytes(PULLS * PULL));
    assert_eq!(graph.unread(Side::Here), Unread::Bytes(PULLS * CHUNK));
}

#[test]
fn what_one_side_says_in_a_row_adds_up_also_across_loops() {
    // Done twice in a row at most: once to leave the inner loop, once in the outer.
    type Inner = Rec<Choose<Send<Pull, Recv<Renewed, Var<Z>>>, Send<Done, Var<S<Z>>>>>;
    type Outer = Rec<Send<Request, Inner>>;
    // Done, Request, then all pulls.
    assert_eq!(Graph::of::<Outer>().unread(Side::Here), Unread::Endless, "Done and Request may go on and on");
    type Answered = Rec<Send<Request, Recv<Manifest, Inner>>>;
    let graph = Graph::of::<Answered>();
    assert_eq!(graph.unread(Side::Here), Unread::Bytes(PULLS * PULL), "longer than Done and Request in a row");
    assert_eq!(graph.may_send(0, Side::Here), Unread::Bytes(5));
    assert_eq!(graph.unread(Side::There), Unread::Bytes(PULLS * 9));
}

#[test]
fn a_loop_in_which_one_side_alone_speaks_has_no_bound() {
    type Flood = Rec<Offer<Recv<Request, Var<Z>>, Recv<Done, Eps>>>;
    let graph = Graph::of::<Flood>();
    assert_eq!(graph.unread(Side::There), Unread::Endless);
    assert_eq!(graph.unread(Side::There).to_string(), "endless");
    assert_eq!(graph.unread(Side::Here), Unread::Bytes(0));
}

#[test]
fn a_request_ahead_of_its_kind_counts_once_where_it_cannot_be_pipelined() {
    type Once = Send<Pull, Recv<Manifest, Eps>>;
    let graph = Graph::of::<Once>();
    assert_eq!((graph.unread(Side::Here), graph.unread(Side::There)), (Unread::Bytes(9), Unread::Bytes(9)));
}
