//! Metrics reach a collector, from HTTP and from stdio, as the standard variables say; a collector
//! that fails is told of once, and neither calls nor the end wait for it.

#[path = "support/binary.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod binary;
#[path = "support/otlp_metrics.rs"]
mod otlp_metrics;

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use serde_json::json;

use binary::{Process, finish, tollgate};
use otlp_metrics::Collector;

const SOON: (&str, &str) = ("OTEL_METRIC_EXPORT_INTERVAL", "50");
const HELLO: &str = "
sources: {nothing: {sqlite: ./nothing.db}}
server: {adminListen: off}
telemetry: {service: shop-tools}
stdio: {principal: {tenant: acme, subject: ada}}
tools:
  hello:
    description: Says hello.
    anyAuthenticated: true
    sql: {source: nothing, statement: SELECT 'hello' AS text, result: one}
";

fn written(folder: &Path, yaml: &str) {
    rusqlite::Connection::open(folder.join("nothing.db"))
        .and_then(|file| file.execute_batch("CREATE TABLE things (at)"))
        .expect("a database");
    std::fs::write(folder.join("tollgate.yaml"), yaml).expect("a file");
}

/// `tollgate serve` in `folder` with these variables, on any port.
fn serve(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Process {
    let arguments = [&["serve", "--port", "0"], arguments].concat();
    let mut command = tollgate(folder, &arguments);
    command.envs(variables.iter().copied());
    Process::start(command)
}

/// Asks for a list, as a client of the `initialize` era does on stdio.
fn call_hello(process: &mut Process) {
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "hello", "arguments": {}}});
    let input = process.input.as_mut().expect("its input");
    writeln!(input, "{call}").expect("it reads");
    process.stdout.line("hello");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_the_environment_names_gets_the_numbers_of_http() {
    let (folder, collector) = (
        tempfile::tempdir().expect("a folder"),
        Collector::start().await,
    );
    written(folder.path(), HELLO);
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url.as_str());
    let more = [
        (
            "OTEL_RESOURCE_ATTRIBUTES",
            "deployment.environment.name=test",
        ),
        ("OTEL_EXPORTER_OTLP_METRICS_HEADERS", "x-key=abc"),
    ];
    let mut process = serve(folder.path(), &[], &[&[endpoint, SOON], &more[..]].concat());
    let export = collector.wait_for(|export| {
        export.value("tollgate.config.current", &[])?;
        Some(export.clone())
    });
    let export = export.await;
    let resource = |name: &str| export.resource.get(name).map(String::as_str);
    assert_eq!(resource("service.name"), Some("shop-tools"));
    assert_eq!(resource("service.version"), Some(env!("CARGO_PKG_VERSION")));
    assert_eq!(resource("deployment.environment.name"), Some("test"));
    assert!(resource("service.instance.id").is_some_and(|id| id.len() == 36));
    assert_eq!(export.headers["x-key"], "abc");
    assert_eq!(export.headers["content-type"], "application/x-protobuf");
    assert!(
        export.temporalities.iter().all(|kind| *kind == 2),
        "{export:?}"
    );
    let version = [("tollgate.version", env!("CARGO_PKG_VERSION"))];
    assert_eq!(export.value("tollgate.build.info", &version), Some(1.0));
    let up = [("tollgate.signal", "metrics")];
    assert_eq!(export.value("tollgate.exporter.up", &up), Some(1.0));
    process.terminate();
    assert_eq!(process.exit_code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_numbers_of_stdio_are_sent_at_its_end() {
    let (folder, collector) = (
        tempfile::tempdir().expect("a folder"),
        Collector::start().await,
    );
    written(
        folder.path(),
        &HELLO.replace("shop-tools}", "shop-tools, metrics: [otlp]}"),
    );
    let variables = [
        (
            "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
            format!("{}/v1/metrics", collector.url),
        ),
        ("OTEL_METRIC_EXPORT_INTERVAL", "3600000".to_owned()),
        (
            "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE",
            "delta".to_owned(),
        ),
    ];
    let variables = variables
        .each_ref()
        .map(|(name, value)| (*name, value.as_str()));
    let mut process = serve(folder.path(), &["--mode", "stdio"], &variables);
    call_hello(&mut process);
    assert!(collector.taken().is_empty(), "an hour has not passed");
    drop(process.input.take());
    assert_eq!(process.exit_code(), Some(0));
    let [export] = &collector.taken()[..] else {
        panic!("one export: {:?}", collector.taken());
    };
    let hello = [("tollgate.target", "hello"), ("tollgate.outcome", "ok")];
    assert_eq!(export.value("tollgate.calls", &hello), Some(1.0));
    let hello = [
        ("gen_ai.tool.name", "hello"),
        ("mcp.method.name", "tools/call"),
    ];
    assert_eq!(
        export.value("mcp.server.operation.duration", &hello),
        Some(1.0)
    );
    assert!(export.temporalities.contains(&1), "{export:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_fails_is_told_of_when_it_begins_and_when_it_ends() {
    let (folder, collector) = (
        tempfile::tempdir().expect("a folder"),
        Collector::start().await,
    );
    written(folder.path(), HELLO);
    collector.refuse(true);
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url.as_str());
    let variables = [endpoint, SOON, ("OTEL_TRACES_EXPORTER", "none")];
    let mut process = serve(folder.path(), &["--mode", "stdio"], &variables);
    let fails = "the collector does not take what is sent to it";
    process.stderr.line(fails);
    call_hello(&mut process);
    collector.asked_again().await;
    collector.asked_again().await;
    collector.refuse(false);
    process
        .stderr
        .line("the collector takes what is sent to it again");
    let ended = collector.wait_for(|export| {
        let hello = [("tollgate.target", "hello")];
        let of = |result| [("tollgate.signal", "metrics"), ("result", result)];
        let failed = export.value("tollgate.exporter.exports", &of("failed"))?;
        let calls = export.value("tollgate.calls", &hello)?;
        Some((failed, calls))
    });
    let (failed, calls) = ended.await;
    assert!(failed >= 2.0, "{failed}");
    assert_eq!(calls, 1.0, "the call of the meantime is made up for");
    drop(process.input.take());
    assert_eq!(process.exit_code(), Some(0));
    let said = process.stderr.all();
    assert_eq!(
        said.iter().filter(|line| line.contains(fails)).count(),
        1,
        "{said:#?}"
    );
    let port = collector.url.rsplit(':').next().expect("a port");
    assert!(!said.iter().any(|line| line.contains(port)), "{said:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_that_a_collector_does_not_take_are_told_with_the_numbers() {
    // It has no place for traces.
    let (folder, collector) = (
        tempfile::tempdir().expect("a folder"),
        Collector::start().await,
    );
    written(folder.path(), HELLO);
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url.as_str());
    let variables = [endpoint, SOON, ("OTEL_BSP_SCHEDULE_DELAY", "1")];
    let mut process = serve(folder.path(), &["--mode", "stdio"], &variables);
    call_hello(&mut process);
    let failed = collector.wait_for(|export| {
        let of = |result| [("tollgate.signal", "traces"), ("result", result)];
        let failed = export.value("tollgate.exporter.exports", &of("failed"))?;
        let up = [("tollgate.signal", "traces")];
        let up = export.value("tollgate.exporter.up", &up)?;
        let lost = export.value("tollgate.exporter.spans.lost", &[])?;
        (failed > 0.0).then_some((up, lost))
    });
    let (up, lost) = failed.await;
    assert_eq!(up, 0.0);
    assert!(lost >= 1.0, "{lost}");
    drop(process.input.take());
    assert_eq!(process.exit_code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_hangs_holds_up_neither_calls_nor_the_end() {
    let folder = tempfile::tempdir().expect("a folder");
    written(folder.path(), HELLO);
    // Connections are made by the system and never looked at.
    let hanging = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", hanging.local_addr().expect("an address"));
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", url.as_str());
    let mut process = serve(folder.path(), &["--mode", "stdio"], &[endpoint, SOON]);
    call_hello(&mut process);
    drop(process.input.take());
    assert_eq!(process.exit_code_within(Duration::from_secs(5)), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_where_the_environment_says_so() {
    for (name, value) in [
        ("OTEL_METRICS_EXPORTER", "none"),
        ("OTEL_METRICS_EXPORTER", "prometheus"),
        ("OTEL_SDK_DISABLED", "TRUE"),
    ] {
        let (folder, collector) = (
            tempfile::tempdir().expect("a folder"),
            Collector::start().await,
        );
        written(
            folder.path(),
            &HELLO.replace("shop-tools}", "shop-tools, metrics: [otlp]}"),
        );
        let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url.as_str());
        let variables = [endpoint, SOON, (name, value)];
        let mut process = serve(folder.path(), &["--mode", "stdio"], &variables);
        call_hello(&mut process);
        drop(process.input.take());
        assert_eq!(process.exit_code(), Some(0));
        assert!(collector.taken().is_empty(), "{name}={value}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_beside_serve_send_nothing() {
    let (folder, collector) = (
        tempfile::tempdir().expect("a folder"),
        Collector::start().await,
    );
    written(folder.path(), HELLO);
    for arguments in [&["check"][..], &["call", "hello"]] {
        let mut command = tollgate(folder.path(), arguments);
        command.env("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url);
        let ended = finish(command);
        assert_eq!(ended.code, Some(0), "{ended:?}");
    }
    assert!(collector.taken().is_empty());
}

#[test]
fn a_variable_that_cannot_be_used_ends_the_start_with_its_name_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    written(folder.path(), HELLO);
    for (name, value) in [
        ("OTEL_METRICS_EXPORTER", "hunter2"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "hunter2"),
        ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "hunter2 is no url"),
    ] {
        let mut command = tollgate(folder.path(), &["serve", "--mode", "stdio"]);
        command.env(name, value);
        let ended = finish(command);
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.stderr.contains(name), "{ended:?}");
        assert!(!ended.stderr.contains("hunter2"), "{ended:?}");
    }
}
