//! Suggestions for an argument while it is being typed (MCP 2026-07-28, server/utilities/completion).

use std::future::Future;

use futures_util::future::BoxFuture;
use serde_json::{Map, Value};

use super::{CallContext, ToolError};

/// The most suggestions of one answer.
const MAX_VALUES: usize = 100;

/// What is being typed.
#[derive(Clone, Debug)]
pub struct Typing {
    /// The argument's name.
    pub argument: String,
    /// What stands there so far.
    pub value: String,
    /// Arguments that are filled in already.
    pub others: Map<String, Value>,
}

/// Suggestions, the best first.
///
/// ```
/// use tollgate::Suggestions;
///
/// let cities = ["Basel", "Bern", "Roma"];
/// assert_eq!(Suggestions::beginning_with("b", cities), Suggestions::new(["Basel", "Bern"]));
///
/// // The first hundred of what a table holds, and how many there are.
/// let first = (1..=100).map(|number| format!("c-{number}"));
/// let of_table = Suggestions::new(first).of_total(12_000);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Suggestions {
    values: Vec<String>,
    total: Option<usize>,
}

impl Suggestions {
    /// These; more than 100 are cut off, and the client is told that there are more.
    pub fn new(values: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let mut values: Vec<String> = values.into_iter().map(Into::into).collect();
        let total = Some(values.len());
        values.truncate(MAX_VALUES);
        Self { values, total }
    }

    /// How many there are in all, where these are only the first.
    pub fn of_total(mut self, total: usize) -> Self {
        self.total = Some(total);
        self
    }

    /// Those of `all` that begin with what is typed, whatever their case.
    pub fn beginning_with<'a>(typed: &str, all: impl IntoIterator<Item = &'a str>) -> Self {
        let typed = typed.to_lowercase();
        let fits = |value: &&str| value.to_lowercase().starts_with(&typed);
        Self::new(all.into_iter().filter(fits))
    }

    pub(crate) fn values(&self) -> &[String] {
        &self.values
    }

    pub(crate) fn total(&self) -> Option<usize> {
        self.total
    }

    pub(crate) fn has_more(&self) -> bool {
        self.total.is_some_and(|total| total > self.values.len())
    }
}

/// Suggests values of one argument.
pub(crate) trait Completer: Send + Sync {
    fn complete(
        &self,
        context: CallContext,
        typing: Typing,
    ) -> BoxFuture<'_, Result<Suggestions, ToolError>>;
}

impl<F, Fut> Completer for F
where
    F: Fn(CallContext, Typing) -> Fut + Send + Sync,
    Fut: Future<Output = Result<Suggestions, ToolError>> + Send + 'static,
{
    fn complete(
        &self,
        context: CallContext,
        typing: Typing,
    ) -> BoxFuture<'_, Result<Suggestions, ToolError>> {
        Box::pin(self(context, typing))
    }
}
