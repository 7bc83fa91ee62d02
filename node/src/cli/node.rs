//! Asking the node that runs in a data folder.

use super::{failure::Failure, runtime};
use crate::client::{ClientError, NodeClient};
use shardwire_host::Platform;
use shardwire_protocols::administration::{AdministrationError, Client};
use std::path::PathBuf;

/// Connects to the node that runs in a data folder.
pub(super) async fn connect(root: Option<PathBuf>) -> Result<NodeClient, Failure> {
    let root = root.ok_or_else(Failure::no_data)?;
    Ok(NodeClient::connect(&root, &Platform::system()).await?)
}

/// Connects, asks, and closes in good order whatever the answer is.
pub(super) async fn ask<T>(
    root: Option<PathBuf>,
    request: impl AsyncFnOnce(&mut Client) -> Result<T, AdministrationError>,
) -> Result<T, Failure> {
    let mut node = connect(root).await?;
    let answer = request(node.administration()).await;
    node.close().await;
    answer.map_err(|error| ClientError::from(error).into())
}

/// Runs a command that asks others. One thread is enough for a client.
pub(super) fn wait_for<T>(command: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = runtime::begin(tokio::runtime::Builder::new_current_thread().enable_all())?;
    runtime.block_on(command)
}
