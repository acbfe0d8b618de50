//! The config file as written: one struct per mapping, unknown keys refused.
//!
//! The doc comments here are what `tollgate schema` shows an editor's user, the numeric ranges here are what
//! validation enforces (see [`super::schema`]); both are generated from these structs, so they cannot drift apart.
//! A reader would ask why durations and rates are plain strings: their faults read better from their own
//! parsers than from a pattern. No `Debug`: the values may be secrets.

mod auth;
mod http;
mod policy;
mod server;
mod source;
mod tool;

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(super) use auth::{
    RawAlgorithm, RawApiKey, RawAuth, RawIntrospection, RawIssuer, RawJwks, RawKeyTimes, RawScope,
};
pub(super) use http::{RawHttp, RawHttpResult, RawMethod, RawNames};
pub(super) use policy::{
    RawMode, RawOverride, RawRateLimit, RawRule, RawScopeSet, RawScopes, RawTenant,
};
pub(super) use server::{RawServer, RawTls};
pub(super) use source::{RawBreaker, RawBreakerSettings, RawSource};
pub(super) use tool::{RawBinding, RawResource, RawResult, RawSql, RawTool};

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
