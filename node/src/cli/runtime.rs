//! The runtime that a command works on. The system may have no thread or file left for it, which tokio says by an error or by a panic.

use super::failure::Failure;
use shardwire_telemetry::catch;
use std::{io, panic::AssertUnwindSafe};
use tokio::runtime::{Builder, Runtime};

/// Makes the runtime.
///
/// # Errors
/// [`Failure::no_runtime`] if the system refuses what it takes.
pub(super) fn begin(builder: &mut Builder) -> Result<Runtime, Failure> {
    let made = catch(AssertUnwindSafe(|| builder.build()));
    made.unwrap_or_else(|panic| Err(io::Error::other(panic))).map_err(Failure::no_runtime)
}
