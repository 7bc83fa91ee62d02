//! The protocol graph is derived from the type.

mod bulk;

use bulk::*;
use shardwire_transport::{Protocol, algebra::*, graph::Graph};

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
