//! Which bucket a call is counted in: whose it is, and of which limit.

use crate::auth::{IdentityKey, Principal};
use crate::tool::{BoundLimit, Per};

/// One bucket, packed into 16 bytes: 96 bits of the caller's identity, as far as the limit counts
/// callers apart, and the number of the limit's bucket name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BucketKey {
    caller_high: u64,
    caller_low: u32,
    name: u32,
}

impl BucketKey {
    /// The bucket that a limit counts the principal's calls in.
    pub fn of(principal: &Principal, limit: &BoundLimit) -> Self {
        let (caller_high, caller_low) = caller(principal, limit).map_or((0, 0), IdentityKey::parts);
        Self {
            caller_high,
            caller_low,
            name: limit.name().number(),
        }
    }
}

/// Whom the limit counts for; nobody in particular where it counts all together.
pub(super) fn caller(principal: &Principal, limit: &BoundLimit) -> Option<IdentityKey> {
    match limit.limit().counts_per() {
        Per::TenantTarget | Per::Tenant => Some(principal.tenant_key()),
        Per::SubjectTarget => Some(principal.subject_key()),
        Per::Target => None,
    }
}
