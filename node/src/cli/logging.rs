//! Where log lines go: to standard error, as text or JSON.

use crate::config::{Log, LogFormat};
use serde_json::json;
use std::io::{self, IsTerminal as _};
use tracing_subscriber::{
    EnvFilter,
    fmt::{
        format::Writer,
        time::{FormatTime as _, SystemTime},
    },
};

/// What a level alone leaves out: the virtual machine tells of each run's inner steps, the verifier of each proof's relations. A filter can ask
/// for them.
const NOISE: &str = "cairo_vm=warn,cairo_air=warn";

/// Begins to log. The filter was checked with the configuration.
pub(super) fn begin(log: &Log) {
    let filter = EnvFilter::builder().parse_lossy(filter(&log.filter));
    // The reader of standard error may have gone; to complain about it there would end the node.
    let subscriber =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).log_internal_errors(false);
    // It fails if somebody logs already: then that goes on.
    let _ = match log.format {
        LogFormat::Text => subscriber.with_ansi(io::stderr().is_terminal()).try_init(),
        LogFormat::Json => subscriber.json().flatten_event(true).try_init(),
    };
}

/// The line that an error is in a log in JSON, whatever its filter: the last word of a program whose log another one reads.
pub(super) fn line(code: &str, message: &str, next_step: &str) -> String {
    let mut timestamp = String::new();
    // A String takes any text.
    let _ = SystemTime.format_time(&mut Writer::new(&mut timestamp));
    json!({ "timestamp": timestamp, "level": "ERROR", "code": code, "message": message, "next_step": next_step, "target": "shardwire" })
        .to_string()
}

/// The directives of a configured filter.
fn filter(configured: &str) -> String {
    let above_noise = ["error", "off"].iter().any(|level| configured.eq_ignore_ascii_case(level));
    if configured.contains(['=', ',']) || above_noise { configured.to_owned() } else { format!("{configured},{NOISE}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_leaves_machine_and_verifier_out_and_a_filter_says_it_all() {
        assert_eq!(filter("info"), "info,cairo_vm=warn,cairo_air=warn");
        assert_eq!(filter("debug"), "debug,cairo_vm=warn,cairo_air=warn");
        assert_eq!(filter("error"), "error");
        assert_eq!(filter("info,shardwire=debug"), "info,shardwire=debug");
        assert_eq!(filter("cairo_vm=info"), "cairo_vm=info");
    }
}
