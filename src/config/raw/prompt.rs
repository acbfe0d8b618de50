//! Prompts, as written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::audit::RawAuditOverride;
use super::tool::default_enabled;
use super::{RawBinding, RawRateLimit, RawRule, RawScopes};

/// One prompt: who may get it, how often, with which arguments, and its messages. Governed like a tool.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Prompt")]
pub(in crate::config) struct RawPrompt {
    /// Name for people, such as `Greet a customer`.
    #[schemars(length(min = 1))]
    pub(in crate::config) title: Option<String>,
    /// What the prompt is for, for the person who picks it.
    #[schemars(length(min = 1))]
    pub(in crate::config) description: String,
    /// The scopes a caller needs, all of them, such as `customer:read`; or `allOf` and `anyOf`.
    /// Either this or `anyAuthenticated: true`.
    pub(in crate::config) scopes: Option<RawScopes>,
    /// `true` lets every authenticated caller in. Either this or `scopes`.
    pub(in crate::config) any_authenticated: Option<bool>,
    /// What else refuses a call, in this order.
    #[serde(default)]
    pub(in crate::config) rules: Vec<RawRule>,
    /// `false`: to callers the prompt does not exist.
    #[serde(default = "default_enabled")]
    pub(in crate::config) enabled: bool,
    /// Calls per tenant, such as `5/10s`, `60/m` or `60/m burst 10`. Default: the tenant's, else `quotas.default`.
    pub(in crate::config) rate_limit: Option<RawRateLimit>,
    /// What the audit log keeps of the arguments, where that is otherwise than `audit` says.
    #[serde(default)]
    pub(in crate::config) audit: RawAuditOverride,
    /// The arguments, by name: a JSON Schema (2020-12) of a text each. An argument is required unless
    /// it has a `default` or `required: false`; one with an `enum` is completed from it.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, Map<String, Value>>")]
    pub(in crate::config) parameters: Map<String, Value>,
    /// Names that the runtime fills in, such as `tenant: caller.tenant`.
    #[serde(default)]
    pub(in crate::config) bind: BTreeMap<String, RawBinding>,
    /// The messages, in their order.
    #[schemars(length(min = 1))]
    pub(in crate::config) messages: Vec<RawMessage>,
}

/// One message of a prompt.
#[derive(Deserialize, JsonSchema, Clone)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Message")]
pub(in crate::config) struct RawMessage {
    /// Who says it.
    #[serde(default)]
    pub(in crate::config) role: RawRole,
    /// The text, with arguments in braces, such as `Greet {customer_id}.`; `{{` and `}}` stand for braces.
    #[schemars(length(min = 1))]
    pub(in crate::config) text: String,
}

/// Who says a message: the person or the model.
#[derive(Deserialize, JsonSchema, Clone, Copy, Default)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Role")]
pub(in crate::config) enum RawRole {
    #[default]
    User,
    Assistant,
}
