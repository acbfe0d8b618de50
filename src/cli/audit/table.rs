//! Calls as a table of 100 columns.
//!
//! A reader would ask why the tool's name gives way and not the id: whoever reads the table goes on
//! with `tollgate explain ID`, and half an id is none.

use std::fmt;

use crate::audit::{Entry, Kind};
use crate::log::Inert;

/// The columns' widths, in characters; the last one has what is left.
const TIME: usize = 14;
const CALL: usize = 36;
const WHO: usize = 14;
const WHAT: usize = 14;
const OUTCOME: usize = 18;

/// What stands over the rows.
pub(super) fn heading() -> String {
    row(["TIME (UTC)", "CALL", "TENANT/SUBJECT", "WHAT", "OUTCOME"])
}

/// One call.
pub(super) fn of(entry: &Entry<'_>) -> String {
    // `2026-01-31T12:34:56.789012Z` without its year and fractions.
    let time = entry
        .time
        .get(5..19)
        .unwrap_or(&entry.time)
        .replace('T', " ");
    let who = match (&entry.tenant, &entry.subject) {
        (Some(tenant), Some(subject)) => format!("{tenant}/{subject}"),
        _ => "(nobody)".to_owned(),
    };
    let what = entry.about();
    let what = what.as_deref().unwrap_or(&entry.method);
    let outcome = match (&entry.error, &entry.outcome, entry.kind) {
        (Some(error), _, _) => error,
        (None, Some(outcome), _) => outcome,
        (None, None, Kind::Begun) => "(begun)",
        (None, None, _) => "(unknown)",
    };
    row([&time, &entry.call_id.to_string(), &who, what, outcome])
}

fn row(cells: [&str; 5]) -> String {
    let widths = [TIME, CALL, WHO, WHAT, OUTCOME];
    let cells = cells.into_iter().zip(widths);
    let cells: Vec<String> = cells
        .map(|(text, width)| format!("{:width$}", Cell(text, width).to_string()))
        .collect();
    cells.join(" ").trim_end().to_owned()
}

/// A text in so many characters.
struct Cell<'a>(&'a str, usize);

impl fmt::Display for Cell<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(text, width) = *self;
        let shown = Inert(text).to_string();
        if shown.chars().count() <= width {
            return f.write_str(&shown);
        }
        let kept: String = shown.chars().take(width - 1).collect();
        write!(f, "{kept}…")
    }
}
