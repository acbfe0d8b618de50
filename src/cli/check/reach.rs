//! Which tools and resources nobody can call, as far as the file tells.
//!
//! Whoever has a token of an issuer may hold any scope and be of any tenant, so with an issuer only
//! the policy itself can shut everybody out. Without one, the callers are those in the file.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::access::permits;
use crate::auth::Principal;
use crate::config::{Config, Fault, Origin};
use crate::tool::{CompiledRule, Mode, Target, Terms};

/// Where each tool and resource is declared.
pub(super) fn places(config: &Config) -> BTreeMap<String, Origin> {
    let places = config.governed();
    places
        .map(|one| (one.target().into_owned(), one.origin.clone()))
        .collect()
}

/// A fault for each target that nobody can call.
pub(super) fn faults(
    targets: &[Arc<Target>],
    callers: Option<&[Arc<Principal>]>,
    places: &BTreeMap<String, Origin>,
) -> Vec<Fault> {
    let fault = |target: &Arc<Target>| {
        let reason = closed(target, callers)?;
        let place = places.get(target.name())?;
        Some(place.fault(format!("nobody can call it: {reason}")))
    };
    targets.iter().filter_map(fault).collect()
}

fn closed(target: &Target, callers: Option<&[Arc<Principal>]>) -> Option<&'static str> {
    let refuses = |rule: &CompiledRule| rule.mode() == Mode::Enforce && rule.refuses_always();
    let enabled = || target.all_terms().filter(|terms| terms.enabled());
    if enabled().next().is_none() {
        return Some("it is enabled for no tenant; enable it or remove it");
    }
    if enabled().all(|terms: &Terms| terms.rules().iter().any(refuses)) {
        return Some(
            "a rule refuses every call; change the rule, or set `enabled: false` for single tenants",
        );
    }
    match callers {
        Some([]) => Some(
            "the file names no caller; give `auth.issuers`, `auth.apiKeys` or `stdio.principal`",
        ),
        Some(callers) if !callers.iter().any(|caller| permits(target, caller)) => Some(
            "its scopes or rules refuse every caller that the file names; grant the scopes, or give `auth.issuers`",
        ),
        _ => None,
    }
}
