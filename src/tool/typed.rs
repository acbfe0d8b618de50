//! Plain async functions as handlers.

use std::future::Future;
use std::marker::PhantomData;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Arguments, CallContext, Handler, ToolError, ToolOutput};

/// A function of context and typed arguments.
pub(super) struct Typed<F, A> {
    function: F,
    arguments: PhantomData<fn() -> A>,
}

impl<F, A> Typed<F, A> {
    pub(super) fn new(function: F) -> Self {
        Self {
            function,
            arguments: PhantomData,
        }
    }
}

impl<F, A, R, Fut> Handler for Typed<F, A>
where
    F: Fn(CallContext, A) -> Fut + Send + Sync,
    A: DeserializeOwned,
    R: Serialize,
    Fut: Future<Output = Result<R, ToolError>> + Send + 'static,
{
    fn call(
        &self,
        context: CallContext,
        arguments: Arguments,
    ) -> BoxFuture<'_, Result<ToolOutput, ToolError>> {
        // The schema was derived from `A`, so this fails only for what a schema cannot say.
        match serde_json::from_value(Value::Object(arguments)) {
            Ok(arguments) => (self.function)(context, arguments)
                .map(|answer| {
                    let value = serde_json::to_value(answer?)
                        .map_err(|error| ToolError::Defect(error.to_string()))?;
                    Ok(ToolOutput::json(value))
                })
                .boxed(),
            Err(error) => {
                let error = ToolError::InvalidArguments(error.to_string());
                ready(Err(error)).boxed()
            }
        }
    }
}
