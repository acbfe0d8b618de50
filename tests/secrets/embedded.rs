//! Tools of one's own that go wrong with a secret in their hands, and HTTP/2, which only its own
//! library sees: spans, the log at its most talkative, and what callers read.

use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tollgate::testing::TestServer;
use tollgate::{CallContext, Rule, Tool, ToolError};

use crate::canary::{Canary, Outputs};
use crate::frames::{END_HEADERS, END_STREAM, Frames, HEADERS, block};
use crate::spans::watched;
use crate::tls::Certificate;
use crate::{log, world};

#[derive(Deserialize, JsonSchema)]
struct Asked {
    text: String,
    #[serde(default)]
    level: Option<u32>,
}

/// Promises something else than it is.
#[derive(Serialize)]
struct Row(Vec<String>);

impl JsonSchema for Row {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Row".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "array", "items": {"enum": ["a"]}, "maxItems": 1})
    }
}

async fn panics(_: CallContext, asked: Asked) -> Result<String, ToolError> {
    match asked.level {
        Some(1) => panic!("a text of the program"),
        _ => panic!("cannot read {}", asked.text),
    }
}

async fn lies(row: Arc<String>, _: CallContext, _: Asked) -> Result<Row, ToolError> {
    Ok(Row(vec![row.to_string(), row.to_string()]))
}

fn tool(name: &str) -> Tool {
    Tool::new(name, "Goes wrong.").any_authenticated()
}

#[tokio::test]
async fn what_a_tool_holds_when_it_breaks_is_neither_told_nor_recorded() {
    log::listen();
    let (argument, row) = (
        Canary::new("argument of a tool"),
        Canary::new("row of a tool"),
    );
    let (tracing, mut spans) = watched();
    let server = TestServer::start(|server| {
        server
            .tracing(tracing)
            .tool(tool("panics").handler(panics))
            .tool(tool("lies").handler_with(Arc::new(row.text().to_owned()), lies))
            .tool(
                tool("ruled")
                    .rule(Rule::deny("args.level > 3"))
                    .handler(panics),
            )
    })
    .await;
    let client = reqwest::Client::new();
    let mut outputs = Outputs::default();
    for (name, cause) in [
        (
            "panics",
            "the tool panicked: (its message may quote the call",
        ),
        ("lies", "the answer breaks the tool's output schema: /"),
        ("ruled", "rules[0] cannot be evaluated"),
    ] {
        let token = server.token_for("acme", "ada", &[]);
        let url = format!("{}/mcp/tool/{name}", server.url());
        let request = client.post(url).bearer_auth(token);
        let response = request.json(&json!({"text": argument.text()})).send().await;
        let response = response.expect("an answer");
        outputs.add(name, format!("{:?}", response.headers()));
        outputs.add(name, response.text().await.expect("a body"));
        let span = spans.next_request().await;
        outputs.add("span", format!("{span:?}"));
        outputs.mention("span", cause);
    }
    outputs.add("log", log::lines_with("").join("\n"));
    outputs.mention("log", "the tool panicked");
    outputs.hold_none_of(&[argument, row]);
}

#[tokio::test]
async fn a_panic_with_a_text_of_the_program_is_recorded() {
    let (tracing, mut spans) = watched();
    let server =
        TestServer::start(|server| server.tracing(tracing).tool(tool("panics").handler(panics)))
            .await;
    let token = server.token_for("acme", "ada", &[]);
    let request = reqwest::Client::new().post(format!("{}/mcp/tool/panics", server.url()));
    let request = request
        .bearer_auth(token)
        .json(&json!({"text": "x", "level": 1}));
    assert_eq!(request.send().await.expect("an answer").status(), 500);
    let span = spans.next_request().await;
    let cause = crate::spans::attribute(&span, "tollgate.cause");
    assert_eq!(cause, "the tool panicked: a text of the program");
}

#[tokio::test]
async fn the_library_for_http_2_logs_no_header() {
    log::listen();
    let certificate = Certificate::new();
    let server = TestServer::start(|server| server.tls(certificate.load())).await;
    let token = server.token_for("acme", "ada", &[]);
    let canaries = [
        Canary::of("token", world::signature(&token)),
        Canary::new("cookie in HTTP/2"),
        Canary::new("query in HTTP/2"),
    ];
    let path = format!("/mcp/tool/x?access_token={}", canaries[2].text());
    let mut frames = Frames::connect(&server, &certificate, &[]).await;
    let headers = [
        (":method", "POST"),
        (":scheme", "https"),
        (":path", path.as_str()),
        (":authority", server.url().trim_start_matches("https://")),
        ("authorization", &format!("Bearer {token}")),
        ("cookie", canaries[1].text()),
    ];
    let end = END_STREAM | END_HEADERS;
    frames.send(HEADERS, end, 1, &block(&headers)).await;
    assert!(frames.next_of(HEADERS).await.is_some());
    let mut outputs = Outputs::default();
    outputs.add("log", log::lines_with("").join("\n"));
    outputs.mention("log", "HEADERS");
    outputs.hold_none_of(&canaries);
}
