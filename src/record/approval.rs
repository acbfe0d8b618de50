//! What is known of a call's approval, where it needs one.

use super::CallRecord;
use crate::approval::{Approval, ApprovalError, Demand, NotGiven, Unusable};
use crate::tool::RuleFailure;

/// An approval that a call needs.
pub(super) struct ApprovalFacts {
    pub(super) condition: String,
    /// Why the condition gave neither true nor false, if it did not.
    pub(super) failure: Option<RuleFailure>,
    /// What came of it; one of a closed list.
    pub(super) state: &'static str,
    /// Why what came with the call does not approve of it, if that is so.
    pub(super) unusable: Option<Unusable>,
}

/// It was asked for, and is not given yet.
pub(super) const ASKED: &str = "asked";

impl CallRecord {
    /// The call needs approval.
    pub(crate) fn needs_approval(&mut self, demand: &Demand) {
        self.approval = Some(Box::new(ApprovalFacts {
            condition: demand.condition().to_owned(),
            failure: demand.failure(),
            state: ASKED,
            unusable: None,
        }));
    }

    /// What came of that.
    pub(crate) fn approval(&mut self, settled: &Result<Approval, ApprovalError>) {
        let (state, unusable) = match settled {
            Ok(Approval::Given(_)) => ("given", None),
            Ok(Approval::Asked(_, unusable)) => (ASKED, *unusable),
            Err(ApprovalError::Unconfirmed(call)) => (ASKED, call.unusable),
            Err(ApprovalError::NotGiven(NotGiven::Declined)) => ("declined", None),
            Err(ApprovalError::NotGiven(NotGiven::Dismissed)) => ("dismissed", None),
            Err(ApprovalError::NotGiven(NotGiven::Unanswered)) => ("unanswered", None),
            Err(ApprovalError::CannotAsk) => ("cannotAsk", None),
            Err(ApprovalError::Uncounted(_) | ApprovalError::NoRandomness) => ("unknown", None),
        };
        if let Some(facts) = &mut self.approval {
            (facts.state, facts.unusable) = (state, unusable);
        }
        if settled.is_ok() {
            self.passed(|stages| &mut stages.approve);
        }
    }
}
