//! The policy keys that tools and resources share: who may call, how often, for how long.
//!
//! A reader would ask why no policy is not "nobody may call": it is nearly always a forgotten line, so the
//! file is refused until someone decides.

use std::num::NonZeroU32;
use std::time::Duration;

use super::document::At;
use super::duration;
use super::faults::Faults;
use super::quota::Rate;

/// The checked policy of one tool or resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Who may call.
    pub access: Access,
    /// Calls per tenant; `None` is no limit.
    pub rate: Option<Rate>,
    /// How long one call may take; more than 0, at most 1 h, default 30 s.
    pub timeout: Duration,
    /// Calls that may run at once, at most 1,000,000; `None` is no limit of its own.
    pub max_concurrent: Option<NonZeroU32>,
}

/// Who may call a tool or read a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// Callers with all of these scopes; at least one, in the order of the file.
    Scopes(Vec<String>),
    /// Every authenticated caller.
    AnyAuthenticated,
}

/// The policy keys as written.
pub(super) struct RawPolicy {
    pub(super) scopes: Option<Vec<String>>,
    pub(super) any_authenticated: Option<bool>,
    pub(super) rate_limit: Option<String>,
    pub(super) timeout: String,
    pub(super) max_concurrent: Option<u32>,
}

pub(super) fn check(raw: RawPolicy, at: &At<'_>, faults: &mut Faults) -> Policy {
    let rate = raw.rate_limit.and_then(|text| {
        text.parse()
            .map_err(|error: super::RateError| at.key("rateLimit").fault(faults, error.to_string()))
            .ok()
    });
    Policy {
        access: access(raw.scopes, raw.any_authenticated, at, faults),
        rate,
        timeout: duration::read(
            &raw.timeout,
            Duration::from_millis(1),
            &at.key("timeout"),
            faults,
        ),
        max_concurrent: raw.max_concurrent.and_then(NonZeroU32::new),
    }
}

fn access(
    scopes: Option<Vec<String>>,
    any: Option<bool>,
    at: &At<'_>,
    faults: &mut Faults,
) -> Access {
    match (scopes, any) {
        (Some(scopes), None | Some(false)) => {
            let at = at.key("scopes");
            if scopes.is_empty() {
                at.fault(faults, "needs at least one scope; `anyAuthenticated: true` lets every authenticated caller in");
            }
            check_scopes(&scopes, &at, faults);
            return Access::Scopes(scopes);
        }
        (None, Some(true)) => {}
        (Some(_), Some(true)) => {
            at.key("anyAuthenticated").fault(
                faults,
                "give either `scopes` or `anyAuthenticated: true`, not both",
            );
        }
        (None, None | Some(false)) => {
            at.fault(faults, "says not who may call: give `scopes`, or `anyAuthenticated: true` for every authenticated caller");
        }
    }
    Access::AnyAuthenticated
}

/// Checks scope tokens by RFC 6749 §3.3.
pub(super) fn check_scopes(scopes: &[String], at: &At<'_>, faults: &mut Faults) {
    for (index, scope) in scopes.iter().enumerate() {
        let token = |b: u8| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        if scope.is_empty() || !scope.bytes().all(token) {
            let message = "a scope is printable ASCII without spaces, quotes and backslashes, such as customer:read";
            at.index(index).fault(faults, message);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::{good_tool, tool_faults};

    #[test]
    fn a_policy_is_read() {
        let policy =
            good_tool("scopes: [a, b]\nrateLimit: 5/10s\ntimeout: 2s\nmaxConcurrent: 8\n").policy;
        assert_eq!(policy.access, Access::Scopes(vec!["a".into(), "b".into()]));
        assert_eq!(policy.rate.unwrap().to_string(), "5/10s");
        assert_eq!(
            (policy.timeout, policy.max_concurrent),
            (Duration::from_secs(2), NonZeroU32::new(8))
        );
        let policy = good_tool("anyAuthenticated: true\n").policy;
        assert_eq!(
            (policy.access, policy.rate, policy.max_concurrent),
            (Access::AnyAuthenticated, None, None)
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
    fn scopes_are_tokens_of_rfc_6749() {
        for scope in ["", "a b", "a\"b", "a\\b", "ä"] {
            assert_eq!(
                tool_faults(&format!("scopes: [ok, '{scope}']\n")),
                [
                    "tollgate.yaml:4: tools.t.scopes[1]: a scope is printable ASCII without spaces, quotes and backslashes, such as customer:read"
                ]
            );
        }
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
        assert_eq!(
            tool_faults("scopes: [a]\nmaxConcurrent: 0\n"),
            ["tollgate.yaml:5: tools.t.maxConcurrent: must be at least 1"]
        );
    }
}
