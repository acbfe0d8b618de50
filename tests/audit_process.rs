//! The audit log of the real program: what survives a kill, what processes beside each other write, a
//! new key through a reload or a restart, and what keeps a server from starting.
#![cfg(unix)]

#[path = "support/audit.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod audit;
#[path = "support/binary.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod binary;
#[path = "support/session.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod session;
#[path = "support/slow.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod slow;
#[path = "support/tokens.rs"]
mod tokens;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rusqlite::Connection;
use serde_json::{Value, json};
use std::time::Duration;
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio::time::timeout;

use audit::{KEY, OTHER_KEY};
use binary::{Server, run};
use session::{Session, legacy};
use tokens::hs256;

const SECRET: &str = "the-first-secret-of-more-than-32-bytes";

/// A folder with a config file whose `audit` section is this.
fn folder(audit: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    Connection::open(at("shop.db"))
        .and_then(|shop| shop.execute_batch("CREATE TABLE t (c)"))
        .expect("a database");
    fs::write(at("audit.key"), KEY).expect("a key");
    fs::write(at("tollgate.yaml"), config(audit)).expect("a config");
    folder
}

fn config(audit: &str) -> String {
    format!(
        "\
audit: {audit}
auth:
  issuers:
    - {{issuer: 'https://issuer.test/', audiences: [tools], secret: {SECRET}}}
stdio: {{principal: {{tenant: acme, subject: ada, scopes: [read]}}}}
sources:
  shop: {{sqlite: shop.db, threads: 1}}
tools:
  hello:
    description: Says hello.
    scopes: [read]
    sql: {{source: shop, statement: SELECT 'hello' AS text, result: one}}
"
    )
}

fn token() -> String {
    let claims = json!({
        "iss": "https://issuer.test/", "aud": "tools", "sub": "ada", "tenant": "acme",
        "scope": "read", "exp": 4_000_000_000_u64,
    });
    hs256(&claims, SECRET)
}

/// Calls until the server is gone; the ids of the calls that it answered.
async fn call_on(url: String, answered: Arc<AtomicUsize>) -> Vec<String> {
    let (client, mut ids) = (reqwest::Client::new(), Vec::new());
    loop {
        let call = client.post(format!("{url}/mcp/tool/hello"));
        let sent = call.bearer_auth(token()).json(&json!({})).send().await;
        let Ok(answer) = sent else { return ids };
        assert_eq!(answer.status(), 200);
        let id = answer.headers()["tollgate-call-id"].to_str();
        ids.push(id.expect("an id").to_owned());
        answered.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_was_answered_in_strict_mode_is_on_record_after_a_kill() {
    let folder = folder("{file: audit.jsonl, key: '${file:audit.key}', mode: strict}");
    let file = folder.path().join("audit.jsonl");
    let mut ids = BTreeSet::new();
    for _ in 0..5 {
        let server = Server::start(folder.path(), &[]);
        let (answered, mut callers) = (Arc::default(), JoinSet::new());
        for _ in 0..16 {
            callers.spawn(call_on(server.url.clone(), Arc::clone(&answered)));
        }
        while answered.load(Ordering::SeqCst) < 200 {
            tokio::task::yield_now().await;
        }
        drop(server); // SIGKILL
        ids.extend(callers.join_all().await.into_iter().flatten());
    }
    let server = Server::start(folder.path(), &[]);
    drop(server);
    let held = audit::check(&file, &[KEY]).expect("a good chain");
    assert_eq!(
        held.kinds()
            .iter()
            .filter(|kind| **kind == "opened")
            .count(),
        6
    );
    let calls = held.lines.iter().filter(|line| line["kind"] == "call");
    let recorded: BTreeSet<&str> = calls.filter_map(|line| line["callId"].as_str()).collect();
    let missing: Vec<_> = ids.iter().filter(|id| !recorded.contains(&***id)).collect();
    assert!(ids.len() >= 1_000 && missing.is_empty(), "{missing:?}");
    let begun = held.lines.iter().filter(|line| line["kind"] == "begun");
    let begun: BTreeSet<&str> = begun.filter_map(|line| line["callId"].as_str()).collect();
    assert!(
        recorded.is_subset(&begun),
        "no tool ran before it was on record"
    );
    assert!(held.lines.iter().all(|line| line.get("lostTo").is_none()));
}

#[test]
fn clients_beside_each_other_have_chains_of_their_own_and_end_them() {
    let folder = folder("{file: audit.jsonl, key: '${file:audit.key}'}");
    let file = folder.path().join("audit.jsonl");
    let mut session = Session::start(folder, &[]);
    let called = session.ask(&legacy(
        1,
        "tools/call",
        json!({"name": "hello", "arguments": {}}),
    ));
    assert!(called.get("result").is_some(), "{called}");
    let done = run(session.folder.path(), &["call", "hello"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    let second = audit::held(&session.folder.path().join("audit-2.jsonl"));
    assert_eq!(second.kinds(), ["opened", "call", "closed"]);
    assert_eq!(second.lines[1]["surface"], "cli");

    drop(session.process.input.take());
    assert_eq!(session.process.exit_code(), Some(0));
    let first = audit::held(&file);
    assert_eq!(first.kinds(), ["opened", "call", "closed"]);
    assert_eq!(first.lines[1]["surface"], "mcp");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_seals_what_comes_after_a_line_of_the_old_one_that_names_it() {
    let folder = folder("{file: audit.jsonl, key: '${file:audit.key}', mode: strict}");
    let file = folder.path().join("audit.jsonl");
    let server = Server::start(folder.path(), &[]);
    let call = async || {
        server
            .post("/mcp/tool/hello", Some(&token()), &json!({}))
            .await
            .status
    };
    assert_eq!(call().await, 200);
    fs::write(folder.path().join("audit.key"), OTHER_KEY).expect("a key");
    server.process.hang_up();
    server
        .process
        .stderr
        .line("the configuration was loaded again");
    // The writer takes up the key after what waits for it, and a call may come before that.
    let rekeyed = || fs::read_to_string(&file).is_ok_and(|text| text.contains("\"rekeyed\""));
    let waiting = async {
        while !rekeyed() {
            tokio::task::yield_now().await;
        }
    };
    let waited = timeout(Duration::from_secs(20), waiting).await;
    waited.expect("the key is taken up");
    assert_eq!(call().await, 200);
    let taken_a_restart = |line: &String| line.contains("take a restart");
    assert!(!server.process.stderr.so_far().iter().any(taken_a_restart));
    drop(server);
    let server = Server::start(folder.path(), &[]);
    drop(server);
    let held = audit::check(&file, &[KEY, OTHER_KEY]).expect("a good chain");
    assert_eq!(
        held.kinds(),
        [
            "opened",
            "begun",
            "call",
            "rekeyed",
            "checkpoint",
            "begun",
            "call",
            "opened"
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_with_a_new_key_goes_on_where_the_one_before_is_named() {
    let folder = folder(
        "{file: audit.jsonl, key: '${file:audit.key}', previousKey: '${file:before.key}', mode: strict}",
    );
    let file = folder.path().join("audit.jsonl");
    let put = |name: &str, key: &str| fs::write(folder.path().join(name), key).expect("a key");
    put("before.key", KEY);
    let call_once = async || {
        let server = Server::start(folder.path(), &[]);
        let (token, none) = (token(), json!({}));
        let called = server.post("/mcp/tool/hello", Some(&token), &none).await;
        assert_eq!(called.status, 200);
        // Killed: nothing says that it stopped.
    };
    let ends_under_another = || {
        let verified = run(folder.path(), &["audit", "verify"]);
        assert_eq!(verified.code, Some(0), "{verified:?}");
        verified.stdout.contains("which is not the one in force")
    };
    call_once().await;
    assert!(!ends_under_another());
    put("audit.key", OTHER_KEY);
    assert!(ends_under_another(), "no server has taken it up");
    call_once().await;
    assert!(!ends_under_another());
    call_once().await;
    let held = audit::check(&file, &[KEY, OTHER_KEY]).expect("a good chain");
    assert_eq!(
        held.kinds(),
        [
            "opened",
            "begun",
            "call",
            "opened",
            "rekeyed",
            "checkpoint",
            "begun",
            "call",
            "opened",
            "begun",
            "call"
        ]
    );
    let verified = run(folder.path(), &["audit", "verify"]);
    assert_eq!(verified.code, Some(0), "{}", verified.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_takes_a_restart_is_named_key_by_key() {
    let folder = folder("{file: audit.jsonl, key: '${file:audit.key}'}");
    let server = Server::start(folder.path(), &[]);
    let changed = "{file: b.jsonl, key: '${file:audit.key}', mode: strict, rotate: {keep: 3}, arguments: recorded}";
    fs::write(folder.path().join("tollgate.yaml"), config(changed)).expect("a config");
    server.process.hang_up();
    let line = server.process.stderr.line("take a restart");
    assert!(
        line.contains("audit.file, audit.mode, audit.rotate"),
        "{line}"
    );
    let (token, arguments) = (token(), json!({"a": 1}));
    let posted = server.post("/mcp/tool/hello", Some(&token), &arguments);
    assert_eq!(posted.await.status, 400);
    server.process.terminate();
    let mut process = server.process;
    assert_eq!(process.exit_code(), Some(0));
    let held = audit::held(&folder.path().join("audit.jsonl"));
    assert_eq!(held.mark("call")["arguments"]["values"], json!({"a": 1}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_may_have_more_or_less_of_its_arguments_kept_than_others() {
    for (all, own, kept) in [
        ("recorded", "{}", json!({"a": 1, "token": "[redacted]"})),
        ("recorded", "{arguments: digest}", Value::Null),
        (
            "digest",
            "{arguments: recorded, redact: [A]}",
            json!({"a": "[redacted]", "token": "t"}),
        ),
    ] {
        let folder = folder(&format!(
            "{{file: audit.jsonl, key: '${{file:audit.key}}', arguments: {all}}}"
        ));
        let file = folder.path().join("tollgate.yaml");
        let text = fs::read_to_string(&file).expect("a config");
        let text = text.replace(
            "scopes: [read]\n",
            &format!("scopes: [read]\n    audit: {own}\n"),
        );
        fs::write(&file, text).expect("a config");
        let server = Server::start(folder.path(), &[]);
        let token = token();
        for tool in ["hello", "none"] {
            let arguments = json!({"a": 1, "token": "t"});
            server
                .post(&format!("/mcp/tool/{tool}"), Some(&token), &arguments)
                .await;
        }
        server.process.terminate();
        let mut process = server.process;
        assert_eq!(process.exit_code(), Some(0));
        let held = audit::held(&folder.path().join("audit.jsonl"));
        let calls: Vec<&Value> = held
            .lines
            .iter()
            .filter(|line| line["kind"] == "call")
            .collect();
        assert_eq!(calls[0]["arguments"]["values"], kept, "{all} {own}");
        assert_eq!(
            calls[1]["arguments"]["values"],
            Value::Null,
            "of a tool that is not there"
        );
        assert_eq!(
            calls[0]["arguments"]["digest"],
            calls[1]["arguments"]["digest"]
        );
    }
}

#[test]
fn a_log_that_cannot_be_written_keeps_the_server_from_starting_with_one_line() {
    let told = |folder: &Path, what: &str| {
        let done = run(folder, &["serve", "--port", "0"]);
        assert_eq!(done.code, Some(1), "{done:?}");
        let lines: Vec<&str> = done
            .stderr
            .lines()
            .filter(|line| line.contains("audit log"))
            .collect();
        assert!(lines.len() == 1 && lines[0].contains(what), "{done:?}");
        assert!(!done.stderr.contains(KEY));
    };
    let missing = folder("{file: none/audit.jsonl, key: '${file:audit.key}'}");
    told(missing.path(), "there is no such folder; make it first");
    let directory = folder("{file: '.', key: '${file:audit.key}'}");
    told(directory.path(), "is a directory");
    let foreign = folder("{file: tollgate.yaml, key: '${file:audit.key}'}");
    told(foreign.path(), "is no audit log: move it away");
    let config = fs::read_to_string(foreign.path().join("tollgate.yaml")).expect("a file");
    assert!(!config.contains("opened"));
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_faults_and_floods_leave_one_line_each_as_far_as_they_may() {
    let folder = folder("{file: audit.jsonl, key: '${file:audit.key}', mode: strict}");
    let server = Server::start(folder.path(), &[]);
    let call = async |path: &str, token: Option<&str>, body: Value| {
        server.post(path, token, &body).await.status
    };
    let token = token();
    assert_eq!(call("/mcp/tool/none", Some(&token), json!({})).await, 404);
    assert_eq!(
        call("/mcp/tool/hello", Some(&token), json!({"a": 1})).await,
        400
    );
    for _ in 0..150 {
        call("/mcp/tool/hello", Some("no token"), json!({})).await;
    }
    assert_eq!(call("/mcp/tool/hello", Some(&token), json!({})).await, 200);
    server.process.terminate();
    let mut process = server.process;
    assert_eq!(process.exit_code(), Some(0));
    let held = audit::held(&folder.path().join("audit.jsonl"));
    let of = |error: &str| {
        held.lines
            .iter()
            .filter(|line| line["error"] == error)
            .count()
    };
    assert_eq!((of("unknown-tool"), of("invalid-arguments")), (1, 1));
    let unidentified = held
        .lines
        .iter()
        .filter(|line| line["kind"] == "call" && line.get("subject").is_none());
    assert!(unidentified.count() <= 100);
}
