//! Plain async functions as handlers.

use std::future::Future;
use std::marker::PhantomData;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Answers, Arguments, CallContext, Handler, ToolError, ToolOutput};

/// A function of context and typed arguments, and what it is a function of.
pub(super) struct Typed<F, A, Face> {
    function: F,
    types: PhantomData<fn() -> (A, Face)>,
}

impl<F, A, Face> Typed<F, A, Face> {
    pub(super) fn new(function: F) -> Self {
        Self {
            function,
            types: PhantomData,
        }
    }
}

impl<F, A, R, Fut, Face> Handler for Typed<F, A, Face>
where
    F: Fn(CallContext, A) -> Fut + Send + Sync,
    A: DeserializeOwned,
    R: Answers<Face>,
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
                .map(|answer| answer?.into_output())
                .boxed(),
            Err(error) => {
                let error = ToolError::InvalidArguments(error.to_string());
                ready(Err(error)).boxed()
            }
        }
    }
}
