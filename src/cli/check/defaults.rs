//! Where a limit comes from `quotas.default` or from a tenant's own default: the table marks it.

use std::collections::HashSet;

use crate::config::Config;

/// What says nothing about how often it may be called.
pub(super) struct Defaults {
    /// Tools and resources without `rateLimit`.
    silent: HashSet<String>,
    /// Tenants and what they have a `rateLimit` of their own for.
    own: HashSet<(String, String)>,
}

impl Defaults {
    pub(super) fn of(config: &Config) -> Self {
        let silent = config.governed().filter(|one| one.policy.limits.is_none());
        let own = config.tenants.iter().flat_map(|(name, tenant)| {
            let own = tenant.overrides().filter(|(_, own)| own.limits.is_some());
            own.map(|(target, _)| (name.clone(), target.into_owned()))
        });
        Self {
            silent: silent.map(|one| one.target().into_owned()).collect(),
            own: own.collect(),
        }
    }

    /// Whether the limit of a tool or resource for a tenant is a default one.
    pub(super) fn limit(&self, target: &str, tenant: &str) -> bool {
        let own = (tenant.to_owned(), target.to_owned());
        self.silent.contains(target) && !self.own.contains(&own)
    }
}
