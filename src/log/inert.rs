//! Texts without any power over a terminal or a line.

use std::fmt::{self, Write as _};

/// Shows a text with its control characters, line breaks and marks of direction escaped, so that no
/// caller can write lines or colours of its own.
pub(crate) struct Inert<'a>(pub(crate) &'a str);

impl fmt::Display for Inert<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            if has_power(c) {
                write!(f, "{}", c.escape_unicode())?;
            } else {
                f.write_char(c)?;
            }
        }
        Ok(())
    }
}

/// The value of a field, inert: in quotes if it could be taken for more than one.
pub(crate) struct Quoted<'a>(pub(crate) &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let needs_quotes = |c: char| c.is_whitespace() || matches!(c, '=' | '"' | '\\');
        if self.0.is_empty() || self.0.contains(needs_quotes) {
            let quoted = self.0.replace('\\', "\\\\").replace('"', "\\\"");
            write!(f, "\"{}\"", Inert(&quoted))
        } else {
            write!(f, "{}", Inert(self.0))
        }
    }
}

/// JSON that says the same, with these characters escaped in its texts.
pub(crate) fn inert_json(json: &str) -> String {
    let mut inert = String::with_capacity(json.len());
    for c in json.chars() {
        // White space between values stays; within texts JSON has it escaped.
        if has_power(c) && !matches!(c, '\n' | '\r' | '\t') {
            // None of them takes two units of UTF-16; writing to a `String` does not fail.
            let _ = write!(inert, "\\u{:04x}", u32::from(c));
        } else {
            inert.push(c);
        }
    }
    inert
}

/// Whether a terminal or a reader of lines may take the character for more than a letter.
pub(super) fn has_power(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inert_json_says_the_same() {
        let said =
            serde_json::json!({"a": "x\u{9b}31m\u{202e}\u{7f}\n\u{1b}\u{feff}é😀", "b": [1]});
        let json = format!("{said:#}");
        let inert = inert_json(&json);
        assert!(!inert.contains(['\u{9b}', '\u{202e}', '\u{7f}', '\u{1b}']));
        assert_eq!(inert.lines().count(), json.lines().count());
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&inert).unwrap(),
            said
        );
    }
}
