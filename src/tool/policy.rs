//! Policy as plain values: who may call, how often, how long, how many at once.

use std::num::NonZeroU32;
use std::time::Duration;

use super::{Confirm, Limit, Rule, ScopeSet, TaskPolicy};
use crate::audit::RedactionChange;

/// What governs one tool or resource.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Who may call. `None` is refused when the catalogue is built: no rule, no access.
    pub access: Option<Access>,
    /// Scopes whose lack is recorded and refuses nobody.
    pub shadow_scopes: ScopeSet,
    /// What else refuses a call, in this order.
    pub rules: Vec<Rule>,
    /// Which calls need the approval of the caller's user; of tools alone.
    pub confirm: Confirm,
    /// Whether it is there at all. Default true.
    pub enabled: bool,
    /// How often: a call goes through if all of these let it. None: unlimited.
    pub limits: Vec<Limit>,
    /// How long one call may run. Default 30 s.
    pub timeout: Duration,
    /// How many calls may run at once.
    pub concurrency: Concurrency,
    /// What the audit log keeps of arguments, where that is otherwise than for all.
    pub recording: RedactionChange,
    /// How calls become tasks; none: they do not. Of tools alone.
    pub task: Option<TaskPolicy>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            access: None,
            shadow_scopes: ScopeSet::default(),
            rules: Vec::new(),
            confirm: Confirm::default(),
            enabled: true,
            limits: Vec::new(),
            timeout: Duration::from_secs(30),
            concurrency: Concurrency::default(),
            recording: RedactionChange::default(),
            task: None,
        }
    }
}

/// How many calls may run at once in this process, and what becomes of one more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Concurrency {
    /// Calls over all tenants. `None`: half of all that the process runs.
    pub calls: Option<NonZeroU32>,
    /// How long a call may wait for a place; part of its time. Zero: it is refused at once. At most
    /// four calls wait for each place.
    pub wait: Duration,
    /// Calls of one tenant among them. `None`: as many as of all.
    pub per_tenant: Option<NonZeroU32>,
}

/// Who may call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// Callers who hold what this set demands (at least one scope).
    Scopes(ScopeSet),
    /// Every authenticated caller.
    AnyAuthenticated,
}

/// Whether something refuses calls, or only tells which it would refuse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    /// It refuses.
    #[default]
    Enforce,
    /// It lets the call go on, and the record says that it would have refused (`would_deny`).
    Shadow,
}

/// What one tenant has otherwise than the others: each part that is given replaces that of the
/// [`Policy`].
#[derive(Clone, Debug, Default)]
pub struct TenantPolicy {
    /// Who may call, with the scopes whose lack is only recorded.
    pub access: Option<(Access, ScopeSet)>,
    /// What else refuses a call. An empty list takes the rules away.
    pub rules: Option<Vec<Rule>>,
    /// Which calls need approval.
    pub confirm: Option<Confirm>,
    /// Whether it is there.
    pub enabled: Option<bool>,
    /// How often. An empty list takes the limits away.
    pub limits: Option<Vec<Limit>>,
    /// How many of the tenant's calls may run at once; still within those of all tenants.
    pub per_tenant: Option<NonZeroU32>,
}

impl TenantPolicy {
    /// The policy for the tenant.
    pub(super) fn over(&self, policy: &Policy) -> Policy {
        let mut policy = policy.clone();
        if let Some((access, shadow_scopes)) = self.access.clone() {
            policy.access = Some(access);
            policy.shadow_scopes = shadow_scopes;
        }
        if let Some(rules) = self.rules.clone() {
            policy.rules = rules;
        }
        if let Some(confirm) = self.confirm.clone() {
            policy.confirm = confirm;
        }
        if let Some(limits) = self.limits.clone() {
            policy.limits = limits;
        }
        policy.enabled = self.enabled.unwrap_or(policy.enabled);
        policy.concurrency.per_tenant = self.per_tenant.or(policy.concurrency.per_tenant);
        policy
    }
}
