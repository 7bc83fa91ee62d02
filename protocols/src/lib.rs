//! The protocols of a shard network, each a session type with a client and a server half.
