//! Listeners hear of a configuration that changes their lists, and keep nothing of the one before.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::task::yield_now;
use tokio::time::timeout;
use tollgate::testing::TestServer;
use tollgate::{CallContext, Tool, ToolError};

use super::listener::{Event, Listener, changed};
use super::{Nothing, tool};

/// Only a failing test waits this long.
const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_listener_is_told_when_its_list_is_another_and_its_old_tools_are_let_go() {
    let held = Arc::new(());
    let watched = Arc::downgrade(&held);
    let old = Tool::new("old", "Holds something.")
        .scope("read")
        .handler_with(held, async |_: Arc<()>, _: CallContext, _: Nothing| {
            Ok::<_, ToolError>(())
        });
    let server = TestServer::start(|server| server.tool(old)).await;
    let tools = json!({"toolsListChanged": true});
    let reads = server.token_for("acme", "ada", &["read"]);
    let writes = server.token_for("acme", "bob", &["write"]);
    let mut reader = Listener::open(&server, &reads, tools.clone()).await;
    let mut writer = Listener::open(&server, &writes, tools).await;

    let reloaded = server.reload(|server| server.tool(tool("new")));
    reloaded.await.expect("good");
    let told = Event::Message(changed("tools", &json!(1)));
    assert_eq!(reader.next().await, told);
    let let_go = async {
        while watched.upgrade().is_some() {
            yield_now().await;
        }
    };
    let let_go = timeout(PATIENCE, let_go).await;
    let_go.expect("nobody needs the old tool");

    let reloaded = server.reload(|server| {
        server.tool(tool("new")).tool(
            Tool::new("hers", "Writes.")
                .scope("write")
                .handler(async |_: CallContext, _: Nothing| Ok::<_, ToolError>(())),
        )
    });
    reloaded.await.expect("good");
    // Of the first change she heard nothing: it was none of hers.
    assert_eq!(writer.next().await, told);
}
