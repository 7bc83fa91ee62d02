//! starknet.js, a wallets' library that others wrote, plays a whole shard in Node.js.

use crate::{
    dungeon::{self, FUNDS, GOLD, WORLD},
    opened,
};
use serde_json::{Value, json};
use shardwire_rpc::Chain as _;
use std::path::Path;
use tokio::process::Command;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Node.js and starknet.js: node/api/live/tests/starknet-js/run.sh installs it and runs this"]
async fn it_plays_a_whole_shard() {
    plays("/shard/0x7/rpc/v0_10", "0.10.0").await;
    plays("/rpc/v0_9", "0.9.0").await;
}

async fn plays(path: &str, version: &str) {
    let (chain, players) = (dungeon::shard(7), &dungeon::players()[..3]);
    let folder = std::env::var("SHARDWIRE_STARKNET_JS").expect("SHARDWIRE_STARKNET_JS is the folder with starknet.js");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/starknet-js/play.mjs");
    let address = opened(vec![chain.clone()]).await;
    let mut play = Command::new("node");
    play.arg(&script).arg(format!("http://{address}{path}")).arg(format!("{GOLD:#x}")).arg(format!("{WORLD:#x}"));
    play.args(players.iter().map(|player| format!("{:#x}:{:#x}", player.address, player.secret)));
    let output = play.env("SHARDWIRE_STARKNET_JS", &folder).kill_on_drop(true).output().await.unwrap();
    let (out, log) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}\n{log}");
    let said: Value = serde_json::from_str(out.lines().last().unwrap_or_default()).unwrap();
    let entries = (0..chain.journal().height()).filter_map(|place| chain.journal().entry(place));
    let hashes: Vec<_> = entries.map(|entry| format!("{:#x}", entry.receipt.hash)).collect();
    assert_eq!(hashes.len(), 11);
    assert_eq!(
        said,
        json!({
            "version": version, "chain": format!("{:#x}", chain.chain_id()), "hashes": hashes, "stage": "ended",
            "balances": vec![FUNDS.to_string(); 3], "transfers": 18,
        })
    );
}
