//! Says what a folder holds, an object a line.

use super::Folder;
use crate::{
    inspect::{node, of_world},
    run::RunError,
};
use serde::Serialize;
use serde_json::json;
use std::{
    io::{self, Write},
    path::Path,
};

/// Counts the lines that it writes.
struct Lines<'o> {
    out: &'o mut dyn Write,
    written: u64,
}

impl Lines<'_> {
    fn put(&mut self, what: &str, value: &impl Serialize) -> io::Result<()> {
        self.written += 1;
        writeln!(self.out, "{}", json!({ what: value }))
    }

    fn all<'v, T: Serialize + 'v>(&mut self, what: &str, values: impl IntoIterator<Item = &'v T>) -> io::Result<()> {
        values.into_iter().try_for_each(|value| self.put(what, value))
    }
}

/// Writes what the folder holds: a line for the node, then for each storage address and shard of its World, each shard that it operates, each job that it
/// proves, each entry of its histories. The key of a line's object says what it is. How many lines there are.
///
/// # Errors
/// What [`Folder::look`] refuses, or a [`StoreError`](shardwire_store::StoreError) of its databases, each as it is; in the inner result, the
/// [`io::Error`] of `out`.
pub(crate) async fn export(root: &Path, out: &mut dyn Write) -> Result<io::Result<u64>, RunError> {
    let folder = Folder::look(root)?;
    let contents = node(&folder.store()?, folder.peer())?;
    let world = if folder.is_settler() { Some(of_world(&*folder.world()?).await?) } else { None };
    let roles: Vec<String> = folder.config.roles.iter().map(ToString::to_string).collect();
    let network = &folder.config.network;
    let mut lines = Lines { out, written: 0 };
    let mut write = || {
        lines.put("node", &json!({ "peer": contents.peer, "network": network, "roles": roles }))?;
        lines.all("storage", world.iter().flat_map(|world| &world.storage))?;
        lines.all("shard", world.iter().flat_map(|world| &world.shards))?;
        lines.all("operated", &contents.operated)?;
        lines.all("job", &contents.jobs)?;
        lines.all("history", &contents.histories)?;
        lines.out.flush()?;
        Ok(lines.written)
    };
    Ok(write())
}
