//! The same contracts and the same transactions at `starknet-devnet`, which many test against today.
//!
//! It is a program of somebody else and no part of this build: `cargo install --locked starknet-devnet --version 0.10.1`, which takes half an hour. It is started here
//! with its default settings but for the lowest prices that it has, and given the state that the operator's shard begins from: the classes as the door shows them, the contracts at the same addresses,
//! their storage (`devnet_applyStateDiff`). Players have the same accounts and keys. It takes no INVOKE at a price of zero, so they pay one fri a unit of gas, of tokens that it mints them.
//!
//! Its answer comes when the transaction was executed and is in a block, which is in memory; it signs nothing, writes nothing to a disk and prepares no proof.
//!
//! Refused: another version. Bounds: [`START_TIME`] until it listens; it is killed when this ends.

use super::Outcome;
use serde_json::{Value, json};
use shardwire_model::{Felt, Invoke, ResourceBounds};
use shardwire_starknet::{Question, Rpc};
use starknet_types_core::hash::{Poseidon, StarkHash};
use std::{
    env,
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};
use testnet::contracts::{Game, Planned, Playing};
use tokio::time::{Instant, sleep};

/// What it is called.
const PROGRAM: &str = "starknet-devnet";
/// The only version that is compared with.
const VERSION: &str = "0.10.1";
/// How long it may take until it listens, and how often its log is read for that.
const START_TIME: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// What it says before its address.
const LISTENING: &str = "listening on ";
/// The price of a unit of any gas, in fri.
const PRICE: u128 = 1;
/// Gas of L1 that a transaction may use beside that of L2: more than any here needs.
const L1_GAS: u64 = 100_000;
/// Tokens of a player, in fri: enough for all that it may use.
const TOKENS: u64 = 1_000_000_000_000_000_000;

/// The program: the one that is named, else the one on the search path, if there is one.
pub(super) fn find(named: Option<&Path>) -> Outcome<Option<PathBuf>> {
    let path = match named {
        Some(path) => path.to_owned(),
        None => {
            let file = format!("{PROGRAM}{}", env::consts::EXE_SUFFIX);
            let folders = env::var_os("PATH").unwrap_or_default();
            match env::split_paths(&folders).map(|folder| folder.join(&file)).find(|path| path.is_file()) {
                Some(path) => path,
                None => return Ok(None),
            }
        }
    };
    let install = format!("Install it: cargo install --locked {PROGRAM} --version {VERSION}");
    let output = Command::new(&path).arg("--version").stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("{} can't be started: {error}. {install}", path.display()))?;
    let said = String::from_utf8_lossy(&output.stdout);
    match said.split_whitespace().last() {
        Some(VERSION) => Ok(Some(path)),
        _ => Err(format!("{} is {:?}, not {PROGRAM} {VERSION}. {install}", path.display(), said.trim()).into()),
    }
}

/// Its process, which ends with this.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Process {
    /// Starts it with its log in this file.
    fn start(program: &Path, log: &Path) -> Outcome<Self> {
        let price = PRICE.to_string();
        let mut command = Command::new(program);
        command.args(["--port", "0", "--accounts", "0", "--seed", "0"]);
        for resource in ["gas", "data-gas", "l2-gas"] {
            for unit in ["", "-fri"] {
                command.arg(format!("--{resource}-price{unit}")).arg(&price);
            }
        }
        let out = File::create(log)?;
        command.env("NO_COLOR", "1").stdin(Stdio::null()).stderr(out.try_clone()?).stdout(out);
        let child = command.spawn().map_err(|error| format!("{} can't be started: {error}", program.display()))?;
        Ok(Self(child))
    }

    /// Where it listens, by its log.
    async fn address(&mut self, log: &Path) -> Outcome<String> {
        let end = Instant::now() + START_TIME;
        loop {
            let said = std::fs::read_to_string(log)?;
            let after = said.split_once(LISTENING).and_then(|(_, rest)| rest.split_once(char::is_whitespace));
            if let Some((address, _)) = after {
                return Ok(address.to_owned());
            }
            if let Some(status) = self.0.try_wait()? {
                return Err(format!("{PROGRAM} ended ({status}): {}", said.trim()).into());
            }
            if Instant::now() >= end {
                let seconds = START_TIME.as_secs();
                return Err(format!("{PROGRAM} doesn't listen after {seconds} s: {}", said.trim()).into());
            }
            sleep(LOOK_EVERY).await;
        }
    }
}

/// One that runs and has the game's contracts.
pub(super) struct Devnet {
    _process: Process,
    pub(super) rpc: Rpc,
    chain: Felt,
    /// The players' next nonces.
    nonces: Vec<u64>,
}

impl Devnet {
    /// Starts it, its log in this folder, and gives it what the shard with this door begins from.
    pub(super) async fn start(program: &Path, folder: &Path, playing: &Playing, door: &Rpc) -> Outcome<Self> {
        let log = folder.join("devnet.log");
        let mut process = Process::start(program, &log)?;
        let rpc = Rpc::new(&format!("http://{}/rpc", process.address(&log).await?))?;
        let chain = rpc.chain_id().await?;
        let devnet = Self { _process: process, rpc, chain, nonces: vec![0; playing.game().players()] };
        devnet.give(playing, door).await?;
        Ok(devnet)
    }

    /// Gives it classes, contracts and storage, and the players tokens.
    async fn give(&self, playing: &Playing, door: &Rpc) -> Outcome<()> {
        let hex = |felt: Felt| format!("{felt:#x}");
        let standing = playing.standing();
        // One at a time: a request has a bound.
        for hash in playing.classes() {
            let params = json!({ "block_id": "latest", "class_hash": hex(hash) });
            let class: Value = door.ask("starknet_getClass", params).await?;
            let classes = json!([{ "contract_class": class, "class_hash": hex(hash) }]);
            self.apply(json!({ "state_diff": {}, "classes": classes })).await?;
        }
        let deployed = standing.iter().map(|it| json!({ "address": it.address, "class_hash": hex(it.class) }));
        let storage = standing.iter().filter(|it| !it.storage.is_empty()).map(|it| {
            let entries = it.storage.iter().map(|(key, value)| json!({ "key": key, "value": hex(*value) }));
            json!({ "address": it.address, "storage_entries": entries.collect::<Vec<_>>() })
        });
        let (deployed, storage): (Vec<_>, Vec<_>) = (deployed.collect(), storage.collect());
        self.apply(json!({ "state_diff": { "deployed_contracts": deployed, "storage_diffs": storage } })).await?;
        for player in 0..playing.game().players() {
            let address = playing.game().account(player).address();
            let params = json!({ "address": address, "amount": TOKENS, "unit": "FRI" });
            let _: Value = self.rpc.ask("devnet_mint", params).await?;
        }
        Ok(())
    }

    async fn apply(&self, diff: Value) -> Outcome<()> {
        let _: Value = self.rpc.ask("devnet_applyStateDiff", diff).await?;
        Ok(())
    }

    /// The player's next transaction, signed.
    pub(super) fn sign(&mut self, game: &Game, player: usize, planned: &Planned) -> Outcome<Question> {
        let unsigned = game.unsigned(player, planned, self.nonces[player]);
        let mut invoke = unsigned.ok_or("it is no INVOKE")?;
        invoke.bounds = ResourceBounds { l1_gas: L1_GAS, l1_data_gas: L1_GAS, ..invoke.bounds };
        let signature =
            game.account(player).sign(hash(&invoke, self.chain, PRICE)).ok_or("a player's key can't sign")?;
        invoke.signature = vec![signature.r, signature.s];
        self.nonces[player] += 1;
        let mut transaction = shardwire_starknet::to_json(&invoke);
        for resource in ["l1_gas", "l2_gas", "l1_data_gas"] {
            transaction["resource_bounds"][resource]["max_price_per_unit"] = json!(format!("{PRICE:#x}"));
        }
        Ok(Question { method: "starknet_addInvokeTransaction", params: json!({ "invoke_transaction": transaction }) })
    }
}

/// The hash of an INVOKE v3 that offers this price for each unit of gas; a shard's are [`Invoke::hash`], at a price of zero.
fn hash(invoke: &Invoke, chain: Felt, price: u128) -> Felt {
    let ResourceBounds { l1_gas, l2_gas, l1_data_gas } = invoke.bounds;
    let bound = |name: &[u8], amount: u64| {
        let named = Felt::from_bytes_be_slice(name) * Felt::TWO.pow(64_u32) + Felt::from(amount);
        named * Felt::TWO.pow(128_u32) + Felt::from(price)
    };
    let (nothing, tip) = (Poseidon::hash_array(&[]), Felt::ZERO);
    let fee = [tip, bound(b"L1_GAS", l1_gas), bound(b"L2_GAS", l2_gas), bound(b"L1_DATA", l1_data_gas)];
    Poseidon::hash_array(&[
        Felt::from_bytes_be_slice(b"invoke"),
        Felt::THREE,
        invoke.sender.0,
        Poseidon::hash_array(&fee),
        nothing,
        chain,
        invoke.nonce.into(),
        Felt::ZERO,
        nothing,
        Poseidon::hash_array(&invoke.calldata),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contracts::{
        live::PLAYERS,
        mix::{DEEDS, PRIZES, SEED},
    };

    #[test]
    fn at_a_price_of_zero_the_hash_is_a_shards() {
        let game = Game::planned(SEED, PRIZES, vec![Vec::new(); PLAYERS]).expect("a game");
        let chain = Felt::from_bytes_be_slice(b"SN_SEPOLIA");
        let planned = Planned::Account(DEEDS.to_vec());
        let mut invoke = game.unsigned(3, &planned, 5).expect("an INVOKE");
        invoke.bounds = ResourceBounds { l1_gas: 1, l2_gas: 2, l1_data_gas: 3 };
        assert_eq!(hash(&invoke, chain, 0), invoke.hash(chain));
        assert_ne!(hash(&invoke, chain, 1), invoke.hash(chain));
    }

    #[test]
    fn what_is_no_devnet_is_refused_with_the_way_to_one() {
        let told = |path: &str| find(Some(Path::new(path))).expect_err("it is none").to_string();
        let install = "Install it: cargo install --locked starknet-devnet --version 0.10.1";
        let gone = told("/nonexistent/starknet-devnet");
        assert!(
            gone.starts_with("/nonexistent/starknet-devnet can't be started: ") && gone.ends_with(install),
            "{gone}"
        );
        let other = told(std::env::current_exe().expect("a path").to_str().expect("text"));
        assert!(other.contains(", not starknet-devnet 0.10.1. ") && other.ends_with(install), "{other}");
    }
}
