//! Tools and resources, as written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::audit::RawAuditOverride;
use super::presentation::{Icon, ResourceAnnotations, ToolAnnotations};
use super::{RawConcurrency, RawHttp, RawRateLimit, RawRule, RawScopes, RawTask};

/// One tool: who may call it, how often, with which arguments, and what it runs.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Tool")]
pub(in crate::config) struct RawTool {
    /// Name for people, such as `Customer profile`.
    #[schemars(length(min = 1))]
    pub(in crate::config) title: Option<String>,
    /// What the tool does, for the model that chooses it.
    pub(in crate::config) description: String,
    #[serde(default)]
    pub(in crate::config) annotations: ToolAnnotations,
    /// Pictures that clients may show beside the name.
    #[serde(default)]
    pub(in crate::config) icons: Vec<Icon>,
    /// The scopes a caller needs, all of them, such as `customer:read`; or `allOf` and `anyOf`.
    /// Either this or `anyAuthenticated: true`.
    pub(in crate::config) scopes: Option<RawScopes>,
    /// `true` lets every authenticated caller in. Either this or `scopes`.
    pub(in crate::config) any_authenticated: Option<bool>,
    /// What else refuses a call, in this order.
    #[serde(default)]
    pub(in crate::config) rules: Vec<RawRule>,
    /// Which calls need the approval of the caller's user: `always`, `never`, or when a condition in CEL
    /// such as `args.amount > 100` is true, or cannot be evaluated. Default: `never`.
    pub(in crate::config) confirm: Option<String>,
    /// `false`: to callers the tool does not exist.
    #[serde(default = "default_enabled")]
    pub(in crate::config) enabled: bool,
    /// Calls per tenant, such as `5/10s`, `60/m` or `60/m burst 10`. Default: the tenant's, else `quotas.default`.
    pub(in crate::config) rate_limit: Option<RawRateLimit>,
    /// How long one call may take, such as `2s`. More than 0, at most 1h.
    #[serde(default = "default_timeout")]
    pub(in crate::config) timeout: String,
    /// Calls of this tool that may run at once: a number, or `calls`, `wait` and `perTenant`. Default: half of `server.maxInFlight`.
    pub(in crate::config) max_concurrent: Option<RawConcurrency>,
    /// Calls go on as tasks, for clients that know them. Default: they do not.
    pub(in crate::config) task: Option<RawTask>,
    /// What the audit log keeps of the arguments, where that is otherwise than `audit` says.
    #[serde(default)]
    pub(in crate::config) audit: RawAuditOverride,
    /// The arguments, by name: a JSON Schema (2020-12) each. An argument is required unless it has
    /// a `default` or `required: false`.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, Map<String, Value>>")]
    pub(in crate::config) parameters: Map<String, Value>,
    /// Names that the runtime fills in, invisible to the model, such as `tenant: caller.tenant`.
    #[serde(default)]
    pub(in crate::config) bind: BTreeMap<String, RawBinding>,
    /// The SQL statement to run. Either this or `http`.
    pub(in crate::config) sql: Option<RawSql>,
    /// The HTTP request to make. Either this or `sql`.
    pub(in crate::config) http: Option<RawHttp>,
}

pub(super) fn default_enabled() -> bool {
    true
}

fn default_timeout() -> String {
    "30s".into()
}

/// What the runtime knows about the caller.
#[derive(Deserialize, JsonSchema, Clone, Copy)]
#[schemars(rename = "Binding")]
pub(in crate::config) enum RawBinding {
    #[serde(rename = "caller.tenant")]
    Tenant,
    #[serde(rename = "caller.subject")]
    Subject,
}

/// The SQL statement to run, and the limits of its result.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Sql")]
pub(in crate::config) struct RawSql {
    /// Name of the source, one of those under `sources`.
    pub(in crate::config) source: String,
    /// One read-only statement with named parameters, such as `SELECT name FROM customers WHERE id = :customer_id`.
    pub(in crate::config) statement: String,
    /// `one`: a single row, and "not found" where there is none. `many`: a list of rows.
    pub(in crate::config) result: RawResult,
    /// Rows returned at most.
    #[serde(default = "default_max_rows")]
    #[schemars(range(min = 1, max = 100_000))]
    pub(in crate::config) max_rows: usize,
    /// Largest result, in bytes of JSON.
    #[serde(default = "default_max_bytes")]
    #[schemars(range(min = 1, max = 67_108_864))]
    pub(in crate::config) max_bytes: usize,
}

/// How many rows a statement stands for.
#[derive(Deserialize, JsonSchema, Clone, Copy)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Result")]
pub(in crate::config) enum RawResult {
    One,
    Many,
}

fn default_max_rows() -> usize {
    1000
}

fn default_max_bytes() -> usize {
    1 << 20
}

/// One resource: who may read it, how often, and what it runs. Governed like a tool.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Resource")]
pub(in crate::config) struct RawResource {
    /// Short name, such as `customer`.
    #[schemars(length(min = 1))]
    pub(in crate::config) name: String,
    /// Name for people, such as `Customer profile`.
    #[schemars(length(min = 1))]
    pub(in crate::config) title: Option<String>,
    /// What the resource holds, for the model that reads it.
    #[schemars(length(min = 1))]
    pub(in crate::config) description: Option<String>,
    /// Media type of the content.
    #[serde(default = "default_mime_type")]
    #[schemars(length(min = 1))]
    pub(in crate::config) mime_type: String,
    #[serde(default)]
    pub(in crate::config) annotations: ResourceAnnotations,
    /// How long the content is, in bytes. Of a single resource, not of a template.
    pub(in crate::config) size: Option<u64>,
    /// Pictures that clients may show beside the name.
    #[serde(default)]
    pub(in crate::config) icons: Vec<Icon>,
    /// The scopes a caller needs, all of them, such as `customer:read`; or `allOf` and `anyOf`.
    /// Either this or `anyAuthenticated: true`.
    pub(in crate::config) scopes: Option<RawScopes>,
    /// `true` lets every authenticated caller in. Either this or `scopes`.
    pub(in crate::config) any_authenticated: Option<bool>,
    /// What else refuses a read, in this order.
    #[serde(default)]
    pub(in crate::config) rules: Vec<RawRule>,
    /// `false`: to callers the resource does not exist.
    #[serde(default = "default_enabled")]
    pub(in crate::config) enabled: bool,
    /// Reads per tenant, such as `5/10s`, `60/m` or `60/m burst 10`. Default: the tenant's, else `quotas.default`.
    pub(in crate::config) rate_limit: Option<RawRateLimit>,
    /// How long one read may take, such as `2s`. More than 0, at most 1h.
    #[serde(default = "default_timeout")]
    pub(in crate::config) timeout: String,
    /// Reads of this resource that may run at once: a number, or `calls`, `wait` and `perTenant`. Default: half of `server.maxInFlight`.
    pub(in crate::config) max_concurrent: Option<RawConcurrency>,
    /// What the audit log keeps of the arguments, where that is otherwise than `audit` says.
    #[serde(default)]
    pub(in crate::config) audit: RawAuditOverride,
    /// The variables of the URI template, by name: a JSON Schema (2020-12) each. Those not listed are any text.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, Map<String, Value>>")]
    pub(in crate::config) parameters: Map<String, Value>,
    /// Names that the runtime fills in, invisible to the model, such as `tenant: caller.tenant`.
    #[serde(default)]
    pub(in crate::config) bind: BTreeMap<String, RawBinding>,
    /// The SQL statement to run. Either this or `http`.
    pub(in crate::config) sql: Option<RawSql>,
    /// The HTTP request to make. Either this or `sql`.
    pub(in crate::config) http: Option<RawHttp>,
}

fn default_mime_type() -> String {
    "application/json".into()
}
