//! Plain typed functions as tools: what reaches them, what of their answers and failures reaches
//! the caller, and what does not.

#[path = "tools/arguments.rs"]
mod arguments;
#[path = "support/caller.rs"]
mod caller;
#[path = "support/log.rs"]
mod log;
#[path = "tools/running.rs"]
mod running;
#[path = "support/spans.rs"]
mod spans;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tollgate::testing::TestServer;
use tollgate::{CallContext, Tool, ToolError};

use caller::{Answer, Caller};

#[derive(Deserialize, JsonSchema)]
struct Nothing {}

/// A server with one tool that anybody may call.
async fn serve(tool: Tool) -> TestServer {
    log::listen();
    TestServer::start(|server| server.tool(tool.any_authenticated())).await
}

fn caller(server: &TestServer) -> Caller {
    Caller::new(server.url(), server.token_for("acme", "ada", &["a", "b"]))
}

fn call(tool: &str, arguments: Value) -> Value {
    json!({"name": tool, "arguments": arguments})
}

/// The text of a result that tells the model what went wrong.
fn told(answer: &Answer) -> &str {
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body["result"]["isError"], true, "{answer:?}");
    let text = &answer.body["result"]["content"][0]["text"];
    text.as_str().expect("a text")
}

/// Nothing but "it failed" on any surface, `cause` in the log.
async fn fails_without_saying_why(server: &TestServer, tool: &str, cause: &str) {
    let caller = caller(server);
    let rest = caller.rest(tool, json!({})).await;
    assert_eq!(rest.status, 500);
    let call_id = rest.header("tollgate-call-id").to_owned();
    let body = json!({
        "type": "urn:tollgate:error:internal", "title": "Internal Server Error",
        "status": 500, "detail": "The tool failed unexpectedly", "callId": call_id,
    });
    assert_eq!(rest.body, body);
    let logged = log::lines_with(&call_id);
    assert_eq!(logged.len(), 1, "{logged:?}");
    assert!(logged[0].contains(cause), "{logged:?}");
    for mcp in [
        caller.modern("tools/call", call(tool, json!({}))).await,
        caller.legacy("tools/call", call(tool, json!({}))).await,
    ] {
        assert_eq!(mcp.status, 200);
        let error = json!({
            "code": -32603, "message": "The tool failed unexpectedly",
            "data": {"callId": mcp.header("tollgate-call-id")},
        });
        assert_eq!(mcp.body["error"], error);
    }
}

#[derive(Deserialize, JsonSchema)]
struct Wish {
    error: String,
}

async fn grant(_: CallContext, wish: Wish) -> Result<(), ToolError> {
    Err(match wish.error.as_str() {
        "refused" => ToolError::refused("the shop is closed"),
        "not found" => ToolError::not_found("no such order"),
        "invalid" => ToolError::InvalidArguments("the end is before the start".to_owned()),
        "busy" => ToolError::Busy,
        "late" => ToolError::DeadlineExceeded,
        "failed" => ToolError::Failed("password=hunter2".to_owned()),
        _ => {
            std::fs::read_to_string("no-such-folder/password=hunter2")?;
            return Ok(());
        }
    })
}

#[tokio::test]
async fn each_way_to_say_no_has_its_status_and_its_words() {
    let server = serve(Tool::new("grant", "Fails on demand.").handler(grant)).await;
    let caller = caller(&server);
    for (error, status, kind, detail) in [
        ("refused", 422, "refused", "the shop is closed"),
        ("not found", 422, "not-found", "no such order"),
        (
            "invalid",
            400,
            "invalid-arguments",
            "Invalid arguments: the end is before the start",
        ),
        (
            "busy",
            502,
            "source-busy",
            "A system behind the tool is busy; retry shortly",
        ),
        (
            "late",
            504,
            "deadline-exceeded",
            "The tool did not finish in time",
        ),
        (
            "failed",
            502,
            "source-failed",
            "A system behind the tool failed",
        ),
        (
            "io",
            502,
            "source-failed",
            "A system behind the tool failed",
        ),
    ] {
        let rest = caller.rest("grant", json!({ "error": error })).await;
        assert_eq!(rest.status, status, "{error}");
        assert_eq!(rest.body["type"], format!("urn:tollgate:error:{kind}"));
        assert_eq!(rest.body["detail"], detail);
        let params = call("grant", json!({ "error": error }));
        let modern = caller.modern("tools/call", params.clone()).await;
        assert_eq!(told(&modern), detail);
        let call_id = modern.header("tollgate-call-id");
        assert_eq!(modern.body["result"]["_meta"]["tollgate/callId"], call_id);
        assert_eq!(told(&caller.legacy("tools/call", params).await), detail);
        let retry_after = if error == "busy" { "1" } else { "" };
        assert_eq!(rest.header("retry-after"), retry_after);
    }
}

#[tokio::test]
async fn an_error_of_a_library_is_logged_in_full_and_told_in_general() {
    let server = serve(Tool::new("grant", "Fails on demand.").handler(grant)).await;
    let answer = caller(&server).rest("grant", json!({"error": "io"})).await;
    assert!(!answer.body.to_string().contains("No such file"));
    let logged = log::lines_with(answer.header("tollgate-call-id"));
    assert_eq!(logged.len(), 1, "{logged:?}");
    assert!(logged[0].contains("ERROR") && logged[0].contains("No such file"));
}

/// Promises an id and does not keep it.
#[derive(Serialize)]
struct Liar {
    name: &'static str,
}

impl JsonSchema for Liar {
    fn schema_name() -> Cow<'static, str> {
        "Liar".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "object", "required": ["id"]})
    }
}

#[tokio::test]
async fn an_answer_that_breaks_its_own_schema_is_a_defect_and_is_not_shown() {
    let lie = async |_: CallContext, _: Nothing| Ok::<_, ToolError>(Liar { name: "hidden" });
    let server = serve(Tool::new("lie", "Lies.").handler(lie)).await;
    fails_without_saying_why(&server, "lie", "output schema: /: ").await;
}

/// JSON has no such keys.
#[derive(Serialize)]
struct Unspeakable(BTreeMap<(u8, u8), u8>);

impl JsonSchema for Unspeakable {
    fn schema_name() -> Cow<'static, str> {
        "Unspeakable".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "object"})
    }
}

#[tokio::test]
async fn an_answer_that_is_no_json_is_a_defect() {
    let answer = async |_: CallContext, _: Nothing| {
        Ok::<_, ToolError>(Unspeakable(BTreeMap::from([((1, 2), 3)])))
    };
    let server = serve(Tool::new("speak", "Says what JSON cannot.").handler(answer)).await;
    fails_without_saying_why(&server, "speak", "key must be a string").await;
}

#[tokio::test]
async fn not_a_number_breaks_the_schema_of_a_number() {
    let answer = async |_: CallContext, _: Nothing| Ok::<_, ToolError>(f64::NAN);
    let server = serve(Tool::new("divide", "By zero.").handler(answer)).await;
    fails_without_saying_why(&server, "divide", "output schema").await;
}

#[derive(Serialize, JsonSchema)]
struct Seen {
    tenant: String,
    subject: String,
    scopes: Vec<String>,
    call_id: String,
    millis_left: u64,
}

async fn look(call: CallContext, _: Nothing) -> Result<Seen, ToolError> {
    let principal = call.principal();
    let left = call.time_left();
    let until = call.deadline();
    assert!(left > Duration::ZERO && until.checked_sub(left).is_some());
    Ok(Seen {
        tenant: principal.tenant().to_owned(),
        subject: principal.subject().to_owned(),
        scopes: principal.scopes().iter().map(ToString::to_string).collect(),
        call_id: call.call_id().to_string(),
        millis_left: u64::try_from(left.as_millis())?,
    })
}

#[tokio::test]
async fn a_tool_knows_who_calls_under_which_id_and_for_how_long() {
    let tool = Tool::new("look", "Looks around.").timeout(Duration::from_secs(40));
    let server = serve(tool.handler(look)).await;
    let answer = caller(&server).rest("look", json!({})).await;
    let seen = &answer.body["result"];
    assert_eq!(seen["tenant"], "acme");
    assert_eq!(seen["subject"], "ada");
    assert_eq!(seen["scopes"], json!(["a", "b"]));
    assert_eq!(seen["call_id"], answer.header("tollgate-call-id"));
    let left = seen["millis_left"].as_u64().unwrap();
    assert!((20_000..=40_000).contains(&left), "{left}");
}

#[tokio::test]
async fn an_answer_of_any_type_is_shown_on_every_surface() {
    let list = async |_: CallContext, _: Nothing| Ok::<_, ToolError>(vec!["a\u{2028}", "\"b\""]);
    let server = serve(Tool::new("list", "Lists.").handler(list)).await;
    let caller = caller(&server);
    let value = json!(["a\u{2028}", "\"b\""]);
    let rest = caller.rest("list", json!({})).await;
    assert_eq!(rest.body, json!({"ok": true, "result": value}));
    let modern = caller.modern("tools/call", call("list", json!({}))).await;
    assert_eq!(modern.body["result"]["structuredContent"], value);
    let legacy = caller.legacy("tools/call", call("list", json!({}))).await;
    let wrapped = json!({ "result": value });
    assert_eq!(legacy.body["result"]["structuredContent"], wrapped);
    for answer in [modern, legacy] {
        let text = answer.body["result"]["content"][0]["text"]
            .as_str()
            .unwrap();
        assert_eq!(serde_json::from_str::<Value>(text).unwrap(), value);
    }
}
