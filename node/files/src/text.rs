//! Text that a person wrote, in a file.
//!
//! Editors save JSON and TOML as UTF-8, some with a byte order mark before it, some as UTF-16. The mark says nothing and is skipped. UTF-16 is
//! refused by its name: a parser would complain about its first byte.

use crate::special;
use std::{
    fs::File,
    io::{self, Read as _},
    path::Path,
};

/// A file that can't be read as text.
#[derive(Debug, thiserror::Error)]
pub enum TextError {
    /// The system can't read it.
    #[error("{0}")]
    Unreadable(#[from] io::Error),
    /// It is larger than it may be.
    #[error("it is larger than {max} bytes")]
    TooLarge {
        /// The most bytes that it may have.
        max: u64,
    },
    /// It isn't text in UTF-8.
    #[error(transparent)]
    NotText(#[from] NotText),
}

/// Bytes that aren't text in UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotText {
    /// They are text in another encoding.
    #[error("it is text in {0}, not in UTF-8: save it as UTF-8")]
    Encoding(&'static str),
    /// Some byte is none of UTF-8.
    #[error("it isn't text in UTF-8: line {line} has a byte that doesn't belong there")]
    Bytes {
        /// The line, from 1.
        line: usize,
    },
}

/// Reads a file of at most `max` bytes.
///
/// # Errors
/// [`TextError::Unreadable`], [`TextError::TooLarge`] or [`TextError::NotText`].
pub fn read(path: &Path, max: u64) -> Result<String, TextError> {
    let mut bytes = Vec::new();
    // A byte more than allowed, to tell "at the bound" from "beyond": a file's metadata may lie (pipes, /proc).
    File::open(path)?.take(max.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max {
        return Err(TextError::TooLarge { max });
    }
    Ok(decode(bytes)?)
}

/// The same, of a file that is read while others wait: a pipe, a socket or a device is refused.
///
/// # Errors
/// As [`read`].
pub fn read_file(path: &Path, max: u64) -> Result<String, TextError> {
    special::refuse(path)?;
    read(path, max)
}

/// The text that these bytes are, without a byte order mark.
///
/// # Errors
/// [`NotText::Encoding`] if a mark says that it is in another encoding, [`NotText::Bytes`] if it isn't UTF-8.
pub fn decode(bytes: Vec<u8>) -> Result<String, NotText> {
    let mut text = match String::from_utf8(bytes) {
        // Where each second byte is zero, all of them may be characters of UTF-8.
        Ok(text) if !text.contains('\0') => text,
        Ok(text) => {
            return Err(
                encoding(text.as_bytes()).unwrap_or(NotText::Bytes { line: line(text.as_bytes(), text.find('\0')) })
            );
        }
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            return Err(encoding(error.as_bytes()).unwrap_or(NotText::Bytes { line: line(error.as_bytes(), Some(at)) }));
        }
    };
    if text.starts_with('\u{feff}') {
        text.drain(..'\u{feff}'.len_utf8());
    }
    Ok(text)
}

/// The line of this place, from 1.
fn line(bytes: &[u8], at: Option<usize>) -> usize {
    let before = bytes.get(..at.unwrap_or(0)).unwrap_or_default();
    1 + before.iter().filter(|byte| **byte == b'\n').count()
}

/// The other encoding that these bytes are in, if they are: by their mark, or by the zeros that characters of ASCII have there.
fn encoding(bytes: &[u8]) -> Option<NotText> {
    let name = match bytes {
        [0xff, 0xfe, 0, 0, ..] | [1..=0xff, 0, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] | [0, 0, 0, 1..=0xff, ..] => "UTF-32",
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [1..=0xff, 0, 1..=0xff, 0, ..] | [0, 1..=0xff, 0, 1..=0xff, ..] => {
            "UTF-16"
        }
        _ => return None,
    };
    Some(NotText::Encoding(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_order_mark_is_skipped_and_other_encodings_are_named() {
        assert_eq!(decode(b"\xef\xbb\xbf{}".to_vec()).as_deref(), Ok("{}"));
        assert_eq!(decode("{\"ä\"}".into()).as_deref(), Ok("{\"ä\"}"));
        assert_eq!(decode(Vec::new()).as_deref(), Ok(""));
        // What a file system leaves of a file after a crash.
        assert_eq!(decode(vec![0; 64]), Err(NotText::Bytes { line: 1 }));
        let utf16 = |bom: bool, little: bool| {
            let text = if bom { "\u{feff}{\"a\":1}" } else { "{\"a\":1}" };
            let bytes = |unit: u16| if little { unit.to_le_bytes() } else { unit.to_be_bytes() };
            text.encode_utf16().flat_map(bytes).collect::<Vec<u8>>()
        };
        for (bom, little) in [(true, true), (true, false), (false, true), (false, false)] {
            let error = decode(utf16(bom, little)).unwrap_err();
            assert_eq!(error.to_string(), "it is text in UTF-16, not in UTF-8: save it as UTF-8", "{bom} {little}");
        }
        let utf32: Vec<u8> = "\u{feff}{}".chars().flat_map(|c| u32::from(c).to_le_bytes()).collect();
        assert_eq!(decode(utf32), Err(NotText::Encoding("UTF-32")));
        let error = decode(b"one\ntwo \xff".to_vec()).unwrap_err();
        assert_eq!(error.to_string(), "it isn't text in UTF-8: line 2 has a byte that doesn't belong there");
        assert_eq!(decode(b"one\n\n\0".to_vec()), Err(NotText::Bytes { line: 3 }));
    }

    #[test]
    fn a_file_is_read_up_to_its_bound() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("it");
        assert!(matches!(read(&path, 3), Err(TextError::Unreadable(_))));
        std::fs::write(&path, "abc").unwrap();
        assert_eq!(read(&path, 3).unwrap(), "abc");
        assert_eq!(read(&path, 2).unwrap_err().to_string(), "it is larger than 2 bytes");
    }
}
