//! A flood of bad tokens is refused unread, address by address, and a good caller does not notice:
//! not from elsewhere, and not from the same address with a token that was good before.

#[path = "support/caller.rs"]
mod caller;
#[path = "support/log.rs"]
mod log;
#[path = "support/spans.rs"]
mod spans;

use std::net::Ipv4Addr;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use tollgate::server::ServerBuilder;
use tollgate::testing::TestServer;
use tollgate::{CallContext, Quota, Tool, ToolError};

use caller::{Answer, Caller};
use spans::{attribute, watched};

/// What the server lets through by default before an address is over its limit.
const BURST: usize = 500;

#[derive(Deserialize, JsonSchema)]
struct Nothing {}

fn hello(server: ServerBuilder) -> ServerBuilder {
    server.tool(
        Tool::new("hello", "Says hello.")
            .any_authenticated()
            .handler(async |_: CallContext, _: Nothing| Ok::<_, ToolError>("hello".to_owned())),
    )
}

/// Somebody at an address of the loopback network, every one of which is this machine on Linux.
fn at(server: &TestServer, last: u8, token: &str) -> Caller {
    let client =
        reqwest::Client::builder().local_address(Some(Ipv4Addr::new(127, 0, 0, last).into()));
    Caller {
        client: client.build().expect("a client"),
        ..Caller::new(server.url(), token)
    }
}

async fn hello_of(caller: &Caller) -> Answer {
    caller.rest("hello", json!({})).await
}

/// Sends bad tokens, each another one, until the address has used up its limit.
async fn flood(caller: &mut Caller, count: usize) {
    for n in 0..count {
        caller.token = format!("bad-{n}");
        let answer = hello_of(caller).await;
        assert_eq!(answer.status, 401, "{n}: {answer:?}");
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_address_that_floods_is_refused_and_no_other_is() {
    let server = TestServer::start(hello).await;
    let good = server.token_for("acme", "ada", &[]);
    let mut bad = at(&server, 1, "");
    flood(&mut bad, BURST).await;

    let refused = hello_of(&bad).await;
    assert_eq!(refused.status, 429, "{refused:?}");
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(refused.header("www-authenticate"), "");
    assert_eq!(refused.body["type"], "urn:tollgate:error:too-many-failures");
    assert_eq!(
        refused.body["detail"],
        "Too many failed authentications from this address; retry later"
    );
    assert_eq!(refused.body["callId"], refused.header("tollgate-call-id"));
    for answer in [
        bad.modern("tools/list", json!({})).await,
        bad.legacy("tools/list", json!({})).await,
    ] {
        assert_eq!(answer.status, 429, "{answer:?}");
        assert_eq!(answer.body["error"]["code"], 42903);
        assert_eq!(answer.header("retry-after"), "1");
    }

    let elsewhere = at(&server, 2, &good);
    assert_eq!(hello_of(&elsewhere).await.status, 200);
    let unknown = at(&server, 2, "bad");
    assert_eq!(hello_of(&unknown).await.status, 401, "a limit of its own");
}

#[tokio::test]
async fn a_token_that_was_good_before_passes_from_an_address_that_floods() {
    let server = TestServer::start(hello).await;
    let known = Caller::new(server.url(), server.token_for("acme", "ada", &[]));
    let fresh = Caller::new(server.url(), server.token_for("acme", "eve", &[]));
    assert_eq!(hello_of(&known).await.status, 200);
    flood(&mut known.clone(), BURST).await;
    for _ in 0..3 {
        assert_eq!(hello_of(&known).await.status, 200);
        assert_eq!(
            hello_of(&fresh).await.status,
            429,
            "whether a token is good is not known before its signature is checked"
        );
    }
    let keyless = known
        .client
        .post(format!("{}/mcp/tool/hello", server.url()));
    let keyless = keyless.send().await.expect("an answer");
    assert_eq!(keyless.status(), 401, "no credential is no failed one");
}

#[tokio::test]
async fn an_address_recovers_at_the_rate_of_the_limit() {
    let limit = Quota::per(2, Duration::from_secs(10));
    let server = TestServer::start(|server| hello(server).failure_limit(limit)).await;
    let mut bad = Caller::new(server.url(), "");
    flood(&mut bad, 2).await;
    let refused = hello_of(&bad).await;
    assert_eq!((refused.status, refused.header("retry-after")), (429, "5"));
    server.clock().advance(Duration::from_millis(4_999));
    assert_eq!(hello_of(&bad).await.status, 429);
    server.clock().advance(Duration::from_millis(1));
    flood(&mut bad, 1).await;
    assert_eq!(hello_of(&bad).await.status, 429);
    server.clock().advance(Duration::from_secs(5));
    let good = Caller::new(server.url(), server.token_for("acme", "ada", &[]));
    assert_eq!(hello_of(&good).await.status, 200);
}

#[tokio::test]
async fn requests_without_credentials_do_not_count() {
    let limit = Quota::per_second(1);
    let server = TestServer::start(|server| hello(server).failure_limit(limit)).await;
    let good = Caller::new(server.url(), server.token_for("acme", "ada", &[]));
    for _ in 0..10 {
        let keyless = good.client.post(format!("{}/mcp/tool/hello", server.url()));
        assert_eq!(keyless.send().await.expect("an answer").status(), 401);
    }
    assert_eq!(hello_of(&good).await.status, 200);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_flood_is_one_line_in_the_log_and_none_in_the_trace() {
    log::listen();
    let (tracing, mut spans) = watched();
    let limit = Quota::per_second(1);
    let server =
        TestServer::start(|server| hello(server).failure_limit(limit).tracing(tracing)).await;
    let mut bad = at(&server, 77, "");
    flood(&mut bad, 1).await;
    for n in 0..20 {
        bad.token = format!("flood-{n}");
        assert_eq!(hello_of(&bad).await.status, 429);
    }
    let good = at(&server, 78, &server.token_for("acme", "ada", &[]));
    let served = hello_of(&good).await;

    let first = spans.next_request().await;
    assert_eq!(attribute(&first, "tollgate.error"), "unauthenticated");
    let second = spans.next_request().await;
    assert_eq!(
        attribute(&second, "tollgate.call.id"),
        served.header("tollgate-call-id")
    );
    let lines = log::lines_with("127.0.0.77");
    let said: Vec<_> = lines.iter().filter(|line| line.contains("WARN")).collect();
    assert_eq!(said.len(), 1, "{lines:#?}");
    assert!(said[0].contains("too many failed authentications from one address"));
    assert_eq!(log::lines_with("flood-"), [""; 0], "no token in the log");
}
