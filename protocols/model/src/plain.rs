//! Text of peers and of files that gets to a person's terminal, and names that people tell apart by looking at them.
//!
//! A control character moves the cursor. One that changes the direction of writing, or shows nothing at all, makes two different texts look alike.

/// Whether a character shows as itself: no control character, none that changes the direction of writing, none that shows nothing.
#[must_use]
pub fn is_plain(c: char) -> bool {
    !c.is_control()
        && !matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}'
            // Zero width, and the marks of direction.
            | '\u{200b}'..='\u{200f}'
            // The ends of lines and paragraphs; embeddings and overrides of direction.
            | '\u{2028}'..='\u{202e}'
            // Joiners, and isolates of direction.
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            // Marks of a text's language, which show nothing.
            | '\u{e0000}'..='\u{e007f}')
}

/// The text with a space for each character that isn't [plain](is_plain).
#[must_use]
pub fn plain(text: &str) -> String {
    text.chars().map(|c| if is_plain(c) { c } else { ' ' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_moves_the_cursor_turns_the_writing_or_shows_nothing_is_not_plain() {
        assert!("Zoë, 剣士 №1 – “ok” 🗡".chars().all(is_plain));
        for c in ['\n', '\u{1b}', '\u{202e}', '\u{2066}', '\u{200f}', '\u{200b}', '\u{2028}', '\u{feff}', '\u{e0041}'] {
            assert!(!is_plain(c), "{c:?}");
        }
        assert_eq!(plain("a\u{202e}b\tc"), "a b c");
    }
}
