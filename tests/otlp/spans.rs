//! Which spans there are and what is in them, as the variables say.

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::{Value as Json, json};

use super::receiver::Receiver;
use super::{call, folder, serve};

const SAMPLED: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const NOT_SAMPLED: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";

/// The spans of one call in a trace of its caller's.
async fn spans(parent: &str, variables: &[(&str, &str)]) -> Vec<Span> {
    let receiver = Receiver::start().await;
    let folder = folder();
    let url = receiver.url();
    let endpoint = (
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
        format!("{url}/v1/traces"),
    );
    let endpoint = (endpoint.0, endpoint.1.as_str());
    let variables = variables.iter().copied().chain([endpoint]);
    let mut process = serve(folder.path(), &["--mode", "stdio"], variables);
    call(&mut process, meta(parent));
    drop(process.input.take());
    assert_eq!(process.exit_code(), Some(0));
    receiver.spans()
}

fn meta(parent: &str) -> Json {
    json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
        "traceparent": parent,
    })
}

fn root(spans: &[Span]) -> &Span {
    let mut roots = spans.iter().filter(|span| span.name == "tools/call hello");
    roots.next().expect("the request's")
}

/// The most characters of any text.
fn longest(spans: &[Span]) -> usize {
    let attributes = spans.iter().flat_map(|span| &span.attributes);
    let texts = attributes.filter_map(|pair| match pair.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text.chars().count()),
        _ => None,
    });
    texts.max().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sampler_and_its_argument_say_which_traces_there_are() {
    for (parent, sampler, argument, are_some) in [
        (NOT_SAMPLED, "traceidratio", "0", false),
        (NOT_SAMPLED, "traceidratio", "1", true),
        (NOT_SAMPLED, "parentbased_traceidratio", "0", false),
        (SAMPLED, "parentbased_traceidratio", "0", true),
        (SAMPLED, "parentbased_always_off", "", true),
        (SAMPLED, "always_off", "", false),
    ] {
        let variables = [
            ("OTEL_TRACES_SAMPLER", sampler),
            ("OTEL_TRACES_SAMPLER_ARG", argument),
        ];
        let spans = spans(parent, &variables).await;
        assert_eq!(!spans.is_empty(), are_some, "{sampler} {argument}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_propagators_say_whether_a_callers_trace_is_gone_on_with() {
    let parent = |spans: &[Span]| root(spans).parent_span_id.clone();
    assert_eq!(parent(&spans(SAMPLED, &[]).await).len(), 8);
    for propagators in ["none", "baggage"] {
        let spans = spans(SAMPLED, &[("OTEL_PROPAGATORS", propagators)]).await;
        assert!(parent(&spans).is_empty(), "{propagators}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_say_how_much_is_in_a_span() {
    let usual = spans(NOT_SAMPLED, &[]).await;
    assert!(root(&usual).attributes.len() > 5 && longest(&usual) > 5);
    assert_eq!(root(&usual).links.len(), 1);
    for name in [
        "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT",
        "OTEL_ATTRIBUTE_COUNT_LIMIT",
    ] {
        let few = spans(NOT_SAMPLED, &[(name, "5")]).await;
        assert_eq!(root(&few).attributes.len(), 5, "{name}");
    }
    for name in [
        "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT",
        "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT",
    ] {
        let short = spans(NOT_SAMPLED, &[(name, "5")]).await;
        assert_eq!(longest(&short), 5, "{name}");
    }
    let alone = spans(NOT_SAMPLED, &[("OTEL_SPAN_LINK_COUNT_LIMIT", "0")]).await;
    assert!(root(&alone).links.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_is_full_is_sent_before_its_time() {
    let (receiver, folder) = (Receiver::start().await, folder());
    let url = receiver.url();
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", url.as_str()),
        ("OTEL_BSP_SCHEDULE_DELAY", "3600000"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "1"),
    ];
    let mut process = serve(folder.path(), &["--mode", "stdio"], variables);
    call(&mut process, meta(SAMPLED));
    assert_eq!(receiver.wait_for("traces").await.spans.len(), 1);
    drop(process.input.take());
    assert_eq!(process.exit_code(), Some(0));
}
