//! `--quotas`: the calls of the log take from buckets at the times of the log.

use std::fs;

use serde_json::json;
use tempfile::TempDir;

use crate::{allowed, folder, id, refused, told, with};

#[test]
fn without_it_limits_are_left_out() {
    let calls: Vec<_> = (0..5).map(|at| allowed(at, id("c-1"))).collect();
    let (code, told) = told(&folder(&calls, "2/10s", "1/1h"), &[]);
    assert_eq!((code, &told["same"]), (Some(0), &json!(5)));
}

#[test]
fn a_lower_limit_refuses_those_that_came_too_soon() {
    // Two at once, then one every five seconds.
    let times = [0, 1, 4_999, 5_000, 9_999, 10_000];
    let calls = times.map(|at| allowed(at, id("c-1")));
    let folder = folder(&calls, "", "");
    let (code, told) = told(&folder, &["--quotas"]);
    assert_eq!(code, Some(1));
    assert_eq!(
        (&told["same"], &told["allowedToRefused"]),
        (&json!(4), &json!(2))
    );
    assert_eq!(told["groups"][0]["why"], "quota-exceeded");
    assert_eq!(
        told["groups"][0]["examples"],
        json!([
            "00000000-0000-7000-8000-000000004999",
            "00000000-0000-7000-8000-000000009999"
        ])
    );
}

#[test]
fn calls_take_from_buckets_in_the_order_in_which_they_came() {
    // The log has them in the order in which they ended.
    let calls = [10_000, 5_000, 1, 0].map(|at| allowed(at, id("c-1")));
    let (code, told) = told(&folder(&calls, "", ""), &["--quotas"]);
    assert_eq!((code, &told["same"]), (Some(0), &json!(4)), "{told:#}");
}

#[test]
fn calls_that_are_not_told_of_take_from_buckets_all_the_same() {
    let other = with(
        allowed(0, id("c-1")),
        json!({"subject": "bob", "target": "put", "scopes": ["a:write"]}),
    );
    let calls = [other, allowed(1, id("c-1")), allowed(2, id("c-1"))];
    let limit = "quotas: {default: {limit: 2/10s, per: [tenant]}";
    let folder = folder(&calls, "quotas: {", &format!("{limit}, "));
    let config = std::fs::read_to_string(folder.path().join("new.yaml")).expect("a file");
    crate::write(
        folder.path(),
        "new.yaml",
        &config.replace("    rateLimit: 2/10s\n", ""),
    );
    let (_, told) = told(&folder, &["--quotas", "--tool", "get"]);
    assert_eq!(
        (&told["same"], &told["allowedToRefused"]),
        (&json!(1), &json!(1)),
        "{told:#}"
    );
}

#[test]
fn a_higher_limit_lets_those_in_that_were_refused_for_it() {
    let calls = [
        allowed(0, id("c-1")),
        allowed(1, id("c-1")),
        refused(2, "quota-exceeded", "denied", id("c-1")),
    ];
    let folder = folder(&calls, "2/10s", "3/10s");
    let (code, told_of) = told(&folder, &["--quotas"]);
    assert_eq!((code, &told_of["refusedToAllowed"]), (Some(1), &json!(1)));
    let (code, told_of) = told(&folder, &[]);
    assert_eq!((code, &told_of["same"]), (Some(0), &json!(2)));
    assert_eq!(
        told_of["groups"][0]["why"],
        "it was refused for its rate limit: --quotas decides that"
    );
}

#[test]
fn what_is_behind_too_many_refusals_is_what_counts() {
    let denied = |at| {
        let denied = refused(at, "too-many-denials", "denied", id("c-1"));
        with(denied, json!({"cause": "insufficient-scope", "scopes": []}))
    };
    let calls = [denied(0), denied(1)];
    for arguments in [&[][..], &["--quotas"]] {
        let folder = folder(&calls, "quotas: {", "quotas: {denialLimit: 1/1h, ");
        let (code, told) = told(&folder, arguments);
        assert_eq!((code, &told["same"]), (Some(0), &json!(2)), "{told:#}");
    }
}

#[test]
fn calls_of_several_logs_take_from_buckets_in_the_order_in_which_they_came() {
    // More than are held back to be put in order, one a second in both logs together.
    let of = |first: u64| (0..1_500).map(move |call| allowed(call * 2_000 + first, id("c-1")));
    let one = folder(&of(0).collect::<Vec<_>>(), "2/10s", "2/2s");
    let other = folder(&of(1_000).collect::<Vec<_>>(), "", "");
    let other = other.path().join("log/audit.jsonl");
    let logs = ["log/audit.jsonl", other.to_str().expect("a path")];
    let (code, told) = told(&one, &["--quotas", "--audit", logs[0], "--audit", logs[1]]);
    assert_eq!((code, &told["same"]), (Some(0), &json!(3_000)), "{told:#}");
}

const SHARED: &str = "quotas: {store: \"redis://127.0.0.1:1/\"}\n";

/// `folder`, and in its log a process that started so many milliseconds after noon, after so many lines.
fn restarted(folder: &TempDir, lines: usize, at: u64) {
    let log = folder.path().join("log/audit.jsonl");
    let text = fs::read_to_string(&log).expect("a log");
    let started = text.lines().next().expect("its start");
    let started = started.replace("T11:00:00.000000Z", &format!("T12:00:00.{at:03}000Z"));
    let mut text: Vec<&str> = text.lines().collect();
    text.insert(lines, &started);
    fs::write(&log, text.join("\n") + "\n").expect("a log");
}

#[test]
fn a_start_fills_the_buckets_of_a_process_and_not_those_of_a_store() {
    let calls = [0, 1, 3, 4].map(|at| allowed(at, id("c-1")));
    for (store, refused) in [(SHARED, 2), ("", 0), ("quotas: {store: memory}\n", 0)] {
        let folder = folder(&calls, SHARED, store);
        restarted(&folder, 3, 2);
        let (_, told) = told(&folder, &["--quotas"]);
        assert_eq!(told["allowedToRefused"], refused, "{store}: {told:#}");
    }
}

#[test]
fn processes_beside_each_other_have_buckets_of_their_own_unless_they_share_a_store() {
    for (store, refused) in [(SHARED, 2), ("", 0)] {
        let calls = [0, 2].map(|at| allowed(at, id("c-1")));
        let (one, other) = (folder(&calls, SHARED, store), folder(&calls, "", ""));
        // As a second process writes it: another lane of the same log.
        let lane = one.path().join("log/audit-2.jsonl");
        fs::copy(other.path().join("log/audit.jsonl"), lane).expect("a lane");
        let (_, told) = told(&one, &["--quotas"]);
        assert_eq!(told["allowedToRefused"], refused, "{store}: {told:#}");
    }
}

#[test]
fn whatever_took_from_a_bucket_takes_from_it_again() {
    let limit = "scopes: [\"a:read\"]\n    description: Greet.";
    let limited = "scopes: [\"a:read\"]\n    rateLimit: 2/1h\n    description: Greet.";
    let prompt =
        json!({"target": "prompt/greet", "arguments": {"digest": "d", "values": {"name": "x"}}});
    let completion = json!({
        "method": "completion/complete", "stages": {"authenticate": 1, "authorize": 1, "admit": 1}
    });
    let left =
        json!({"outcome": "cancelled", "stages": {"authenticate": 1, "authorize": 1, "admit": 1}});
    let get = json!({"method": "prompts/get"});
    let calls = [
        with(with(allowed(0, id("")), prompt.clone()), completion.clone()),
        with(
            with(with(allowed(1, id("")), prompt.clone()), get.clone()),
            left,
        ),
        with(
            with(refused(2, "quota-exceeded", "denied", id("")), prompt),
            get,
        ),
    ];
    let (code, told) = told(&folder(&calls, limit, limited), &["--quotas"]);
    assert_eq!(told["same"], 1, "{told:#}");
    assert_eq!((code, &told["skipped"]["undecided"]), (Some(0), &json!(1)));
}

#[test]
fn suggestions_that_were_refused_take_where_they_would_not_be() {
    let limit = "scopes: [\"a:read\"]\n    description: Greet.";
    let limited = "scopes: [\"a:read\"]\n    rateLimit: 3/1h\n    description: Greet.";
    let prompt =
        json!({"target": "prompt/greet", "arguments": {"digest": "d", "values": {"name": "x"}}});
    let of = |call, method: &str| with(with(call, prompt.clone()), json!({ "method": method }));
    let refused = |at| refused(at, "quota-exceeded", "denied", id(""));
    let calls = [
        of(allowed(0, id("")), "prompts/get"),
        of(refused(1), "completion/complete"),
        of(refused(2), "completion/complete"),
        of(refused(3), "prompts/get"),
    ];
    let (code, told) = told(&folder(&calls, limit, limited), &["--quotas"]);
    assert_eq!((code, &told["same"]), (Some(0), &json!(2)), "{told:#}");
}

#[test]
fn limits_are_asked_when_a_request_was_read() {
    // It came first, and was read last.
    let slow = json!({"stages": {"authenticate": 500, "authorize": 4_000_000}});
    let slow = with(refused(0, "quota-exceeded", "denied", id("c-1")), slow);
    let calls = [allowed(1, id("c-1")), allowed(2, id("c-1")), slow];
    let (code, told_of) = told(&folder(&calls, "", ""), &["--quotas"]);
    assert_eq!(
        (code, &told_of["same"]),
        (Some(0), &json!(3)),
        "{told_of:#}"
    );
    // And it is in the window in which it came.
    let window = ["--quotas", "--until", "2026-11-20T12:00:00.001Z"];
    let (_, told_of) = told(&folder(&calls, "", ""), &window);
    assert_eq!(told_of["refusedToAllowed"], 1, "{told_of:#}");
}

#[test]
fn a_call_that_ended_long_after_others_has_its_turn_among_them() {
    // Far more than run at once.
    let other = |at| {
        let tenant = format!("tenant-{at}");
        with(allowed(at, id("c-1")), json!({ "tenant": tenant }))
    };
    let mut calls = vec![
        allowed(1, id("c-1")),
        refused(2, "quota-exceeded", "denied", id("c-1")),
    ];
    calls.extend((3..5_000).map(other));
    calls.push(allowed(0, id("c-1")));
    let (code, told) = told(&folder(&calls, "", ""), &["--quotas"]);
    assert_eq!((code, &told["same"]), (Some(0), &json!(5_000)), "{told:#}");
}

#[test]
fn what_was_let_through_uncounted_takes_nothing() {
    let uncounted = (0..9).map(|at| with(allowed(at, id("c-1")), json!({"uncounted": true})));
    let counted = [allowed(10, id("c-1")), allowed(11, id("c-1"))];
    let calls: Vec<_> = uncounted.chain(counted).collect();
    let (code, told) = told(&folder(&calls, "", ""), &["--quotas"]);
    assert_eq!((code, &told["same"]), (Some(0), &json!(11)), "{told:#}");
}

#[test]
fn a_store_has_room_for_more_buckets_than_a_process() {
    let calls =
        ["a", "b", "c", "d"].map(|tenant| with(allowed(0, id("c-1")), json!({ "tenant": tenant })));
    for (store, refused) in [("store: \"redis://127.0.0.1:1/\", ", 0), ("", 2)] {
        let quotas = format!("quotas: {{{store}maxKeys: 2}}\n");
        let (_, told) = told(&folder(&calls, SHARED, &quotas), &["--quotas"]);
        assert_eq!(told["allowedToRefused"], refused, "{store}: {told:#}");
    }
}
