//! Whole networks of real nodes in one thread and in virtual time, from a seed.
//!
//! A run is the code of `shardwire run`, several times over: real quinn and rustls on a [simulated network](shardwire_transport::sim), real databases
//! on [simulated disks](shardwire_disk), clocks that are wrong. The seed decides the [`Plan`]: how large the network is and what goes wrong in it.
//! First things go wrong (the safety phase), then nothing does, and every shard has to settle within [`LIVENESS`]. Then the checks look at what is on the disks.
//!
//! In some of them there is a shard of contracts beside those of the fixed rules: operators execute it with blockifier and replay it on cairo-vm as in production, settlers compile its
//! classes (once in a process) and compare what its run read. A prover may forge a run of it.
//!
//! Two things differ from production. A proof is a signed re-execution (the module `reexecution` says what that is). And
//! work that a node does on threads is done [at once](shardwire::host::platform::Work::AtOnce), so that one thing happens at a time.
//!
//! **The same seed gives the same run**: [`Outcome::hash`] is over every datagram's time, way and length, and over every line that a node logs.

mod campaign;
mod check;
mod liar;
mod machine;
mod nemesis;
mod plan;
mod record;
mod reexecution;
mod run;

pub use campaign::{Seeds, SeedsError, campaign};
pub use check::Failure;
pub use plan::{Fault, Plan};
pub use run::{LIVENESS, Outcome, run};
