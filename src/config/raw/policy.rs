//! Who may call and how often, as tools, resources and tenants write it.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Scopes a caller needs: a list of which it needs all, or a mapping.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "Scopes")]
pub(in crate::config) enum RawScopes {
    All(Vec<String>),
    Set(RawScopeSet),
}

/// Scopes a caller needs: all of `allOf`, and one of `anyOf`.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "ScopeSet")]
pub(in crate::config) struct RawScopeSet {
    /// Scopes of which a caller needs every one. Default: none.
    #[serde(default)]
    pub(in crate::config) all_of: Vec<String>,
    /// Scopes of which a caller needs at least one. Default: none.
    #[serde(default)]
    pub(in crate::config) any_of: Vec<String>,
    /// `shadow` refuses nobody and records who would be refused; it needs `anyAuthenticated: true` beside it.
    #[serde(default)]
    pub(in crate::config) mode: RawMode,
}

/// `enforce` refuses calls; `shadow` lets them go on and records that they would be refused.
#[derive(Deserialize, Serialize, JsonSchema, Clone, Copy, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Mode")]
pub(in crate::config) enum RawMode {
    #[default]
    Enforce,
    Shadow,
}

/// Calls per tenant: a limit, or a limit and whether it is enforced.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "RateLimit")]
pub(in crate::config) enum RawRateLimit {
    Limit(String),
    Moded(RawModedLimit),
}

/// A limit and whether it is enforced.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "ModedRateLimit")]
pub(in crate::config) struct RawModedLimit {
    /// Calls per tenant, such as `5/10s`, `60/m` or `60/m burst 10`.
    pub(in crate::config) limit: String,
    /// `shadow` counts and refuses nothing.
    #[serde(default)]
    pub(in crate::config) mode: RawMode,
}

/// A condition in CEL on `args`, `caller.tenant`, `caller.subject` and `caller.scopes`: either `deny` or `allowOnlyIf`.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Rule")]
pub(in crate::config) struct RawRule {
    /// The call is refused when this is true, or cannot be evaluated, such as `args.amount > 1000`.
    pub(in crate::config) deny: Option<String>,
    /// The call is refused unless this is true, such as `caller.tenant == "acme"`.
    pub(in crate::config) allow_only_if: Option<String>,
    /// What a refused caller reads. Default: `Not allowed by policy`.
    #[schemars(length(min = 1, max = 300))]
    pub(in crate::config) because: Option<String>,
    /// `shadow` refuses nobody and records who would be refused.
    #[serde(default)]
    pub(in crate::config) mode: RawMode,
}

/// What one tenant has otherwise than the others.
#[derive(Deserialize, JsonSchema, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(rename = "Tenant")]
pub(in crate::config) struct RawTenant {
    /// Tools, by name: one of those under `tools`.
    pub(in crate::config) tools: BTreeMap<String, RawOverride>,
    /// Resources, by URI template: one of those under `resources`.
    pub(in crate::config) resources: BTreeMap<String, RawOverride>,
}

/// What a tenant has otherwise: each key that is named replaces the one of the tool or resource.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Override")]
pub(in crate::config) struct RawOverride {
    /// The scopes a caller of this tenant needs.
    pub(in crate::config) scopes: Option<RawScopes>,
    /// `true` lets every authenticated caller of this tenant in.
    pub(in crate::config) any_authenticated: Option<bool>,
    /// What else refuses a call; `[]` takes the rules away.
    pub(in crate::config) rules: Option<Vec<RawRule>>,
    /// `false`: to callers of this tenant it does not exist; `true`: it does.
    pub(in crate::config) enabled: Option<bool>,
    /// Calls of this tenant.
    pub(in crate::config) rate_limit: Option<RawRateLimit>,
    /// Calls of this tenant that may run at once, instead of `maxConcurrent.perTenant`; still within those of all tenants.
    #[schemars(range(max = 1_000_000))]
    pub(in crate::config) max_concurrent: Option<NonZeroU32>,
}
