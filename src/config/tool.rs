//! The `tools` section: what callers see, under which policy, and what runs behind it.
//!
//! A reader would ask why the argument schema is built here and not where it is used: what is shown to a model
//! and what is enforced must be one document.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::backend::{self, Backend};
use super::document::At;
use super::faults::{Faults, Origin};
use super::inputs::{self, Binding};
use super::policy::{self, Policy, RawPolicy};
use super::raw::RawTool;
use super::raw::presentation::{Icon, ToolAnnotations};
use super::source::Source;
use super::task::{self, Task};

/// One checked tool.
#[derive(Debug, Clone)]
pub struct Tool {
    /// 1 to 128 characters of `A-Z a-z 0-9 _ . -`; unique.
    pub name: String,
    /// Name for people; not empty.
    pub title: Option<String>,
    /// What the tool does, for the model; not blank.
    pub description: String,
    /// What it does to the world, as far as the file says.
    pub annotations: ToolAnnotations,
    /// Pictures beside its name, unchecked.
    pub icons: Vec<Icon>,
    /// Who may call, how often, for how long.
    pub policy: Policy,
    /// How calls become tasks; none: they do not.
    pub task: Option<Task>,
    /// The JSON Schema (2020-12) of the arguments: an object with `properties` in the order of the file,
    /// `required`, and `additionalProperties: false`. Its patterns run in linear time, its references stay inside.
    pub input_schema: Value,
    /// The defaults of arguments that have one; each fits its schema.
    pub defaults: Map<String, Value>,
    /// Names that the runtime fills in, none of which is also an argument.
    pub bind: BTreeMap<String, Binding>,
    /// What runs.
    pub backend: Backend,
    /// Where the tool is declared, for faults that show later.
    pub origin: Origin,
}

pub(super) fn check(
    name: String,
    raw: RawTool,
    sources: &BTreeMap<String, Source>,
    at: &At<'_>,
    faults: &mut Faults,
) -> Tool {
    check_name(&name, "tool", at, faults);
    if raw.description.trim().is_empty() {
        at.key("description").fault(
            faults,
            "must not be empty: the model chooses the tool by it",
        );
    }
    if raw.sql.is_some() && raw.annotations.read_only_hint == Some(false) {
        let at = at.key("annotations").key("readOnlyHint");
        at.fault(faults, "a SQL statement only reads; remove it");
    }
    let RawTool {
        scopes,
        any_authenticated,
        rules,
        confirm,
        enabled,
        rate_limit,
        timeout,
        max_concurrent,
        audit,
        ..
    } = raw;
    let policy = RawPolicy {
        scopes,
        any_authenticated,
        rules,
        confirm,
        enabled,
        rate_limit,
        timeout,
        max_concurrent,
        audit,
    };
    let policy = policy::check(policy, at, faults);
    let task = |raw| task::check(&raw, policy.timeout, &at.key("task"), faults);
    let task = raw.task.map(task);
    let (parameters, bind) = inputs::check(raw.parameters, raw.bind, at, faults);
    Tool {
        name,
        title: raw.title,
        description: raw.description,
        annotations: raw.annotations,
        icons: raw.icons,
        policy,
        task,
        input_schema: parameters.input_schema(),
        defaults: parameters.defaults,
        bind,
        backend: backend::check(raw.sql, raw.http, sources, at, faults),
        origin: at.origin(),
    }
}

/// MCP 2026-07-28, server/tools, "Tool Names".
pub(super) fn check_name(name: &str, kind: &str, at: &At<'_>, faults: &mut Faults) {
    let plain = name
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'));
    if !plain || !(1..=128).contains(&name.len()) {
        at.fault(
            faults,
            format!("a {kind}'s name is 1 to 128 letters, digits, `_`, `.` and `-`"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SqlResult;
    use crate::config::testing::{faults, good, good_tool};

    const HEAD: &str = "sources: {shop: {sqlite: shop.db}}\n";
    const SQL: &str = "sql: {source: shop, statement: SELECT 1, result: many}";

    #[test]
    fn a_tool_knows_where_it_and_its_statement_are_written() {
        let tool = good_tool(
            "anyAuthenticated: true\nbind: {tenant: caller.tenant, who: caller.subject}\n",
        );
        assert_eq!(
            tool.origin.fault("x").to_string(),
            "tollgate.yaml:3: tools.t: x"
        );
        let Backend::Sql(sql) = tool.backend else {
            panic!("SQL")
        };
        assert_eq!(
            sql.origin.fault("x").to_string(),
            "tollgate.yaml:7: tools.t.sql.statement: x"
        );
        assert_eq!(
            (tool.bind["tenant"], tool.bind["who"]),
            (Binding::Tenant, Binding::Subject)
        );
        assert_eq!(
            (sql.result, sql.max_rows, sql.max_bytes),
            (SqlResult::One, 1000, 1_048_576)
        );
    }

    #[test]
    fn a_tool_needs_something_to_run_and_a_description() {
        assert_eq!(
            faults("tools:\n  t:\n    anyAuthenticated: true\n"),
            [
                "tollgate.yaml:2: tools.t: the key `description` is missing: What the tool does, for the model that chooses it",
            ]
        );
        assert_eq!(
            faults("tools:\n  t:\n    description: d\n    anyAuthenticated: true\n"),
            [
                "tollgate.yaml:2: tools.t: says not what it runs: give `sql`, a statement, or `http`, a request"
            ]
        );
        assert_eq!(
            faults(&format!(
                "{HEAD}tools:\n  t:\n    description: ' '\n    anyAuthenticated: true\n    {SQL}\n"
            )),
            [
                "tollgate.yaml:4: tools.t.description: must not be empty: the model chooses the tool by it",
            ]
        );
    }

    #[test]
    fn a_tool_has_a_plain_name() {
        let tool = |name: &str| {
            format!("{HEAD}tools:\n  '{name}': {{description: d, anyAuthenticated: true, {SQL}}}\n")
        };
        assert_eq!(
            good(&tool("Weather.current-1_a")).tools[0].name,
            "Weather.current-1_a"
        );
        for name in ["", "a b", "ä", "a/b"] {
            let wanted = format!(
                "tollgate.yaml:3: tools.\"{name}\": a tool's name is 1 to 128 letters, digits, `_`, `.` and `-`"
            );
            assert_eq!(faults(&tool(name)), [wanted]);
        }
        assert!(faults(&tool(&"a".repeat(129)))[0].contains("1 to 128"));
    }
}
