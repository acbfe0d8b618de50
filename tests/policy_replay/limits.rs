//! `--quotas`: the calls of the log take from buckets at the times of the log.

use serde_json::json;

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
