//! The promises of `tollgate replay`: recorded calls are decided again by another configuration, at the
//! times of the log, without secrets or sources; what flips is told with its reason, and what cannot be
//! decided is not guessed.

#[path = "support/binary.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod binary;
#[path = "policy_replay/limits.rs"]
mod limits;
#[path = "policy_replay/served.rs"]
mod served;
#[path = "policy_replay/unrecorded.rs"]
mod unrecorded;

use std::fs;
use std::path::Path;

use binary::{Finished, run};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Nothing that it names is there: no database, no variable, no file but the log.
const CONFIG: &str = r#"
auth: {issuers: [{issuer: a, audiences: [b], secret: "${JWT_SECRET}"}]}
audit: {file: ./log/audit.jsonl, key: "${file:./no-key}"}
quotas: {store: "redis://127.0.0.1:1/"}
sources: {shop: {sqlite: "${DATABASE}"}}
tools:
  get:
    description: Get.
    scopes: ["a:read"]
    rateLimit: 2/10s
    parameters: {id: {type: string, maxLength: 9}}
    sql: {source: shop, statement: "SELECT :id", result: one}
  put:
    description: Put.
    scopes: ["a:write"]
    sql: {source: shop, statement: "SELECT 1", result: one}
resources:
  "a://{id}":
    name: a
    scopes: ["a:read"]
    sql: {source: shop, statement: "SELECT :id", result: one}
prompts:
  greet:
    scopes: ["a:read"]
    description: Greet.
    parameters: {name: {type: string}}
    messages: [{text: "Greet {name}."}]
"#;

/// One recorded call of `get` by ada of acme, so many milliseconds after noon, which was allowed.
fn allowed(at: u64, arguments: Value) -> Value {
    json!({
        "kind": "call",
        "time": format!("2026-11-20T12:{:02}:{:02}.{:03}000Z", at / 60_000, at / 1_000 % 60, at % 1_000),
        "callId": format!("00000000-0000-7000-8000-{at:012}"),
        "surface": "rest",
        "method": "tools/call",
        "target": "get",
        "tenant": "acme",
        "subject": "ada",
        "scopes": ["a:read"],
        "arguments": {"digest": "d", "values": arguments},
        "outcome": "ok",
        "stages": {"authenticate": 1, "authorize": 1, "admit": 1, "validate": 1, "allow": 1, "run": 1},
    })
}

/// The same call, refused.
fn refused(at: u64, kind: &str, outcome: &str, arguments: Value) -> Value {
    let mut call = allowed(at, arguments);
    call["outcome"] = outcome.into();
    call["error"] = kind.into();
    call["stages"] = json!({"authenticate": 1});
    call
}

fn with(mut call: Value, other: Value) -> Value {
    let others = other.as_object().expect("members").clone();
    call.as_object_mut().expect("a call").extend(others);
    call
}

/// A folder with a log of these calls and `new.yaml`: [`CONFIG`] with `from` replaced by `to`.
fn folder(calls: &[Value], from: &str, to: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    assert!(CONFIG.contains(from), "{from}");
    write(folder.path(), "new.yaml", &CONFIG.replace(from, to));
    fs::create_dir(folder.path().join("log")).expect("a folder");
    let seal = "A".repeat(43);
    let opened =
        r#"{"seq":1,"kind":"opened","time":"2026-11-20T11:00:00.000000Z","because":"started""#;
    let mut text = format!("{opened},\"mac\":\"{seal}\"}}\n");
    for (seq, call) in (2..).zip(calls) {
        let call = call.to_string();
        text += &format!(
            "{{\"seq\":{seq},{},\"mac\":\"{seal}\"}}\n",
            &call[1..call.len() - 1]
        );
    }
    write(folder.path(), "log/audit.jsonl", &text);
    folder
}

fn write(folder: &Path, name: &str, text: &str) {
    fs::write(folder.join(name), text).expect("a file");
}

fn replay(folder: &TempDir, arguments: &[&str]) -> Finished {
    let arguments = [&["replay", "--config", "new.yaml"], arguments].concat();
    run(folder.path(), &arguments)
}

/// What it tells as JSON, and its exit code.
fn told(folder: &TempDir, arguments: &[&str]) -> (Option<i32>, Value) {
    let done = replay(folder, &[&["--format", "json"], arguments].concat());
    assert_eq!(done.stderr, "", "{done:?}");
    (done.code, serde_json::from_str(&done.stdout).expect("JSON"))
}

fn id(value: &str) -> Value {
    json!({ "id": value })
}

#[test]
fn calls_that_would_be_decided_the_same_pass() {
    let calls = [
        allowed(0, id("c-1")),
        refused(1, "invalid-arguments", "invalid", json!({"id": 1})),
        with(
            refused(2, "insufficient-scope", "denied", id("c-1")),
            json!({"scopes": []}),
        ),
        with(
            refused(3, "unknown-tool", "invalid", json!({})),
            json!({"target": null, "asked": "nope"}),
        ),
        with(
            allowed(4, json!({"uri": "a://7"})),
            json!({"method": "resources/read", "target": "a://{id}"}),
        ),
        with(
            refused(5, "unknown-resource", "invalid", json!({"uri": "b://7"})),
            json!({"method": "resources/read", "target": null}),
        ),
        with(
            allowed(6, json!({"name": "ada"})),
            json!({"method": "prompts/get", "target": "prompt/greet"}),
        ),
        with(
            refused(7, "unknown-prompt", "invalid", json!({})),
            json!({"method": "prompts/get", "target": null, "asked": "leave"}),
        ),
    ];
    let (code, told) = told(&folder(&calls, "", ""), &[]);
    assert_eq!(code, Some(0), "{told:#}");
    assert_eq!((&told["same"], &told["groups"]), (&json!(8), &json!([])));
}

#[test]
fn what_flips_is_told_by_reason_with_examples() {
    let calls = [
        allowed(0, id("c-1")),
        allowed(1, id("c-vip")),
        with(allowed(2, id("c-vip")), json!({"tenant": "glo\u{202e}bex"})),
        with(
            refused(3, "insufficient-scope", "denied", json!({})),
            json!({"target": "put"}),
        ),
        refused(4, "invalid-arguments", "invalid", id("0123456789")),
        with(
            refused(5, "insufficient-scope", "denied", id("c-vip")),
            json!({"scopes": []}),
        ),
    ];
    let rules = "rules: [{deny: 'args.id == \"c-vip\"', because: VIPs are for people}]\n    rateLimit: 2/10s";
    let folder = folder(&calls, "rateLimit: 2/10s", rules);
    let config = fs::read_to_string(folder.path().join("new.yaml")).expect("a file");
    let config = config.replace("[\"a:write\"]", "{anyOf: [\"a:write\", \"a:read\"]}");
    let config = config.replace("maxLength: 9", "maxLength: 10");
    write(folder.path(), "new.yaml", &config);
    let done = replay(&folder, &[]);
    assert_eq!((done.code, &*done.stderr), (Some(1), ""), "{done:?}");
    insta::assert_snapshot!(done.stdout, @r"
           2  the same
           2  allowed, would be refused
           2  refused, would be allowed

    allowed, would be refused
           1  get  tenant acme  refused-by-rule: rules[0] (VIPs are for people)
              such as 00000000-0000-7000-8000-000000000001
           1  get  tenant glo\u{202e}bex  refused-by-rule: rules[0] (VIPs are for people)
              such as 00000000-0000-7000-8000-000000000002

    refused, would be allowed
           1  get  tenant acme  invalid-arguments
              such as 00000000-0000-7000-8000-000000000004
           1  put  tenant acme  insufficient-scope
              such as 00000000-0000-7000-8000-000000000003
    ");
}

#[test]
fn only_calls_that_a_policy_decided_are_decided_again() {
    let calls = [
        // Allowed, whatever came of them.
        with(
            allowed(0, id("c-1")),
            json!({"outcome": "failed", "error": "source-failed"}),
        ),
        with(
            allowed(1, id("c-1")),
            json!({"outcome": "denied", "error": "too-many-at-once"}),
        ),
        with(allowed(2, id("c-1")), json!({"outcome": "cancelled"})),
        with(
            allowed(3, id("c-1")),
            json!({"outcome": "failed", "error": "invalid-arguments"}),
        ),
        // Not decided.
        refused(4, "overloaded", "failed", id("c-1")),
        with(
            refused(5, "", "cancelled", id("c-1")),
            json!({"error": null}),
        ),
        // Nobody.
        with(
            refused(6, "unauthenticated", "denied", id("c-1")),
            json!({"tenant": null, "subject": null}),
        ),
        // No calls, and no decisions.
        with(
            allowed(7, id("c-1")),
            json!({"method": "tools/list", "target": null}),
        ),
        with(
            allowed(8, id("c-1")),
            json!({"kind": "begun", "outcome": null}),
        ),
        json!({"kind": "checkpoint", "time": "2026-11-20T12:00:00.000000Z"}),
        json!({"kind": "call", "time": "yesterday"}),
        with(allowed(9, id("c-1")), json!({"tenant": "no\u{1b}body"})),
    ];
    let folder = folder(&calls, "", "");
    let (code, told) = told(&folder, &[]);
    assert_eq!(code, Some(0), "{told:#}");
    assert_eq!(
        (&told["same"], &told["undecidable"]),
        (&json!(4), &json!(1)),
        "{told:#}"
    );
    assert_eq!(
        told["skipped"],
        json!({"undecided": 2, "unidentified": 1, "unreadableLines": 1})
    );
    // What is not asked about is not skipped either.
    for others in [["--tenant", "globex"], ["--until", "2026-11-19T00:00:00Z"]] {
        let (_, told) = self::told(&folder, &others);
        let (undecided, unidentified) = (
            &told["skipped"]["undecided"],
            &told["skipped"]["unidentified"],
        );
        assert_eq!((undecided, unidentified), (&json!(0), &json!(0)), "{told}");
    }
}

#[test]
fn a_caller_may_hold_all_that_its_scopes_include() {
    let mut scopes: Vec<String> = (0..1_023).map(|number| format!("s{number}")).collect();
    scopes.push("a:read".to_owned());
    let call = with(allowed(0, id("c-1")), json!({ "scopes": scopes }));
    let (code, told) = told(&folder(&[call], "", ""), &[]);
    assert_eq!((code, &told["same"]), (Some(0), &json!(1)), "{told:#}");
}

#[test]
fn arguments_that_a_tool_could_not_use_were_refused() {
    let call = || {
        let error = json!({"outcome": "invalid", "error": "invalid-arguments"});
        with(allowed(0, id("c-1")), error)
    };
    for (from, to, class) in [
        ("", "", "same"),
        // By the schema: the same words.
        ("maxLength: 9", "maxLength: 2", "same"),
        (
            "scopes: [\"a:read\"]\n    rateLimit",
            "scopes: [vip]\n    rateLimit",
            "otherReason",
        ),
    ] {
        let (_, told) = told(&folder(&[call()], from, to), &[]);
        assert_eq!(told[class], 1, "{to}: {told:#}");
    }
}

#[test]
fn filters_tell_of_fewer_calls() {
    let calls = [
        allowed(0, id("c-1")),
        with(allowed(60_000, id("c-1")), json!({"tenant": "globex"})),
        with(
            allowed(120_000, json!({})),
            json!({"target": "put", "scopes": ["a:write"]}),
        ),
    ];
    let folder = folder(&calls, "", "");
    for (arguments, same) in [
        (&["--tenant", "acme"][..], 2),
        (&["--tool", "get"], 2),
        (&["--tool", "get", "--tenant", "globex"], 1),
        (&["--since", "2026-11-20T12:01:00Z"], 2),
        (
            &[
                "--since",
                "2026-11-20T12:01:00Z",
                "--until",
                "2026-11-20T12:02:00Z",
            ],
            1,
        ),
        (&["--since", "36500d"], 3),
    ] {
        let (code, told) = told(&folder, arguments);
        assert_eq!(
            (code, &told["same"]),
            (Some(0), &json!(same)),
            "{arguments:?}"
        );
    }
}

#[test]
fn where_nothing_could_be_decided_it_fails() {
    let unknown = with(allowed(0, id("c-1")), json!({"arguments": {"digest": "d"}}));
    let folder = folder(&[unknown], "", "");
    for (arguments, told) in [
        (&[][..], "no recorded call could be decided"),
        (
            &["--until", "2026-11-20T12:00:00Z"],
            "no recorded call is in the window and fits the filters",
        ),
        (
            &["--tenant", "nobody"],
            "no recorded call is in the window and fits the filters",
        ),
    ] {
        let done = replay(&folder, arguments);
        assert_eq!(done.code, Some(1));
        assert!(done.stdout.ends_with(&format!("\n{told}\n")), "{done:?}");
    }
    let done = replay(&folder, &["--audit", "none.jsonl"]);
    assert_eq!((done.code, &*done.stdout), (Some(1), ""));
    assert!(
        done.stderr
            .starts_with("error: there is no audit log at none.jsonl"),
        "{done:?}"
    );
    write(folder.path(), "new.yaml", "tools: {}\n");
    let done = replay(&folder, &[]);
    assert_eq!(
        (done.code, &*done.stderr),
        (
            Some(1),
            "error: new.yaml names no audit log: name one with --audit\n"
        )
    );
    assert_eq!(replay(&folder, &["--since", "soon"]).code, Some(2));
    let later = replay(&folder, &["--since", "1m", "--until", "2m"]);
    assert_eq!(later.code, Some(2), "{later:?}");
}

#[test]
fn a_log_that_is_named_twice_is_refused_and_not_counted_twice() {
    let folder = folder(&[allowed(0, id("c-1"))], "", "");
    let log = "log/audit.jsonl";
    let (code, once) = told(&folder, &["--audit", log]);
    assert_eq!((code, &once["same"]), (Some(0), &json!(1)));
    let text = fs::read(folder.path().join(log)).expect("a log");
    fs::write(folder.path().join("log/audit-2.jsonl"), text).expect("a lane");
    let full = "log/audit.jsonl.000000000001";
    fs::write(folder.path().join(full), "").expect("a full file");
    for twice in [log, "log/../log/audit.jsonl", "log/audit-2.jsonl", full] {
        let done = replay(&folder, &["--audit", log, "--audit", twice]);
        assert_eq!((done.code, &*done.stdout), (Some(1), ""), "{done:?}");
        assert!(
            done.stderr.contains("its calls would count twice"),
            "{done:?}"
        );
    }
}

#[test]
fn a_line_without_end_is_one_unreadable_line_and_one_that_is_being_written_is_none() {
    let folder = folder(&[], "", "");
    let call = allowed(0, id("c-1")).to_string();
    let endless = "x".repeat(3 << 20);
    write(
        folder.path(),
        "odd.jsonl",
        &format!("{endless}\n{call}\n{call}\n{}", &call[..90]),
    );
    let (code, told) = told(&folder, &["--audit", "odd.jsonl"]);
    assert_eq!((code, &told["same"]), (Some(0), &json!(2)), "{told:#}");
    assert_eq!(told["skipped"]["unreadableLines"], 1);
}
