//! What stands behind a tool where its source is not opened: nothing.
//!
//! Policy tests and replays never come so far as to run anything. A reader would ask why it refuses
//! all the same: should somebody build a server on it, every call must fail and none must pass.

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};

use crate::tool::{Arguments, CallContext, Handler, ToolError, ToolOutput};

/// Fails every call.
pub(super) struct Unopened;

impl Handler for Unopened {
    fn call(
        &self,
        _context: CallContext,
        _arguments: Arguments,
    ) -> BoxFuture<'_, Result<ToolOutput, ToolError>> {
        let error = ToolError::Failed("its source was not opened".to_owned());
        ready(Err(error)).boxed()
    }
}
