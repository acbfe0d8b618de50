//! The sources that tools read from, as written.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

/// Where tools get their data: either `sqlite` or `http`.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Source")]
pub(in crate::config) struct RawSource {
    /// Path of an SQLite file, such as `./shop.db`.
    #[schemars(length(min = 1))]
    pub(in crate::config) sqlite: Option<String>,
    /// SQLite: statements that may run at once on this source. Default: as many as cores, at most 4.
    #[schemars(range(min = 1, max = 64))]
    pub(in crate::config) threads: Option<usize>,
    /// The URL that every path of an HTTP API starts with, such as `https://crm.example.com/api`.
    #[schemars(length(min = 1))]
    pub(in crate::config) http: Option<String>,
    /// HTTP: headers of every request, such as `Authorization: Bearer ${CRM_TOKEN}`. Their values are secrets.
    #[serde(default)]
    #[schemars(schema_with = "header_map")]
    pub(in crate::config) headers: BTreeMap<String, String>,
    /// HTTP: networks that are not public and may be reached all the same, such as `10.0.0.0/8`.
    #[serde(default)]
    pub(in crate::config) allow_private: Vec<String>,
    /// HTTP: whether requests say which trace they belong to (`traceparent`, `tracestate`). Default: true.
    pub(in crate::config) propagate_trace: Option<bool>,
    /// Further tries of a call that only reads and failed in a way that may pass.
    #[serde(default = "default_retries")]
    #[schemars(range(min = 0, max = 5))]
    pub(in crate::config) retries: u32,
    /// When calls are refused at once because the source fails; or `off`.
    pub(in crate::config) breaker: Option<RawBreaker>,
}

/// Only plain names are keys here. Any other is reported like an unknown key, without what may be a
/// secret behind a colon that lacks its space.
fn header_map(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "patternProperties": {"^[A-Za-z0-9_.-]+$": {"type": "string"}},
        "additionalProperties": false,
    })
}

fn default_retries() -> u32 {
    2
}

/// When calls are refused at once because the source fails; or `off`.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "Breaker")]
pub(in crate::config) enum RawBreaker {
    /// What YAML 1.1 makes of `off` and `on`.
    Switch(bool),
    Off(RawOff),
    On(RawBreakerSettings),
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Off")]
pub(in crate::config) enum RawOff {
    Off,
}

/// Circuit breaker of a source.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(rename = "BreakerSettings")]
pub(in crate::config) struct RawBreakerSettings {
    /// Failures that open it, where they are also half of the last 20 calls.
    #[schemars(range(min = 1, max = 20))]
    pub(in crate::config) failures: usize,
    /// How long a call counts, such as `10s`.
    pub(in crate::config) window: String,
    /// How long it stays open before one call is let through, such as `1s`. Doubled each time that call fails.
    pub(in crate::config) pause: String,
    /// The longest pause, such as `30s`.
    pub(in crate::config) max_pause: String,
}

impl Default for RawBreakerSettings {
    fn default() -> Self {
        Self {
            failures: 5,
            window: "10s".into(),
            pause: "1s".into(),
            max_pause: "30s".into(),
        }
    }
}
