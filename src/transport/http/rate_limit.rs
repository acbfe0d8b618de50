//! `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-10).
//!
//! Each enforced limit is one policy: `q` units in any `w` seconds. One that is alone is called
//! `default`; several are named after what tells them apart, so that a client can match the two
//! headers and a person can read them. The policies are written once, at start; of each answer only
//! the numbers are. A reader would ask for `pk`: the partition is the caller's own tenant, which it
//! knows, and `qu` is left at its default, requests.

use std::collections::HashMap;
use std::time::Duration;

use foldhash::fast::RandomState;
use http::HeaderValue;
use smallvec::SmallVec;

use crate::quota::QuotaState;
use crate::tool::{Catalog, Limit, Terms};

/// The policies of every list of limits that some target has.
pub(super) struct QuotaPolicies(HashMap<Vec<Limit>, Policies, RandomState>);

/// The policies of one list of limits.
struct Policies {
    header: HeaderValue,
    /// In the order of the limits; in quotes.
    names: Vec<String>,
}

impl QuotaPolicies {
    pub(super) fn new(catalog: &Catalog) -> Self {
        let targets = catalog.targets().iter();
        let terms = targets.flat_map(|target| target.all_terms());
        let lists = terms.map(enforced).filter(|limits| !limits.is_empty());
        let written = lists.filter_map(|limits| {
            let policies = Policies::new(&limits)?;
            Some((limits, policies))
        });
        Self(written.collect())
    }

    /// `RateLimit-Policy` and `RateLimit` for where the buckets of one call stand.
    pub(super) fn headers(&self, states: &[QuotaState]) -> Option<(HeaderValue, HeaderValue)> {
        let limits: SmallVec<[Limit; 1]> = states.iter().map(|state| state.limit).collect();
        let policies = self.0.get(limits.as_slice())?;
        // On the stack and by hand, since it is done on each answer: a formatter takes several times as long.
        let mut text = SmallVec::<[u8; 64]>::new();
        let mut number = itoa::Buffer::new();
        for (state, name) in states.iter().zip(&policies.names) {
            text.extend_from_slice(if text.is_empty() { b"" } else { b", " });
            text.extend_from_slice(name.as_bytes());
            text.extend_from_slice(b";r=");
            text.extend_from_slice(number.format(state.remaining).as_bytes());
            text.extend_from_slice(b";t=");
            text.extend_from_slice(number.format(seconds_up(state.reset)).as_bytes());
        }
        let header = HeaderValue::from_bytes(&text).ok()?;
        Some((policies.header.clone(), header))
    }
}

impl Policies {
    fn new(limits: &[Limit]) -> Option<Self> {
        let names: Vec<String> = match limits {
            [_] => vec!["\"default\"".to_owned()],
            several => {
                let quoted = |limit: &Limit| format!("\"{}\"", limit.policy_name());
                several.iter().map(quoted).collect()
            }
        };
        let policy = |(limit, name): (&Limit, &String)| {
            let (units, window) = (limit.quota().burst_size(), limit.quota().fill_time());
            format!("{name};q={units};w={}", seconds_up(window))
        };
        let all: Vec<String> = limits.iter().zip(&names).map(policy).collect();
        let header = HeaderValue::try_from(all.join(", ")).ok()?;
        Some(Self { header, names })
    }
}

/// Limits in shadow mode are nothing that callers see.
fn enforced(terms: &Terms) -> Vec<Limit> {
    let limits = terms.limits().iter().map(|bound| *bound.limit());
    limits.filter(Limit::is_enforced).collect()
}

/// Whole seconds, rounded up: never too early.
pub(super) fn seconds_up(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}
