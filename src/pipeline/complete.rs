//! Suggestions for an argument: governed like a call of what the argument is of.
//!
//! Who may not call it learns nothing of its arguments' values; each suggestion counts like a call,
//! so that nobody reads a table letter by letter.

use std::sync::Arc;

use super::Call;
use crate::auth::Principal;
use crate::error::CallError;
use crate::run::suggest;
use crate::tool::{Arguments, Suggestions, TargetRef, Typing};

impl Call {
    /// All checks that do not need whole arguments, then what the target's author suggests. Closes
    /// the record.
    ///
    /// # Errors
    /// Any [`CallError`] but [`CallError::Unauthenticated`].
    pub async fn complete(
        &mut self,
        principal: &Arc<Principal>,
        target: TargetRef<'_>,
        typing: Typing,
    ) -> Result<Suggestions, CallError> {
        let suggested = self.suggested(principal, target, typing).await;
        self.closed(suggested).await
    }

    async fn suggested(
        &mut self,
        principal: &Arc<Principal>,
        target: TargetRef<'_>,
        typing: Typing,
    ) -> Result<Suggestions, CallError> {
        let mut arguments = Arguments::new();
        arguments.insert(typing.argument.clone(), typing.value.clone().into());
        let (admission, _) = self.let_in(principal, &target, &arguments).await?;
        self.record.begin().await?;
        self.record.run_started();
        let setting = self.setting(None);
        let suggested = suggest(admission, typing, setting.scene()).await;
        self.record.run_ended();
        suggested
    }
}
