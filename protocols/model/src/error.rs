//! What every error of shardwire can tell: a stable code, and the next step.

/// An error with a stable code for machines and a next step for people.
///
/// The `Display` text says what is wrong; it does not repeat the code or the next step.
pub trait Coded: std::error::Error {
    /// A stable code such as `SW-TRACE-004`. A code is never given a second meaning.
    fn code(&self) -> &'static str;
    /// What the person who sees this should do next, as a full sentence.
    fn next_step(&self) -> String;
}
