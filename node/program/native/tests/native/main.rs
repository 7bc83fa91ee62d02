//! Execution of real classes, from outside: what is accepted and what comes of it, and each refusal with its words.

mod classes;
mod differential;
mod execution;
mod genesis;
mod model;
mod openzeppelin;
mod oracle;
mod random;
mod refusals;
mod registry;
mod sessions;
mod settling;
mod shard;
