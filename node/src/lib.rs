//! The node.
pub mod config;
pub mod workload;
