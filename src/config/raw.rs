//! The config file as written: one struct per mapping, unknown keys refused.
//!
//! The doc comments here are what `tollgate schema` shows an editor's user, the numeric ranges here are what
//! validation enforces (see [`super::schema`]); both are generated from these structs, so they cannot drift apart.
//! A reader would ask why durations and rates are plain strings: their faults read better from their own
//! parsers than from a pattern. No `Debug`: the values may be secrets.

mod auth;
mod policy;
mod server;

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub(super) use auth::{
    RawAlgorithm, RawApiKey, RawAuth, RawIntrospection, RawIssuer, RawJwks, RawKeyTimes, RawScope,
};
pub(super) use policy::{
    RawMode, RawOverride, RawRateLimit, RawRule, RawScopeSet, RawScopes, RawTenant,
};
pub(super) use server::{RawServer, RawTls};

/// Configuration of a Tollgate server. Relative paths are relative to this file; in every string,
/// ${X}, ${X:-default}, ${X:?message} read the environment, ${file:PATH} reads a file, and $$ is a dollar.
#[derive(Deserialize, JsonSchema, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(title = "Tollgate configuration")]
pub(super) struct RawConfig {
    pub(super) server: RawServer,
    pub(super) auth: RawAuth,
    pub(super) stdio: Option<RawStdio>,
    pub(super) quotas: RawQuotas,
    /// Where tools get their data, by name.
    pub(super) sources: BTreeMap<String, RawSource>,
    /// The tools that callers see, by name: 1 to 128 letters, digits, `_`, `.` or `-`.
    pub(super) tools: BTreeMap<String, RawTool>,
    /// The resources that callers see, by URI template, such as `customers://{customer_id}`.
    pub(super) resources: BTreeMap<String, RawResource>,
    /// What single tenants have otherwise than the others, by tenant.
    pub(super) tenants: BTreeMap<String, RawTenant>,
    pub(super) telemetry: RawTelemetry,
}

/// Who the one caller on stdio is: either `token` or `principal`. Without this section stdio serves no tool.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Stdio")]
pub(super) struct RawStdio {
    /// A token of a configured issuer, such as `${TOLLGATE_TOKEN}`.
    pub(super) token: Option<String>,
    pub(super) principal: Option<RawPrincipal>,
}

/// A caller named in the file instead of by a token.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Principal")]
pub(super) struct RawPrincipal {
    /// The tenant the caller acts for, such as `acme`. At most 256 bytes.
    #[schemars(length(min = 1, max = 256))]
    pub(super) tenant: String,
    /// Who calls, such as `me`. At most 256 bytes.
    #[schemars(length(min = 1, max = 256))]
    pub(super) subject: String,
    /// The scopes granted to the caller, such as `customer:read`. Default: none.
    #[serde(default)]
    #[schemars(length(max = 512))]
    pub(super) scopes: Vec<String>,
}

/// Where rate limits are counted.
#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(rename = "Quotas")]
pub(super) struct RawQuotas {
    /// `memory`: in this process, so that each replica counts for itself.
    store: RawStore,
    /// Buckets held at most, one per tenant and tool.
    #[schemars(range(min = 1, max = 100_000_000))]
    pub(super) max_keys: usize,
}

impl Default for RawQuotas {
    fn default() -> Self {
        Self {
            store: RawStore::Memory,
            max_keys: 1_000_000,
        }
    }
}

/// A store for rate limits.
#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Store")]
enum RawStore {
    Memory,
}

/// A database that tools read from.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Source")]
pub(super) struct RawSource {
    /// Path of the SQLite file, such as `./shop.db`.
    #[schemars(length(min = 1))]
    pub(super) sqlite: String,
    /// Statements that may run at once on this source. Default: as many as cores, at most 4.
    #[schemars(range(min = 1, max = 64))]
    pub(super) threads: Option<usize>,
}

/// One tool: who may call it, how often, with which arguments, and what it runs.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Tool")]
pub(super) struct RawTool {
    /// Name for people, such as `Customer profile`.
    #[schemars(length(min = 1))]
    pub(super) title: Option<String>,
    /// What the tool does, for the model that chooses it.
    pub(super) description: String,
    /// The scopes a caller needs, all of them, such as `customer:read`; or `allOf` and `anyOf`.
    /// Either this or `anyAuthenticated: true`.
    pub(super) scopes: Option<RawScopes>,
    /// `true` lets every authenticated caller in. Either this or `scopes`.
    pub(super) any_authenticated: Option<bool>,
    /// What else refuses a call, in this order.
    #[serde(default)]
    pub(super) rules: Vec<RawRule>,
    /// `false`: to callers the tool does not exist.
    #[serde(default = "default_enabled")]
    pub(super) enabled: bool,
    /// Calls per tenant, such as `5/10s`, `60/m` or `60/m burst 10`. Default: no limit.
    pub(super) rate_limit: Option<RawRateLimit>,
    /// How long one call may take, such as `2s`. More than 0, at most 1h.
    #[serde(default = "default_timeout")]
    pub(super) timeout: String,
    /// Calls of this tool that may run at once. Default: no limit of its own.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub(super) max_concurrent: Option<u32>,
    /// The arguments, by name: a JSON Schema (2020-12) each. An argument is required unless it has
    /// a `default` or `required: false`.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, Map<String, Value>>")]
    pub(super) parameters: Map<String, Value>,
    /// Statement parameters that the runtime fills in, invisible to the model, such as `tenant: caller.tenant`.
    #[serde(default)]
    pub(super) bind: BTreeMap<String, RawBinding>,
    pub(super) sql: RawSql,
}

fn default_enabled() -> bool {
    true
}

fn default_timeout() -> String {
    "30s".into()
}

/// What the runtime knows about the caller.
#[derive(Deserialize, JsonSchema, Clone, Copy)]
#[schemars(rename = "Binding")]
pub(super) enum RawBinding {
    #[serde(rename = "caller.tenant")]
    Tenant,
    #[serde(rename = "caller.subject")]
    Subject,
}

/// The SQL statement to run, and the limits of its result.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Sql")]
pub(super) struct RawSql {
    /// Name of the source, one of those under `sources`.
    pub(super) source: String,
    /// One read-only statement with named parameters, such as `SELECT name FROM customers WHERE id = :customer_id`.
    pub(super) statement: String,
    /// `one`: a single row, and "not found" where there is none. `many`: a list of rows.
    pub(super) result: RawResult,
    /// Rows returned at most.
    #[serde(default = "default_max_rows")]
    #[schemars(range(min = 1, max = 100_000))]
    pub(super) max_rows: usize,
    /// Largest result, in bytes of JSON.
    #[serde(default = "default_max_bytes")]
    #[schemars(range(min = 1, max = 67_108_864))]
    pub(super) max_bytes: usize,
}

/// How many rows a statement stands for.
#[derive(Deserialize, JsonSchema, Clone, Copy)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Result")]
pub(super) enum RawResult {
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
pub(super) struct RawResource {
    /// Short name, such as `customer`.
    #[schemars(length(min = 1))]
    pub(super) name: String,
    /// Name for people, such as `Customer profile`.
    #[schemars(length(min = 1))]
    pub(super) title: Option<String>,
    /// What the resource holds, for the model that reads it.
    #[schemars(length(min = 1))]
    pub(super) description: Option<String>,
    /// Media type of the content.
    #[serde(default = "default_mime_type")]
    #[schemars(length(min = 1))]
    pub(super) mime_type: String,
    /// The scopes a caller needs, all of them, such as `customer:read`; or `allOf` and `anyOf`.
    /// Either this or `anyAuthenticated: true`.
    pub(super) scopes: Option<RawScopes>,
    /// `true` lets every authenticated caller in. Either this or `scopes`.
    pub(super) any_authenticated: Option<bool>,
    /// What else refuses a read, in this order.
    #[serde(default)]
    pub(super) rules: Vec<RawRule>,
    /// `false`: to callers the resource does not exist.
    #[serde(default = "default_enabled")]
    pub(super) enabled: bool,
    /// Reads per tenant, such as `5/10s`, `60/m` or `60/m burst 10`. Default: no limit.
    pub(super) rate_limit: Option<RawRateLimit>,
    /// How long one read may take, such as `2s`. More than 0, at most 1h.
    #[serde(default = "default_timeout")]
    pub(super) timeout: String,
    /// Reads of this resource that may run at once. Default: no limit of its own.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub(super) max_concurrent: Option<u32>,
    /// The variables of the URI template, by name: a JSON Schema (2020-12) each. Those not listed are any text.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, Map<String, Value>>")]
    pub(super) parameters: Map<String, Value>,
    /// Statement parameters that the runtime fills in, invisible to the model, such as `tenant: caller.tenant`.
    #[serde(default)]
    pub(super) bind: BTreeMap<String, RawBinding>,
    pub(super) sql: RawSql,
}

fn default_mime_type() -> String {
    "application/json".into()
}

/// What the server tells about itself.
#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(rename = "Telemetry")]
pub(super) struct RawTelemetry {
    /// Where spans go: `console` prints them, `otlp` sends them to a collector. Default: nowhere.
    pub(super) traces: BTreeSet<RawTraceExporter>,
    /// The name of this service in traces (`service.name`).
    #[schemars(length(min = 1))]
    pub(super) service: String,
}

impl Default for RawTelemetry {
    fn default() -> Self {
        Self {
            traces: BTreeSet::new(),
            service: "tollgate".into(),
        }
    }
}

/// A destination of spans.
#[derive(Deserialize, Serialize, JsonSchema, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "TraceExporter")]
pub(super) enum RawTraceExporter {
    Console,
    Otlp,
}
