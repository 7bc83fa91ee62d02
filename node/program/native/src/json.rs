//! JSON as Python writes it: what a class' ABI is hashed as.
//!
//! A class hash covers the text of the ABI. Compilers write the ABI as JSON into the class file, tools then hash it as Python's `json.dumps`
//! would write it: a space after each comma and colon, none elsewhere, and ASCII only. Fields keep their order, so the text is rewritten, not parsed.

use std::fmt::Write as _;

/// `text`, which is valid JSON, as `json.dumps` writes it.
pub(crate) fn as_python(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    let (mut quoted, mut escaped) = (false, false);
    for c in text.chars() {
        if quoted {
            match c {
                _ if c.is_ascii() => out.push(c),
                _ => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        let _ = write!(out, "\\u{unit:04x}"); // A String takes everything.
                    }
                }
            }
            quoted = escaped || c != '"';
            escaped = c == '\\' && !escaped;
        } else if !c.is_whitespace() {
            out.push(c);
            match c {
                '"' => quoted = true,
                ',' | ':' => out.push(' '),
                _ => {}
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::as_python;

    #[test]
    fn spaces_follow_commas_and_colons_outside_of_texts() {
        let text = "[ {\"b\":1,\n \"a\" : \"x, y:\\\" é\\\\\",\"c\":[ ]} ]";
        assert_eq!(as_python(text), r#"[{"b": 1, "a": "x, y:\" \u00e9\\", "c": []}]"#);
    }
}
