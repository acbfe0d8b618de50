//! The statement of a tool or a resource, what fills its parameters, and the limits of its result.
//!
//! A reader would ask why the SQL is not checked here: only the database can tell; the source that opens it
//! reports faults through [`Sql::origin`].

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::document::At;
use super::faults::{Faults, Origin};
use super::parameters::{self, Parameters};
use super::raw::{RawBinding, RawResult, RawSql};
use super::source::Source;

/// What the runtime fills into a statement, from the verified credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binding {
    /// The caller's tenant (`caller.tenant`).
    Tenant,
    /// The caller's subject (`caller.subject`).
    Subject,
}

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

/// Checks the arguments and what the runtime adds to them.
pub(super) fn check_inputs(
    parameters: Map<String, Value>,
    bind: BTreeMap<String, RawBinding>,
    at: &At<'_>,
    faults: &mut Faults,
) -> (Parameters, BTreeMap<String, Binding>) {
    let bind_at = at.key("bind");
    for name in bind.keys() {
        let at = bind_at.key(name);
        if parameters.contains_key(name) {
            at.fault(faults, "is also in `parameters`: either the caller gives it or the runtime does; rename one");
        }
        parameters::check_word(name, &at, faults);
    }
    let binding = |raw| match raw {
        RawBinding::Tenant => Binding::Tenant,
        RawBinding::Subject => Binding::Subject,
    };
    let parameters = parameters::check(parameters, &at.key("parameters"), faults);
    (
        parameters,
        bind.into_iter()
            .map(|(name, raw)| (name, binding(raw)))
            .collect(),
    )
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

/// Reports a name that is no source, or one of another kind than the `key` that makes it what it is.
pub(super) fn check_source(
    name: &str,
    sources: &BTreeMap<String, Source>,
    key: &str,
    at: &At<'_>,
    faults: &mut Faults,
) {
    // The sources are keys of the file and so may be shown; the value may not.
    let list = |names: Vec<&str>| match names.as_slice() {
        [] => "there are none".to_owned(),
        names => names.join(", "),
    };
    match sources.get(name) {
        Some(source) if source.kind_key() == key => {}
        Some(_) => {
            let fitting = sources.iter().filter(|(_, one)| one.kind_key() == key);
            let fitting = list(fitting.map(|(name, _)| name.as_str()).collect());
            let message = format!("names a source without `{key}`; those that have it: {fitting}");
            at.fault(faults, message);
        }
        None => {
            let known = list(sources.keys().map(String::as_str).collect());
            let message = format!("names no source; those under `sources`: {known}");
            at.fault(faults, message);
        }
    }
}

pub(super) fn check(
    raw: RawSql,
    sources: &BTreeMap<String, Source>,
    at: &At<'_>,
    faults: &mut Faults,
) -> Sql {
    check_source(&raw.source, sources, "sqlite", &at.key("source"), faults);
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
    use crate::config::testing::{faults, tool_faults};

    #[test]
    fn a_name_is_either_given_or_bound() {
        assert_eq!(
            tool_faults(
                "anyAuthenticated: true\nparameters: {tenant: {type: string}}\nbind:\n  tenant: caller.tenant\n  'a-b': caller.tenant\n"
            ),
            [
                "tollgate.yaml:7: tools.t.bind.tenant: is also in `parameters`: either the caller gives it or the runtime does; rename one",
                "tollgate.yaml:8: tools.t.bind.a-b: a parameter's name is 1 to 64 letters, digits and `_`, and does not start with a digit",
            ]
        );
        assert_eq!(
            tool_faults("anyAuthenticated: true\nbind: {tenant: caller.scopes}\n"),
            [
                "tollgate.yaml:5: tools.t.bind.tenant: expected one of: caller.tenant, caller.subject",
            ]
        );
    }

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
