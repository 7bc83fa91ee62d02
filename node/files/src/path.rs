//! A path as JSON has it.
//!
//! A path that is text in UTF-8 is a string. Any other one is an object `{"hex": "…"}` with its bytes, two hexadecimal digits each: JSON has no string for it, and one
//! with some characters replaced would name another file.

use serde::{Serialize, Serializer, ser::SerializeMap as _};
use std::path::Path;

/// Serializes a path without loss. For `#[serde(serialize_with = "shardwire_files::path::serialize")]`.
///
/// # Errors
/// The serializer's own.
pub fn serialize<S: Serializer>(path: &impl AsRef<Path>, serializer: S) -> Result<S::Ok, S::Error> {
    Exact(path.as_ref()).serialize(serializer)
}

/// As [`serialize`], of a path that may be absent.
///
/// # Errors
/// The serializer's own.
pub fn serialize_some<S: Serializer>(path: &Option<impl AsRef<Path>>, serializer: S) -> Result<S::Ok, S::Error> {
    path.as_ref().map(|path| Exact(path.as_ref())).serialize(serializer)
}

/// A path to serialize.
#[derive(Clone, Copy, Debug)]
pub struct Exact<'p>(pub &'p Path);

impl Serialize for Exact<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.to_str() {
            Some(text) => serializer.serialize_str(text),
            None => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("hex", &hex::encode(self.0.as_os_str().as_encoded_bytes()))?;
                map.end()
            }
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _};

    #[test]
    fn a_path_is_a_string_and_one_that_is_no_text_is_its_bytes() {
        let json = |bytes: &[u8]| serde_json::to_string(&Exact(Path::new(OsStr::from_bytes(bytes)))).unwrap();
        assert_eq!(json(b"/a/b"), r#""/a/b""#);
        assert_eq!(json("/ä".as_bytes()), r#""/ä""#);
        assert_eq!(json(b"/a/\xff"), r#"{"hex":"2f612fff"}"#);
    }
}
