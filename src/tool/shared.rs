//! Limits that count in one bucket must be one limit.
//!
//! A limit per tenant counts over all targets that have it, and a limit per target over all tenants.
//! If two of them let different amounts through the same bucket, neither would mean what it says.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::{CatalogFault, Limit, Per, Quota, Target, Terms};

/// Where a limit was first seen.
type Seen<'a> = HashMap<u32, (Quota, &'a str, Option<&'a str>)>;

/// What is wrong between the limits of different terms, one fault for each pair of places.
pub(super) fn faults(targets: &[Arc<Target>]) -> Vec<CatalogFault> {
    let tenants: HashSet<&str> = targets
        .iter()
        .flat_map(|target| target.tenant_terms().map(|(tenant, _)| tenant))
        .collect();
    let mut tenants: Vec<&str> = tenants.into_iter().collect();
    tenants.sort_unstable();
    let (mut found, mut of_targets) = (Vec::new(), Seen::new());
    for tenant in std::iter::once(None).chain(tenants.into_iter().map(Some)) {
        let mut of_tenant = Seen::new();
        for target in targets {
            let (terms, tenant) = terms_of(target, tenant);
            for bound in terms.limits().iter().filter(|_| terms.enabled()) {
                let (limit, number) = (bound.limit(), bound.name().number());
                let seen = match limit.counts_per() {
                    Per::TenantTarget | Per::SubjectTarget => continue,
                    Per::Tenant => &mut of_tenant,
                    Per::Target => &mut of_targets,
                };
                let here = (*limit.quota(), target.name(), tenant);
                let first = *seen.entry(number).or_insert(here);
                if first.0 != here.0 {
                    found.push(fault(limit, here, first));
                }
            }
        }
    }
    // The same pair shows again for each tenant that meets both.
    let mut told = HashSet::new();
    found.retain(|fault: &CatalogFault| told.insert((fault.target.clone(), fault.fault.clone())));
    found
}

/// The terms that a tenant finds, and the tenant if they are its own.
fn terms_of<'a>(target: &'a Target, tenant: Option<&'a str>) -> (&'a Terms, Option<&'a str>) {
    let own = tenant.and_then(|tenant| target.own_terms(tenant));
    match own {
        Some(own) => (own, tenant),
        None => (target.common_terms(), None),
    }
}

fn fault(
    limit: &Limit,
    (quota, target, tenant): (Quota, &str, Option<&str>),
    (other, first, its_tenant): (Quota, &str, Option<&str>),
) -> CatalogFault {
    let of = |tenant: Option<&str>| tenant.map(|tenant| format!(" for tenant `{tenant}`"));
    let (here, there) = (
        of(tenant).unwrap_or_default(),
        of(its_tenant).unwrap_or_default(),
    );
    let whose = match limit.counts_per() {
        Per::Tenant => "a tenant's calls of all tools and resources",
        _ => "everybody's calls",
    };
    CatalogFault {
        target: target.to_owned(),
        fault: format!(
            "its limit of {quota}{here} counts {whose} together with the limit of {other} of `{first}`{there}: \
             over one period both must be the same, so give them one count and burst, or different periods"
        ),
    }
}
