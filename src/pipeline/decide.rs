//! What would become of a call, without running anything.
//!
//! For policy tests and replays. A reader would ask why this is no simulation: it is the pipeline
//! itself, up to where the tool would run, so that what it says is what a server would do.

use std::sync::Arc;

use super::{Call, CallRequest};
use crate::approval::{Demand, Review, review};
use crate::auth::Principal;
use crate::error::CallError;

impl Call {
    /// Passes every check as [`serve`](Self::serve) does, counts against quotas, and runs nothing.
    /// Closes the record. Gives the approval that the call needs, if it does.
    ///
    /// # Errors
    /// Any [`CallError`] that a check gives.
    pub async fn decide(
        &mut self,
        principal: &Arc<Principal>,
        request: CallRequest<'_>,
    ) -> Result<Option<Box<Demand>>, CallError> {
        let cleared = self.clear(principal, request).await;
        match &cleared {
            Ok(_) => self.record.close_ok(),
            Err(error) => self.record.close_error(error),
        }
        cleared.map(
            |(admission, arguments)| match review(&admission, arguments) {
                Review::Approved(_) => None,
                Review::Needed(demand) => Some(demand),
            },
        )
    }
}
