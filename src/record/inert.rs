//! Texts from outside on a terminal, without any power over it.
//!
//! Callers choose names, tenants and subjects: a newline could forge a row, an escape sequence the
//! whole screen, and a mark of writing direction the order of what is read. All that is not plainly
//! visible is shown escaped, as Rust's `escape_debug` decides it.

use std::fmt::{self, Write as _};

/// A text from outside.
pub struct Inert<'a>(pub &'a str);

impl fmt::Display for Inert<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for char in self.0.chars() {
            match char {
                '"' | '\'' => f.write_char(char)?,
                char => write!(f, "{}", char.escape_debug())?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_moves_the_cursor_or_turns_the_writing() {
        let hostile = "a\n\u{1b}[2J\r\u{202e}b\u{2028}c\u{200b}é'\"";
        let shown = Inert(hostile).to_string();
        assert_eq!(shown, r#"a\n\u{1b}[2J\r\u{202e}b\u{2028}c\u{200b}é'""#);
    }
}
