//! How often: a permit becomes an [`Admission`], or is told when to come back.
//!
//! Each limit of a target counts in a bucket per caller, as far as it counts callers apart, the same
//! over every transport and token. A call takes from all of its buckets or from none. The arithmetic
//! ([`gcra`]) is pure; the store that holds the buckets decides atomically on its own clock.

mod bucket;
mod flood;
pub mod gcra;
mod memory;
mod sync;

use std::time::Duration;

use smallvec::SmallVec;

pub use bucket::BucketKey;
pub use flood::{DenialLimit, FailureLimit};
pub use memory::{Buckets, BucketsFull, Charge, Verdicts, admits};

use crate::access::{Permit, WouldDeny};
use crate::auth::Principal;
use crate::clock::Clock;
use crate::tool::{BoundLimit, Limit, Target};
use gcra::{Steps, Verdict};

/// Where a bucket stands after a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuotaState {
    /// The limit that was applied.
    pub limit: Limit,
    /// Units that could still be taken right now; one call takes the limit's cost.
    pub remaining: u32,
    /// Until the bucket is full again.
    pub reset: Duration,
}

/// Where the buckets of all enforced limits stand, in the order of the limits.
pub type QuotaStates = SmallVec<[QuotaState; 1]>;

/// Evidence that a permitted call is within its quota: what [`run`](crate::run) demands.
pub struct Admission {
    permit: Permit,
    states: QuotaStates,
    would_deny: Option<WouldDeny>,
}

impl Admission {
    /// What was permitted, to whom.
    pub fn permit(&self) -> &Permit {
        &self.permit
    }

    /// What will be called.
    pub fn target(&self) -> &Target {
        self.permit.target()
    }

    /// The buckets after this call was counted; none where no limit is enforced.
    pub fn states(&self) -> &QuotaStates {
        &self.states
    }

    /// Whether a quota in shadow mode would have refused.
    pub fn would_deny(&self) -> Option<WouldDeny> {
        self.would_deny
    }
}

/// Why a call was not admitted.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuotaError {
    /// A bucket has not enough for the call.
    #[error("rate limit exceeded; retry in {retry_after:?}")]
    Exceeded {
        /// The buckets, unchanged by the refused call.
        states: QuotaStates,
        /// Until all of them have enough.
        retry_after: Duration,
        /// The limit that takes that long.
        slowest: Limit,
    },
    /// No room to count another tenant. Refusing is safer than letting calls through uncounted.
    #[error("no quota bucket is free")]
    Full,
}

/// Counts calls against quotas.
pub struct Quotas {
    buckets: Buckets<BucketKey>,
    clock: Clock,
}

impl Quotas {
    /// Quotas held in this process, at most `max_keys` buckets.
    pub fn in_memory(max_keys: usize, clock: Clock) -> Self {
        Self {
            buckets: Buckets::new(max_keys),
            clock,
        }
    }

    /// Counts one call against all limits of its target. One in shadow mode is counted as any other,
    /// and refuses nothing.
    ///
    /// # Errors
    /// [`QuotaError::Exceeded`] when a bucket has not enough; the refused call is counted nowhere.
    pub async fn admit(&self, permit: Permit) -> Result<Admission, QuotaError> {
        let principal = permit.principal();
        let limits = permit.target().terms(principal.tenant_key()).limits();
        let charges = charges(principal, limits);
        let (states, would_deny) = match self.buckets.take(&charges, self.clock.monotonic()) {
            Ok(verdicts) => judge(limits, &charges, &verdicts)?,
            Err(BucketsFull) if charges.iter().any(|charge| charge.is_enforced) => {
                return Err(QuotaError::Full);
            }
            Err(BucketsFull) => (QuotaStates::new(), true),
        };
        Ok(Admission {
            permit,
            states,
            would_deny: would_deny.then_some(WouldDeny::Quota),
        })
    }

    /// Frees the buckets of tenants that have been idle until full; gives nothing back to others.
    pub fn evict_idle(&self) {
        self.buckets.evict_idle(self.clock.monotonic());
    }
}

fn charges(principal: &Principal, limits: &[BoundLimit]) -> SmallVec<[Charge<BucketKey>; 1]> {
    let charge = |bound: &BoundLimit| Charge {
        key: BucketKey::of(principal, bound),
        steps: Steps::new(bound.limit().quota(), bound.limit().taken_by_a_call()),
        is_enforced: bound.limit().is_enforced(),
    };
    limits.iter().map(charge).collect()
}

/// Where the buckets stand, and whether a limit in shadow mode would have refused.
fn judge(
    limits: &[BoundLimit],
    charges: &[Charge<BucketKey>],
    verdicts: &[Verdict],
) -> Result<(QuotaStates, bool), QuotaError> {
    let admitted = admits(charges, verdicts);
    let (mut states, mut would_deny) = (QuotaStates::new(), false);
    let mut slowest: Option<(Duration, &Limit)> = None;
    for ((bound, charge), verdict) in limits.iter().zip(charges).zip(verdicts) {
        let ahead = match *verdict {
            Verdict::Conforming { ahead, .. } if admitted => ahead,
            // It would have gone through here, but took nothing.
            Verdict::Conforming { ahead, .. } => ahead - charge.steps.increment,
            Verdict::Exceeding { retry_after, ahead } if charge.is_enforced => {
                if slowest.is_none_or(|(wait, _)| wait < retry_after) {
                    slowest = Some((retry_after, bound.limit()));
                }
                ahead
            }
            Verdict::Exceeding { ahead, .. } => {
                would_deny = true;
                ahead
            }
        };
        if charge.is_enforced {
            states.push(QuotaState {
                limit: *bound.limit(),
                remaining: gcra::remaining(ahead, &charge.steps),
                reset: Duration::from_nanos(ahead),
            });
        }
    }
    match slowest {
        None => Ok((states, would_deny)),
        Some((retry_after, slowest)) => Err(QuotaError::Exceeded {
            states,
            retry_after,
            slowest: *slowest,
        }),
    }
}
