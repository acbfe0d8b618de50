//! Servers that share a quota store, with one tool that anybody may call.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::timeout;
use tollgate::quota::{DecidedBy, StoreSettings, StoreState};
use tollgate::testing::TestServer;
use tollgate::{CallContext, Limit, Quota, Tool, ToolError};

use crate::caller::{Answer, Caller};

/// How long anything that must happen may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Five at once, then one every 200 seconds: no more while a test runs, on whatever machine.
pub(crate) const FIVE: Quota = Quota::per(5, Duration::from_secs(1_000));

#[derive(Deserialize, JsonSchema)]
struct Lookup {
    id: String,
}

/// A tool under these limits.
pub(crate) fn tool(name: &str, limits: &[Limit]) -> Tool {
    let tool = Tool::new(name, "Looks something up.").scope("read");
    let limited = limits.iter().fold(tool, |tool, limit| tool.limit(*limit));
    limited.handler(async |_: CallContext, lookup: Lookup| Ok::<_, ToolError>(lookup.id))
}

/// A server that counts in the store: `lookup`, five at once.
pub(crate) async fn replica(store: &StoreSettings) -> TestServer {
    replica_with(store, vec![tool("lookup", &[Limit::new(FIVE)])]).await
}

/// A server that counts in the store.
pub(crate) async fn replica_with(store: &StoreSettings, tools: Vec<Tool>) -> TestServer {
    let store = store.clone();
    TestServer::start(|server| {
        let server = tools
            .into_iter()
            .fold(server, |server, tool| server.tool(tool));
        let admin = ([127, 0, 0, 1], 0).into();
        server.quota_store(store).admin_listen(admin)
    })
    .await
}

pub(crate) fn caller(server: &TestServer, tenant: &str) -> Caller {
    Caller::new(server.url(), server.token_for(tenant, "ada", &["read"]))
}

pub(crate) fn good() -> Value {
    json!({"id": "c-42"})
}

/// One call of `lookup` for tenant `acme`.
pub(crate) async fn call(server: &TestServer) -> Answer {
    caller(server, "acme").rest("lookup", good()).await
}

/// How many of `attempts` calls one after the other are served.
pub(crate) async fn served(server: &TestServer, attempts: usize) -> usize {
    let mut served = 0;
    for _ in 0..attempts {
        served += usize::from(call(server).await.status == 200);
    }
    served
}

pub(crate) fn state(server: &TestServer) -> StoreState {
    server.store_state().expect("a store")
}

/// How many calls were decided so.
pub(crate) fn decided(server: &TestServer, by: DecidedBy) -> u64 {
    let decisions = state(server).decisions;
    let found = decisions.iter().find(|(decided, _)| *decided == by);
    found.expect("all are listed").1
}

/// Waits until the server finds the store good, or not.
pub(crate) async fn finds_the_store(server: &TestServer, good: bool) {
    eventually(PATIENCE, || state(server).is_up == good).await;
}

/// Waits for a condition.
pub(crate) async fn eventually(patience: Duration, mut condition: impl FnMut() -> bool) {
    let waiting = async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    };
    let waited = timeout(patience, waiting).await;
    waited.expect("it comes true in time");
}
