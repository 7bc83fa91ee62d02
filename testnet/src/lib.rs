//! A shard network on one machine, from start to settled: three processes of the real node, a workload, and a judge.
pub mod dungeon;
pub mod recompute;
