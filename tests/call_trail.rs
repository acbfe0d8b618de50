//! The promise that every call leaves a trail: an id in its answer, good or bad, and its spans on the
//! console of dev mode under the same id.

#[path = "support/binary.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod binary;

use std::collections::HashSet;

use binary::{Answer, Demo, FIND_ORDERS, GET_CUSTOMER};
use serde_json::{Value, json};

#[tokio::test]
async fn every_answer_to_a_call_carries_its_id() {
    let demo = Demo::start();
    let token = demo.server.mint("").await;
    let weak = demo.server.mint("?scope=").await;
    let good = json!({"customer_id": "c-42"});
    let call = |name: &str, arguments: &Value| json!({"name": name, "arguments": arguments});
    let mut seen = HashSet::new();
    let mut note = |answer: &Answer, in_body: &Value| {
        let id = answer.header("tollgate-call-id");
        assert_eq!(id.len(), 36, "{answer:?}");
        assert!(in_body.is_null() || in_body == id, "{answer:?}");
        assert!(
            seen.insert(id.to_owned()),
            "an id stands for one call: {answer:?}"
        );
    };
    for (token, path, arguments, status) in [
        (Some(&token), GET_CUSTOMER, &good, 200),
        (Some(&token), GET_CUSTOMER, &json!({}), 400),
        (None, GET_CUSTOMER, &good, 401),
        (Some(&weak), GET_CUSTOMER, &good, 403),
        (Some(&token), "/mcp/tool/nope", &good, 404),
    ] {
        let answer = demo
            .server
            .post(path, token.map(String::as_str), arguments)
            .await;
        assert_eq!(answer.status, status);
        assert_eq!(answer.body["callId"].is_null(), status == 200);
        note(&answer, &answer.body["callId"]);
    }
    for (token, method, params, status, id) in [
        (
            Some(&token),
            "tools/call",
            call("get_customer", &good),
            200,
            "/result/_meta/none",
        ),
        (
            Some(&token),
            "tools/call",
            call("get_customer", &json!({})),
            200,
            "/result/_meta/tollgate~1callId",
        ),
        (
            Some(&token),
            "tools/call",
            call("nope", &good),
            200,
            "/error/data/callId",
        ),
        (Some(&token), "nope", json!({}), 200, "/error/data/callId"),
        (
            Some(&token),
            "tools/list",
            json!({}),
            200,
            "/result/_meta/none",
        ),
        (
            Some(&weak),
            "tools/call",
            call("get_customer", &good),
            403,
            "/error/data/callId",
        ),
        (None, "tools/list", json!({}), 401, "/error/data/callId"),
    ] {
        let answer = demo.mcp(token.map(String::as_str), method, params).await;
        assert_eq!(answer.status, status, "{answer:?}");
        let in_body = answer.body.pointer(id).unwrap_or(&Value::Null);
        assert_eq!(in_body.is_null(), id.ends_with("none"), "{answer:?}");
        note(&answer, in_body);
    }
}

#[tokio::test]
async fn each_call_prints_its_spans_on_the_console() {
    let demo = Demo::start();
    let token = demo.server.mint("?scope=customer:read").await;
    let refused = demo
        .server
        .post(FIND_ORDERS, Some(&token), &json!({"query": "o-1"}))
        .await;
    for _ in 0..5 {
        demo.get_customer(&token).await;
    }
    let exceeded = demo.get_customer(&token).await;
    let served = demo.read_customer(&token, "c-42").await;

    let span = |answer: &Answer| {
        let id = format!("call={}", answer.header("tollgate-call-id"));
        demo.server.process.stderr.line(&id)
    };
    let line = span(&served);
    for part in [
        "resources/read customers://{customer_id} ",
        "s ok quota=admitted 4/5 ",
        "tenant=acme",
        "subject=user-123",
        "via=mcp",
    ] {
        assert!(line.contains(part), "{part}: {line}");
    }
    // The tool's own time is a span of its own, in the same trace.
    let trace = line.rsplit("trace=").next().expect("a trace").to_owned();
    demo.server.process.stderr.wait_for(|lines| {
        let mut inner = lines.iter().filter(|line| !line.contains(" call="));
        inner
            .find(|line| line.contains(" customers://{customer_id} ") && line.ends_with(&trace))?;
        Some(())
    });

    let line = span(&exceeded);
    for part in [
        "tools/call get_customer ",
        "s denied quota=exceeded 0/5 error=quota-exceeded tenant=acme",
    ] {
        assert!(line.contains(part), "{part}: {line}");
    }
    let line = span(&refused);
    for part in [
        "tools/call find_orders ",
        "s denied error=insufficient-scope tenant=acme",
    ] {
        assert!(line.contains(part), "{part}: {line}");
    }
}
