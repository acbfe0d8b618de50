//! The statement of a tool or a resource, and the limits of its result.
//!
//! A reader would ask why the SQL is not checked here: only the database can tell; the source that opens it
//! reports faults through [`Sql::origin`].

use std::collections::BTreeMap;

use super::document::At;
use super::faults::{Faults, Origin};
use super::raw::{RawResult, RawSql};
use super::source::{Source, check_name};

/// A statement and the limits of its result.
#[derive(Debug, Clone)]
pub struct Sql {
    /// A name that is in [`super::Config::sources`].
    pub source: String,
    /// The statement as written; not blank, otherwise unchecked.
    pub statement: String,
    /// How many rows it stands for.
    pub result: SqlResult,
    /// Rows returned at most, 1 to 100,000, default 1000.
    pub max_rows: usize,
    /// Largest result in bytes of JSON, 1 to 64 MiB, default 1 MiB.
    pub max_bytes: usize,
    /// Where the statement is written, for faults that show later.
    pub origin: Origin,
}

/// How many rows a statement stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SqlResult {
    /// One row; no row means "not found".
    One,
    /// A list of rows, which may be empty.
    Many,
}

impl Sql {
    /// Stands in where the file has no statement; a fault tells so.
    pub(super) fn none(at: &At<'_>) -> Self {
        Self {
            source: String::new(),
            statement: String::new(),
            result: SqlResult::One,
            max_rows: 1,
            max_bytes: 1,
            origin: at.origin(),
        }
    }
}

pub(super) fn check(
    raw: RawSql,
    sources: &BTreeMap<String, Source>,
    at: &At<'_>,
    faults: &mut Faults,
) -> Sql {
    check_name(&raw.source, sources, "sqlite", &at.key("source"), faults);
    let statement_at = at.key("statement");
    if raw.statement.trim().is_empty() {
        statement_at.fault(
            faults,
            "must not be empty: write one read-only statement, such as SELECT name FROM customers",
        );
    }
    Sql {
        source: raw.source,
        statement: raw.statement,
        result: match raw.result {
            RawResult::One => SqlResult::One,
            RawResult::Many => SqlResult::Many,
        },
        max_rows: raw.max_rows,
        max_bytes: raw.max_bytes,
        origin: statement_at.origin(),
    }
}

#[cfg(test)]
mod tests {
    use crate::config::testing::faults;

    #[test]
    fn the_source_must_exist_and_the_statement_say_something() {
        let tool = |sources: &str| {
            format!(
                "{sources}tools:\n  t:\n    description: d\n    anyAuthenticated: true\n    sql:\n      source: shp\n      statement: ' '\n      result: one\n"
            )
        };
        assert_eq!(
            faults(&tool("sources: {shop: {sqlite: a}, crm: {sqlite: b}}\n")),
            [
                "tollgate.yaml:7: tools.t.sql.source: names no source; those under `sources`: crm, shop",
                "tollgate.yaml:8: tools.t.sql.statement: must not be empty: write one read-only statement, such as SELECT name FROM customers",
            ]
        );
        assert!(faults(&tool("\n"))[0].ends_with("those under `sources`: there are none"));
    }
}
