//! A dungeon of contracts, executed natively and replayed.

mod dungeon;
mod lies;
mod places;
mod recorder;
mod runs;
