use super::*;

#[tokio::test]
async fn lists_keep_their_bounds_and_the_world_comes_in_pages() {
    let keys = 2 * MAX_STORAGE_LISTED as u64 + 5;
    let node = Node { storage: (0..keys).map(storage).collect(), shards: MAX_SHARDS_LISTED + 9, ..Node::default() };
    asked(1, &node, async |client| {
        let world = client.storage().await.unwrap();
        assert!(world.iter().map(|it| it.key).eq((0..keys).map(|key| Key(Felt::from(key)))));
        let status = client.status().await.unwrap();
        assert_eq!((status.shards.len(), status.more_shards), (MAX_SHARDS_LISTED, 9));
        assert!(status.shards.iter().all(|it| it.updates.is_empty()), "several leave the updates out");
        let one = client.shards(Some(SHARD)).await.unwrap();
        assert_eq!(one[0].updates.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn peers_and_entries_come_in_pages_and_evidence_in_parts() {
    let entries = 2 * MAX_ENTRIES_LISTED + 3;
    let node = Node { peers: 40, evidence: 3 * PART_BYTES + 5, entries, ..Node::default() };
    asked(1, &node, async |client| {
        let (first, more) = client.peers_page(None).await.unwrap();
        assert_eq!((first.len(), more), (MAX_VIEWS_LISTED, true));
        let (rest, more) = client.peers_page(first.last().map(|it| it.peer)).await.unwrap();
        assert_eq!((rest.len(), more), (8, false));
        assert_eq!(client.evidence(PeerId([1; 32]), 0).await.unwrap(), vec![7; 3 * PART_BYTES + 5]);
        assert_eq!(client.history(SHARD).await.unwrap().len(), entries);
    })
    .await;
}

#[tokio::test]
async fn pages_and_parts_that_go_nowhere_or_elsewhere_are_the_nodes_fault() {
    let text = "SW-ADMIN-004 the response answers another request";
    let mut elsewhere = listed(1);
    elsewhere.statement.part.shard = ShardId(Felt::TWO);
    for (entries, more) in [(vec![], true), (vec![listed(1), listed(1)], false), (vec![elsewhere], false)] {
        let response = shard::Response::History { entries, more }.into();
        assert_eq!(answered(response, async |client| client.history(SHARD).await).await.0, text);
    }
    for (peers, more) in [(vec![], true), (vec![view(2), view(1)], false)] {
        let response = peer::Response::Peers { peers, more }.into();
        assert_eq!(answered(response, async |client| client.peers_page(None).await).await.0, text);
    }
    for (storage, more) in [(vec![], true), (vec![storage(2), storage(1)], false)] {
        let response = world::Response::Storage { storage, more }.into();
        assert_eq!(answered(response, Client::storage).await.0, text);
    }
    let response = peer::Response::Evidence { bytes: 5, part: vec![] }.into();
    assert_eq!(answered(response, async |client| client.evidence(PeerId([1; 32]), 0).await).await.0, text);
}
