//! Every request leaves exactly one span, which says who, what and how it ended, in words that no
//! caller can choose.

#[path = "support/caller.rs"]
mod caller;
#[path = "record/messages.rs"]
mod messages;
#[path = "record/otlp.rs"]
mod otlp;
#[path = "record/parents.rs"]
mod parents;
#[path = "support/spans.rs"]
mod spans;

use std::future::pending;
use std::time::Duration;

use opentelemetry::trace::Status;
use opentelemetry_sdk::trace::SpanData;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;
use tollgate::testing::TestServer;
use tollgate::{CallContext, Prompt, Quota, Resource, Tool, ToolError};

use caller::{Answer, Caller};
use spans::{Spans, attribute, watched};

#[derive(Deserialize, JsonSchema)]
struct Wish {
    end: String,
}

/// Ends as it is asked to.
async fn end(
    started: UnboundedSender<()>,
    _: CallContext,
    wish: Wish,
) -> Result<String, ToolError> {
    match wish.end.as_str() {
        "well" => Ok("done".to_owned()),
        "refused" => Err(ToolError::refused("no")),
        "never" => {
            // The test may not listen.
            let _ = started.send(());
            pending().await
        }
        _ => Err(ToolError::Failed("disk 7 is gone".to_owned())),
    }
}

#[derive(Deserialize, JsonSchema)]
struct Thing {
    id: String,
}

struct Watched {
    server: TestServer,
    spans: Spans,
    started: UnboundedReceiver<()>,
}

impl Watched {
    async fn start() -> Self {
        let (tracing, spans) = watched();
        let (sender, started) = unbounded_channel();
        let tool = |name: &str| Tool::new(name, "Ends as it is asked to.").scope("end");
        let server = TestServer::start(|server| {
            server
                .tool(tool("end").handler_with(sender.clone(), end))
                .tool(
                    tool("hasty")
                        .timeout(Duration::from_millis(20))
                        .handler_with(sender.clone(), end),
                )
                .tool(
                    tool("once")
                        .quota(Quota::per_minute(1))
                        .handler_with(sender, end),
                )
                .resource(
                    Resource::new("things://{id}", "thing")
                        .scope("end")
                        .handler(async |_: CallContext, thing: Thing| match &*thing.id {
                            "gone" => Err(ToolError::not_found("it is gone")),
                            _ => Ok(thing.id),
                        }),
                )
                .prompt(
                    Prompt::new("greet", "Greets.")
                        .scope("end")
                        .handler(async |_: CallContext, thing: Thing| Ok::<_, ToolError>(thing.id)),
                )
                .tracing(tracing)
        })
        .await;
        Self {
            server,
            spans,
            started,
        }
    }

    fn caller(&self) -> Caller {
        Caller::new(
            self.server.url(),
            self.server.token_for("acme", "ada", &["end"]),
        )
    }

    /// The spans of the requests that were answered so, one each and none besides: the next span is
    /// that of the next request.
    async fn spans_of<const N: usize>(&mut self, answers: &[Answer; N]) -> [SpanData; N] {
        let mut spans = Vec::new();
        for answer in answers {
            let span = self.spans.next_request().await;
            let call_id = answer.header("tollgate-call-id");
            assert_eq!(attribute(&span, "tollgate.call.id"), call_id, "{answer:?}");
            spans.push(span);
        }
        self.nothing_more().await;
        spans.try_into().expect("one each")
    }

    async fn only_span(&mut self, answer: Answer) -> SpanData {
        let [span] = self.spans_of(&[answer]).await;
        span
    }

    async fn nothing_more(&mut self) {
        let marker = self.caller().rest("end", json!({"end": "well"})).await;
        let next = self.spans.next_request().await;
        let call_id = marker.header("tollgate-call-id");
        assert_eq!(attribute(&next, "tollgate.call.id"), call_id);
    }
}

fn call(tool: &str, end: &str) -> Value {
    json!({"name": tool, "arguments": {"end": end}})
}

/// Outcome, and which error.
fn ending(span: &SpanData) -> [String; 2] {
    ["tollgate.outcome", "tollgate.error"].map(|name| attribute(span, name))
}

#[tokio::test]
async fn a_served_call_is_one_span_with_who_and_what_and_how() {
    let mut watched = Watched::start().await;
    let answer = watched
        .caller()
        .modern("tools/call", call("once", "well"))
        .await;
    let span = watched.only_span(answer).await;
    assert_eq!(span.name, "tools/call once");
    assert_eq!(span.status, Status::Unset);
    for (name, value) in [
        ("tollgate.outcome", "ok"),
        ("tollgate.tenant", "acme"),
        ("tollgate.subject", "ada"),
        ("mcp.method.name", "tools/call"),
        ("mcp.protocol.version", "2026-07-28"),
        ("gen_ai.tool.name", "once"),
        ("gen_ai.operation.name", "execute_tool"),
        ("jsonrpc.request.id", "1"),
        ("tollgate.quota.decision", "admitted"),
        ("tollgate.quota.limit", "1"),
        ("tollgate.quota.remaining", "0"),
        ("tollgate.surface", "mcp"),
        ("network.transport", "tcp"),
        ("error.type", ""),
        ("rpc.response.status_code", ""),
    ] {
        assert_eq!(attribute(&span, name), value, "{name}");
    }

    let read = watched
        .caller()
        .legacy("resources/read", json!({"uri": "things://secret"}))
        .await;
    let span = watched.only_span(read).await;
    assert_eq!(span.name, "resources/read things://{id}");
    assert_eq!(
        attribute(&span, "tollgate.resource.template"),
        "things://{id}"
    );
    assert_eq!(attribute(&span, "mcp.protocol.version"), "2025-11-25");

    let rest = watched.caller().rest("end", json!({"end": "well"})).await;
    assert_eq!(rest.body["result"], "done");
    let span = watched.only_span(rest).await;
    assert_eq!(span.name, "tools/call end");
    assert_eq!(attribute(&span, "tollgate.surface"), "rest");
    assert_eq!(attribute(&span, "tollgate.quota.decision"), "");
}

#[tokio::test]
async fn every_way_for_a_call_to_end_is_one_span_that_names_it() {
    let mut watched = Watched::start().await;
    let caller = watched.caller();
    assert_eq!(
        caller.rest("once", json!({"end": "well"})).await.status,
        200
    );
    watched.spans.next_request().await;
    for (tool, wish, ending_of) in [
        ("once", json!({"end": "well"}), ["denied", "quota-exceeded"]),
        ("end", json!({"start": 1}), ["invalid", "invalid-arguments"]),
        ("end", json!({"end": "refused"}), ["failed", "refused"]),
        ("end", json!({"end": "badly"}), ["failed", "source-failed"]),
        (
            "hasty",
            json!({"end": "never"}),
            ["timed_out", "deadline-exceeded"],
        ),
    ] {
        let params = json!({"name": tool, "arguments": wish});
        let answers = [
            caller.rest(tool, wish.clone()).await,
            caller.modern("tools/call", params.clone()).await,
            caller.legacy("tools/call", params).await,
        ];
        for span in watched.spans_of(&answers).await {
            assert_eq!(ending(&span), ending_of);
            assert_eq!(span.name, format!("tools/call {tool}"));
            assert_eq!(attribute(&span, "tollgate.tenant"), "acme");
            let is_error = matches!(span.status, Status::Error { .. });
            assert!(is_error, "{ending_of:?}");
            if ending_of[1] == "quota-exceeded" {
                assert_eq!(attribute(&span, "tollgate.quota.decision"), "exceeded");
            }
        }
    }
}

#[tokio::test]
async fn error_type_follows_the_convention_for_mcp() {
    let mut watched = Watched::start().await;
    let caller = watched.caller();
    let answers = [
        caller.modern("tools/call", call("end", "refused")).await,
        caller.modern("tools/call", call("gone", "well")).await,
        caller.legacy("tools/call", call("end", "badly")).await,
        caller.rest("end", json!({"end": "refused"})).await,
    ];
    let told = [
        ["tool_error", "", ""],
        ["-32602", "-32602", ""],
        ["tool_error", "", ""],
        ["refused", "", "422"],
    ];
    let names = [
        "error.type",
        "rpc.response.status_code",
        "http.response.status_code",
    ];
    for (span, told) in watched.spans_of(&answers).await.iter().zip(told) {
        assert_eq!(names.map(|name| attribute(span, name)), told);
    }
}

#[tokio::test]
async fn the_code_of_a_span_is_the_one_that_was_sent() {
    let mut watched = Watched::start().await;
    let caller = watched.caller();
    let (gone, unknown) = (json!({"uri": "things://gone"}), json!({"uri": "other://1"}));
    let answers = [
        caller.modern("resources/read", gone.clone()).await,
        caller.legacy("resources/read", gone).await,
        caller.modern("resources/read", unknown.clone()).await,
        caller.legacy("resources/read", unknown).await,
        caller
            .modern("prompts/get", json!({"name": "greet", "arguments": {}}))
            .await,
        caller
            .legacy("prompts/get", json!({"name": "greet", "arguments": {}}))
            .await,
    ];
    let codes = [-32602, -32002, -32602, -32002, -32602, -32602];
    let spans = watched.spans_of(&answers).await;
    for ((answer, span), code) in answers.iter().zip(&spans).zip(codes) {
        assert_eq!(answer.body["error"]["code"], code, "{answer:?}");
        for name in ["error.type", "rpc.response.status_code"] {
            assert_eq!(attribute(span, name), code.to_string());
        }
    }
}

#[tokio::test]
async fn a_refused_caller_is_one_span_and_a_stranger_has_no_name() {
    let mut watched = Watched::start().await;
    let url = watched.server.url().to_owned();
    let scopeless = Caller::new(&url, watched.server.token_for("acme", "eve", &[]));
    let answers = [
        scopeless.rest("end", json!({})).await,
        scopeless.modern("tools/call", call("end", "well")).await,
    ];
    for span in watched.spans_of(&answers).await {
        assert_eq!(ending(&span), ["denied", "insufficient-scope"]);
        assert_eq!(span.name, "tools/call end");
        assert_eq!(attribute(&span, "tollgate.subject"), "eve");
    }
    let stranger = Caller::new(&url, "nonsense");
    let answers = [
        stranger.rest("end", json!({})).await,
        stranger.modern("tools/call", call("end", "well")).await,
        stranger.legacy("ping", json!({})).await,
    ];
    let names = ["tools/call", "POST /mcp", "POST /mcp"];
    for (span, name) in watched.spans_of(&answers).await.iter().zip(names) {
        assert_eq!(ending(span), ["denied", "unauthenticated"]);
        assert_eq!(span.name, name);
        assert_eq!(attribute(span, "tollgate.tenant"), "");
        assert_eq!(attribute(span, "tollgate.subject"), "");
    }
}

#[tokio::test]
async fn a_caller_that_leaves_is_one_span_that_says_cancelled() {
    let mut watched = Watched::start().await;
    for modern in [false, true] {
        let caller = watched.caller();
        let leaving = tokio::spawn(async move {
            if modern {
                caller.modern("tools/call", call("end", "never")).await
            } else {
                caller.rest("end", json!({"end": "never"})).await
            }
        });
        let started = timeout(Duration::from_secs(10), watched.started.recv()).await;
        started.expect("it starts in time");
        leaving.abort();
        let span = watched.spans.next_request().await;
        assert_eq!(ending(&span), ["cancelled", ""]);
        assert_eq!(span.name, "tools/call end");
        assert_eq!(attribute(&span, "tollgate.tenant"), "acme");
        watched.nothing_more().await;
    }
}
