//! A command that failed: one shape for every error, whatever library it came from.

use super::{logging, request::RequestError};
use crate::{
    client::ClientError,
    config::ConfigError,
    data::{DataError, InitError},
    run::RunError,
};
use clap::error::ErrorKind;
use serde::Serialize;
use shardwire_model::{Coded, plain::plain};
use shardwire_protocols::administration::AdministrationError;
use shardwire_workload::WorkloadError;
use std::{fmt, io};

/// Why a command failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Failure {
    code: String,
    message: String,
    next_step: String,
    /// Whether the command line is what is wrong.
    #[serde(skip)]
    pub(super) misuse: bool,
    /// Whether standard error is read by a program, a JSON object a line.
    #[serde(skip)]
    as_log: bool,
}

impl Failure {
    pub(super) fn new(code: &str, message: impl Into<String>, next_step: impl Into<String>) -> Self {
        // Words of peers and of files get to a person's terminal.
        Self {
            code: plain(code),
            message: plain(&message.into()),
            next_step: plain(&next_step.into()),
            misuse: false,
            as_log: false,
        }
    }

    /// The same failure, told as a line of a log in JSON, where the log is one.
    pub(super) fn in_log(mut self, as_log: bool) -> Self {
        self.as_log = as_log;
        self
    }

    /// What standard error gets.
    pub(super) fn shown(&self) -> String {
        match self.as_log {
            true => logging::line(&self.code, &self.message, &self.next_step),
            false => self.to_string(),
        }
    }

    pub(super) fn misuse(mut self, misuse: bool) -> Self {
        self.misuse = misuse;
        self
    }

    /// The same failure, with a further next step.
    pub(super) fn and_next(mut self, next_step: &str) -> Self {
        self.next_step = format!("{} {next_step}", self.next_step);
        self
    }

    pub(super) fn of(error: &(impl Coded + ?Sized)) -> Self {
        Self::new(error.code(), error.to_string(), error.next_step())
    }

    /// The command line could not be read.
    pub(super) fn of_arguments(error: &clap::Error) -> Self {
        let rendered = error.to_string();
        let mut message = String::new();
        let mut tips = Vec::new();
        let mut command = "shardwire".to_owned();
        for paragraph in rendered.split("\n\n") {
            let text = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
            if let Some(usage) = text.strip_prefix("Usage: ") {
                command = usage
                    .split(' ')
                    .take_while(|word| !word.starts_with(['[', '<', '-']))
                    .collect::<Vec<_>>()
                    .join(" ");
            } else if let Some(tip) = text.strip_prefix("tip: ") {
                tips.push(sentence(tip));
            } else if is_help(error) {
                "a command is missing".clone_into(&mut message);
            } else if message.is_empty() {
                message = text.strip_prefix("error: ").unwrap_or(&text).to_owned();
            }
        }
        tips.push(format!("`{command} --help` shows what it takes."));
        Self::new("SW-CLI-001", message, tips.join(" ")).misuse(true)
    }

    /// A command that needs a data folder.
    pub(super) fn no_data() -> Self {
        Self::new("SW-CLI-002", "no data folder is given", "Add --data DIR, or set SHARDWIRE_DATA.").misuse(true)
    }

    /// The system gives no threads or sockets.
    pub(super) fn no_runtime(error: io::Error) -> Self {
        Self::new(
            "SW-CLI-003",
            format!("the program can't begin: {error}"),
            "Raise the limits of processes and open files for this user.",
        )
    }
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}

/// Whether clap's "error" is a help text that was asked for, or that stands for an empty command.
pub(super) fn is_help(error: &clap::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    )
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error[{}]: {}\n  next: {}", self.code, self.message, self.next_step)
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::of(&error).misuse(error.is_misuse())
    }
}

impl From<InitError> for Failure {
    fn from(error: InitError) -> Self {
        Self::of(&error).misuse(error.is_misuse())
    }
}

impl From<DataError> for Failure {
    fn from(error: DataError) -> Self {
        Self::of(&error)
    }
}

impl From<WorkloadError> for Failure {
    fn from(error: WorkloadError) -> Self {
        Self::of(&error)
    }
}

impl From<RequestError> for Failure {
    fn from(error: RequestError) -> Self {
        Self::of(&error)
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        Self::of(&*error)
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        match &error {
            // The node's own words, under its own code.
            ClientError::Administration(AdministrationError::Failed { cause, next_step, .. }) => {
                Self::new(&cause.code, cause.reason.as_str(), next_step.as_str())
            }
            error => Self::of(error),
        }
    }
}
