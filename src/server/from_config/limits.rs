//! Which limits are in force where: what a tenant has at a tool, what the tool says, the tenant's
//! default, `quotas.default`; the first of these that says anything.

use crate::config::{self, Config};
use crate::tool::{Limit, Mode, Per, Quota};

/// The limits of all tenants that have none of their own.
pub(super) fn common(policy: &config::Policy, default: &[config::Limit]) -> Vec<Limit> {
    limits(policy.limits.as_deref().unwrap_or(default))
}

/// What tenants have otherwise at one tool or resource: what `own` finds, and their default limits
/// where neither that nor the tool says how often.
pub(super) fn of_tenants<'c>(
    config: &'c Config,
    policy: &config::Policy,
    own: impl Fn(&'c config::Tenant) -> Option<&'c config::Override>,
) -> impl Iterator<Item = (&'c String, config::Override)> {
    let takes_defaults = policy.limits.is_none();
    config.tenants.iter().filter_map(move |(name, tenant)| {
        let default = tenant.limits.as_ref().filter(|_| takes_defaults);
        let own = own(tenant);
        if own.is_none() && default.is_none() {
            return None;
        }
        let mut own = own.cloned().unwrap_or_default();
        own.limits = own.limits.or_else(|| default.cloned());
        Some((name, own))
    })
}

pub(super) fn limits(listed: &[config::Limit]) -> Vec<Limit> {
    listed.iter().map(limit).collect()
}

fn limit(listed: &config::Limit) -> Limit {
    let per = match listed.per {
        config::Per::TenantTool => Per::TenantTarget,
        config::Per::Tenant => Per::Tenant,
        config::Per::SubjectTool => Per::SubjectTarget,
        config::Per::Tool => Per::Target,
    };
    Limit::new(quota(listed.rate))
        .per(per)
        .cost(listed.cost.get())
        .mode(mode(listed.mode))
}

pub(super) fn mode(mode: config::Mode) -> Mode {
    match mode {
        config::Mode::Enforce => Mode::Enforce,
        config::Mode::Shadow => Mode::Shadow,
    }
}

pub(super) fn quota(rate: config::Rate) -> Quota {
    Quota::per(rate.count, rate.period).burst(rate.burst)
}
