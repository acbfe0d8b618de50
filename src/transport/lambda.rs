//! AWS Lambda: HTTP requests that come as events, from a function URL, an API Gateway or a load balancer.
//!
//! The official runtime crate asks the Lambda Runtime API for the next event and posts the answer; what is between is
//! the same surface that the HTTP listener has. Answers are whole: there is nobody to stream to. Between two events
//! the process is frozen, so what calls left to be sent is sent before the next event is asked for, and after the
//! answer is out.

use std::convert::Infallible;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, Uri, header};
use http_body_util::Full;
use lambda_http::lambda_runtime::{LambdaInvocation, Runtime};
use lambda_http::request::RequestContext;
use lambda_http::tower::Layer;
use lambda_http::{Adapter, Body, RequestExt as _, Service, service_fn};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::clock::Clock;
use crate::error::EdgeError;
use crate::record::Recorder;
use crate::transport::http::HttpSurface;

/// How long before the end of the invocation an answer is given up: enough to say so.
const ANSWER_MARGIN: Duration = Duration::from_millis(250);
/// How long what calls left behind may take to leave.
const SEND_TIMEOUT: Duration = Duration::from_secs(2);

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
) -> Result<(), lambda_http::Error> {
    let current = Arc::clone(&surface);
    let handler = service_fn(move |event: lambda_http::Request| {
        let (surface, clock) = (current.load_full(), clock.clone());
        async move { Ok::<_, Infallible>(answer(&surface, event, &clock).await) }
    });
    Runtime::new(Adapter::from(handler))
        .layer(Sending(surface))
        .run()
        .await
}

async fn answer(
    surface: &Arc<HttpSurface>,
    event: lambda_http::Request,
    clock: &Clock,
) -> Response<Full<Bytes>> {
    let context = event.lambda_context_ref();
    let deadline = context.map_or(Duration::MAX, |context| {
        Duration::from_millis(context.deadline)
    });
    let left = deadline.saturating_sub(clock.unix());
    let answered = timeout(left.saturating_sub(ANSWER_MARGIN), whole(surface, event)).await;
    let mut response = match answered {
        Ok(response) => response,
        Err(_elapsed) => surface.refuse_whole(EdgeError::InvocationTimeout).await,
    };
    join(response.headers_mut());
    response.map(Full::new)
}

/// The surface's answer, to its last byte.
async fn whole(surface: &Arc<HttpSurface>, event: lambda_http::Request) -> Response<Bytes> {
    let peer = SocketAddr::new(caller(&event), 0);
    let Some(mut request) = received(event) else {
        return surface.refuse_whole(EdgeError::NoRoute).await;
    };
    if !takes_whole_answers(request.headers_mut()) {
        return surface.refuse_whole(EdgeError::NotAcceptable).await;
    }
    surface.answer_whole(request, peer).await
}

/// The request of an event, with the path as the client sent it; none where that is no path.
fn received(event: lambda_http::Request) -> Option<Request<Bytes>> {
    let path = event.raw_http_path();
    let stage = match event.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => context.stage.as_deref(),
        _ => None,
    };
    // An HTTP API names its stage in the path, a REST API does not.
    let within = stage.and_then(|stage| path.strip_prefix('/')?.strip_prefix(stage));
    let path = within.filter(|path| path.starts_with('/')).unwrap_or(path);
    let target = match event.uri().query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    let uri = target.parse::<Uri>().ok()?;
    let (head, body) = event.into_parts();
    let body = match body {
        Body::Text(text) => Bytes::from(text),
        Body::Binary(bytes) => Bytes::from(bytes),
        _ => Bytes::new(),
    };
    let mut request = Request::new(body);
    *request.method_mut() = head.method;
    *request.uri_mut() = uri;
    *request.headers_mut() = head.headers;
    Some(request)
}

/// Who sent the request, as the service in front saw it.
fn caller(event: &lambda_http::Request) -> IpAddr {
    let told = match event.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => context.http.source_ip.as_deref(),
        Some(RequestContext::ApiGatewayV1(context)) => context.identity.source_ip.as_deref(),
        // A load balancer appends whom it heard from to what the client wrote.
        _ => {
            let lines = event.headers().get_all("x-forwarded-for");
            let last = lines.iter().next_back();
            last.and_then(|line| line.to_str().ok()?.rsplit(',').next())
        }
    };
    let address = told.and_then(|told| told.trim().parse().ok());
    address.unwrap_or(Ipv4Addr::UNSPECIFIED.into())
}

/// Takes event streams out of what the client accepts; whether anything is left.
fn takes_whole_answers(headers: &mut HeaderMap) -> bool {
    let kept = |line: &HeaderValue| {
        let ranges = line.to_str().unwrap_or_default().split(',');
        let whole = ranges.filter(|range| !range.to_ascii_lowercase().contains("event-stream"));
        HeaderValue::from_str(&whole.collect::<Vec<_>>().join(",")).ok()
    };
    let lines = headers.get_all(header::ACCEPT).iter();
    let lines: Vec<_> = lines
        .filter_map(kept)
        .filter(|line| !line.is_empty())
        .collect();
    if headers.remove(header::ACCEPT).is_none() {
        return true;
    }
    let is_any = !lines.is_empty();
    for line in lines {
        headers.append(header::ACCEPT, line);
    }
    is_any
}

/// An event has each header once (RFC 9110 §5.3).
fn join(headers: &mut HeaderMap) {
    let names: Vec<_> = headers.keys().cloned().collect();
    for name in names {
        let values: Vec<_> = headers.get_all(&name).iter().cloned().collect();
        if values.len() > 1 {
            let joined = values.iter().map(HeaderValue::as_bytes).collect::<Vec<_>>();
            if let Ok(value) = HeaderValue::from_bytes(&joined.join(&b", "[..])) {
                headers.insert(name, value);
            }
        }
    }
}

/// Sends what is left of a call once its answer is out.
struct Sending(Arc<ArcSwap<HttpSurface>>);

impl<S> Layer<S> for Sending {
    type Service = ThenSend<S>;

    fn layer(&self, inner: S) -> ThenSend<S> {
        ThenSend {
            inner,
            surface: Arc::clone(&self.0),
        }
    }
}

struct ThenSend<S> {
    inner: S,
    surface: Arc<ArcSwap<HttpSurface>>,
}

impl<S> Service<LambdaInvocation> for ThenSend<S>
where
    S: Service<LambdaInvocation, Response = (), Error = lambda_http::Error>,
    S::Future: Send + 'static,
{
    type Response = ();
    type Error = lambda_http::Error;
    type Future = Pin<Box<dyn Future<Output = Result<(), lambda_http::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), lambda_http::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, invocation: LambdaInvocation) -> Self::Future {
        let recorder = Arc::clone(&self.surface.load().pipeline().recorder);
        let answered = self.inner.call(invocation);
        Box::pin(async move {
            let result = answered.await;
            if timeout(SEND_TIMEOUT, send(recorder)).await.is_err() {
                tracing::warn!(
                    "what is on record of the call could not be sent in time: it goes with the next"
                );
            }
            result
        })
    }
}

async fn send(recorder: Arc<Recorder>) {
    if let Some(log) = recorder.audit_log() {
        log.caught_up().await;
    }
    // Exporters block. What panics there must not end the function.
    let _ = spawn_blocking(move || recorder.send()).await;
}
