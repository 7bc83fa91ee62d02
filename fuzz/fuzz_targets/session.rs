//! A session of the protocol that the environment names: `PROTOCOL=trace cargo +nightly fuzz run session fuzz/corpus/trace`.
#![no_main]

use shardwire_fuzz::{Entry, find, session};
use std::sync::LazyLock;

static PROTOCOL: LazyLock<Entry> = LazyLock::new(|| {
    let name = std::env::var("PROTOCOL").expect("PROTOCOL names the protocol to fuzz, such as trace");
    find(&name).expect("a protocol of `shardwire protocol list`")
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| session(*PROTOCOL, bytes));
