//! Which function of the program an address belongs to, so that a test can say where a run stopped, or what its steps were for.

use crate::compiled::COMPILED;
use std::{collections::BTreeMap, sync::LazyLock};

static FUNCTIONS: LazyLock<BTreeMap<usize, String>> = LazyLock::new(|| {
    let json: serde_json::Value = serde_json::from_slice(COMPILED).unwrap();
    let identifiers = json["identifiers"].as_object().unwrap();
    identifiers
        .iter()
        .filter(|(_, it)| it["type"] == "function")
        .map(|(name, it)| (usize::try_from(it["pc"].as_u64().unwrap()).unwrap(), name.clone()))
        .collect()
});

/// The function that an offset in the program belongs to, such as `frames.run`.
pub(super) fn function(pc: usize) -> &'static str {
    FUNCTIONS.range(..=pc).next_back().map_or("", |(_, name)| name)
}

/// Where the machine says that it stopped.
pub(super) fn stopped(reason: &str) -> &'static str {
    let pc = reason.split("pc=").nth(1).and_then(|rest| rest.split(':').nth(1)).and_then(|pc| pc.parse().ok());
    pc.map_or("", function)
}
