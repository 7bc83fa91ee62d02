use super::{INITIATOR, RESPONDER, Script, script, start, unexpected};
use shardwire_model::{
    AccountId, Call, Cause, ContractId, Felt, Invoke, Key, PeerId, ResourceBounds, SessionCall, ShardId,
    ShardTransaction, Signature, SignedTransaction, Transaction,
};
use shardwire_protocols::{
    Failure,
    ingress::{Handler, Ingress, Opened, Opening, Outcome, RefusalReason, Refused, open, serve},
};
use std::future::{Future, ready};

struct Operator;

impl Handler for Operator {
    async fn open(&self, client: PeerId, shard: ShardId) -> Result<Result<Opened, Refused>, Failure> {
        assert_eq!(client, INITIATOR.peer());
        let start = start(&RESPONDER);
        if shard != start.shard {
            let cause = Cause::new("SW-TEST-002", "no such shard");
            return Ok(Err(Refused { reason: RefusalReason::Unknown, cause }));
        }
        Ok(Ok(Opened { start, nonces: vec![1, u64::MAX], accepted: 7, ended: false }))
    }

    async fn submit(
        &self,
        _: PeerId,
        _: ShardId,
        transaction: ShardTransaction,
    ) -> Result<impl Future<Output = Result<Outcome, Failure>> + Send, Failure> {
        Ok(ready(Ok(match transaction.nonce() {
            Some(1) => Outcome::Accepted { sequence: 7, duplicate: false, reverted: false },
            Some(2) => Outcome::Accepted { sequence: 7, duplicate: true, reverted: false },
            None => Outcome::Accepted { sequence: 8, duplicate: false, reverted: true },
            Some(_) => Outcome::Refused { cause: Cause::new("SW-TEST-003", "another nonce is due"), due: Some(2) },
        })))
    }
}

fn transaction(nonce: u32, call: Call) -> SignedTransaction {
    let (account, contract) = (AccountId(Felt::from(0xa1)), ContractId(Felt::from(0xc0)));
    let signature = Signature { r: Felt::from(0x12), s: Felt::MAX };
    SignedTransaction { transaction: Transaction { account, nonce, contract, call }, signature }
}

fn invoke() -> Invoke {
    let bounds = ResourceBounds { l1_gas: 0, l2_gas: 1 << 40, l1_data_gas: 1 };
    let (sender, calldata) = (ContractId(Felt::from(0xa1)), vec![Felt::ONE, Felt::MAX]);
    Invoke { sender, nonce: u64::MAX, calldata, signature: vec![Felt::TWO], bounds }
}

fn session_call() -> SessionCall {
    SessionCall {
        account: ContractId(Felt::from(0xa1)),
        key: Felt::from(0x7e),
        previous: Felt::MAX,
        contract: ContractId(Felt::from(0xc0)),
        selector: Felt::THREE,
        calldata: vec![Felt::ONE],
        signature: Signature { r: Felt::from(0x12), s: Felt::MAX },
    }
}

pub(super) fn scripts() -> Vec<Script> {
    vec![
        script::<Ingress, _, _>(
            "five transactions ahead of their receipts",
            |session| async move {
                let Opening::Opened(opened, mut client) = open(session, start(&RESPONDER).shard).await? else {
                    return unexpected("refused");
                };
                assert_eq!(opened.accepted, 7);
                let key = |n: u64| Key(Felt::from(n));
                client.submit(&transaction(1, Call::Add { counter: key(1), amount: 1 })).await?;
                client.submit(&transaction(2, Call::Pass { from: key(1), to: key(2), amount: u128::MAX })).await?;
                client.submit(&transaction(3, Call::Finish)).await?;
                client.submit(invoke()).await?;
                client.submit(session_call()).await?;
                Ok(client.close().await?)
            },
            |session| async move { Ok(serve(session, &Operator, &RESPONDER).await?) },
        ),
        script::<Ingress, _, _>(
            "no such shard",
            |session| async move {
                match open(session, ShardId(Felt::THREE)).await? {
                    Opening::Refused(_) => Ok(()),
                    opened => unexpected(opened),
                }
            },
            |session| async move { Ok(serve(session, &Operator, &RESPONDER).await?) },
        ),
    ]
}
