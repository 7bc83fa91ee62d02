//! The four verbs against a door on this machine, behind which the dungeon's contracts are executed.

use super::{class::last, *};
use clap::Parser;
use shardwire_host::testing::SetWall;
use shardwire_hosted::{
    Contracts,
    dungeon::{self, ANNA, BEGINS, BERT, GOLD, WORLD},
};
use shardwire_live::InMemory;
use shardwire_model::{PeerId, ShardId, Timestamp};
use shardwire_rpc::{Chain, Door as ServedDoor, Settings, Shards};
use std::{fs, sync::Arc};

#[derive(Debug, Parser)]
struct Line<T: Args> {
    #[command(flatten)]
    args: T,
}

fn args<T: Args>(line: &[&str]) -> T {
    Line::<T>::try_parse_from([&["shardwire"], line].concat()).unwrap().args
}

struct One(ShardId, Arc<dyn Chain>);

impl Shards for One {
    fn shard(&self, id: ShardId) -> Option<Arc<dyn Chain>> {
        (id == self.0).then(|| self.1.clone())
    }

    fn ids(&self) -> Vec<ShardId> {
        vec![self.0]
    }
}

/// A door with the dungeon behind it: its address, and the shard.
async fn opened() -> (String, ShardId) {
    let (start, values) = dungeon::shard(PeerId([7; 32]));
    let native = Contracts::new(Arc::new(dungeon::geneses().into())).open(&start, &values).unwrap();
    let chain = Arc::new(InMemory::new(native, SetWall::at(Timestamp(BEGINS * 1_000))));
    let door = ServedDoor::open(Settings::recommended()).await.unwrap();
    let address = door.address();
    tokio::spawn(door.serve(Arc::new(One(start.shard, chain))));
    (format!("http://{address}"), start.shard)
}

fn hex(number: u64) -> String {
    format!("{number:#x}")
}

fn shown(error: &Failure) -> String {
    error.to_string()
}

#[tokio::test]
async fn a_contract_is_asked_called_traced_and_looked_at() {
    let (url, shard) = opened().await;
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("anna.key");
    fs::write(&secret, "0x1234\n").unwrap();
    let (gold, world, anna, bert) = (hex(GOLD), hex(WORLD), hex(ANNA), hex(BERT));
    let named = ["--rpc", &url, "--shard", &shard.to_string()];

    let asked = args::<CallArgs>(&[&named[..], &[&gold, "balance_of", &anna]].concat());
    let answer = call(None, &asked).await.unwrap();
    assert_eq!((answer.text.as_str(), answer.json), ("0x32 (50)\n0x0", json!({ "returned": ["0x32", "0x0"] })));

    let by = ["--rpc", &url, "--account", &anna, "--key", secret.to_str().unwrap()];
    let paid = args::<InvokeArgs>(&[&by[..], &[&gold, "transfer", &bert, "30", "0"]].concat());
    let answer = invoke(None, &paid).await.unwrap();
    assert!(!answer.failed, "{}", answer.text);
    let hash = answer.json["transaction_hash"].as_str().unwrap().to_owned();
    assert_eq!(
        answer.text,
        format!("transaction {hash} is block 1: SUCCEEDED\n  events: 1; `shardwire shard trace {hash}` shows them")
    );
    assert_eq!((&answer.json["block_number"], &answer.json["execution_status"]), (&json!(1), &json!("SUCCEEDED")));

    let told = trace(None, &args(&["--rpc", &url, &hash])).await.unwrap();
    let transfer = format!("\n    {gold}.transfer({bert}, 0x1e, 0x0) → [0x1]");
    assert!(told.text.contains(&transfer) && told.text.contains(&format!("  {anna}.__validate__(")), "{}", told.text);
    assert!(told.text.contains("\n      event ["), "{}", told.text);
    assert_eq!(told.json["type"], "INVOKE");

    let doomed = args::<InvokeArgs>(&[&by[..], &[&world, "doom"]].concat());
    let answer = invoke(None, &doomed).await.unwrap();
    assert!(
        answer.failed && answer.text.contains(" is block 2: REVERTED\n") && answer.text.contains("doom"),
        "{}",
        answer.text
    );
    let hash = answer.json["transaction_hash"].as_str().unwrap();
    let told = trace(None, &args(&["--rpc", &url, hash])).await.unwrap();
    assert!(told.text.contains("\n  REVERTED: "), "{}", told.text);

    let out = folder.path().join("gold.json");
    let looked = args::<ClassArgs>(&["--rpc", &url, &gold, "--out", out.to_str().unwrap()]);
    let answer = class(None, &looked).await.unwrap();
    assert!(answer.text.contains("external  transfer(recipient: ContractAddress, amount: u256)"), "{}", answer.text);
    assert!(answer.text.contains("→ u256"), "{}", answer.text);
    let written: Value = serde_json::from_slice(&fs::read(out).unwrap()).unwrap();
    assert!(written["sierra_program"].as_array().is_some_and(|program| !program.is_empty()));
    let hash = answer.json["class_hash"].as_str().unwrap();
    let again = class(None, &args(&["--rpc", &url, "--hash", hash])).await.unwrap();
    assert_eq!(again.json, answer.json);
}

#[tokio::test]
async fn what_cannot_be_asked_is_said_with_the_next_step() {
    let (url, _) = opened().await;
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let key = file("anna.key", "0x1234");
    let (gold, anna) = (hex(GOLD), hex(ANNA));
    let asked = |line: &[&str]| args::<CallArgs>(line);
    assert_eq!(
        shown(&call(None, &asked(&[&gold, "balance_of"])).await.unwrap_err()),
        "error[SW-CLI-022]: no door is given\n  next: Add --rpc URL, the address that the operator gives for wallets, or --data DIR of an operator that runs here."
    );
    let error = call(None, &asked(&["--rpc", &url, &gold, "no_such"])).await.unwrap_err();
    assert!(shown(&error).starts_with("error[SW-STARKNET-007]: 127.0.0.1:"), "{error}");
    assert!(shown(&error).contains("(code 21)"), "{error}");
    let error = call(None, &asked(&["--rpc", "ftp://x", &gold, "no_such"])).await.unwrap_err();
    assert!(shown(&error).starts_with("error[SW-STARKNET-001]"), "{error}");

    let invoked = |more: &[&str]| {
        let line = ["--rpc", &url, "--account", &anna, &gold, "transfer"];
        args::<InvokeArgs>(&[&line[..4], more, &line[4..]].concat())
    };
    let error = invoke(None, &invoked(&["--key", &file("empty.key", "")])).await.unwrap_err();
    assert!(
        shown(&error).starts_with("error[SW-CLI-026]: ")
            && shown(&error).contains("empty.key is no secret key\n  next: Put the account's secret key there"),
        "{error}"
    );
    let missing = folder.path().join("none");
    let error = invoke(None, &invoked(&["--key", missing.to_str().unwrap()])).await.unwrap_err();
    assert!(shown(&error).starts_with("error[SW-CLI-025]: "), "{error}");
    let error = invoke(None, &invoked(&["--key", &file("zero.key", "0")])).await.unwrap_err();
    assert!(shown(&error).starts_with("error[SW-CLI-026]: "), "{error}");
    // A door that says another shard than the one that is meant gets no signature.
    let (whole, another) = (format!("{url}/rpc/v0_10"), format!("0x1{}", "0".repeat(60)));
    let line = ["--rpc", &whole, "--shard", &another, "--account", &anna, "--key", &key, &gold, "transfer"];
    let other = args::<InvokeArgs>(&line);
    let other = invoke(None, &other);
    let error = match other.await {
        Err(error) => shown(&error),
        Ok(answer) => panic!("{answer:?}"),
    };
    assert!(error.starts_with("error[SW-CLI-023]: 127.0.0.1:"), "{error}");
    assert!(error.ends_with("serves another chain than the shard's: nothing was signed\n  next: Give the address of the shard's operator with --rpc, and the shard with --shard."), "{error}");
}

#[tokio::test]
async fn what_is_wrong_here_is_said_before_anything_is_asked() {
    let running = Running {
        pid: 1,
        listen: ([127, 0, 0, 1], 1).into(),
        advertise: None,
        peer: PeerId([7; 32]),
        network: "local".into(),
        rpc: None,
    };
    assert_eq!(
        shown(&own_door(Path::new("/op"), &running).unwrap_err()),
        "error[SW-CLI-024]: the node in /op serves no wallets\n  next: Set rpc.listen in the shardwire.toml of an operator and start it again, or add --rpc URL."
    );
    let everywhere = Running { rpc: Some(([0, 0, 0, 0], 5050).into()), ..running };
    assert_eq!(own_door(Path::new("/op"), &everywhere), Ok(([127, 0, 0, 1], 5050).into()));
    assert_eq!(
        shown(&read::<Hex>("starknet_call", &json!([])).err().unwrap()),
        "error[SW-CLI-027]: the answer to starknet_call can't be read: invalid type: sequence, expected a string\n  next: Give the address of a shard's door, of an operator of this release."
    );
    let many: Vec<&str> =
        ["--rpc", "http://127.0.0.1:1", "0x1", "f"].into_iter().chain(vec!["0"; MAX_ARGUMENTS + 1]).collect();
    let error = shown(&call(None, &args(&many)).await.unwrap_err());
    let text = format!(
        "error[SW-CLI-021]: {} arguments are given, and a transaction has room for {MAX_ARGUMENTS}\n  next: Call with fewer, several times.",
        MAX_ARGUMENTS + 1
    );
    assert_eq!(error, text);
    let (url, _) = opened().await;
    let nowhere = class(None, &args(&["--rpc", &url, &hex(GOLD), "--out", "/nowhere/gold.json"])).await.unwrap_err();
    assert_eq!(
        shown(&nowhere),
        "error[SW-CLI-028]: /nowhere/gold.json can't be written: No such file or directory (os error 2)\n  next: Check the path and the free space."
    );
}

#[test]
fn numbers_and_types_are_read_and_shown_as_people_write_them() {
    for (text, number) in [
        ("0", Some(0_u64)),
        ("12", Some(12)),
        ("0xff", Some(255)),
        ("", None),
        ("-1", None),
        ("1e3", None),
        ("0x", None),
    ] {
        assert_eq!(text.parse::<Number>().ok().map(|it| it.0), number.map(Felt::from), "{text}");
    }
    assert!(format!("0x{}", "f".repeat(64)).parse::<Number>().is_err(), "beyond the prime");
    assert_eq!(last("core::array::Array::<core::integer::u128>"), "Array<u128>");
    assert_eq!(last("(core::felt252, core::bool)"), "(felt252, bool)");
    assert!(has_path("http://a:1/rpc") && !has_path("http://a:1/") && !has_path("http://a:1"));
}
