//! What every error of shardwire can tell: a stable code, and the next step.

/// An error with a stable code for machines and a next step for people.
///
/// The `Display` text says what is wrong; it does not repeat the code or the next step. An error whose text names a file or has words of the system says in
/// [`told`](Self::told) what goes to others.
pub trait Coded: std::error::Error {
    /// A stable code such as `SW-TRACE-004`. A code is never given a second meaning.
    fn code(&self) -> &'static str;
    /// What the person who sees this should do next, as a full sentence.
    fn next_step(&self) -> String;
    /// What other peers are told of it, in a [`Cause`](crate::Cause): the text, but without what is this machine's alone, such as its paths and its system's words.
    fn told(&self) -> String {
        self.to_string()
    }
}
