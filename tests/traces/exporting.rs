//! Traces leave the real program: over HTTP, over stdio and from a single call, as its file and
//! OpenTelemetry's variables say; and a collector in trouble is no trouble for calls.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use serde_json::json;
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::binary::{Process, finish, tollgate};
use crate::caller::Caller;
use crate::collector::{Collector, attribute, tree};
use crate::declared::SECRET;
use crate::upstream::Upstream;
use crate::{ticket, written};

/// A folder with the file of the other tests, for stdio as well.
fn prepared(api: &Upstream, telemetry: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let yaml = written(&folder, api, ["", "", ""]);
    let local = "stdio: {principal: {tenant: acme, subject: ada, scopes: [customer:read]}}\nserver: {adminListen: off}";
    let yaml = format!("{local}\n{telemetry}\n{yaml}");
    std::fs::write(folder.path().join("tollgate.yaml"), yaml).expect("the file");
    folder
}

fn program(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = tollgate(folder, arguments);
    command.env("SECRET", SECRET);
    command.envs(variables.iter().copied());
    command
}

/// A token that the real clock is good for.
fn token() -> String {
    let claims = json!({
        "iss": "https://ci.example.com/", "aud": "https://tools.example.com/mcp",
        "exp": 4_000_000_000_u64, "sub": "ada", "tenant": "acme", "scope": "customer:read",
    });
    crate::tokens::hs256(&claims, SECRET)
}

async fn serving(folder: &Path, variables: &[(&str, &str)]) -> (Process, Caller) {
    // `main` does it for the program; this process has clients of its own.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let process = Process::start(program(folder, &["serve", "--port", "0"], variables));
    let line = process.stderr.line("listening on ");
    let url = line.split("listening on ").nth(1).expect("an address");
    (process, Caller::new(url, token()))
}

/// Ends it; everything that was held is sent then.
fn ends(mut process: Process) {
    process.terminate();
    assert_eq!(process.exit_code_within(Duration::from_secs(5)), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_over_http_is_one_trace_at_the_collector_and_the_api_is_part_of_it() {
    let (collector, api) = (Collector::start().await, Upstream::start().await);
    let folder = prepared(&api, "telemetry: {traces: [otlp], service: shop-tools}");
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url()),
        (
            "OTEL_RESOURCE_ATTRIBUTES",
            "deployment.environment.name=test",
        ),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-key=abc"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
    ];
    let (process, caller) = serving(folder.path(), &variables).await;
    let answer = caller.modern("tools/call", ticket()).await;
    assert_eq!(answer.status, 200);
    ends(process);
    let seen = collector.seen();
    assert_eq!(
        tree(&seen.spans),
        "tools/call get_ticket\n  execute_tool get_ticket\n    GET /tickets/{ticket_id}\n"
    );
    assert_eq!(seen.resource["service.name"], "shop-tools");
    assert_eq!(seen.resource["deployment.environment.name"], "test");
    assert!(
        seen.headers.contains(&"x-key: abc".to_owned()),
        "{:?}",
        seen.headers
    );
    let named = |name: &str| -> Span {
        let mut spans = seen.spans.iter().filter(|span| span.name == name);
        spans.next().expect("it").clone()
    };
    let (root, asked) = (
        named("tools/call get_ticket"),
        named("GET /tickets/{ticket_id}"),
    );
    assert_eq!(
        (root.kind(), asked.kind()),
        (SpanKind::Server, SpanKind::Client)
    );
    for (name, value) in [
        ("mcp.method.name", "tools/call"),
        ("mcp.protocol.version", "2026-07-28"),
        ("jsonrpc.request.id", "1"),
        ("gen_ai.tool.name", "get_ticket"),
        ("network.transport", "tcp"),
        ("network.protocol.name", "http"),
        ("network.protocol.version", "1.1"),
        ("client.address", "127.0.0.1"),
        ("tollgate.tenant", "acme"),
        ("tollgate.outcome", "ok"),
        ("tollgate.call.id", answer.header("tollgate-call-id")),
    ] {
        assert_eq!(attribute(&root, name), value, "{name}");
    }
    let hex = |bytes: &[u8]| -> String { bytes.iter().map(|b| format!("{b:02x}")).collect() };
    let sent = format!(
        "traceparent: 00-{}-{}-01",
        hex(&asked.trace_id),
        hex(&asked.span_id)
    );
    assert!(api.asked()[0].head.contains(&sent), "{sent}");
}

#[tokio::test(flavor = "multi_thread")]
async fn stdio_and_a_single_call_export_what_they_have_before_they_end() {
    let (collector, api) = (Collector::start().await, Upstream::start().await);
    let folder = prepared(&api, "");
    let variables = [("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url())];
    let command = program(
        folder.path(),
        &["call", "get_ticket", "ticket_id=t-7"],
        &variables,
    );
    let called = tokio::task::spawn_blocking(move || finish(command))
        .await
        .expect("an end");
    assert_eq!(called.code, Some(0), "{}", called.stderr);
    let whole = "tools/call get_ticket\n  execute_tool get_ticket\n    GET /tickets/{ticket_id}\n";
    assert_eq!(tree(&collector.seen().spans), whole);

    let mut process = Process::start(program(
        folder.path(),
        &["serve", "--mode", "stdio"],
        &variables,
    ));
    let mut params = ticket();
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    });
    let message =
        json!({"jsonrpc": "2.0", "id": "seven", "method": "tools/call", "params": params});
    let mut input = process.input.take().expect("a pipe");
    std::io::Write::write_all(&mut input, format!("{message}\n").as_bytes()).expect("it reads");
    process.stdout.line("seven");
    drop(input);
    assert_eq!(process.exit_code(), Some(0));
    let seen = collector.seen();
    let mut spans = seen
        .spans
        .iter()
        .filter(|span| span.parent_span_id == [0xb7, 0xad, 0x6b, 0x71, 0x69, 0x20, 0x33, 0x31]);
    let root = spans.next().expect("the caller's child");
    assert_eq!(attribute(root, "network.transport"), "pipe");
    assert_eq!(attribute(root, "jsonrpc.request.id"), "seven");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_file_says_which_share_is_kept_and_the_variables_say_otherwise() {
    let api = Upstream::start().await;
    for (telemetry, variable, spans) in [
        ("telemetry: {traces: [otlp], sampling: 0}", ("X", ""), 0),
        ("telemetry: {traces: [otlp], sampling: 100%}", ("X", ""), 1),
        (
            "telemetry: {traces: [otlp], sampling: 0}",
            ("OTEL_TRACES_SAMPLER", "always_on"),
            1,
        ),
        (
            "telemetry: {traces: [otlp]}",
            ("OTEL_TRACES_SAMPLER", "always_off"),
            0,
        ),
        (
            "telemetry: {traces: [otlp]}",
            ("OTEL_TRACES_EXPORTER", "none"),
            0,
        ),
        (
            "telemetry: {traces: [otlp]}",
            ("OTEL_SDK_DISABLED", "true"),
            0,
        ),
        ("telemetry: {}", ("OTEL_TRACES_EXPORTER", "otlp"), 1),
    ] {
        let collector = Collector::start().await;
        let folder = prepared(&api, telemetry);
        let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url());
        let (process, caller) = serving(folder.path(), &[endpoint, variable]).await;
        caller.modern("tools/list", json!({})).await;
        ends(process);
        assert_eq!(
            collector.seen().spans.len(),
            spans,
            "{telemetry} {variable:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_variable_that_cannot_be_heeded_is_a_fault_at_start_that_does_not_show_it() {
    let api = Upstream::start().await;
    let folder = prepared(&api, "telemetry: {traces: [otlp]}");
    for (name, value) in [
        ("OTEL_TRACES_SAMPLER", "sesame"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "sesame"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/no/sesame.pem"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://u:sesame@ bad"),
    ] {
        let command = program(folder.path(), &["serve", "--port", "0"], &[(name, value)]);
        let ended = tokio::task::spawn_blocking(move || finish(command))
            .await
            .expect("an end");
        assert_eq!(ended.code, Some(1), "{name}");
        assert!(
            ended.stderr.contains(name) && !ended.stderr.contains("sesame"),
            "{}",
            ended.stderr
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_hangs_costs_spans_and_says_so_once_and_calls_go_on() {
    // Connections are made by the system and never looked at.
    let hanging = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let endpoint = format!("http://{}", hanging.local_addr().expect("an address"));
    let api = Upstream::start().await;
    let folder = prepared(&api, "telemetry: {traces: [otlp]}");
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "8"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4"),
        ("OTEL_BSP_SCHEDULE_DELAY", "1"),
    ];
    let (mut process, caller) = serving(folder.path(), &variables).await;
    for _ in 0..50 {
        assert_eq!(caller.modern("tools/list", json!({})).await.status, 200);
    }
    let told = "the collector does not take what is sent to it";
    process.stderr.line(told);
    process.terminate();
    assert_eq!(process.exit_code_within(Duration::from_secs(5)), Some(0));
    let lines = process.stderr.all();
    assert_eq!(
        lines.iter().filter(|line| line.contains(told)).count(),
        1,
        "{lines:?}"
    );
}
