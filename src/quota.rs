//! How often: a permit becomes an [`Admission`], or is told when to come back.
//!
//! Each limit of a target counts in a bucket per caller, as far as it counts callers apart, the same
//! over every transport and token. A call takes from all of its buckets or from none. The arithmetic
//! ([`gcra`]) is pure; the store that holds the buckets decides atomically on its own clock.

mod bucket;
mod flood;
pub mod gcra;
mod memory;
mod once;
mod shared;
mod sync;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use smallvec::SmallVec;

pub use bucket::BucketKey;
pub use flood::{DenialLimit, FailureLimit};
pub use memory::{Buckets, BucketsFull, Charge, Verdicts, admits};
pub(crate) use shared::SharedScript;
use shared::SharedStore;
pub use shared::{
    AddressError, DecidedBy, OnStoreFailure, SharedLink, StoreAddress, StoreSettings, StoreState,
    script_on_clock,
};

use crate::access::{Permit, WouldDeny};
use crate::auth::{Principal, TenantKey};
use crate::clock::Clock;
use crate::tool::{BoundLimit, Limit, Target};
use crate::trace::Trace;
use gcra::{Steps, Verdict};
use once::{NoRoom, Used};

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
    is_counted: bool,
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

    /// Whether the call was counted, and not let through because the store of the counts failed.
    pub fn is_counted(&self) -> bool {
        self.is_counted
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
    /// No room for another bucket. Refusing is safer than letting calls through uncounted.
    #[error("no quota bucket is free")]
    Full,
    /// The store of the counts fails, and calls are refused meanwhile.
    #[error("the quota store fails")]
    Unavailable,
}

/// Counts calls against quotas.
pub struct Quotas {
    /// Those that count, or with a store that replicas share, what is known of its buckets.
    buckets: Buckets<BucketKey>,
    max_keys: usize,
    /// Whether the log says that there is no room for further buckets.
    is_full: AtomicBool,
    store: Option<Arc<SharedStore>>,
    /// What was used that may be used once.
    used: Used,
    clock: Clock,
}

impl Quotas {
    /// Quotas held in this process, at most `max_keys` buckets.
    pub fn in_memory(max_keys: usize, clock: Clock) -> Self {
        Self {
            buckets: Buckets::new(max_keys),
            max_keys,
            is_full: AtomicBool::new(false),
            store: None,
            used: Used::default(),
            clock,
        }
    }

    /// Quotas held in a store that replicas share. At most `max_keys` of its buckets are known in
    /// this process too, for when it fails.
    pub fn shared(settings: StoreSettings, max_keys: usize, clock: Clock) -> Self {
        Self {
            store: Some(Arc::new(SharedStore::new(settings, clock.clone()))),
            ..Self::in_memory(max_keys, clock)
        }
    }

    /// Counts one call against all limits of its target. One in shadow mode is counted as any other,
    /// and refuses nothing. A question to the store becomes a span of `trace`.
    ///
    /// # Errors
    /// [`QuotaError::Exceeded`] when a bucket has not enough; the refused call is counted nowhere.
    pub async fn admit(&self, permit: Permit, trace: &Trace) -> Result<Admission, QuotaError> {
        let principal = permit.principal();
        let limits = permit.target().terms(principal.tenant_key()).limits();
        let mut charges = charges(principal, limits);
        let taken = self.take(principal, limits, &mut charges, trace).await;
        let is_counted = !matches!(taken, Ok(None));
        let (states, would_deny) = match taken {
            Ok(Some(verdicts)) => judge(limits, &charges, &verdicts)?,
            Ok(None) => (QuotaStates::new(), false),
            Err(error) if charges.iter().any(|charge| charge.is_enforced) => return Err(error),
            Err(_) => (QuotaStates::new(), true),
        };
        Ok(Admission {
            permit,
            states,
            would_deny: would_deny.then_some(WouldDeny::Quota),
            is_counted,
        })
    }

    /// Uses, for a tenant, something that may be used once and expires within `valid`; whether for the first time:
    /// among all replicas where there is a store, else in this process. A store that fails refuses,
    /// whatever [`OnStoreFailure`] says of counts: nothing may be used twice meanwhile.
    ///
    /// # Errors
    /// [`QuotaError::Unavailable`] or [`QuotaError::Full`] when that cannot be told.
    pub async fn use_once(
        &self,
        key: u128,
        tenant: TenantKey,
        valid: Duration,
        trace: &Trace,
    ) -> Result<bool, QuotaError> {
        if let Some(store) = &self.store {
            let first = store.use_once(key, valid, trace).await;
            if !first.ok_or(QuotaError::Unavailable)? {
                return Ok(false);
            }
        }
        // Here as well: a store may forget.
        let first = self.used.first(key, tenant, valid, self.clock.unix());
        first.map_err(|NoRoom| QuotaError::Full)
    }

    /// The verdicts of whoever counts; none when a call is let through uncounted.
    async fn take(
        &self,
        principal: &Principal,
        limits: &[BoundLimit],
        charges: &mut [Charge<BucketKey>],
        trace: &Trace,
    ) -> Result<Option<Verdicts>, QuotaError> {
        let Some(store) = self.store.as_ref().filter(|_| !charges.is_empty()) else {
            return self.take_here(charges);
        };
        // Boxed, so that calls that are counted here do not carry its size.
        let taken = store.take(principal, limits, charges, &self.buckets, trace);
        let taken = Box::pin(taken).await;
        let decided = |by| store.counts().decided(by);
        match (taken, store.on_failure()) {
            (Some(verdicts), _) => {
                decided(DecidedBy::Store);
                Ok(Some(verdicts))
            }
            (None, OnStoreFailure::Local) => {
                decided(DecidedBy::Local);
                self.take_here(charges)
            }
            (None, OnStoreFailure::Deny) => {
                decided(DecidedBy::Denied);
                Err(QuotaError::Unavailable)
            }
            (None, OnStoreFailure::Allow) => {
                decided(DecidedBy::Allowed);
                Ok(None)
            }
        }
    }

    fn take_here(&self, charges: &[Charge<BucketKey>]) -> Result<Option<Verdicts>, QuotaError> {
        let taken = self.buckets.take(charges, self.clock.monotonic());
        taken.map(Some).map_err(|BucketsFull| {
            if !self.is_full.swap(true, Ordering::Relaxed) {
                tracing::warn!(
                    "no room for another quota bucket: callers without one are refused; set quotas.maxKeys higher"
                );
            }
            QuotaError::Full
        })
    }

    /// Buckets in this process, and how many there may be.
    pub fn buckets(&self) -> (usize, usize) {
        (self.buckets.len(), self.max_keys)
    }

    /// Starts to connect to the store, if there is one, so that the first call need not wait for it;
    /// from within a runtime. Without this the first call starts it.
    pub fn connect(&self) {
        if let Some(store) = &self.store {
            store.keep_connected();
        }
    }

    /// The store, if there is one, for what else replicas share.
    pub fn link(&self) -> Option<SharedLink> {
        self.store.clone().map(SharedLink::new)
    }

    /// How it stands with the store, if there is one.
    pub fn store_state(&self) -> Option<StoreState> {
        self.store.as_ref().map(|store| store.state())
    }

    /// Tells `tell` how long each answer of the store took. The first caller wins.
    pub fn tell_store_latency(&self, tell: impl Fn(Duration) + Send + Sync + 'static) {
        if let Some(store) = &self.store {
            store.counts().tell_latency(Box::new(tell));
        }
    }

    /// Frees the buckets that are full again, which gives nothing to anybody.
    pub fn evict_idle(&self) {
        self.buckets.evict_idle(self.clock.monotonic());
        if self.buckets.len() < self.max_keys && self.is_full.swap(false, Ordering::Relaxed) {
            tracing::info!("there is room for quota buckets again");
        }
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
        match *verdict {
            Verdict::Conforming { .. } => {}
            Verdict::Exceeding { .. } if !charge.is_enforced => would_deny = true,
            Verdict::Exceeding { retry_after, .. } => {
                if slowest.is_none_or(|(wait, _)| wait < retry_after) {
                    slowest = Some((retry_after, bound.limit()));
                }
            }
        }
        if charge.is_enforced {
            let ahead = verdict.ahead(admitted, &charge.steps);
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
