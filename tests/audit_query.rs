//! `tollgate audit query` prints the calls that fit all that is asked, newest last, and nothing that a
//! caller chose can break its table.

#[path = "support/binary.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod binary;
#[path = "support/caller.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod caller;
#[path = "support/declared.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod declared;
#[path = "support/recorded.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod recorded;
#[path = "support/tokens.rs"]
mod tokens;
#[path = "support/whoami.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod whoami;

use std::fs;
use std::io::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

use binary::Finished;
use recorded::{KEY, Recorded, call_id};

/// Five calls of two tenants.
async fn five_calls() -> (Recorded, Vec<String>) {
    let recorded = Recorded::start("mode: strict").await;
    let (ada, bob, eve) = (
        recorded.reader("ada"),
        recorded.reader("bob"),
        recorded.caller("globex", "eve"),
    );
    let clock = recorded.clock.clone();
    let mut ids = Vec::new();
    for (caller, tool, id) in [
        (&ada, "lookup", "c-42"),
        (&ada, "admin", "c-42"),
        (&bob, "lookup", "secret"),
        (&eve, "lookup", "c-42"),
        (&eve, "none", "c-7"),
    ] {
        let arguments = if tool == "admin" {
            json!({})
        } else {
            json!({"id": id})
        };
        ids.push(call_id(&caller.rest(tool, arguments).await));
        clock.advance(Duration::from_secs(60));
    }
    (recorded, ids)
}

fn query(recorded: &Recorded, more: &[&str]) -> Finished {
    let plain = ["audit", "query", "--file", "audit.jsonl"];
    let found = recorded.command(&[&plain, more].concat());
    assert_eq!(found.code, Some(0), "{found:?}");
    found
}

/// The ids of the calls that fit.
fn found(recorded: &Recorded, more: &[&str]) -> Vec<String> {
    let json = query(recorded, &[&["--format", "json"], more].concat()).stdout;
    let lines = json
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    lines
        .map(|line| line["callId"].as_str().expect("an id").to_owned())
        .collect()
}

#[tokio::test]
async fn calls_are_found_by_who_what_and_how_it_ended() {
    let (recorded, ids) = five_calls().await;
    let is = |more: &[&str], expected: &[usize]| {
        let expected: Vec<&String> = expected.iter().map(|at| &ids[*at]).collect();
        assert_eq!(
            found(&recorded, more).iter().collect::<Vec<_>>(),
            expected,
            "{more:?}"
        );
    };
    is(&[], &[0, 1, 2, 3, 4]);
    is(&["--tenant", "acme"], &[0, 1, 2]);
    is(&["--tenant", "acme", "--subject", "ada"], &[0, 1]);
    is(&["--tool", "lookup"], &[0, 2, 3]);
    is(&["--tool", "none"], &[4]);
    is(&["--outcome", "denied"], &[1, 2]);
    is(&["--error", "refused-by-rule"], &[2]);
    is(&["--call-id", &ids[3]], &[3, 3]);
    is(&["--limit", "2"], &[3, 4]);
    is(&["--limit", "0"], &[0, 1, 2, 3, 4]);
    is(&["--tenant", "nobody"], &[]);
    // The turned clock starts at 03:33:20, and each call came a minute after the one before.
    is(&["--since", "2033-05-18T03:35:20Z"], &[2, 3, 4]);
    is(
        &[
            "--since",
            "2033-05-18T03:34:20Z",
            "--until",
            "2033-05-18T05:35:20+02:00",
        ],
        &[1, 2],
    );
}

#[tokio::test]
async fn calls_are_found_by_arguments_that_are_not_in_the_log() {
    let (recorded, ids) = five_calls().await;
    fs::write(recorded.folder.path().join("key"), KEY).expect("a key");
    let asked = ["--arguments", r#"{ "id" : "c-42" }"#];
    let with_key = [&asked[..], &["--key-file", "key"]].concat();
    assert_eq!(
        found(&recorded, &with_key),
        [ids[0].clone(), ids[3].clone()]
    );
    assert!(
        !fs::read_to_string(recorded.file())
            .expect("a log")
            .contains("c-42")
    );
    let plain = ["audit", "query", "--file", "audit.jsonl"];
    let without = recorded.command(&[&plain[..], &asked[..]].concat());
    assert_eq!(without.code, Some(2), "{without:?}");
    assert!(without.stderr.contains("--arguments needs the key"));
    let broken =
        recorded.command(&[&plain[..], &["--key-file", "key", "--arguments", "[1]"]].concat());
    assert_eq!(broken.code, Some(2), "{broken:?}");
    let misspelt = recorded.command(&[&plain[..], &["--error", "quota"]].concat());
    assert_eq!(misspelt.code, Some(2), "{misspelt:?}");
    assert!(
        misspelt
            .stderr
            .contains("--error quota: there is no such error")
    );
}

#[tokio::test]
async fn the_table_has_a_row_for_each_call_and_fits_a_terminal() {
    let (recorded, ids) = five_calls().await;
    let long = recorded.caller(
        "a-tenant-with-a-very-long-name",
        "somebody-with-an-even-longer-name",
    );
    long.rest("lookup", json!({"id": "c-1"})).await;
    let table = query(&recorded, &[]).stdout;
    let rows: Vec<&str> = table.lines().collect();
    assert_eq!(rows.len(), 7, "{table}");
    for (row, id) in rows[1..].iter().zip(&ids) {
        assert!(row.contains(id.as_str()), "{row}");
    }
    assert!(
        rows[1].starts_with("05-18 03:33:20 ")
            && rows[1].ends_with("acme/ada       lookup         ok"),
        "{table}"
    );
    assert!(
        rows[2].ends_with("admin          insufficient-scope"),
        "{table}"
    );
    assert!(rows.iter().all(|row| row.chars().count() <= 100), "{table}");
}

#[tokio::test]
async fn a_window_that_nothing_can_be_in_is_refused() {
    let (recorded, _) = five_calls().await;
    let window = ["--since", "5m", "--until", "10m"];
    let shown =
        recorded.command(&[&["audit", "query", "--file", "audit.jsonl"], &window[..]].concat());
    assert_eq!((shown.code, &*shown.stdout), (Some(2), ""), "{shown:?}");
    assert!(shown.stderr.contains("--since is later"), "{shown:?}");
}

#[tokio::test]
async fn lines_that_are_no_calls_are_counted_and_passed_over() {
    let (recorded, ids) = five_calls().await;
    let mut log = fs::OpenOptions::new()
        .append(true)
        .open(recorded.file())
        .expect("a log");
    writeln!(log, "{{\"seq\":99,\"kind\":\"call\"}}\nnothing\n\u{1b}[2J").expect("junk");
    let shown = query(&recorded, &[]);
    assert!(
        shown
            .stderr
            .contains("3 lines could not be read: see tollgate audit verify"),
        "{shown:?}"
    );
    assert_eq!(shown.stdout.lines().count(), 1 + ids.len());
}

#[tokio::test]
async fn a_configuration_is_asked_for_the_log_and_for_no_secret() {
    let (recorded, ids) = five_calls().await;
    let config = "audit: {file: ./audit.jsonl, key: '${NOT_SET}'}\n";
    fs::write(recorded.folder.path().join("tollgate.yaml"), config).expect("a file");
    let by_default = recorded.command(&["audit", "query", "--format", "json"]);
    assert_eq!(
        by_default.stdout.lines().count(),
        ids.len(),
        "{by_default:?}"
    );
    assert_eq!(recorded.command(&["explain", &ids[0]]).code, Some(0));
    let verified = recorded.command(&["audit", "verify"]);
    assert_eq!(verified.code, Some(1));
    assert!(verified.stderr.contains("NOT_SET"), "{verified:?}");
}
