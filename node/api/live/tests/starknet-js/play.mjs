// starknet.js plays a whole shard: unmodified, from a folder that SHARDWIRE_STARKNET_JS names.
// Arguments: the shard's URL, the address of the token and of the contract with `finish`, and each player as address:secret. The last line on standard output says what it saw.
import assert from "node:assert/strict";
import { createRequire } from "node:module";

const require = createRequire(process.env.SHARDWIRE_STARKNET_JS + "/");
const { Account, Contract, RpcError, RpcProvider, config, hash, num, uint256 } = require("starknet");

const [nodeUrl, token, finisher, ...players] = process.argv.slice(2);
config.set("logLevel", "ERROR");
const provider = new RpcProvider({ nodeUrl });
const batched = new RpcProvider({ nodeUrl, batch: 5 });
const accounts = players.map((player) => {
  const [address, signer] = player.split(":");
  return new Account({ provider, address, signer });
});
const transfer = (to, amount) => ({
  contractAddress: token,
  entrypoint: "transfer",
  calldata: [to, ...Object.values(uint256.bnToUint256(amount))],
});
const waiting = { retryInterval: 10 };
const same = (a, b) => assert.equal(num.toHex(a), num.toHex(b));

const version = await provider.getSpecVersion();
const chain = await provider.getChainId();
const hashes = [];

// The library asks for tip, nonce and estimate, signs, submits and waits, all by itself.
for (let round = 1; round <= 3; round++) {
  for (const [i, account] of accounts.entries()) {
    const to = accounts[(i + 1) % accounts.length].address;
    const { transaction_hash } = await account.execute([transfer(to, round), transfer(to, 1)]);
    const receipt = await provider.waitForTransaction(transaction_hash, waiting);
    assert(receipt.isSuccess());
    assert.equal(receipt.events.length, 2);
    assert.equal(receipt.value.finality_status, "ACCEPTED_ON_L2");
    assert.equal(receipt.value.shardwire.stage, "executing");
    hashes.push(transaction_hash);
  }
}

// One that reverts: no estimate, but it can be submitted with amounts of one's own.
const [first, second] = accounts;
const much = transfer(second.address, 10n ** 15n);
await assert.rejects(first.estimateInvokeFee(much), (error) => {
  assert(error instanceof RpcError && error.isType("TRANSACTION_EXECUTION_ERROR"), String(error));
  return /would be reverted: .*not enough gold/s.test(JSON.stringify(error.baseError));
});
const none = { max_amount: 0n, max_price_per_unit: 0n };
const resourceBounds = { l1_gas: none, l1_data_gas: none, l2_gas: { max_amount: 100_000_000n, max_price_per_unit: 0n } };
const reverted = await first.execute(much, { resourceBounds, tip: 0n });
const lost = await provider.waitForTransaction(reverted.transaction_hash, waiting);
assert(lost.isReverted());
assert.match(lost.value.revert_reason, /not enough gold/);
hashes.push(reverted.transaction_hash);

// Mistakes are Starknet's own errors.
await assert.rejects(
  first.execute(transfer(second.address, 1), { resourceBounds, tip: 0n, nonce: 77 }),
  (error) => error instanceof RpcError && error.isType("INVALID_TRANSACTION_NONCE"),
);
const stranger = new Account({ provider, address: first.address, signer: "0x123456" });
await assert.rejects(
  stranger.execute(transfer(second.address, 1), { resourceBounds, tip: 0n }),
  (error) => error instanceof RpcError && error.isType("VALIDATION_FAILURE"),
);
await assert.rejects(provider.getTransactionReceipt("0x1"), (error) => error.isType("TXN_HASH_NOT_FOUND"));
await assert.rejects(provider.getClassAt("0x1"), (error) => error.isType("CONTRACT_NOT_FOUND"));
await assert.rejects(provider.getBlock(1), (error) => error.isType("BLOCK_NOT_FOUND"));

// Reads, one by one and in batches.
const { abi } = await provider.getClassAt(token);
const contract = new Contract({ abi, address: token, providerOrAccount: provider });
const balances = [];
for (const account of accounts) balances.push((await contract.balance_of(account.address)).toString());
const block = await provider.getBlock("latest");
assert.deepEqual(block.transactions, [reverted.transaction_hash]);
const again = await batched.getBlockWithTxs(block.block_hash);
same(again.transactions[0].sender_address, first.address);
await provider.getBlockWithReceipts("latest");
await provider.getBlock("pre_confirmed");
await provider.getStateUpdate?.("latest");
const receipts = await Promise.all(hashes.map((hash) => batched.getTransactionReceipt(hash)));
assert(receipts.every((receipt, i) => num.toHex(receipt.value.transaction_hash) === num.toHex(hashes[i])));
const simulated = await first.simulateTransaction([{ type: "INVOKE", ...transfer(second.address, 1) }]);
assert.equal((simulated.simulated_transactions ?? simulated).length, 1);

let transfers = 0, continuation_token;
do {
  const page = await provider.getEvents({
    from_block: { block_number: block.block_number - hashes.length + 1 },
    to_block: "latest",
    address: token,
    keys: [[hash.getSelectorFromName("Transfer")]],
    chunk_size: 5,
    continuation_token,
  });
  transfers += page.events.length;
  continuation_token = page.continuation_token;
} while (continuation_token);

const { transaction_hash } = await first.execute({ contractAddress: finisher, entrypoint: "finish", calldata: [] });
const last = await provider.waitForTransaction(transaction_hash, waiting);
hashes.push(transaction_hash);
console.log(JSON.stringify({ version, chain, hashes, balances, transfers, stage: last.value.shardwire.stage }));
