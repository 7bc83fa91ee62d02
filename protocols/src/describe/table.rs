//! A protocol as tables that read well on a terminal and are Markdown.

use super::{
    Description, MessageSummary, Transition,
    types::{Body, Field, Variant, named},
};
use std::time::Duration;

/// Rows under a heading, as an aligned Markdown table. Empty without rows.
#[must_use]
pub fn markdown<const N: usize>(heading: [&str; N], rows: &[[String; N]]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let cell = |text: &str| text.replace('|', "\\|").replace('\n', " ");
    let rows: Vec<[String; N]> = rows.iter().map(|row| row.each_ref().map(|text| cell(text))).collect();
    let widths: [usize; N] = std::array::from_fn(|column| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|text| text.chars().count());
        cells.chain(heading.get(column).map(|text| text.chars().count())).max().unwrap_or(0).max(3)
    });
    let line = |cells: [String; N]| {
        let padded = cells.iter().zip(widths).map(|(text, width)| format!(" {text:<width$} |"));
        format!("|{}\n", padded.collect::<String>())
    };
    let rule = format!("|{}\n", widths.map(|width| format!("{}|", "-".repeat(width + 2))).concat());
    let head = line(heading.map(str::to_owned));
    [head, rule].into_iter().chain(rows.into_iter().map(line)).collect()
}

/// `1 s`, `250 ms`.
pub(super) fn time(ms: u64) -> String {
    let time = Duration::from_millis(ms);
    if time.subsec_millis() == 0 { format!("{} s", time.as_secs()) } else { format!("{ms} ms") }
}

/// Bytes, or that there is no bound.
pub(super) fn bytes(bytes: Option<u64>) -> String {
    bytes.map_or_else(|| "no bound but the window".to_owned(), thousands)
}

/// `1,234,567`.
pub(super) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn tags(step: &Transition) -> String {
    step.tags.iter().map(u8::to_string).collect::<Vec<_>>().join(" ")
}

impl Description {
    /// Everything: states and steps, unread bytes, messages and the types in them.
    #[must_use]
    pub fn tables(&self) -> String {
        let bodies = self.messages.iter().map(|message| &message.body);
        let types = named(bodies).into_iter().filter_map(type_table).collect::<Vec<_>>();
        let mut text = format!("{} {}\n\n{}", self.protocol, self.version, self.steps());
        text.push_str(&format!("\nUnread bytes, at most\n\n{}", self.unread()));
        for message in &self.messages {
            text.push_str(&format!("\n{}\n\n{}", self.heading(message), body_table(&message.body)));
        }
        for (name, table) in types {
            text.push_str(&format!("\n{name}\n\n{table}"));
        }
        text
    }

    /// The states and the steps out of each.
    pub(super) fn steps(&self) -> String {
        let mut rows = Vec::new();
        for state in &self.states {
            let speaks = state.speaks.map_or_else(|| "nobody: the end".to_owned(), |speaker| speaker.to_string());
            if state.steps.is_empty() {
                rows.push([
                    state.state.clone(),
                    speaks.clone(),
                    String::new(),
                    String::new(),
                    String::new(),
                    String::new(),
                    String::new(),
                ]);
            }
            for (at, step) in state.steps.iter().enumerate() {
                let first = at == 0;
                let of = |summary: &MessageSummary| {
                    step.message == Some(summary.message) && state.speaks == Some(summary.from)
                };
                let summary = self.messages.iter().find(|summary| of(summary));
                rows.push([
                    if first { state.state.clone() } else { String::new() },
                    if first { speaks.clone() } else { String::new() },
                    tags(step),
                    step.message.unwrap_or_default().to_owned(),
                    summary.map(|summary| thousands(summary.max_bytes.into())).unwrap_or_default(),
                    summary.map(|summary| time(summary.deadline_ms)).unwrap_or_default(),
                    step.next.clone(),
                ]);
            }
        }
        markdown(["state", "speaks", "tags", "message", "at most bytes", "within", "next"], &rows)
    }

    /// What each side may send before it has to wait, by state and in all.
    pub(super) fn unread(&self) -> String {
        let mut rows: Vec<[String; 3]> = self
            .states
            .iter()
            .filter(|state| state.speaks.is_some())
            .map(|state| {
                let may_send = state.may_send_bytes;
                [state.state.clone(), bytes(may_send.initiator), bytes(may_send.responder)]
            })
            .collect();
        rows.push(["all".to_owned(), bytes(self.unread_bytes.initiator), bytes(self.unread_bytes.responder)]);
        markdown(["from", "of the initiator", "of the responder"], &rows)
    }

    /// A message and its limits in a line.
    pub(super) fn heading(&self, summary: &MessageSummary) -> String {
        let MessageSummary { message, from, max_bytes, deadline_ms, pipeline_depth, .. } = summary;
        let pipeline_depth = if *pipeline_depth > 1 {
            format!(", at most {pipeline_depth} before the first answer")
        } else {
            String::new()
        };
        format!(
            "{message}: from the {from}, at most {} bytes, within {}{pipeline_depth}",
            thousands((*max_bytes).into()),
            time(*deadline_ms)
        )
    }
}

/// What a message's body is, or a type's.
pub(super) fn body_table(body: &Body) -> String {
    match body {
        Body::Struct { fields, .. } if fields.is_empty() => "No bytes.\n".to_owned(),
        Body::Struct { fields, .. } => {
            let rows: Vec<[String; 2]> =
                fields.iter().map(|Field { field, body }| [format!("`{field}`"), body.words()]).collect();
            markdown(["field", "what it is"], &rows)
        }
        Body::Enum { variants, .. } => {
            let rows: Vec<[String; 3]> = variants.iter().map(variant_row).collect();
            markdown(["number", "variant", "what follows"], &rows)
        }
        Body::Named { of, .. } => format!("{}\n", of.words()),
        other => format!("{}\n", other.words()),
    }
}

fn variant_row(variant: &Variant) -> [String; 3] {
    let content = match variant.fields() {
        Some(fields) => fields
            .iter()
            .map(|Field { field, body }| format!("`{field}`: {}", body.words()))
            .collect::<Vec<_>>()
            .join("; "),
        None => variant.body.words(),
    };
    [variant.number.to_string(), format!("`{}`", variant.variant), content]
}

/// A named type and its table.
pub(super) fn type_table(body: &Body) -> Option<(&'static str, String)> {
    body.name().map(|name| (name, body_table(body)))
}
