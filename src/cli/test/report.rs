//! What came of all cases, as a table for people and as JSON for programs.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::play::{Played, Runs};

/// `cases.yaml:12`, where editors and terminals find it.
pub(super) fn place(played: &Played<'_>) -> String {
    let origin = &played.case.origin;
    let line = origin.line.map(|line| format!(":{line}"));
    format!("{}{}", origin.file.display(), line.unwrap_or_default())
}

pub(super) fn failed(all: &[Played<'_>]) -> usize {
    all.iter().filter(|played| !played.is_as_expected()).count()
}

pub(super) fn text(all: &[Played<'_>]) -> String {
    let width = all.iter().map(|played| place(played).len()).max();
    let width = width.unwrap_or_default();
    let mut text = String::new();
    // Writing to a `String` cannot fail.
    for played in all {
        let result = if played.is_as_expected() {
            "ok"
        } else {
            "FAILED"
        };
        let (place, name) = (place(played), &played.case.name);
        let _ = writeln!(text, "{result:<6}  {place:<width$}  {name}");
    }
    for played in all {
        let Some(found) = &played.difference else {
            continue;
        };
        let _ = writeln!(text, "\n{}: {}", place(played), played.case.name);
        let _ = writeln!(text, "  call {}: {}", found.call, found.what);
        let _ = writeln!(
            text,
            "    wanted {}\n    got    {}",
            found.wanted, found.got
        );
        if found.call > 1 || played.got.0.len() > 1 {
            let (wanted, got) = (played.wanted.in_words(), played.got.in_words());
            let _ = writeln!(text, "  all calls\n    wanted {wanted}\n    got    {got}");
        }
    }
    let (count, failed) = (all.len(), failed(all));
    let cases = if count == 1 { "case" } else { "cases" };
    let _ = match failed {
        0 => writeln!(text, "\n{count} {cases}, all as expected"),
        failed => writeln!(text, "\n{count} {cases}, {failed} not as expected"),
    };
    text
}

pub(super) fn json(all: &[Played<'_>]) -> Value {
    let runs = |runs: &Runs| -> Vec<Value> {
        let runs = runs.0.iter();
        runs.map(|(times, word)| json!({ "times": times, "decision": word }))
            .collect()
    };
    let cases = all.iter().map(|played| {
        let difference = played.difference.as_ref().map(|found| {
            json!({ "call": found.call, "what": found.what, "wanted": found.wanted, "got": found.got })
        });
        json!({
            "name": played.case.name,
            "file": played.case.origin.file.display().to_string(),
            "line": played.case.origin.line,
            "asExpected": played.is_as_expected(),
            "wanted": runs(&played.wanted),
            "got": runs(&played.got),
            "difference": difference,
        })
    });
    json!({
        "cases": cases.collect::<Vec<_>>(),
        "total": all.len(),
        "failed": failed(all),
    })
}
