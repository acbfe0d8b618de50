//! What counting a call costs in a Redis server on the same machine: one call at a time, and 64 at once
//! over the one connection.
//!
//! `cargo bench --bench quota_redis`, with `redis-server` installed. It starts its own.

#[path = "../tests/support/redis.rs"]
#[expect(dead_code, reason = "tests use the rest")]
mod redis_server;

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use futures_util::future::join_all;
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::runtime::Builder;
use tollgate::access::authorize;
use tollgate::auth::Principal;
use tollgate::server::Server;
use tollgate::tool::TargetRef;
use tollgate::trace::Trace;
use tollgate::{CallContext, Quota, Tool, ToolError};

use redis_server::Redis;

#[derive(Deserialize, JsonSchema)]
struct Nothing {}

fn in_redis(c: &mut Criterion) {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let redis = Redis::start(&[]);
    let tool = Tool::new("lookup", "Looks something up.")
        .any_authenticated()
        .quota(Quota::per_second(100_000_000))
        .handler(async |_: CallContext, _: Nothing| Ok::<_, ToolError>(String::new()));
    let server = Server::builder().quota_store(redis.settings()).tool(tool);
    let server = server.build().expect("a server");
    let principal = Principal::configured("acme", "ada", ["read"]).expect("a caller");
    let (principal, pipeline) = (Arc::new(principal), server.pipeline());
    let target = TargetRef::Tool("lookup");
    let found = pipeline.catalog.find(&target, principal.tenant_key());
    let target = found.expect("the tool").target;
    let admit = async || {
        let permit = authorize(&principal, Arc::clone(&target)).expect("a permit");
        black_box(
            pipeline
                .quotas
                .admit(permit, &Trace::default())
                .await
                .is_ok(),
        );
    };
    let mut group = c.benchmark_group("admit in redis");
    for at_once in [1, 64] {
        group.throughput(Throughput::Elements(at_once));
        let id = BenchmarkId::new("at once", at_once);
        group.bench_function(id, |bencher| {
            bencher
                .iter(|| runtime.block_on(async { join_all((0..at_once).map(|_| admit())).await }));
        });
    }
    group.finish();
    let state = pipeline.quotas.store_state().expect("a store");
    assert!(state.is_up, "the store counted");
}

criterion_group!(benches, in_redis);
criterion_main!(benches);
