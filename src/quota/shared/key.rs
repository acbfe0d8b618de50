//! What a bucket is called in the store.
//!
//! `tollgate:{24 hex digits}:tenant-target:10000:get_customer`: the deployment's prefix; in braces
//! the tenant (or the target, for a limit over all tenants), which in a cluster decides on the slot,
//! so that all buckets of a call lie on one node; the subject, for a limit per subject; the name of
//! the limit's buckets. Names of callers are hashed: they could hold anything, and a store is read by
//! more people than the tokens are. No two buckets share a text: a prefix holds no brace, all other
//! parts but the last have a fixed length or stand in a closed list.

use std::fmt::Write as _;

use aws_lc_rs::digest::{SHA256, digest};

use crate::auth::{IdentityKey, Principal};
use crate::tool::{BoundLimit, Per};

/// The longest prefix, in bytes.
const MAX_PREFIX_BYTES: usize = 64;

/// Whether a text can stand before the keys: 1 to 64 letters, digits, `.`, `_`, `-` or `:`.
pub(super) fn is_prefix(prefix: &str) -> bool {
    let known = |b: u8| b.is_ascii_alphanumeric() || b"._-:".contains(&b);
    (1..=MAX_PREFIX_BYTES).contains(&prefix.len()) && prefix.bytes().all(known)
}

/// The key of the bucket that a limit counts the principal's calls in.
pub(super) fn bucket_key(prefix: &str, principal: &Principal, limit: &BoundLimit) -> String {
    let name = limit.name().to_string();
    let (high, low) = match limit.limit().counts_per() {
        Per::Target => digest_of(&name),
        Per::TenantTarget | Per::Tenant | Per::SubjectTarget => principal.tenant_key().parts(),
    };
    let mut key = String::with_capacity(prefix.len() + name.len() + 56);
    // Writing to a string does not fail.
    let _ = write!(key, "{prefix}:{{{high:016x}{low:08x}}}:");
    if limit.limit().counts_per() == Per::SubjectTarget {
        let (high, low) = IdentityKey::parts(principal.subject_key());
        let _ = write!(key, "{high:016x}{low:08x}:");
    }
    key.push_str(&name);
    key
}

/// A key in the same slot as a bucket's, that no bucket has. The first closing brace ends the slot's
/// part.
pub(super) fn probe_key(bucket: &str) -> String {
    let slot = bucket.find('}').map_or(bucket, |end| &bucket[..=end]);
    format!("{slot}:probe")
}

/// A key to probe with before any bucket was asked for.
pub(super) fn first_probe_key(prefix: &str) -> String {
    format!("{prefix}:{{{:024x}}}:probe", 0)
}

/// For a target, over all periods: two limits on one target lie in one slot.
fn digest_of(name: &str) -> (u64, u32) {
    let target = name.splitn(3, ':').nth(2).unwrap_or(name);
    let digest = digest(&SHA256, target.as_bytes());
    let (mut high, mut low) = ([0; 8], [0; 4]);
    high.copy_from_slice(&digest.as_ref()[..8]);
    low.copy_from_slice(&digest.as_ref()[8..12]);
    (u64::from_be_bytes(high), u32::from_be_bytes(low))
}
