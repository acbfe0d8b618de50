//! The promise of tasks: a long call is answered at once with a handle that cannot be guessed and is of
//! no use to anybody else; what it comes to can be asked for as long as was said; and it is governed,
//! bounded and on record like any other call.

#[path = "support/held.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod held;
#[path = "support/listener.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod listener;
#[path = "tasks/listening.rs"]
mod listening;
#[path = "tasks/recorded.rs"]
mod recorded;
#[path = "support/scrape.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod scrape;
#[path = "support/tasks.rs"]
mod tasks;
#[path = "support/wire.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod wire;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::time::timeout;
use tollgate::testing::TestServer;
use tollgate::{CallContext, Tool, ToolError};

use held::{Holder, Named, hello};
use tasks::{Client, TASKS, TTL, asks, policy, tool};
use wire::{Wire, meta};

/// Only a failing test waits this long.
const PATIENCE: Duration = Duration::from_secs(20);

async fn serving(tools: impl IntoIterator<Item = Tool>) -> TestServer {
    let tools = tools.into_iter();
    TestServer::start(|server| tools.fold(server, |server, tool| server.tool(tool))).await
}

/// A tool that is held, as a task.
fn held_task(holder: &Holder) -> Tool {
    holder.tool("hold").timeout(TTL).task(policy())
}

#[tokio::test]
async fn a_long_call_is_answered_with_a_handle_and_its_result_is_asked_for_later() {
    let holder = Holder::default();
    let server = serving([held_task(&holder)]).await;
    let ada = Client::of(&server, "ada", &[]);
    let reply = ada.call("hold").await;
    let made = &reply.body["result"];
    assert_eq!((reply.status, &made["status"]), (200, &json!("working")));
    assert_eq!(
        (&made["ttlMs"], &made["pollIntervalMs"]),
        (&json!(60_000), &json!(1_000))
    );
    assert_eq!(made["createdAt"], "2033-05-18T03:33:20.000000Z");
    let task = made["taskId"].as_str().expect("a handle");
    // 192 bits.
    assert_eq!(task.len(), 32);
    holder.has_begun(1).await;
    let working = ada.get(task).await;
    assert_eq!(working["status"], "working");
    assert!(working.get("result").is_none() && working.get("error").is_none());
    holder.let_go(1);
    let done = ada.until(task, "completed").await;
    let result = &done["result"];
    assert_eq!(result["content"][0]["text"], "held");
    assert_eq!(
        (&result["isError"], &result["resultType"]),
        (&json!(false), &json!("complete"))
    );
    assert_ne!(ada.make("hold").await, task);
}

#[tokio::test]
async fn nobody_but_its_caller_sees_answers_or_cancels_a_task() {
    let server = serving([asks()]).await;
    let (ada, bob) = (
        Client::of(&server, "ada", &[]),
        Client::of(&server, "bob", &[]),
    );
    let task = ada.make("ask").await;
    ada.until(&task, "input_required").await;
    for (method, more) in [
        ("tasks/get", json!({})),
        ("tasks/cancel", json!({})),
        (
            "tasks/update",
            json!({"inputResponses": {"name.1": {"action": "cancel"}}}),
        ),
    ] {
        let answers = [
            bob.ask(method, &task, more.clone()).await,
            bob.ask(method, "no-such-task", more).await,
        ];
        for answer in &answers {
            assert_eq!(
                (answer.status, answer.code()),
                (200, Some(-32602)),
                "{method}"
            );
            assert_eq!(answer.body["error"]["message"], "Task not found");
        }
    }
    assert_eq!(ada.get(&task).await["status"], "input_required");
    let other = server.token_for("globex", "ada", &[]);
    let other = Client(Wire::with_token(&server, Some(other)));
    let answer = other.ask("tasks/get", &task, json!({})).await;
    assert_eq!(answer.code(), Some(-32602), "the subject of another tenant");
}

#[tokio::test]
async fn who_may_not_call_the_tool_any_more_does_not_get_at_its_tasks() {
    let holder = Holder::default();
    let server = serving([Tool::new("work", "Works.")
        .scope("work")
        .timeout(TTL)
        .task(policy())
        .handler(async |_: CallContext, _: Named| {
            tokio::task::yield_now().await;
            Ok::<_, ToolError>("done")
        })])
    .await;
    drop(holder);
    let before = Client::of(&server, "ada", &["work"]);
    let task = before.make("work").await;
    before.until(&task, "completed").await;
    let after = Client::of(&server, "ada", &[]);
    let answer = after.ask("tasks/get", &task, json!({})).await;
    assert_eq!(answer.code(), Some(-32602), "{}", answer.text);
}

#[tokio::test]
async fn who_tries_out_handles_is_told_to_wait() {
    let server = TestServer::start(|server| {
        let limit = tollgate::Quota::per(2, Duration::from_secs(60));
        server.tool(asks()).denial_limit(limit)
    })
    .await;
    let ada = Client::of(&server, "ada", &[]);
    for _ in 0..2 {
        let answer = ada.ask("tasks/get", "guess", json!({})).await;
        assert_eq!(answer.code(), Some(-32602));
    }
    let answer = ada.ask("tasks/get", "guess", json!({})).await;
    assert_eq!(answer.code(), Some(42905), "{}", answer.text);
}

#[tokio::test]
async fn a_task_is_kept_as_long_as_was_said_and_no_longer() {
    let server = serving([asks()]).await;
    let ada = Client::of(&server, "ada", &[]);
    let task = ada.make("ask").await;
    ada.answer(&task, json!({"name": "Ada"})).await;
    ada.until(&task, "completed").await;
    server.clock().advance(TTL - Duration::from_millis(1));
    assert_eq!(ada.get(&task).await["status"], "completed");
    server.clock().advance(Duration::from_millis(1));
    let answer = ada.ask("tasks/get", &task, json!({})).await;
    assert_eq!((answer.status, answer.code()), (200, Some(-32602)));
}

#[tokio::test]
async fn a_caller_has_its_share_of_tasks_and_gets_it_back_with_time() {
    let holder = Holder::default();
    holder.let_go(200);
    let server = serving([held_task(&holder)]).await;
    let ada = Client::of(&server, "ada", &[]);
    for _ in 0..100 {
        ada.make("hold").await;
    }
    let refused = ada.call("hold").await;
    assert_eq!(
        (refused.status, refused.code()),
        (200, Some(42906)),
        "{}",
        refused.text
    );
    Client::of(&server, "bob", &[]).make("hold").await;
    server.clock().advance(TTL);
    ada.make("hold").await;
    holder.has_begun(102).await;
    assert_eq!(holder.begun().len(), 102, "what was refused did not run");
}

#[tokio::test]
async fn cancelling_ends_the_tool_and_nothing_comes_after_it() {
    struct Left(Arc<Notify>);
    impl Drop for Left {
        fn drop(&mut self) {
            self.0.notify_one();
        }
    }
    let left = Arc::new(Notify::new());
    let endless = async |left: Arc<Notify>, _: CallContext, _: Named| {
        let _left = Left(left);
        std::future::pending::<()>().await;
        Ok::<_, ToolError>("never")
    };
    let server = serving([tool("endless").handler_with(Arc::clone(&left), endless)]).await;
    let ada = Client::of(&server, "ada", &[]);
    let task = ada.make("endless").await;
    // This is not how a task is cancelled.
    let notice =
        json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}});
    let told = ada
        .0
        .body(notice.to_string())
        .header("mcp-protocol-version", wire::MODERN);
    assert_eq!(told.send().await.status, 202);
    assert_eq!(ada.get(&task).await["status"], "working");
    ada.cancel(&task).await;
    timeout(PATIENCE, left.notified())
        .await
        .expect("the tool is dropped");
    for _ in 0..2 {
        let cancelled = ada.get(&task).await;
        assert_eq!(cancelled["status"], "cancelled");
        assert!(cancelled.get("result").is_none() && cancelled.get("error").is_none());
        ada.cancel(&task).await;
    }
}

#[tokio::test]
async fn what_a_task_asks_is_answered_through_it_under_keys_that_never_come_twice() {
    let server = serving([asks()]).await;
    let ada = Client::of(&server, "ada", &[]);
    let task = ada.make("ask").await;
    let first = ada.until(&task, "input_required").await;
    assert_eq!(first["statusMessage"], "asking");
    let question = &first["inputRequests"]["name.1"];
    assert_eq!(question["method"], "elicitation/create");
    assert_eq!(question["params"]["message"], "Who are you?");
    // Of no question, and then one that does not fit.
    ada.update(&task, json!({"other": {"action": "accept"}}))
        .await;
    assert_eq!(
        ada.get(&task).await["inputRequests"],
        first["inputRequests"]
    );
    ada.update(
        &task,
        json!({"name.1": {"action": "accept", "content": {"name": 7}}}),
    )
    .await;
    let second = loop {
        let now = ada.until(&task, "input_required").await;
        if now["inputRequests"] != first["inputRequests"] {
            break now;
        }
    };
    let keys: Vec<&String> = second["inputRequests"]
        .as_object()
        .expect("questions")
        .keys()
        .collect();
    assert_eq!(keys, ["name.2"]);
    ada.answer(&task, json!({"name": "Ada"})).await;
    let done = ada.until(&task, "completed").await;
    assert_eq!(done["result"]["content"][0]["text"], "Hello, Ada!");
    assert!(done.get("inputRequests").is_none());
}

#[tokio::test]
async fn what_a_tool_says_is_a_result_and_what_breaks_is_an_error() {
    let server = serving([
        tool("refuse").handler(async |_: CallContext, _: Named| {
            tokio::task::yield_now().await;
            Err::<String, _>(ToolError::refused("not on a Sunday"))
        }),
        tool("break").handler(async |_: CallContext, _: Named| {
            tokio::task::yield_now().await;
            Err::<String, _>(ToolError::Defect("a secret".to_owned()))
        }),
        tool("late").timeout(Duration::from_millis(20)).handler(
            async |_: CallContext, _: Named| {
                std::future::pending::<()>().await;
                Ok::<_, ToolError>("never")
            },
        ),
    ])
    .await;
    let ada = Client::of(&server, "ada", &[]);
    for (tool, text) in [
        ("refuse", "not on a Sunday"),
        ("late", "The tool did not finish in time"),
    ] {
        let task = ada.make(tool).await;
        let done = ada.until(&task, "completed").await;
        assert_eq!(done["result"]["isError"], true);
        assert_eq!(done["result"]["content"][0]["text"], text);
    }
    let task = ada.make("break").await;
    let failed = ada.until(&task, "failed").await;
    assert_eq!(failed["error"]["code"], -32603);
    assert_eq!(failed["statusMessage"], "The tool failed unexpectedly");
    assert!(failed.get("result").is_none() && !failed.to_string().contains("secret"));
}

#[tokio::test]
async fn a_client_that_does_not_know_tasks_gets_an_answer_or_learns_what_is_missing() {
    let holder = Holder::default();
    holder.let_go(1);
    let required = holder
        .tool("required")
        .timeout(TTL)
        .task(policy().required());
    let server = serving([held_task(&holder), required]).await;
    let wire = Wire::of(&server, &[]);
    let call = |name: &str| json!({"name": name, "arguments": {}});
    let plain = wire.modern("tools/call", call("hold")).send().await;
    assert_eq!(
        plain.body["result"]["resultType"], "complete",
        "{}",
        plain.text
    );
    let missing = json!({"extensions": {TASKS: {}}});
    let needs = |reply: wire::Reply| {
        assert_eq!(
            (reply.status, reply.code()),
            (400, Some(-32021)),
            "{}",
            reply.text
        );
        assert_eq!(reply.body["error"]["data"]["requiredCapabilities"], missing);
    };
    needs(wire.modern("tools/call", call("required")).send().await);
    for method in ["tasks/get", "tasks/update", "tasks/cancel"] {
        let params = json!({"taskId": "any", "inputResponses": {}});
        needs(
            wire.modern(method, params)
                .header("mcp-name", "any")
                .send()
                .await,
        );
    }
    // The extension is none of the older era's.
    let old = wire
        .legacy("tasks/get", json!({"taskId": "any"}))
        .send()
        .await;
    assert_eq!(old.code(), Some(-32601));
    let old = wire.legacy("tools/call", call("required")).send().await;
    assert_eq!(old.body["result"]["isError"], true, "{}", old.text);
}

#[tokio::test]
async fn the_name_in_the_header_is_that_of_the_task() {
    let server = serving([asks()]).await;
    let ada = Client::of(&server, "ada", &[]);
    let params = json!({"taskId": "one", "_meta": tasks::knowing()});
    let bare = ada.0.modern("tasks/get", params);
    for request in [bare.clone(), bare.header("mcp-name", "other")] {
        let reply = request.send().await;
        assert_eq!(
            (reply.status, reply.code()),
            (400, Some(-32020)),
            "{}",
            reply.text
        );
    }
}

#[tokio::test]
async fn a_server_without_such_tools_knows_no_tasks() {
    let discover = async |server: &TestServer| {
        let reply = Wire::of(server, &[])
            .modern("server/discover", json!({}))
            .send()
            .await;
        reply.body["result"]["capabilities"]["extensions"].clone()
    };
    let server = serving([hello()]).await;
    assert_eq!(discover(&server).await, Value::Null);
    let ada = Client::of(&server, "ada", &[]);
    let reply = ada.ask("tasks/get", "any", json!({})).await;
    assert_eq!((reply.status, reply.code()), (404, Some(-32601)));
    let server = serving([hello(), asks()]).await;
    assert_eq!(discover(&server).await, json!({TASKS: {}}));
    assert!(meta()["io.modelcontextprotocol/clientCapabilities"].is_object());
}

#[tokio::test]
async fn a_tool_that_decides_late_answers_at_once_or_goes_on_as_a_task() {
    let late = async |call: CallContext, args: Named| {
        if !args.name.is_empty() {
            call.continue_as_task().await;
        }
        Ok::<_, ToolError>(format!("served {}", args.name))
    };
    let late = tool("late").task(policy().begins_when_told()).handler(late);
    let server = serving([late]).await;
    let ada = Client::of(&server, "ada", &[]);
    let reply = ada.call("late").await;
    assert_eq!(reply.body["result"]["content"][0]["text"], "served ");
    let call = json!({"name": "late", "arguments": {"name": "Ada"}, "_meta": tasks::knowing()});
    let reply = ada.0.modern("tools/call", call).send().await;
    let task = reply.body["result"]["taskId"].as_str().expect("a handle");
    let done = ada.until(task, "completed").await;
    assert_eq!(done["result"]["content"][0]["text"], "served Ada");
}
