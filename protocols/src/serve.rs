//! How a server half ends early: the session failed, or the handler could not go on.

use shardwire_model::Coded;
use shardwire_transport::SessionError;
use std::fmt;

/// A handler's own failure (its disk is full, its state is gone). Any [`Coded`] error becomes one with `?`. The peer is told
/// nothing but that the session is given up.
pub struct Failure(Box<dyn Coded + Send + Sync>);

impl Failure {
    /// The handler's error.
    #[must_use]
    pub fn error(&self) -> &(dyn Coded + Send + Sync) {
        &*self.0
    }
}

impl<E: Coded + Send + Sync + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(Box::new(error))
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Failure({}: {})", self.0.code(), self.0)
    }
}

/// Why a server half ended before its protocol did.
#[derive(Debug)]
pub enum ServeError {
    /// The session failed.
    Session(SessionError),
    /// The handler could not go on.
    Handler(Failure),
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Session(error) => error.fmt(f),
            Self::Handler(failure) => failure.0.fmt(f),
        }
    }
}

impl std::error::Error for ServeError {}

impl From<SessionError> for ServeError {
    fn from(error: SessionError) -> Self {
        Self::Session(error)
    }
}

impl From<Failure> for ServeError {
    fn from(failure: Failure) -> Self {
        Self::Handler(failure)
    }
}

impl Coded for ServeError {
    fn code(&self) -> &'static str {
        match self {
            Self::Session(error) => error.code(),
            Self::Handler(failure) => failure.0.code(),
        }
    }

    fn next_step(&self) -> String {
        match self {
            Self::Session(error) => error.next_step(),
            Self::Handler(failure) => failure.0.next_step(),
        }
    }
}
