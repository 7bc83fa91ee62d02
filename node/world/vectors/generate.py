#!/usr/bin/env python3
"""Makes the vectors beside it. See README.md."""

import hashlib
import json
import pathlib

from poseidon_py.poseidon_hash import poseidon_hash_many

NETWORK = "vectors"
ABI = 2
KINDS = {"counter": 1, "escrow": 2, "lock": 3}
PROGRAM = 0x50
DAY = 24 * 60 * 60 * 1000
# sn_keccak("Finished"): the one event that ends a shard.
FINISHED = 0x17116B3FDBA9E18AAEC97E9B506D9C8FFDC20857F6D213E79C5A13289DC6FC8
GAME, TOKEN = 0xC1, 0xC2
ANNA, BERT, CARL = 0xA1, 0xA2, 0xA3
OPERATOR = bytes(range(32))
PRIME = 2**251 + 17 * 2**192 + 1
# The most that a shard adds to a counter.
MOST = 2**96


def be(felt):
    return felt.to_bytes(32, "big")


def shard_id(request):
    hasher = hashlib.blake2s()
    entries = b"".join(
        be(KINDS[e["kind"]]) + be(e["contract"]) + be(e["key"]) + be(e["owner"] or 0) + be(e["amount"])
        for e in request["entries"]
    )
    parts = [
        b"shardwire shard",
        NETWORK.encode(),
        request["salt"].to_bytes(8, "little"),
        be(request["program"]),
        OPERATOR,
        b"".join(map(be, request["contracts"])),
        b"".join(map(be, request["accounts"])),
        be(request["end_event"][0]) + be(request["end_event"][1]),
        entries,
    ]
    for part in parts:
        hasher.update(len(part).to_bytes(8, "little") + part)
    digest = bytearray(hasher.digest())
    digest[0] &= 3
    return int.from_bytes(digest, "big")


def commitment(request, shard, deadline, values):
    contracts, accounts, entries = request["contracts"], request["accounts"], request["entries"]
    felts = [ABI, shard, request["program"], int.from_bytes(OPERATOR[16:], "big"), int.from_bytes(OPERATOR[:16], "big")]
    felts += [*request["end_event"], deadline, len(contracts), len(accounts), len(entries), *contracts, *accounts]
    for e in entries:
        guard = {"counter": 0, "escrow": e["owner"], "lock": shard}[e["kind"]]
        felts += [KINDS[e["kind"]], contracts.index(e["contract"]), e["key"], guard]
    return poseidon_hash_many([poseidon_hash_many(felts), *values])


def entry(kind, slot, owner=None, amount=0):
    contract, key = slot
    return {"kind": kind, "contract": contract, "key": key, "owner": owner, "amount": amount}


def counter(slot):
    return entry("counter", slot)


def escrow(slot, owner, amount):
    return entry("escrow", slot, owner, amount)


def lock(slot):
    return entry("lock", slot)


def amount(number):
    """As JSON has it: a number that every reader keeps, or its digits."""
    return number if number < 2**53 else str(number)


def of_parts(context, *parts):
    hasher = hashlib.blake2s()
    for part in (context.encode(), *parts):
        hasher.update(len(part).to_bytes(8, "little") + part)
    return hasher.digest()


def root(storage):
    felts = []
    for entry in storage:
        value, holder = int(entry["value"], 16), int(entry["held_by"] or "0x0", 16)
        felts += [KINDS[entry["kind"]], int(entry["contract"], 16), int(entry["key"], 16), value, int(entry["in_escrow"]), holder]
    return of_parts("shardwire storage", b"".join(map(be, felts))).hex()


class Shard:
    def __init__(
        self, salt, entries, values, contracts=(GAME,), accounts=(ANNA, BERT), end_event=(GAME, FINISHED), program=PROGRAM
    ):
        self.request = {
            "salt": salt,
            "program": program,
            "contracts": list(contracts),
            "accounts": list(accounts),
            "end_event": end_event,
            "entries": entries,
        }
        self.values = values
        self.id = shard_id(self.request)

    def starts(self, deadline):
        self.before = commitment(self.request, self.id, deadline, self.values)

    def json(self):
        hexed = lambda e: {**e, "contract": hex(e["contract"]), "key": hex(e["key"]), "owner": e["owner"] and hex(e["owner"]), "amount": amount(e["amount"])}
        return {
            "salt": self.request["salt"],
            "program": hex(self.request["program"]),
            "operator": OPERATOR.hex(),
            "contracts": [hex(c) for c in self.request["contracts"]],
            "accounts": [hex(a) for a in self.request["accounts"]],
            "end_event": {"from": hex(self.request["end_event"][0]), "selector": hex(self.request["end_event"][1])},
            "entries": [hexed(e) for e in self.request["entries"]],
        }

    def output(self, values, shard=None, segment=0, before=None, ended=1, updates=None):
        entries = zip(self.request["entries"], values, strict=True)
        updates = updates or [(KINDS[e["kind"]], e["contract"], e["key"], v) for e, v in entries]
        felts = [ABI, self.request["program"], shard or self.id, segment, before or self.before, 0xAF7E5, 0]
        felts += [0x7A5, 3, ended, len(updates)]
        return felts + [felt for update in updates for felt in update]


class History:
    def __init__(self, about, **genesis):
        self.about, self.steps = about, []
        self.genesis, self.storage = [], {}
        for (contract, key), (kind, value) in sorted(STORAGE.items()):
            slot = {"contract": hex(contract), "key": hex(key), "kind": kind}
            self.genesis.append({**slot, "value": hex(value) if kind == "lock" else amount(value)})
            self.storage[contract, key] = {**slot, "value": hex(value), "in_escrow": 0, "held_by": None}

    def step(self, step, changes, at=None):
        if at is not None:
            step["at"] = at
        for slot, (value, in_escrow, held_by) in changes.items():
            self.storage[slot].update(value=hex(value), in_escrow=amount(in_escrow), held_by=held_by and hex(held_by.id))
        self.steps.append({**step, "storage": [dict(entry) for entry in self.storage.values()]})

    def start(self, shard, changes=None, error=None, at=None, deadline=None):
        more = {} if deadline is None else {"deadline": deadline}
        if not error:
            shard.starts((len(self.steps) if at is None else at) + DAY if deadline is None else deadline)
        ok = error or {"shard": hex(shard.id), "values": [hex(v) for v in shard.values], "before": hex(shard.before)}
        answer = {"error": error} if error else {"ok": ok}
        self.step({"do": "start", "request": shard.json(), **more, **answer}, changes or {}, at)

    def settle(self, output, proof, changes=None, error=None, repeated=False, at=None):
        answer = {"error": error} if error else {"ok": {"repeated": repeated}}
        proof = hashlib.blake2s(proof.encode()).hexdigest()
        self.step({"do": "settle", "output": [hex(f % PRIME) for f in output], "proof": proof, **answer}, changes or {}, at)

    def abort(self, shard, changes=None, error=None, repeated=False, at=None, **more):
        answer = {"error": error} if error else {"ok": {"repeated": repeated}}
        self.step({"do": "abort", "shard": hex(shard if isinstance(shard, int) else shard.id), **more, **answer}, changes or {}, at)

    def write(self, name):
        end = root(self.storage.values())
        head = {"about": self.about, "network": NETWORK, "genesis": {"storage": self.genesis}, "root": end}
        lines = ",\n".join("  " + json.dumps(step) for step in self.steps)
        text = json.dumps(head)[:-1] + ',\n "steps": [\n' + lines + "\n]}\n"
        (pathlib.Path(__file__).parent / f"{name}.json").write_text(text)


XP, FULL, GOLD, GOLD2, SWORD, SHIELD, NOWHERE = ((GAME, key) for key in (0x10, 0x11, 0x20, 0x21, 0x30, 0x31, 0x99))
# The same key in another contract is another slot.
COINS = (TOKEN, 0x21)
STORAGE = {
    XP: ("counter", 5),
    # With room for what one shard may add, and no more.
    FULL: ("counter", 2**128 - 1 - MOST),
    GOLD: ("escrow", 1000),
    GOLD2: ("escrow", 300),
    COINS: ("escrow", 2**64),
    SWORD: ("lock", ANNA),
    SHIELD: ("lock", 0),
}

# One shard with everything.
h = History("one shard, from its start to its settlement, and the settlement again")
a = Shard(1, [counter(XP), escrow(GOLD, ANNA, 100), escrow(GOLD2, BERT, 50), lock(SWORD)], [5, 100, 50, ANNA])
h.start(a, {GOLD: (900, 100, None), GOLD2: (250, 50, None), SWORD: (ANNA, 0, a)})
done = a.output([12, 50, 70, BERT])
h.settle(done, "p1", {XP: (17, 0, None), GOLD: (950, 0, None), GOLD2: (320, 0, None), SWORD: (BERT, 0, None)})
h.settle(done, "p1", repeated=True)
h.settle(done, "p2", error="SW-LEDGER-013")
h.settle(a.output([13, 50, 70, BERT]), "p1", error="SW-LEDGER-014")
h.abort(a, error="SW-LEDGER-013")
h.start(a, error="SW-LEDGER-011")
h.write("one-shard")

# Parallel shards.
h = History("three shards in parallel over the same counter and balance; the last to start settles first, and one is aborted")
entries = lambda amount: [escrow(GOLD, BERT, amount), counter(XP)]
a, b, c = Shard(1, entries(400), [400, 5]), Shard(2, entries(600), [600, 5]), Shard(3, entries(0), [0, 5])
h.start(a, {GOLD: (600, 400, None)})
h.start(b, {GOLD: (0, 1000, None)})
h.start(Shard(4, entries(1), [1, 5]), error="SW-MERGE-002")
h.start(c)
h.settle(c.output([0, 7]), "c", {XP: (12, 0, None)})
h.abort(b, {GOLD: (600, 400, None)})
h.abort(b, repeated=True)
h.settle(b.output([600, 1000]), "b", error="SW-LEDGER-015")
# XP stood at 12 when this one started.
d = Shard(5, entries(1), [1, 12])
h.start(d, {GOLD: (599, 401, None)})
h.settle(a.output([0, MOST + 1]), "a", error="SW-MERGE-012")
h.settle(a.output([0, MOST]), "a", {XP: (12 + MOST, 0, None), GOLD: (599, 1, None)})
h.settle(d.output([1, 1]), "d", {XP: (13 + MOST, 0, None), GOLD: (600, 0, None)})
h.write("parallel-shards")

# Locks.
h = History("a lock goes from shard to shard: taken by one at a time, changed only by its holder, freed by settlement and by abort")
a, b = Shard(1, [lock(SHIELD), lock(SWORD)], [0, ANNA]), Shard(2, [counter(XP), lock(SWORD)], [5, ANNA])
h.start(a, {SWORD: (ANNA, 0, a), SHIELD: (0, 0, a)})
h.start(b, error="SW-MERGE-003")
h.abort(a, {SWORD: (ANNA, 0, None), SHIELD: (0, 0, None)})
h.start(b, {SWORD: (ANNA, 0, b)})
h.settle(a.output([0, BERT]), "late", error="SW-LEDGER-015")
h.settle(b.output([0, CARL]), "b", error="SW-MERGE-009")
h.settle(b.output([0, BERT]), "b", {SWORD: (BERT, 0, None)})
# Carl is not Bert: a value that was there before may stay though it is no account of the shard.
c = Shard(3, [lock(SWORD)], [BERT], accounts=(CARL,))
h.start(c, {SWORD: (BERT, 0, c)})
h.settle(c.output([BERT]), "c", {SWORD: (BERT, 0, None)})
d = Shard(4, [lock(SWORD)], [BERT], accounts=(CARL,))
h.start(d, {SWORD: (BERT, 0, d)})
h.settle(d.output([CARL]), "d", {SWORD: (CARL, 0, None)})
h.write("locks")

# Starts that are refused, each after entries that would be taken.
h = History("starts that are refused: nothing of them stays")
good = [escrow(GOLD, ANNA, 10), lock(SWORD)]
case = lambda entries, error, **more: h.start(Shard(1, entries, [0] * len(entries), **more), error=error)
case([*good, counter(NOWHERE)], "SW-LEDGER-010")
case([*good, counter((TOKEN, XP[1]))], "SW-LEDGER-010", contracts=(GAME, TOKEN))
case([*good, counter(GOLD2)], "SW-MERGE-005")
case([*good, lock(XP)], "SW-MERGE-005")
case([*good, escrow(XP, ANNA, 1)], "SW-MERGE-005")
case([*good, escrow(GOLD2, BERT, 301)], "SW-MERGE-002")
case([*good, escrow(GOLD, BERT, 1)], "SW-START-002")
case([*good, escrow(GOLD2, CARL, 1)], "SW-START-004")
case([], "SW-START-001")
case(good, "SW-START-001", accounts=())
case(good, "SW-START-002", accounts=(ANNA, BERT, ANNA))
case(good, "SW-START-003", end_event=(TOKEN, FINISHED))
case(good, "SW-START-007", end_event=(GAME, FINISHED + 1))
case([*good, {**counter(XP), "amount": 1}], "SW-START-005")
h.write("refused-starts")

# Outputs that are refused.
h = History("outputs that are refused: nothing of them stays, and the right one is still taken")
two = (GAME, TOKEN)
a = Shard(
    1,
    [counter(FULL), escrow(GOLD, ANNA, 100), escrow(COINS, BERT, 2**64 - 1), lock(SWORD)],
    [2**128 - 1 - MOST, 100, 2**64 - 1, ANNA],
    contracts=two,
)
h.start(a, {GOLD: (900, 100, None), COINS: (1, 2**64 - 1, None), SWORD: (ANNA, 0, a)})
h.start(Shard(2, [escrow(GOLD, ANNA, 1), counter(FULL)], [1, 2**128 - 1 - MOST]), error="SW-MERGE-013")
good = [MOST, 100, 2**64 - 1, BERT]
case = lambda error, values=good, **more: h.settle(a.output(values, **more), "a", error=error)
case("SW-LEDGER-012", shard=0x5)
case("SW-LEDGER-016", segment=1)
case("SW-LEDGER-017", before=a.before + 1)
case("SW-LEDGER-018", ended=0)
updates = [(1, *FULL, MOST), (2, *GOLD, 100), (2, *COINS, 2**64 - 1), (3, *SWORD, BERT)]
case("SW-MERGE-006", updates=updates[:3])
case("SW-MERGE-006", updates=[*updates, (1, *XP, 1)])
case("SW-MERGE-007", updates=[updates[1], updates[0], *updates[2:]])
case("SW-MERGE-007", updates=[(1, *XP, 2), *updates[1:]])
case("SW-MERGE-007", updates=[updates[0], (1, *GOLD, 100), *updates[2:]])
case("SW-MERGE-007", updates=[updates[0], updates[0], *updates[2:]])
case("SW-MERGE-007", updates=[*updates[:2], (2, *GOLD2, 2**64 - 1), updates[3]])
case("SW-MERGE-008", [2**128, 100, 2**64 - 1, BERT])
case("SW-MERGE-008", [2, -1, 2**64 - 1, BERT])
case("SW-MERGE-009", [2, 100, 2**64 - 1, CARL])
case("SW-MERGE-010", [2, 101, 2**64 - 1, BERT])
case("SW-MERGE-010", [2, 99, 2**64, BERT])
case("SW-MERGE-010", [2, 2**128 - 1, 2**64 - 1, BERT])
case("SW-MERGE-012", [MOST + 1, 100, 2**64 - 1, BERT])
case("SW-OUTPUT-001", updates=[(4, *FULL, 2), *updates[1:]])
h.settle(a.output(good)[:-1], "a", error="SW-OUTPUT-001")
h.settle(
    a.output(good), "a",
    {FULL: (2**128 - 1, 0, None), GOLD: (1000, 0, None), COINS: (2**64, 0, None), SWORD: (BERT, 0, None)},
)
h.abort(0x5, error="SW-LEDGER-012")
h.write("refused-outputs")

# Deadlines and programs.
h = History("a deadline is ahead of the start and not too far; nobody aborts by it before it; a settlement is taken after it, until an abort")
month = 30 * 24 * 60 * 60 * 1000
a = Shard(1, [counter(XP), escrow(GOLD, ANNA, 100)], [5, 100])
h.start(a, error="SW-WORLD-002", at=1000, deadline=999)
h.start(a, error="SW-WORLD-002", at=1000, deadline=1000)
h.start(a, error="SW-WORLD-003", at=1000, deadline=1001 + month)
h.start(Shard(1, [counter(XP)], [5], program=0x51), error="SW-WORLD-001", at=1000, deadline=5000)
h.start(a, {GOLD: (900, 100, None)}, at=1000, deadline=5000)
# The same operation again is the same one; with another deadline it is another.
h.start(a, at=1001, deadline=5000)
h.start(a, error="SW-LEDGER-011", at=1002, deadline=5001)
h.abort(a, error="SW-WORLD-004", at=4999, reason="deadline")
h.settle(a.output([1, 99]), "a", {XP: (6, 0, None), GOLD: (999, 0, None)}, at=6000)
h.abort(a, error="SW-LEDGER-013", at=6001, reason="deadline")
b = Shard(2, [escrow(GOLD, BERT, 9)], [9])
h.start(b, {GOLD: (990, 9, None)}, at=7000, deadline=7000 + month)
h.abort(b, error="SW-WORLD-004", at=6999 + month, reason="deadline")
h.abort(b, {GOLD: (999, 0, None)}, at=7000 + month, reason="deadline")
h.abort(b, repeated=True, at=7001 + month)
h.settle(b.output([9]), "b", error="SW-LEDGER-015", at=7002 + month)
c = Shard(3, [escrow(GOLD, BERT, 9)], [9])
h.start(c, {GOLD: (990, 9, None)}, at=7003 + month, deadline=8000 + month)
h.abort(c, {GOLD: (999, 0, None)}, at=7004 + month, reason={"asked": {"by": OPERATOR.hex()}})
h.write("deadlines")
