//! Whose trace a call belongs to, and who can go on with it.

use opentelemetry::trace::SpanId;
use serde_json::json;

use crate::caller::Caller;
use crate::{Shop, ticket};

const CALLER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const UNSAMPLED: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
const CARRIER: &str = "00-11112222333344445555666677778888-1234567890abcdef-01";

/// A modern tools/call of the ticket, with this in `_meta` and this on the HTTP request.
async fn call(caller: &Caller, meta: Option<&str>, header: Option<&str>) {
    let mut params = ticket();
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    if let Some(meta) = meta {
        params["_meta"]["traceparent"] = json!(meta);
        params["_meta"]["tracestate"] = json!("vendor=1");
        params["_meta"]["baggage"] = json!("user=canary");
    }
    let mut request = caller
        .client
        .post(format!("{}/mcp", caller.url))
        .bearer_auth(&caller.token)
        .header("MCP-Protocol-Version", "2026-07-28")
        .header("Mcp-Method", "tools/call")
        .header("Mcp-Name", "get_ticket");
    if let Some(header) = header {
        request = request.header("traceparent", header);
    }
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
    let answer = request.json(&message).send().await.expect("an answer");
    assert_eq!(answer.status(), 200);
}

/// The value of a header that the API got.
fn sent(shop: &Shop, name: &str) -> Vec<String> {
    let asked = shop.api.asked();
    let lines = asked.last().expect("a request").head.lines();
    let values = lines.filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    values.map(str::to_owned).collect()
}

#[tokio::test]
async fn a_message_names_its_trace_and_the_request_that_carries_it_is_linked() {
    let shop = Shop::open(1.0, ["", "", ""]).await;
    call(&shop.caller(), Some(CALLER), Some(CARRIER)).await;
    let root = shop.kept.named("tools/call get_ticket");
    assert_eq!(root.parent_span_id.to_string(), "b7ad6b7169203331");
    let links: Vec<_> = root
        .links
        .iter()
        .map(|link| link.span_context.clone())
        .collect();
    assert_eq!(links.len(), 1);
    assert_eq!(links[0].span_id().to_string(), "1234567890abcdef");

    let shop = Shop::open(1.0, ["", "", ""]).await;
    call(&shop.caller(), None, Some(CARRIER)).await;
    let root = shop.kept.named("tools/call get_ticket");
    assert_eq!(root.parent_span_id.to_string(), "1234567890abcdef");
    assert!(root.links.is_empty());
}

#[tokio::test]
async fn the_api_can_go_on_with_the_trace_and_gets_nothing_else_of_it() {
    let shop = Shop::open(1.0, ["", "", ""]).await;
    call(&shop.caller(), Some(CALLER), None).await;
    let asked = shop.kept.named("GET /tickets/{ticket_id}").span_context;
    let expected = format!("00-0af7651916cd43dd8448eb211c80319c-{}-01", asked.span_id());
    assert_eq!(sent(&shop, "traceparent"), [expected]);
    assert_eq!(sent(&shop, "tracestate"), ["vendor=1"]);
    let head = &shop.api.asked()[0].head;
    assert!(
        !head.contains("baggage") && !head.contains("canary"),
        "{head}"
    );
}

#[tokio::test]
async fn a_call_that_is_not_sampled_says_so_and_leaves_nothing() {
    let shop = Shop::open(0.0, ["", "", ""]).await;
    call(&shop.caller(), None, None).await;
    assert_eq!(shop.kept.tree(), "");
    let [value] = &sent(&shop, "traceparent")[..] else {
        panic!("not one traceparent");
    };
    assert!(value.len() == 55 && value.ends_with("-00"), "{value}");
    // A caller that samples its trace has ours sampled.
    call(&shop.caller(), Some(CALLER), None).await;
    assert_eq!(shop.kept.all().len(), 3);
}

#[tokio::test]
async fn a_caller_that_samples_nothing_and_one_that_sends_junk_are_seen_all_the_same() {
    for (meta, header, links) in [
        (Some(UNSAMPLED), None, 1),
        (Some(UNSAMPLED), Some(CARRIER), 2),
        (None, Some(UNSAMPLED), 1),
        (Some("00-junk"), Some("junk"), 0),
    ] {
        let shop = Shop::open(1.0, ["", "", ""]).await;
        call(&shop.caller(), meta, header).await;
        let root = shop.kept.named("tools/call get_ticket");
        assert_eq!(root.parent_span_id, SpanId::INVALID, "{meta:?}");
        assert_eq!(root.links.iter().count(), links, "{meta:?} {header:?}");
        assert_eq!(shop.kept.all().len(), 3);
    }
}

#[tokio::test]
async fn a_tracestate_that_fits_into_no_header_does_not_harm_the_request() {
    let shop = Shop::open(1.0, ["", "", ""]).await;
    let mut params = ticket();
    params["_meta"] = json!({"traceparent": CALLER, "tracestate": "a=1\r\nx-evil: 1"});
    let answer = shop.caller().modern("tools/call", params).await;
    assert_eq!(answer.body["result"]["isError"], false, "{answer:?}");
    assert_eq!(sent(&shop, "tracestate"), [""; 0]);
    assert_eq!(sent(&shop, "traceparent").len(), 1);
}

#[tokio::test]
async fn a_tracestate_that_came_in_several_lines_is_sent_on_as_one() {
    let shop = Shop::open(1.0, ["", "", ""]).await;
    let caller = shop.caller();
    let request = caller
        .client
        .post(format!("{}/mcp/tool/get_ticket", caller.url));
    let request = request
        .bearer_auth(&caller.token)
        .json(&json!({"ticket_id": "t-7"}));
    let request = request.header("traceparent", CALLER);
    let answer = request
        .header("tracestate", "a=1,")
        .header("tracestate", "b=2");
    assert_eq!(answer.send().await.expect("an answer").status(), 200);
    assert_eq!(sent(&shop, "tracestate"), ["a=1,b=2"]);
}

#[tokio::test]
async fn a_source_that_shall_not_know_is_told_nothing_and_one_with_a_header_of_its_own_keeps_it() {
    for (key, expected) in [
        ("propagateTrace: false", vec![]),
        ("headers: {traceparent: own}", vec!["own".to_owned()]),
    ] {
        let shop = Shop::open(1.0, ["", "", key]).await;
        call(&shop.caller(), Some(CALLER), None).await;
        assert_eq!(sent(&shop, "traceparent"), expected);
        assert_eq!(sent(&shop, "tracestate"), [""; 0]);
    }
}
