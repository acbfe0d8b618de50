//! Rules in CEL (Common Expression Language) on the caller and the arguments of a call.
//!
//! ```text
//! text ─ compile: caps, parser ─ check: names, functions, cost ─ CompiledRule ─ facts ─ verdict
//! ```
//!
//! Everything that can be found out about a rule is found out at load. A reader would ask why so much
//! of CEL is refused there: what remains is bounded in time by the size of the arguments, and this
//! bound is looked at before a rule is evaluated, so that no caller can make a rule expensive.

mod check;
mod compile;
mod compiled;
mod facts;

pub use compiled::{CompiledRule, RuleFailure};
pub use facts::Facts;

use super::Mode;

/// Refuses calls by a condition, beyond what scopes can say.
///
/// The condition is a CEL expression that gives true or false. It knows `args`, the validated
/// arguments with their defaults, and the caller as `caller.tenant`, `caller.subject` and
/// `caller.scopes`. A condition that cannot be evaluated refuses the call.
///
/// ```
/// use tollgate::tool::Rule;
///
/// let rule = Rule::deny(r#"args.id.startsWith("c-vip") && !("vip:read" in caller.scopes)"#)
///     .because("VIP profiles need vip:read");
/// assert!(rule.compile(None).is_ok());
/// assert!(Rule::allow_only_if("args.amount <").compile(None).is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    effect: Effect,
    condition: String,
    because: Option<String>,
    mode: Mode,
}

/// What a rule's condition means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The call is refused when the condition is true.
    Deny,
    /// The call is refused unless the condition is true.
    AllowOnlyIf,
}

impl Rule {
    /// Refuses the call when `condition` is true, or cannot be evaluated.
    pub fn deny(condition: impl Into<String>) -> Self {
        Self::new(Effect::Deny, condition)
    }

    /// Refuses the call unless `condition` is true.
    pub fn allow_only_if(condition: impl Into<String>) -> Self {
        Self::new(Effect::AllowOnlyIf, condition)
    }

    fn new(effect: Effect, condition: impl Into<String>) -> Self {
        Self {
            effect,
            condition: condition.into(),
            because: None,
            mode: Mode::Enforce,
        }
    }

    /// What a refused caller reads. Default: "Not allowed by policy".
    pub fn because(mut self, text: impl Into<String>) -> Self {
        self.because = Some(text.into());
        self
    }

    /// Whether it refuses, or only records that it would.
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// Checks the condition and makes it ready to be evaluated. `arguments` are the names that the
    /// target takes, where they are known: naming another is a fault.
    ///
    /// # Errors
    /// [`RuleError`]; it never quotes the condition.
    pub fn compile(&self, arguments: Option<&[&str]>) -> Result<CompiledRule, RuleError> {
        let checked = compile::compile(&self.condition, arguments)?;
        CompiledRule::new(self, checked)
    }
}

/// Why a condition is not accepted. Columns count characters from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// It is longer than 2 KiB.
    #[error("a condition holds at most 2048 bytes; split it into several rules")]
    TooLong,
    /// More than 64 brackets and question marks, 512 parts or 40 levels.
    #[error("the condition is too deep or has too many parts; split it into several rules")]
    TooComplex,
    /// It does not parse.
    #[error("not a valid CEL expression at line {line}, column {column}")]
    Syntax {
        /// Line in the condition, from 1.
        line: usize,
        /// Column in that line, from 1.
        column: usize,
    },
    /// A name that rules do not know.
    #[error(
        "unknown name at column {0}; a condition knows args, caller.tenant, caller.subject, caller.scopes and the variables of its macros"
    )]
    UnknownName(usize),
    /// A function that rules do not know.
    #[error(
        "unknown function at column {0}; a condition knows size, contains, startsWith, endsWith, matches, int, uint, double, string, bool, has, all, exists, exists_one, map and filter"
    )]
    UnknownFunction(usize),
    /// An argument that the target does not take.
    #[error("column {column} names an argument that there is not; there are: {known}")]
    UnknownArgument {
        /// Where.
        column: usize,
        /// The arguments there are.
        known: String,
    },
    /// A macro in the body of another, or over the result of another.
    #[error(
        "at column {0} all, exists, exists_one, map or filter is inside another; that may take too long"
    )]
    NestedMacro(usize),
    /// A variable of a macro that hides `args` or `caller`.
    #[error("at column {0} a macro names its variable args or caller; use another name")]
    Shadowed(usize),
    /// `matches` with a pattern that is computed, or is no regular expression of linear time.
    #[error(
        "at column {0} matches needs a pattern in quotes: a regular expression without look-around and back-references, and not too large"
    )]
    Pattern(usize),
    /// A struct or another part of CEL that rules do not need.
    #[error("column {0} holds a part of CEL that conditions cannot use")]
    Unsupported(usize),
    /// It gives a number, a text or a list.
    #[error("the condition must give true or false")]
    NotBool,
    /// It holds no variable, and fails.
    #[error("the condition always fails")]
    AlwaysFails,
}
