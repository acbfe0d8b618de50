//! What good requests and refused calls are answered with, word for word.

use std::time::Duration;

use insta::assert_snapshot;
use serde_json::{Value, json};

use super::{call, greet};
use crate::wire::{SCOPES, Wire, meta, shop_server};

#[tokio::test]
async fn a_call_is_answered_as_structured_content_and_as_text() {
    let server = shop_server().await;
    let wire = Wire::of(&server, &SCOPES);
    let reply = greet(&wire).send().await;
    assert_eq!(reply.status, 200);
    assert_snapshot!(reply.shown(), @r#"
    {
      "jsonrpc": "2.0",
      "id": 1,
      "result": {
        "resultType": "complete",
        "content": [
          {
            "type": "text",
            "text": "{\"greeting\":\"Hello Ada\"}"
          }
        ],
        "structuredContent": {
          "greeting": "Hello Ada"
        },
        "isError": false,
        "_meta": {
          "io.modelcontextprotocol/serverInfo": {
            "name": "tollgate",
            "version": "[version]"
          }
        }
      }
    }
    "#);
    let list = wire
        .modern("tools/call", call("numbers", json!({})))
        .send()
        .await;
    assert_eq!(list.body["result"]["structuredContent"], json!([1, 2, 3]));
    assert_eq!(list.tool_text(), "[1,2,3]");
    let text = wire
        .modern("tools/call", call("limited", json!({})))
        .send()
        .await;
    assert_eq!(text.body["result"]["structuredContent"], "let in");
    assert_eq!(text.tool_text(), "let in");
    let without_arguments = wire
        .modern("tools/call", json!({"name": "numbers"}))
        .send()
        .await;
    assert_eq!(without_arguments.tool_text(), "[1,2,3]");
}

#[tokio::test]
async fn what_the_model_can_mend_is_told_in_a_result() {
    let server = shop_server().await;
    let wire = Wire::of(&server, &SCOPES);
    let reply = wire
        .modern("tools/call", call("greet", json!({"nome": "Ada"})))
        .send()
        .await;
    assert_eq!((reply.status, reply.code()), (200, None));
    assert_snapshot!(reply.shown(), @r#"
    {
      "jsonrpc": "2.0",
      "id": 1,
      "result": {
        "resultType": "complete",
        "content": [
          {
            "type": "text",
            "text": "Invalid arguments: /: Additional properties are not allowed ('nome' was unexpected); /: \"name\" is a required property"
          }
        ],
        "isError": true,
        "_meta": {
          "io.modelcontextprotocol/serverInfo": {
            "name": "tollgate",
            "version": "[version]"
          },
          "tollgate/callId": "[call]"
        }
      }
    }
    "#);
    let refused = wire
        .modern("tools/call", call("refuse", json!({})))
        .send()
        .await;
    assert_eq!(refused.tool_text(), "not on a Sunday");
    assert_eq!(refused.body["result"]["isError"], true);
    assert_eq!(refused.body["result"].get("structuredContent"), None);
    let of_type = wire
        .modern("tools/call", call("greet", json!({"name": 7})))
        .send()
        .await;
    assert!(of_type.tool_text().contains("/name"), "{}", of_type.text);
}

#[tokio::test]
async fn a_tenant_over_its_quota_is_told_when_to_retry_on_a_connection_that_stays_good() {
    let server = shop_server().await;
    let wire = Wire::of(&server, &SCOPES);
    let limited = || wire.modern("tools/call", call("limited", json!({})));
    for (remaining, reset) in [(1, 5), (0, 10)] {
        let reply = limited().send().await;
        let limit = format!("\"default\";r={remaining};t={reset}");
        assert_eq!(reply.header("ratelimit"), Some(&*limit));
        assert_eq!(
            reply.header("ratelimit-policy"),
            Some("\"default\";q=2;w=10")
        );
    }
    server.clock().advance(Duration::from_millis(1_500));
    let reply = limited().send().await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("retry-after"), Some("4"));
    assert_eq!(reply.header("ratelimit"), Some("\"default\";r=0;t=9"));
    assert_eq!(
        reply.header("ratelimit-policy"),
        Some("\"default\";q=2;w=10")
    );
    assert_snapshot!(reply.shown(), @r#"
    {
      "jsonrpc": "2.0",
      "id": 1,
      "error": {
        "code": 42901,
        "message": "Rate limit exceeded; retry in 3.5 s",
        "data": {
          "callId": "[call]",
          "retryAfterMs": 3500
        }
      }
    }
    "#);
    server.clock().advance(Duration::from_millis(3_500));
    assert_eq!(limited().send().await.tool_text(), "let in");
}

#[tokio::test]
async fn missing_scopes_are_told_all_at_once_in_error_and_challenge() {
    let server = shop_server().await;
    let wire = Wire::of(&server, &["greet", "vault:read"]);
    let reply = wire
        .modern("tools/call", call("vault", json!({})))
        .send()
        .await;
    assert_eq!(reply.status, 403);
    let challenge = format!(
        "Bearer error=\"insufficient_scope\", resource_metadata=\"{}/.well-known/oauth-protected-resource/mcp\", scope=\"vault:open vault:read\"",
        server.url()
    );
    assert_eq!(reply.header("www-authenticate"), Some(&*challenge));
    assert_snapshot!(reply.shown(), @r#"
    {
      "jsonrpc": "2.0",
      "id": 1,
      "error": {
        "code": 40301,
        "message": "Missing scopes: ['vault:open']",
        "data": {
          "callId": "[call]",
          "requiredScopes": [
            "vault:open",
            "vault:read"
          ],
          "missingScopes": [
            "vault:open"
          ]
        }
      }
    }
    "#);
    let resource = wire
        .modern("resources/read", json!({"uri": "notes://1"}))
        .send()
        .await;
    assert_eq!((resource.status, resource.code()), (403, Some(40301)));
    assert!(
        resource
            .header("www-authenticate")
            .unwrap()
            .ends_with("scope=\"notes\"")
    );
}

#[tokio::test]
async fn a_resource_is_read_under_the_uri_that_was_asked_for() {
    let server = shop_server().await;
    let wire = Wire::of(&server, &SCOPES);
    let reply = wire
        .modern("resources/read", json!({"uri": "notes://%31"}))
        .send()
        .await;
    assert_eq!(reply.status, 200);
    assert_snapshot!(reply.shown(), @r#"
    {
      "jsonrpc": "2.0",
      "id": 1,
      "result": {
        "resultType": "complete",
        "ttlMs": 0,
        "cacheScope": "private",
        "contents": [
          {
            "uri": "notes://%31",
            "mimeType": "text/plain",
            "text": "a note of acme"
          }
        ],
        "_meta": {
          "io.modelcontextprotocol/serverInfo": {
            "name": "tollgate",
            "version": "[version]"
          }
        }
      }
    }
    "#);
    let fixed = wire
        .modern("resources/read", json!({"uri": "about://shop"}))
        .send()
        .await;
    let contents = &fixed.body["result"]["contents"][0];
    assert_eq!(contents["text"], "{\"open\":true}");
    assert_eq!(contents["mimeType"], "application/json");
}

#[tokio::test]
async fn a_resource_that_does_not_exist_and_one_that_never_could_get_one_answer() {
    let server = shop_server().await;
    let wire = Wire::of(&server, &SCOPES);
    let reply = wire
        .modern("resources/read", json!({"uri": "notes://2"}))
        .send()
        .await;
    assert_snapshot!(reply.shown(), @r#"
    {
      "jsonrpc": "2.0",
      "id": 1,
      "error": {
        "code": -32602,
        "message": "Resource not found",
        "data": {
          "callId": "[call]",
          "uri": "notes://2"
        }
      }
    }
    "#);
    let unknown = wire
        .modern("resources/read", json!({"uri": "nobody://2"}))
        .send()
        .await;
    assert_eq!(
        unknown.shown(),
        reply.shown().replace("notes://2", "nobody://2")
    );
}

#[tokio::test]
async fn identity_comes_from_the_token_whatever_the_message_claims() {
    let server = shop_server().await;
    let wire = Wire::of(&server, &["greet"]);
    let mut meta = meta();
    for (name, value) in [
        ("tenant_id", json!("globex")),
        ("tenant", json!("globex")),
        ("sub", json!("root")),
        ("scopes", json!(["vault:open"])),
        ("granted_scopes", json!(["vault:open", "vault:read"])),
        ("tool_name", json!("vault")),
    ] {
        meta[name] = value;
    }
    let claims = meta.clone();
    let mut params = call("whoami", json!({}));
    for (name, value) in claims.as_object().expect("an object") {
        params[name] = value.clone();
    }
    params["_meta"] = meta.clone();
    let reply = wire.modern("tools/call", params.clone()).send().await;
    let expected = json!({"tenant": "acme", "subject": "ada", "scopes": ["greet"]});
    assert_eq!(reply.body["result"]["structuredContent"], expected);
    params["name"] = json!("vault");
    assert_eq!(
        wire.modern("tools/call", params).send().await.code(),
        Some(40301)
    );
    for name in ["tenant_id", "granted_scopes", "scopes", "sub"] {
        let mut arguments = json!({});
        arguments[name] = meta.get(name).cloned().unwrap_or(Value::Null);
        let reply = wire
            .modern("tools/call", call("whoami", arguments))
            .send()
            .await;
        assert_eq!(reply.body["result"]["isError"], true, "{name}");
        assert!(
            reply.tool_text().starts_with("Invalid arguments"),
            "{}",
            reply.text
        );
    }
}

#[tokio::test]
async fn a_client_that_takes_event_streams_alone_gets_one_event() {
    let server = shop_server().await;
    let wire = Wire::of(&server, &SCOPES);
    let json = greet(&wire).send().await;
    let stream = greet(&wire)
        .with("accept", "text/event-stream")
        .send()
        .await;
    assert_eq!(stream.header("content-type"), Some("text/event-stream"));
    assert_eq!(
        stream.text,
        format!("event: message\ndata: {}\n\n", json.text)
    );
    for any in [
        "*/*",
        "application/*",
        "application/json;q=0.1, text/event-stream",
    ] {
        let reply = greet(&wire).with("accept", any).send().await;
        assert_eq!(reply.text, json.text, "{any}");
    }
    let neither = greet(&wire).with("accept", "text/html").send().await;
    assert_eq!((neither.status, neither.code()), (406, Some(40601)));
}
