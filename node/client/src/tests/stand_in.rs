//! A node as its clients see it, which misbehaves on purpose.

use super::*;
use tokio::sync::Notify;

/// A node that serves administration and ingress, and loses connections on purpose.
pub(super) struct StandIn {
    pub(super) identity: Identity,
    pub(super) network: String,
    /// Closes the connection instead of answering these submissions, counted from 1.
    pub(super) breaks: Vec<usize>,
    /// Puts the transaction with this nonce at the place of the first.
    pub(super) forks: Option<u32>,
    /// Takes nonces in turn and checks each account's chain, as a real one does; refuses amounts of 13.
    pub(super) chains: Option<Mutex<BTreeMap<AccountId, (u32, ChainHead)>>>,
    /// Refuses this many openings, for this reason.
    pub(super) refuses: Mutex<(usize, RefusalReason)>,
    pub(super) submissions: Mutex<Vec<u32>>,
    pub(super) sequence: Mutex<Vec<u32>>,
    pub(super) cut: Notify,
}

impl StandIn {
    pub(super) fn new(identity: Identity) -> Self {
        Self {
            identity,
            network: "local".into(),
            breaks: Vec::new(),
            forks: None,
            chains: None,
            refuses: Mutex::new((0, RefusalReason::Stopped)),
            submissions: Mutex::default(),
            sequence: Mutex::default(),
            cut: Notify::new(),
        }
    }

    pub(super) fn start(self) -> (Arc<Self>, Target) {
        let endpoint = endpoint(self.identity.clone());
        let target = Target { peer: self.identity.peer(), address: endpoint.address() };
        let node = Arc::new(self);
        tokio::spawn(Arc::clone(&node).accept(endpoint));
        (node, target)
    }

    pub(super) async fn accept(self: Arc<Self>, endpoint: Endpoint) {
        while let Some(arrival) = endpoint.accept().await {
            let node = Arc::clone(&self);
            tokio::spawn(async move {
                let connection = arrival.admit().await.unwrap();
                tokio::select! { biased;
                    () = node.cut.notified() => connection.close(),
                    () = node.serve(&connection) => {}
                }
            });
        }
    }

    pub(super) async fn serve(&self, connection: &Connection) {
        let hello = Hello {
            network: self.network.clone(),
            world: None,
            agent: "stand-in".into(),
            roles: vec!["operator".into()],
            serves: announce([ProtocolId::of::<Administration>(), ProtocolId::of::<Ingress>()]),
            opens: Vec::new(),
            capabilities: Vec::new(),
            time: Noon.now(),
        };
        let session = connection.accept().await.unwrap().serve::<Handshake>().await.unwrap();
        if answer(session, hello).await.is_err() {
            connection.closed().await;
            return;
        }
        while let Ok(mut incoming) = connection.accept().await {
            incoming.header().await.unwrap();
            // The client ends sessions as it likes; what it got is what is tested.
            let _ = if incoming.is::<Administration>() {
                administration::serve(incoming.serve::<Administration>().await.unwrap(), self).await
            } else {
                ingress::serve(incoming.serve::<Ingress>().await.unwrap(), self, &self.identity).await
            };
        }
    }
}

impl administration::Handler for StandIn {
    fn allows(&self, peer: PeerId, _: &Request) -> bool {
        peer == self.identity.peer()
    }

    async fn handle(&self, _: PeerId, request: Request) -> Result<Response, Failed> {
        match request {
            Request::Node(node::Request::Status) => Ok(node::Response::Status(Box::new(NodeStatus {
                peer: self.identity.peer(),
                network: self.network.clone(),
                roles: vec![Role::Operator],
                listen: "here".into(),
                agent: "stand-in".into(),
                since: Noon.now(),
                unmet: Vec::new(),
                clock: ClockStatus::default(),
                peers: Vec::new(),
                shards: Vec::new(),
                more_shards: 0,
            }))
            .into()),
            Request::Node(node::Request::Stop) => Ok(node::Response::Stopping.into()),
            _ => Err(Failed::new("SW-TEST-001", "no", "Go home.")),
        }
    }
}

impl ingress::Handler for StandIn {
    async fn open(&self, _: PeerId, _: ShardId) -> Result<Result<Opened, Refused>, Failure> {
        let mut refuses = self.refuses.lock().unwrap();
        if refuses.0 > 0 {
            refuses.0 -= 1;
            return Ok(Err(Refused { reason: refuses.1, cause: Cause::new("SW-TEST-002", "not here") }));
        }
        let accepted = u32::try_from(self.sequence.lock().unwrap().len()).unwrap();
        let start = start(self.identity.peer());
        let due =
            |account| self.chains.as_ref().and_then(|chains| chains.lock().unwrap().get(account).map(|it| it.0.into()));
        let nonces = start.accounts.iter().map(|account| due(account).unwrap_or(1)).collect();
        let ended = self.chains.is_some() && self.sequence.lock().unwrap().contains(&0);
        Ok(Ok(Opened { nonces, start, accepted, ended }))
    }

    async fn submit(
        &self,
        _: PeerId,
        _: ShardId,
        transaction: ShardTransaction,
    ) -> Result<impl Future<Output = Result<Outcome, Failure>> + Send, Failure> {
        if let (Some(chains), ShardTransaction::Rules(transaction)) = (&self.chains, &transaction) {
            return Ok(ready(Ok(self.next_of_its_chain(&mut chains.lock().unwrap(), transaction))));
        }
        let nonce = match &transaction {
            ShardTransaction::Session(call) => u32::try_from(call.previous).unwrap(),
            transaction => u32::try_from(transaction.nonce().unwrap()).unwrap(),
        };
        let count = {
            let mut submissions = self.submissions.lock().unwrap();
            submissions.push(nonce);
            submissions.len()
        };
        let outcome = if nonce == 13 {
            Outcome::Refused { cause: Cause::new("SW-ADMISSION-001", "unlucky"), due: Some(13) }
        } else {
            let mut sequence = self.sequence.lock().unwrap();
            let place = sequence.iter().position(|it| *it == nonce);
            if place.is_none() {
                sequence.push(nonce);
            }
            let position = place.unwrap_or(sequence.len() - 1);
            let position = if self.forks == Some(nonce) { 0 } else { position };
            Outcome::Accepted {
                sequence: u32::try_from(position).unwrap(),
                duplicate: place.is_some(),
                reverted: false,
            }
        };
        if self.breaks.contains(&count) {
            self.cut.notify_one();
            std::future::pending::<()>().await;
        }
        Ok(ready(Ok(outcome)))
    }
}

impl StandIn {
    pub(super) fn next_of_its_chain(
        &self,
        chains: &mut BTreeMap<AccountId, (u32, ChainHead)>,
        signed: &SignedTransaction,
    ) -> Outcome {
        let SignedTransaction { transaction, signature } = signed;
        let start = start(self.identity.peer());
        let first = (1, ChainHead::start(start.commitment(), transaction.account));
        let (due, head) = chains.entry(transaction.account).or_insert(first);
        let refused = |code, words| Outcome::Refused { cause: Cause::new(code, words), due: Some((*due).into()) };
        if transaction.nonce != *due {
            return refused("SW-REFUSED-004", "another nonce is due");
        }
        if matches!(transaction.call, Call::Add { amount: 13, .. }) {
            return refused("SW-REFUSED-014", "unlucky");
        }
        let next = head.extend(transaction.words(&start).unwrap());
        if !signature.verifies(transaction.account, next.message()) {
            return refused("SW-REFUSED-017", "not over the chain");
        }
        (*due, *head) = (*due + 1, next);
        let mut sequence = self.sequence.lock().unwrap();
        sequence.push(match transaction.call {
            Call::Add { amount, .. } => u32::try_from(amount).unwrap(),
            _ => 0,
        });
        Outcome::Accepted { sequence: u32::try_from(sequence.len() - 1).unwrap(), duplicate: false, reverted: false }
    }
}
