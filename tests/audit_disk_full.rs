//! A disk without room: in strict mode no tool starts that is not on record, and otherwise what is
//! missing is counted; and once there is room, the log goes on without half a line.

#![cfg(target_os = "linux")]

#[path = "support/audit.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod audit;
#[path = "support/caller.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod caller;
#[path = "support/small_disk.rs"]
mod small_disk;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use audit::{body, close, held, line, open_with, settings, wait};
use caller::Caller;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use small_disk::SmallDisk;
use tollgate::audit::{Durability, Log};
use tollgate::testing::TestServer;
use tollgate::{CallContext, Tool, ToolError};

#[derive(Deserialize, JsonSchema)]
struct Nothing {}

/// A server whose tool `count` counts how often it ran.
async fn counting(file: &Path, durability: Durability) -> (TestServer, Caller, Arc<AtomicU64>) {
    let ran = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&ran);
    let server = TestServer::start(|server| {
        let count = async |ran: Arc<AtomicU64>, _: CallContext, _: Nothing| {
            Ok::<_, ToolError>(ran.fetch_add(1, Ordering::SeqCst))
        };
        let tool = Tool::new("count", "Counts.").any_authenticated();
        let tool = tool.handler_with(counted, count);
        server.audit(settings(file, durability)).tool(tool)
    })
    .await;
    let caller = Caller::new(server.url(), server.token_for("acme", "ada", &[]));
    (server, caller, ran)
}

async fn count(caller: &Caller) -> caller::Answer {
    caller.rest("count", json!({})).await
}

async fn readiness(server: &TestServer) -> (u16, Value) {
    let url = format!("{}/readyz", server.url());
    let answer = reqwest::get(url).await.expect("an answer");
    (answer.status().as_u16(), answer.json().await.expect("JSON"))
}

/// Calls until one is served.
async fn until_served(caller: &Caller) {
    let served = async {
        while count(caller).await.status != 200 {
            tokio::task::yield_now().await;
        }
    };
    let served = tokio::time::timeout(Duration::from_secs(30), served).await;
    served.expect("calls are served again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strict_server_refuses_calls_before_their_tool_runs_until_there_is_room() {
    let Some(disk) = SmallDisk::new(8 * 1024) else {
        return;
    };
    let file = disk.path().join("audit.jsonl");
    let (server, caller, ran) = counting(&file, Durability::Strict).await;
    assert_eq!(count(&caller).await.status, 200);
    assert_eq!(readiness(&server).await.0, 200);

    disk.fill();
    // What is left of the last page may take a few lines.
    let mut before = ran.load(Ordering::SeqCst);
    let mut refused = count(&caller).await;
    while refused.status == 200 {
        before = ran.load(Ordering::SeqCst);
        refused = count(&caller).await;
    }
    // Its tool may have run, and then nobody should try again because of what it is told.
    let has_run = ran.load(Ordering::SeqCst) > before;
    let detail = refused.body["error"]["message"].to_string() + &refused.body["detail"].to_string();
    assert_eq!(
        detail.contains("may have been carried out"),
        has_run,
        "{refused:?}"
    );
    assert_eq!(refused.header("retry-after").is_empty(), has_run);
    let before = ran.load(Ordering::SeqCst);
    for _ in 0..20 {
        let answer = count(&caller).await;
        assert_eq!(answer.status, 503, "{answer:?}");
        assert_eq!(answer.body["error"]["code"], refused.body["error"]["code"]);
    }
    assert_eq!(ran.load(Ordering::SeqCst), before, "no tool ran");
    let (status, body) = readiness(&server).await;
    assert_eq!(
        (status, &body["status"]),
        (503, &json!("audit log unavailable"))
    );

    disk.free();
    until_served(&caller).await;
    assert_eq!(readiness(&server).await.0, 200);
    let ran = ran.load(Ordering::SeqCst);
    server.stop().await;
    let held = held(&file);
    let served = held.lines.iter().filter(|line| line["outcome"] == "ok");
    // A call whose tool ran and whose line was late may have been refused all the same.
    assert!(served.count() as u64 <= ran);
    let begun = held.kinds().iter().filter(|kind| **kind == "begun").count();
    assert!(begun as u64 >= ran, "every tool that ran is on record");
    let refused = held
        .lines
        .iter()
        .filter(|line| line["error"] == "audit-unavailable");
    assert!(
        refused.count() >= 20,
        "what was refused is on record as well"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_records_as_well_as_it_can_serves_on() {
    let Some(disk) = SmallDisk::new(8 * 1024) else {
        return;
    };
    let file = disk.path().join("audit.jsonl");
    let (server, caller, ran) = counting(&file, Durability::BestEffort).await;
    disk.fill();
    for _ in 0..50 {
        assert_eq!(count(&caller).await.status, 200);
    }
    assert_eq!(readiness(&server).await.0, 200);
    disk.free();
    server.stop().await;
    assert_eq!(ran.load(Ordering::SeqCst), 50);
    let held = held(&file);
    let calls = held.kinds().iter().filter(|kind| **kind == "call").count();
    assert_eq!(calls, 50);
}

#[test]
fn lines_for_which_there_is_no_room_are_counted_by_the_log_itself() {
    let Some(disk) = SmallDisk::new(16 * 1024) else {
        return;
    };
    let file = disk.path().join("audit.jsonl");
    let log = open_with(settings(&file, Durability::BestEffort));
    disk.fill();
    let long = json!({"kind": "call", "text": "x".repeat(64 * 1024)});
    let mut kept = 0;
    // The queue holds 8 MiB, and the writer may have as much in hand.
    let dropped = (0..512)
        .filter(|_| log.append(body(long.clone())).is_none())
        .count();
    kept += 512 - dropped;
    assert!(dropped > 0 && kept > 100, "{dropped} of 512");
    assert_eq!(log.state().dropped, dropped as u64);
    until_failing(&log);
    disk.free();
    // Once it works again there is room again.
    let ticket = (0..)
        .find_map(|_| {
            std::thread::yield_now();
            log.append(line(1))
        })
        .expect("room");
    wait(log.synced(ticket)).unwrap_or_default();
    close(&log);
    let held = held(&file);
    let gaps = held.lines.iter().filter_map(|line| line["count"].as_u64());
    let dropped = log.state().dropped;
    assert_eq!(gaps.sum::<u64>(), dropped);
    let calls = held.kinds().iter().filter(|kind| **kind == "call").count();
    assert_eq!(calls, kept + 1);
}

fn until_failing(log: &Log) {
    while log.state().is_healthy {
        std::thread::yield_now();
    }
}
