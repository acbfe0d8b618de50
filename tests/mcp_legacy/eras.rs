//! Modern and legacy messages side by side.

use serde_json::{Value, json};

use super::{call, initialize};
use crate::raw::{Raw, authority, request};
use crate::wire::{LEGACY, MODERN, Post, SCOPES, Wire, meta, shop_server};

#[tokio::test]
async fn both_eras_take_turns_on_one_connection() {
    let server = shop_server().await;
    let host = format!("host: {}", authority(&server));
    let token = format!(
        "authorization: Bearer {}",
        server.token_for("acme", "ada", &SCOPES)
    );
    let common = [
        host.as_str(),
        token.as_str(),
        "content-type: application/json",
    ];
    let modern = |method: &str, mut params: Value| {
        params["_meta"] = meta();
        let name = params["name"]
            .as_str()
            .map(|name| format!("Mcp-Name: {name}"));
        let headers = [
            format!("MCP-Protocol-Version: {MODERN}"),
            format!("MCP-METHOD: {method}"),
        ];
        let headers: Vec<&str> = common
            .into_iter()
            .chain(headers.iter().map(String::as_str))
            .chain(name.as_deref())
            .collect();
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        request("POST /mcp", &headers, &body.to_string())
    };
    let legacy = |method: &str, params: Value| {
        let version = format!("mcp-protocol-version: {LEGACY}");
        let headers: Vec<&str> = common.into_iter().chain([version.as_str()]).collect();
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        request("POST /mcp", &headers, &body.to_string())
    };
    let mut raw = Raw::connect(&server).await;
    let mut ask = async |text: String| {
        raw.send(text)
            .await
            .answer()
            .await
            .expect("an answer")
            .json()
    };
    for _ in 0..3 {
        assert_eq!(
            ask(modern("server/discover", json!({}))).await["result"]["supportedVersions"],
            json!([MODERN])
        );
        assert_eq!(
            ask(legacy("initialize", initialize(LEGACY))).await["result"]["protocolVersion"],
            LEGACY
        );
        assert_eq!(
            ask(modern("tools/call", call("numbers", json!({})))).await["result"]["structuredContent"],
            json!([1, 2, 3])
        );
        assert_eq!(
            ask(legacy("tools/call", call("numbers", json!({})))).await["result"]["structuredContent"],
            json!({"result": [1, 2, 3]})
        );
        assert_eq!(
            ask(modern("ping", json!({}))).await["error"]["code"],
            -32601
        );
        assert_eq!(ask(legacy("ping", json!({}))).await["result"], json!({}));
    }
}

#[tokio::test]
async fn a_message_of_one_era_with_the_header_of_the_other_is_refused() {
    let server = shop_server().await;
    let wire = Wire::of(&server, &SCOPES);
    let bare: Post = wire
        .legacy("tools/list", json!({}))
        .with("mcp-protocol-version", MODERN);
    let reply = bare.send().await;
    assert_eq!((reply.status, reply.code()), (400, Some(-32602)));
    let described = wire
        .modern("tools/list", json!({}))
        .with("mcp-protocol-version", LEGACY);
    let reply = described.send().await;
    assert_eq!((reply.status, reply.code()), (400, Some(-32020)));
}
