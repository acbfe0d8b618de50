//! Answers of every shape fit the output schema that the same client was shown.

use std::sync::Arc;

use insta::assert_snapshot;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;
use tollgate::testing::TestServer;
use tollgate::{CallContext, Tool};

use super::{call, is_legacy};
use crate::wire::{Nothing, Wire, shop, shop_server};

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "lowercase", tag = "kind")]
enum Shape {
    Circle { radius: f64 },
    Square { side: f64 },
}

#[derive(Serialize, JsonSchema)]
struct Tree {
    name: String,
    children: Vec<Tree>,
}

/// Tools whose answers are objects, lists, plain values, or now this and now that.
async fn many_shapes() -> TestServer {
    TestServer::start(|server| {
        let tool = |name: &str| Tool::new(name, "Answers.").any_authenticated();
        shop(server, Arc::default())
            .tool(
                tool("variants").handler(async |_: CallContext, _: Nothing| {
                    Ok(vec![
                        Shape::Square { side: 1.0 },
                        Shape::Circle { radius: 2.0 },
                    ])
                }),
            )
            .tool(
                tool("variant")
                    .handler(async |_: CallContext, _: Nothing| Ok(Shape::Circle { radius: 2.0 })),
            )
            .tool(tool("maybe").handler(async |_: CallContext, _: Nothing| {
                Ok(Some(Tree {
                    name: "a".to_owned(),
                    children: Vec::new(),
                }))
            }))
            .tool(tool("tree").handler(async |_: CallContext, _: Nothing| {
                let leaf = Tree {
                    name: "leaf".to_owned(),
                    children: Vec::new(),
                };
                Ok(Tree {
                    name: "root".to_owned(),
                    children: vec![leaf],
                })
            }))
            .tool(
                tool("anything").handler(async |_: CallContext, _: Nothing| Ok(json!({"a": [1]}))),
            )
            .tool(tool("nothing").handler(async |_: CallContext, _: Nothing| Ok(())))
            .tool(tool("number").handler(async |_: CallContext, _: Nothing| Ok(1.5)))
    })
    .await
}

#[tokio::test]
async fn structured_content_is_an_object_and_fits_the_schema_the_list_shows() {
    let server = many_shapes().await;
    let wire = Wire::of(&server, &["greet"]);
    let list = wire.legacy("tools/list", json!({})).send().await;
    let mut seen = Vec::new();
    for tool in list.body["result"]["tools"].as_array().expect("a list") {
        let name = tool["name"].as_str().expect("a name");
        let schema = &tool["outputSchema"];
        assert_eq!(schema["type"], "object", "{name}: {schema}");
        assert_eq!(tool["inputSchema"]["type"], "object", "{name}");
        let arguments = if name == "greet" {
            json!({"name": "Ada"})
        } else {
            json!({})
        };
        let reply = wire
            .legacy("tools/call", call(name, arguments))
            .send()
            .await;
        let result = &reply.body["result"];
        assert!(
            is_legacy(result) || result["isError"] == true,
            "{}",
            reply.text
        );
        if result["isError"] == false {
            let content = &result["structuredContent"];
            let validator = jsonschema::validator_for(schema).expect("a good schema");
            assert!(content.is_object(), "{name}: {content}");
            assert!(
                validator.is_valid(content),
                "{name}: {content} breaks {schema}"
            );
            seen.push(name);
        }
    }
    assert_eq!(seen.len(), 12, "{seen:?}");
}

#[tokio::test]
async fn modern_clients_get_the_same_answers_bare() {
    let server = many_shapes().await;
    let wire = Wire::of(&server, &["greet"]);
    let list = wire.modern("tools/list", json!({})).send().await;
    let mut seen = 0;
    for tool in list.body["result"]["tools"].as_array().expect("a list") {
        let name = tool["name"].as_str().expect("a name");
        let arguments = if name == "greet" {
            json!({"name": "Ada"})
        } else {
            json!({})
        };
        let reply = wire
            .modern("tools/call", call(name, arguments))
            .send()
            .await;
        let schema = &tool["outputSchema"];
        assert!(schema.is_object(), "{name}: {schema}");
        if reply.body["result"]["isError"] == false {
            let validator = jsonschema::validator_for(schema).expect("a good schema");
            assert!(
                validator.is_valid(&reply.body["result"]["structuredContent"]),
                "{name}"
            );
            seen += 1;
        }
    }
    assert_eq!(seen, 12);
}

#[tokio::test]
async fn a_list_is_wrapped_and_told_as_text_as_it_is() {
    let server = shop_server().await;
    let reply = Wire::of(&server, &[])
        .legacy("tools/call", call("numbers", json!({})))
        .send()
        .await;
    assert_snapshot!(reply.shown(), @r#"
    {
      "jsonrpc": "2.0",
      "id": 1,
      "result": {
        "content": [
          {
            "type": "text",
            "text": "[1,2,3]"
          }
        ],
        "structuredContent": {
          "result": [
            1,
            2,
            3
          ]
        },
        "isError": false
      }
    }
    "#);
}
