//! `maxConcurrent`: how many calls of a tool or resource may run at once, and how long one more may wait.
//!
//! A reader would ask why a wait must be shorter than `timeout`: it is part of the call's time, and a call that
//! got its place with the last of it could only fail.

use std::num::NonZeroU32;
use std::time::Duration;

use super::document::At;
use super::duration;
use super::faults::Faults;
use super::raw::RawConcurrency;

/// The places of a tool or resource.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Concurrency {
    /// Calls over all tenants, at most 1,000,000; `None`: half of `server.maxInFlight`.
    pub calls: Option<NonZeroU32>,
    /// How long a call may wait for a place, less than its timeout; default 0.
    pub wait: Duration,
    /// Calls of one tenant, at most `calls`; `None`: as many as of all.
    pub per_tenant: Option<NonZeroU32>,
}

pub(super) fn check(
    raw: Option<RawConcurrency>,
    timeout: Duration,
    at: &At<'_>,
    faults: &mut Faults,
) -> Concurrency {
    let set = match raw {
        None => return Concurrency::default(),
        Some(RawConcurrency::Calls(calls)) => {
            return Concurrency {
                calls: Some(calls),
                ..Concurrency::default()
            };
        }
        Some(RawConcurrency::Set(set)) => set,
    };
    let wait = match &set.wait {
        Some(text) => duration::read(text, Duration::ZERO, &at.key("wait"), faults),
        None => Duration::ZERO,
    };
    if !timeout.is_zero() && wait >= timeout {
        at.key("wait")
            .fault(faults, "must be less than `timeout`, which it is part of");
    }
    if let (Some(calls), Some(share)) = (set.calls, set.per_tenant)
        && share > calls
    {
        at.key("perTenant").fault(faults, "must be at most `calls`");
    }
    Concurrency {
        calls: set.calls,
        wait,
        per_tenant: set.per_tenant,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::{good_tool, tool_faults};

    #[test]
    fn a_number_or_a_mapping_is_read() {
        let read = |text: &str| {
            let tool = good_tool(&format!("anyAuthenticated: true\n{text}"));
            tool.policy.concurrency
        };
        assert_eq!(read(""), Concurrency::default());
        assert_eq!(read("maxConcurrent: 8\n").calls, NonZeroU32::new(8));
        assert_eq!(
            read("maxConcurrent: {calls: 8, wait: 200ms, perTenant: 2}\n"),
            Concurrency {
                calls: NonZeroU32::new(8),
                wait: Duration::from_millis(200),
                per_tenant: NonZeroU32::new(2),
            }
        );
        let share = read("maxConcurrent: {perTenant: 2}\n");
        assert_eq!((share.calls, share.per_tenant), (None, NonZeroU32::new(2)));
    }

    #[test]
    fn what_makes_no_sense_is_a_fault_with_its_line() {
        assert_eq!(
            tool_faults(
                "scopes: [a]\ntimeout: 2s\nmaxConcurrent:\n  calls: 2\n  wait: 2s\n  perTenant: 3\n"
            ),
            [
                "tollgate.yaml:8: tools.t.maxConcurrent.wait: must be less than `timeout`, which it is part of",
                "tollgate.yaml:9: tools.t.maxConcurrent.perTenant: must be at most `calls`",
            ]
        );
        assert_eq!(
            tool_faults("scopes: [a]\nmaxConcurrent: 0\n"),
            ["tollgate.yaml:5: tools.t.maxConcurrent: must be at least 1"]
        );
        assert_eq!(
            tool_faults("scopes: [a]\nmaxConcurrent: {calls: 0}\n"),
            ["tollgate.yaml:5: tools.t.maxConcurrent.calls: must be at least 1"]
        );
    }
}
