//! What single series tell: tenants by choice and up to a number, caches, build and process.

use serde_json::json;
use tollgate::record::{MetricReader, TenantLabel};
use tollgate::testing::TestServer;
use tollgate::{CallContext, Tool, ToolError};

use super::{CALLS, DURATION, Nothing, caller, free_port, measured, scrape, tools};
use crate::caller::Caller;

/// The lines of a scrape that are samples.
async fn samples(server: &TestServer) -> Vec<String> {
    let url = server.admin_url().expect("an admin listener");
    let text = reqwest::get(format!("{url}/metrics"))
        .await
        .expect("an answer");
    let text = text.text().await.expect("a body");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(str::to_owned).collect()
}

fn of(server: &TestServer, tenant: &str, scopes: &[&str]) -> Caller {
    Caller::new(server.url(), server.token_for(tenant, "ada", scopes))
}

#[tokio::test]
async fn only_so_many_tenants_are_named_however_many_call() {
    let label = TenantLabel {
        max: 3,
        named: vec!["globex".to_owned()],
    };
    let server = measured(|server| {
        let calm = Tool::new("calm", "Takes all calls.")
            .scope("hello")
            .handler(async |_: CallContext, _: Nothing| Ok::<_, ToolError>("calm".to_owned()));
        server.tenant_label(label).tool(calm)
    })
    .await;
    // Refused callers take no label away from others.
    for n in 0..20 {
        let stranger = of(&server, &format!("refused-{n}"), &[]);
        assert_eq!(stranger.rest("calm", json!({})).await.status, 403);
        stranger.modern("tools/list", json!({})).await;
    }
    let mut before = 0;
    for n in 0..60 {
        let tenant = of(&server, &format!("tenant-{n}"), &["hello"]);
        assert_eq!(tenant.rest("calm", json!({})).await.status, 200);
        tenant.rest(&format!("made-up-{n}"), json!({})).await;
        if n == 10 {
            before = samples(&server).await.len();
        }
    }
    of(&server, "globex", &["hello"])
        .rest("calm", json!({}))
        .await;
    of(&server, "_other", &["hello"])
        .rest("calm", json!({}))
        .await;

    let numbers = scrape(&server).await;
    let calls = |tenant| {
        numbers.total(
            CALLS,
            &[("tollgate_tenant", tenant), ("tollgate_outcome", "ok")],
        )
    };
    let taken = |tenant| {
        numbers.total(
            &format!("{DURATION}_count"),
            &[("tollgate_tenant", tenant), ("gen_ai_tool_name", "calm")],
        )
    };
    for tenant in ["tenant-0", "tenant-1", "globex"] {
        assert_eq!((calls(tenant), taken(tenant)), (1.0, 1.0), "{tenant}");
    }
    assert_eq!(calls("_other"), 59.0);
    let strangers = |value: &&str| value.contains("tenant-") || value.contains("refused-");
    let named: Vec<&str> = numbers
        .label_values()
        .into_iter()
        .filter(strangers)
        .collect();
    assert_eq!(named, ["tenant-0", "tenant-1"]);
    let of_globex = 2 + 19 + 2;
    let after = samples(&server).await.len();
    assert!(
        after <= before + of_globex,
        "{before} series became {after}"
    );
}

#[tokio::test]
async fn what_caches_knew_is_counted_across_a_reload() {
    let server = measured(|server| server).await;
    let ada = caller(&server);
    for _ in 0..3 {
        assert_eq!(ada.modern("tools/list", json!({})).await.status, 200);
    }
    let asked = async |cache, result| {
        let labels = [("tollgate_cache", cache), ("result", result)];
        scrape(&server)
            .await
            .value("tollgate_cache_lookups_total", &labels)
    };
    assert_eq!(
        (asked("tokens", "hit").await, asked("tokens", "miss").await),
        (2.0, 1.0)
    );
    assert_eq!(
        (asked("lists", "hit").await, asked("lists", "miss").await),
        (2.0, 1.0)
    );
    let again = server.reload(|server| {
        tools(server, tokio::sync::mpsc::unbounded_channel().0).admin_listen(free_port())
    });
    again.await.expect("a good configuration");
    assert_eq!(ada.modern("tools/list", json!({})).await.status, 200);
    assert_eq!(
        (asked("tokens", "hit").await, asked("tokens", "miss").await),
        (2.0, 2.0)
    );
    assert_eq!(
        (asked("lists", "hit").await, asked("lists", "miss").await),
        (2.0, 2.0)
    );
}

#[tokio::test]
async fn build_process_and_limits_are_told() {
    let server = measured(|server| server.max_in_flight(7)).await;
    let numbers = scrape(&server).await;
    let built_in = [
        ("lambda", cfg!(feature = "lambda")),
        ("otlp-grpc", cfg!(feature = "otlp-grpc")),
        ("testing", true),
    ];
    let built_in = built_in.iter().filter(|(_, is_in)| *is_in);
    let features: Vec<_> = built_in.map(|(name, _)| *name).collect();
    let build = [
        ("tollgate_version", env!("CARGO_PKG_VERSION")),
        ("tollgate_features", &features.join(",")),
    ];
    assert_eq!(numbers.value("tollgate_build_info", &build), 1.0);
    let started = server.clock().unix().as_secs_f64();
    assert_eq!(numbers.value("process_start_time_seconds", &[]), started);
    assert_eq!(numbers.value("tollgate_calls_limit", &[]), 7.0);
    assert_eq!(
        numbers.value("tollgate_quota_buckets_limit", &[]),
        1_000_000.0
    );
    assert_eq!(numbers.value("tollgate_quota_buckets", &[]), 0.0);
    caller(&server).rest("hello", json!({})).await;
    let numbers = scrape(&server).await;
    assert_eq!(numbers.value("tollgate_quota_buckets", &[]), 1.0);
    if cfg!(target_os = "linux") {
        let value = |name| numbers.value(name, &[]);
        assert!(value("process_cpu_seconds_total") > 0.0);
        assert!(value("process_resident_memory_bytes") > 1e6);
        let open = value("process_open_fds");
        assert!(open > 3.0 && open < value("process_max_fds"), "{open}");
    }
}

#[tokio::test]
async fn where_prometheus_is_no_reader_there_are_no_numbers_for_it() {
    for readers in [vec![], vec![MetricReader::Otlp]] {
        let server = measured(|server| server.metrics(readers)).await;
        let url = server.admin_url().expect("an admin listener");
        let get = async |path| {
            reqwest::get(format!("{url}{path}"))
                .await
                .expect("an answer")
                .status()
        };
        assert_eq!(get("/metrics").await, 404);
        assert_eq!(get("/readyz").await, 200);
    }
}
