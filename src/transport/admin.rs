//! The admin listener: metrics, health and what became of calls, for operators, apart from the calls.
//!
//! No credential and no argument is told here and nothing changes anything, so it asks for no token and
//! speaks plain HTTP/1.1; by default it listens on loopback alone. `Host` is checked where more than
//! health is told: a web page whose name was pointed here (DNS rebinding) must not read it. A reader would ask why
//! any IP address passes as `Host`: rebinding needs a name, and monitoring scrapes by address. A
//! reader would also ask for keep-alive: one answer a connection is what bounds slow readers here.

mod calls;

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::uri::Authority;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::readiness::readiness;
use crate::error::{AdminError, CallError, EdgeError, Row};
use crate::transport::http::HttpSurface;
use calls::Calls;

/// Connections at once; further ones are closed.
const MAX_CONNECTIONS: usize = 64;
/// How long one connection may take, from its first byte to the last of its answer.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(10);
/// Pause after `accept` failed, as it does when file descriptors run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
const MAX_HEAD_BYTES: usize = 8 * 1024;
const JSON: &str = "application/json";
const PROBLEM: &str = "application/problem+json";
const TEXT: &str = "text/plain; charset=utf-8";
/// Prometheus' exposition format.
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What operators ask.
pub struct Admin {
    surface: Arc<ArcSwap<HttpSurface>>,
    calls: Calls,
}

impl Admin {
    /// Answers about the surface that is the current one, under `localhost`, any IP address and the
    /// surface's names, each with or without a port.
    pub fn new(surface: Arc<ArcSwap<HttpSurface>>) -> Self {
        Self {
            surface,
            calls: Calls::new(),
        }
    }

    /// Serves until it is dropped.
    pub async fn serve(self: Arc<Self>, listener: TcpListener) {
        let mut server = http1::Builder::new();
        server
            .timer(TokioTimer::new())
            .keep_alive(false)
            .half_close(false)
            .max_buf_size(MAX_HEAD_BYTES);
        let mut connections = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                Some(_ended) = connections.join_next() => continue,
            };
            match accepted {
                Ok(_) if connections.len() >= MAX_CONNECTIONS => {}
                Ok((stream, _)) => {
                    connections.spawn(Arc::clone(&self).answer_one(server.clone(), stream));
                }
                Err(error) => {
                    tracing::warn!(%error, "an admin connection could not be accepted");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    async fn answer_one(self: Arc<Self>, server: http1::Builder, stream: TcpStream) {
        let service = service_fn(move |request: Request<Incoming>| {
            let (admin, request) = (Arc::clone(&self), request.map(drop));
            async move { Ok::<_, Infallible>(admin.answer(&request).await) }
        });
        let connection = server.serve_connection(TokioIo::new(stream), service);
        // A client that is slow or gone is its own loss.
        let _ = timeout(CONNECTION_TIMEOUT, connection).await;
    }

    async fn answer(&self, request: &Request<()>) -> Response<Full<Bytes>> {
        let path = request.uri().path();
        let call = path.strip_prefix(calls::PATH);
        if call.is_none() && !["/metrics", "/healthz", "/readyz"].contains(&path) {
            return refusal(EdgeError::NoRoute);
        }
        if ![Method::GET, Method::HEAD].contains(request.method()) {
            return refusal(EdgeError::MethodNotAllowed("GET, HEAD"));
        }
        match path {
            "/healthz" => reply(200, JSON, Bytes::from_static(b"{\"status\":\"alive\"}")),
            "/readyz" => {
                let (status, body) = readiness(self.surface.load().pipeline());
                reply(status, JSON, body)
            }
            _ if !self.allows_host(request) => refusal(EdgeError::ForbiddenHost),
            _ => match call {
                Some(_) if !is_of_no_page(request) => refusal(EdgeError::ForbiddenOrigin),
                Some(id) => self.explain(id).await,
                None => self.metrics(),
            },
        }
    }

    async fn explain(&self, id: &str) -> Response<Full<Bytes>> {
        let recorder = Arc::clone(&self.surface.load().pipeline().recorder);
        match self.calls.explain(&recorder, id).await {
            Ok(body) => reply(200, JSON, Bytes::from(body)),
            Err(error) => problem_document(error),
        }
    }

    fn metrics(&self) -> Response<Full<Bytes>> {
        let surface = self.surface.load();
        let metrics = surface.pipeline().recorder.metrics();
        match metrics.map(|metrics| metrics.prometheus()).transpose() {
            Ok(Some(Some(text))) => reply(200, METRICS, Bytes::from(text)),
            // `telemetry.metrics` names other readers, or none.
            Ok(_) => refusal(EdgeError::NoRoute),
            Err(error) => {
                tracing::error!(%error, "the metrics cannot be written");
                problem(
                    CallError::Internal(String::new()).row(),
                    "The metrics cannot be written",
                )
            }
        }
    }

    /// Exactly one `Host`, and no other name in the request's target (RFC 9112 §3.2).
    fn allows_host(&self, request: &Request<()>) -> bool {
        let mut hosts = request.headers().get_all(header::HOST).iter();
        let host = hosts.next().and_then(|host| host.to_str().ok());
        let target = request.uri().authority().map(Authority::as_str);
        hosts.next().is_none()
            && host.is_some_and(|host| self.knows(host))
            && target.is_none_or(|target| self.knows(target))
    }

    fn knows(&self, host: &str) -> bool {
        let Ok(authority) = host.parse::<Authority>() else {
            return false;
        };
        let host = authority.host().to_ascii_lowercase();
        let literal = host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost" || literal.parse::<IpAddr>().is_ok() || self.is_ours(&host)
    }

    fn is_ours(&self, host: &str) -> bool {
        let surface = self.surface.load();
        let named = surface.allowed_hosts().iter();
        let mut names = named.filter_map(|name| name.parse::<Authority>().ok());
        names.any(|name| name.host().eq_ignore_ascii_case(host))
    }
}

/// Whether no web page asks. None is served here, so that every page is a stranger's.
fn is_of_no_page(request: &Request<()>) -> bool {
    !request.headers().contains_key(header::ORIGIN)
}

/// RFC 9457.
fn problem_document(error: AdminError) -> Response<Full<Bytes>> {
    let row = error.row();
    let document = serde_json::json!({
        "type": format!("urn:tollgate:error:{}", row.kind),
        "title": row.title,
        "status": row.rest_status,
        "detail": error.detail(),
    });
    reply(row.rest_status, PROBLEM, Bytes::from(document.to_string()))
}

fn refusal(error: EdgeError) -> Response<Full<Bytes>> {
    let mut response = problem(error.row(), &error.detail());
    if let EdgeError::MethodNotAllowed(allow) = error {
        let allow = HeaderValue::from_static(allow);
        response.headers_mut().insert(header::ALLOW, allow);
    }
    response
}

fn problem(row: Row, detail: &str) -> Response<Full<Bytes>> {
    reply(row.rest_status, TEXT, Bytes::from(format!("{detail}\n")))
}

fn reply(status: u16, content_type: &'static str, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
