//! The record: that approval was needed, by which condition, and what came of it.

use serde_json::{Value, json};
use tollgate::Clock;
use tollgate::testing::TestServer;

use crate::binary::run;
use crate::caller::{Answer, Caller};
use crate::world::{answered, asked};
use crate::{declared, whoami};

const YAML: &str = r#"
server: {adminListen: "127.0.0.1:0"}
auth:
  issuers:
    - issuer: "https://ci.example.com/"
      audiences: ["https://tools.example.com/mcp"]
      secret: "${SECRET}"
audit: {file: ./audit.jsonl, key: "Wm4tPz8qLs2VbXc7Ru0yHn5KdJf3Ga6E", MODE}
sources: {empty: {sqlite: ./empty.db, threads: 1}}
tools:
  refund:
    description: Refunds.
    scopes: [pay]
    confirm: args.amount > 100
    parameters: {amount: {type: integer}}
    sql: {source: empty, statement: "SELECT :amount AS paid", result: one}
"#;

fn call_id(answer: &Answer) -> String {
    answer.header("tollgate-call-id").to_owned()
}

#[tokio::test]
async fn the_record_tells_what_came_of_an_approval() {
    let folder = whoami::folder();
    let builder = declared::configure(&YAML.replace("MODE", "mode: strict"), folder.path());
    let builder = builder
        .expect("a good configuration")
        .clock(Clock::turned());
    let server = TestServer::start(|_| builder).await;
    let token = declared::token(json!({"sub": "ada", "tenant": "acme", "scope": "pay"}));
    let ada = Caller::new(server.url(), token);
    let call = async |carried: Value| crate::world::call(&ada, "refund", 250, carried).await;

    let first = call(json!({})).await;
    let state = asked(&first);
    let given = call(answered(&state, "accept")).await;
    assert_eq!(
        given.body["result"]["structuredContent"]["paid"], 250,
        "{given:?}"
    );
    let used = call(answered(&state, "accept")).await;
    let state = asked(&used);
    let declined = call(answered(&state, "decline")).await;
    let plain = ada.rest("refund", json!({"amount": 5})).await;
    let cannot = ada.modern(
        "tools/call",
        json!({"name": "refund", "arguments": {"amount": 250}}),
    );
    let cannot = cannot.await;
    let confirm = ada.rest("refund", json!({"amount": 250})).await;
    let admin = server.admin_url().expect("an admin listener");
    let metrics = reqwest::get(format!("{admin}/metrics"))
        .await
        .expect("numbers");
    let metrics = metrics.text().await.expect("a text");
    for (state, count) in [
        ("asked", 3),
        ("given", 1),
        ("declined", 1),
        ("cannotAsk", 1),
    ] {
        let line = format!(
            "tollgate_approvals_total{{result=\"{state}\",tollgate_target=\"refund\"}} {count}"
        );
        assert!(metrics.contains(&line), "{line}\n{metrics}");
    }
    server.stop().await;

    let condition = "args.amount > 100";
    for (answer, outcome, approval, stopped) in [
        (
            &first,
            "ok",
            json!({"condition": condition, "state": "asked"}),
            "approve",
        ),
        (
            &given,
            "ok",
            json!({"condition": condition, "state": "given"}),
            "",
        ),
        (
            &used,
            "ok",
            json!({"condition": condition, "state": "asked", "unusable": "used"}),
            "approve",
        ),
        (
            &declined,
            "denied",
            json!({"condition": condition, "state": "declined"}),
            "approve",
        ),
        (&plain, "ok", Value::Null, ""),
        (
            &cannot,
            "invalid",
            json!({"condition": condition, "state": "cannotAsk"}),
            "approve",
        ),
        (
            &confirm,
            "denied",
            json!({"condition": condition, "state": "asked"}),
            "approve",
        ),
    ] {
        let id = call_id(answer);
        let told = run(
            folder.path(),
            &["explain", &id, "--file", "audit.jsonl", "--format", "json"],
        );
        let told: Value = serde_json::from_str(&told.stdout).expect("JSON");
        assert_eq!(told["outcome"], outcome, "{told}");
        for name in ["condition", "state", "unusable"] {
            assert_eq!(told["approval"][name], approval[name], "{told}");
        }
        let stages = told["stages"].as_array().expect("a list");
        let found = stages.iter().find(|stage| stage["state"] == "stopped");
        assert_eq!(
            found.map_or("", |stage| stage["name"].as_str().expect("a text")),
            stopped,
            "{told}"
        );
        let has_stage = stages.iter().any(|stage| stage["name"] == "approve");
        assert_eq!(has_stage, !approval.is_null(), "{told}");
    }
    let told = run(
        folder.path(),
        &["explain", &call_id(&used), "--file", "audit.jsonl"],
    );
    assert!(told.stdout.contains("The call needs approval"), "{told:?}");
    assert!(told.stdout.contains("asked; needed by: args.amount > 100; the one that came with the call is of no use: used"), "{told:?}");
}

#[tokio::test]
async fn a_replay_tells_which_calls_would_need_approval() {
    let folder = whoami::folder();
    let yaml = YAML.replace("MODE", "arguments: recorded");
    let builder = declared::configure(&yaml, folder.path()).expect("a good configuration");
    let server = TestServer::start(|_| builder.clock(Clock::turned())).await;
    let token = declared::token(json!({"sub": "ada", "tenant": "acme", "scope": "pay"}));
    let ada = Caller::new(server.url(), token);
    for amount in [5, 50, 250] {
        ada.rest("refund", json!({"amount": amount})).await;
    }
    server.stop().await;
    let replay = |condition: &str| {
        let yaml = yaml.replace("args.amount > 100", condition);
        std::fs::write(folder.path().join("new.yaml"), yaml).expect("a file");
        let arguments = [
            "replay",
            "--config",
            "new.yaml",
            "--audit",
            "audit.jsonl",
            "--format",
            "json",
        ];
        let told = run(folder.path(), &arguments);
        let code = told.code;
        let told: Value = serde_json::from_str(&told.stdout).expect("JSON");
        let count = |name: &str| told[name].as_u64().expect("a number");
        (
            code,
            count("same"),
            count("allowedToConfirm"),
            count("confirmToAllowed"),
        )
    };
    assert_eq!(replay("args.amount > 100"), (Some(0), 3, 0, 0));
    assert_eq!(replay("args.amount > 10"), (Some(1), 2, 1, 0));
    assert_eq!(replay("never"), (Some(1), 2, 0, 1));
}
