//! What the HTTP edge lets through, and with which words it refuses the rest. After each attack
//! the next good request is served.

#[path = "support/configured.rs"]
mod configured;
#[path = "support/raw.rs"]
mod raw;
#[expect(dead_code, reason = "shared with other tests")]
#[path = "support/wire.rs"]
mod wire;

#[path = "http_edge/framing.rs"]
mod framing;
#[path = "http_edge/names.rs"]
mod names;

use std::sync::Arc;

use configured::{PUBLIC, configured};
use raw::{Raw, RawAnswer, authority, request};
use serde_json::{Value, json};
use tollgate::testing::TestServer;
use wire::{SCOPES, shop, shop_server};

const JSON: &str = "content-type: application/json";
const GREET: &str = r#"{"name":"Ada"}"#;
const OPEN: [&str; 4] = [
    "/openapi.json",
    "/.well-known/oauth-protected-resource",
    "/.well-known/oauth-protected-resource/mcp",
    "/healthz",
];

fn bearer(server: &TestServer) -> String {
    format!(
        "authorization: Bearer {}",
        server.token_for("acme", "ada", &SCOPES)
    )
}

fn own_host(server: &TestServer) -> String {
    format!("host: {}", authority(server))
}

/// One request on a connection of its own.
async fn ask(server: &TestServer, bytes: impl AsRef<[u8]>) -> RawAnswer {
    let mut raw = Raw::connect(server).await;
    raw.send(bytes).await.answer().await.expect("an answer")
}

/// A good call of the gateway with other headers.
fn greet(headers: &[&str]) -> String {
    let headers: Vec<&str> = [JSON].into_iter().chain(headers.iter().copied()).collect();
    request("POST /mcp/tool/greet", &headers, GREET)
}

async fn still_works(server: &TestServer) {
    let answer = ask(server, greet(&[&own_host(server), &bearer(server)])).await;
    assert_eq!(
        answer.body,
        r#"{"ok":true,"result":{"greeting":"Hello Ada"}}"#
    );
}

#[tokio::test]
async fn answers_say_nothing_of_their_requests_headers() {
    let server = shop_server().await;
    let (host, token) = (own_host(&server), bearer(&server));
    let version = "mcp-protocol-version: 2025-11-25";
    let headers = [JSON, "cookie: x=secret", version, &host, &token];
    let message = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"greet","arguments":{"name":"Ada"}}}"#;
    let answer = ask(&server, request("POST /mcp", &headers, message)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let said = format!("{answer:?}");
    for header in ["authorization", "Bearer", "cookie", "secret", "2025-11-25"] {
        assert!(!said.contains(header), "{said}");
    }
}

#[tokio::test]
async fn media_types_are_asked_for_and_checked() {
    let server = shop_server().await;
    let (host, token) = (own_host(&server), bearer(&server));
    for path in ["/mcp", "/mcp/tool/greet"] {
        for (header, status) in [
            ("content-type: text/plain", 415),
            ("content-type: application/jsonp", 415),
            ("x: no content type", 415),
            ("content-type: application/json\r\naccept: text/html", 406),
            (
                "content-type: application/json\r\naccept: application/json;q=0",
                406,
            ),
        ] {
            let answer = ask(
                &server,
                request(&format!("POST {path}"), &[&host, &token, header], GREET),
            )
            .await;
            assert_eq!(answer.status, status, "{path} {header}");
            let body = answer.json();
            let told = if path == "/mcp" {
                &body["error"]["data"]["callId"]
            } else {
                &body["callId"]
            };
            assert_eq!(told.as_str(), answer.header("tollgate-call-id"));
        }
    }
    still_works(&server).await;
}

#[tokio::test]
async fn an_event_stream_asks_proxies_not_to_hold_it_back() {
    let server = shop_server().await;
    let (host, token) = (own_host(&server), bearer(&server));
    let message = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
    for (accept, told) in [
        ("text/event-stream", Some("no")),
        ("application/json", None),
    ] {
        let accept = format!("accept: {accept}");
        let headers = [host.as_str(), token.as_str(), JSON, accept.as_str()];
        let answer = ask(&server, request("POST /mcp", &headers, message)).await;
        assert_eq!(answer.header("x-accel-buffering"), told, "{accept}");
    }
}

#[tokio::test]
async fn each_route_takes_one_method_and_names_it() {
    let server = shop_server().await;
    let (host, token) = (own_host(&server), bearer(&server));
    let routes = ["/mcp", "/mcp/tool/greet", "/mcp/tool/nobody"]
        .into_iter()
        .chain(OPEN)
        .chain(["/readyz"]);
    for path in routes {
        let allowed = match path {
            "/healthz" | "/readyz" => "GET, HEAD",
            _ if path.starts_with("/mcp") => "POST",
            _ => "GET",
        };
        for method in [
            "GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW",
        ] {
            if allowed.split(", ").any(|allowed| allowed == method) {
                continue;
            }
            let answer = ask(
                &server,
                request(&format!("{method} {path}"), &[&host, &token, JSON], "{}"),
            )
            .await;
            assert_eq!(
                (answer.status, answer.header("allow")),
                (405, Some(allowed)),
                "{method} {path}"
            );
        }
    }
}

#[tokio::test]
async fn odd_paths_lead_nowhere() {
    let server = shop_server().await;
    let (host, token) = (own_host(&server), bearer(&server));
    for path in [
        "/",
        "//mcp",
        "/MCP",
        "/mcp/",
        "/mcp%2f",
        "/%6dcp",
        "/mcp%00",
        "/./mcp",
        "/x/../mcp",
        "/mcp/..;/mcp",
        "/mcp;x=1",
        "/mcp/tool",
        "/mcp/tool/",
        "/mcp/tool//greet",
        "/mcp/tool/../tool/greet",
        "/mcp/tool/greet/",
        "/mcp//tool/greet",
        "/Mcp/tool/greet",
        "/mint-demo-jwt",
        "/.well-known/oauth-protected-resource/",
        "/.well-known/oauth-protected-resource/mcp/tool/greet",
        "*",
        &format!("ftp://{}/mcp", authority(&server)),
        &format!("javascript://{}/mcp", authority(&server)),
    ] {
        let answer = ask(
            &server,
            request(&format!("POST {path}"), &[&host, &token, JSON], GREET),
        )
        .await;
        assert_eq!(answer.status, 404, "{path}");
        assert_eq!(
            answer.header("content-type"),
            Some("application/problem+json"),
            "{path}"
        );
    }
    for name in [
        "%67reet", "Greet", "greet%00", "greet%2f", "..", ".", "greet;x",
    ] {
        let answer = ask(
            &server,
            request(
                &format!("POST /mcp/tool/{name}"),
                &[&host, &token, JSON],
                GREET,
            ),
        )
        .await;
        assert_eq!(
            (answer.status, &answer.json()["detail"]),
            (404, &json!("Unknown tool")),
            "{name}"
        );
    }
    still_works(&server).await;
}

#[tokio::test]
async fn a_token_counts_in_its_one_header_alone() {
    let server = shop_server().await;
    let (host, token) = (own_host(&server), bearer(&server));
    let bare = token
        .strip_prefix("authorization: Bearer ")
        .expect("a token");
    let body = format!(r#"{{"name":"Ada","access_token":"{bare}"}}"#);
    for (what, text) in [
        (
            "in the query",
            greet(&[&host]).replacen("greet", &format!("greet?access_token={bare}"), 1),
        ),
        (
            "in a cookie",
            greet(&[
                &host,
                &format!("cookie: access_token={bare}; authorization=Bearer {bare}"),
            ]),
        ),
        (
            "in the body",
            request("POST /mcp/tool/greet", &[&host, JSON], &body),
        ),
        (
            "in a header of another name",
            greet(&[
                &host,
                &format!("x-authorization: Bearer {bare}"),
                &format!("proxy-authorization: Bearer {bare}"),
            ]),
        ),
        ("twice", greet(&[&host, &token, &token])),
        (
            "beside another scheme",
            greet(&[&host, &token, "authorization: Basic eDp5"]),
        ),
        (
            "under another scheme",
            greet(&[&host, &format!("authorization: Basic {bare}")]),
        ),
        (
            "with more after it",
            greet(&[&host, &format!("{token}, x")]),
        ),
    ] {
        assert_eq!(ask(&server, text).await.status, 401, "{what}");
    }
    assert_eq!(
        ask(&server, greet(&[&host, &token.replace("Bearer", "bEaReR")]))
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn a_missing_token_and_a_bad_one_get_one_body_and_challenges_that_differ() {
    let server = shop_server().await;
    let host = own_host(&server);
    let expired = bearer(&server);
    server
        .clock()
        .advance(std::time::Duration::from_secs(4_000));
    let metadata = format!(
        "resource_metadata=\"{}/.well-known/oauth-protected-resource/mcp\"",
        server.url()
    );
    let scope = "scope=\"greet notes vault:open vault:read\"";
    for path in ["/mcp", "/mcp/tool/greet"] {
        let mut bodies: Vec<String> = Vec::new();
        for (header, error) in [
            ("x: y", ""),
            ("authorization: Bearer a.b.c", "error=\"invalid_token\", "),
            (expired.as_str(), "error=\"invalid_token\", "),
        ] {
            let answer = ask(
                &server,
                request(&format!("POST {path}"), &[&host, JSON, header], GREET),
            )
            .await;
            assert_eq!(answer.status, 401);
            let challenge = answer.header("www-authenticate").expect("a challenge");
            assert_eq!(
                challenge,
                format!("Bearer {error}{metadata}, {scope}"),
                "{path}"
            );
            let call_id = answer.header("tollgate-call-id").expect("a call id");
            bodies.push(answer.body.replace(call_id, "[call]"));
        }
        bodies.dedup();
        assert_eq!(bodies.len(), 1, "{bodies:?}");
    }
    still_works(&server).await;
}

#[tokio::test]
async fn the_metadata_of_a_resource_below_a_path_are_at_the_well_known_place_of_that_path() {
    let server =
        TestServer::start(|server| server.public_url("https://tools.example.com/base/")).await;
    let place = "/.well-known/oauth-protected-resource/base/mcp";
    let answer = ask(
        &server,
        request(&format!("GET {place}"), &["host: tools.example.com"], ""),
    );
    // Without any scope there is no word of them.
    let document = json!({
        "resource": "https://tools.example.com/base/mcp",
        "bearer_methods_supported": ["header"],
    });
    let answer = answer.await;
    assert_eq!((answer.status, answer.json()), (200, document));
    let refused = ask(&server, greet(&["host: tools.example.com"])).await;
    let challenge = refused.header("www-authenticate").expect("a challenge");
    let named = format!("resource_metadata=\"https://tools.example.com{place}\"");
    assert!(challenge.contains(&named), "{challenge}");
}

#[tokio::test]
async fn resource_metadata_is_open_and_comes_from_the_public_url_alone() {
    let (server, _) = configured(&[], |server| shop(server, Arc::default())).await;
    let port = authority(&server)
        .rsplit(':')
        .next()
        .expect("a port")
        .to_owned();
    for host in [
        "tools.example.com".to_owned(),
        "tools.example.com:443".to_owned(),
        format!("localhost:{port}"),
    ] {
        for path in &OPEN[1..3] {
            let headers = [
                format!("host: {host}"),
                "x-forwarded-host: evil.example".to_owned(),
                "forwarded: host=evil.example;proto=http".to_owned(),
            ];
            let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
            let answer = ask(&server, request(&format!("GET {path}"), &headers, "")).await;
            let expected = json!({
                "resource": format!("{PUBLIC}/mcp"),
                "scopes_supported": ["greet", "notes", "vault:open", "vault:read"],
                "bearer_methods_supported": ["header"],
                "authorization_servers": ["https://issuer.example.com/"],
            });
            assert_eq!(
                (answer.status, answer.json()),
                (200, expected),
                "{host} {path}"
            );
        }
        let refused = ask(&server, greet(&[&format!("host: {host}")])).await;
        let challenge = refused.header("www-authenticate").expect("a challenge");
        assert!(
            challenge
                .contains("\"https://tools.example.com/.well-known/oauth-protected-resource/mcp\""),
            "{challenge}"
        );
    }
    let local = shop_server().await;
    let document: Value = ask(
        &local,
        request(
            "GET /.well-known/oauth-protected-resource",
            &[&own_host(&local)],
            "",
        ),
    )
    .await
    .json();
    assert_eq!(document["resource"], format!("{}/mcp", local.url()));
    assert_eq!(document.get("authorization_servers"), None);
}
