//! `shardwire stop`.

use super::{failure::Failure, node::connect, output::Answer, run::DRAIN};
use crate::data::{DataError, DataPaths};
use serde_json::json;
use std::{path::PathBuf, time::Duration};
use tokio::time::{Instant, sleep};

/// How often is looked whether the node has stopped.
const LOOK: Duration = Duration::from_millis(100);
/// How long is waited for it: what the node itself allows, and a little.
const PATIENCE: Duration = DRAIN.saturating_add(Duration::from_secs(5));

pub(super) async fn stop(root: Option<PathBuf>) -> Result<Answer, Failure> {
    let mut client = connect(root.clone()).await?;
    let told = client.stop().await;
    let peer = client.target().peer;
    client.close().await;
    told?;
    let paths = DataPaths::below(root.ok_or_else(Failure::no_data)?);
    let until = Instant::now() + PATIENCE;
    while !matches!(paths.running(), Err(DataError::NotRunning { .. })) {
        if Instant::now() >= until {
            return Err(Failure::new(
                "SW-CLI-008",
                format!("the node was told to stop and still runs after {} s", PATIENCE.as_secs()),
                "Look at its log. A node that is killed loses nothing: it takes up its work when it is started again.",
            ));
        }
        sleep(LOOK).await;
    }
    Ok(Answer::new(format!("node {} has stopped", peer.short()), &json!({ "stopped": true })))
}
