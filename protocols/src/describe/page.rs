//! The generated chapters of `docs/wire.md`.

use super::{
    Description,
    table::{body_table, type_table},
    types::{Body, named},
};

/// What of the wire page is derived from the types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chapters {
    /// The types that several protocols have.
    pub types: String,
    /// A section a protocol: diagram, states, unread bytes, messages, the types that it alone has.
    pub protocols: String,
}

/// The chapters on these protocols.
#[must_use]
pub fn chapters(all: &[Description]) -> Chapters {
    let by_protocol: Vec<Vec<&Body>> = all.iter().map(types).collect();
    let shared = |body: &Body| {
        let namesakes = || by_protocol.iter().flatten().filter(|other| other.name() == body.name());
        namesakes().count() > 1 && namesakes().all(|other| **other == *body)
    };
    let mut common: Vec<&Body> = Vec::new();
    for body in by_protocol.iter().flatten().filter(|body| shared(body)) {
        if !common.contains(body) {
            common.push(body);
        }
    }
    let section = |(description, own): (&Description, &Vec<&Body>)| {
        let own = own.iter().filter(|body| !common.contains(body)).filter_map(|body| type_table(body));
        let types: String = own.map(|(name, table)| format!("\n#### Type `{name}`\n\n{table}")).collect();
        format!("{}{types}", protocol(description))
    };
    let tables = common.iter().filter_map(|body| type_table(body));
    Chapters {
        types: tables.map(|(name, table)| format!("### `{name}`\n\n{table}")).collect::<Vec<_>>().join("\n"),
        protocols: all.iter().zip(&by_protocol).map(section).collect::<Vec<_>>().join("\n"),
    }
}

fn types(description: &Description) -> Vec<&Body> {
    named(description.messages.iter().map(|message| &message.body))
}

fn protocol(description: &Description) -> String {
    let messages = description.messages.iter();
    let messages: String = messages
        .map(|summary| {
            let heading = description.heading(summary);
            let (name, limits) = heading.split_once(": ").unwrap_or((heading.as_str(), ""));
            let name_of_type = match summary.body.name() {
                Some(of) if of != summary.message => format!(" It is a `{of}`."),
                _ => String::new(),
            };
            let mut limits = limits.to_owned();
            if let Some(first) = limits.get_mut(..1) {
                first.make_ascii_uppercase();
            }
            format!("\n#### `{name}`\n\n{limits}.{name_of_type}\n\n{}", body_table(&summary.body))
        })
        .collect();
    format!(
        "### {} {}\n\n```mermaid\n{}```\n\n{}\nUnread bytes, at most:\n\n{}{messages}",
        description.protocol,
        description.version,
        description.mermaid(),
        description.steps(),
        description.unread(),
    )
}
