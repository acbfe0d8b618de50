//! While a tool runs: its deadline, its panics, its places, and callers that leave.

use std::future::{Ready, pending};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::coop::consume_budget;
use tokio::time::timeout;
use tollgate::testing::TestServer;
use tollgate::{CallContext, Tool, ToolError};

use crate::caller::Caller;
use crate::{Nothing, call, caller, fails_without_saying_why, log, serve, spans, told};

/// What a running tool tells the test.
#[derive(Debug, PartialEq, Eq)]
enum Event {
    Started,
    Dropped,
    Finished,
}

struct Guard(UnboundedSender<Event>);

impl Drop for Guard {
    fn drop(&mut self) {
        // The test may be over.
        let _ = self.0.send(Event::Dropped);
    }
}

async fn endless(
    events: UnboundedSender<Event>,
    _: CallContext,
    _: Nothing,
) -> Result<(), ToolError> {
    let guard = Guard(events);
    let _ = guard.0.send(Event::Started);
    pending().await
}

async fn next(events: &mut UnboundedReceiver<Event>) -> Event {
    let next = timeout(Duration::from_secs(10), events.recv()).await;
    next.expect("an event in time").expect("a running server")
}

#[tokio::test]
async fn a_tool_that_never_ends_is_dropped_at_its_deadline() {
    let (sender, mut events) = unbounded_channel();
    let tool = Tool::new("endless", "Never ends.")
        .timeout(Duration::from_millis(50))
        .handler_with(sender, endless);
    let server = serve(tool).await;
    let caller = caller(&server);

    let rest = caller.rest("endless", json!({})).await;
    assert_eq!(rest.status, 504);
    assert_eq!(rest.body["type"], "urn:tollgate:error:deadline-exceeded");
    assert_eq!(rest.body["detail"], "The tool did not finish in time");
    let params = call("endless", json!({}));
    let modern = caller.modern("tools/call", params.clone()).await;
    assert_eq!(told(&modern), "The tool did not finish in time");
    let legacy = caller.legacy("tools/call", params).await;
    assert_eq!(told(&legacy), "The tool did not finish in time");
    for _ in 0..3 {
        assert_eq!(events.try_recv(), Ok(Event::Started));
        assert_eq!(events.try_recv(), Ok(Event::Dropped), "before the answer");
    }
}

#[tokio::test]
async fn a_tool_that_never_rests_is_dropped_at_its_deadline() {
    // Whenever it is polled it uses up all that a task may do at a time, the timer's part as well.
    let greedy = async |_: CallContext, _: Nothing| -> Result<(), ToolError> {
        loop {
            consume_budget().await;
        }
    };
    let tool = Tool::new("greedy", "Never rests.").timeout(Duration::from_millis(50));
    let server = serve(tool.handler(greedy)).await;
    let caller = caller(&server);
    let answer = timeout(Duration::from_secs(10), caller.rest("greedy", json!({}))).await;
    assert_eq!(answer.expect("an answer").status, 504);
}

#[tokio::test]
async fn a_panic_is_contained_and_its_message_is_for_the_operator_alone() {
    log::listen();
    let (tracing, mut spans) = spans::watched();
    let panics = async |_: CallContext, _: Nothing| -> Result<(), ToolError> {
        panic!("the vault code is 0000")
    };
    let early = |_: CallContext, _: Nothing| -> Ready<Result<(), ToolError>> {
        panic!("the vault code is 0000")
    };
    let server = TestServer::start(|server| {
        server
            .tool(
                Tool::new("late", "Panics.")
                    .any_authenticated()
                    .handler(panics),
            )
            .tool(
                Tool::new("early", "Panics.")
                    .any_authenticated()
                    .handler(early),
            )
            .tracing(tracing)
    })
    .await;
    for tool in ["late", "early"] {
        fails_without_saying_why(&server, tool, "the vault code is 0000").await;
        for _ in 0..3 {
            let span = spans.next_request().await;
            assert_eq!(spans::attribute(&span, "tollgate.outcome"), "failed");
            assert!(format!("{:?}", span.status).contains("the vault code is 0000"));
        }
    }
}

#[tokio::test]
async fn a_panic_at_the_deadline_is_contained_as_well() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("dropped")
        }
    }
    let explode = async |_: CallContext, _: Nothing| -> Result<(), ToolError> {
        let _bomb = Bomb;
        pending().await
    };
    let tool = Tool::new("explode", "Ends badly.").timeout(Duration::from_millis(20));
    let server = serve(tool.handler(explode)).await;
    fails_without_saying_why(&server, "explode", "dropped").await;
}

#[tokio::test]
async fn a_tool_with_one_place_refuses_the_second_call_and_serves_the_next() {
    let (sender, mut events) = unbounded_channel();
    let open = Arc::new(Notify::new());
    let wait = async |(events, open): (UnboundedSender<Event>, Arc<Notify>),
                      _: CallContext,
                      _: Nothing| {
        let _ = events.send(Event::Started);
        open.notified().await;
        Ok::<_, ToolError>("done")
    };
    let tool = Tool::new("wait", "Waits.").max_concurrent(NonZeroU32::MIN);
    let server = serve(tool.handler_with((sender, Arc::clone(&open)), wait)).await;
    let caller = caller(&server);

    let first = tokio::spawn({
        let caller = caller.clone();
        async move { caller.rest("wait", json!({})).await }
    });
    assert_eq!(next(&mut events).await, Event::Started);
    let rest = caller.rest("wait", json!({})).await;
    assert_eq!(rest.status, 429);
    assert_eq!(rest.body["type"], "urn:tollgate:error:too-many-at-once");
    assert_eq!(rest.header("retry-after"), "1");
    let params = call("wait", json!({}));
    for mcp in [
        caller.modern("tools/call", params.clone()).await,
        caller.legacy("tools/call", params).await,
    ] {
        assert_eq!((mcp.status, mcp.header("retry-after")), (200, "1"));
        assert_eq!(mcp.body["error"]["code"], 42902);
        assert_eq!(mcp.body["error"]["data"]["retryAfterMs"], 1_000);
    }
    open.notify_one();
    assert_eq!(first.await.unwrap().body["result"], "done");
    open.notify_one();
    assert_eq!(caller.rest("wait", json!({})).await.body["result"], "done");
}

/// Calls `endless`, leaves while it runs, and looks what becomes of it.
async fn leaves(caller: Caller, modern: bool, events: &mut UnboundedReceiver<Event>) {
    let leaving = tokio::spawn(async move {
        if modern {
            caller
                .modern("tools/call", call("endless", json!({})))
                .await
        } else {
            caller.rest("endless", json!({})).await
        }
    });
    assert_eq!(next(events).await, Event::Started);
    leaving.abort();
    assert_eq!(next(events).await, Event::Dropped);
}

#[tokio::test]
async fn a_caller_that_leaves_stops_its_tool_and_frees_its_place() {
    let (sender, mut events) = unbounded_channel();
    let tool = Tool::new("endless", "Never ends.")
        .max_concurrent(NonZeroU32::MIN)
        .handler_with(sender, endless);
    let server = serve(tool).await;
    for modern in [false, true, false, true] {
        leaves(caller(&server), modern, &mut events).await;
    }
}

#[tokio::test]
async fn a_caller_of_before_2026_that_leaves_does_not_stop_its_tool() {
    let (sender, mut events) = unbounded_channel();
    let open = Arc::new(Notify::new());
    let finish = async |(events, open): (UnboundedSender<Event>, Arc<Notify>),
                        _: CallContext,
                        _: Nothing| {
        let guard = Guard(events);
        let _ = guard.0.send(Event::Started);
        open.notified().await;
        let _ = guard.0.send(Event::Finished);
        Ok::<_, ToolError>(())
    };
    let tool = Tool::new("finish", "Finishes.").handler_with((sender, Arc::clone(&open)), finish);
    let server = serve(tool).await;
    let caller = caller(&server);
    let leaving = tokio::spawn({
        let caller = caller.clone();
        async move { caller.legacy("tools/call", call("finish", json!({}))).await }
    });
    assert_eq!(next(&mut events).await, Event::Started);
    leaving.abort();
    assert!(leaving.await.is_err());
    // By now the server has had time to notice.
    for _ in 0..20 {
        assert_eq!(caller.rest("unknown", json!({})).await.status, 404);
    }
    assert!(events.is_empty());
    open.notify_one();
    assert_eq!(next(&mut events).await, Event::Finished);
}
