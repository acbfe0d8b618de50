//! One line, as text or as JSON.
//!
//! The same names in both but for calls and traces: people know them as `call=` and `trace=` from the
//! console, programs as `callId` and `traceId` from answers and collectors.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Map, Value};
use tracing::Level;

use super::fields::Fields;
use super::inert::{Inert, Quoted, has_power};
use crate::clock::rfc3339;

/// Crates whose events are ours: their module says nothing to an operator.
const OURS: &str = "tollgate";
const DIM: &str = "\u{1b}[2m";
const PLAIN: &str = "\u{1b}[0m";

pub(super) struct Line<'a> {
    /// Since the Unix epoch.
    pub(super) time: Duration,
    pub(super) level: Level,
    /// Which module it comes from.
    pub(super) module: &'a str,
    pub(super) fields: Fields,
}

impl Line<'_> {
    /// `2026-11-22T15:48:33.324803Z  WARN what there is to say name=value`, with its line break.
    pub(super) fn text(&self, in_colours: bool) -> String {
        let (dim, plain) = if in_colours { (DIM, PLAIN) } else { ("", "") };
        let colour = if in_colours { colour(self.level) } else { "" };
        let message = Inert(&self.fields.message);
        let mut text = format!(
            "{dim}{}{plain} {colour}{:>5}{plain} {message}",
            rfc3339(self.time),
            self.level.as_str()
        );
        for (name, value) in self.members() {
            let value = match value {
                Value::String(value) => Quoted(&value).to_string(),
                other => other.to_string(),
            };
            // Writing to a `String` cannot fail.
            let _ = write!(text, " {dim}{name}={plain}{value}");
        }
        text.push('\n');
        text
    }

    /// `{"time":…,"level":…,"message":…,…}`, with its line break.
    pub(super) fn json(&self) -> String {
        let mut object = Map::new();
        object.insert("time".into(), rfc3339(self.time).into());
        object.insert("level".into(), self.level.as_str().into());
        object.insert("message".into(), self.fields.message.as_str().into());
        for (name, value) in self.members() {
            let name = match name {
                "call" => "callId",
                "trace" => "traceId",
                // No field may pass for one of the three.
                "time" | "level" | "message" => continue,
                name => name,
            };
            object.insert(name.to_owned(), value);
        }
        let mut line = String::new();
        for c in Value::Object(object).to_string().chars() {
            // Inside of strings only: JSON's own characters are not among them.
            if has_power(c) {
                let _ = write!(line, "\\u{:04x}", u32::from(c));
            } else {
                line.push(c);
            }
        }
        line.push('\n');
        line
    }

    /// What belongs to the line, and where it comes from, unless from us.
    fn members(&self) -> impl Iterator<Item = (&str, Value)> {
        let is_ours = self.module.split("::").next() == Some(OURS);
        let module = (!is_ours).then(|| ("module", Value::from(self.module)));
        let others = self.fields.others.iter();
        let others = others.map(|(name, value)| (name.as_str(), value.clone()));
        module.into_iter().chain(others)
    }
}

fn colour(level: Level) -> &'static str {
    match level {
        Level::ERROR => "\u{1b}[31m",
        Level::WARN => "\u{1b}[33m",
        Level::INFO => "\u{1b}[32m",
        _ => "\u{1b}[34m",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line break, a colour, a C1 control character, a mark of direction, a separator of lines.
    const HOSTILE: &str = "a\n\u{1b}[31mb\u{9b}c\u{202e}d\u{2028}e";

    fn line() -> Line<'static> {
        let mut fields = Fields::saying(HOSTILE);
        for (name, value) in [("call", "1-2"), ("cause", HOSTILE), ("level", "forged")] {
            fields.others.insert(name.to_owned(), value.into());
        }
        fields.others.insert("count".to_owned(), 3.into());
        Line {
            time: Duration::new(1_795_000_000, 324_803_000),
            level: Level::WARN,
            module: "tollgate::log",
            fields,
        }
    }

    #[test]
    fn nothing_in_a_value_ends_a_line_of_text() {
        let shown = "a\\u{a}\\u{1b}[31mb\\u{9b}c\\u{202e}d\\u{2028}e";
        let text = line().text(false);
        let wanted = format!(
            "2026-11-18T11:06:40.324803Z  WARN {shown} call=1-2 cause=\"{shown}\" level=forged count=3\n"
        );
        assert_eq!(text, wanted);
    }

    #[test]
    fn nothing_in_a_value_ends_a_line_of_json_or_passes_for_what_it_is_not() {
        let text = line().json();
        let inner = text.strip_suffix('\n').expect("a line break");
        assert!(!inner.contains(has_power), "{inner}");
        let object: Value = serde_json::from_str(inner).expect("JSON");
        let wanted = serde_json::json!({
            "time": "2026-11-18T11:06:40.324803Z", "level": "WARN", "message": HOSTILE,
            "callId": "1-2", "cause": HOSTILE, "count": 3,
        });
        assert_eq!(object, wanted);
    }

    #[test]
    fn a_library_is_named() {
        let of = |module| Line { module, ..line() };
        assert!(
            of("hyper::proto")
                .text(false)
                .contains(" module=hyper::proto ")
        );
        assert!(
            of("hyper::proto")
                .json()
                .contains("\"module\":\"hyper::proto\"")
        );
        assert!(!of("tollgate").json().contains("module"));
    }

    #[test]
    fn a_long_value_is_cut_between_characters() {
        let fields = Fields::saying(&"é".repeat(10_000));
        assert!(fields.message.len() <= 8 * 1024 + '…'.len_utf8());
        assert!(fields.message.ends_with("é…"));
    }
}
