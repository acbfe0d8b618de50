//! How many calls may run at once, as tools and resources write it.

use std::num::NonZeroU32;

use schemars::JsonSchema;
use serde::Deserialize;

/// Calls that may run at once: a number, or a mapping.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "MaxConcurrent")]
pub(in crate::config) enum RawConcurrency {
    Calls(#[schemars(range(max = 1_000_000))] NonZeroU32),
    Set(RawConcurrencySet),
}

/// Calls that may run at once, and what becomes of one more.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "MaxConcurrentSet")]
pub(in crate::config) struct RawConcurrencySet {
    /// Calls of all tenants. Default: half of `server.maxInFlight`.
    #[schemars(range(max = 1_000_000))]
    pub(in crate::config) calls: Option<NonZeroU32>,
    /// How long one more may wait for its turn before it is refused, such as `200ms`; less than `timeout`. Default: not at all.
    pub(in crate::config) wait: Option<String>,
    /// Calls of one tenant. Default: as many as `calls`.
    #[schemars(range(max = 1_000_000))]
    pub(in crate::config) per_tenant: Option<NonZeroU32>,
}
