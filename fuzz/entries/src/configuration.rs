//! The configuration, fed with text: what a person, a script or anybody who can write the file may have put there.

use shardwire_config::{Config, Environment, Flags};
use shardwire_model::Coded;
use std::path::Path;

/// The text of a file up to the first NUL, then `NAME=value` lines of the environment.
pub fn configuration(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (file, variables) = text.split_once('\0').unwrap_or((&text, ""));
    let variables = variables.lines().filter_map(|line| line.split_once('='));
    let environment = Environment::of(variables.map(|(name, value)| (name.to_owned(), value.to_owned())));
    match Config::parse(Path::new("shardwire.toml"), file, &environment, Flags::default()) {
        Ok(config) => config.warnings.iter().for_each(|warning| drop(warning.to_string())),
        Err(error) => {
            assert!(error.code().starts_with("SW-"), "{error}");
            assert!(!error.to_string().is_empty() && !error.next_step().is_empty());
        }
    }
}
