//! May this caller call that target? A principal and a target become a [`Permit`].
//!
//! One function decides, for listing and for calling alike, so that what a caller sees is what it
//! may call. Denial names every scope the target demands and those that are missing, at once:
//! a client that is told one scope at a time authorizes again and again.

use std::sync::Arc;

use crate::auth::Principal;
use crate::tool::{Access, Target};

/// Evidence that a principal may call a target: what [`Quotas::admit`](crate::quota::Quotas::admit)
/// demands.
pub struct Permit {
    principal: Arc<Principal>,
    target: Arc<Target>,
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
}

/// Why a caller may not call.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccessError {
    /// Scopes the caller does not hold.
    #[error("missing scopes: {missing:?}")]
    InsufficientScope {
        /// Every scope the target demands, in its order.
        required: Vec<String>,
        /// Those of them that the caller lacks.
        missing: Vec<String>,
    },
}

/// Lets a principal call a target, if its policy says so.
///
/// # Errors
/// [`AccessError`] with what is missing.
pub fn authorize(principal: &Arc<Principal>, target: Arc<Target>) -> Result<Permit, AccessError> {
    if !permits(&target, principal) {
        return Err(refusal(&target, principal));
    }
    Ok(Permit {
        principal: Arc::clone(principal),
        target,
    })
}

/// The decision itself, without evidence: for lists.
pub fn permits(target: &Target, principal: &Principal) -> bool {
    match target.access() {
        Access::AnyAuthenticated => true,
        Access::Scopes(scopes) => scopes.iter().all(|scope| principal.has_scope(scope)),
    }
}

fn refusal(target: &Target, principal: &Principal) -> AccessError {
    let required = match target.access() {
        Access::AnyAuthenticated => Vec::new(),
        Access::Scopes(scopes) => scopes.clone(),
    };
    let missing = required
        .iter()
        .filter(|scope| !principal.has_scope(scope))
        .cloned()
        .collect();
    AccessError::InsufficientScope { required, missing }
}
