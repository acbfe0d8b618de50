//! What discovery and the lists tell, and to whom.

use insta::assert_snapshot;
use serde_json::json;

use crate::wire::{SCOPES, Wire, shop_server};

#[tokio::test]
async fn discover_tells_versions_capabilities_and_who_serves_to_everyone_alike() {
    let server = shop_server().await;
    let reply = Wire::of(&server, &[])
        .modern("server/discover", json!({}))
        .send()
        .await;
    assert_eq!(reply.status, 200);
    assert_snapshot!(reply.shown(), @r#"
    {
      "jsonrpc": "2.0",
      "id": 1,
      "result": {
        "resultType": "complete",
        "supportedVersions": [
          "2026-07-28"
        ],
        "capabilities": {
          "tools": {
            "listChanged": true
          },
          "resources": {
            "listChanged": true,
            "subscribe": true
          },
          "prompts": {
            "listChanged": true
          },
          "completions": {},
          "logging": {}
        },
        "ttlMs": 3600000,
        "cacheScope": "public",
        "_meta": {
          "io.modelcontextprotocol/serverInfo": {
            "name": "tollgate",
            "version": "[version]"
          }
        }
      }
    }
    "#);
}

#[tokio::test]
async fn the_tool_list_shows_what_the_caller_may_call_and_is_private_to_it() {
    let server = shop_server().await;
    let reply = Wire::of(&server, &["greet"])
        .modern("tools/list", json!({}))
        .send()
        .await;
    assert_eq!(reply.status, 200);
    let names = |reply: &crate::wire::Reply| -> Vec<String> {
        let tools = reply.body["result"]["tools"].as_array().expect("a list");
        tools
            .iter()
            .map(|tool| tool["name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(
        names(&reply),
        ["greet", "limited", "numbers", "whoami", "refuse", "tick"]
    );
    let mut one = reply;
    one.body["result"]["tools"]
        .as_array_mut()
        .unwrap()
        .truncate(1);
    assert_snapshot!(one.shown(), @r#"
    {
      "jsonrpc": "2.0",
      "id": 1,
      "result": {
        "resultType": "complete",
        "ttlMs": 60000,
        "cacheScope": "private",
        "tools": [
          {
            "name": "greet",
            "title": "Greeting",
            "description": "Greets.",
            "inputSchema": {
              "type": "object",
              "properties": {
                "name": {
                  "type": "string",
                  "description": "Whom to greet."
                }
              },
              "required": [
                "name"
              ],
              "additionalProperties": false
            },
            "outputSchema": {
              "type": "object",
              "properties": {
                "greeting": {
                  "type": "string"
                }
              },
              "required": [
                "greeting"
              ]
            }
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
    let half_a_vault = Wire::of(&server, &["vault:open"])
        .modern("tools/list", json!({}))
        .send()
        .await;
    assert_eq!(
        names(&half_a_vault),
        ["numbers", "whoami", "refuse", "tick"]
    );
    let whole_vault = Wire::of(&server, &["vault:read", "vault:open"])
        .modern("tools/list", json!({}))
        .send()
        .await;
    assert_eq!(
        names(&whole_vault),
        ["vault", "numbers", "whoami", "refuse", "tick"]
    );
}

#[tokio::test]
async fn every_list_says_for_how_long_and_for_whom_it_may_be_kept_and_never_changes_order() {
    let server = shop_server().await;
    let wire = Wire::of(&server, &SCOPES);
    for (method, member, count) in [
        ("tools/list", "tools", 7),
        ("resources/list", "resources", 1),
        ("resources/templates/list", "resourceTemplates", 1),
        ("prompts/list", "prompts", 0),
    ] {
        let first = wire.modern(method, json!({})).send().await;
        let result = &first.body["result"];
        assert_eq!(
            result[member].as_array().map(Vec::len),
            Some(count),
            "{method}"
        );
        assert_eq!(result["resultType"], "complete");
        assert_eq!(result["cacheScope"], "private");
        assert!(result["ttlMs"].is_u64(), "{method}");
        assert_eq!(
            result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"],
            "tollgate"
        );
        assert_eq!(
            result.get("nextCursor"),
            None,
            "everything is on the first page"
        );
        for _ in 0..3 {
            assert_eq!(wire.modern(method, json!({})).send().await.text, first.text);
        }
        // The same scopes in another order, and asked for twice, are the same caller to a list.
        let mut scopes = SCOPES.to_vec();
        scopes.reverse();
        scopes.push("greet");
        let other = Wire::of(&server, &scopes)
            .modern(method, json!({}))
            .send()
            .await;
        assert_eq!(other.text, first.text);
    }
    let stranger = Wire::of(&server, &[])
        .modern("resources/templates/list", json!({}))
        .send()
        .await;
    assert_eq!(stranger.body["result"]["resourceTemplates"], json!([]));
}
