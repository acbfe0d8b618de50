//! Why a caller may not call, and what would refuse it if it were enforced.

use std::fmt;

use crate::auth::Principal;
use crate::tool::{RuleFailure, ScopeSet};

/// Why a caller may not call.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccessError {
    /// Scopes the caller does not hold.
    #[error("missing scopes: {missing:?}, and one of {missing_any_of:?}")]
    InsufficientScope {
        /// What a client should ask for: every scope that is demanded, and of those of which one is
        /// enough the one that the caller holds, else the first.
        required: Vec<String>,
        /// Those that are demanded, every one, and that the caller lacks.
        missing: Vec<String>,
        /// Those of which one is enough, where the caller holds none; else empty.
        missing_any_of: Vec<String>,
    },
    /// A rule refuses the call.
    #[error("rules[{index}] refuses the call")]
    RefusedByRule {
        /// Which, from 0, in the list that is in force for the tenant.
        index: usize,
        /// What the caller is told.
        because: Option<String>,
        /// Why its condition gave neither true nor false, if it did not.
        failure: Option<RuleFailure>,
    },
    /// The tool is not there for this caller.
    #[error("the tool is not enabled")]
    HiddenTool,
    /// The resource is not there for this caller.
    #[error("the resource is not enabled")]
    HiddenResource,
    /// The prompt is not there for this caller.
    #[error("the prompt is not enabled")]
    HiddenPrompt,
}

impl AccessError {
    pub(super) fn missing(scopes: &ScopeSet, principal: &Principal) -> Self {
        let held = scopes.held_of_any(principal);
        let one = held.or(scopes.any_of.first().map(String::as_str));
        let missing = scopes
            .all_of
            .iter()
            .filter(|scope| !principal.has_scope(scope));
        Self::InsufficientScope {
            missing: missing.cloned().collect(),
            required: scopes
                .all_of
                .iter()
                .map(String::as_str)
                .chain(one)
                .map(str::to_owned)
                .collect(),
            missing_any_of: match held {
                Some(_) => Vec::new(),
                None => scopes.any_of.clone(),
            },
        }
    }
}

/// Something in shadow mode that would have refused a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WouldDeny {
    /// The scopes.
    Scopes,
    /// The rule at this place, from 0, in the list that is in force for the tenant.
    Rule(usize),
    /// The quota.
    Quota,
}

impl WouldDeny {
    /// Which kind: `scopes`, `rule` or `quota`. One of few, fit for a metric's label.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Scopes => "scopes",
            Self::Rule(_) => "rule",
            Self::Quota => "quota",
        }
    }
}

/// The key in the configuration: `scopes`, `rules[0]`, `rateLimit`.
impl fmt::Display for WouldDeny {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scopes => f.write_str("scopes"),
            Self::Rule(index) => write!(f, "rules[{index}]"),
            Self::Quota => f.write_str("rateLimit"),
        }
    }
}
