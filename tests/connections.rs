//! The promise that no client holds the server for long or to itself: connections are counted, and
//! each thing a client does has its time.
#![cfg(unix)]

#[expect(dead_code, reason = "other test files use the rest")]
#[path = "support/binary.rs"]
mod binary;
#[expect(dead_code, reason = "shared with other tests")]
#[path = "support/raw.rs"]
mod raw;
#[expect(dead_code, reason = "shared with other tests")]
#[path = "support/wire.rs"]
mod wire;

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use binary::{PATIENCE, Process, tollgate};
use raw::{Raw, RawAnswer, authority, request};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tollgate::auth::Principal;
use tollgate::config::{Config, ProcessEnvironment};
use tollgate::server::ServerBuilder;
use tollgate::testing::TestServer;
use tollgate::transport::http::Limits;
use tollgate::{CallContext, Tool, ToolError};
use wire::{SCOPES, shop};

const ALIVE: &str = "GET /healthz HTTP/1.1\r\nhost: any\r\n\r\n";
/// Soon enough for a test, and late enough for the good request beside it.
const SOON: Duration = Duration::from_millis(300);

async fn limited(limits: Limits) -> TestServer {
    TestServer::start(|server| shop(server.limits(limits), Arc::default())).await
}

/// A connection that is in use.
async fn open(server: &TestServer) -> Raw {
    let mut raw = Raw::connect(server).await;
    let answer = raw.send(ALIVE).await.answer().await.expect("an answer");
    assert_eq!(answer.status, 200);
    raw
}

fn is_one_too_many(answer: &RawAnswer) {
    assert_eq!(answer.status, 503);
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert_eq!(answer.header("connection"), Some("close"));
}

/// Tries until there is a place again.
async fn reopen(server: &TestServer) -> Raw {
    let trying = async {
        loop {
            let mut raw = Raw::connect(server).await;
            let answer = raw.send(ALIVE).await.answer().await;
            if answer.is_some_and(|answer| answer.status == 200) {
                return raw;
            }
        }
    };
    let found = timeout(Duration::from_secs(20), trying).await;
    found.expect("a place was given back")
}

#[tokio::test]
async fn a_connection_too_many_is_told_so_and_a_freed_place_is_taken_again() {
    for limits in [
        Limits {
            max_connections: 2,
            ..Limits::default()
        },
        Limits {
            max_connections_per_address: 2,
            ..Limits::default()
        },
    ] {
        let server = limited(limits).await;
        let (first, mut second) = (open(&server).await, open(&server).await);
        // It need not say a word to be told.
        let mut third = Raw::connect(&server).await;
        is_one_too_many(&third.answer().await.expect("an answer"));
        assert!(third.is_closed().await);
        let answer = second.send(ALIVE).await.answer().await;
        assert_eq!(
            answer.map(|answer| answer.status),
            Some(200),
            "others go on"
        );
        drop(first);
        reopen(&server).await;
    }
}

#[tokio::test]
async fn a_proxy_has_no_cap_of_its_own_and_who_comes_round_it_has() {
    for (proxies, has_cap) in [
        ("", false),
        (", trustedProxies: [127.0.0.0/8]", false),
        (", trustedProxies: [10.0.0.0/8]", true),
    ] {
        let settings =
            format!("server: {{behindProxy: true{proxies}, maxConnectionsPerAddress: 1}}");
        let config = Config::parse(&settings, Path::new("tollgate.yaml"), &ProcessEnvironment);
        let builder = ServerBuilder::from_config(config.expect("a good config")).expect("a server");
        let server = TestServer::start(|_| builder).await;
        let _first = open(&server).await;
        if has_cap {
            let mut second = Raw::connect(&server).await;
            is_one_too_many(&second.answer().await.expect("an answer"));
        } else {
            let _others = [open(&server).await, open(&server).await];
        }
    }
}

#[tokio::test]
async fn a_client_that_is_silent_or_slow_with_its_head_is_cut_off() {
    let server = limited(Limits {
        head: SOON,
        ..Limits::default()
    })
    .await;
    let mut silent = Raw::connect(&server).await;
    let mut slow = Raw::connect(&server).await;
    slow.send("GET /healthz HTTP/1.1\r\nhost: a\r\nx").await;
    let mut idle = open(&server).await;
    assert!(silent.is_closed().await);
    assert!(slow.is_closed().await);
    assert!(idle.is_closed().await);
    open(&server).await;
}

#[tokio::test]
async fn a_client_that_is_slow_with_its_body_is_told_so() {
    let server = limited(Limits {
        body: SOON,
        ..Limits::default()
    })
    .await;
    let token = server.token_for("acme", "ada", &SCOPES);
    for path in ["/mcp", "/mcp/tool/greet"] {
        let mut raw = Raw::connect(&server).await;
        let host = authority(&server);
        raw.send(format!(
            "POST {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\n\
             content-type: application/json\r\ncontent-length: 100\r\n\r\n{{"
        ))
        .await;
        let answer = raw.answer().await.expect("an answer");
        assert_eq!(answer.status, 408, "{path}");
        assert!(raw.is_closed().await);
    }
}

#[derive(Deserialize, JsonSchema)]
struct Nothing {}

/// More than the buffers of both sides hold.
const HUGE: usize = 32 << 20;

#[tokio::test]
async fn a_client_that_does_not_read_its_answer_is_cut_off() {
    let limits = Limits {
        reply: SOON,
        head: Duration::from_secs(3_600),
        ..Limits::default()
    };
    let server = TestServer::start(|server| {
        let huge = async |_: CallContext, _: Nothing| Ok::<_, ToolError>("x".repeat(HUGE));
        let huge = Tool::new("huge", "Says much.")
            .any_authenticated()
            .handler(huge);
        server.limits(limits).tool(huge)
    })
    .await;
    let host = format!("host: {}", authority(&server));
    let token = format!(
        "authorization: Bearer {}",
        server.token_for("acme", "ada", &[])
    );
    let headers = [
        host.as_str(),
        token.as_str(),
        "content-type: application/json",
    ];
    let call = request("POST /mcp/tool/huge", &headers, "{}");
    let mut stream = TcpStream::connect(authority(&server))
        .await
        .expect("a connection");
    // Nobody reads; that the server has hung up shows when nothing more can be sent.
    let sending = async { while stream.write_all(call.as_bytes()).await.is_ok() {} };
    timeout(Duration::from_secs(20), sending)
        .await
        .expect("it hangs up");
    open(&server).await;
}

#[tokio::test]
async fn with_all_places_taken_calls_are_shed_and_probes_answered() {
    let settings = "server: {maxInFlight: 1}";
    let config = Config::parse(settings, Path::new("tollgate.yaml"), &ProcessEnvironment);
    let builder = ServerBuilder::from_config(config.expect("a good config")).expect("a server");
    let (begun, gate) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let both = (Arc::clone(&begun), Arc::clone(&gate));
    let wait = async |both: Arc<(Arc<Semaphore>, Arc<Semaphore>)>, _: CallContext, _: Nothing| {
        both.0.add_permits(1);
        Ok::<_, ToolError>(both.1.acquire().await.is_ok())
    };
    let wait = Tool::new("wait", "Waits.")
        .any_authenticated()
        .handler_with(Arc::new(both), wait);
    let caller = Principal::configured("acme", "ada", Vec::<String>::new()).expect("a principal");
    let server = TestServer::start(|_| builder.tool(wait).anonymous(caller)).await;
    let host = format!("host: {}", authority(&server));
    let call = request(
        "POST /mcp/tool/wait",
        &[&host, "content-type: application/json"],
        "{}",
    );
    let mut running = Raw::connect(&server).await;
    running.send(&call).await;
    begun.acquire().await.expect("it begins").forget();
    let mut shed = Raw::connect(&server).await;
    let answer = shed.send(&call).await.answer().await.expect("an answer");
    assert_eq!(
        (answer.status, answer.header("retry-after")),
        (503, Some("1"))
    );
    open(&server).await;
    gate.add_permits(2);
    let answer = running.answer().await.expect("an answer");
    assert_eq!(answer.status, 200);
    let answer = shed.send(&call).await.answer().await.expect("an answer");
    assert_eq!(answer.status, 200, "the same connection goes on");
}

#[test]
fn without_file_descriptors_the_server_waits_and_recovers() {
    let folder = tempfile::tempdir().expect("a folder");
    let serve = tollgate(folder.path(), &["serve", "--dev", "--port", "0"]);
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 60; exec \"$0\" \"$@\""]);
    command.arg(serve.get_program()).args(serve.get_args());
    command
        .current_dir(folder.path())
        .env_clear()
        .env("XDG_DATA_HOME", folder.path());
    let process = Process::start(command);
    let line = process.stderr.line("listening on http://");
    let (_, address) = line.split_once("http://").expect("it was found");
    let connect = || {
        let stream = std::net::TcpStream::connect(address.trim()).expect("it listens");
        stream
            .set_read_timeout(Some(PATIENCE))
            .expect("a timeout above 0");
        stream
    };
    let all: Vec<_> = (0..100).map(|_| connect()).collect();
    process.stderr.line("connections could not be accepted");
    drop(all);
    let mut stream = connect();
    stream.write_all(ALIVE.as_bytes()).expect("it reads");
    let mut status = [0; 15];
    stream.read_exact(&mut status).expect("an answer");
    assert_eq!(&status, b"HTTP/1.1 200 OK");
}
