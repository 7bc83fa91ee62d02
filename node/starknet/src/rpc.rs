//! Questions over HTTP.

use crate::RpcError;
use reqwest::{Client, Response, Url, redirect};
use rustls::{ClientConfig, crypto::ring};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;
use shardwire_model::{Felt, felt};
use std::{fmt, sync::Arc, time::Duration};

/// How long a connection may take.
pub const CONNECT_TIME: Duration = Duration::from_secs(10);
/// How long a question may take, with its answer. A node may execute a transaction for it.
pub const ANSWER_TIME: Duration = Duration::from_secs(30);
/// Bytes of an answer. The longest are classes: Starknet takes 4 MB of one, and JSON writes it larger.
pub const MAX_ANSWER_BYTES: usize = 16 << 20;
/// Questions of one request.
pub const MAX_BATCH: usize = 100;

/// Who answers questions. Cloning it shares its connections.
#[derive(Clone)]
pub struct Rpc {
    client: Client,
    url: Url,
    most: usize,
}

impl fmt::Debug for Rpc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The rest of the address may be a secret.
        f.debug_struct("Rpc").field("host", &self.host()).finish_non_exhaustive()
    }
}

/// A method with its parameters.
#[derive(Clone, Debug, Serialize)]
pub struct Question {
    /// Such as `starknet_chainId`.
    pub method: &'static str,
    /// By name or by place.
    pub params: serde_json::Value,
}

#[derive(Serialize)]
struct Request<'a> {
    jsonrpc: &'static str,
    id: usize,
    #[serde(flatten)]
    question: &'a Question,
}

#[derive(Deserialize)]
struct Answer<'a> {
    id: Option<usize>,
    #[serde(borrow)]
    result: Option<&'a RawValue>,
    error: Option<Refusal<'a>>,
}

#[derive(Deserialize)]
struct Refusal<'a> {
    code: i64,
    #[serde(default)]
    message: String,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

impl Rpc {
    /// Who answers at this address. Nothing is asked yet.
    ///
    /// # Errors
    /// [`RpcError::Address`] if it isn't one of HTTP, [`RpcError::Tls`] if it is secure and this machine has nothing to check certificates with.
    pub fn new(address: &str) -> Result<Self, RpcError> {
        let url: Url = address.parse().map_err(|error| RpcError::Address(format!("{error}")))?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err(RpcError::Address(format!(
                "its scheme is {}, not http or https",
                RpcError::words(url.scheme())
            )));
        }
        // No proxy of the environment: what is asked goes where it was sent.
        let client = Client::builder()
            .no_proxy()
            .connect_timeout(CONNECT_TIME)
            .timeout(ANSWER_TIME)
            .redirect(redirect::Policy::none());
        let client = if url.scheme() == "https" { client.tls_backend_preconfigured(tls()?) } else { client };
        let client = client.build().map_err(|error| RpcError::Tls(cause(&error)))?;
        Ok(Self { client, url, most: MAX_ANSWER_BYTES })
    }

    /// Whom it asks, for people: the host, with its port if the address has one.
    #[must_use]
    pub fn host(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        self.url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// The id of the chain.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub async fn chain_id(&self) -> Result<Felt, RpcError> {
        #[derive(Deserialize)]
        struct ChainId(#[serde(with = "felt::wire")] Felt);
        let ChainId(chain) = self.ask("starknet_chainId", serde_json::json!([])).await?;
        Ok(chain)
    }

    /// Asks one question.
    ///
    /// # Errors
    /// [`RpcError::Refused`] if the node refuses; any other [`RpcError`] but [`RpcError::Address`] if there is no answer.
    pub async fn ask<T: DeserializeOwned>(
        &self,
        method: &'static str,
        params: serde_json::Value,
    ) -> Result<T, RpcError> {
        let question = Question { method, params };
        let body = self.send(method, &Request { jsonrpc: "2.0", id: 0, question: &question }).await?;
        let answer = serde_json::from_slice(&body).map_err(|error| self.unreadable(method, &error))?;
        self.read(method, answer)
    }

    /// Asks several questions in one request. The answers are in the questions' order.
    ///
    /// # Errors
    /// As [`ask`](Self::ask), of the first that has no answer.
    ///
    /// # Panics
    /// If there are more than [`MAX_BATCH`].
    pub async fn ask_all<T: DeserializeOwned>(&self, questions: &[Question]) -> Result<Vec<T>, RpcError> {
        assert!(questions.len() <= MAX_BATCH, "{} questions in one request", questions.len());
        let Some(Question { method, .. }) = questions.first() else { return Ok(Vec::new()) };
        let request = |(id, question)| Request { jsonrpc: "2.0", id, question };
        let body = self.send(method, &questions.iter().enumerate().map(request).collect::<Vec<_>>()).await?;
        // A node that takes no batches, or not this one, answers with one refusal.
        if let Ok(whole) = serde_json::from_slice::<Answer<'_>>(&body) {
            return self.read::<serde::de::IgnoredAny>(method, whole).and_then(|_| Err(self.missing(method)));
        }
        let answers: Vec<Answer<'_>> =
            serde_json::from_slice(&body).map_err(|error| self.unreadable(method, &error))?;
        let mut placed: Vec<Option<Answer<'_>>> = questions.iter().map(|_| None).collect();
        for answer in answers {
            // Two of one place, or one of none: not what was asked.
            let place = answer.id.and_then(|id| placed.get_mut(id)).filter(|place| place.is_none());
            *place.ok_or_else(|| self.missing(method))? = Some(answer);
        }
        let one = |(question, answer): (&Question, Option<Answer<'_>>)| {
            self.read(question.method, answer.ok_or_else(|| self.missing(question.method))?)
        };
        questions.iter().zip(placed).map(one).collect()
    }

    async fn send(&self, method: &'static str, request: &(impl Serialize + Sync)) -> Result<Vec<u8>, RpcError> {
        let body = serde_json::to_vec(request).map_err(|error| self.unreadable(method, &error))?;
        let sent = self.client.post(self.url.clone()).header("content-type", "application/json").body(body);
        let response = sent.send().await.map_err(|error| self.silent(error))?;
        if !response.status().is_success() {
            return Err(RpcError::Status { host: self.host(), status: response.status().as_u16() });
        }
        self.body(response).await
    }

    /// Reads no more than is expected, whatever the server says of its length.
    async fn body(&self, mut response: Response) -> Result<Vec<u8>, RpcError> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.silent(error))? {
            if body.len() + chunk.len() > self.most {
                return Err(RpcError::Long { host: self.host(), most: self.most });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    fn read<T: DeserializeOwned>(&self, method: &'static str, answer: Answer<'_>) -> Result<T, RpcError> {
        if let Some(Refusal { code, message, data }) = answer.error {
            let message = match data {
                None => RpcError::words(&message),
                Some(data) => RpcError::words(&format!("{message}: {}", data.get())),
            };
            return Err(RpcError::Refused { host: self.host(), method, code, message });
        }
        let result = answer.result.ok_or_else(|| self.missing(method))?;
        serde_json::from_str(result.get()).map_err(|error| self.unreadable(method, &error))
    }

    fn silent(&self, error: reqwest::Error) -> RpcError {
        RpcError::Silent { host: self.host(), reason: cause(&error.without_url()) }
    }

    fn unreadable(&self, method: &'static str, error: &serde_json::Error) -> RpcError {
        RpcError::Answer { host: self.host(), method, reason: RpcError::words(&error.to_string()) }
    }

    fn missing(&self, method: &'static str) -> RpcError {
        let reason = "it has no answer to what was asked".into();
        RpcError::Answer { host: self.host(), method, reason }
    }
}

/// The innermost reason, which is what a person can act on.
fn cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    RpcError::words(&cause.to_string())
}

/// Certificates are checked with what the system trusts; the cryptography is that of the rest of the node.
fn tls() -> Result<ClientConfig, RpcError> {
    let provider = Arc::new(ring::default_provider());
    let failed = |error: rustls::Error| RpcError::Tls(error.to_string());
    let verifier = rustls_platform_verifier::Verifier::new(provider.clone()).map_err(failed)?;
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(failed)?;
    Ok(config.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth())
}

#[cfg(test)]
mod tests;
