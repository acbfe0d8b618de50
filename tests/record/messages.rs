//! Requests that are no call, that cannot be read, or that name what does not exist.

use serde_json::{Value, json};

use crate::caller::{Answer, Caller};
use crate::{Watched, attribute, ending};

#[tokio::test]
async fn messages_that_are_no_call_are_one_span_each() {
    let mut watched = Watched::start().await;
    let caller = watched.caller();
    let answers = [
        caller.modern("tools/list", json!({})).await,
        caller.modern("server/discover", json!({})).await,
        caller.legacy("ping", json!({})).await,
        caller.modern("tools/list", json!({"cursor": "x"})).await,
        caller.legacy("tools/call", json!({"name": 7})).await,
    ];
    let invalid = ["invalid", "invalid-params"];
    let expected = [
        ("tools/list", ["ok", ""]),
        ("server/discover", ["ok", ""]),
        ("ping", ["ok", ""]),
        ("tools/list", invalid),
        ("tools/call", invalid),
    ];
    let spans = watched.spans_of(&answers).await;
    for (span, (name, ending_of)) in spans.iter().zip(expected) {
        assert_eq!(span.name, name);
        assert_eq!(ending(span), ending_of, "{name}");
    }
}

/// Sends `body` as it is to `path`.
async fn raw(caller: &Caller, method: &str, path: &str, body: &str) -> Answer {
    let response = caller
        .client
        .request(
            method.parse().expect("a method"),
            format!("{}{path}", caller.url),
        )
        .bearer_auth(&caller.token)
        .header("content-type", "application/json")
        .body(body.to_owned())
        .send()
        .await
        .expect("an answer");
    Answer {
        status: response.status().as_u16(),
        headers: response.headers().clone(),
        body: Value::Null,
    }
}

#[tokio::test]
async fn what_is_refused_at_the_edge_or_cannot_be_read_is_one_span() {
    let mut watched = Watched::start().await;
    let caller = watched.caller();
    for (method, path, body, status, name, kind) in [
        ("PUT", "/mcp", "{}", 405, "POST /mcp", "method-not-allowed"),
        ("GET", "/mcp", "", 405, "POST /mcp", "method-not-allowed"),
        (
            "GET",
            "/mcp/tool/end",
            "",
            405,
            "tools/call",
            "method-not-allowed",
        ),
        ("POST", "/mcp", "{", 400, "(unreadable)", "parse-error"),
        ("POST", "/mcp", "[]", 400, "(unreadable)", "invalid-request"),
        (
            "POST",
            "/mcp/tool/end",
            "[1]",
            400,
            "tools/call",
            "body-not-object",
        ),
    ] {
        let answer = raw(&caller, method, path, body).await;
        assert_eq!(answer.status, status, "{method} {path} {body}");
        let span = watched.only_span(answer).await;
        assert_eq!(span.name, name);
        // What was not read has no method of MCP.
        let method = if name == "tools/call" { name } else { "" };
        assert_eq!(attribute(&span, "mcp.method.name"), method);
        assert_eq!(ending(&span), ["invalid", kind]);
    }
}

#[tokio::test]
async fn names_that_a_caller_makes_up_never_name_a_span() {
    let mut watched = Watched::start().await;
    let caller = watched.caller();
    let made_up = json!({"name": "made_up", "arguments": {}});
    let uri = json!({"uri": "made://up"});
    let answers = [
        caller.rest("made_up", json!({})).await,
        caller.modern("tools/call", made_up).await,
        caller.modern("resources/read", uri).await,
        caller.modern("made/up", json!({})).await,
        caller.legacy("made/up", json!({})).await,
        caller.rest("end%0aforged", json!({})).await,
    ];
    let names = [
        "tools/call",
        "tools/call",
        "resources/read",
        "_other",
        "_other",
        "tools/call",
    ];
    let spans = watched.spans_of(&answers).await;
    for (span, name) in spans.iter().zip(names) {
        assert_eq!(span.name, name);
        assert_eq!(ending(span)[0], "invalid");
        let all = format!("{span:?}");
        assert!(!all.contains("made") && !all.contains("forged"), "{all}");
    }
}
