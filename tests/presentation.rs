//! What tools and resources tell clients of themselves stands in the lists as the protocol spells it,
//! follows from what is declared where it can, and never contradicts itself.

#[path = "support/declared.rs"]
mod declared;
#[path = "support/tokens.rs"]
mod tokens;
#[expect(dead_code, reason = "shared with other tests")]
#[path = "support/wire.rs"]
mod wire;

use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;
use tollgate::server::Server;
use tollgate::testing::TestServer;
use tollgate::tool::{Icon, Theme};
use tollgate::{Annotations, CallContext, Resource, Role, Tool, ToolError};
use wire::{Nothing, Wire};

async fn nothing(_: CallContext, _: Nothing) -> Result<String, ToolError> {
    Ok(String::new())
}

fn tool() -> Tool {
    Tool::new("t", "A tool.")
        .any_authenticated()
        .handler(nothing)
}

fn resource(uri: &str) -> Resource {
    Resource::new(uri, "r").any_authenticated().handler(nothing)
}

/// The first entry of a list.
async fn first(wire: &Wire, era: &str, list: &str, member: &str) -> Value {
    let post = match era {
        "modern" => wire.modern(list, json!({})),
        _ => wire.legacy(list, json!({})),
    };
    let reply = post.send().await;
    reply.body["result"][member][0].clone()
}

#[tokio::test]
async fn a_tool_tells_what_it_does_and_how_it_looks() {
    let server = TestServer::start(|server| {
        server.tool(
            tool()
                .title("A title")
                .destructive(false)
                .idempotent()
                .open_world(false)
                .icon(
                    Icon::new("https://tools.example.com/t.png")
                        .mime_type("image/png")
                        .size("48x48")
                        .size("96x96")
                        .theme(Theme::Dark),
                )
                .icon(Icon::new("data:image/svg+xml;base64,PHN2Zy8+")),
        )
    })
    .await;
    let wire = Wire::of(&server, &[]);
    let hints = json!({"destructiveHint": false, "idempotentHint": true, "openWorldHint": false});
    let shown = first(&wire, "modern", "tools/list", "tools").await;
    assert_eq!(shown["annotations"], hints);
    assert_eq!(
        shown["icons"],
        json!([
            {"src": "https://tools.example.com/t.png", "mimeType": "image/png", "sizes": ["48x48", "96x96"], "theme": "dark"},
            {"src": "data:image/svg+xml;base64,PHN2Zy8+"},
        ])
    );
    // Where clients looked for a title before 2025-06-18.
    let shown = first(&wire, "legacy", "tools/list", "tools").await;
    let mut before = json!({"title": "A title"});
    for (name, hint) in hints.as_object().expect("an object") {
        before[name] = hint.clone();
    }
    assert_eq!(shown["annotations"], before);
}

#[tokio::test]
async fn a_tool_that_says_nothing_of_itself_has_no_annotations_and_no_icons() {
    let server = TestServer::start(|server| server.tool(tool())).await;
    let wire = Wire::of(&server, &[]);
    for era in ["modern", "legacy"] {
        let shown = first(&wire, era, "tools/list", "tools").await;
        assert_eq!(shown.get("annotations"), None, "{shown}");
        assert_eq!(shown.get("icons"), None, "{shown}");
    }
}

#[tokio::test]
async fn a_resource_tells_whom_it_is_for_how_much_it_matters_and_how_long_it_is() {
    let dressed = |resource: Resource| {
        resource
            .annotations(
                Annotations::default()
                    .audience([Role::User, Role::Assistant])
                    .priority(0.5)
                    .last_modified("2025-01-12T15:00:58Z"),
            )
            .icon(Icon::new("https://tools.example.com/r.png"))
    };
    let server = TestServer::start(|server| {
        let one = dressed(resource("one://1")).size(1024);
        server
            .resource(one)
            .resource(dressed(resource("many://{id}")))
    })
    .await;
    let wire = Wire::of(&server, &[]);
    let hints = json!({"audience": ["user", "assistant"], "priority": 0.5, "lastModified": "2025-01-12T15:00:58Z"});
    for era in ["modern", "legacy"] {
        let one = first(&wire, era, "resources/list", "resources").await;
        let many = first(&wire, era, "resources/templates/list", "resourceTemplates").await;
        for shown in [&one, &many] {
            assert_eq!(shown["annotations"], hints);
            assert_eq!(
                shown["icons"],
                json!([{"src": "https://tools.example.com/r.png"}])
            );
        }
        assert_eq!(one["size"], 1024);
        assert_eq!(many.get("size"), None);
    }
}

#[test]
fn what_contradicts_itself_or_is_no_icon_is_refused_at_start() {
    let of_tool = |tool: Tool| Server::builder().tool(tool).build().err();
    let of_resource = |resource: Resource| Server::builder().resource(resource).build().err();
    let annotated = |annotations| of_resource(resource("one://1").annotations(annotations));
    let icon = |src: &str| of_tool(tool().icon(Icon::new(src)));
    for fault in [
        of_tool(tool().read_only().destructive(true)),
        icon("javascript:alert(1)"),
        icon("file:///etc/passwd"),
        icon("https://"),
        icon("https://a b"),
        icon("data:image/png,x"),
        icon("icon.png"),
        of_tool(tool().icon(Icon::new("https://a.example/i").size("48"))),
        of_tool(tool().icon(Icon::new("https://a.example/i").size("0x48"))),
        of_resource(resource("one://1").icon(Icon::new("icon.png"))),
        annotated(Annotations::default().priority(1.5)),
        annotated(Annotations::default().priority(f64::NAN)),
        annotated(Annotations::default().last_modified("yesterday")),
        annotated(Annotations::default().last_modified("2025-01-12T15:00:58")),
        of_resource(resource("many://{id}").size(7)),
    ] {
        assert!(fault.is_some());
    }
    assert!(of_tool(tool().read_only().destructive(false)).is_none());
}

/// Tools with this section each, and a resource.
fn yaml(tools: &[(&str, &str)]) -> String {
    let mut yaml = "auth: {issuers: [{issuer: 'https://ci.example.com/', audiences: ['https://tools.example.com/mcp'], secret: '${SECRET}'}]}\n\
         sources: {empty: {sqlite: ./empty.db}, api: {http: 'http://127.0.0.1:9', allowPrivate: [127.0.0.0/8]}}\n"
        .to_owned();
    yaml.push_str("tools:\n");
    for (name, section) in tools {
        yaml.push_str(&format!(
            "  {name}:\n    description: d\n    anyAuthenticated: true\n    {section}\n"
        ));
    }
    yaml
}

const SQL: &str = "sql: {source: empty, statement: 'SELECT 1 AS a', result: one}";

#[tokio::test]
async fn what_a_declared_tool_runs_tells_what_it_does_unless_the_file_says_otherwise() {
    let folder = TempDir::new().expect("a folder");
    fs::write(folder.path().join("empty.db"), b"").expect("a database");
    let http = |method: &str| format!("http: {{source: api, method: {method}, path: /x}}");
    let mut text = yaml(&[
        ("sql", SQL),
        ("get", &http("GET")),
        ("head", &http("HEAD")),
        ("post", &http("POST")),
        ("put", &http("PUT")),
        ("patch", &http("PATCH")),
        ("delete", &http("DELETE")),
        (
            "again",
            "http: {source: api, method: POST, path: /x, idempotent: true}",
        ),
        (
            "said",
            &format!(
                "annotations: {{readOnlyHint: false, destructiveHint: true, openWorldHint: true}}\n    {}",
                http("GET")
            ),
        ),
        (
            "closed",
            &format!(
                "annotations: {{openWorldHint: false}}\n    icons: [{{src: 'https://a.example/i', sizes: [any], theme: light}}]\n    {SQL}"
            ),
        ),
    ]);
    text.push_str(&format!(
        "resources:\n  'a://b':\n    name: n\n    anyAuthenticated: true\n    annotations: {{audience: [user], priority: 1}}\n    size: 3\n    icons: [{{src: 'https://a.example/i', mimeType: image/png}}]\n    {SQL}\n"
    ));
    let server = declared::serve(&text, folder.path()).await;
    let token = declared::token(json!({"sub": "ada", "tenant": "acme"}));
    let wire = Wire::with_token(&server, Some(token));
    let reply = wire.modern("tools/list", json!({})).send().await;
    let tools = reply.body["result"]["tools"].as_array().expect("a list");
    let told = |name: &str| {
        let tool = tools.iter().find(|tool| tool["name"] == name);
        tool.expect("a tool")["annotations"].clone()
    };
    let (reads, repeats) = (
        json!({"readOnlyHint": true}),
        json!({"idempotentHint": true}),
    );
    for (name, expected) in [
        ("sql", reads.clone()),
        ("get", reads.clone()),
        ("head", reads.clone()),
        ("post", Value::Null),
        ("put", repeats.clone()),
        ("patch", Value::Null),
        ("delete", repeats.clone()),
        ("again", repeats.clone()),
        (
            "said",
            json!({"readOnlyHint": false, "destructiveHint": true, "openWorldHint": true}),
        ),
        (
            "closed",
            json!({"readOnlyHint": true, "openWorldHint": false}),
        ),
    ] {
        assert_eq!(told(name), expected, "{name}");
    }
    let closed = tools
        .iter()
        .find(|tool| tool["name"] == "closed")
        .expect("a tool");
    let icons = json!([{"src": "https://a.example/i", "sizes": ["any"], "theme": "light"}]);
    assert_eq!(closed["icons"], icons);
    let shown = first(&wire, "modern", "resources/list", "resources").await;
    assert_eq!(
        shown["annotations"],
        json!({"audience": ["user"], "priority": 1.0})
    );
    assert_eq!(shown["size"], 3);
    assert_eq!(
        shown["icons"],
        json!([{"src": "https://a.example/i", "mimeType": "image/png"}])
    );
}

#[test]
fn hints_that_cannot_be_true_are_faults_of_the_configuration() {
    let folder = TempDir::new().expect("a folder");
    fs::write(folder.path().join("empty.db"), b"").expect("a database");
    let fault = |annotations: &str| {
        let text = yaml(&[("t", &format!("annotations: {annotations}\n    {SQL}"))]);
        match declared::configure(&text, folder.path()) {
            Ok(builder) => builder.build().err().map(|fault| fault.to_string()),
            Err(faults) => Some(faults),
        }
    };
    assert_eq!(fault("{readOnlyHint: true}"), None);
    for (annotations, expected) in [
        (
            "{readOnlyHint: false}",
            "tollgate.yaml:7: tools.t.annotations.readOnlyHint: a SQL statement only reads; remove it",
        ),
        (
            "{destructiveHint: true}",
            "tollgate.yaml:4: tools.t: says that it only reads and that it is destructive: readOnlyHint and destructiveHint cannot both be true",
        ),
        (
            "{readOnly: true}",
            "tools.t.annotations.readOnly: unknown key `readOnly`",
        ),
    ] {
        let fault = fault(annotations).expect("a fault");
        assert!(fault.contains(expected), "{fault}");
    }
}
