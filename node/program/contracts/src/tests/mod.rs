//! A dungeon of contracts, executed natively and replayed.

mod dungeon;
mod liar;
mod lies;
mod places;
mod recorder;
mod runs;
mod segments;
