use super::*;

#[tokio::test]
async fn requests_are_answered_and_one_that_fails_says_why_and_ends_nothing() {
    let node = Node { shards: 2, ..Node::default() };
    asked(1, &node, async |client| {
        let status = client.status().await.unwrap();
        assert_eq!((status.network.as_str(), status.shards.len()), ("dungeon", 2));
        let failed = client.start(request(), None, false).await.unwrap_err();
        assert_eq!(failed.to_string(), "the disk is full (SW-TEST-001)");
        assert_eq!(failed.reason(), Some(FailedReason::Other));
        assert_eq!((failed.code(), failed.next_step().as_str()), ("SW-ADMIN-002", "Buy a larger one."));
        assert_eq!(client.retry(SHARD).await, Ok(2));
        assert_eq!(client.links().await, Ok(vec![]));
        assert_eq!(client.reload().await, Ok([1, 2, 3]));
        client.stop().await.unwrap();
    })
    .await;
    assert!(*node.stopped.lock().unwrap());
}

#[tokio::test]
async fn a_peer_that_may_not_control_the_node_is_told_so_and_nothing_is_done() {
    let node = Node::default();
    asked(8, &node, async |client| {
        let error = client.stop().await.unwrap_err();
        let text = format!("peer {} may not control this node (SW-ADMIN-001)", identity(8).peer());
        assert_eq!(error.to_string(), text);
        assert_eq!(error.reason(), Some(FailedReason::NotAllowed));
        assert!(error.next_step().contains("Use the node's own data folder"), "{}", error.next_step());
        let banned = client.peer(peer::Request::Ban { peer: PeerId([1; 32]), seconds: None }).await.unwrap_err();
        assert_eq!(banned.to_string(), text);
        assert_eq!(client.abort(SHARD).await, Ok(Timestamp(7)), "the handler allows this one");
    })
    .await;
    assert!(!*node.stopped.lock().unwrap());
}

#[tokio::test]
async fn an_answer_to_another_question_is_the_nodes_fault_and_the_session_is_over() {
    let text = "SW-ADMIN-004 the response answers another request";
    let (broken, mut client) = answered(node::Response::Stopping.into(), Client::status).await;
    assert_eq!(broken, text);
    let over = client.status().await.unwrap_err();
    assert_eq!((over.to_string().as_str(), over.code()), ("the session with the node is over", "SW-ADMIN-003"));
    let (broken, _) = answered(shard::Response::Shards(vec![]).into(), Client::status).await;
    assert_eq!(broken, text, "of another topic");
}

/// Found by fuzzing: a person was told to do nothing.
#[test]
fn a_failure_for_which_the_node_names_no_next_step_has_one() {
    let error = AdministrationError::from(Failed::new("SW-A-1", "broken", " "));
    assert_eq!(error.next_step(), "Look at the node's log for more.");
}
