//! Compiles Sierra classes in a process of its own.
//!
//! Classes come from strangers, and the compiler is made for its authors' own: of Sierra that no compiler made it may panic, overflow its stack, or take
//! all memory and time. A process of its own takes none of that along when it ends. [`Compiler`] starts a program for each class,
//! writes the class to its standard input, and reads the bytecode from its standard output. The process leads a group of its own, and is gone when
//! [`Compiler::class`] returns.
//!
//! A node starts itself: [`Compiler::this_program`] is the program that runs, started again with an argument by which [`asked`] knows what it is to do. So the compiler is always there and always of the
//! node's own release; one in a file of its own could be missing, or be another release's, which makes other bytecode of the same class.
//!
//! [`Bounds`]: memory and processor time, which the process sets for itself before it reads; its answer ([`MAX_ANSWER_BYTES`]); and the time by the clock,
//! after which it is ended. A class that exceeds one of the first three is refused for it. That the process can't start, is ended by somebody else or is too
//! slow by the clock is this machine's trouble ([`ClassError::Machine`](shardwire_native::ClassError::Machine)) and says nothing about the class.
//!
//! What it answers is believed: the program is this release's own, or named by the caller.
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::disallowed_methods, clippy::disallowed_types))]

mod answer;
mod bounds;
mod child;
mod process;

pub use answer::Answer;
pub use bounds::{Bounds, MAX_ANSWER_BYTES, MAX_COMPLAINT_BYTES};
pub use child::{COMMAND, asked};
pub use process::Compiler;
