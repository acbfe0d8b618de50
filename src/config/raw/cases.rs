//! A file of policy cases as written.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::RawPrincipal;
use crate::config::cases::REFUSALS;

/// Calls and what has to become of them, for `tollgate test`. Nothing runs; each case starts with full buckets.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Tollgate policy cases")]
pub(in crate::config) struct RawCases {
    /// Callers by name, for cases to refer to. Default: none.
    #[serde(default)]
    pub(in crate::config) callers: BTreeMap<String, RawPrincipal>,
    /// The cases; each is decided by itself.
    #[schemars(length(min = 1))]
    pub(in crate::config) cases: Vec<RawCase>,
}

/// A caller: the name of one of `callers`, or a mapping.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "Caller")]
pub(in crate::config) enum RawCaller {
    Own(RawPrincipal),
    // Last, since a value of another type altogether is best told to be a string.
    /// The name of one of `callers`, such as `ada`.
    Named(String),
}

/// A call, or the same call several times, and what has to become of it.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Case")]
pub(in crate::config) struct RawCase {
    /// What the case shows, such as `guests read nothing`; each name once. Default: its place, who calls and what.
    #[schemars(length(min = 1, max = 200))]
    pub(in crate::config) name: Option<String>,
    /// Who calls.
    pub(in crate::config) caller: RawCaller,
    /// The tool that is called, such as `get_customer`; or give `resource` or `prompt`.
    pub(in crate::config) tool: Option<String>,
    /// The URI of the resource that is read, such as `customers://c-42`; or give `tool`.
    pub(in crate::config) resource: Option<String>,
    /// The prompt that is used, such as `greet`; or give `tool`.
    pub(in crate::config) prompt: Option<String>,
    /// The tool's or prompt's arguments by name. Default: none.
    pub(in crate::config) arguments: Option<Map<String, Value>>,
    /// What has to become of the call: `allow`, `confirm` where approval is needed, a refusal such as `insufficient-scope`, or a mapping; of several
    /// calls such as `5 x allow`, or a list.
    pub(in crate::config) expect: RawExpect,
    /// Further calls after that, from the same buckets.
    #[serde(default)]
    pub(in crate::config) then: Vec<RawStep>,
}

/// A further call of a case. What it does not say is as in the call before it.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Then")]
pub(in crate::config) struct RawStep {
    /// How much time passes before it, such as `10s`. Default: none. At most 366d.
    pub(in crate::config) after: Option<String>,
    /// Who calls.
    pub(in crate::config) caller: Option<RawCaller>,
    /// The tool that is called, such as `get_customer`; its arguments are those given beside it.
    pub(in crate::config) tool: Option<String>,
    /// The URI of the resource that is read, such as `customers://c-42`.
    pub(in crate::config) resource: Option<String>,
    /// The prompt that is used, such as `greet`; its arguments are those given beside it.
    pub(in crate::config) prompt: Option<String>,
    /// The tool's or prompt's arguments by name.
    pub(in crate::config) arguments: Option<Map<String, Value>>,
    /// What has to become of the call.
    pub(in crate::config) expect: RawExpect,
}

/// What has to become of a call, or of several in their order.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "Expect")]
pub(in crate::config) enum RawExpect {
    One(RawWanted),
    All(#[schemars(length(min = 1, max = 1000))] Vec<RawWanted>),
}

/// What has to become of a call: a word such as `allow`, or a mapping that says more.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "Wanted")]
pub(in crate::config) enum RawWanted {
    Full(Box<RawFullWanted>),
    // Last, since a value of another type altogether is best told to be a string.
    /// `allow`, `confirm` where approval is needed, or a refusal such as `quota-exceeded`; for several calls such as `5 x allow`.
    Word(String),
}

/// What has to become of a call. Without `refusal` it has to be allowed.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "FullWanted")]
pub(in crate::config) struct RawFullWanted {
    /// The kind of the refusal, such as `insufficient-scope`.
    #[serde(default)]
    #[schemars(schema_with = "refusals")]
    pub(in crate::config) refusal: Option<String>,
    /// `true`: it needs approval. Default: it needs none.
    pub(in crate::config) confirm: Option<bool>,
    /// How many calls in a row. Default: 1.
    #[schemars(range(min = 1, max = 100_000))]
    pub(in crate::config) times: Option<u32>,
    /// The scopes that are missing, all of them; for `insufficient-scope`.
    pub(in crate::config) missing: Option<Vec<String>>,
    /// The scopes of which one is missing; for `insufficient-scope`.
    pub(in crate::config) missing_any_of: Option<Vec<String>>,
    /// The place of the rule that refuses, from 0, in the list that is in force for the tenant; for `refused-by-rule`.
    pub(in crate::config) rule: Option<usize>,
    /// What the caller reads, word for word, such as a rule's `because`; for any refusal.
    pub(in crate::config) detail: Option<String>,
    /// What in shadow mode would refuse the call, all of it: `scopes`, `rules[0]`, `rateLimit`.
    #[schemars(inner(regex(pattern = r"^(scopes|rateLimit|rules\[[0-9]+\])$")))]
    pub(in crate::config) would_deny: Option<Vec<String>>,
}

fn refusals(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "enum": REFUSALS })
}
