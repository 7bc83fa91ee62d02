#!/usr/bin/env bash
# make.sh SHARDWIRE TESTNET WORKER FOLDER: folders of a settler, an operator and a prover, with a settled shard, an aborted one and two open ones, by
# the programs of commit a32fa3c. README.md says how the fixture is made of them.
set -eu
sw=$1 testnet=$2 folder=$4
export SHARDWIRE_STWO_WORKER=$3
mkdir "$folder"
cd "$folder"
"$testnet" workload --players 2 --transactions 20 --seed 1 --out settled.json
python3 - <<'P'
import json
workload = json.load(open("settled.json"))
for number, name in enumerate(["aborted", "proving", "assigned"], 1):
    json.dump({**workload, "start": {**workload["start"], "salt": workload["start"]["salt"] + number}}, open(name + ".json", "w"))
# An escrow that no shard ever uses.
workload["world"]["storage"].append({"key": "0x7", "kind": "escrow", "value": 55})
json.dump(workload, open("world.json", "w"))
contracts = {entry["key"]: entry["contract"] for entry in workload["start"]["entries"]}
entries = [{"contract": contracts.get(it["key"], "0x0"), **{name: it[name] for name in ("key", "kind", "value")}} for it in workload["world"]["storage"]]
json.dump({"storage": entries}, open("genesis.json", "w"), indent=1)
P
id() { grep -o '"peer":"[0-9a-f]*"' | cut -d'"' -f4; }
settler=$("$sw" init --data settler --role settler --world world.json --listen 127.0.0.1:7101 --network older --json | id)
operator=$("$sw" init --data operator --role operator --listen 127.0.0.1:7102 --network older --peer "$settler@127.0.0.1:7101" --json | id)
"$sw" init --data prover --role prover --listen 127.0.0.1:7103 --network older --peer "$settler@127.0.0.1:7101" --peer "$operator@127.0.0.1:7102"
stranger=$("$sw" init --data stranger --role prover --network older --json | id)
for node in settler operator prover; do
  "$sw" run --data "$node" 2>"$node.log" &
  prover=$!
  for _ in $(seq 60); do "$sw" status --data "$node" >status 2>&1 && break; sleep 1; done
done
start() { "$sw" shard start --data settler --workload "$1.json" --operator "$operator" | grep -o -m1 '0x[0-9a-f]*'; }
until_stage() { for _ in $(seq 240); do "$sw" shard status --data "$1" "$2" | grep -q "$3" && return; sleep 1; done; }
settled=$(start settled)
"$sw" shard submit --data operator --workload settled.json --shard "$settled"
until_stage settler "$settled" settled
sleep 3
aborted=$(start aborted)
until_stage operator "$aborted" assigned
sleep 3
"$sw" shard abort --data settler "$aborted"
until_stage operator "$aborted" aborted
proving=$(start proving)
"$sw" shard submit --data operator --workload proving.json --shard "$proving"
until_stage prover "$proving" proving
kill -9 "$prover"
"$sw" peer ban --data settler "$stranger"
"$sw" peer allow --data settler "$operator"
# Counters only: gold and sword are away.
python3 - "$operator" <<'P'
import json, sys
start = json.load(open("assigned.json"))["start"]
start["entries"] = [entry for entry in start["entries"] if entry["kind"] == "counter"]
json.dump({**start, "operator": sys.argv[1]}, open("request.json", "w"))
P
assigned=$("$sw" shard start --data settler --request request.json | grep -o -m1 '0x[0-9a-f]*')
until_stage operator "$assigned" assigned
sleep 3
"$sw" stop --data operator
"$sw" stop --data settler
for node in settler operator prover; do
  "$sw" data check --data "$node"
  "$sw" data export --data "$node" --out "$node/exported.jsonl"
  rm -f "$node/running.json" "$node/lock"
done
echo "settled $settled aborted $aborted proving $proving assigned $assigned stranger $stranger"
