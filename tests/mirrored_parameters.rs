//! What a tool asks for in `Mcp-Param-*` headers says the same as the body, or the call does not take
//! place (2026-07-28, streamable-http, "Custom Headers from Tool Parameters").

#[expect(dead_code, reason = "shared with other tests")]
#[path = "support/audit.rs"]
mod audit;
#[expect(dead_code, reason = "shared with other tests")]
#[path = "support/declared.rs"]
mod declared;
#[path = "support/tokens.rs"]
mod tokens;
#[expect(dead_code, reason = "shared with other tests")]
#[path = "support/wire.rs"]
mod wire;

use std::fs;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;
use tollgate::audit::Durability;
use tollgate::server::ServerBuilder;
use tollgate::testing::TestServer;
use tollgate::{CallContext, Tool, ToolError};
use wire::{Post, Reply, Wire};

/// Inline, since no header is read through a `$ref`.
#[derive(Deserialize, JsonSchema)]
#[schemars(inline)]
struct Page {
    #[serde(default)]
    #[schemars(extend("x-mcp-header" = "Page-Size"))]
    size: i64,
}

#[derive(Deserialize, JsonSchema)]
struct Search {
    #[schemars(extend("x-mcp-header" = "Region"))]
    region: String,
    #[serde(default)]
    #[schemars(extend("x-mcp-header" = "Dry-Run"))]
    dry_run: bool,
    page: Page,
}

async fn search(_: CallContext, args: Search) -> Result<String, ToolError> {
    Ok(format!(
        "{} {} {}",
        args.region, args.dry_run, args.page.size
    ))
}

fn tools(builder: ServerBuilder) -> ServerBuilder {
    let search = Tool::new("search", "Searches.")
        .scope("search")
        .handler(search);
    builder.tool(search)
}

async fn server() -> TestServer {
    TestServer::start(tools).await
}

/// A call, with no header of its own.
fn call(wire: &Wire, arguments: Value) -> Post {
    wire.modern(
        "tools/call",
        json!({"name": "search", "arguments": arguments}),
    )
}

fn usual() -> Value {
    json!({"region": "eu", "page": {}})
}

fn refused(reply: &Reply, message: &str) {
    assert_eq!(
        (reply.status, reply.code()),
        (400, Some(-32020)),
        "{}",
        reply.text
    );
    let told = format!("Header mismatch: {message}");
    assert_eq!(reply.body["error"]["message"], told);
}

#[tokio::test]
async fn a_header_that_says_what_the_body_says_lets_the_call_through() {
    let server = server().await;
    let wire = Wire::of(&server, &["search"]);
    for (region, header) in [
        ("us-west1", "us-west1"),
        ("us-west1", "  us-west1 "),
        ("us-west1", "=?base64?dXMtd2VzdDE=?="),
        ("Hello, 世界", "=?base64?SGVsbG8sIOS4lueVjA==?="),
        (" padded ", "=?base64?IHBhZGRlZCA=?="),
        ("line1\nline2", "=?base64?bGluZTEKbGluZTI=?="),
        ("=?base64?literal?=", "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?="),
        ("SGVsbG8=", "SGVsbG8="),
        ("=?base64?SGVsbG8=", "=?base64?SGVsbG8="),
        ("=?BASE64?SGVsbG8=?=", "=?BASE64?SGVsbG8=?="),
        ("", ""),
        ("", "=?base64??="),
        ("a\tb", "a\tb"),
    ] {
        let call = call(&wire, json!({"region": region, "page": {}}));
        let reply = call.header("mcp-param-region", header).send().await;
        assert_eq!(reply.tool_text(), format!("{region} false 0"), "{header}");
    }
    let all = json!({"region": "eu", "dry_run": true, "page": {"size": 42}});
    for size in ["42", "42.0"] {
        let call = call(&wire, all.clone())
            .header("MCP-PARAM-REGION", "eu")
            .header("Mcp-Param-Dry-Run", "true")
            .header("mcp-param-page-size", size)
            // What no parameter stands for is for others.
            .header("mcp-param-tenant", "acme");
        assert_eq!(call.send().await.tool_text(), "eu true 42");
    }
}

#[tokio::test]
async fn a_header_that_is_missing_doubled_broken_or_different_is_400_and_32020() {
    let server = server().await;
    let wire = Wire::of(&server, &["search"]);
    let region = "mcp-param-region";
    let reply = call(&wire, usual()).send().await;
    refused(&reply, "Mcp-Param-Region is missing");
    let broken = "Mcp-Param-Region is not valid Base64 of UTF-8";
    let differs = "Mcp-Param-Region differs from the body";
    for (header, message) in [
        ("EU", differs),
        ("us", differs),
        ("", differs),
        ("eu,eu", differs),
        ("=?base64?ZXU?=", broken),
        ("=?base64?Z!!!XU=?=", broken),
        ("=?base64?/w==?=", broken),
        ("=?base64?RVU=?=", differs),
    ] {
        let reply = call(&wire, usual()).header(region, header).send().await;
        refused(&reply, message);
    }
    let once = "Mcp-Param-Region must be sent once, in visible ASCII";
    let twice = call(&wire, usual())
        .header(region, "eu")
        .header(region, "eu");
    refused(&twice.send().await, once);
    let raw = call(&wire, usual()).raw_header(region, b"e\xfc");
    refused(&raw.send().await, once);
    let flag = json!({"region": "eu", "dry_run": false, "page": {}});
    for header in ["True", "0", "true"] {
        let call = call(&wire, flag.clone()).header(region, "eu");
        let reply = call.header("mcp-param-dry-run", header).send().await;
        refused(&reply, "Mcp-Param-Dry-Run differs from the body");
    }
    let sized = json!({"region": "eu", "page": {"size": 42}});
    for header in ["43", "42.5", "0x2a", ""] {
        let call = call(&wire, sized.clone()).header(region, "eu");
        let reply = call.header("mcp-param-page-size", header).send().await;
        refused(&reply, "Mcp-Param-Page-Size differs from the body");
    }
    let nested = call(&wire, sized).header(region, "eu").send().await;
    refused(&nested, "Mcp-Param-Page-Size is missing");
    wire.modern("tools/list", json!({})).send().await;
}

#[tokio::test]
async fn for_an_argument_that_is_not_there_there_is_no_header() {
    let server = server().await;
    let wire = Wire::of(&server, &["search"]);
    let eu = |arguments: Value| call(&wire, arguments).header("mcp-param-region", "eu");
    assert_eq!(eu(usual()).send().await.tool_text(), "eu false 0");
    // Somebody on the way might have believed it; the default is another one.
    let absent = "Mcp-Param-Dry-Run stands for an argument that is not there";
    let reply = eu(usual()).header("mcp-param-dry-run", "true").send().await;
    refused(&reply, absent);
    let null = json!({"region": "eu", "dry_run": null, "page": {}});
    let reply = eu(null.clone())
        .header("mcp-param-dry-run", "true")
        .send()
        .await;
    refused(&reply, absent);
    // Null is off this schema, which is for the arguments to tell.
    let reply = eu(null).send().await;
    assert_eq!(reply.body["result"]["isError"], true, "{}", reply.text);
    let reply = eu(json!({"region": ["eu"], "page": {}})).send().await;
    assert_eq!(reply.body["result"]["isError"], true, "{}", reply.text);
}

#[tokio::test]
async fn who_may_not_call_the_tool_learns_nothing_of_its_headers() {
    let server = server().await;
    let stranger = Wire::of(&server, &[]);
    let reply = call(&stranger, usual()).send().await;
    assert_eq!(
        (reply.status, reply.code()),
        (403, Some(40301)),
        "{}",
        reply.text
    );
}

#[tokio::test]
async fn clients_of_older_revisions_send_no_such_headers() {
    let server = server().await;
    let wire = Wire::of(&server, &["search"]);
    let params = json!({"name": "search", "arguments": usual()});
    let reply = wire.legacy("tools/call", params).send().await;
    assert_eq!(reply.tool_text(), "eu false 0");
    let listed = wire.modern("tools/list", json!({})).send().await;
    let properties = &listed.body["result"]["tools"][0]["inputSchema"]["properties"];
    assert_eq!(properties["region"]["x-mcp-header"], "Region");
}

#[tokio::test]
async fn a_call_that_was_refused_for_its_headers_is_on_record() {
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("audit.jsonl");
    let settings = audit::settings(&file, Durability::Strict);
    let server = TestServer::start(|builder| tools(builder).audit(settings)).await;
    let reply = call(&Wire::of(&server, &["search"]), usual()).send().await;
    refused(&reply, "Mcp-Param-Region is missing");
    let text = fs::read_to_string(&file).expect("a log");
    let call_id = reply.header("tollgate-call-id").expect("an id");
    let line = text
        .lines()
        .find(|line| line.contains(call_id))
        .expect("a line");
    let line: Value = serde_json::from_str(line).expect("JSON");
    for (member, value) in [
        ("method", "tools/call"),
        ("subject", "ada"),
        ("outcome", "invalid"),
        ("error", "header-mismatch"),
    ] {
        assert_eq!(line[member], value, "{line}");
    }
}

#[test]
fn an_annotation_that_clients_would_drop_the_tool_for_is_a_fault_of_the_configuration() {
    let yaml = |parameters: &str| {
        format!(
            "auth: {{issuers: [{{issuer: i, audiences: [a], secret: '${{SECRET}}'}}]}}\n\
             sources: {{empty: {{sqlite: ./empty.db}}}}\ntools:\n  find:\n    description: Finds.\n    \
             anyAuthenticated: true\n    parameters: {parameters}\n    \
             sql: {{source: empty, statement: 'SELECT :a AS a', result: one}}\n"
        )
    };
    let folder = TempDir::new().expect("a folder");
    fs::write(folder.path().join("empty.db"), b"").expect("a database");
    let fault = |parameters: &str| {
        let builder = declared::configure(&yaml(parameters), folder.path()).expect("a good text");
        builder.build().err().map(|fault| fault.to_string())
    };
    assert_eq!(fault("{a: {type: string, x-mcp-header: Region}}"), None);
    let number = fault("{a: {type: number, x-mcp-header: Region}}").expect("a fault");
    assert!(
        number.contains("tollgate.yaml:4: tools.find: x-mcp-header at `a`: the type must be one of string, integer and boolean"),
        "{number}"
    );
    let name = fault("{a: {type: string, x-mcp-header: 'a b'}}").expect("a fault");
    assert!(
        name.contains("it must be a name for a header, such as Region"),
        "{name}"
    );
}
