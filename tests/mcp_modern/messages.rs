//! Messages as such: no requests, no ids, ids of every kind, notifications, bodies meant to hurt.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use tollgate::testing::TestServer;

use super::{call, greet};
use crate::wire::{MODERN, SCOPES, Wire, meta, shop, shop_server};

#[tokio::test]
async fn a_message_that_is_no_request_is_refused_with_its_id_if_that_can_be_read() {
    let server = shop_server().await;
    let wire = Wire::of(&server, &SCOPES);
    for (body, code, id) in [
        ("", -32700, Value::Null),
        ("nope", -32700, Value::Null),
        (r#"{"jsonrpc":"2.0","id":1"#, -32700, Value::Null),
        (
            r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#,
            -32600,
            Value::Null,
        ),
        ("[7]", -32600, Value::Null),
        ("7", -32600, Value::Null),
        (
            r#"{"jsonrpc":"2.0","id":1,"id":1,"method":"ping"}"#,
            -32600,
            Value::Null,
        ),
        (
            r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#,
            -32600,
            Value::Null,
        ),
        (
            r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#,
            -32600,
            Value::Null,
        ),
        (
            r#"{"jsonrpc":"2.0","id":[1],"method":"ping"}"#,
            -32600,
            Value::Null,
        ),
        (
            r#"{"jsonrpc":"1.0","id":5,"method":"ping"}"#,
            -32600,
            json!(5),
        ),
        (r#"{"id":5,"method":"ping"}"#, -32600, json!(5)),
        (r#"{"jsonrpc":"2.0","id":5}"#, -32600, json!(5)),
        (r#"{"jsonrpc":"2.0","id":5,"method":7}"#, -32600, json!(5)),
        (
            r#"{"jsonrpc":"2.0","id":5,"METHOD":"ping"}"#,
            -32600,
            json!(5),
        ),
        (
            r#"{"jsonrpc":"2.0","id":5,"method\u0000":"ping"}"#,
            -32600,
            json!(5),
        ),
        (
            r#"{"jsonrpc":"2.0","id":5,"method":"ping","method":"ping"}"#,
            -32600,
            json!(5),
        ),
        (
            r#"{"jsonrpc":"2.0","id":5,"method":"ping","params":{"_meta":{},"_meta":{}}}"#,
            -32600,
            json!(5),
        ),
        (
            r#"{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"arguments":{"a":[{"b":1,"\u0062":2}]}}}"#,
            -32600,
            json!(5),
        ),
    ] {
        let reply = wire
            .body(body)
            .header("mcp-protocol-version", MODERN)
            .send()
            .await;
        assert_eq!((reply.status, reply.code()), (400, Some(code)), "{body}");
        assert_eq!(reply.body["id"], id, "{body}: {}", reply.text);
        // An id that cannot be read is left out, not null (basic/index, "Error Responses").
        assert_eq!(reply.body.get("id").is_some(), !id.is_null(), "{body}");
    }
    wire.still_works().await;
}

#[tokio::test]
async fn a_notification_is_accepted_without_a_word_and_runs_nothing() {
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&runs);
    let server = TestServer::start(|server| shop(server, counted)).await;
    let wire = Wire::of(&server, &SCOPES);
    for body in [
        json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1, "_meta": meta()}}),
        json!({"jsonrpc": "2.0", "method": "notifications/made-up"}),
        json!({"jsonrpc": "2.0", "method": "tools/call", "params": {"name": "tick", "arguments": {}, "_meta": meta()}}),
    ] {
        let post = wire
            .body(body.to_string())
            .header("mcp-protocol-version", MODERN);
        let reply = post.send().await;
        assert_eq!((reply.status, reply.text.as_str()), (202, ""), "{body}");
        assert_eq!(reply.header("content-type"), None);
    }
    // The one tool call among them did not count: this is the first run.
    let first = wire
        .modern("tools/call", call("tick", json!({})))
        .send()
        .await;
    assert_eq!((first.tool_text(), runs.load(Ordering::SeqCst)), ("1", 1));
}

#[tokio::test]
async fn a_posted_response_is_refused_without_an_id_of_ours_to_confuse() {
    let server = shop_server().await;
    let wire = Wire::of(&server, &SCOPES);
    for body in [
        json!({"jsonrpc": "2.0", "id": 1, "result": {}}),
        json!({"jsonrpc": "2.0", "id": 1, "error": {"code": 1, "message": "x"}}),
    ] {
        let post = wire
            .body(body.to_string())
            .header("mcp-protocol-version", MODERN);
        let reply = post.send().await;
        assert_eq!(
            (reply.status, reply.code()),
            (400, Some(-32600)),
            "{}",
            reply.text
        );
        assert_eq!(reply.body.get("id"), None, "{}", reply.text);
    }
}

#[tokio::test]
async fn ids_come_back_as_they_were_sent() {
    let server = shop_server().await;
    let wire = Wire::of(&server, &SCOPES);
    let long = format!("\"{}\"", "x".repeat(10_000));
    for id in [
        "0",
        "-1",
        "9007199254740993",
        "-9223372036854775809",
        "123456789012345678901234567890",
        "\"\"",
        "\"1\"",
        "\"\\u0041 \\\" \\n é\"",
        &long,
    ] {
        for post in [
            greet(&wire),
            wire.modern("nope", json!({})),
            greet(&wire).without("mcp-name"),
        ] {
            let reply = post.id(id).send().await;
            let start = format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},");
            assert!(reply.text.starts_with(&start), "{id}: {}", reply.text);
        }
    }
}

#[tokio::test]
async fn hostile_bodies_are_refused_or_harmless() {
    let server = shop_server().await;
    let wire = Wire::of(&server, &SCOPES);
    let arguments = |text: &str| {
        let meta = meta();
        format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"_meta":{meta},"name":"greet","arguments":{text}}}}}"#
        )
    };
    let (deep, wide) = (
        format!("{}1{}", r#"{"a":"#.repeat(20_000), "}".repeat(20_000)),
        (0..50_000)
            .map(|n| format!("\"k{n}\":{n}"))
            .collect::<Vec<_>>()
            .join(","),
    );
    for (what, text, status) in [
        ("too deep", deep, 400),
        ("brackets", "[".repeat(500_000), 400),
        ("wide", format!("{{{wide}}}"), 200),
        (
            "a number beyond all bounds",
            r#"{"name":1e999999}"#.to_owned(),
            400,
        ),
        (
            "many digits",
            format!("{{\"name\":{}}}", "9".repeat(5_000)),
            400,
        ),
        ("a lone surrogate", r#"{"name":"\ud800"}"#.to_owned(), 400),
        (
            "a control character",
            "{\"name\":\"\u{1}\"}".to_owned(),
            400,
        ),
        (
            "a long text",
            format!(r#"{{"name":"{}"}}"#, "x".repeat(900_000)),
            200,
        ),
    ] {
        let post = wire
            .body(arguments(&text))
            .header("mcp-protocol-version", MODERN)
            .header("mcp-method", "tools/call")
            .header("mcp-name", "greet");
        let reply = post.send().await;
        assert_eq!(
            reply.status,
            status,
            "{what}: {}",
            &reply.text[..reply.text.len().min(300)]
        );
        assert!(reply.text.len() < 2_000_000);
    }
    let invalid_utf8 =
        wire.body(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"x\":\"\xff\"}".to_vec());
    assert_eq!(invalid_utf8.send().await.code(), Some(-32700));
    wire.still_works().await;
}
