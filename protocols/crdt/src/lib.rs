//! Counter, escrow and lock: how updates of parallel shards merge. No I/O.
