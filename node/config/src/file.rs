//! `shardwire.toml`: text to values, each with its line.
//!
//! Walked over the parsed table, not derived: so every value keeps its line, and a setting that doesn't exist is named with
//! the one that was probably meant.

use super::{
    error::ConfigError,
    origin::Origin,
    setting::{Setting, nearest},
    source::{Given, Layer},
};
use shardwire_files::text::{self, TextError};
use std::path::Path;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// Largest configuration file. With the most peers and admins allowed one is about 40 KiB.
const MAX_FILE_BYTES: u64 = 256 * 1024;

/// Reads and checks the file's shape; the values are checked where all sources meet.
pub(super) fn read(path: &Path) -> Result<Layer, ConfigError> {
    let text = text::read_file(path, MAX_FILE_BYTES).map_err(|error| match error {
        TextError::Unreadable(reason) => ConfigError::Unreadable { path: path.into(), reason },
        TextError::TooLarge { max } => ConfigError::FileSize { path: path.into(), max },
        TextError::NotText(reason) => ConfigError::NotText { path: path.into(), reason },
    })?;
    parse(path, &text)
}

/// The values in a file's text.
pub(super) fn parse(path: &Path, text: &str) -> Result<Layer, ConfigError> {
    let file = File { path, text };
    let table = DeTable::parse(text).map_err(|error| ConfigError::Syntax {
        path: path.into(),
        line: file.line(error.span().map_or(0, |span| span.start)),
        message: error.message().to_owned(),
    })?;
    let mut layer = Layer::new();
    file.table("", table.get_ref(), &mut layer)?;
    Ok(layer)
}

struct File<'a> {
    path: &'a Path,
    text: &'a str,
}

impl File<'_> {
    fn line(&self, offset: usize) -> usize {
        1 + self.text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
    }

    fn origin<T>(&self, at: &Spanned<T>) -> Origin {
        Origin::File { path: self.path.into(), line: self.line(at.span().start) }
    }

    fn table(&self, prefix: &str, table: &DeTable<'_>, layer: &mut Layer) -> Result<(), ConfigError> {
        for (key, value) in table {
            let name = format!("{prefix}{}", key.get_ref());
            let is_table = Setting::ALL.iter().any(|it| it.key().split_once('.').is_some_and(|(head, _)| head == name));
            match (Setting::ALL.into_iter().find(|it| it.key() == name), value.get_ref()) {
                (Some(setting), _) => {
                    layer.insert(setting, self.given(setting, value)?);
                }
                (None, DeValue::Table(inner)) if is_table => self.table(&format!("{name}."), inner, layer)?,
                _ => {
                    let hint = nearest(&name, Setting::ALL.iter().map(|it| it.key()));
                    return Err(ConfigError::Unknown { origin: self.origin(key), name, hint });
                }
            }
        }
        Ok(())
    }

    fn given(&self, setting: Setting, value: &Spanned<DeValue<'_>>) -> Result<Given, ConfigError> {
        let names = setting.names();
        let one = |value: &Spanned<DeValue<'_>>| {
            let origin = self.origin(value);
            match scalar(value.get_ref()) {
                Some(text) => Ok((text, origin)),
                None => Err(ConfigError::value(setting, origin, self.excerpt(value))),
            }
        };
        let texts = match value.get_ref() {
            DeValue::Array(values) if names.list => values.iter().map(one).collect::<Result<_, _>>()?,
            _ => vec![one(value)?],
        };
        Ok(Given { origin: self.origin(value), texts })
    }

    fn excerpt<T>(&self, at: &Spanned<T>) -> String {
        self.text.get(at.span()).unwrap_or_default().to_owned()
    }
}

/// The text of a value that has no parts.
fn scalar(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => {
            let number = i128::from_str_radix(number.as_str(), number.radix()).ok()?;
            Some(number.to_string())
        }
        _ => None,
    }
}
