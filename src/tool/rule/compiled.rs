//! A condition that is ready, and its verdict on a call.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use cel::common::types::CelBool;
use cel::extractors::This;
use cel::{Context, ExecutionError, IdedExpr, Value};

use super::check::{Checked, Cost, Reads, pattern_name};
use super::compile::ENV;
use super::facts::{Facts, Weight};
use super::{Effect, Rule, RuleError};
use crate::tool::Mode;

/// Units of about a nanosecond that one evaluation may take.
const BUDGET: u64 = 40_000_000;
/// What making and passing over a value costs, in units; a byte of text costs one.
const VALUE_COST: u64 = 64;
/// What comparing a value costs in the quadratic part, where it exists already: most where types
/// differ, since the library then makes an error and drops it.
const COMPARED_COST: u64 = 96;
/// Longest text that a pattern is tried on, in bytes: the slowest pattern takes its size per byte.
const MAX_MATCHED_BYTES: usize = 4 << 10;

/// A rule that is ready to be asked.
pub struct CompiledRule {
    rule: Rule,
    expression: IdedExpr,
    /// Knows the functions, with the compiled patterns.
    scope: Context<'static, 'static>,
    reads: Reads,
    cost: Cost,
    constant: Option<bool>,
}

/// Why a condition gave neither true nor false. Holds no value of the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleFailure {
    /// Looking at arguments of this size could take too long.
    #[error("the arguments are too large for it")]
    TooLarge,
    /// A key or index that the arguments do not have.
    #[error("an argument that it names is not there")]
    Missing,
    /// A function or operator that values of this type do not have.
    #[error("a value has the wrong type")]
    WrongType,
    /// Overflow, division by zero, a text that is no number.
    #[error("a calculation failed")]
    Arithmetic,
    /// Anything else.
    #[error("the evaluation failed")]
    Other,
}

impl CompiledRule {
    pub(super) fn new(rule: &Rule, checked: Checked) -> Result<Self, RuleError> {
        let mut scope = Context::with_env(Arc::clone(&ENV));
        for (index, pattern) in checked.patterns.into_iter().enumerate() {
            let matches = move |This(text): This<Arc<String>>| -> Result<bool, ExecutionError> {
                if text.len() > MAX_MATCHED_BYTES {
                    return Err(ExecutionError::InternalError(String::new()));
                }
                Ok(pattern.is_match(&text))
            };
            // Only a name of CEL's own would be refused.
            let _ = scope.add_function(&pattern_name(index), matches);
        }
        let mut compiled = Self {
            rule: rule.clone(),
            expression: checked.expression,
            scope,
            reads: checked.reads,
            cost: checked.cost,
            constant: None,
        };
        if !compiled.reads.args && !compiled.reads.caller {
            let given = compiled.evaluate(&compiled.scope);
            compiled.constant = Some(given.map_err(|_| RuleError::AlwaysFails)?);
        }
        Ok(compiled)
    }

    /// Whether it can only be asked once the arguments are known to be valid.
    pub fn reads_arguments(&self) -> bool {
        self.reads.args
    }

    /// Whether its verdict may differ between callers of one tenant with the same scopes.
    pub(crate) fn reads_subject(&self) -> bool {
        self.reads.subject
    }

    /// Whether it refuses every call, whatever the caller and the arguments.
    pub fn refuses_always(&self) -> bool {
        self.constant.is_some_and(|given| self.refuses_when(given))
    }

    /// Whether it refuses or only records.
    pub fn mode(&self) -> Mode {
        self.rule.mode
    }

    /// What a refused caller reads.
    pub fn because(&self) -> Option<&str> {
        self.rule.because.as_deref()
    }

    /// What its condition means.
    pub fn effect(&self) -> Effect {
        self.rule.effect
    }

    /// The condition as written.
    pub fn condition(&self) -> &str {
        &self.rule.condition
    }

    /// Whether the call is to be refused.
    ///
    /// # Errors
    /// [`RuleFailure`] when the condition gives neither true nor false: the call is to be refused.
    pub fn refuses(&self, facts: &Facts<'_>) -> Result<bool, RuleFailure> {
        if self.units(facts.weight()) > BUDGET {
            return Err(RuleFailure::TooLarge);
        }
        let root: &Context<'_, '_> = &self.scope;
        let mut scope = root.new_inner_scope();
        scope.set_variable_resolver(facts);
        self.evaluate(&scope).map(|given| self.refuses_when(given))
    }

    fn refuses_when(&self, given: bool) -> bool {
        match self.rule.effect {
            Effect::Deny => given,
            Effect::AllowOnlyIf => !given,
        }
    }

    fn units(&self, weight: Weight) -> u64 {
        let passed = VALUE_COST * weight.values + weight.bytes;
        let compared = COMPARED_COST * weight.values + weight.bytes;
        let linear = (self.cost.linear + 1).saturating_mul(passed);
        let square = self.cost.square.saturating_mul(weight.values);
        let matches = self.cost.matches;
        let one_text = matches
            .text
            .saturating_add(matches.text_each * weight.values);
        let matched = one_text
            .saturating_mul(weight.bytes.min(MAX_MATCHED_BYTES as u64))
            .saturating_add(matches.all.saturating_mul(weight.bytes));
        linear
            .saturating_add(square.saturating_mul(compared))
            .saturating_add(matched)
    }

    fn evaluate(&self, scope: &Context<'_, '_>) -> Result<bool, RuleFailure> {
        // A defect of the library must not let a call through, nor end the process.
        let given = catch_unwind(AssertUnwindSafe(|| {
            let given =
                Value::resolve_val(&self.expression, scope).map_err(|error| cause(&error))?;
            let truth = given.downcast_ref::<CelBool>().map(|truth| *truth.inner());
            truth.ok_or(RuleFailure::WrongType)
        }));
        given.unwrap_or(Err(RuleFailure::Other))
    }
}

/// The library's own texts quote values of the call, so they go nowhere.
fn cause(error: &ExecutionError) -> RuleFailure {
    match error {
        ExecutionError::NoSuchKey(_) | ExecutionError::IndexOutOfBounds(_) => RuleFailure::Missing,
        ExecutionError::NoSuchOverload(_)
        | ExecutionError::UnexpectedType { .. }
        | ExecutionError::UnsupportedTargetType { .. }
        | ExecutionError::UnsupportedBinaryOperator(..)
        | ExecutionError::UnsupportedIndex(..)
        | ExecutionError::UnsupportedKeyType(_)
        | ExecutionError::ValuesNotComparable(..) => RuleFailure::WrongType,
        ExecutionError::DivisionByZero(_)
        | ExecutionError::RemainderByZero(_)
        | ExecutionError::Overflow(..)
        | ExecutionError::FunctionError { .. } => RuleFailure::Arithmetic,
        ExecutionError::InternalError(text) if text.is_empty() => RuleFailure::TooLarge,
        _ => RuleFailure::Other,
    }
}
