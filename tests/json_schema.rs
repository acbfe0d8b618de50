//! A schema that an author writes is shown to clients as it is, and holds for every call: the whole of
//! JSON Schema 2020-12 that stays inside it.

#[expect(dead_code, reason = "shared with other tests")]
#[path = "support/wire.rs"]
mod wire;

use serde_json::{Value, json};
use tollgate::server::Server;
use tollgate::testing::TestServer;
use tollgate::tool::Arguments;
use tollgate::{CallContext, Tool, ToolError};
use wire::Wire;

/// What the protocol's own conformance suite lists.
fn schema() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": {"address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }},
        "properties": {
            "name": {"type": "string"},
            "address": {"$ref": "#/$defs/address"},
            "second": {"$ref": "#addressDef"},
            "contactMethod": {"type": "string", "enum": ["phone", "email"]},
            "phone": {"type": "string"},
            "email": {"type": "string"},
        },
        "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
        "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
        "then": {"required": ["phone"]},
        "else": {"required": ["email"]},
        "additionalProperties": false,
    })
}

async fn echo(_: CallContext, args: Arguments) -> Result<Value, ToolError> {
    Ok(Value::Object(args))
}

fn tool(name: &str) -> Tool {
    Tool::new(name, "Takes a contact.").any_authenticated()
}

async fn server() -> TestServer {
    TestServer::start(|server| {
        server
            .tool(tool("before").input_schema(schema()).handler(echo))
            .tool(tool("after").handler(echo).input_schema(schema()))
    })
    .await
}

#[tokio::test]
async fn a_schema_is_listed_as_it_was_written_in_both_eras() {
    let server = server().await;
    let wire = Wire::of(&server, &[]);
    let lists = [
        wire.modern("tools/list", json!({})).send().await,
        wire.legacy("tools/list", json!({})).send().await,
    ];
    for reply in lists {
        let tools = reply.body["result"]["tools"].as_array().expect("a list");
        assert_eq!(tools.len(), 2);
        for tool in tools {
            // As text, so that the order of members counts, too.
            assert_eq!(tool["inputSchema"].to_string(), schema().to_string());
        }
    }
}

#[tokio::test]
async fn every_keyword_of_it_holds_for_a_call() {
    let server = server().await;
    let wire = Wire::of(&server, &[]);
    let call = async |arguments: &Value| {
        let params = json!({"name": "before", "arguments": arguments});
        wire.modern("tools/call", params).send().await
    };
    for good in [
        json!({"email": "a@b.c"}),
        json!({"contactMethod": "phone", "phone": "1"}),
        json!({"email": "a@b.c", "address": {"city": "Paris"}, "second": {"street": "s", "x": 1}}),
    ] {
        let reply = call(&good).await;
        assert_eq!(
            reply.body["result"]["structuredContent"], good,
            "{}",
            reply.text
        );
    }
    for bad in [
        json!({}),
        json!({"phone": "1"}),
        json!({"contactMethod": "phone", "email": "a@b.c"}),
        json!({"contactMethod": "post", "email": "a@b.c"}),
        json!({"email": "a@b.c", "address": {"city": 7}}),
        json!({"email": "a@b.c", "second": {"city": 7}}),
        json!({"email": "a@b.c", "other": 1}),
        json!({"email": "a@b.c", "name": null}),
    ] {
        let reply = call(&bad).await;
        assert_eq!(reply.status, 200);
        assert_eq!(
            reply.body["result"]["isError"], true,
            "{bad}: {}",
            reply.text
        );
    }
}

#[test]
fn a_schema_that_reaches_out_or_is_of_another_kind_is_refused_at_start() {
    let fault = |schema: Value| {
        let built = Server::builder().tool(tool("t").input_schema(schema).handler(echo));
        built.build().err().map(|fault| fault.to_string())
    };
    assert_eq!(fault(json!({"type": "object"})), None);
    for (bad, expected) in [
        (
            json!({"type": "object", "properties": {"a": {"$ref": "https://127.0.0.1:9/s.json"}}}),
            "its input schema",
        ),
        (
            json!({"type": "object", "properties": {"a": {"$ref": "file:///etc/passwd"}}}),
            "its input schema",
        ),
        (
            json!({"type": "object", "properties": {"a": {"$ref": "#/$defs/none"}}}),
            "its input schema",
        ),
        (
            json!({"$schema": "http://json-schema.org/draft-07/schema#", "type": "object"}),
            "`$schema` must be https://json-schema.org/draft/2020-12/schema",
        ),
        (
            json!({"type": "object", "properties": {"a": {"pattern": "(a)\\1"}}}),
            "its input schema",
        ),
        (
            json!({"type": "object", "properties": {"a": {"type": "text"}}}),
            "its input schema",
        ),
        (json!({"type": "array"}), "its arguments must be an object"),
        (json!({}), "its arguments must be an object"),
        (json!(true), "its arguments must be an object"),
    ] {
        let fault = fault(bad).expect("a fault");
        assert!(fault.contains(expected), "{fault}");
    }
}
