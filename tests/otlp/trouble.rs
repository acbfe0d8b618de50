//! A collector that is away, hangs or refuses costs neither calls nor the end.

use std::net::TcpListener;
use std::time::Duration;

use axum::Router;
use axum::response::Redirect;
use serde_json::json;

use super::receiver::Receiver;
use super::{PROTOCOLS, SIGNALS, call, folder, serve};

const FAILS: &str = "the collector does not take what is sent to it";
const AGAIN: &str = "the collector takes what is sent to it again";

/// Connections are made by the system and never looked at.
fn hanging() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    (listener, url)
}

#[test]
fn a_collector_that_hangs_or_is_away_holds_up_neither_calls_nor_the_end() {
    for protocol in PROTOCOLS {
        for is_there in [true, false] {
            let (listener, url) = hanging();
            let _kept = is_there.then_some(listener);
            for mode in ["stdio", "http"] {
                let folder = folder();
                let variables = [
                    ("OTEL_EXPORTER_OTLP_ENDPOINT", url.as_str()),
                    ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
                    ("OTEL_METRIC_EXPORT_INTERVAL", "50"),
                    ("OTEL_BSP_SCHEDULE_DELAY", "1"),
                ];
                let mut process = serve(folder.path(), &["--mode", mode], variables);
                if mode == "stdio" {
                    call(&mut process, json!({}));
                    drop(process.input.take());
                } else {
                    process.stderr.line("listening on ");
                    process.terminate();
                }
                let patience = Duration::from_secs(5);
                assert_eq!(process.exit_code_within(patience), Some(0), "{protocol}");
            }
        }
    }
}

#[test]
fn an_export_takes_no_longer_than_its_timeout_and_so_does_a_handshake() {
    let trusted = rcgen::generate_simple_self_signed(["collector".to_owned()]);
    let trusted = trusted.expect("a certificate").cert.pem();
    for protocol in PROTOCOLS {
        for (index, (infix, signal)) in SIGNALS.into_iter().enumerate() {
            let (_listener, url) = hanging();
            let encrypted = url.replace("http://", "https://");
            let folder = folder();
            std::fs::write(folder.path().join("ca.pem"), &trusted).expect("a file");
            let own = ["OTEL_BSP_EXPORT_TIMEOUT", "OTEL_METRIC_EXPORT_TIMEOUT"];
            let of_exporter = format!("OTEL_EXPORTER_OTLP_{infix}TIMEOUT");
            for (timeout, url) in [(&*of_exporter, url), (own[index], encrypted)] {
                let variables = [
                    (&*format!("OTEL_EXPORTER_OTLP_{infix}ENDPOINT"), &*url),
                    ("OTEL_EXPORTER_OTLP_CERTIFICATE", "ca.pem"),
                    ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
                    ("OTEL_METRIC_EXPORT_INTERVAL", "50"),
                    ("OTEL_BSP_SCHEDULE_DELAY", "1"),
                    // Longer than anybody waits here, were it not for the other.
                    ("OTEL_EXPORTER_OTLP_TIMEOUT", "600000"),
                    (timeout, "100"),
                ];
                let mut process = serve(folder.path(), &["--mode", "stdio"], variables);
                call(&mut process, json!({}));
                let line = process.stderr.line(FAILS);
                assert!(line.contains(&format!("signal={signal}")), "{line}");
                assert!(!line.contains("127.0.0.1"), "{line}");
                call(&mut process, json!({}));
                drop(process.input.take());
                assert_eq!(process.exit_code(), Some(0));
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_comes_back_on_a_new_connection_is_told_of_and_gets_what_there_is() {
    let cases = PROTOCOLS
        .iter()
        .flat_map(|protocol| [(protocol, true), (protocol, false)]);
    for (protocol, hangs) in cases {
        let receiver = Receiver::start_closed(hangs).await;
        let (url, folder) = (receiver.url(), folder());
        let variables = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", url.as_str()),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
            ("OTEL_METRIC_EXPORT_INTERVAL", "50"),
            ("OTEL_BSP_SCHEDULE_DELAY", "1"),
            // So that it is not tried for long.
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "500"),
            ("OTEL_SERVICE_NAME", "shop-tools"),
        ];
        let mut process = serve(folder.path(), &["--mode", "stdio"], variables);
        call(&mut process, json!({}));
        for (_, signal) in SIGNALS {
            let told = |line: &&String| line.contains(FAILS) && line.ends_with(signal);
            process
                .stderr
                .wait_for(|lines| lines.iter().find(told).cloned());
        }
        receiver.open();
        process.stderr.line(AGAIN);
        call(&mut process, json!({}));
        for (_, signal) in SIGNALS {
            let got = receiver.wait_for(signal).await;
            assert_eq!(got.is_grpc, *protocol == "grpc");
            assert_eq!(got.resource["service.name"], "shop-tools");
        }
        drop(process.input.take());
        assert_eq!(process.exit_code(), Some(0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_refuses_is_told_of_once_and_when_it_takes_again() {
    for protocol in PROTOCOLS {
        let (receiver, folder) = (Receiver::start().await, folder());
        receiver.refuse(true);
        let variables = [
            ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", receiver.at(protocol)),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", (*protocol).to_owned()),
            ("OTEL_METRIC_EXPORT_INTERVAL", "50".to_owned()),
        ];
        let variables = variables
            .iter()
            .map(|(name, value)| (*name, value.as_str()));
        let mut process = serve(folder.path(), &["--mode", "stdio"], variables);
        process.stderr.line(FAILS);
        // Twice more, so that it could be told again.
        receiver.wait_for_refusals(3).await;
        receiver.refuse(false);
        process.stderr.line(AGAIN);
        drop(process.input.take());
        assert_eq!(process.exit_code(), Some(0));
        let said = process.stderr.all();
        let told = said.iter().filter(|line| line.contains(FAILS)).count();
        assert_eq!(told, 1, "{protocol}: {said:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_and_its_headers_follow_no_redirect_to_somebody_else() {
    let (receiver, folder) = (Receiver::start().await, folder());
    let moved = Router::new().fallback({
        let to = receiver.at("http/protobuf");
        async move || Redirect::temporary(&to)
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let url = format!(
        "http://{}/v1/metrics",
        listener.local_addr().expect("an address")
    );
    tokio::spawn(async move { axum::serve(listener, moved).await });
    let variables = [
        ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", url.as_str()),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-api-key=sesame"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "50"),
    ];
    let mut process = serve(folder.path(), &["--mode", "stdio"], variables);
    process.stderr.line(FAILS);
    drop(process.input.take());
    assert_eq!(process.exit_code(), Some(0));
    assert!(receiver.got("metrics").is_empty());
}

#[test]
fn no_password_and_no_header_is_logged_at_any_level_and_no_faulty_endpoint_shown() {
    for protocol in PROTOCOLS {
        let (_listener, url) = hanging();
        let url = url.replace("//", "//user:sesame@");
        let folder = folder();
        let variables = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", url.as_str()),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
            (
                "OTEL_EXPORTER_OTLP_HEADERS",
                "authorization=Bearer%20sesame",
            ),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "100"),
            ("OTEL_METRIC_EXPORT_INTERVAL", "50"),
            ("OTEL_BSP_SCHEDULE_DELAY", "1"),
            ("RUST_LOG", "trace"),
        ];
        let mut process = serve(folder.path(), &["--mode", "stdio"], variables);
        call(&mut process, json!({}));
        process.stderr.line(FAILS);
        drop(process.input.take());
        assert_eq!(process.exit_code(), Some(0));
        let said = process.stderr.all();
        let told = said.iter().find(|line| line.contains("sesame"));
        assert_eq!(told, None, "{protocol}");

        let faulty = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://user:sesame@ bad"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
        ];
        let mut process = serve(folder.path(), &["--mode", "stdio"], faulty);
        assert_eq!(process.exit_code(), Some(1));
        let told = process.stderr.all().join("\n");
        assert!(told.contains("OTEL_EXPORTER_OTLP_ENDPOINT"), "{told}");
        assert!(!told.contains("sesame"), "{told}");
    }
}
