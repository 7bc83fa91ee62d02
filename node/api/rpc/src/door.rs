//! The door's connections: what of HTTP is answered, within which bounds.

use crate::{
    Settings, Shards, Version,
    bounds::{self, ANSWER_DEADLINE, BODY_DEADLINE, CONNECTION_DEADLINE, HEAD_DEADLINE},
    envelope::{self, Body, Id, Incoming},
    error::RpcError,
    http::{self, HttpError},
    methods::{self, Endpoint},
    visitors::{Limited, Visit, Visitors},
};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited as LimitedBody};
use hyper::{
    Method, Request, Response,
    body::{Bytes, Incoming as IncomingBody},
    header,
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioTimer;
use shardwire_listener::{Connection, Listener};
use shardwire_model::{Coded, ShardId};
use std::{convert::Infallible, io, net::SocketAddr, num::NonZeroU32, sync::Arc};
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout, timeout_at},
};

/// The answer to a transaction is shorter, with the operator's signed receipt.
const SHORT_BYTES: usize = 16 << 10;

/// The door can't be opened.
#[derive(Debug, thiserror::Error)]
#[error("JSON-RPC can't be served on {address}: {reason}")]
pub struct DoorError {
    address: SocketAddr,
    reason: io::Error,
}

impl Coded for DoorError {
    fn code(&self) -> &'static str {
        "SW-RPC-001"
    }

    fn next_step(&self) -> String {
        "Set rpc.listen to a free port of this machine, or leave it out.".into()
    }
}

/// An open port, on which nothing is answered yet.
#[derive(Debug)]
pub struct Door {
    listener: Listener,
    settings: Settings,
}

/// What all connections share.
struct Hall {
    shards: Arc<dyn Shards>,
    requests: Semaphore,
    executions: Arc<Semaphore>,
}

impl Door {
    /// Takes the port.
    ///
    /// # Errors
    /// [`DoorError`] if the address is taken, or not this machine's.
    pub async fn open(settings: Settings) -> Result<Self, DoorError> {
        let listener = Listener::open(settings.listen).await;
        let listener = listener.map_err(|reason| DoorError { address: settings.listen, reason })?;
        Ok(Self { listener, settings })
    }

    /// The address that it listens at.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.listener.address()
    }

    /// Answers, for as long as it is polled.
    pub async fn serve(self, shards: Arc<dyn Shards>) {
        let hall = Arc::new(Hall {
            shards,
            requests: Semaphore::new(bounds::MAX_REQUESTS),
            executions: Arc::new(Semaphore::new(bounds::MAX_EXECUTIONS)),
        });
        let visitors = Visitors::new(&self.settings);
        // One too many of an address is closed.
        let answer = |connection: Connection, from: SocketAddr| {
            let visit = visitors.enter(from.ip())?;
            Some(hall.clone().connection(connection, Arc::new(visit)))
        };
        self.listener.serve("JSON-RPC", bounds::MAX_CONNECTIONS, answer).await;
    }
}

impl Hall {
    async fn connection(self: Arc<Self>, connection: Connection, visit: Arc<Visit>) {
        let service = service_fn(|request| {
            let (hall, visit) = (self.clone(), visit.clone());
            async move { Ok::<_, Infallible>(hall.response(request, &visit).await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_DEADLINE)
            .max_buf_size(bounds::MAX_HEAD_BYTES)
            .serve_connection(connection, service);
        tokio::pin!(connection);
        // What goes wrong in a connection is its caller's business.
        if timeout(CONNECTION_DEADLINE, connection.as_mut()).await.is_err() {
            connection.as_mut().graceful_shutdown();
            let _ = timeout(ANSWER_DEADLINE, connection).await;
        }
    }

    async fn response(&self, request: Request<IncomingBody>, visit: &Visit) -> Response<Full<Bytes>> {
        if request.method() == Method::OPTIONS {
            return http::preflight();
        }
        match self.answer(request, visit).await {
            Ok(answer) => http::answer(answer),
            Err(error) => http::refusal(&error),
        }
    }

    async fn answer(&self, request: Request<IncomingBody>, visit: &Visit) -> Result<String, HttpError> {
        let (shard, version) = self.called(request.uri().path())?;
        let Some(chain) = self.shards.shard(shard) else { return Err(HttpError::NoShard(shard, self.shards.ids())) };
        if request.method() != Method::POST {
            return Err(HttpError::Method);
        }
        http::check_kind(request.headers())?;
        let length = request.headers().get(header::CONTENT_LENGTH).and_then(|it| it.to_str().ok()?.parse::<u64>().ok());
        if length.is_some_and(|length| length > bounds::MAX_BODY_BYTES as u64) {
            return Err(HttpError::TooLong);
        }
        let body = LimitedBody::new(request.into_body(), bounds::MAX_BODY_BYTES).collect();
        let body = match timeout(BODY_DEADLINE, body).await {
            Err(_) => return Err(HttpError::Slow),
            Ok(Ok(body)) => body.to_bytes(),
            Ok(Err(error)) if error.is::<LengthLimitError>() => return Err(HttpError::TooLong),
            Ok(Err(error)) => return Err(HttpError::Broken(error.to_string())),
        };
        let executions = [visit.executions(), self.executions.clone()];
        let endpoint = Endpoint { chain, version, executions };

        let deadline = Instant::now() + ANSWER_DEADLINE;
        let Ok(Ok(_place)) = timeout_at(deadline, self.requests.acquire()).await else { return Err(HttpError::Busy) };
        match envelope::read(&body) {
            Err(error) => Ok(envelope::answer(Id::Unknown, None, Err(&error))),
            Ok(Body::One(incoming)) => {
                charge(visit, std::slice::from_ref(&incoming))?;
                Ok(one(&endpoint, shard, &incoming, deadline).await)
            }
            Ok(Body::Batch(batch)) => {
                charge(visit, &batch)?;
                Ok(several(&endpoint, shard, &batch, deadline).await)
            }
        }
    }

    /// The shard and the version that a path names.
    fn called(&self, path: &str) -> Result<(ShardId, Version), HttpError> {
        let ids = || self.shards.ids();
        let (shard, version) = http::path(path).ok_or_else(|| HttpError::Path(ids()))?;
        match shard {
            Some(shard) => Ok((shard, version)),
            None => match *ids() {
                [only] => Ok((only, version)),
                _ => Err(HttpError::WhichShard(ids())),
            },
        }
    }
}

fn charge(visit: &Visit, calls: &[Incoming<'_>]) -> Result<(), HttpError> {
    let costs = calls.iter().map(|it| it.call.as_ref().map_or(1, |called| methods::cost(&called.method)));
    let calls = costs.fold(0u32, u32::saturating_add);
    visit.charge(NonZeroU32::new(calls).unwrap_or(NonZeroU32::MIN)).map_err(|limited| match limited {
        Limited::Wait(wait) => HttpError::Limited(wait),
        Limited::Never => HttpError::TooMany,
    })
}

/// The answer to a call; empty for a notification.
async fn one(endpoint: &Endpoint, shard: ShardId, incoming: &Incoming<'_>, deadline: Instant) -> String {
    let result = match &incoming.call {
        Err(error) => Err(error.clone()),
        // Nobody hears what it would read.
        Ok(called) if incoming.id == Id::Absent && !methods::acts(&called.method) => return String::new(),
        Ok(called) => match timeout_at(deadline, endpoint.result(called)).await {
            Ok(result) => result,
            Err(_) if methods::acts(&called.method) => Err(RpcError::Unanswered),
            Err(_) => Err(RpcError::TooSlow),
        },
    };
    match result {
        Ok(result) if result.get().len() > bounds::MAX_ANSWER_BYTES => {
            envelope::answer(incoming.id, Some(shard), Err(&RpcError::TooLong))
        }
        Ok(result) => envelope::answer(incoming.id, Some(shard), Ok(&result)),
        Err(error) => envelope::answer(incoming.id, Some(shard), Err(&error)),
    }
}

/// The answers to a batch, in its order; empty if it has notifications only.
async fn several(endpoint: &Endpoint, shard: ShardId, batch: &[Incoming<'_>], deadline: Instant) -> String {
    let mut answers = String::new();
    for incoming in batch {
        let mut answer = if answers.len() < bounds::MAX_ANSWER_BYTES {
            one(endpoint, shard, incoming, deadline).await
        } else {
            envelope::answer(incoming.id, Some(shard), Err(&RpcError::TooLong))
        };
        // A short one is kept: what it tells may have been done.
        if answer.len() > SHORT_BYTES && answers.len().saturating_add(answer.len()) > bounds::MAX_ANSWER_BYTES {
            answer = envelope::answer(incoming.id, Some(shard), Err(&RpcError::TooLong));
        }
        if !answer.is_empty() {
            answers.push(if answers.is_empty() { '[' } else { ',' });
            answers.push_str(&answer);
        }
    }
    if !answers.is_empty() {
        answers.push(']');
    }
    answers
}
