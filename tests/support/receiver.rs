//! A collector of the test's own for traces and metrics, over HTTP and over gRPC, on one free port.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Response, StatusCode, Uri};
use axum::routing::post;
use axum::serve::Listener;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::grpc;

/// How long anything that must happen may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running collector; it ends with the test's runtime.
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    got: watch::Sender<Vec<Got>>,
    closes: AtomicBool,
    refuses: AtomicBool,
    refused: watch::Sender<usize>,
}

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Got {
    /// `traces` or `metrics`.
    pub(crate) signal: &'static str,
    pub(crate) is_grpc: bool,
    pub(crate) is_packed: bool,
    pub(crate) headers: HeaderMap,
    pub(crate) resource: BTreeMap<String, String>,
    pub(crate) spans: Vec<Span>,
    /// Names of metrics.
    pub(crate) metrics: Vec<String>,
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        Self::start_that(false, false).await
    }

    /// One that closes connections, or holds them and reads nothing, until it [opens](Self::open).
    pub(crate) async fn start_closed(holds: bool) -> Self {
        Self::start_that(true, holds).await
    }

    async fn start_that(closes: bool, holds: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let seen = Arc::new(Seen::default());
        seen.closes.store(closes, SeqCst);
        let (routes, state) = (routes(&seen), Arc::clone(&seen));
        tokio::spawn(async move {
            let mut held = Vec::new();
            while state.closes.load(SeqCst) {
                held.extend(Some(listener.accept().await).filter(|_| holds));
            }
            axum::serve(listener, routes).await
        });
        Self { address, seen }
    }

    /// One that speaks TLS alone.
    pub(crate) async fn start_tls(config: rustls::ServerConfig) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let seen = Arc::new(Seen::default());
        let routes = routes(&seen);
        let tls = Tls { listener, acceptor };
        tokio::spawn(async move { axum::serve(tls, routes).await });
        Self { address, seen }
    }

    /// `http://127.0.0.1:PORT`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Serves connections from now on, or from the next but one.
    pub(crate) fn open(&self) {
        self.seen.closes.store(false, SeqCst);
    }

    /// Where a protocol has its metrics.
    pub(crate) fn at(&self, protocol: &str) -> String {
        let path = if protocol == "grpc" {
            ""
        } else {
            "/v1/metrics"
        };
        format!("{}{path}", self.url())
    }

    /// Refuses what comes from now on, for a reason that nobody tries again for; or takes it.
    pub(crate) fn refuse(&self, refuses: bool) {
        self.seen.refuses.store(refuses, SeqCst);
    }

    /// Waits until so many requests were refused.
    pub(crate) async fn wait_for_refusals(&self, count: usize) {
        let mut refused = self.seen.refused.subscribe();
        let waited = timeout(PATIENCE, refused.wait_for(|refused| *refused >= count)).await;
        waited.expect("in time").expect("it runs");
    }

    /// Everything of a signal so far.
    pub(crate) fn got(&self, signal: &str) -> Vec<Got> {
        let got = self.seen.got.borrow();
        got.iter()
            .filter(|one| one.signal == signal)
            .cloned()
            .collect()
    }

    /// The spans of all requests.
    pub(crate) fn spans(&self) -> Vec<Span> {
        let got = self.got("traces").into_iter();
        got.flat_map(|one| one.spans).collect()
    }

    /// Waits for a request with something of a signal.
    pub(crate) async fn wait_for(&self, signal: &str) -> Got {
        let mut seen = self.seen.got.subscribe();
        let of_it = |got: &Vec<Got>| got.iter().any(|one| one.signal == signal);
        let waited = timeout(PATIENCE, seen.wait_for(of_it)).await;
        waited.expect("in time").expect("it runs");
        self.got(signal).remove(0)
    }
}

fn routes(seen: &Arc<Seen>) -> Router {
    let mut routes = Router::new();
    for path in [
        "/v1/traces",
        "/v1/metrics",
        "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
        "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    ] {
        routes = routes.route(path, post(take));
    }
    routes.with_state(Arc::clone(seen))
}

async fn take(
    State(seen): State<Arc<Seen>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let is_grpc = headers["content-type"] == "application/grpc";
    if seen.refuses.load(SeqCst) {
        seen.refused.send_modify(|refused| *refused += 1);
        return refusal(is_grpc);
    }
    let (bytes, is_packed) = if is_grpc {
        assert_eq!(headers["te"], "trailers");
        grpc::message(&body)
    } else {
        assert_eq!(headers["content-type"], "application/x-protobuf");
        match headers.get("content-encoding") {
            Some(_) => (grpc::unpacked(&body), true),
            None => (body.to_vec(), false),
        }
    };
    let mut got = Got {
        signal: if uri.path().to_lowercase().contains("metrics") {
            "metrics"
        } else {
            "traces"
        },
        is_grpc,
        is_packed,
        headers,
        resource: BTreeMap::new(),
        spans: Vec::new(),
        metrics: Vec::new(),
    };
    got.read(&bytes);
    seen.got.send_modify(|all| all.push(got));
    if is_grpc {
        grpc::answer(0)
    } else {
        Response::default()
    }
}

/// 400, or `PERMISSION_DENIED`.
fn refusal(is_grpc: bool) -> Response<Body> {
    if is_grpc {
        return grpc::answer(7);
    }
    let mut answer = Response::default();
    *answer.status_mut() = StatusCode::BAD_REQUEST;
    answer
}

impl Got {
    fn read(&mut self, bytes: &[u8]) {
        if self.signal == "metrics" {
            let request = ExportMetricsServiceRequest::decode(bytes).expect("metrics");
            for of in request.resource_metrics {
                self.resource = attributes(of.resource);
                let scopes = of.scope_metrics.into_iter();
                let metrics = scopes.flat_map(|scope| scope.metrics);
                self.metrics.extend(metrics.map(|metric| metric.name));
            }
        } else {
            let request = ExportTraceServiceRequest::decode(bytes).expect("traces");
            for of in request.resource_spans {
                self.resource = attributes(of.resource);
                let scopes = of.scope_spans.into_iter();
                self.spans.extend(scopes.flat_map(|scope| scope.spans));
            }
        }
    }

    /// A header's text, empty when it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).map(|value| value.to_str());
        value.transpose().expect("text").unwrap_or_default()
    }
}

fn attributes(resource: Option<Resource>) -> BTreeMap<String, String> {
    let attributes = resource.expect("a resource").attributes;
    let text = |value: Option<Value>| match value {
        Some(Value::StringValue(text)) => text,
        other => format!("{other:?}"),
    };
    let pairs = attributes.into_iter().map(|pair| {
        let value = pair.value.and_then(|value| value.value);
        (pair.key, text(value))
    });
    pairs.collect()
}

/// Ends TLS; whoever fails at it is passed over.
struct Tls {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl Listener for Tls {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, from) = self.listener.accept().await.expect("a connection");
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, from);
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}
