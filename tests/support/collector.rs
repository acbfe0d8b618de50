//! A collector of the test's own: takes OTLP over HTTP on a free port, and keeps the spans.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Read as _;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use tokio::sync::watch;

/// A running collector; it ends with the test's runtime.
pub(crate) struct Collector {
    url: String,
    seen: Arc<watch::Sender<Seen>>,
}

/// What it was sent.
#[derive(Clone, Default)]
pub(crate) struct Seen {
    pub(crate) spans: Vec<Span>,
    pub(crate) resource: BTreeMap<String, String>,
    pub(crate) headers: Vec<String>,
}

impl Collector {
    pub(crate) async fn start() -> Self {
        let seen = Arc::new(watch::Sender::default());
        let routes = Router::new()
            .route("/v1/traces", post(take))
            .with_state(Arc::clone(&seen));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Self { url, seen }
    }

    /// `http://127.0.0.1:PORT`.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Everything so far.
    pub(crate) fn seen(&self) -> Seen {
        self.seen.borrow().clone()
    }
}

async fn take(
    State(seen): State<Arc<watch::Sender<Seen>>>,
    headers: axum::http::HeaderMap,
    body: Bytes,
) {
    assert_eq!(headers["content-type"], "application/x-protobuf");
    let packed = headers
        .get("content-encoding")
        .is_some_and(|coding| coding == "gzip");
    let bytes = if packed {
        unpacked(&body)
    } else {
        body.to_vec()
    };
    let request = ExportTraceServiceRequest::decode(&bytes[..]).expect("OTLP");
    let header = |(name, value): (&axum::http::HeaderName, &axum::http::HeaderValue)| {
        format!("{name}: {}", value.to_str().unwrap_or_default())
    };
    seen.send_modify(|seen| {
        seen.headers = headers.iter().map(header).collect();
        for resource in request.resource_spans {
            let facts = resource.resource.map(|resource| resource.attributes);
            seen.resource
                .extend(facts.unwrap_or_default().iter().map(pair));
            let scopes = resource.scope_spans.into_iter();
            seen.spans.extend(scopes.flat_map(|scope| scope.spans));
        }
    });
}

fn unpacked(packed: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut unpacking = flate2::read::GzDecoder::new(packed);
    unpacking.read_to_end(&mut bytes).expect("gzip");
    bytes
}

fn pair(pair: &KeyValue) -> (String, String) {
    (pair.key.clone(), text(pair.value.as_ref()))
}

fn text(value: Option<&AnyValue>) -> String {
    match value.and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    }
}

/// An attribute's text, empty when it is not there.
pub(crate) fn attribute(span: &Span, name: &str) -> String {
    let found = span.attributes.iter().find(|pair| pair.key == name);
    found.map_or_else(String::new, |pair| text(pair.value.as_ref()))
}

/// Who began whom: a span a line, further in than the one it began in.
pub(crate) fn tree(spans: &[Span]) -> String {
    let is_inside = |id: &Vec<u8>| spans.iter().any(|span| span.span_id == *id);
    let mut text = String::new();
    for root in spans.iter().filter(|span| !is_inside(&span.parent_span_id)) {
        draw(&mut text, spans, root, 0);
    }
    text
}

fn draw(text: &mut String, all: &[Span], span: &Span, depth: usize) {
    let _ = writeln!(text, "{:depth$}{}", "", span.name);
    for child in all.iter().filter(|one| one.parent_span_id == span.span_id) {
        assert_eq!(child.trace_id, span.trace_id);
        draw(text, all, child, depth + 2);
    }
}
