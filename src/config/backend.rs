//! What a tool or a resource runs: a SQL statement or an HTTP request, exactly one.

use std::collections::BTreeMap;

use super::document::At;
use super::faults::Faults;
use super::http::{self, Http};
use super::raw::{RawHttp, RawSql};
use super::source::Source;
use super::sql::{self, Sql};

/// What runs.
#[derive(Debug, Clone)]
pub enum Backend {
    /// A statement on a database.
    Sql(Sql),
    /// A request to an HTTP API.
    Http(Http),
}

/// Where nothing can be made of the section, what comes back is none of the file's, and a fault tells so.
pub(super) fn check(
    sql: Option<RawSql>,
    http: Option<RawHttp>,
    sources: &BTreeMap<String, Source>,
    at: &At<'_>,
    faults: &mut Faults,
) -> Backend {
    match (sql, http) {
        (Some(sql), None) => Backend::Sql(sql::check(sql, sources, &at.key("sql"), faults)),
        (None, Some(http)) => Backend::Http(http::check(http, sources, &at.key("http"), faults)),
        (sql, _) => {
            let message = if sql.is_some() {
                "has both `sql` and `http`: keep what it runs"
            } else {
                "says not what it runs: give `sql`, a statement, or `http`, a request"
            };
            at.fault(faults, message);
            Backend::Sql(Sql::none(at))
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::testing::faults;

    #[test]
    fn a_tool_runs_exactly_one_thing() {
        let both = "sources: {crm: {http: 'https://crm.example.com'}, shop: {sqlite: a}}\ntools:\n  t:\n    description: d\n    anyAuthenticated: true\n    sql: {source: shop, statement: SELECT 1, result: one}\n    http: {source: crm, path: /a}\n";
        assert_eq!(
            faults(both),
            ["tollgate.yaml:3: tools.t: has both `sql` and `http`: keep what it runs"]
        );
    }
}
