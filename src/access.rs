//! May this caller call that target, with those arguments?
//!
//! One function decides on caller and target, for listing and for calling alike, so that what a
//! caller sees is what it may call; a [`Permit`] is its evidence. Rules that read arguments decide
//! later, once the arguments are valid and the call is counted: then their types hold, and trying
//! out what a rule lets through costs quota. A refusal names every scope at once: a client that is
//! told one scope at a time authorizes again and again.

mod arguments;
mod refusal;

use std::sync::Arc;

pub use arguments::AllowedArguments;
pub use refusal::{AccessError, WouldDeny};

use crate::auth::Principal;
use crate::tool::{Access, Arguments, CompiledRule, Facts, Mode, Target, TargetKind};

/// Evidence that a principal may call a target: what [`Quotas::admit`](crate::quota::Quotas::admit)
/// demands.
pub struct Permit {
    principal: Arc<Principal>,
    target: Arc<Target>,
    would_deny: Vec<WouldDeny>,
}

impl Permit {
    /// Who may call.
    pub fn principal(&self) -> &Arc<Principal> {
        &self.principal
    }

    /// What may be called.
    pub fn target(&self) -> &Arc<Target> {
        &self.target
    }

    /// What in shadow mode would have refused.
    pub fn would_deny(&self) -> &[WouldDeny] {
        &self.would_deny
    }
}

/// Lets a principal call a target, if its policy says so.
///
/// # Errors
/// [`AccessError`] with what is missing.
pub fn authorize(principal: &Arc<Principal>, target: Arc<Target>) -> Result<Permit, AccessError> {
    let would_deny = decide(&target, principal)?;
    Ok(Permit {
        principal: Arc::clone(principal),
        target,
        would_deny,
    })
}

/// The decision itself, without evidence: for lists.
pub fn permits(target: &Target, principal: &Principal) -> bool {
    decide(target, principal).is_ok()
}

/// Whether a call with these arguments would be allowed, without evidence: for subscriptions.
pub(crate) fn may_call(
    target: &Arc<Target>,
    principal: &Arc<Principal>,
    arguments: Arguments,
) -> bool {
    let Ok(permit) = authorize(principal, Arc::clone(target)) else {
        return false;
    };
    let valid = target.validate(arguments);
    valid.is_ok_and(|arguments| permit.allow(arguments).is_ok())
}

fn decide(target: &Target, principal: &Principal) -> Result<Vec<WouldDeny>, AccessError> {
    let terms = target.terms(principal.tenant_key());
    if !terms.enabled() {
        return Err(match target.kind() {
            TargetKind::Tool(_) => AccessError::HiddenTool,
            TargetKind::Resource(..) => AccessError::HiddenResource,
            TargetKind::Prompt(_) => AccessError::HiddenPrompt,
        });
    }
    if let Access::Scopes(scopes) = terms.access()
        && !scopes.is_met_by(principal)
    {
        return Err(AccessError::missing(scopes, principal));
    }
    let mut would_deny = Vec::new();
    if !terms.shadow_scopes().is_met_by(principal) {
        would_deny.push(WouldDeny::Scopes);
    }
    let on_caller = |rule: &CompiledRule| !rule.reads_arguments();
    if terms.rules().iter().any(on_caller) {
        let facts = Facts::of_caller(principal);
        judge(terms.rules(), on_caller, &facts, &mut would_deny)?;
    }
    Ok(would_deny)
}

/// Asks some of the rules, in their order; the first that refuses ends it.
fn judge(
    rules: &[CompiledRule],
    which: impl Fn(&CompiledRule) -> bool,
    facts: &Facts<'_>,
    would_deny: &mut Vec<WouldDeny>,
) -> Result<(), AccessError> {
    for (index, rule) in rules.iter().enumerate().filter(|(_, rule)| which(rule)) {
        let failure = match rule.refuses(facts) {
            Ok(false) => continue,
            Ok(true) => None,
            // Fail closed.
            Err(failure) => Some(failure),
        };
        match rule.mode() {
            Mode::Shadow => would_deny.push(WouldDeny::Rule(index)),
            Mode::Enforce => {
                return Err(AccessError::RefusedByRule {
                    index,
                    because: rule.because().map(str::to_owned),
                    failure,
                });
            }
        }
    }
    Ok(())
}
