//! The policy keys of tools, resources and tenants, as the builder takes them.
//!
//! Rules are compiled here as well as by the catalogue, because only here is known where each one is
//! written.

use crate::audit::RedactionChange;
use crate::config::{self, Faults};
use crate::tool::{
    Access, Concurrency, Confirm, Governed, Limit, Policy, Rule, ScopeSet, TenantPolicy,
};

use super::limits::{limits, mode};

/// Puts something declared under its policy and those of single tenants. The policies are checked
/// even where there is nothing to put under them, so that all faults show at once.
pub(super) fn govern<'c, Face>(
    built: Option<Governed<Face>>,
    arguments: Option<&[&str]>,
    common: (&config::Policy, Vec<Limit>),
    tenants: impl Iterator<Item = (&'c String, config::Override)>,
    faults: &mut Faults,
) -> Option<Governed<Face>> {
    let rules = |listed: &[config::Rule], faults: &mut Faults| -> Vec<Rule> {
        let checked = listed.iter().map(|listed| rule(listed, arguments, faults));
        checked.collect()
    };
    let (common, common_limits) = common;
    let policy = Policy {
        access: Some(access(&common.access)),
        shadow_scopes: scopes(&common.shadow_scopes),
        rules: rules(&common.rules, faults),
        confirm: confirm(&common.confirm, arguments, faults),
        enabled: common.enabled,
        limits: common_limits,
        timeout: common.timeout,
        concurrency: Concurrency {
            calls: common.concurrency.calls,
            wait: common.concurrency.wait,
            per_tenant: common.concurrency.per_tenant,
        },
        recording: RedactionChange {
            keeps_values: common.audit.records_arguments,
            left_out: common.audit.redact.clone(),
        },
        // Of tools alone, which say so themselves.
        task: None,
    };
    let built = built.map(|built| built.policy(policy));
    tenants.fold(built, |built, (name, own)| {
        let policy = TenantPolicy {
            access: own
                .access
                .as_ref()
                .map(|(who, shadow)| (access(who), scopes(shadow))),
            rules: own.rules.as_ref().map(|listed| rules(listed, faults)),
            confirm: own
                .confirm
                .as_ref()
                .map(|listed| confirm(listed, arguments, faults)),
            enabled: own.enabled,
            per_tenant: own.max_concurrent,
            limits: own.limits.as_deref().map(limits),
        };
        built.map(|built| built.for_tenant(name, policy))
    })
}

fn access(access: &config::Access) -> Access {
    match access {
        config::Access::Scopes(set) => Access::Scopes(scopes(set)),
        config::Access::AnyAuthenticated => Access::AnyAuthenticated,
    }
}

fn scopes(set: &config::ScopeSet) -> ScopeSet {
    ScopeSet::all_of(&set.all_of).or_any_of(&set.any_of)
}

fn confirm(listed: &config::Confirm, arguments: Option<&[&str]>, faults: &mut Faults) -> Confirm {
    let (condition, origin) = match listed {
        config::Confirm::Never => return Confirm::Never,
        config::Confirm::Always => return Confirm::Always,
        config::Confirm::When(condition, origin) => (condition, origin),
    };
    let confirm = Confirm::when(condition);
    if let Err(error) = confirm.compile(arguments) {
        faults.0.push(origin.fault(error.to_string()));
    }
    confirm
}

fn rule(listed: &config::Rule, arguments: Option<&[&str]>, faults: &mut Faults) -> Rule {
    let rule = match listed.effect {
        config::RuleEffect::Deny => Rule::deny(&listed.condition),
        config::RuleEffect::AllowOnlyIf => Rule::allow_only_if(&listed.condition),
    };
    let rule = rule.mode(mode(listed.mode));
    let rule = match &listed.because {
        Some(because) => rule.because(because),
        None => rule,
    };
    if let Err(error) = rule.compile(arguments) {
        faults.0.push(listed.origin.fault(error.to_string()));
    }
    rule
}
