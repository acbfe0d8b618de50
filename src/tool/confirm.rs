//! Which calls of a tool need the approval of the caller's user.
//!
//! The condition is one of the rules' own ([`Rule`]): checked at load, bounded in time. What cannot be
//! evaluated needs approval, as a rule that cannot be evaluated refuses.

use super::{CompiledRule, Facts, Rule, RuleError, RuleFailure};

/// Whether a call needs the approval of its caller's user. See [`Tool::confirm`](super::Tool::confirm).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Confirm {
    /// No call does.
    #[default]
    Never,
    /// Every call does.
    Always,
    /// A call does when this condition in CEL is true, or cannot be evaluated. It knows what the
    /// conditions of rules know.
    When(String),
}

impl Confirm {
    /// When `condition` is true, or cannot be evaluated.
    pub fn when(condition: impl Into<String>) -> Self {
        Self::When(condition.into())
    }

    /// Checks the condition and makes it ready; `None` where no call needs approval.
    ///
    /// # Errors
    /// [`RuleError`]; it never quotes the condition.
    pub fn compile(
        &self,
        arguments: Option<&[&str]>,
    ) -> Result<Option<CompiledConfirm>, RuleError> {
        Ok(Some(CompiledConfirm(match self {
            Self::Never => return Ok(None),
            Self::Always => None,
            Self::When(condition) => Some(Rule::deny(condition).compile(arguments)?),
        })))
    }
}

/// What calls need approval, ready to be asked.
pub struct CompiledConfirm(Option<CompiledRule>);

impl CompiledConfirm {
    /// The condition as written, or `always`.
    pub fn condition(&self) -> &str {
        self.0.as_ref().map_or("always", CompiledRule::condition)
    }

    /// Whether a call needs approval.
    ///
    /// # Errors
    /// [`RuleFailure`] when the condition gives neither true nor false: it does.
    pub fn asks(&self, facts: &Facts<'_>) -> Result<bool, RuleFailure> {
        self.0.as_ref().map_or(Ok(true), |rule| rule.refuses(facts))
    }
}
