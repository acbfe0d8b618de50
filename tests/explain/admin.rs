//! `GET /api/v1/calls/{callId}` on the admin listener: who may read it, and what it keeps back.

use serde_json::{Value, json};

use super::recorded::{Recorded, call_id};
use super::stage;
use crate::declared;

/// Status and body of a request with these headers.
async fn get(recorded: &Recorded, path: &str, headers: &[(&str, &str)]) -> (u16, Value) {
    let admin = recorded.server.admin_url().expect("an admin listener");
    let mut request = reqwest::Client::new().get(format!("{admin}{path}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = request.send().await.expect("an answer");
    let status = answer.status().as_u16();
    let text = answer.text().await.expect("a body");
    (
        status,
        serde_json::from_str(&text).unwrap_or(Value::String(text)),
    )
}

#[tokio::test]
async fn a_refusal_can_be_asked_about_right_after_it() {
    for mode in ["mode: strict", "mode: bestEffort"] {
        let recorded = Recorded::start(mode).await;
        for _ in 0..20 {
            let refused = recorded.reader("ada").rest("admin", json!({})).await;
            let (status, told) = recorded.ask(&call_id(&refused)).await;
            assert_eq!(
                (status, stage(&told, "authorize")),
                (200, "stopped"),
                "{mode}: {told}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_asks_a_running_server_and_tells_the_same() {
    let recorded = Recorded::start("mode: strict, arguments: recorded").await;
    let refused = recorded
        .reader("ada")
        .rest("lookup", json!({"id": "secret"}))
        .await;
    let id = call_id(&refused);
    let url = recorded.server.admin_url().expect("an admin listener");
    let asked = recorded.command(&["explain", &id, "--url", url, "--format", "json"]);
    assert_eq!(asked.code, Some(0), "{asked:?}");
    let mut told: Value = serde_json::from_str(&asked.stdout).expect("JSON");
    let mut beside = recorded.explained(&id);
    // Arguments are for who may read the log itself.
    assert_eq!(told["request"]["arguments"].take(), Value::Null);
    assert_eq!(
        beside["request"]["arguments"].take(),
        json!({"id": "secret"})
    );
    assert_eq!(told, beside);
    let text = recorded.command(&["explain", &id, "--url", url]);
    assert!(text.stdout.contains("refused at allow"), "{text:?}");

    let unknown = recorded.command(&[
        "explain",
        "01931b6e-5f3a-7c81-9d55-3f1e0a9b7c42",
        "--url",
        url,
    ]);
    assert_eq!(unknown.code, Some(1));
    assert!(
        unknown
            .stderr
            .contains("404: The audit log has no such call"),
        "{unknown:?}"
    );
}

#[tokio::test]
async fn web_pages_under_other_names_learn_nothing() {
    let recorded = Recorded::start("mode: strict").await;
    let id = call_id(&recorded.reader("ada").rest("admin", json!({})).await);
    let path = format!("/api/v1/calls/{id}");
    for headers in [
        [("host", "evil.example")],
        [("host", "127.0.0.1.evil.example")],
        [("origin", "https://evil.example")],
        [("origin", "http://localhost:3000")],
        [("origin", "null")],
    ] {
        let (status, body) = get(&recorded, &path, &headers).await;
        assert_eq!(status, 403, "{headers:?}");
        assert!(!body.to_string().contains("acme"), "{body}");
    }
    assert_eq!(get(&recorded, &path, &[("host", "localhost")]).await.0, 200);
}

#[tokio::test]
async fn what_cannot_be_told_is_a_problem_with_words() {
    let recorded = Recorded::start("mode: strict").await;
    for (path, status, kind) in [
        (
            "/api/v1/calls/01931b6e-5f3a-7c81-9d55-3f1e0a9b7c42",
            404,
            "unknown-call",
        ),
        ("/api/v1/calls/42", 400, "bad-call-id"),
        ("/api/v1/calls/", 400, "bad-call-id"),
        ("/api/v1/calls/..%2f..%2faudit.jsonl", 400, "bad-call-id"),
    ] {
        let (found, body) = get(&recorded, path, &[]).await;
        let kind = format!("urn:tollgate:error:{kind}");
        assert_eq!((found, &body["type"]), (status, &json!(kind)), "{path}");
        assert!(
            body["detail"]
                .as_str()
                .is_some_and(|detail| !detail.is_empty())
        );
    }
}

#[tokio::test]
async fn a_server_without_a_log_says_so() {
    let folder = crate::whoami::folder();
    let yaml = bare();
    let server = declared::serve(&yaml, folder.path()).await;
    let clock = tollgate::Clock::turned();
    let recorded = Recorded {
        server,
        clock,
        folder,
    };
    let (status, body) = get(
        &recorded,
        "/api/v1/calls/01931b6e-5f3a-7c81-9d55-3f1e0a9b7c42",
        &[],
    )
    .await;
    assert_eq!(
        (status, &body["type"]),
        (404, &json!("urn:tollgate:error:no-audit-log"))
    );
    assert!(
        body["detail"]
            .as_str()
            .is_some_and(|detail| detail.contains("`audit` section"))
    );
}

/// A configuration without a log.
fn bare() -> String {
    let auth = "  issuers: [{issuer: 'https://ci.example.com/', audiences: ['https://tools.example.com/mcp'], secret: '${SECRET}'}]";
    format!(
        "server: {{adminListen: '127.0.0.1:0'}}\n{}",
        crate::whoami::yaml(auth)
    )
}
