//! What is on record of a task: that it was made, how it ended, and who asked about it.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tollgate::audit::{AuditSettings, Durability, Redaction, Rotation, find, parse_call_id};
use tollgate::record::Explanation;
use tollgate::testing::TestServer;

use crate::held::Holder;
use crate::held_task;
use crate::tasks::Client;

async fn recording(file: &Path, holder: &Holder) -> TestServer {
    let settings = AuditSettings {
        file: Some(file.to_owned()),
        key: "the-audit-key-of-more-than-32-bytes".to_owned().into(),
        previous_key: None,
        durability: Durability::Strict,
        redaction: Redaction::default(),
        rotation: Rotation::default(),
    };
    TestServer::start(|server| {
        let server = server.tool(held_task(holder)).audit(settings);
        server.shutdown_grace(Duration::from_millis(10))
    })
    .await
}

fn lines(file: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(file).expect("a log");
    let lines = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"));
    lines
        .filter(|line: &Value| line["kind"] == "call")
        .collect()
}

fn explained(file: &Path, id: &str) -> Explanation {
    let id = parse_call_id(id).expect("an id");
    let found = find(file, id, || true).expect("a log");
    Explanation::of(&found).expect("it is there")
}

#[tokio::test]
async fn a_call_tells_that_it_made_a_task_and_its_run_how_that_ended() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("audit.jsonl");
    let holder = Holder::default();
    let server = recording(&file, &holder).await;
    let ada = Client::of(&server, "ada", &[]);
    let reply = ada.call("hold").await;
    let made_by = reply.header("tollgate-call-id").expect("an id").to_owned();
    let task = reply.body["result"]["taskId"]
        .as_str()
        .expect("a handle")
        .to_owned();
    ada.get(&task).await;
    assert_eq!(explained(&file, &made_by).task_end, None);
    server.clock().advance(Duration::from_secs(3));
    holder.let_go(1);
    ada.until(&task, "completed").await;
    let told = lines(&file);
    let seen = |line: &Value| {
        let text = |member: &str| line[member].as_str().unwrap_or("-").to_owned();
        [text("method"), text("outcome"), text("task")]
    };
    assert_eq!(seen(&told[0]), ["tools/call", "ok", &made_by]);
    assert_eq!(told[0]["callId"], *made_by);
    assert_eq!(seen(&told[1]), ["tasks/get", "ok", &made_by]);
    assert_ne!(told[1]["callId"], *made_by);
    let run = told
        .iter()
        .find(|line| line["method"] == "tools/call (task)");
    let run = run.expect("a line of the run");
    assert_eq!(seen(run), ["tools/call (task)", "ok", &made_by]);
    assert_eq!(
        (&run["callId"], &run["target"]),
        (&json!(made_by), &json!("hold"))
    );
    assert_eq!(run["durationUs"], 3_000_000);
    assert!(
        !told.iter().any(|line| line.to_string().contains(&task)),
        "no handle"
    );
    let told = explained(&file, &made_by);
    assert_eq!(told.summary, "The call was answered with a task");
    let end = told.task_end.as_ref().expect("an end");
    assert_eq!(
        (&*end.summary, end.duration_us),
        ("It came to a result", Some(3_000_000))
    );
    assert!(
        told.to_string()
            .contains("\nTask\n  end         It came to a result\n")
    );
}

#[tokio::test]
async fn tasks_that_run_when_the_server_stops_get_the_grace_and_then_an_end_on_record() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("audit.jsonl");
    let holder = Holder::default();
    let server = recording(&file, &holder).await;
    let ada = Client::of(&server, "ada", &[]);
    let made = ada.call("hold").await;
    holder.has_begun(1).await;
    server.stop().await;
    let id = made.header("tollgate-call-id").expect("an id");
    let end = explained(&file, id).task_end.expect("an end");
    assert_eq!(
        (end.outcome.as_deref(), end.error.as_deref()),
        (Some("failed"), Some("draining"))
    );
}

#[tokio::test]
async fn a_cancelled_task_is_on_record_as_such() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("audit.jsonl");
    let server = recording(&file, &Holder::default()).await;
    let ada = Client::of(&server, "ada", &[]);
    let made = ada.call("hold").await;
    let task = made.body["result"]["taskId"]
        .as_str()
        .expect("a handle")
        .to_owned();
    ada.cancel(&task).await;
    server.stop().await;
    let id = made.header("tollgate-call-id").expect("an id");
    let end = explained(&file, id).task_end.expect("an end");
    assert_eq!(end.outcome.as_deref(), Some("cancelled"));
}
