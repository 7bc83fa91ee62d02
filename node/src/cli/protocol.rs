//! `shardwire protocol list` and `shardwire protocol show`: what the protocols' types say. Needs no node.

use super::{
    failure::Failure,
    output::{Answer, columns},
};
use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;
use shardwire_protocols::{
    catalogue::{self, Entry},
    describe::Description,
};

#[derive(Debug, Subcommand)]
pub(super) enum ProtocolCommand {
    /// List the protocols and their versions
    #[command(after_help = "Example:\n  shardwire protocol list")]
    List,
    /// Show one protocol
    #[command(
        after_help = "A table of states, one of unread bytes, and one a message; or a state diagram in Mermaid; or all of it\n\
        in JSON, as with --json. docs/wire.md has the same of all protocols, and the rules around it.\n\nExamples:\n  \
        shardwire protocol show trace\n  \
        shardwire protocol show trace --format mermaid"
    )]
    Show(ProtocolShowArgs),
}

#[derive(Debug, Args)]
pub(super) struct ProtocolShowArgs {
    /// Its name; with @ and a number that version of it
    #[arg(value_name = "NAME")]
    name: String,
    /// How to show it
    #[arg(long, value_enum, default_value_t = ProtocolFormat::Table)]
    format: ProtocolFormat,
}

/// How a protocol is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ProtocolFormat {
    /// Aligned Markdown tables
    Table,
    /// A state diagram
    Mermaid,
    /// One JSON object
    Json,
}

impl ProtocolCommand {
    pub(super) fn run(self) -> Result<Answer, Failure> {
        match self {
            Self::List => Ok(list()),
            Self::Show(args) => show(&args),
        }
    }

    /// Whether it prints JSON also without `--json`.
    pub(super) fn is_json(&self) -> bool {
        matches!(self, Self::Show(ProtocolShowArgs { format: ProtocolFormat::Json, .. }))
    }
}

#[derive(Serialize)]
struct Listed {
    protocol: &'static str,
    version: u16,
    states: usize,
    messages: usize,
    unread_bytes: shardwire_protocols::describe::Sides<Option<u64>>,
}

#[derive(Serialize)]
struct List {
    protocols: Vec<Listed>,
}

/// A protocol by its name; of several versions the newest, unless the name goes on with `@` and a version.
pub(super) fn find(name: &str) -> Result<Entry, Failure> {
    let all = catalogue::all();
    catalogue::find(&all, name).ok_or_else(|| {
        let known: Vec<String> = all.iter().map(|entry| format!("{}@{}", entry.name, entry.version)).collect();
        Failure::new(
            "SW-PROTOCOL-001",
            format!("there is no protocol '{name}'"),
            format!("Use one of {}; without @ and a version the newest is meant.", known.join(", ")),
        )
        .misuse(true)
    })
}

fn description(entry: &Entry) -> Description {
    Description::of(entry.name, entry.version, &entry.initiator())
}

fn list() -> Answer {
    let protocols: Vec<Listed> = catalogue::all()
        .iter()
        .map(|entry| {
            let Description { protocol, version, unread_bytes, states, messages } = description(entry);
            Listed { protocol, version, states: states.len(), messages: messages.len(), unread_bytes }
        })
        .collect();
    let bytes = |bytes: Option<u64>| bytes.map_or_else(|| "endless".to_owned(), |bytes| bytes.to_string());
    let heading = ["protocol", "version", "states", "messages", "initiator's unread bytes", "responder's"];
    let rows: Vec<[String; 6]> = std::iter::once(heading.map(str::to_owned))
        .chain(protocols.iter().map(|it| {
            [
                it.protocol.to_owned(),
                it.version.to_string(),
                it.states.to_string(),
                it.messages.to_string(),
                bytes(it.unread_bytes.initiator),
                bytes(it.unread_bytes.responder),
            ]
        }))
        .collect();
    Answer::new(columns(&rows), &List { protocols })
}

fn show(args: &ProtocolShowArgs) -> Result<Answer, Failure> {
    let description = description(&find(&args.name)?);
    let text = match args.format {
        ProtocolFormat::Table => description.tables(),
        ProtocolFormat::Mermaid => description.mermaid(),
        // Printed as JSON: `Command::json`.
        ProtocolFormat::Json => String::new(),
    };
    Ok(Answer::new(text.trim_end(), &description))
}
