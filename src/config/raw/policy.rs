//! Who may call and how often, as tools, resources and tenants write it.

use std::collections::{BTreeMap, BTreeSet};
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

/// How often: a limit such as `5/10s`, a mapping, a list of limits that must all let a call through, or `unlimited`.
#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "RateLimit")]
pub(in crate::config) enum RawRateLimit {
    One(RawLimit),
    All(#[schemars(length(min = 1, max = 8))] Vec<RawLimit>),
}

/// A limit for each tenant's calls of one tool, such as `5/10s`, or a mapping that says more.
#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "Limit")]
pub(in crate::config) enum RawLimit {
    Full(RawFullLimit),
    // Last, since a value of another type altogether is best told to be a string.
    /// A limit for each tenant's calls of one tool or resource, such as `5/10s`, `60/m` or `60/m burst 10`.
    Rate(String),
}

/// A limit, whose calls it counts together, what a call takes, and whether it is enforced.
#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "FullLimit")]
pub(in crate::config) struct RawFullLimit {
    /// How much, such as `5/10s`, `60/m` or `60/m burst 10`. Units: `ms`, `s`, `m`, `h`, `d`.
    pub(in crate::config) limit: String,
    /// Whose calls it counts together: `[tenant, tool]`, `[tenant]` (over all that has such a limit), `[subject, tool]`
    /// or `[tool]` (everybody's). Default: `[tenant, tool]`.
    #[schemars(length(min = 1))]
    pub(in crate::config) per: Option<BTreeSet<RawPer>>,
    /// What one call takes from the limit, at most its burst.
    #[serde(default = "one")]
    #[schemars(range(min = 1))]
    pub(in crate::config) cost: NonZeroU32,
    /// `shadow` counts and refuses nothing.
    #[serde(default)]
    pub(in crate::config) mode: RawMode,
}

impl RawFullLimit {
    /// A limit of which nothing but the rate is said.
    pub(in crate::config) fn plain(limit: String) -> Self {
        Self {
            limit,
            per: None,
            cost: NonZeroU32::MIN,
            mode: RawMode::Enforce,
        }
    }
}

fn one() -> NonZeroU32 {
    NonZeroU32::MIN
}

/// What a limit keeps counts apart by; `tool` is the resource where a resource says it.
#[derive(Deserialize, Serialize, JsonSchema, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Per")]
pub(in crate::config) enum RawPer {
    Tenant,
    Subject,
    Tool,
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
    /// Prompts, by name: one of those under `prompts`.
    pub(in crate::config) prompts: BTreeMap<String, RawOverride>,
    /// Calls of this tenant where no tool, resource or prompt says it, instead of `quotas.default`.
    pub(in crate::config) rate_limit: Option<RawRateLimit>,
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
    /// Which calls of this tenant need the approval of the caller's user, for a tool: `always`, `never` or
    /// a condition in CEL.
    pub(in crate::config) confirm: Option<String>,
    /// `false`: to callers of this tenant it does not exist; `true`: it does.
    pub(in crate::config) enabled: Option<bool>,
    /// Calls of this tenant.
    pub(in crate::config) rate_limit: Option<RawRateLimit>,
    /// Calls of this tenant that may run at once, instead of `maxConcurrent.perTenant`; still within those of all tenants.
    #[schemars(range(max = 1_000_000))]
    pub(in crate::config) max_concurrent: Option<NonZeroU32>,
}
