//! The promise that every refusal can be explained later by its id: who called, what was asked for,
//! where it stopped and why, on the command line and on the admin listener.

#[path = "support/binary.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod binary;
#[path = "support/caller.rs"]
mod caller;
#[path = "support/declared.rs"]
mod declared;
#[path = "support/recorded.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod recorded;
#[path = "support/tokens.rs"]
mod tokens;
#[path = "support/whoami.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod whoami;

#[path = "explain/admin.rs"]
mod admin;
#[path = "explain/refusals.rs"]
mod refusals;

use serde_json::{Value, json};

use recorded::{Recorded, call_id};

/// The state of a stage.
pub(crate) fn stage<'a>(told: &'a Value, name: &str) -> &'a str {
    let stages = told["stages"].as_array().expect("stages");
    let stage = stages.iter().find(|stage| stage["name"] == name);
    stage.map_or("(absent)", |stage| {
        stage["state"].as_str().expect("a state")
    })
}

#[tokio::test]
async fn a_refusal_by_a_rule_is_told_with_its_condition_and_what_it_read() {
    let recorded = Recorded::start("arguments: recorded").await;
    let refused = recorded
        .reader("ada")
        .rest("lookup", json!({"id": "secret"}))
        .await;
    assert_eq!(refused.status, 403);
    let id = recorded.written(&refused).await;
    let told = recorded.explained(&id);
    assert_eq!(
        told["summary"],
        "The call was refused at allow: refused-by-rule"
    );
    assert_eq!(told["rule"]["condition"], "args.id == 'secret'");
    assert_eq!(told["rule"]["index"], 0);
    assert_eq!(told["request"]["arguments"], json!({"id": "secret"}));
    assert_eq!(told["caller"]["tenant"], "acme");
    assert_eq!(told["caller"]["subject"], "ada");
    assert_eq!(told["caller"]["scopes"], json!(["read"]));
    assert_eq!(told["caller"]["address"], "127.0.0.1");
    assert_eq!(told["generation"], 1);
    for passed in ["authenticate", "authorize", "admit", "validate"] {
        assert_eq!(stage(&told, passed), "passed", "{told}");
    }
    assert_eq!(
        (stage(&told, "allow"), stage(&told, "run")),
        ("stopped", "notReached")
    );

    let text = recorded.explain(&id, &[]);
    assert_eq!(text.code, Some(0));
    for part in [
        "The call was refused at allow: refused-by-rule",
        "ada of tenant acme",
        "rules[0] deny: args.id == 'secret'",
        r#"arguments   {"id":"secret"}"#,
        "allow        STOPPED",
        "What to do",
        "audit.jsonl line",
    ] {
        assert!(text.stdout.contains(part), "{part}: {}", text.stdout);
    }
}

#[tokio::test]
async fn without_recorded_arguments_their_digest_is_told() {
    let recorded = Recorded::start("mode: bestEffort").await;
    let served = recorded
        .reader("ada")
        .rest("lookup", json!({"id": "c-42"}))
        .await;
    let id = recorded.written(&served).await;
    let told = recorded.explained(&id);
    assert_eq!(told["summary"], "The call was served");
    assert_eq!(told["request"]["arguments"], Value::Null);
    assert_eq!(told["request"]["digest"].as_str().map(str::len), Some(43));
    assert_eq!(stage(&told, "run"), "passed");
    let all = std::fs::read_to_string(recorded.file()).expect("a log");
    assert!(!all.contains("c-42"));
}

#[tokio::test]
async fn what_shadow_mode_would_refuse_is_told_of_a_call_that_was_served() {
    let recorded = Recorded::start("mode: strict").await;
    let served = recorded
        .reader("ada")
        .rest("lookup", json!({"id": "rare"}))
        .await;
    assert_eq!(served.status, 200);
    let told = recorded.explained(&call_id(&served));
    assert_eq!(told["wouldDeny"], json!(["rules[1]"]));
    assert_eq!(stage(&told, "record"), "passed");
    assert!(
        told["advice"][0]
            .as_str()
            .is_some_and(|advice| advice.contains("shadow mode"))
    );
}

#[tokio::test]
async fn names_that_callers_make_up_have_no_power_over_the_terminal() {
    let recorded = Recorded::start("mode: strict").await;
    let hostile = "x\n\u{1b}[2J\u{202e}\u{2028}\u{9b}31my\r";
    let refused = recorded
        .caller("acme", "ada")
        .legacy("tools/call", json!({"name": hostile, "arguments": {}}))
        .await;
    let id = call_id(&refused);
    let told = recorded.explained(&id);
    assert_eq!(told["request"]["asked"], hostile);
    let text = recorded.explain(&id, &[]);
    assert!(
        text.stdout
            .contains("asked for   x\\u{a}\\u{1b}[2J\\u{202e}\\u{2028}\\u{9b}31my\\u{d}"),
        "{}",
        text.stdout
    );
    let table = recorded.command(&["audit", "query", "--file", "audit.jsonl"]);
    let json = recorded.explain(&id, &["--format", "json"]);
    let lines = [
        "audit",
        "query",
        "--file",
        "audit.jsonl",
        "--format",
        "json",
    ];
    let lines = recorded.command(&lines);
    let last = lines.stdout.lines().last().expect("a line");
    let line: Value = serde_json::from_str(last).expect("JSON");
    assert_eq!(line["asked"], hostile);
    for shown in [&text.stdout, &table.stdout, &json.stdout, &lines.stdout] {
        assert!(
            !shown.contains(['\u{1b}', '\r', '\u{202e}', '\u{2028}', '\u{9b}']),
            "{shown:?}"
        );
    }
}

#[tokio::test]
async fn an_id_that_is_none_and_one_that_is_not_there_are_told_apart() {
    let recorded = Recorded::start("mode: strict").await;
    for wrong in [
        "",
        "42",
        "not-an-id",
        "6fa459ea-ee8a-4ca4-894e-db77e160355e",
        "{01931b6e-5f3a-7c81-9d55-3f1e0a9b7c42}",
    ] {
        let told = recorded.explain(wrong, &[]);
        assert_eq!(told.code, Some(2), "{wrong}: {told:?}");
        assert!(told.stderr.contains("Tollgate-Call-Id"), "{told:?}");
    }
    let unknown = recorded.explain("01931b6e-5f3a-7c81-9d55-3f1e0a9b7c42", &[]);
    assert_eq!((unknown.code, &*unknown.stdout), (Some(1), ""));
    assert!(unknown.stderr.contains("in audit.jsonl"), "{unknown:?}");
    assert!(unknown.stderr.contains("2024-11-11T"), "{unknown:?}");
}

#[tokio::test]
async fn a_line_that_is_damaged_is_told_apart_from_one_that_is_not_there() {
    let recorded = Recorded::start("mode: strict").await;
    let served = recorded
        .reader("ada")
        .rest("lookup", json!({"id": "c-1"}))
        .await;
    let id = call_id(&served);
    let log = std::fs::read_to_string(recorded.file()).expect("a log");
    let damaged = log.replace("\"kind\":", "\"kind\"");
    std::fs::write(recorded.file(), damaged).expect("a log");
    let told = recorded.explain(&id, &[]);
    assert_eq!((told.code, &*told.stdout), (Some(1), ""), "{told:?}");
    assert!(
        told.stderr
            .contains("line 2 of audit.jsonl holds this id and cannot be read"),
        "{told:?}"
    );
    let (status, told) = recorded.ask(&id).await;
    assert_eq!(status, 500, "{told}");
    assert_eq!(told["type"], "urn:tollgate:error:log-unreadable");

    // Only the line of its end.
    let damaged = log.replace("\"kind\":\"call\"", "\"kind\"\"call\"");
    std::fs::write(recorded.file(), damaged).expect("a log");
    let told = recorded.explain(&id, &[]);
    assert_eq!(told.code, Some(0), "{told:?}");
    assert!(told.stderr.contains("cannot be read"), "{told:?}");
}

#[tokio::test]
async fn a_uri_whose_variable_is_left_out_is_left_out_whole() {
    let recorded = Recorded::start("mode: strict, arguments: recorded, redact: [ID]").await;
    let ada = recorded.reader("ada");
    let read = ada
        .modern("resources/read", json!({"uri": "things://s3same"}))
        .await;
    assert_eq!(read.status, 200, "{read:?}");
    let told = recorded.explained(&call_id(&read));
    assert_eq!(told["request"]["arguments"], json!({"uri": "[redacted]"}));
    assert_eq!(told["request"]["redacted"], json!(["/uri"]));
    let log = std::fs::read_to_string(recorded.file()).expect("a log");
    assert!(!log.contains("s3same"), "{log}");
}

/// A log that holds nothing but that a call has begun, as a process that was killed leaves it.
#[tokio::test]
async fn a_call_that_began_and_never_ended_is_told_to_have_been_started() {
    let recorded = Recorded::start("mode: strict").await;
    let served = recorded
        .reader("ada")
        .rest("lookup", json!({"id": "c-1"}))
        .await;
    let log = std::fs::read_to_string(recorded.file()).expect("a log");
    let left: Vec<&str> = log
        .lines()
        .filter(|line| !line.contains("\"kind\":\"call\""))
        .collect();
    std::fs::write(
        recorded.folder.path().join("left.jsonl"),
        format!("{}\n", left.join("\n")),
    )
    .expect("a log");
    let id = call_id(&served);
    let text = recorded.command(&["explain", &id, "--file", "left.jsonl"]);
    assert_eq!(text.code, Some(0), "{text:?}");
    for part in [
        "its end is not on record",
        "run          ENTERED",
        "it still runs, or the process ended while it ran",
    ] {
        assert!(text.stdout.contains(part), "{part}: {}", text.stdout);
    }
}

#[tokio::test]
async fn an_id_in_a_name_is_not_the_call() {
    let recorded = Recorded::start("mode: strict, arguments: recorded").await;
    // As if the server of the turned clock had made it: no file is passed over.
    let id = "01d1a94a-2000-7a1e-b03d-49a2f24e78ae";
    let ada = recorded.reader("ada");
    ada.rest("lookup", json!({ "id": id })).await;
    ada.legacy("tools/call", json!({"name": id, "arguments": {}}))
        .await;
    let all = std::fs::read_to_string(recorded.file()).expect("a log");
    assert!(all.contains(id), "{all}");
    assert_eq!(recorded.explain(id, &[]).code, Some(1));
}
