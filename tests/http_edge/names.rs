//! `Host` and `Origin`: whose name a request may use, whose pages may send it (DNS rebinding).

use std::sync::Arc;

use serde_json::json;

use super::{GREET, JSON, OPEN, ask, bearer, greet, own_host, still_works};
use crate::configured::configured;
use crate::raw::{authority, request};
use crate::wire::{SCOPES, shop, shop_server};

#[tokio::test]
async fn only_requests_for_our_own_names_are_served() {
    let server = shop_server().await;
    let (own, token) = (authority(&server), bearer(&server));
    let port = own.rsplit(':').next().expect("a port");
    for good in [
        own.to_owned(),
        format!("localhost:{port}"),
        format!("LocalHost:{port}"),
        format!("[::1]:{port}"),
    ] {
        let answer = ask(&server, greet(&[&format!("host: {good}"), &token])).await;
        assert_eq!(answer.status, 200, "{good}");
    }
    for bad in [
        "evil.example".to_owned(),
        format!("evil.example:{port}"),
        "localhost".to_owned(),
        "127.0.0.1:1".to_owned(),
        format!("localhost.:{port}"),
        format!("x@{own}"),
        format!("{own}, {own}"),
        String::new(),
    ] {
        for path in ["/mcp", "/mcp/tool/greet"] {
            let line = format!("POST {path}");
            let answer = ask(
                &server,
                request(&line, &[&format!("host: {bad}"), &token, JSON], GREET),
            )
            .await;
            assert_eq!(answer.status, 403, "{bad} {path}");
        }
        for path in OPEN.iter().take(3) {
            let answer = ask(
                &server,
                request(
                    &format!("GET {path}"),
                    &[&format!("host: {bad}"), &token],
                    "",
                ),
            )
            .await;
            assert_eq!(answer.status, 403, "{bad} {path}");
        }
    }
    let own_header = own_host(&server);
    for (what, text) in [
        ("no name", greet(&[&token])),
        ("two names", greet(&[&own_header, &own_header, &token])),
        (
            "two different names",
            greet(&[&own_header, "host: evil.example", &token]),
        ),
        (
            "a foreign name in the target",
            greet(&[&own_header, &token]).replacen(" /", " http://evil.example/", 1),
        ),
        (
            "our name with a user in the target",
            greet(&[&own_header, &token]).replacen(" /", &format!(" http://x@{own}/"), 1),
        ),
        (
            "our name in the target, a foreign one in the header",
            greet(&["host: evil.example", &token]).replacen(" /", &format!(" http://{own}/"), 1),
        ),
    ] {
        let answer = ask(&server, text).await;
        assert!(
            matches!(answer.status, 400 | 403),
            "{what}: {}",
            answer.status
        );
    }
    let absolute = greet(&[&own_header, &token]).replacen(" /", &format!(" http://{own}/"), 1);
    assert_eq!(ask(&server, absolute).await.status, 200);
    still_works(&server).await;
}

#[tokio::test]
async fn probes_reach_us_under_any_name_and_without_a_token() {
    let server = shop_server().await;
    for (path, status) in [("/healthz", "alive"), ("/readyz", "ready")] {
        for host in ["host: 10.0.0.7:8080", "host: evil.example", "host:"] {
            let answer = ask(&server, request(&format!("GET {path}"), &[host], "")).await;
            assert_eq!(
                (answer.status, answer.json()),
                (200, json!({"status": status}))
            );
        }
        let old = request(&format!("GET {path}"), &[], "").replacen("1.1", "1.0", 1);
        assert_eq!(
            ask(&server, old).await.status,
            200,
            "HTTP/1.0 needs no name"
        );
    }
}

#[tokio::test]
async fn pages_of_other_origins_are_refused_everywhere() {
    let server = shop_server().await;
    let (host, token) = (own_host(&server), bearer(&server));
    let own = format!("origin: {}", server.url());
    for good in [own.clone(), own.replace("127.0.0.1", "localhost")] {
        let answer = ask(&server, greet(&[&host, &token, &good])).await;
        assert_eq!(answer.status, 200, "{good}");
        assert_eq!(
            answer.header("access-control-allow-origin"),
            good.strip_prefix("origin: ")
        );
    }
    for bad in [
        "https://evil.example",
        "null",
        "",
        "file://",
        "http://127.0.0.1",
        "http://127.0.0.1:1",
    ] {
        let bad = format!("origin: {bad}");
        for path in ["POST /mcp", "POST /mcp/tool/greet"]
            .into_iter()
            .map(str::to_owned)
            .chain(OPEN.iter().map(|path| format!("GET {path}")))
        {
            let answer = ask(&server, request(&path, &[&host, &token, &bad, JSON], GREET)).await;
            assert_eq!(answer.status, 403, "{bad} {path}");
            assert_eq!(answer.header("access-control-allow-origin"), None);
        }
    }
    let doubled = ask(&server, greet(&[&host, &token, &own, &own])).await;
    assert_eq!(doubled.status, 403);
    still_works(&server).await;
}

#[tokio::test]
async fn a_page_of_a_configured_origin_may_ask_and_read_what_it_needs() {
    let (server, token) = configured(&SCOPES, |server| shop(server, Arc::default())).await;
    let origin = "origin: https://app.example.com";
    let host = "host: tools.example.com";
    for path in ["/mcp", "/mcp/tool/greet", "/openapi.json"] {
        let preflight = request(
            &format!("OPTIONS {path}"),
            &[host, origin, "access-control-request-method: POST"],
            "",
        );
        let answer = ask(&server, preflight.clone()).await;
        assert_eq!((answer.status, answer.body.as_str()), (204, ""), "{path}");
        assert_eq!(
            answer.header("access-control-allow-origin"),
            Some("https://app.example.com")
        );
        assert_eq!(
            answer.header("access-control-allow-methods"),
            Some("GET, POST")
        );
        let allowed = answer
            .header("access-control-allow-headers")
            .expect("headers")
            .to_ascii_lowercase();
        for name in [
            "authorization",
            "content-type",
            "mcp-protocol-version",
            "mcp-method",
            "mcp-name",
        ] {
            assert!(allowed.contains(name), "{name}: {allowed}");
        }
        let foreign = preflight.replace("app.example.com", "evil.example");
        assert_eq!(ask(&server, foreign).await.status, 403);
        let no_preflight = preflight.replace("access-control-request-method", "x");
        assert_eq!(ask(&server, no_preflight).await.status, 405);
    }
    let bearer = format!("authorization: Bearer {token}");
    let answer = ask(&server, greet(&[host, origin, &bearer])).await;
    assert_eq!(answer.status, 200);
    let exposed = answer
        .header("access-control-expose-headers")
        .expect("exposed headers");
    for name in [
        "Tollgate-Call-Id",
        "WWW-Authenticate",
        "Retry-After",
        "RateLimit",
        "RateLimit-Policy",
    ] {
        assert!(exposed.contains(name), "{name}: {exposed}");
    }
    assert_eq!(answer.header("vary"), Some("Origin"));
    let refused = ask(&server, greet(&[host, origin])).await;
    assert_eq!(
        (
            refused.status,
            refused.header("access-control-allow-origin")
        ),
        (401, Some("https://app.example.com"))
    );
}
