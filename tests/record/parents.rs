//! Whose trace a span belongs to.

use opentelemetry::trace::{SpanId, TraceId};
use opentelemetry_sdk::trace::SpanData;
use serde_json::{Value, json};

use crate::caller::{Answer, Caller};
use crate::{Watched, call};

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// The trace and the span that a span says it belongs to.
fn parent(span: &SpanData) -> (TraceId, SpanId) {
    (span.span_context.trace_id(), span.parent_span_id)
}

#[tokio::test]
async fn a_span_belongs_to_the_trace_that_the_caller_names() {
    let mut watched = Watched::start().await;
    let caller = watched.caller();
    let named = (
        TraceId::from_hex("0af7651916cd43dd8448eb211c80319c").unwrap(),
        SpanId::from_hex("b7ad6b7169203331").unwrap(),
    );
    let mut params = call("end", "well");
    params["_meta"] = json!({"traceparent": PARENT, "tracestate": "vendor=1"});
    let modern = caller.modern("tools/call", params).await;
    let span = watched.only_span(modern).await;
    assert_eq!(parent(&span), named);
    assert_eq!(span.span_context.trace_state().get("vendor"), Some("1"));

    let rest = with_traceparent(&caller, PARENT).await;
    let span = watched.only_span(rest).await;
    assert_eq!(parent(&span), named);
}

async fn with_traceparent(caller: &Caller, value: &str) -> Answer {
    let response = caller
        .client
        .post(format!("{}/mcp/tool/end", caller.url))
        .bearer_auth(&caller.token)
        .header("traceparent", value)
        .json(&json!({"end": "well"}))
        .send()
        .await
        .expect("an answer");
    Answer {
        status: response.status().as_u16(),
        headers: response.headers().clone(),
        body: Value::Null,
    }
}

#[tokio::test]
async fn a_trace_context_that_is_none_is_ignored() {
    let mut watched = Watched::start().await;
    let caller = watched.caller();
    for garbage in [
        "",
        "garbage",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "00-0AF7651916CD43DD8448EB211C80319C-B7AD6B7169203331-01-more",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
        &"0".repeat(5_000),
    ] {
        let rest = with_traceparent(&caller, garbage).await;
        assert_eq!(rest.status, 200, "{garbage}");
        let span = watched.only_span(rest).await;
        assert_eq!(span.parent_span_id, SpanId::INVALID, "{garbage}");
        let mut params = call("end", "well");
        params["_meta"] = json!({"traceparent": garbage, "tracestate": ["no", "text"]});
        let modern = caller.modern("tools/call", params).await;
        assert_eq!(modern.status, 200, "{garbage}");
        let span = watched.only_span(modern).await;
        assert_eq!(span.parent_span_id, SpanId::INVALID, "{garbage}");
    }
    let mut params = call("end", "well");
    params["_meta"] = json!({"traceparent": {"not": "a text"}});
    let modern = caller.modern("tools/call", params).await;
    assert_eq!(
        watched.only_span(modern).await.parent_span_id,
        SpanId::INVALID
    );
}

#[tokio::test]
async fn a_caller_that_samples_nothing_is_seen_all_the_same() {
    let mut watched = Watched::start().await;
    let caller = watched.caller();
    let unsampled = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
    let mut params = call("end", "well");
    params["_meta"] = json!({ "traceparent": unsampled });
    let answers = [
        with_traceparent(&caller, unsampled).await,
        caller.modern("tools/call", params).await,
    ];
    for span in watched.spans_of(&answers).await {
        assert_eq!(span.parent_span_id, SpanId::INVALID);
        let linked = &span.links.links[0].span_context;
        assert_eq!(
            linked.span_id(),
            SpanId::from_hex("b7ad6b7169203331").unwrap()
        );
    }
}
