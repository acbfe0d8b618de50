//! AWS Lambda: HTTP requests that come as events, from a function URL, an API Gateway or a load balancer.
//!
//! The official runtime crate asks the Lambda Runtime API for the next event and posts the answer; what is between is
//! the same surface that the HTTP listener has. Answers are whole: there is nobody to stream to. Between two events
//! the process is frozen, so nothing may go on by then: a call that has no time left is cut off, and what calls left to
//! be sent is sent before the next event is asked for, and after the answer is out.

mod event;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use arc_swap::ArcSwap;
use lambda_runtime::tower::Layer;
use lambda_runtime::{LambdaEvent, LambdaInvocation, Runtime, Service, service_fn};
use serde_json::Value;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::clock::Clock;
use crate::error::EdgeError;
use crate::record::Recorder;
use crate::transport::http::HttpSurface;
use event::{Asked, Event, NoRequest, told};

/// How long before the end of the invocation an answer is given up: enough to say so.
const ANSWER_MARGIN: Duration = Duration::from_millis(250);
/// How long what calls left behind may take to leave.
const SEND_TIMEOUT: Duration = Duration::from_secs(2);
/// How long before the end of the invocation that is given up as well: who is late is killed.
const SEND_MARGIN: Duration = Duration::from_millis(100);

/// Answers events until the Runtime API is gone.
///
/// # Errors
/// Those of the Runtime API.
///
/// # Panics
/// Where the variables that Lambda sets are missing.
pub async fn serve(
    surface: Arc<ArcSwap<HttpSurface>>,
    clock: Clock,
) -> Result<(), lambda_runtime::Error> {
    let (current, time) = (Arc::clone(&surface), clock.clone());
    let handler = service_fn(move |event: LambdaEvent<Value>| {
        let surface = current.load_full();
        let left = left(event.context.deadline, &time);
        async move {
            let answer = answer(&surface, event.payload, left).await;
            answer.map_err(lambda_runtime::Error::from)
        }
    });
    let sending = Sending {
        surface,
        clock,
        is_busy: Arc::default(),
    };
    Runtime::new(handler).layer(sending).run().await
}

/// How long the invocation may still take whose `deadline` is in milliseconds since the Unix epoch.
fn left(deadline: u64, clock: &Clock) -> Duration {
    Duration::from_millis(deadline).saturating_sub(clock.unix())
}

async fn answer(
    surface: &Arc<HttpSurface>,
    event: Value,
    left: Duration,
) -> Result<Value, NoRequest> {
    let event: Event = serde_json::from_value(event).map_err(|_| NoRequest::Kind)?;
    let Asked {
        front,
        request,
        caller,
    } = event.asked()?;
    let request = match request {
        Ok(request) => request,
        Err(error) => return Ok(told(surface.refuse_whole(error).await, front)),
    };
    let answering = surface.answer_whole(request, caller);
    let answer = match timeout(left.saturating_sub(ANSWER_MARGIN), answering).await {
        Ok(answer) => answer,
        Err(_elapsed) => {
            // Calls of the `initialize` era outlive whoever waits for them.
            surface.cut_detached().await;
            surface.refuse_whole(EdgeError::InvocationTimeout).await
        }
    };
    Ok(told(answer, front))
}

/// Sends what is left of a call once its answer is out.
struct Sending {
    surface: Arc<ArcSwap<HttpSurface>>,
    clock: Clock,
    is_busy: Arc<AtomicBool>,
}

impl<S> Layer<S> for Sending {
    type Service = ThenSend<S>;

    fn layer(&self, inner: S) -> ThenSend<S> {
        ThenSend {
            inner,
            surface: Arc::clone(&self.surface),
            clock: self.clock.clone(),
            is_busy: Arc::clone(&self.is_busy),
        }
    }
}

struct ThenSend<S> {
    inner: S,
    surface: Arc<ArcSwap<HttpSurface>>,
    clock: Clock,
    /// Whether exporters still are at what an earlier call left.
    is_busy: Arc<AtomicBool>,
}

impl<S> Service<LambdaInvocation> for ThenSend<S>
where
    S: Service<LambdaInvocation, Response = (), Error = lambda_runtime::Error>,
    S::Future: Send + 'static,
{
    type Response = ();
    type Error = lambda_runtime::Error;
    type Future = Pin<Box<dyn Future<Output = Result<(), lambda_runtime::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), lambda_runtime::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, invocation: LambdaInvocation) -> Self::Future {
        let recorder = Arc::clone(&self.surface.load().pipeline().recorder);
        let (clock, deadline) = (self.clock.clone(), invocation.context.deadline);
        let is_busy = Arc::clone(&self.is_busy);
        let answered = self.inner.call(invocation);
        Box::pin(async move {
            let result = answered.await;
            let left = left(deadline, &clock).saturating_sub(SEND_MARGIN);
            let sending = send(recorder, is_busy);
            if timeout(left.min(SEND_TIMEOUT), sending).await.is_err() {
                tracing::warn!(
                    "what is on record of the call could not be sent in time: it may go with the next"
                );
            }
            result
        })
    }
}

async fn send(recorder: Arc<Recorder>, is_busy: Arc<AtomicBool>) {
    if let Some(log) = recorder.audit_log() {
        log.caught_up().await;
    }
    if is_busy.swap(true, Ordering::AcqRel) {
        return;
    }
    // Exporters block. What panics there must not end the function, nor what is sent after later events.
    let sent = spawn_blocking(move || {
        let _idle = Idle(is_busy);
        recorder.send();
    })
    .await;
    if sent.is_err() {
        tracing::error!("sending what is on record panicked: please report this");
    }
}

/// Sets back that exporters are at work, however they end.
struct Idle(Arc<AtomicBool>);

impl Drop for Idle {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}
