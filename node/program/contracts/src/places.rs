//! Which function of the program an address belongs to: what a run's steps were for, or where it stopped.

use crate::compiled::COMPILED;
use serde::Deserialize;
use std::{collections::BTreeMap, sync::LazyLock};

#[derive(Deserialize)]
struct Compiled {
    identifiers: BTreeMap<String, Identifier>,
}

#[derive(Deserialize)]
struct Identifier {
    #[serde(rename = "type")]
    kind: String,
    pc: Option<usize>,
}

/// By where they begin.
static FUNCTIONS: LazyLock<BTreeMap<usize, String>> = LazyLock::new(|| {
    // A test reads it, so it is readable.
    let compiled = serde_json::from_slice::<Compiled>(COMPILED);
    let functions = compiled.into_iter().flat_map(|it| it.identifiers).filter(|(_, it)| it.kind == "function");
    functions.filter_map(|(name, it)| Some((it.pc?, name))).collect()
});

/// The function that an offset in the program belongs to, such as `frames.run`. Empty if it belongs to none.
#[must_use]
pub fn function(pc: usize) -> &'static str {
    FUNCTIONS.range(..=pc).next_back().map_or("", |(_, name)| name)
}

/// Where the machine says that it stopped.
#[cfg(test)]
pub(crate) fn stopped(reason: &str) -> &'static str {
    let pc = reason.split("pc=").nth(1).and_then(|rest| rest.split(':').nth(1)).and_then(|pc| pc.parse().ok());
    pc.map_or("", function)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_of_the_program_is_known_by_where_it_begins() {
        assert!(FUNCTIONS.len() > 50, "{FUNCTIONS:?}");
        for (begin, name) in &*FUNCTIONS {
            assert_eq!(function(*begin), name);
        }
        assert!(FUNCTIONS.values().any(|name| name == "frames.run"));
    }
}
