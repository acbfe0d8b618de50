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

/// The key of something that may be used once: anywhere in a cluster. No bucket's, whose digests are
/// shorter.
pub(super) fn once_key(prefix: &str, what: u128) -> String {
    format!("{prefix}:{{{what:032x}}}:once")
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

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};
    use std::sync::Arc;
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::tool::{CallContext, Catalog, Declared, Limit, Quota, Target, Tool, ToolError};

    fn targets(names: &HashSet<String>) -> Vec<Arc<Target>> {
        let limit = |per, seconds| Limit::new(Quota::per(9, Duration::from_secs(seconds))).per(per);
        let tool = |name: &String| {
            [
                Per::TenantTarget,
                Per::Tenant,
                Per::SubjectTarget,
                Per::Target,
            ]
            .into_iter()
            .flat_map(|per| [limit(per, 1), limit(per, 10)])
            .fold(Tool::new(name, "Does.").any_authenticated(), Tool::limit)
            .handler(async |_: CallContext, _: serde_json::Value| Ok::<_, ToolError>(String::new()))
        };
        let catalog = Catalog::build(Declared::tools(names.iter().map(tool)));
        catalog.expect("good tools").targets().to_vec()
    }

    fn slot(key: &str) -> &str {
        let (_, rest) = key.split_once('{').expect("a brace");
        rest.split_once('}').expect("another").0
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn two_buckets_have_two_keys_and_one_bucket_has_one(
            names in prop::collection::hash_set("[a.0-9-]{1,3}", 1..4),
            callers in prop::collection::hash_set(("[ab:{}]{1,2}", "[ab:{}]{1,2}"), 1..5),
            prefix in "[a:]{1,3}",
        ) {
            let mut seen = HashMap::new();
            for target in targets(&names) {
                for (tenant, subject) in &callers {
                    let who = Principal::configured(tenant, subject, ["s"]).expect("a caller");
                    for limit in target.common_terms().limits() {
                        let key = bucket_key(&prefix, &who, limit);
                        let probe = probe_key(&key);
                        prop_assert_eq!(slot(&probe), slot(&key));
                        let counts = limit.limit().counts_per();
                        let bucket = (
                            limit.limit().quota().period(),
                            format!("{counts:?}"),
                            (counts != Per::Tenant).then(|| target.name().to_owned()),
                            (counts != Per::Target).then(|| tenant.clone()),
                            (counts == Per::SubjectTarget).then(|| subject.clone()),
                        );
                        let known = seen.entry(key).or_insert_with(|| bucket.clone());
                        prop_assert_eq!(&*known, &bucket, "two buckets under one key");
                    }
                }
            }
            let buckets: HashSet<_> = seen.values().collect();
            prop_assert_eq!(buckets.len(), seen.len(), "two keys for one bucket");
        }
    }

    #[test]
    fn the_buckets_of_a_call_lie_in_one_slot_but_for_those_over_all_tenants() {
        let who = Principal::configured("acme", "ada", ["s"]).expect("a caller");
        let target = &targets(&HashSet::from(["t".to_owned()]))[0];
        let limits = target.common_terms().limits();
        let slots = |all: bool| -> HashSet<String> {
            let of = |limit: &&BoundLimit| (limit.limit().counts_per() == Per::Target) == all;
            let keys = limits
                .iter()
                .filter(of)
                .map(|limit| bucket_key("p", &who, limit));
            keys.map(|key| slot(&key).to_owned()).collect()
        };
        assert_eq!((slots(false).len(), slots(true).len()), (1, 1));
        assert!(slots(false).is_disjoint(&slots(true)));
    }
}
