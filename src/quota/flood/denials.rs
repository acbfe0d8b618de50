//! Refused calls, limited per caller, so that trying out what there is and who may teaches nothing.
//!
//! Calls that are refused for scopes, for rules on the caller or for a name that is not there take
//! nothing from a quota: a client that lacks a scope must not use up what its tenant may do. They are
//! counted here instead. Calls that are permitted never come here.

use std::time::Duration;

use super::{FloodLimit, Line};
use crate::auth::{IdentityKey, Principal};
use crate::clock::Clock;
use crate::tool::Quota;

/// Counts refused calls per caller: subject and tenant.
pub struct DenialLimit(Option<FloodLimit<IdentityKey>>);

impl DenialLimit {
    /// At most `limit` refusals per caller; `None`: as many as it likes.
    pub fn new(limit: Option<Quota>, clock: Clock) -> Self {
        Self(limit.map(|limit| FloodLimit::new(limit, clock)))
    }

    /// Counts a refusal. Where the caller is over its limit, it gets the time to wait, and is to be
    /// told nothing else.
    pub fn count(&self, caller: &Principal) -> Option<Duration> {
        let counted = self.0.as_ref()?.count(caller.subject_key());
        match counted.line {
            Some(Line::Named) => tracing::warn!(
                tenant = caller.tenant(),
                subject = caller.subject(),
                "too many refused calls of one caller: it is not told why until it tries less often"
            ),
            Some(Line::Others) => tracing::warn!(
                "too many refused calls of further callers, which are not named for now"
            ),
            None => {}
        }
        counted.wait
    }

    /// Frees the buckets of callers without a recent refusal.
    pub fn evict_idle(&self) {
        if let Some(limit) = &self.0 {
            limit.evict_idle();
        }
    }

    /// Callers with recent refusals.
    pub fn callers(&self) -> usize {
        self.0.as_ref().map_or(0, FloodLimit::keys)
    }

    /// Refusals that there was no room to count.
    pub fn uncounted(&self) -> u64 {
        self.0.as_ref().map_or(0, FloodLimit::uncounted)
    }
}
