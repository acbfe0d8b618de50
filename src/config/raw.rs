//! The config file as written: one struct per mapping, unknown keys refused.
//!
//! The doc comments here are what `tollgate schema` shows an editor's user, the numeric ranges here are what
//! validation enforces (see [`super::schema`]); both are generated from these structs, so they cannot drift apart.
//! A reader would ask why durations and rates are plain strings: their faults read better from their own
//! parsers than from a pattern. No `Debug`: the values may be secrets.

mod audit;
mod auth;
mod cases;
mod concurrency;
mod http;
mod policy;
pub(super) mod presentation;
mod prompt;
mod server;
mod source;
mod task;
mod tool;

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(super) use audit::{
    RawAudit, RawAuditArguments, RawAuditMode, RawAuditOverride, usual_secrets,
};
pub(super) use auth::{
    RawAlgorithm, RawApiKey, RawAuth, RawIntrospection, RawIssuer, RawJwks, RawKeyTimes, RawScope,
};
pub(super) use cases::{
    RawCaller, RawCase, RawCases, RawExpect, RawFullWanted, RawStep, RawWanted,
};
pub(super) use concurrency::RawConcurrency;
pub(super) use http::{RawHttp, RawHttpResult, RawMethod, RawNames};
pub(super) use policy::{
    RawFullLimit, RawLimit, RawMode, RawOverride, RawPer, RawRateLimit, RawRule, RawScopeSet,
    RawScopes, RawTenant,
};
pub(super) use prompt::{RawMessage, RawPrompt, RawRole};
pub(super) use server::{RawServer, RawTls};
pub(super) use source::{RawBreaker, RawBreakerSettings, RawSource};
pub(super) use task::RawTask;
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
    /// The prompts that people pick, by name: 1 to 128 letters, digits, `_`, `.` or `-`.
    pub(super) prompts: BTreeMap<String, RawPrompt>,
    /// What single tenants have otherwise than the others, by tenant.
    pub(super) tenants: BTreeMap<String, RawTenant>,
    pub(super) telemetry: RawTelemetry,
    pub(super) audit: Option<RawAudit>,
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
    /// `memory`: in this process, so that each replica counts for itself. Or the URL of a Redis or Valkey
    /// server that replicas share: `redis://user:password@host:port/database`, `rediss://` with TLS,
    /// `redis+unix:///path?db=0`, `redis+cluster://host1,host2` or `redis+sentinel://host1,host2/service`.
    /// It may hold a password, so write it as `${REDIS_URL}` or `${file:PATH}`.
    pub(super) store: String,
    /// What becomes of calls with limits while the store fails.
    pub(super) on_store_failure: RawOnStoreFailure,
    /// How long a call waits for the store before it counts as failing, such as `75ms`. 5ms to 1s.
    pub(super) store_timeout: String,
    /// The certificates (PEM) that the store's own must be issued by, for `rediss`. Default: those that the system trusts.
    pub(super) store_ca: Option<String>,
    /// What keys in the store begin with; deployments that share a store need different ones. 1 to 64 letters,
    /// digits, `.`, `_`, `-` or `:`.
    pub(super) key_prefix: String,
    /// Buckets held at most in this process, one per limit and caller that it counts apart.
    #[schemars(range(min = 1, max = 100_000_000))]
    pub(super) max_keys: usize,
    /// The limits of every tool and resource without a `rateLimit` of its own. Default: unlimited.
    pub(super) default: Option<RawRateLimit>,
    /// Refused calls per caller (for scopes, for rules on the caller, for a name that is not there) before
    /// all that would be refused is answered with 429; `unlimited` turns it off.
    pub(super) denial_limit: String,
}

impl Default for RawQuotas {
    fn default() -> Self {
        Self {
            store: "memory".into(),
            on_store_failure: RawOnStoreFailure::Local,
            store_timeout: "75ms".into(),
            store_ca: None,
            key_prefix: "tollgate".into(),
            max_keys: 1_000_000,
            default: None,
            denial_limit: "60/1m".into(),
        }
    }
}

/// `local`: each replica counts for itself. `deny`: they are refused. `allow`: they are let through uncounted.
#[derive(Deserialize, Serialize, JsonSchema, Clone, Copy)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "OnStoreFailure")]
pub(super) enum RawOnStoreFailure {
    Local,
    Deny,
    Allow,
}

/// What the server tells about itself.
#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(rename = "Telemetry")]
pub(super) struct RawTelemetry {
    /// Where spans go: `console` prints them, `otlp` sends them to a collector. Default: nowhere.
    pub(super) traces: BTreeSet<RawTraceExporter>,
    /// Where metrics go: `prometheus` serves them at /metrics of the admin listener, `otlp` sends them to a
    /// collector. Default: prometheus where there is an admin listener.
    pub(super) metrics: Option<BTreeSet<RawMetricReader>>,
    /// Tells tenants apart in metrics. Default: no metric names a tenant.
    pub(super) tenant_label: Option<RawTenantLabel>,
    /// What `tollgate serve` writes on standard error. `auto`: text on a terminal, with --dev and beside
    /// traces on the console, else JSON, one object a line.
    pub(super) logs: RawLogs,
    /// The name of this service in traces and metrics (`service.name`).
    #[schemars(length(min = 1))]
    pub(super) service: String,
    /// The share of traces that is kept, such as `1%` or `0.01`, where the caller's trace does not say: one
    /// that a caller keeps is kept here, too. Default: all.
    pub(super) sampling: Option<RawShare>,
}

/// A share of a whole: a number from 0 to 1, or a percentage.
#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "Share")]
pub(super) enum RawShare {
    Number(#[schemars(range(min = 0, max = 1))] f64),
    Percent(#[schemars(regex(pattern = r"^[0-9]+(\.[0-9]+)?%$"))] String),
}

impl Default for RawTelemetry {
    fn default() -> Self {
        Self {
            traces: BTreeSet::new(),
            metrics: None,
            tenant_label: None,
            logs: RawLogs::Auto,
            service: "tollgate".into(),
            sampling: None,
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

/// A destination of metrics.
#[derive(Deserialize, Serialize, JsonSchema, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "MetricReader")]
pub(super) enum RawMetricReader {
    Prometheus,
    Otlp,
}

/// Which tenants metrics name.
#[derive(Deserialize, Serialize, JsonSchema, Clone, Copy)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "TenantLabel")]
pub(super) struct RawTenantLabel {
    /// How many: those under `tenants`, then those that are served first; all others are `_other`.
    #[schemars(range(min = 1, max = 1_000))]
    pub(super) max: usize,
}

/// The form of log lines.
#[derive(Deserialize, Serialize, JsonSchema, Clone, Copy)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Logs")]
pub(super) enum RawLogs {
    Auto,
    Json,
    Text,
}
