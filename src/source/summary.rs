//! What a statement does, in a few words: `SELECT orders customers`.
//!
//! For spans (OpenTelemetry, "Generating a summary of the query"): an operation and the tables that
//! it reads, of few different values. Literals are passed over: the operator's text may hold what a
//! trace should not.

/// Longest summary, in bytes (the convention's 255).
const MAX_BYTES: usize = 255;

/// The operation, and the table behind each `FROM` and `JOIN`.
pub(super) fn summary(statement: &str) -> String {
    let (mut summary, mut is_table) = (String::new(), false);
    let mut rest = statement;
    while let Some((word, after)) = next_word(rest) {
        rest = after;
        if summary.is_empty() {
            summary = word.to_ascii_uppercase();
        } else if is_table && word != "(" && summary.len() + word.len() < MAX_BYTES {
            summary.push(' ');
            summary.push_str(word);
        }
        is_table = word.eq_ignore_ascii_case("from") || word.eq_ignore_ascii_case("join");
    }
    summary
}

/// The next name or opening bracket, and what follows it.
fn next_word(mut text: &str) -> Option<(&str, &str)> {
    loop {
        let first = text.chars().next()?;
        if is_of_name(first) {
            return Some(text.split_at(text.find(|c| !is_of_name(c)).unwrap_or(text.len())));
        }
        if first == '(' {
            return Some(text.split_at(1));
        }
        let (skipped, close) = match first {
            '\'' => (1, "'"),
            '"' => (1, "\""),
            '`' => (1, "`"),
            '[' => (1, "]"),
            '-' if text.starts_with("--") => (2, "\n"),
            '/' if text.starts_with("/*") => (2, "*/"),
            other => {
                text = &text[other.len_utf8()..];
                continue;
            }
        };
        let inner = &text[skipped..];
        let (inside, after) = inner.split_once(close).unwrap_or((inner, ""));
        if matches!(first, '"' | '`' | '[') {
            return Some((inside, after));
        }
        text = after;
    }
}

fn is_of_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '$' | '.' | ':' | '@')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_its_operation_and_its_tables() {
        for (statement, told) in [
            (
                "select o.id from orders o join main.customers c on c.id = o.customer where c.id = :id",
                "SELECT orders main.customers",
            ),
            (
                "-- from secret\nWITH t AS (SELECT * FROM [big table]) SELECT * FROM t /* from x */",
                "WITH big table t",
            ),
            (
                "SELECT 'from sesame', x FROM (SELECT x FROM \"orders\")",
                "SELECT orders",
            ),
            ("VALUES (1)", "VALUES"),
            ("", ""),
        ] {
            assert_eq!(summary(statement), told);
        }
        let many = format!("SELECT 1 FROM {}", "a JOIN ".repeat(1_000));
        assert!(summary(&many).len() <= MAX_BYTES);
    }
}
