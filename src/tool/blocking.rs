//! Plain blocking functions as handlers: on threads of their own, a bounded number of them.
//!
//! A thread cannot be stopped from outside. So a call that ends early (its deadline, a caller that
//! left) is answered or closed at once, while its function goes on until it looks at
//! [`CallContext::is_over`]; its thread counts as taken until then. The bound is per tool, so that
//! one whose functions never return does not use up the runtime's threads.

use std::marker::PhantomData;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::{Answers, Arguments, CallContext, Handler, ToolError, ToolOutput};

/// Threads that one tool may use at once. The runtime has 512 for all.
const THREADS: usize = 32;

/// A blocking function of context and typed arguments, and what it is a function of.
pub(super) struct Blocking<F, A, Face> {
    function: Arc<F>,
    threads: Arc<Semaphore>,
    types: PhantomData<fn() -> (A, Face)>,
}

/// Tells the function that nobody waits for it any more.
struct Over(Arc<AtomicBool>);

impl Drop for Over {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

impl<F, A, Face> Blocking<F, A, Face> {
    pub(super) fn new(function: F) -> Self {
        Self {
            function: Arc::new(function),
            threads: Arc::new(Semaphore::new(THREADS)),
            types: PhantomData,
        }
    }
}

impl<F, A, R, Face> Handler for Blocking<F, A, Face>
where
    F: Fn(CallContext, A) -> Result<R, ToolError> + Send + Sync + 'static,
    A: DeserializeOwned,
    R: Answers<Face>,
{
    fn call(
        &self,
        context: CallContext,
        arguments: Arguments,
    ) -> BoxFuture<'_, Result<ToolOutput, ToolError>> {
        let is_over = Arc::new(AtomicBool::new(false));
        let context = context.with_end(Arc::clone(&is_over));
        let over = Over(is_over);
        let function = Arc::clone(&self.function);
        let work = move || {
            let arguments = serde_json::from_value(Value::Object(arguments))
                .map_err(|error| ToolError::InvalidArguments(error.to_string()))?;
            let answer = function(context.clone(), arguments)?;
            if context.is_over() {
                // What was broken off half-way is not an answer.
                return Err(ToolError::DeadlineExceeded);
            }
            answer.into_output()
        };
        async move {
            let thread = Arc::clone(&self.threads).acquire_owned().await;
            let thread = thread.map_err(|_closed| ToolError::Busy)?;
            let running = spawn_blocking(move || {
                let answer = work();
                drop(thread);
                answer
            });
            let answer = running.await;
            drop(over);
            answer.unwrap_or_else(|error| match error.try_into_panic() {
                Ok(panic) => resume_unwind(panic),
                // Only a runtime that goes down does not run what it was given.
                Err(_cancelled) => Err(ToolError::Busy),
            })
        }
        .boxed()
    }
}
