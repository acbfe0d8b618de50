//! Traces and metrics reach a collector over HTTP and over gRPC, both as the standard variables say: those
//! of all signals, and those of one.

#[path = "support/binary.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod binary;
#[path = "support/grpc.rs"]
mod grpc;
#[path = "support/receiver.rs"]
mod receiver;
#[path = "otlp/spans.rs"]
mod spans;
#[path = "otlp/tls.rs"]
mod tls;
#[path = "otlp/trouble.rs"]
mod trouble;

use std::io::Write as _;
use std::path::Path;

use serde_json::json;
use tempfile::TempDir;

use binary::{Process, tollgate};
use receiver::Receiver;

/// What this build speaks.
pub(crate) const PROTOCOLS: &[&str] = if cfg!(feature = "otlp-grpc") {
    &["http/protobuf", "grpc"]
} else {
    &["http/protobuf"]
};
/// Both signals: what variables of theirs have in their names, and how they are called.
pub(crate) const SIGNALS: [(&str, &str); 2] = [("TRACES_", "traces"), ("METRICS_", "metrics")];

const HELLO: &str = "
sources: {nothing: {sqlite: ./nothing.db}}
server: {adminListen: off}
stdio: {principal: {tenant: acme, subject: ada}}
tools:
  hello:
    description: Says hello.
    anyAuthenticated: true
    sql: {source: nothing, statement: SELECT 'hello' AS text, result: one}
";

/// A folder with a tool that says hello.
pub(crate) fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    rusqlite::Connection::open(folder.path().join("nothing.db"))
        .and_then(|file| file.execute_batch("CREATE TABLE things (at)"))
        .expect("a database");
    std::fs::write(folder.path().join("tollgate.yaml"), HELLO).expect("a file");
    folder
}

/// The server on stdio with these variables, or as `arguments` say otherwise.
pub(crate) fn serve<'a>(
    folder: &Path,
    arguments: &[&str],
    variables: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Process {
    let arguments = [&["serve", "--port", "0"], arguments].concat();
    let mut command = tollgate(folder, &arguments);
    command.envs(variables);
    Process::start(command)
}

/// One call of the tool, on stdio.
pub(crate) fn call(process: &mut Process, meta: serde_json::Value) {
    let params = json!({"name": "hello", "arguments": {}, "_meta": meta});
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
    let input = process.input.as_mut().expect("its input");
    writeln!(input, "{message}").expect("it reads");
    process.stdout.line("hello");
}

/// One call, and the end.
pub(crate) fn once<'a>(variables: impl IntoIterator<Item = (&'a str, &'a str)>) {
    let folder = folder();
    let mut process = serve(folder.path(), &["--mode", "stdio"], variables);
    call(&mut process, json!({}));
    drop(process.input.take());
    assert_eq!(process.exit_code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn traces_and_metrics_arrive_with_who_sends_them_and_the_headers() {
    for protocol in PROTOCOLS {
        let receiver = Receiver::start().await;
        once([
            ("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url().as_str()),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
            (
                "OTEL_EXPORTER_OTLP_HEADERS",
                "x-key=abc,authorization=Bearer%20def",
            ),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
            ("OTEL_SERVICE_NAME", "shop-tools"),
            (
                "OTEL_RESOURCE_ATTRIBUTES",
                "deployment.environment.name=pre%20prod,=nameless",
            ),
        ]);
        for (_, signal) in SIGNALS {
            let got = receiver.wait_for(signal).await;
            assert_eq!(got.is_grpc, *protocol == "grpc");
            assert!(got.is_packed, "{protocol} {signal}");
            assert_eq!(got.header("x-key"), "abc");
            assert_eq!(got.header("authorization"), "Bearer def");
            assert_eq!(got.resource["service.name"], "shop-tools");
            assert_eq!(got.resource["service.version"], env!("CARGO_PKG_VERSION"));
            assert_eq!(got.resource["service.instance.id"].len(), 36);
            assert_eq!(got.resource["deployment.environment.name"], "pre prod");
            assert_eq!(got.resource.get(""), None);
        }
        let named = |name: &str| receiver.spans().iter().any(|span| span.name == name);
        assert!(named("tools/call hello") && named("execute_tool hello"));
        let metrics = receiver.wait_for("metrics").await.metrics;
        assert!(metrics.iter().any(|name| name == "tollgate.calls"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_of_one_signal_holds_for_it_alone() {
    for (index, (infix, signal)) in SIGNALS.into_iter().enumerate() {
        let (_, other) = SIGNALS[1 - index];
        let (own, all) = (Receiver::start().await, Receiver::start().await);
        let protocol = PROTOCOLS[PROTOCOLS.len() - 1];
        let path = match protocol {
            "grpc" => String::new(),
            _ => format!("/v1/{signal}"),
        };
        let name = |name: &str| format!("OTEL_EXPORTER_OTLP_{infix}{name}");
        once([
            ("OTEL_EXPORTER_OTLP_ENDPOINT", all.url().as_str()),
            ("OTEL_EXPORTER_OTLP_HEADERS", "x-key=all"),
            (&name("ENDPOINT"), &format!("{}{path}", own.url())),
            (&name("PROTOCOL"), protocol),
            (&name("HEADERS"), "x-key=own"),
            (&name("COMPRESSION"), "gzip"),
        ]);
        let got = own.wait_for(signal).await;
        assert_eq!((got.is_grpc, got.is_packed), (protocol == "grpc", true));
        assert_eq!(got.header("x-key"), "own");
        let got = all.wait_for(other).await;
        assert_eq!((got.is_grpc, got.is_packed), (false, false));
        assert_eq!(got.header("x-key"), "all");
        assert!(own.got(other).is_empty() && all.got(signal).is_empty());
    }
}

#[cfg(feature = "otlp-grpc")]
#[tokio::test(flavor = "multi_thread")]
async fn over_grpc_an_endpoint_needs_no_scheme() {
    let receiver = Receiver::start().await;
    once([
        (
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            receiver.address.to_string().as_str(),
        ),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_INSECURE", "true"),
    ]);
    for (_, signal) in SIGNALS {
        assert!(receiver.wait_for(signal).await.is_grpc);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_goes_where_its_exporters_say_and_nowhere_when_the_sdk_is_disabled() {
    for (name, value, [traces, metrics]) in [
        ("OTEL_TRACES_EXPORTER", "none", [false, true]),
        ("OTEL_TRACES_EXPORTER", "console", [false, true]),
        ("OTEL_METRICS_EXPORTER", "none", [true, false]),
        ("OTEL_METRICS_EXPORTER", "prometheus", [true, false]),
        ("OTEL_TRACES_EXPORTER", "console,otlp", [true, true]),
        ("OTEL_SDK_DISABLED", "true", [false, false]),
    ] {
        let receiver = Receiver::start().await;
        let url = receiver.url();
        once([("OTEL_EXPORTER_OTLP_ENDPOINT", url.as_str()), (name, value)]);
        let arrived = ["traces", "metrics"].map(|signal| !receiver.got(signal).is_empty());
        assert_eq!(arrived, [traces, metrics], "{name}={value}");
    }
}

/// A build with it is tested by all of the above.
#[cfg(not(feature = "otlp-grpc"))]
#[test]
fn a_build_without_grpc_says_which_feature_it_takes() {
    for (infix, signal) in SIGNALS {
        let folder = folder();
        let mut command = tollgate(folder.path(), &["serve", "--mode", "stdio"]);
        command.env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9");
        command.env(format!("OTEL_EXPORTER_OTLP_{infix}PROTOCOL"), "grpc");
        let ended = binary::finish(command);
        assert_eq!(ended.code, Some(1), "{ended:?}");
        let told = ended.stderr;
        assert!(told.contains("the feature otlp-grpc"), "{told}");
        assert!(told.contains(&format!("{signal} over gRPC")), "{told}");
    }
}
