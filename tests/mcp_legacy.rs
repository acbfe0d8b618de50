//! Clients of the revisions with a handshake, 2025-11-25 and before, are served as those revisions
//! have it, without a session and beside modern ones.

#[expect(dead_code, reason = "shared with other tests")]
#[path = "support/raw.rs"]
mod raw;
#[expect(dead_code, reason = "shared with other tests")]
#[path = "support/wire.rs"]
mod wire;

#[path = "mcp_legacy/eras.rs"]
mod eras;
#[path = "mcp_legacy/shapes.rs"]
mod shapes;

use insta::assert_snapshot;
use raw::{Raw, authority, request};
use serde_json::{Value, json};
use wire::{LEGACY, MODERN, SCOPES, Wire, shop_server};

const VERSIONS: [&str; 4] = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];

fn call(name: &str, arguments: Value) -> Value {
    json!({"name": name, "arguments": arguments})
}

fn initialize(version: &str) -> Value {
    let client = json!({"name": "wire", "version": "1"});
    json!({"protocolVersion": version, "capabilities": {}, "clientInfo": client})
}

/// An answer must not hold what only modern clients know.
fn is_legacy(result: &Value) -> bool {
    ["resultType", "ttlMs", "cacheScope", "_meta"]
        .iter()
        .all(|member| result.get(member).is_none())
}

#[tokio::test]
async fn initialize_agrees_on_a_known_version_and_offers_the_newest_for_any_other() {
    let server = shop_server().await;
    let wire = Wire::of(&server, &SCOPES);
    for version in VERSIONS.into_iter().chain(["2099-01-01", MODERN, ""]) {
        // Clients send no version header yet.
        let post = wire
            .legacy("initialize", initialize(version))
            .without("mcp-protocol-version");
        let reply = post.send().await;
        let expected = if VERSIONS.contains(&version) {
            version
        } else {
            LEGACY
        };
        assert_eq!(reply.status, 200);
        assert_eq!(
            reply.body["result"]["protocolVersion"], expected,
            "{version}"
        );
        assert_eq!(
            reply.header("mcp-session-id"),
            None,
            "there are no sessions"
        );
    }
    let headed = wire
        .legacy("initialize", initialize(LEGACY))
        .header("mcp-method", "initialize")
        .send()
        .await;
    assert_snapshot!(headed.shown(), @r#"
    {
      "jsonrpc": "2.0",
      "id": 1,
      "result": {
        "protocolVersion": "2025-11-25",
        "capabilities": {
          "tools": {},
          "resources": {},
          "prompts": {},
          "completions": {},
          "logging": {}
        },
        "serverInfo": {
          "name": "tollgate",
          "version": "[version]"
        }
      }
    }
    "#);
    let wrong = wire
        .legacy("initialize", json!({"protocolVersion": 7}))
        .send()
        .await;
    assert_eq!((wrong.status, wrong.code()), (200, Some(-32602)));
}

#[tokio::test]
async fn ping_is_answered_with_nothing() {
    let server = shop_server().await;
    let wire = Wire::of(&server, &[]);
    for body in [
        r#"{"jsonrpc":"2.0","id":0,"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":0,"method":"ping","params":{}}"#,
    ] {
        let reply = wire.body(body).send().await;
        assert_eq!(reply.text, r#"{"jsonrpc":"2.0","id":0,"result":{}}"#);
    }
}

#[tokio::test]
async fn lists_are_filtered_by_scope_and_hold_no_modern_members() {
    let server = shop_server().await;
    let (all, greeter) = (Wire::of(&server, &SCOPES), Wire::of(&server, &["greet"]));
    for (method, member, of_all, of_greeter) in [
        ("tools/list", "tools", 7, 6),
        ("resources/list", "resources", 1, 1),
        ("resources/templates/list", "resourceTemplates", 1, 0),
        ("prompts/list", "prompts", 0, 0),
    ] {
        for (wire, count) in [(&all, of_all), (&greeter, of_greeter)] {
            let bare = wire.body(format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}"}}"#));
            let reply = bare.send().await;
            assert_eq!(reply.status, 200);
            let result = &reply.body["result"];
            assert_eq!(
                result[member].as_array().map(Vec::len),
                Some(count),
                "{method}"
            );
            assert!(is_legacy(result), "{}", reply.text);
        }
    }
}

#[tokio::test]
async fn refusals_are_errors_on_a_connection_that_stays_good() {
    let server = shop_server().await;
    let wire = Wire::of(&server, &["greet", "notes"]);
    for (method, params, status, code) in [
        ("nope", json!({}), 200, -32601),
        ("server/Discover", json!({}), 200, -32601),
        ("logging/setLevel", json!({"level": "loud"}), 200, -32602),
        ("completion/complete", json!({"ref": {}}), 200, -32602),
        ("tools/call", call("nobody", json!({})), 200, -32602),
        ("tools/call", json!({"name": ["greet"]}), 200, -32602),
        ("tools/call", json!({}), 200, -32602),
        (
            "tools/call",
            json!({"name": "greet", "arguments": 7}),
            200,
            -32602,
        ),
        ("tools/list", json!({"cursor": "x"}), 200, -32602),
        ("tools/list", json!([]), 200, -32602),
        ("prompts/get", json!({"name": "x"}), 200, -32602),
        ("resources/read", json!({"uri": "notes://2"}), 200, -32002),
        ("resources/read", json!({"uri": "nobody://2"}), 200, -32002),
        ("resources/read", json!({}), 200, -32602),
        ("tools/call", call("vault", json!({})), 403, 40301),
    ] {
        let reply = wire.legacy(method, params.clone()).id("\"x\"").send().await;
        assert_eq!(
            (reply.status, reply.code()),
            (status, Some(code)),
            "{method} {params}"
        );
        assert_eq!(reply.body["id"], "x");
    }
    let missing = wire
        .legacy("resources/read", json!({"uri": "notes://2"}))
        .send()
        .await;
    assert_snapshot!(missing.shown(), @r#"
    {
      "jsonrpc": "2.0",
      "id": 1,
      "error": {
        "code": -32002,
        "message": "Resource not found",
        "data": {
          "callId": "[call]",
          "uri": "notes://2"
        }
      }
    }
    "#);
    let limited = async || {
        wire.legacy("tools/call", call("limited", json!({})))
            .send()
            .await
    };
    assert_eq!(
        limited().await.body["result"]["structuredContent"],
        json!({"result": "let in"})
    );
    assert_eq!(limited().await.status, 200);
    let over = limited().await;
    assert_eq!((over.status, over.code()), (200, Some(42901)));
    assert_eq!(over.body["error"]["data"]["retryAfterMs"], 5_000);
    assert_eq!(over.header("retry-after"), Some("5"));
    let anonymous = Wire::with_token(&server, None)
        .legacy("tools/list", json!({}))
        .send()
        .await;
    assert_eq!((anonymous.status, anonymous.code()), (401, Some(40101)));
    let told = wire
        .legacy("tools/call", call("greet", json!({"name": 1})))
        .send()
        .await;
    assert_eq!(
        (told.status, &told.body["result"]["isError"]),
        (200, &json!(true))
    );
}

#[tokio::test]
async fn the_version_header_may_be_missing_or_known_and_nothing_else() {
    let server = shop_server().await;
    let wire = Wire::of(&server, &SCOPES);
    let list = || wire.legacy("tools/list", json!({}));
    assert_eq!(
        list().without("mcp-protocol-version").send().await.status,
        200
    );
    for known in VERSIONS {
        assert_eq!(
            list()
                .with("mcp-protocol-version", known)
                .send()
                .await
                .status,
            200,
            "{known}"
        );
    }
    for unknown in ["2099-01-01", "2025-11-25a", "1", ""] {
        let reply = list().with("mcp-protocol-version", unknown).send().await;
        assert_eq!(
            (reply.status, reply.code()),
            (400, Some(-32022)),
            "{unknown}"
        );
        let data = &reply.body["error"]["data"];
        assert_eq!(
            (&data["supported"], &data["requested"]),
            (&json!(VERSIONS), &json!(unknown))
        );
    }
    for doubled in [
        list().header("mcp-protocol-version", LEGACY),
        list()
            .without("mcp-protocol-version")
            .raw_header("mcp-protocol-version", b"\xe9"),
    ] {
        let reply = doubled.send().await;
        assert_eq!(
            (reply.status, reply.code()),
            (400, Some(-32020)),
            "{}",
            reply.text
        );
    }
}

#[tokio::test]
async fn responses_and_notifications_are_accepted_without_a_word() {
    let server = shop_server().await;
    let wire = Wire::of(&server, &SCOPES);
    for body in [
        r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}}"#,
        r#"{"jsonrpc":"2.0","method":"made/up","params":[1]}"#,
        r#"{"jsonrpc":"2.0","id":7,"result":{}}"#,
        r#"{"jsonrpc":"2.0","id":"x","error":{"code":1,"message":"no"}}"#,
    ] {
        let reply = wire
            .body(body)
            .header("mcp-protocol-version", LEGACY)
            .send()
            .await;
        assert_eq!((reply.status, reply.text.as_str()), (202, ""), "{body}");
    }
}

#[tokio::test]
async fn a_batch_is_refused_as_a_whole() {
    let server = shop_server().await;
    let wire = Wire::of(&server, &SCOPES);
    let one = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    for batch in [
        format!("[{one}]"),
        format!("[{one},{one}]"),
        "[]".to_owned(),
    ] {
        let reply = wire
            .body(batch)
            .header("mcp-protocol-version", LEGACY)
            .send()
            .await;
        assert_eq!((reply.status, reply.code()), (400, Some(-32600)));
        assert_eq!(reply.body.get("id"), None);
    }
}

#[tokio::test]
async fn streams_and_sessions_are_not_offered() {
    let server = shop_server().await;
    let host = format!("host: {}", authority(&server));
    let token = format!(
        "authorization: Bearer {}",
        server.token_for("acme", "ada", &[])
    );
    let mut raw = Raw::connect(&server).await;
    for method in ["GET", "DELETE", "PUT", "PATCH", "OPTIONS"] {
        let line = format!("{method} /mcp");
        let answer = raw
            .send(request(
                &line,
                &[&host, &token, "accept: text/event-stream"],
                "",
            ))
            .await
            .answer()
            .await;
        let answer = answer.expect("an answer");
        assert_eq!(
            (answer.status, answer.header("allow")),
            (405, Some("POST")),
            "{method}"
        );
        assert_eq!(answer.json()["error"]["code"], 40501, "{method}");
    }
}
