//! Three peers that don't trust each other, on one machine: a settler, an operator and a prover, each a process of the real node with a
//! data folder, an identity and a port of its own.
//!
//! The settler listens; the operator dials it; the prover dials both. They let anybody else in, too, and trust nobody. The processes never outlive this one, unless the network is [released](Network::release).

pub mod binary;
mod error;
mod folder;
mod node;
pub mod worker;

pub use error::NetworkError;
pub use folder::NetworkFolder;
pub use node::{Node, Programs, START_TIME, STOP_TIME};

use shardwire_model::Role;
use shardwire_workload::Workload;
use std::path::{Path, PathBuf};

/// Every node's network.
pub const NETWORK: &str = "testnet";
/// Settler, operator, prover: in the order in which they start.
const ROLES: [Role; 3] = [Role::Settler, Role::Operator, Role::Prover];

/// The three of them.
#[derive(Debug)]
pub struct Network {
    folder: NetworkFolder,
    nodes: [Node; 3],
}

impl Network {
    /// Makes the data folders; the World begins with the workload's storage.
    ///
    /// # Errors
    /// [`NetworkError::Folder`] if the workload can't be written, [`NetworkError::Init`] if a node's folder can't be made.
    pub async fn init(folder: NetworkFolder, programs: &Programs, workload: &Workload) -> Result<Self, NetworkError> {
        let file = folder.path().join("workload.json");
        workload.write(&file).map_err(|error| NetworkError::Folder {
            path: file.clone(),
            reason: std::io::Error::other(error.problem.to_string()),
        })?;
        Self::with_world(folder, programs, &file).await
    }

    /// Makes the data folders; the World begins with the storage in this file.
    ///
    /// # Errors
    /// [`NetworkError::Init`] if a node's folder can't be made.
    pub async fn with_world(folder: NetworkFolder, programs: &Programs, file: &Path) -> Result<Self, NetworkError> {
        let [settler, operator, prover] = ROLES;
        let settler = Node::init(settler, programs, folder.path(), Some(file)).await?;
        let world = settler.data().join("world.json");
        let operator = Node::init(operator, programs, folder.path(), Some(&world)).await?;
        let prover = Node::init(prover, programs, folder.path(), Some(&world)).await?;
        Ok(Self { folder, nodes: [settler, operator, prover] })
    }

    /// Starts the processes, each when those it dials listen. `say` hears of each.
    ///
    /// # Errors
    /// [`NetworkError::Spawn`], [`NetworkError::Silent`] or [`NetworkError::Ended`] if a node doesn't come up.
    pub async fn start(&mut self, say: &mut dyn FnMut(&str)) -> Result<(), NetworkError> {
        for (index, role) in ROLES.into_iter().enumerate() {
            let peers: Vec<String> = self
                .nodes
                .iter()
                .filter(|node| node.role() != role)
                .map(|node| {
                    match node.listen().port() {
                        // It isn't up yet: it will dial this one.
                        0 => node.peer().to_string(),
                        _ => format!("{}@{}", node.peer(), node.listen()),
                    }
                })
                .collect();
            let Some(node) = self.nodes.get_mut(index) else { continue };
            node.start(&peers).await?;
            say(&format!("{role:<8} {} listens on {}", node.peer().short(), node.listen()));
        }
        Ok(())
    }

    /// The node with this role.
    #[must_use]
    pub fn node(&self, role: Role) -> &Node {
        let [settler, operator, prover] = &self.nodes;
        match role {
            Role::Settler => settler,
            Role::Operator => operator,
            Role::Prover => prover,
        }
    }

    /// The node with this role.
    pub fn node_mut(&mut self, role: Role) -> &mut Node {
        let [settler, operator, prover] = &mut self.nodes;
        match role {
            Role::Settler => settler,
            Role::Operator => operator,
            Role::Prover => prover,
        }
    }

    /// Whether all of them run.
    ///
    /// # Errors
    /// [`NetworkError::Ended`] if a node has ended by itself.
    pub fn alive(&mut self) -> Result<(), NetworkError> {
        self.nodes.iter_mut().try_for_each(Node::alive)
    }

    /// The folder of all their folders.
    #[must_use]
    pub fn folder(&mut self) -> &mut NetworkFolder {
        &mut self.folder
    }

    /// Makes the processes outlive this one, if they are [released](Self::release); to be called before they start.
    pub fn untie(&mut self) {
        self.nodes.iter_mut().for_each(Node::untie);
    }

    /// Lets them drain, all at once, then ends them.
    pub async fn stop(&mut self) {
        let [settler, operator, prover] = &mut self.nodes;
        tokio::join!(settler.stop(), operator.stop(), prover.stop());
    }

    /// Leaves the processes running and the folder in place; returns each node's data folder and process.
    pub fn release(mut self) -> Vec<(Role, PathBuf, u32)> {
        self.folder.keep();
        let mut node = |node: &mut Node| node.release().map(|pid| (node.role(), node.data().to_owned(), pid));
        self.nodes.iter_mut().filter_map(&mut node).collect()
    }
}
