//! Clients of revision 2026-07-28 get what the revision owes them, and their mistakes the right
//! status and code.

#[expect(dead_code, reason = "shared with other tests")]
#[path = "support/wire.rs"]
mod wire;

#[path = "mcp_modern/answers.rs"]
mod answers;
#[path = "mcp_modern/lists.rs"]
mod lists;
#[path = "mcp_modern/messages.rs"]
mod messages;

use serde_json::{Value, json};
use wire::{MODERN, Post, Reply, SCOPES, Wire, meta, shop_server};

fn call(name: &str, arguments: Value) -> Value {
    json!({"name": name, "arguments": arguments})
}

fn greet(wire: &Wire) -> Post {
    wire.modern("tools/call", call("greet", json!({"name": "Ada"})))
}

/// A good call whose `_meta` was changed.
fn with_meta(wire: &Wire, change: impl FnOnce(&mut Value)) -> Post {
    let mut meta = meta();
    change(&mut meta);
    let mut params = call("greet", json!({"name": "Ada"}));
    params["_meta"] = meta;
    wire.modern("tools/call", params)
}

const VERSION: &str = "io.modelcontextprotocol/protocolVersion";
const CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
const CLIENT: &str = "io.modelcontextprotocol/clientInfo";

async fn expect(what: &str, post: Post, status: u16, code: i64) -> Reply {
    let reply = post.id("\"the-id\"").send().await;
    assert_eq!(
        (reply.status, reply.code()),
        (status, Some(code)),
        "{what}: {}",
        reply.text
    );
    assert_eq!(reply.body["id"], "the-id", "{what}: {}", reply.text);
    let json = reply.header("content-type");
    assert_eq!(json, Some("application/json"), "{what}");
    reply
}

#[tokio::test]
async fn a_request_whose_meta_lacks_what_it_must_hold_is_400_and_32602() {
    let server = shop_server().await;
    let wire = Wire::of(&server, &SCOPES);
    let faults: [(&str, Post); 8] = [
        ("no _meta", with_meta(&wire, |meta| *meta = json!({}))),
        (
            "_meta is no object",
            with_meta(&wire, |meta| *meta = json!("x")),
        ),
        (
            "no version",
            with_meta(&wire, |meta| {
                drop(meta.as_object_mut().unwrap().remove(VERSION))
            }),
        ),
        (
            "version is no text",
            with_meta(&wire, |meta| meta[VERSION] = json!(2026)),
        ),
        (
            "no capabilities",
            with_meta(&wire, |meta| {
                drop(meta.as_object_mut().unwrap().remove(CAPABILITIES))
            }),
        ),
        (
            "capabilities are a list",
            with_meta(&wire, |meta| meta[CAPABILITIES] = json!([])),
        ),
        (
            "capabilities are null",
            with_meta(&wire, |meta| meta[CAPABILITIES] = json!(null)),
        ),
        (
            "client info is text",
            with_meta(&wire, |meta| meta[CLIENT] = json!("wire 1")),
        ),
    ];
    for (what, post) in faults {
        expect(what, post, 400, -32602).await;
    }
    let without_client = with_meta(&wire, |meta| {
        drop(meta.as_object_mut().unwrap().remove(CLIENT))
    });
    assert_eq!(without_client.send().await.status, 200);
}

#[tokio::test]
async fn headers_that_are_missing_doubled_or_differ_from_the_body_are_400_and_32020() {
    let server = shop_server().await;
    let wire = Wire::of(&server, &SCOPES);
    for (name, wrong) in [
        (
            "mcp-protocol-version",
            &["2025-11-25", "2099-01-01", ""][..],
        ),
        (
            "mcp-method",
            &[
                "tools/list",
                "Tools/Call",
                "",
                "=?base64?dG9vbHMvY2FsbA==?=",
            ],
        ),
        (
            "mcp-name",
            &[
                "vault",
                "Greet",
                "greet greet",
                "",
                "=?base64?dmF1bHQ=?=",
                "=?base64?%%%?=",
                "=?base64?/w==?=",
                "=?BASE64?Z3JlZXQ=?=",
            ],
        ),
    ] {
        expect(name, greet(&wire).without(name), 400, -32020).await;
        let doubled = greet(&wire).clone();
        let same = doubled.header(
            name,
            match name {
                "mcp-protocol-version" => MODERN,
                "mcp-method" => "tools/call",
                _ => "greet",
            },
        );
        expect(name, same, 400, -32020).await;
        for value in wrong {
            expect(name, greet(&wire).with(name, value), 400, -32020).await;
        }
        let raw = greet(&wire).without(name).raw_header(name, b"gr\xe9et");
        expect(name, raw, 400, -32020).await;
    }
    expect(
        "uri",
        wire.modern("resources/read", json!({"uri": "notes://1"}))
            .with("mcp-name", "notes://2"),
        400,
        -32020,
    )
    .await;
    wire.still_works().await;
}

#[tokio::test]
async fn a_name_may_come_encoded_and_is_decoded_before_it_is_compared() {
    let server = shop_server().await;
    let wire = Wire::of(&server, &SCOPES);
    let encoded = greet(&wire)
        .with("mcp-name", "=?base64?Z3JlZXQ=?=")
        .send()
        .await;
    assert_eq!(encoded.tool_text(), r#"{"greeting":"Hello Ada"}"#);
    // "notes://é" gets past the headers and is then no note that exists.
    let unicode = wire.modern("resources/read", json!({"uri": "notes://\u{e9}"}));
    expect(
        "unicode",
        unicode.with("mcp-name", "=?base64?bm90ZXM6Ly/DqQ==?="),
        200,
        -32602,
    )
    .await;
}

#[tokio::test]
async fn versions_methods_and_parameters_have_their_own_rows() {
    let server = shop_server().await;
    let wire = Wire::of(&server, &SCOPES);
    for unknown in ["2099-01-01", "2025-11-25", "2026-07-28 ", "v999.0.0"] {
        let post = with_meta(&wire, |meta| meta[VERSION] = json!(unknown))
            .with("mcp-protocol-version", unknown.trim());
        if unknown != unknown.trim() {
            expect(unknown, post, 400, -32020).await;
            continue;
        }
        let reply = expect(unknown, post, 400, -32022).await;
        assert_eq!(reply.body["error"]["data"]["supported"], json!([MODERN]));
        assert_eq!(reply.body["error"]["data"]["requested"], unknown);
    }
    for removed in [
        "initialize",
        "ping",
        "logging/setLevel",
        "resources/subscribe",
        "tools/Call",
        "nope",
        "",
    ] {
        expect(removed, wire.modern(removed, json!({})), 404, -32601).await;
    }
    for (method, params) in [
        ("tools/call", call("nobody", json!({}))),
        ("tools/call", call("Greet", json!({"name": "Ada"}))),
        ("tools/call", json!({"name": 7})),
        ("tools/call", json!({})),
        ("tools/call", json!({"name": "greet", "arguments": ["Ada"]})),
        ("tools/call", json!({"name": "greet", "arguments": null})),
        ("tools/list", json!({"cursor": "abc"})),
        ("resources/list", json!({"cursor": ""})),
        ("resources/templates/list", json!({"cursor": 1})),
        ("resources/read", json!({"uri": "nobody://1"})),
        ("resources/read", json!({"uri": "notes://2"})),
        ("resources/read", json!({"uri": "NOTES://1"})),
        ("resources/read", json!({"uri": 1})),
        ("prompts/get", json!({"name": "nobody"})),
    ] {
        expect(
            &format!("{method} {params}"),
            wire.modern(method, params),
            200,
            -32602,
        )
        .await;
    }
}

#[tokio::test]
async fn of_several_faults_the_earlier_check_tells_first() {
    let server = shop_server().await;
    let good = server.token_for("acme", "ada", &["notes"]);
    let wire = Wire::with_token(&server, None);
    let message = |method: &str, meta: Value| {
        json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": {"name": 7, "_meta": meta}})
            .to_string()
    };
    let bare = |body: String| {
        wire.body(body)
            .with("content-type", "text/plain")
            .header("origin", "https://evil.example")
    };
    let expect = async |post: Post, status: u16, code: i64| {
        let reply = post.send().await;
        assert_eq!(
            (reply.status, reply.code()),
            (status, Some(code)),
            "{}",
            reply.text
        );
    };
    // Each step mends the fault that was told, and leaves all later ones.
    let huge = || "{".repeat(2 << 20);
    expect(bare(huge()), 403, 40304).await;
    let local = |body: String| bare(body).without("origin");
    expect(local(huge()), 401, 40101).await;
    let known = |body: String| local(body).header("authorization", &format!("Bearer {good}"));
    expect(known(huge()), 415, 41501).await;
    let typed = |body: String| known(body).with("content-type", "application/json");
    expect(typed(huge()), 413, 41301).await;
    expect(typed("{".to_owned()), 400, -32700).await;
    let mut meta = meta();
    meta[VERSION] = json!("1900-01-01");
    let headed = |body: String| typed(body).header("mcp-protocol-version", MODERN);
    expect(
        headed(message("nope", json!({VERSION: "1900-01-01"}))),
        400,
        -32602,
    )
    .await;
    expect(headed(message("nope", meta.clone())), 400, -32020).await;
    let agreed = |body: String, version: &str, method: &str| {
        typed(body)
            .header("mcp-protocol-version", version)
            .header("mcp-method", method)
    };
    expect(
        agreed(message("nope", meta.clone()), "1900-01-01", "nope"),
        400,
        -32022,
    )
    .await;
    meta[VERSION] = json!(MODERN);
    expect(
        agreed(message("nope", meta.clone()), MODERN, "nope"),
        404,
        -32601,
    )
    .await;
    expect(
        agreed(message("tools/call", meta), MODERN, "tools/call"),
        200,
        -32602,
    )
    .await;
    // Past the parameters: the pipeline, which asks for scopes before it looks at arguments.
    let caller = Wire::with_token(&server, Some(good.clone()));
    expect(
        caller.modern("tools/call", call("greet", json!({"nope": 1}))),
        403,
        40301,
    )
    .await;
}
