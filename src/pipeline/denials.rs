//! A caller who is refused too often is told so, and no longer why.
//!
//! Only refusals come here, so a call that is permitted pays nothing, and a caller over its limit may
//! go on doing what it may. What it tries beyond that gets one answer whatever it is: no tool, no
//! scope, no permission by a rule. The record still has the reason.

use super::Call;
use crate::auth::Principal;
use crate::error::CallError;

impl Call {
    /// What a caller is told who is refused.
    pub(super) fn denied(&self, principal: &Principal, error: impl Into<CallError>) -> CallError {
        let error = error.into();
        match self.pipeline.denials.count(principal) {
            Some(retry_after) => CallError::TooManyDenials {
                retry_after,
                instead_of: error.row().kind,
            },
            None => error,
        }
    }
}
