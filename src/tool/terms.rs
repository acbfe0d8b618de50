//! A policy compiled: what governs the calls of one tenant, or of all without terms of their own.

use std::num::NonZeroU32;

use super::numbers::Numbers;
use super::{Access, BoundLimit, CompiledConfirm, CompiledRule, Policy, ScopeSet};

/// Who may call a target and how often, ready to be asked.
pub struct Terms {
    enabled: bool,
    access: Access,
    shadow_scopes: ScopeSet,
    rules: Vec<CompiledRule>,
    confirm: Option<CompiledConfirm>,
    limits: Vec<BoundLimit>,
    per_tenant: Option<NonZeroU32>,
}

impl Terms {
    /// # Errors
    /// A sentence: the policy says not who may call, or which rule or limit is wrong.
    pub(super) fn compile(
        target: &str,
        policy: &Policy,
        arguments: Option<&[&str]>,
        numbers: &Numbers,
    ) -> Result<Self, String> {
        let access = match &policy.access {
            Some(Access::Scopes(scopes)) if scopes.is_empty() => None,
            access => access.clone(),
        }
        .ok_or("has no policy: name the scopes it demands, or let any authenticated caller in")?;
        let rules = policy.rules.iter().enumerate().map(|(index, rule)| {
            rule.compile(arguments)
                .map_err(|error| format!("rules[{index}]: {error}"))
        });
        let confirm = policy.confirm.compile(arguments);
        Ok(Self {
            enabled: policy.enabled,
            access,
            shadow_scopes: policy.shadow_scopes.clone(),
            rules: rules.collect::<Result<_, _>>()?,
            confirm: confirm.map_err(|error| format!("confirm: {error}"))?,
            limits: BoundLimit::all(&policy.limits, target, numbers)?,
            per_tenant: policy.concurrency.per_tenant,
        })
    }

    /// Whether the target is there. What is not is to callers as if it did not exist.
    pub fn enabled(&self) -> bool {
        self.enabled
    }

    /// Who may call.
    pub fn access(&self) -> &Access {
        &self.access
    }

    /// Scopes whose lack is recorded and refuses nobody.
    pub fn shadow_scopes(&self) -> &ScopeSet {
        &self.shadow_scopes
    }

    /// What else refuses a call.
    pub fn rules(&self) -> &[CompiledRule] {
        &self.rules
    }

    /// Which calls need approval; `None`: no call does.
    pub fn confirm(&self) -> Option<&CompiledConfirm> {
        self.confirm.as_ref()
    }

    /// How often the tenant may call. A call goes through if all let it.
    pub fn limits(&self) -> &[BoundLimit] {
        &self.limits
    }

    /// How many calls of one tenant may run at once.
    pub fn per_tenant(&self) -> Option<NonZeroU32> {
        self.per_tenant
    }
}
