//! Rules on arguments, and the evidence that they were asked.

use std::sync::Arc;

use super::{AccessError, Permit, WouldDeny, judge};
use crate::auth::Principal;
use crate::tool::{Arguments, CompiledRule, Facts, Target, ValidArguments};

/// Valid arguments that no rule refuses: what [`review`](crate::approval::review) demands.
pub struct AllowedArguments {
    arguments: ValidArguments,
    principal: Arc<Principal>,
    would_deny: Vec<WouldDeny>,
}

impl AllowedArguments {
    /// What in shadow mode would have refused.
    pub fn would_deny(&self) -> &[WouldDeny] {
        &self.would_deny
    }

    /// The arguments, for what decides on them.
    pub(crate) fn get(&self) -> &Arguments {
        self.arguments.get()
    }

    /// The arguments, if they were checked for this target and allowed to this principal.
    pub(crate) fn for_call(self, target: &Target, principal: &Arc<Principal>) -> Option<Arguments> {
        let same = Arc::ptr_eq(&self.principal, principal);
        self.arguments.for_target(target).filter(|_| same)
    }
}

impl Permit {
    /// Asks the rules that read arguments.
    ///
    /// # Errors
    /// [`AccessError::RefusedByRule`].
    pub fn allow(&self, arguments: ValidArguments) -> Result<AllowedArguments, AccessError> {
        let rules = self.target.terms(self.principal.tenant_key()).rules();
        let mut would_deny = Vec::new();
        if rules.iter().any(CompiledRule::reads_arguments) {
            let facts = Facts::of_caller(&self.principal).with_arguments(arguments.get());
            judge(
                rules,
                CompiledRule::reads_arguments,
                &facts,
                &mut would_deny,
            )?;
        }
        Ok(AllowedArguments {
            arguments,
            principal: Arc::clone(&self.principal),
            would_deny,
        })
    }
}
