//! Standard output: where results go. Every program here writes its results with this.
//!
//! A program that couldn't say what it did has failed, even if it did it: the caller gets an [`OutputError`] and ends with exit code 1. A reader that has gone
//! away (`| head -1`) has had enough: [`line`](fn@line) says so, nothing is reported, and the program ends with the exit code that it had. Output that was closed when the program was started
//! (`>&-`) can't be written.

use shardwire_model::Coded;
use std::{
    io::{self, Write},
    process::ExitCode,
};

/// Standard output can't be written.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// The system refused the write.
    #[error("standard output can't be written: {0}")]
    Failed(#[from] io::Error),
    /// The program was started without a standard output.
    #[error("standard output can't be written: it was closed when the program was started")]
    Closed,
}

impl Coded for OutputError {
    fn code(&self) -> &'static str {
        "SW-STDOUT-001"
    }

    fn next_step(&self) -> String {
        match self {
            Self::Failed(_) => "Make room where the output goes. What was done stays done: look before doing it again.",
            Self::Closed => {
                "Leave standard output open, or send it to /dev/null if nobody needs it. What was done stays done: look before doing it again."
            }
        }
        .into()
    }
}

/// Whether somebody reads on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Reader {
    /// It was written.
    There,
    /// The reader has gone: nothing that follows is read.
    Gone,
}

/// Writes a text and the end of its line, at once.
///
/// # Errors
/// [`OutputError::Closed`] if the program was started without a standard output, [`OutputError::Failed`] if it can't be written for another reason than that the reader has gone.
pub fn line(text: &str) -> Result<Reader, OutputError> {
    let mut out = io::stdout().lock();
    outcome(out.write_all(text.as_bytes()).and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush()))
}

/// Writes a text as it is, at once.
///
/// # Errors
/// As [`line`](fn@line).
pub fn text(text: &str) -> Result<Reader, OutputError> {
    let mut out = io::stdout().lock();
    outcome(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
}

/// Writes a line to standard error, for a person. Where nobody reads it, nothing is to be done about it.
pub fn complain(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Writes an error to standard error, for a person: its code, what is wrong, and the next step.
pub fn complain_of(error: &dyn Coded) {
    complain(&format!("error[{}]: {error}\n  next: {}", error.code(), error.next_step()));
}

/// What became of writing to standard output.
///
/// # Errors
/// As [`line`](fn@line).
pub fn outcome(written: io::Result<()>) -> Result<Reader, OutputError> {
    #[cfg(unix)]
    if crate::closed::output_was() {
        return Err(OutputError::Closed);
    }
    match written {
        Ok(()) => Ok(Reader::There),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Reader::Gone),
        Err(error) => Err(OutputError::Failed(error)),
    }
}

/// How a program ends that was asked for a text such as its help, and nothing else: 0 if it was written or its reader has gone, else 1, with why on standard
/// error.
pub fn end_of_text(printed: io::Result<()>) -> ExitCode {
    match outcome(printed.and_then(|()| io::stdout().flush())) {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            complain_of(&error);
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_an_error_and_a_closed_pipe_is_none() {
        assert_eq!(outcome(Ok(())).unwrap(), Reader::There);
        assert_eq!(outcome(Err(io::ErrorKind::BrokenPipe.into())).unwrap(), Reader::Gone);
        let error = outcome(Err(io::ErrorKind::StorageFull.into())).unwrap_err();
        assert_eq!(
            format!("error[{}]: {error}\n  next: {}", error.code(), error.next_step()),
            "error[SW-STDOUT-001]: standard output can't be written: no storage space\n  next: Make room where the output goes. What was done \
             stays done: look before doing it again."
        );
        let error = OutputError::Closed;
        assert_eq!(
            format!("error[{}]: {error}\n  next: {}", error.code(), error.next_step()),
            "error[SW-STDOUT-001]: standard output can't be written: it was closed when the program was started\n  next: Leave standard output \
             open, or send it to /dev/null if nobody needs it. What was done stays done: look before doing it again."
        );
    }
}
