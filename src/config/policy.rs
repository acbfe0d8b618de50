//! The policy keys that tools and resources share: who may call, how often, for how long.
//!
//! A reader would ask why no policy is not "nobody may call": it is nearly always a forgotten line, so the
//! file is refused until someone decides.

use std::time::Duration;

use super::audit::{self, AuditOverride};
use super::concurrency::{self, Concurrency};
use super::confirm::{self, Confirm};
use super::document::At;
use super::duration;
use super::faults::Faults;
use super::rate_limit::{self, Limit};
use super::raw::{RawAuditOverride, RawConcurrency, RawMode, RawRateLimit, RawRule, RawScopes};
use super::rule::{self, Rule};
use super::scope_set::{self, ScopeSet};

/// The checked policy of one tool or resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Who may call.
    pub access: Access,
    /// Scopes whose lack is only recorded; empty: none.
    pub shadow_scopes: ScopeSet,
    /// What else refuses a call, in the order of the file.
    pub rules: Vec<Rule>,
    /// Which calls need approval; of a resource none.
    pub confirm: Confirm,
    /// Whether it is there; default true.
    pub enabled: bool,
    /// How often, empty for unlimited; `None`: as the tenant's default or `quotas.default` say.
    pub limits: Option<Vec<Limit>>,
    /// How long one call may take; more than 0, at most 1 h, default 30 s.
    pub timeout: Duration,
    /// Calls that may run at once.
    pub concurrency: Concurrency,
    /// What the audit log keeps of arguments.
    pub audit: AuditOverride,
}

/// Who may call a tool or read a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// Callers with these scopes; at least one.
    Scopes(ScopeSet),
    /// Every authenticated caller.
    AnyAuthenticated,
}

/// Whether a part of a policy refuses calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It refuses.
    Enforce,
    /// It lets the call go on and records that it would have refused.
    Shadow,
}

impl From<RawMode> for Mode {
    fn from(raw: RawMode) -> Self {
        match raw {
            RawMode::Enforce => Self::Enforce,
            RawMode::Shadow => Self::Shadow,
        }
    }
}

/// The policy keys as written.
pub(super) struct RawPolicy {
    pub(super) scopes: Option<RawScopes>,
    pub(super) any_authenticated: Option<bool>,
    pub(super) rules: Vec<RawRule>,
    pub(super) confirm: Option<String>,
    pub(super) enabled: bool,
    pub(super) rate_limit: Option<RawRateLimit>,
    pub(super) timeout: String,
    pub(super) max_concurrent: Option<RawConcurrency>,
    pub(super) audit: RawAuditOverride,
}

pub(super) fn check(raw: RawPolicy, at: &At<'_>, faults: &mut Faults) -> Policy {
    if raw.scopes.is_none() && raw.any_authenticated != Some(true) {
        at.fault(faults, "says not who may call: give `scopes`, or `anyAuthenticated: true` for every authenticated caller");
    }
    let (access, shadow_scopes) = access(raw.scopes, raw.any_authenticated, at, faults)
        .unwrap_or((Access::AnyAuthenticated, ScopeSet::default()));
    let least = Duration::from_millis(1);
    let timeout = duration::read(&raw.timeout, least, &at.key("timeout"), faults);
    Policy {
        access,
        shadow_scopes,
        rules: rule::check(raw.rules, &at.key("rules"), faults),
        confirm: raw.confirm.map_or(Confirm::Never, |raw| {
            confirm::check(&raw, &at.key("confirm"), faults)
        }),
        enabled: raw.enabled,
        audit: audit::check_override(raw.audit),
        limits: limits(raw.rate_limit, at, faults),
        timeout,
        concurrency: concurrency::check(
            raw.max_concurrent,
            timeout,
            &at.key("maxConcurrent"),
            faults,
        ),
    }
}

/// Who may call, and the scopes in shadow mode; `None` where neither key says it.
pub(super) fn access(
    scopes: Option<RawScopes>,
    any: Option<bool>,
    at: &At<'_>,
    faults: &mut Faults,
) -> Option<(Access, ScopeSet)> {
    let any = any == Some(true);
    let Some(raw) = scopes else {
        return any.then(|| (Access::AnyAuthenticated, ScopeSet::default()));
    };
    let (set, mode) = scope_set::check(raw, &at.key("scopes"), faults);
    match (mode, any) {
        (Mode::Enforce, false) => return Some((Access::Scopes(set), ScopeSet::default())),
        (Mode::Shadow, true) => {}
        (Mode::Enforce, true) => at.key("anyAuthenticated").fault(
            faults,
            "give either `scopes` or `anyAuthenticated: true`, not both",
        ),
        (Mode::Shadow, false) => at.key("scopes").fault(
            faults,
            "in shadow mode scopes refuse nobody: say so with `anyAuthenticated: true` beside them",
        ),
    }
    Some((Access::AnyAuthenticated, set))
}

/// The limits under the key `rateLimit`, if it is there.
pub(super) fn limits(
    raw: Option<RawRateLimit>,
    at: &At<'_>,
    faults: &mut Faults,
) -> Option<Vec<Limit>> {
    raw.map(|raw| rate_limit::check(raw, &at.key("rateLimit"), faults))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::{good_tool, tool_faults};

    #[test]
    fn a_policy_is_read() {
        let policy =
            good_tool("scopes: [a, b]\nrateLimit: 5/10s\ntimeout: 2s\nmaxConcurrent: 8\n").policy;
        let scopes = ScopeSet {
            all_of: vec!["a".into(), "b".into()],
            any_of: Vec::new(),
        };
        assert_eq!(policy.access, Access::Scopes(scopes));
        let limit = policy.limits.unwrap()[0];
        assert_eq!(
            (limit.rate.to_string().as_str(), limit.mode),
            ("5/10s", Mode::Enforce)
        );
        assert_eq!(
            (policy.timeout, policy.concurrency.calls),
            (Duration::from_secs(2), std::num::NonZeroU32::new(8))
        );
        let policy = good_tool("anyAuthenticated: true\n").policy;
        assert_eq!(
            (policy.access, policy.limits, policy.concurrency),
            (Access::AnyAuthenticated, None, Concurrency::default())
        );
        assert_eq!(policy.timeout, Duration::from_secs(30));
    }

    #[test]
    fn a_tool_without_a_policy_is_refused() {
        let wanted = [
            "tollgate.yaml:3: tools.t: says not who may call: give `scopes`, or `anyAuthenticated: true` for every authenticated caller",
        ];
        assert_eq!(tool_faults("title: x\n"), wanted);
        assert_eq!(tool_faults("anyAuthenticated: false\n"), wanted);
    }

    #[test]
    fn two_policies_and_empty_ones_are_refused() {
        assert_eq!(
            tool_faults("scopes: [a]\nanyAuthenticated: true\n"),
            [
                "tollgate.yaml:5: tools.t.anyAuthenticated: give either `scopes` or `anyAuthenticated: true`, not both"
            ]
        );
        assert_eq!(
            tool_faults("scopes: []\n"),
            [
                "tollgate.yaml:4: tools.t.scopes: needs at least one scope; `anyAuthenticated: true` lets every authenticated caller in"
            ]
        );
    }

    #[test]
    fn what_is_in_shadow_mode_says_so() {
        let policy = good_tool(
            "scopes: {anyOf: [a], mode: shadow}\nanyAuthenticated: true\nrateLimit: {limit: 1/s, mode: shadow}\nenabled: false\n",
        )
        .policy;
        assert_eq!(policy.access, Access::AnyAuthenticated);
        assert_eq!(policy.shadow_scopes.any_of, ["a"]);
        assert_eq!(policy.limits.unwrap()[0].mode, Mode::Shadow);
        assert!(!policy.enabled);
        assert_eq!(
            tool_faults("scopes: {allOf: [a], mode: shadow}\n"),
            [
                "tollgate.yaml:4: tools.t.scopes: in shadow mode scopes refuse nobody: say so with `anyAuthenticated: true` beside them"
            ]
        );
        assert_eq!(
            tool_faults("scopes: [a]\nrateLimit:\n  limit: x/s\n"),
            [
                "tollgate.yaml:6: tools.t.rateLimit.limit: the number of calls must be a whole number from 1 to 1000000000"
            ]
        );
    }

    #[test]
    fn bad_limits_are_all_reported_with_their_lines() {
        assert_eq!(
            tool_faults("scopes: [a]\nrateLimit: 5/10w\ntimeout: 0s\n"),
            [
                "tollgate.yaml:5: tools.t.rateLimit: the period must be a whole number and a unit (ms, s, m, h, d), such as 10s, or a unit alone",
                "tollgate.yaml:6: tools.t.timeout: must be more than zero, such as 10s",
            ]
        );
        assert_eq!(
            tool_faults("scopes: [a]\ntimeout: 61m\n"),
            ["tollgate.yaml:5: tools.t.timeout: must be at most 1h"]
        );
    }
}
