//! What a file says about how often is what happens: several windows, cost, whose calls are counted
//! together, defaults and overrides.

#[path = "support/binary.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod binary;
#[path = "support/caller.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod caller;
#[path = "support/declared.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod declared;
#[path = "support/limited.rs"]
mod limited;
#[path = "support/session.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod session;
#[path = "support/slow.rs"]
#[expect(dead_code, reason = "other test files use it")]
mod slow;
#[path = "support/tokens.rs"]
mod tokens;
#[path = "support/whoami.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod whoami;

use std::time::Duration;

use serde_json::json;
use session::Session;
use tollgate::server::{ServerBuilder, StartError};
use tollgate::{CallContext, Limit, Per, Quota, Tool, ToolError};

use limited::{Limits, served, told};

fn seen(status: u16, limit: &str) -> (u16, String) {
    (status, limit.to_owned())
}

#[tokio::test]
async fn a_call_takes_from_all_windows_or_from_none() {
    let limits = Limits {
        lookup: "[2/1s, 5/1m]",
        ..Limits::default()
    };
    let limited = limits.serve().await;
    let ada = limited.caller("acme", "ada");
    let (two, none) = (
        "\"1s\";r=1;t=1, \"1m\";r=4;t=12",
        "\"1s\";r=0;t=1, \"1m\";r=3;t=24",
    );
    assert_eq!(told(&ada, "lookup").await, seen(200, two));
    assert_eq!(told(&ada, "lookup").await, seen(200, none));
    // The window that has enough loses nothing to calls that the other refuses.
    for _ in 0..10 {
        assert_eq!(told(&ada, "lookup").await, seen(429, none));
    }
    for (turn, status, limit) in [
        (1, 200, "\"1s\";r=1;t=1, \"1m\";r=2;t=35"),
        (0, 200, "\"1s\";r=0;t=1, \"1m\";r=1;t=47"),
        (1, 200, "\"1s\";r=1;t=1, \"1m\";r=0;t=58"),
        (0, 429, "\"1s\";r=1;t=1, \"1m\";r=0;t=58"),
        (9, 429, "\"1s\";r=2;t=0, \"1m\";r=0;t=49"),
        (1, 200, "\"1s\";r=1;t=1, \"1m\";r=0;t=60"),
    ] {
        limited.clock.advance(Duration::from_secs(turn));
        assert_eq!(told(&ada, "lookup").await, seen(status, limit));
    }
}

#[tokio::test]
async fn a_call_takes_what_it_costs() {
    let limits = Limits {
        lookup: "{limit: 10/1m, cost: 4}",
        other: "{limit: 60/1m burst 10, cost: 10}",
        ..Limits::default()
    };
    let limited = limits.serve().await;
    let ada = limited.caller("acme", "ada");
    assert_eq!(
        told(&ada, "lookup").await,
        seen(200, "\"default\";r=6;t=24")
    );
    assert_eq!(
        told(&ada, "lookup").await,
        seen(200, "\"default\";r=2;t=48")
    );
    let refused = limited::call(&ada, "lookup").await;
    assert_eq!((refused.status, refused.header("retry-after")), (429, "12"));
    assert_eq!(refused.header("ratelimit"), "\"default\";r=2;t=48");
    limited.clock.advance(Duration::from_secs(12));
    assert_eq!(
        told(&ada, "lookup").await,
        seen(200, "\"default\";r=0;t=60")
    );
    // All of the burst at once.
    assert_eq!(told(&ada, "other").await, seen(200, "\"default\";r=0;t=10"));
    assert_eq!(
        limited::call(&ada, "other").await.header("retry-after"),
        "10"
    );
}

#[tokio::test]
async fn whose_calls_are_counted_together_is_as_the_file_says() {
    // Of ada and bob of acme and ada of globex, and of two tools: who shares a bucket of five with
    // ada of acme at `lookup`?
    for (per, bob, globex, other) in [
        ("[tenant, tool]", 0, 5, 5),
        ("[tool, tenant]", 0, 5, 5),
        ("[tenant]", 0, 5, 0),
        ("[subject, tool]", 5, 5, 5),
        ("[tool]", 0, 0, 5),
    ] {
        let limit = format!("{{limit: 5/1m, per: {per}}}").leak();
        let limits = Limits {
            lookup: limit,
            other: limit,
            ..Limits::default()
        };
        let limited = limits.serve().await;
        let ada = limited.caller("acme", "ada");
        assert_eq!(served(&ada, "lookup").await, 5, "{per}");
        let (same, elsewhere) = (
            limited.caller("acme", "bob"),
            limited.caller("globex", "ada"),
        );
        assert_eq!(served(&same, "lookup").await, bob, "{per}");
        assert_eq!(served(&elsewhere, "lookup").await, globex, "{per}");
        assert_eq!(served(&ada, "other").await, other, "{per}");
    }
}

#[tokio::test]
async fn tools_and_resources_draw_on_a_tenants_budget_at_their_own_cost() {
    let limits = Limits {
        lookup: "{limit: 10/1h, per: [tenant]}",
        other: "{limit: 10/1h, per: [tenant], cost: 5}",
        things: "[{limit: 10/1h, per: [tenant], cost: 2}, {limit: 100/1h, per: [tool]}]",
        ..Limits::default()
    };
    let limited = limits.serve().await;
    let ada = limited.caller("acme", "ada");
    assert_eq!(
        told(&ada, "lookup").await,
        seen(200, "\"default\";r=9;t=360")
    );
    assert_eq!(
        told(&ada, "other").await,
        seen(200, "\"default\";r=4;t=2160")
    );
    let read = ada
        .modern("resources/read", json!({"uri": "things://1"}))
        .await;
    assert_eq!(
        read.header("ratelimit"),
        "\"tenant-1h\";r=2;t=2880, \"target-1h\";r=99;t=36"
    );
    assert_eq!(
        told(&ada, "other").await,
        seen(429, "\"default\";r=2;t=2880")
    );
    assert_eq!(
        told(&ada, "lookup").await,
        seen(200, "\"default\";r=1;t=3240")
    );
}

#[tokio::test]
async fn a_default_is_for_all_that_say_nothing_and_can_be_opted_out_of() {
    let limits = Limits {
        other: "unlimited",
        things: "3/1m",
        sections: "quotas: {default: [2/1m, 100/1h]}",
        ..Limits::default()
    };
    let limited = limits.serve().await;
    let ada = limited.caller("acme", "ada");
    assert_eq!(
        told(&ada, "lookup").await,
        seen(200, "\"1m\";r=1;t=30, \"1h\";r=99;t=36")
    );
    assert_eq!(served(&ada, "lookup").await, 1);
    assert_eq!(told(&ada, "other").await, seen(200, ""));
    assert_eq!(served(&ada, "other").await, 10);
    let read = ada
        .modern("resources/read", json!({"uri": "things://1"}))
        .await;
    assert_eq!(read.header("ratelimit"), "\"default\";r=2;t=20");
}

#[tokio::test]
async fn the_nearest_limit_to_tenant_and_tool_is_in_force() {
    let limits = Limits {
        other: "2/1m",
        sections: r#"
quotas: {default: 1/1m}
tenants:
  acme: {rateLimit: 3/1m, tools: {other: {rateLimit: 4/1m}}}
  globex: {rateLimit: unlimited}
  initech: {tools: {lookup: {rateLimit: unlimited}, other: {enabled: true}}}"#,
        ..Limits::default()
    };
    let limited = limits.serve().await;
    for (tenant, lookup, other) in [
        ("acme", 3, 4),
        ("globex", 10, 2),
        ("initech", 10, 2),
        ("hooli", 1, 2),
    ] {
        let caller = limited.caller(tenant, "ada");
        assert_eq!(served(&caller, "lookup").await, lookup, "{tenant}");
        assert_eq!(served(&caller, "other").await, other, "{tenant}");
    }
}

#[tokio::test]
async fn a_limit_in_shadow_mode_among_others_counts_and_refuses_nothing() {
    let limits = Limits {
        lookup: "[5/1m, {limit: 2/1h, mode: shadow}]",
        ..Limits::default()
    };
    let limited = limits.serve().await;
    let ada = limited.caller("acme", "ada");
    assert_eq!(
        told(&ada, "lookup").await,
        seen(200, "\"default\";r=4;t=12")
    );
    assert_eq!(served(&ada, "lookup").await, 4);
}

#[test]
fn limits_that_share_a_bucket_and_differ_are_refused_with_line_and_both_names() {
    let limits = Limits {
        lookup: "{limit: 1000/1d, per: [tenant]}",
        other: "{limit: 500/1d, per: [tenant]}",
        ..Limits::default()
    };
    assert_eq!(
        limits.faults(),
        "tollgate.yaml:11: tools.other: its limit of 500/1d counts a tenant's calls of all tools and resources together with the limit of 1000/1d of `lookup`: over one period both must be the same, so give them one count and burst, or different periods"
    );
    let apart = Limits {
        other: "{limit: 500/1h, per: [tenant]}",
        ..limits
    };
    assert_eq!(apart.faults(), "");
    let for_a_tenant = Limits {
        lookup: "{limit: 10/1d, per: [tool]}",
        other: "{limit: 10/1d, per: [tool]}",
        sections: "tenants: {acme: {tools: {other: {rateLimit: {limit: 20/1d, per: [tool]}}}}}",
        ..Limits::default()
    };
    assert_eq!(
        for_a_tenant.faults(),
        "tollgate.yaml:11: tools.other: its limit of 20/1d for tenant `acme` counts everybody's calls together with the limit of 10/1d of `other`: over one period both must be the same, so give them one count and burst, or different periods"
    );
}

#[test]
fn a_tenants_limits_may_differ_from_those_of_others() {
    let limits = Limits {
        sections: "quotas: {default: {limit: 10/1d, per: [tenant]}}\ntenants: {acme: {rateLimit: {limit: 20/1d, per: [tenant]}}}",
        ..Limits::default()
    };
    assert_eq!(limits.faults(), "");
    // But not from one another: here acme meets its own at one tool and the common one at another.
    let mixed = Limits {
        lookup: "{limit: 10/1d, per: [tenant]}",
        sections: "tenants: {acme: {rateLimit: {limit: 20/1d, per: [tenant]}}}",
        ..Limits::default()
    };
    let faults = mixed.faults();
    assert!(
        faults.contains("tools.other: its limit of 20/1d for tenant `acme`"),
        "{faults}"
    );
    assert!(
        faults.contains("the limit of 10/1d of `lookup`"),
        "{faults}"
    );
}

#[test]
fn a_program_is_held_to_the_same() {
    let tool = |name: &str, limit: Limit| {
        let tool = Tool::new(name, "A tool.").any_authenticated().limit(limit);
        tool.handler(async |_: CallContext, _: Nothing| Ok::<_, ToolError>(1))
    };
    #[derive(serde::Deserialize, schemars::JsonSchema)]
    struct Nothing {}
    let daily = |count| Limit::new(Quota::per(count, Duration::from_secs(86_400))).per(Per::Tenant);
    let build = |one, other| {
        let server = ServerBuilder::default()
            .tool(tool("one", one))
            .tool(tool("other", other));
        server.build().err()
    };
    assert!(
        build(daily(10), daily(10).cost(5)).is_none(),
        "only the cost differs"
    );
    let Some(StartError::Catalog(faults)) = build(daily(10), daily(20)) else {
        panic!("it must not start");
    };
    assert_eq!((faults.len(), faults[0].target.as_str()), (1, "other"));
}

#[test]
fn check_shows_every_limit_and_marks_those_by_default() {
    let limits = Limits {
        lookup: "[10/1s, {limit: 1000/1d, per: [tenant], cost: 10}, {limit: 1/1h, per: [subject, tool], mode: shadow}]",
        things: "unlimited",
        sections: "quotas: {default: 60/m burst 10}\ntenants: {acme: {rateLimit: {limit: 5/s, per: [tool]}}}",
        ..Limits::default()
    };
    let folder = limits.folder();
    let checked = binary::run(folder.path(), &["check"]);
    assert_eq!(checked.code, Some(0), "{}", checked.stderr);
    let rows: Vec<(&str, &str, &str)> = checked
        .stdout
        .lines()
        .skip(1)
        .map(|line| {
            let cells: Vec<&str> = line
                .split("  ")
                .map(str::trim)
                .filter(|cell| !cell.is_empty())
                .collect();
            (cells[0], cells[1], cells[4])
        })
        .collect();
    assert_eq!(
        rows,
        [
            (
                "lookup",
                "*",
                "10/1s, 1000/1d per [tenant] cost 10, shadow: 1/1h per [subject, tool]"
            ),
            ("other", "*", "default: 60/1m burst 10"),
            ("other", "acme", "default: 5/1s per [tool]"),
            ("things://{id}", "*", "unlimited"),
        ]
    );
}

#[test]
fn limits_that_differ_are_told_as_all_faults_with_the_line_first() {
    let limits = Limits {
        lookup: "{limit: 10/1d, per: [tenant]}",
        other: "{limit: 20/1d, per: [tenant]}",
        ..Limits::default()
    };
    let folder = limits.folder();
    let checked = binary::run(folder.path(), &["check"]);
    assert_eq!(checked.code, Some(1));
    let place = "tollgate.yaml:11: tools.other: its limit of 20/1d";
    assert!(checked.stderr.starts_with(place), "{}", checked.stderr);
    let split = Limits {
        lookup: "[1/1s, {limit: 5/1s, per: [tool]}]",
        sections: "quotas: {store: 'redis+cluster://localhost'}",
        ..Limits::default()
    };
    let checked = binary::run(split.folder().path(), &["check"]);
    let fault = "tools.lookup: it has a limit over all tenants beside others, and a cluster cannot";
    assert!(checked.stderr.starts_with("tollgate.yaml:"));
    assert!(checked.stderr.contains(fault), "{}", checked.stderr);
}

#[test]
fn stdio_counts_the_same_way_and_says_which_limit_refused() {
    let limits = Limits {
        lookup: "[2/1h, {limit: 100/1d, per: [tenant]}]",
        ..Limits::default()
    };
    let mut session = Session::start(limits.folder(), &[]);
    for id in 1..=2 {
        let answer = session.ask(&session::call(id, "lookup", json!({})));
        assert!(answer["error"].is_null(), "{answer}");
    }
    let refused = session.ask(&session::call(3, "lookup", json!({})));
    assert_eq!(refused["error"]["code"], 42901);
    let message = refused["error"]["message"].as_str().expect("a text");
    // The clock goes on meanwhile, but not for a minute.
    assert!(
        message
            .starts_with("Rate limit exceeded: 2 per 1h for these calls of the tenant; retry in ")
            && (message.ends_with(" 30 min") || message.contains("29 min")),
        "{message}"
    );
    assert!(
        refused["error"]["data"]["retryAfterMs"]
            .as_u64()
            .expect("a number")
            <= 1_800_000
    );
}
