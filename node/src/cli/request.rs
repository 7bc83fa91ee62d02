//! A start request in a file of JSON, for `shardwire shard start --request`.

use serde::Deserialize;
use shardwire_files::text::{self, NotText, TextError};
use shardwire_model::{
    AccountId, Coded, ContractId, EntryRequest, EventId, Felt, PeerId, StartError, StartRequest, Terms, Timestamp, felt,
};
use shardwire_program::rules;
use std::{
    io,
    path::{Path, PathBuf},
};

/// Largest file that is read: a request with all bounds exhausted is about 600 kB.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// A file that is no start request.
#[derive(Debug, thiserror::Error)]
pub(super) enum RequestError {
    /// The file can't be read.
    #[error("{path} can't be read: {reason}", path = path.display())]
    Unreadable { path: PathBuf, reason: io::Error },
    /// It is larger than a request may be.
    #[error("{path} is larger than {MAX_FILE_BYTES} bytes", path = path.display())]
    TooLarge { path: PathBuf },
    /// It isn't text in UTF-8.
    #[error("{path}: {reason}", path = path.display())]
    NotText { path: PathBuf, reason: NotText },
    /// Not the JSON that it should be.
    #[error("{path} is no start request: {reason}", path = path.display())]
    Malformed { path: PathBuf, reason: String },
    /// A field that nothing reads.
    #[error("{path} has the unknown field '{field}'", path = path.display())]
    UnknownField { path: PathBuf, field: String },
    /// A list that no message holds.
    #[error(transparent)]
    Size(StartError),
}

impl Coded for RequestError {
    fn code(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "SW-REQUEST-001",
            Self::TooLarge { .. } => "SW-REQUEST-002",
            Self::Malformed { .. } => "SW-REQUEST-003",
            Self::UnknownField { .. } => "SW-REQUEST-004",
            Self::Size(error) => error.code(),
            Self::NotText { .. } => "SW-REQUEST-005",
        }
    }

    fn next_step(&self) -> String {
        match self {
            Self::Unreadable { .. } => "Check the path and its permissions.".into(),
            Self::TooLarge { .. } => "Check that it is the right file.".into(),
            Self::Size(error) => error.next_step(),
            Self::NotText { .. } => "Save it as UTF-8 in an editor.".into(),
            Self::Malformed { .. } | Self::UnknownField { .. } => {
                "Give it the fields of a workload's `start` part (docs/workload.md), `operator`: the operator's id, and for a shard of contracts its `terms`."
                    .into()
            }
        }
    }
}

/// A [`StartRequest`] as people write it: the program may be left out, and is the one of its terms then.
#[derive(Deserialize)]
struct Form {
    salt: u64,
    #[serde(default)]
    program: Option<Program>,
    operator: PeerId,
    contracts: Vec<ContractId>,
    accounts: Vec<AccountId>,
    end_event: EventId,
    entries: Vec<EntryRequest>,
    #[serde(default)]
    terms: Terms,
}

#[derive(Deserialize)]
struct Program(#[serde(with = "felt::wire")] Felt);

impl From<Form> for StartRequest {
    fn from(form: Form) -> Self {
        let Form { salt, program, operator, contracts, accounts, end_event, entries, terms } = form;
        let default = if terms == Terms::Rules { rules::hash } else { shardwire_hosted::hash };
        let program = program.map_or_else(default, |program| program.0);
        Self { salt, program, operator, contracts, accounts, end_event, entries, terms }
    }
}

/// Reads a start request that can be sent. What else it asks for is checked where it is asked.
pub(super) fn read(path: &Path) -> Result<StartRequest, RequestError> {
    let text = text::read(path, MAX_FILE_BYTES).map_err(|error| match error {
        TextError::Unreadable(reason) => RequestError::Unreadable { path: path.into(), reason },
        TextError::TooLarge { .. } => RequestError::TooLarge { path: path.into() },
        TextError::NotText(reason) => RequestError::NotText { path: path.into(), reason },
    })?;
    let mut unknown = None;
    let mut deserializer = serde_json::Deserializer::from_str(&text);
    let request: Form = serde_ignored::deserialize(&mut deserializer, |field| {
        unknown.get_or_insert_with(|| field.to_string());
    })
    .and_then(|request| deserializer.end().map(|()| request))
    .map_err(|error| RequestError::Malformed { path: path.into(), reason: error.to_string() })?;
    if let Some(field) = unknown {
        return Err(RequestError::UnknownField { path: path.into(), field });
    }
    let request = StartRequest::from(request);
    match request.validate("", Timestamp::default()) {
        Err(error @ StartError::Size { .. }) => Err(RequestError::Size(error)),
        _ => Ok(request),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("request.json");
        std::fs::write(&path, text).unwrap();
        let error = read(&path).unwrap_err();
        format!("error[{}]: {error}", error.code()).replace(&path.display().to_string(), "FILE")
    }

    #[test]
    fn the_page_shows_a_shard_of_contracts_that_can_be_asked_for() {
        let page = include_str!("../../../docs/workload.md");
        let section = page.split_once("## A start request").unwrap().1;
        let example = section.split_once("```json\n").unwrap().1.split_once("```").unwrap().0;
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("request.json");
        std::fs::write(&path, example).unwrap();
        let request = read(&path).unwrap();
        assert_eq!(request.program, shardwire_hosted::hash(), "its terms say which program it is of");
        let Terms::Contracts(terms) = &request.terms else { panic!("terms of contracts") };
        assert_eq!((terms.classes.len(), terms.maxima[0].0), (2, 1_000_000));
        request.validate("test", Timestamp((terms.begins + 60) * 1_000)).unwrap();
        assert_eq!(
            shown(&example.replace("begins", "began")),
            "error[SW-REQUEST-003]: FILE is no start request: missing field `begins` at line 26 column 5"
        );
        assert_eq!(
            shown(&example.replace("\"sequencer\"", "\"sequence\": 1, \"sequencer\"")),
            "error[SW-REQUEST-004]: FILE has the unknown field 'terms.?.sequence'"
        );
    }

    #[test]
    fn a_request_is_read_and_what_is_not_one_is_refused() {
        let id = "11".repeat(32);
        let text = format!(
            r#"{{"salt":1,"operator":"{id}","contracts":["0x1"],"accounts":["0x2"],"end_event":{{"from":"0x1","selector":"0x3"}},
            "entries":[{{"kind":"counter","contract":"0x1","key":"0x4"}}]}}"#
        );
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("request.json");
        std::fs::write(&path, &text).unwrap();
        let request = read(&path).unwrap();
        assert_eq!((request.salt, request.program), (1, rules::hash()));
        std::fs::write(&path, text.replace(r#""salt""#, r#""program":"0x7","salt""#)).unwrap();
        assert_eq!(read(&path).unwrap().program, Felt::from(7));

        assert_eq!(
            shown(&text.replace("salt", "slat")),
            "error[SW-REQUEST-003]: FILE is no start request: missing field `salt` at line 2 column 72"
        );
        assert_eq!(
            shown(&text.replace(r#""key":"#, r#""size":1,"key":"#)),
            "error[SW-REQUEST-004]: FILE has the unknown field 'entries.0.size'"
        );
        let accounts: Vec<String> = (0..257).map(|n| format!(r#""{n:#x}""#)).collect();
        assert_eq!(
            shown(&text.replace(r#"["0x2"]"#, &format!("[{}]", accounts.join(",")))),
            "error[SW-START-001]: account: 257 given, 1 to 256 allowed"
        );
        assert_eq!(shown(&" ".repeat(1 << 21)), "error[SW-REQUEST-002]: FILE is larger than 1048576 bytes");
        let marked = place.path().join("marked.json");
        std::fs::write(&marked, format!("\u{feff}{text}")).unwrap();
        assert_eq!(read(&marked).unwrap().salt, 1, "a byte order mark says nothing");
        std::fs::write(&marked, text.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<u8>>()).unwrap();
        let error = read(&marked).unwrap_err();
        assert_eq!(
            format!("error[{}]: {error}\n  next: {}", error.code(), error.next_step()),
            format!(
                "error[SW-REQUEST-005]: {}: it is text in UTF-16, not in UTF-8: save it as UTF-8\n  next: Save it as UTF-8 in an editor.",
                marked.display()
            )
        );
        let missing = read(&place.path().join("none")).unwrap_err();
        assert_eq!(missing.code(), "SW-REQUEST-001");
        assert_eq!(missing.next_step(), "Check the path and its permissions.");
    }
}
