//! The HTTP requests that tools make, as written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

/// The HTTP request to make, and the limits of its result.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Http")]
pub(in crate::config) struct RawHttp {
    /// Name of the source, one of those under `sources` that have `http`.
    pub(in crate::config) source: String,
    #[serde(default)]
    pub(in crate::config) method: RawMethod,
    /// What follows the source's URL, such as `/tickets/{ticket_id}`. Each `{name}` becomes one encoded segment, or
    /// part of one.
    pub(in crate::config) path: String,
    /// Arguments in the query: a list of names, or the query's names and the arguments behind them.
    pub(in crate::config) query: Option<RawNames>,
    /// Arguments that make up the JSON object in the body: a list of names, or members and the arguments behind them.
    pub(in crate::config) body: Option<RawNames>,
    /// Headers that carry names of `bind`, such as `X-Tenant: tenant`.
    #[serde(default)]
    pub(in crate::config) headers: BTreeMap<String, String>,
    #[serde(default)]
    pub(in crate::config) result: RawHttpResult,
    /// Largest answer, in bytes.
    #[serde(default = "default_max_bytes")]
    #[schemars(range(min = 1, max = 67_108_864))]
    pub(in crate::config) max_bytes: usize,
    /// Whether a second try does no harm. Default: `true` with GET and HEAD, `false` with others.
    pub(in crate::config) idempotent: Option<bool>,
}

fn default_max_bytes() -> usize {
    1 << 20
}

/// Method of a request (RFC 9110 §9.3).
#[derive(Deserialize, JsonSchema, Clone, Copy, Default)]
#[serde(rename_all = "UPPERCASE")]
#[schemars(rename = "Method")]
pub(in crate::config) enum RawMethod {
    #[default]
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
}

/// Names of arguments: a list, or a mapping from what the other side calls them.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "Names")]
pub(in crate::config) enum RawNames {
    Same(Vec<String>),
    Named(BTreeMap<String, String>),
}

/// What an answer is read as.
#[derive(Deserialize, JsonSchema, Clone, Copy, Default)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "HttpResult")]
pub(in crate::config) enum RawHttpResult {
    #[default]
    Json,
    Text,
}
