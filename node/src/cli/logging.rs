//! Where log lines go: to standard error, as text or JSON.

use crate::config::{Log, LogFormat};
use std::io::{self, IsTerminal as _};
use tracing_subscriber::EnvFilter;

/// Begins to log. The filter was checked with the configuration.
pub(super) fn begin(log: &Log) {
    let filter = EnvFilter::builder().parse_lossy(&log.filter);
    // Whoever read standard error may have gone; complaining about it there would end the node.
    let subscriber =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).log_internal_errors(false);
    // It fails if somebody logs already: then that goes on.
    let _ = match log.format {
        LogFormat::Text => subscriber.with_ansi(io::stderr().is_terminal()).try_init(),
        LogFormat::Json => subscriber.json().flatten_event(true).try_init(),
    };
}
