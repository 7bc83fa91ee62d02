//! One node: its data folder and its process.
//!
//! The process holds the other end of a pipe (`--lifeline`): it drains and ends when ours closes, whatever ends us. It is in a process group of its
//! own, so that Ctrl-C on the terminal reaches only us. Its output goes to a log beside its data folder.
//!
//! Bounds: [`START_TIME`] to listen, [`STOP_TIME`] to drain; after that it is killed.

use super::{NETWORK, NetworkError};
use serde::Deserialize;
use shardwire::data::DataPaths;
use shardwire_model::{PeerId, Role};
use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use tokio::{
    process::{Child, Command},
    time::{Instant, sleep, timeout},
};

/// How long a node may take until it listens: a prover asks its worker who it is, an operator replays its log.
pub const START_TIME: Duration = Duration::from_secs(60);
/// How long a node may take to drain.
pub const STOP_TIME: Duration = Duration::from_secs(15);
/// How often its announcement is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How much of a log's end is read for an error, in bytes, and how many lines of that are shown.
const LOG_END: (u64, usize) = (4096, 8);

/// One node.
#[derive(Debug)]
pub struct Node {
    role: Role,
    program: PathBuf,
    worker: PathBuf,
    data: PathBuf,
    log: PathBuf,
    peer: PeerId,
    /// Where it listens; fixed after the first start, so that its peers find it after another.
    listen: SocketAddr,
    /// Where it serves wallets, if it does.
    rpc: Option<SocketAddr>,
    /// Who else may control it.
    admins: Vec<PeerId>,
    /// The rest of its configuration, as its file has it.
    settings: String,
    /// Whether it ends with us.
    tied: bool,
    child: Option<Child>,
}

/// What all nodes have in common.
#[derive(Clone, Debug)]
pub struct Programs {
    /// The node.
    pub node: PathBuf,
    /// The prover worker.
    pub worker: PathBuf,
}

/// What `shardwire init --json` says; other fields are for people.
#[derive(Deserialize)]
struct Initialised {
    peer: PeerId,
}

impl Node {
    /// Makes the data folder, named after the role, and with it the node's identity.
    ///
    /// # Errors
    /// [`NetworkError::Spawn`] if its program can't be started, [`NetworkError::Init`] if `shardwire init` fails.
    pub async fn init(
        role: Role,
        programs: &Programs,
        folder: &Path,
        world: Option<&Path>,
    ) -> Result<Self, NetworkError> {
        Self::init_as(role, &role.to_string(), programs, folder, world).await
    }

    /// As [`init`](Self::init), in a folder of this name.
    ///
    /// # Errors
    /// As [`init`](Self::init).
    pub async fn init_as(
        role: Role,
        name: &str,
        programs: &Programs,
        folder: &Path,
        world: Option<&Path>,
    ) -> Result<Self, NetworkError> {
        let data = folder.join(name);
        let mut command = command(&programs.node);
        command.arg("init").arg("--data").arg(&data).args([
            "--role",
            &role.to_string(),
            "--network",
            NETWORK,
            "--json",
        ]);
        if let Some(world) = world {
            command.arg(if role == Role::Settler { "--world" } else { "--join" }).arg(world);
        }
        let output =
            command.stdin(Stdio::null()).output().await.map_err(|reason| NetworkError::Spawn { role, reason })?;
        let complaint = || String::from_utf8_lossy(&output.stderr).trim().to_owned();
        if !output.status.success() {
            return Err(NetworkError::Init { role, output: complaint() });
        }
        let Initialised { peer } = serde_json::from_slice(&output.stdout)
            .map_err(|reason| NetworkError::Init { role, output: format!("unexpected output: {reason}") })?;
        Ok(Self {
            role,
            program: programs.node.clone(),
            worker: programs.worker.clone(),
            log: folder.join(format!("{name}.log")),
            data,
            peer,
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            rpc: None,
            admins: Vec::new(),
            settings: String::new(),
            tied: true,
            child: None,
        })
    }

    /// A second node with a copy of this one's data folder, beside it and under this name: with the same key.
    ///
    /// # Errors
    /// [`NetworkError::Folder`] if it can't be copied.
    pub fn copied(&self, name: &str) -> Result<Self, NetworkError> {
        let beside = |path: &Path| path.parent().unwrap_or(path).join(name);
        let data = beside(&self.data);
        copy(&self.data, &data).map_err(|reason| NetworkError::Folder { path: data.clone(), reason })?;
        Ok(Self {
            role: self.role,
            program: self.program.clone(),
            worker: self.worker.clone(),
            log: beside(&self.log).with_extension("log"),
            data,
            peer: self.peer,
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            rpc: None,
            admins: self.admins.clone(),
            settings: self.settings.clone(),
            tied: self.tied,
            child: None,
        })
    }

    /// Its role.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// Its id.
    #[must_use]
    pub fn peer(&self) -> PeerId {
        self.peer
    }

    /// Where it listens.
    #[must_use]
    pub fn listen(&self) -> SocketAddr {
        self.listen
    }

    /// Where it serves wallets; nowhere unless its [settings](Self::with_settings) say so and it runs.
    #[must_use]
    pub fn rpc(&self) -> Option<SocketAddr> {
        self.rpc
    }

    /// Its data folder.
    #[must_use]
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// The number of its process.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().and_then(Child::id)
    }

    /// Lets this peer control it, from its next start on.
    pub(crate) fn obeys(&mut self, admin: PeerId) {
        self.admins.push(admin);
    }

    /// Gives it further tables of `shardwire.toml`, from its next start on.
    #[must_use]
    pub fn with_settings(mut self, tables: &str) -> Self {
        self.set(tables);
        self
    }

    /// As [`with_settings`](Self::with_settings).
    pub(crate) fn set(&mut self, tables: &str) {
        tables.clone_into(&mut self.settings);
    }

    /// Lets the next process of it outlive us.
    pub(super) fn untie(&mut self) {
        self.tied = false;
    }

    /// Writes its configuration and starts it; returns when it listens.
    ///
    /// # Errors
    /// [`NetworkError::Ended`] if it ends instead, [`NetworkError::Silent`] if it takes longer than [`START_TIME`], [`NetworkError::Spawn`] if it can't be started.
    pub async fn start(&mut self, peers: &[String]) -> Result<(), NetworkError> {
        self.configure(peers)?;
        self.spawn().await?;
        // Where it listens now is where its peers will look for it after a restart.
        self.configure(peers)
    }

    /// Starts it again as it was; returns when it listens.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn restart(&mut self) -> Result<(), NetworkError> {
        self.spawn().await
    }

    fn configure(&self, peers: &[String]) -> Result<(), NetworkError> {
        let path = self.data.join("shardwire.toml");
        let list = |texts: &[String]| texts.iter().map(|it| format!("\"{it}\"")).collect::<Vec<_>>().join(", ");
        let admins: Vec<String> = self.admins.iter().map(ToString::to_string).collect();
        let text = format!(
            "# Written by testnet.\nnetwork = \"{NETWORK}\"\nroles = [\"{}\"]\nlisten = \"{}\"\npeers = [{}]\nadmins = [{}]\n{}",
            self.role,
            self.listen,
            list(peers),
            list(&admins),
            self.settings
        );
        std::fs::write(&path, text).map_err(|reason| NetworkError::Folder { path, reason })
    }

    async fn spawn(&mut self) -> Result<(), NetworkError> {
        let failed = |reason| NetworkError::Folder { path: self.log.clone(), reason };
        let log = OpenOptions::new().create(true).append(true).open(&self.log).map_err(failed)?;
        let errors = log.try_clone().map_err(failed)?;
        let mut command = command(&self.program);
        command.arg("run").arg("--data").arg(&self.data);
        command.kill_on_drop(true);
        if self.tied {
            command.arg("--lifeline").stdin(Stdio::piped());
        } else {
            command.stdin(Stdio::null());
        }
        command.env("SHARDWIRE_STWO_WORKER", &self.worker).stdout(log).stderr(errors);
        #[cfg(unix)]
        command.process_group(0);
        let role = self.role;
        let child = self.child.insert(command.spawn().map_err(|reason| NetworkError::Spawn { role, reason })?);
        let pid = child.id();
        let end = Instant::now() + START_TIME;
        loop {
            self.alive()?;
            let running = DataPaths::existing(&self.data).and_then(|paths| paths.running());
            if let Some(running) = running.ok().filter(|running| Some(running.pid) == pid) {
                (self.listen, self.rpc) = (running.listen, running.rpc);
                return Ok(());
            }
            if Instant::now() >= end {
                return Err(NetworkError::Silent { role, within: START_TIME, log: self.log.clone() });
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// Whether it still runs.
    ///
    /// # Errors
    /// [`NetworkError::Ended`] if it has ended by itself.
    pub fn alive(&mut self) -> Result<(), NetworkError> {
        let role = self.role;
        let Some(child) = &mut self.child else { return Ok(()) };
        match child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => {
                self.child = None;
                let output = end_of(&self.log).unwrap_or_default();
                Err(NetworkError::Ended { role, status, output, log: self.log.clone() })
            }
            Err(reason) => Err(NetworkError::Spawn { role, reason }),
        }
    }

    /// Ends it as a crash would.
    pub async fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended already.
            let _ = child.kill().await;
        }
    }

    /// Lets it drain, then ends it.
    pub async fn stop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        let tied = child.stdin.take().is_some();
        if !(tied && timeout(STOP_TIME, child.wait()).await.is_ok()) {
            let _ = child.kill().await;
        }
    }

    /// Lets it run on without us; returns the number of its process.
    pub(super) fn release(&mut self) -> Option<u32> {
        let child = self.child.take()?;
        let pid = child.id();
        // Dropped, it would be killed.
        std::mem::forget(child);
        pid
    }
}

/// Copies a folder with all that is in it.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::create_dir_all(to)?;
    std::fs::set_permissions(to, std::fs::metadata(from)?.permissions())?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let there = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &there)?;
        } else {
            std::fs::copy(entry.path(), there)?;
        }
    }
    Ok(())
}

/// The node's program, without settings that were meant for other nodes.
fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("SHARDWIRE_") && !name.starts_with("SHARDWIRE_LOG")) {
            command.env_remove(name);
        }
    }
    command
}

/// The last lines of a log.
fn end_of(log: &Path) -> io::Result<String> {
    let (bytes, lines) = LOG_END;
    let mut file = File::open(log)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(bytes)))?;
    let mut end = Vec::new();
    file.take(bytes).read_to_end(&mut end)?;
    let text = String::from_utf8_lossy(&end).into_owned();
    let mut last: Vec<String> = text.lines().rev().take(lines).map(|line| format!("    {line}")).collect();
    last.reverse();
    Ok(last.join("\n"))
}
