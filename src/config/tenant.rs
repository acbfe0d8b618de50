//! The `tenants` section: what single tenants have otherwise than the others.
//!
//! A reader would ask why an unknown tool is a fault and an unknown tenant is not: tools are declared in this
//! file, tenants are whatever the issuers say.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::num::NonZeroU32;

use super::confirm::{self, Confirm};
use super::document::At;
use super::faults::Faults;
use super::governed::target_of;
use super::identity;
use super::policy::{self, Access};
use super::rate_limit::Limit;
use super::raw::{RawOverride, RawTenant};
use super::rule::{self, Rule};
use super::scope_set::ScopeSet;
use super::shape::did_you_mean;
use super::{Prompt, Resource, Tool};

/// What a tool is called in faults.
const TOOL: &str = "tool";

/// What one tenant has otherwise.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tenant {
    /// By name of the tool, which is there.
    pub tools: BTreeMap<String, Override>,
    /// By URI template of the resource, which is there.
    pub resources: BTreeMap<String, Override>,
    /// By name of the prompt, which is there.
    pub prompts: BTreeMap<String, Override>,
    /// What limits it where no tool or resource says it; `None`: as `quotas.default` says.
    pub limits: Option<Vec<Limit>>,
}

/// What replaces the policy of a tool or resource; `None` leaves it as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Override {
    /// Who may call, with the scopes in shadow mode.
    pub access: Option<(Access, ScopeSet)>,
    /// What else refuses a call.
    pub rules: Option<Vec<Rule>>,
    /// Which calls need approval; only of a tool.
    pub confirm: Option<Confirm>,
    /// Whether it is there.
    pub enabled: Option<bool>,
    /// Calls of the tenant at once, at most 1,000,000.
    pub max_concurrent: Option<NonZeroU32>,
    /// How often; empty for unlimited.
    pub limits: Option<Vec<Limit>>,
}

/// What a tenant may have otherwise.
pub(super) struct Known<'c> {
    pub(super) tools: &'c [Tool],
    pub(super) resources: &'c [Resource],
    pub(super) prompts: &'c [Prompt],
}

impl Tenant {
    /// All that it has otherwise, by what the catalogue calls it.
    pub fn overrides(&self) -> impl Iterator<Item = (Cow<'_, str>, &Override)> {
        let sections = [
            ("tools", &self.tools),
            ("resources", &self.resources),
            ("prompts", &self.prompts),
        ];
        sections.into_iter().flat_map(|(section, all)| {
            let all = all.iter();
            all.map(move |(name, own)| (target_of(section, name), own))
        })
    }
}

pub(super) fn check(
    raw: BTreeMap<String, RawTenant>,
    known: &Known<'_>,
    at: &At<'_>,
    faults: &mut Faults,
) -> BTreeMap<String, Tenant> {
    let tools = known.tools.iter().map(|tool| &*tool.name);
    let resources = known.resources.iter();
    let resources = resources.map(|resource| &*resource.uri_template);
    let prompts = known.prompts.iter().map(|prompt| &*prompt.name);
    let tools: Vec<&str> = tools.collect();
    let (resources, prompts): (Vec<&str>, Vec<&str>) = (resources.collect(), prompts.collect());
    let check_one = |(name, raw): (String, RawTenant)| {
        let at = at.key(&name);
        identity::check_name(&name, &at, faults);
        let tenant = Tenant {
            tools: section(raw.tools, &tools, TOOL, &at.key("tools"), faults),
            resources: section(
                raw.resources,
                &resources,
                "resource",
                &at.key("resources"),
                faults,
            ),
            prompts: section(raw.prompts, &prompts, "prompt", &at.key("prompts"), faults),
            limits: policy::limits(raw.rate_limit, &at, faults),
        };
        (name, tenant)
    };
    raw.into_iter().map(check_one).collect()
}

fn section(
    raw: BTreeMap<String, RawOverride>,
    known: &[&str],
    kind: &str,
    at: &At<'_>,
    faults: &mut Faults,
) -> BTreeMap<String, Override> {
    let check_one = |(name, raw): (String, RawOverride)| {
        let at = at.key(&name);
        if !known.contains(&name.as_str()) {
            let hint = did_you_mean(&name, known);
            at.fault(
                faults,
                format!("there is no {kind} of this name under `{kind}s`{hint}"),
            );
        }
        if kind != TOOL && raw.confirm.is_some() {
            let message = "only calls of tools can need approval; remove it";
            at.key("confirm").fault(faults, message);
        }
        let checked = check_override(raw, &at, faults);
        (name, checked)
    };
    raw.into_iter().map(check_one).collect()
}

fn check_override(raw: RawOverride, at: &At<'_>, faults: &mut Faults) -> Override {
    if raw.any_authenticated == Some(false) && raw.scopes.is_none() {
        at.key("anyAuthenticated").fault(
            faults,
            "has no effect: give the `scopes` that callers of this tenant need, or remove it",
        );
    }
    Override {
        access: policy::access(raw.scopes, raw.any_authenticated, at, faults),
        rules: raw
            .rules
            .map(|rules| rule::check(rules, &at.key("rules"), faults)),
        confirm: raw
            .confirm
            .map(|raw| confirm::check(&raw, &at.key("confirm"), faults)),
        enabled: raw.enabled,
        max_concurrent: raw.max_concurrent,
        limits: policy::limits(raw.rate_limit, at, faults),
    }
}

#[cfg(test)]
mod tests {
    use crate::config::testing::{faults, good};

    const TOOL: &str = "sources: {shop: {sqlite: shop.db}}\ntools: {get_customer: {description: d, scopes: [a], sql: {source: shop, statement: SELECT 1, result: one}}}\ntenants:\n  acme:\n    tools:\n";

    #[test]
    fn only_what_is_named_is_replaced() {
        let config = good(&format!(
            "{TOOL}      get_customer: {{enabled: false, rules: []}}\n"
        ));
        let own = &config.tenants["acme"].tools["get_customer"];
        assert_eq!(
            (own.enabled, own.rules.as_deref()),
            (Some(false), Some(&[][..]))
        );
        assert_eq!((&own.access, &own.limits), (&None, &None));
    }

    #[test]
    fn a_tool_that_is_not_there_is_a_fault() {
        assert_eq!(
            faults(&format!(
                "{TOOL}      get_custmer: {{enabled: false}}\n    resources: {{\"a://b\": {{enabled: true}}}}\n"
            )),
            [
                "tollgate.yaml:6: tenants.acme.tools.get_custmer: there is no tool of this name under `tools`; did you mean `get_customer`?",
                "tollgate.yaml:7: tenants.acme.resources.\"a://b\": there is no resource of this name under `resources`",
            ]
        );
    }

    #[test]
    fn access_is_as_explicit_as_elsewhere() {
        assert_eq!(
            faults(&format!(
                "{TOOL}      get_customer: {{scopes: [b], anyAuthenticated: true}}\n"
            )),
            [
                "tollgate.yaml:6: tenants.acme.tools.get_customer.anyAuthenticated: give either `scopes` or `anyAuthenticated: true`, not both"
            ]
        );
        assert_eq!(
            faults(&format!(
                "{TOOL}      get_customer: {{anyAuthenticated: false}}\n"
            )),
            [
                "tollgate.yaml:6: tenants.acme.tools.get_customer.anyAuthenticated: has no effect: give the `scopes` that callers of this tenant need, or remove it"
            ]
        );
    }
}
