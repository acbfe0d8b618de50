//! How often: a permit becomes an [`Admission`], or is told when to come back.
//!
//! One bucket per tenant and target, the same over every transport and token. The arithmetic
//! ([`gcra`]) is pure; the store that holds the buckets decides atomically on its own clock.

mod flood;
pub mod gcra;
mod memory;

use std::time::Duration;

pub use flood::FailureLimit;
pub use memory::{Buckets, BucketsFull, TenantTarget};

use crate::access::{Permit, WouldDeny};
use crate::clock::Clock;
use crate::tool::{Mode, Quota, Target};
use gcra::Verdict;

/// Where a bucket stands after a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuotaState {
    /// The limit that was applied.
    pub quota: Quota,
    /// Calls that could still be made right now.
    pub remaining: u32,
    /// Until the bucket is full again.
    pub reset: Duration,
}

/// Evidence that a permitted call is within its quota: what [`run`](crate::run) demands.
pub struct Admission {
    permit: Permit,
    state: Option<QuotaState>,
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

    /// The bucket after this call was counted; `None` where no quota is enforced.
    pub fn state(&self) -> Option<QuotaState> {
        self.state
    }

    /// Whether a quota in shadow mode would have refused.
    pub fn would_deny(&self) -> Option<WouldDeny> {
        self.would_deny
    }
}

/// Why a call was not admitted.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuotaError {
    /// The tenant's bucket for the target is empty.
    #[error("rate limit exceeded; retry in {retry_after:?}")]
    Exceeded {
        /// The bucket, unchanged by the refused call.
        state: QuotaState,
        /// Until one call is possible again.
        retry_after: Duration,
    },
    /// No room to count another tenant. Refusing is safer than letting calls through uncounted.
    #[error("no quota bucket is free")]
    Full,
}

/// Counts calls against quotas.
pub struct Quotas {
    buckets: Buckets<TenantTarget>,
    clock: Clock,
}

impl Quotas {
    /// Quotas held in this process, at most `max_keys` buckets (tenant × target).
    pub fn in_memory(max_keys: usize, clock: Clock) -> Self {
        Self {
            buckets: Buckets::new(max_keys),
            clock,
        }
    }

    /// Counts one call. A quota in shadow mode is counted as any other, and refuses nothing.
    ///
    /// # Errors
    /// [`QuotaError::Exceeded`] when the bucket is empty; the refused call is not counted.
    pub async fn admit(&self, permit: Permit) -> Result<Admission, QuotaError> {
        let tenant = permit.principal().tenant_key();
        let admitted = |permit, state, would_deny| Admission {
            permit,
            state,
            would_deny,
        };
        let Some((quota, mode)) = permit.target().terms(tenant).quota().copied() else {
            return Ok(admitted(permit, None, None));
        };
        let counted = self.count(TenantTarget::new(tenant, permit.target().index()), quota);
        match (counted, mode) {
            (counted, Mode::Enforce) => Ok(admitted(permit, Some(counted?), None)),
            (Ok(_), Mode::Shadow) => Ok(admitted(permit, None, None)),
            (Err(_), Mode::Shadow) => Ok(admitted(permit, None, Some(WouldDeny::Quota))),
        }
    }

    fn count(&self, key: TenantTarget, quota: Quota) -> Result<QuotaState, QuotaError> {
        let now = self.clock.monotonic();
        let verdict = self
            .buckets
            .take(key, &quota, now)
            .map_err(|BucketsFull| QuotaError::Full)?;
        match verdict {
            Verdict::Conforming { remaining, reset } => Ok(QuotaState {
                quota,
                remaining,
                reset,
            }),
            Verdict::Exceeding { retry_after, reset } => Err(QuotaError::Exceeded {
                state: QuotaState {
                    quota,
                    remaining: 0,
                    reset,
                },
                retry_after,
            }),
        }
    }

    /// Frees the buckets of tenants that have been idle until full; gives nothing back to others.
    pub fn evict_idle(&self) {
        self.buckets.evict_idle(self.clock.monotonic());
    }
}
