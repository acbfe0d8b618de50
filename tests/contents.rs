//! The promise of what answers are made of: texts, pictures, sound, links and resources arrive as their
//! author made them, in both eras and by REST, and beside a value for programs where there is one.

#[path = "support/wire.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod wire;

use std::future::ready;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tollgate::server::ServerBuilder;
use tollgate::testing::TestServer;
use tollgate::{
    Annotations, CallContext, Content, Link, Resource, ResourceContents, Role, Tool, ToolError,
    ToolOutput,
};

use wire::{Nothing, Wire};

#[derive(Deserialize, JsonSchema)]
struct Id {
    id: String,
}

#[derive(Serialize, JsonSchema)]
struct Sum {
    sum: u32,
}

fn answering(name: &str, answer: impl Fn() -> ToolOutput + Send + Sync + 'static) -> Tool {
    Tool::new(name, "Answers.")
        .any_authenticated()
        .handler(move |_: CallContext, _: Nothing| ready(Ok::<_, ToolError>(answer())))
}

fn pieces() -> ToolOutput {
    let note = Annotations::default().audience([Role::User]).priority(0.5);
    let link = Link::new("docs://1", "one").title("One").size_bytes(7);
    ToolOutput::content([
        Content::text("a \u{2028} \u{1b}[31m \"quoted\"\nline").annotations(note),
        Content::image(b"\0\xff", "image/png"),
        Content::audio(b"", "audio/wav"),
        Content::link(link),
        Content::embedded("docs://2", ResourceContents::blob(b"\x01").mime_type("x/y")),
    ])
}

fn expected_pieces() -> Value {
    json!([
        {"type": "text", "text": "a \u{2028} \u{1b}[31m \"quoted\"\nline", "annotations": {"audience": ["user"], "priority": 0.5}},
        {"type": "image", "data": "AP8=", "mimeType": "image/png"},
        {"type": "audio", "data": "", "mimeType": "audio/wav"},
        {"type": "resource_link", "uri": "docs://1", "name": "one", "title": "One", "size": 7},
        {"type": "resource", "resource": {"uri": "docs://2", "mimeType": "x/y", "blob": "AQ=="}},
    ])
}

fn set_up(server: ServerBuilder) -> ServerBuilder {
    let both = || ToolOutput::content([Content::text("three")]).with_structured(json!({"sum": 3}));
    let off =
        || ToolOutput::content([Content::text("three")]).with_structured(json!({"sum": "three"}));
    let bare = || ToolOutput::content([Content::text("three")]);
    let folder = |_: CallContext, id: Id| {
        let other = ResourceContents::blob(b"b")
            .at("docs://other")
            .mime_type("x/z");
        let named = ResourceContents::text(id.id);
        ready(Ok::<_, ToolError>(ToolOutput::resource([named, other])))
    };
    server
        .tool(answering("pieces", pieces))
        .tool(answering("none", || ToolOutput::content([])))
        .tool(answering("both", both).output::<Sum>())
        .tool(answering("off", off).output::<Sum>())
        .tool(answering("bare", bare).output::<Sum>())
        .resource(
            Resource::new("docs://{id}", "doc")
                .mime_type("text/plain")
                .any_authenticated()
                .handler(folder),
        )
}

/// The results of a method in both eras.
async fn results(wire: &Wire, method: &str, params: Value) -> [Value; 2] {
    let modern = wire.modern(method, params.clone()).send().await;
    let legacy = wire.legacy(method, params).send().await;
    assert_eq!(
        (modern.status, legacy.status),
        (200, 200),
        "{} {}",
        modern.text,
        legacy.text
    );
    [modern.body["result"].clone(), legacy.body["result"].clone()]
}

fn call(name: &str) -> Value {
    json!({"name": name, "arguments": {}})
}

#[tokio::test]
async fn every_kind_of_content_arrives_as_it_was_made_in_both_eras() {
    let server = TestServer::start(set_up).await;
    let ada = Wire::of(&server, &[]);
    for result in results(&ada, "tools/call", call("pieces")).await {
        assert_eq!(result["content"], expected_pieces());
        assert_eq!(
            (&result["isError"], result.get("structuredContent")),
            (&json!(false), None)
        );
    }
    for result in results(&ada, "tools/call", call("none")).await {
        assert_eq!(result["content"], json!([]));
    }
    for result in results(&ada, "tools/call", call("both")).await {
        assert_eq!(
            result["content"],
            json!([{"type": "text", "text": "three"}])
        );
        assert_eq!(result["structuredContent"], json!({"sum": 3}));
    }
}

#[tokio::test]
async fn a_value_off_its_schema_or_missing_is_the_tools_own_fault_and_is_not_told() {
    let server = TestServer::start(set_up).await;
    let ada = Wire::of(&server, &[]);
    for name in ["off", "bare"] {
        let reply = ada.modern("tools/call", call(name)).send().await;
        assert_eq!(
            (reply.status, reply.code()),
            (200, Some(-32603)),
            "{}",
            reply.text
        );
        assert!(!reply.text.contains("three"), "{}", reply.text);
        let reply = ada.legacy("tools/call", call(name)).send().await;
        assert_eq!(
            (reply.status, reply.code()),
            (200, Some(-32603)),
            "{}",
            reply.text
        );
    }
}

#[tokio::test]
async fn a_resource_of_several_parts_names_those_that_do_not_name_themselves() {
    let server = TestServer::start(set_up).await;
    let ada = Wire::of(&server, &[]);
    for result in results(&ada, "resources/read", json!({"uri": "docs://7"})).await {
        let expected = json!([
            {"uri": "docs://7", "mimeType": "text/plain", "text": "7"},
            {"uri": "docs://other", "mimeType": "x/z", "blob": "Yg=="},
        ]);
        assert_eq!(result["contents"], expected);
    }
}

#[tokio::test]
async fn a_program_gets_the_value_by_rest_and_the_pieces_where_there_is_none() {
    let server = TestServer::start(set_up).await;
    for (name, expected) in [
        ("both", json!({"sum": 3})),
        ("pieces", json!({"content": expected_pieces()})),
        ("none", json!({"content": []})),
    ] {
        let answer = reqwest::Client::new()
            .post(format!("{}/mcp/tool/{name}", server.url()))
            .bearer_auth(server.token_for("acme", "ada", &[]))
            .json(&json!({}))
            .send()
            .await
            .expect("an answer");
        let answer: Value = answer.json().await.expect("JSON");
        assert_eq!(answer, json!({"ok": true, "result": expected}), "{name}");
    }
}
