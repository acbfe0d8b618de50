//! Tools that run until a test lets them go, and waits until the server's own numbers say so.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use schemars::JsonSchema;
use serde::Deserialize;
use tokio::sync::{Notify, Semaphore};
use tollgate::testing::TestServer;
use tollgate::{CallContext, Tool, ToolError};

use crate::scrape::Scrape;

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Named {
    #[serde(default)]
    pub(crate) name: String,
}

/// What holds calls: a tool made with it runs each call until it is let go.
#[derive(Clone, Default)]
pub(crate) struct Holder(Arc<Held>);

struct Held {
    let_go: Semaphore,
    begun: Mutex<Vec<String>>,
    news: Notify,
}

impl Default for Held {
    fn default() -> Self {
        Self {
            let_go: Semaphore::new(0),
            begun: Mutex::default(),
            news: Notify::new(),
        }
    }
}

impl Holder {
    /// A tool, for anybody, whose calls end one by one as they are let go.
    pub(crate) fn tool(&self, name: &str) -> Tool {
        let holder = self.clone();
        let hold = async |holder: Self, _: CallContext, args: Named| {
            holder.0.begun.lock().expect("a list").push(args.name);
            holder.0.news.notify_waiters();
            let passed = holder.0.let_go.acquire().await.expect("open");
            passed.forget();
            Ok::<_, ToolError>("held")
        };
        let tool = Tool::new(name, "Runs until it is let go.").any_authenticated();
        tool.handler_with(holder, hold)
    }

    pub(crate) fn let_go(&self, calls: usize) {
        self.0.let_go.add_permits(calls);
    }

    /// The names of the calls that began, in their order.
    pub(crate) fn begun(&self) -> Vec<String> {
        self.0.begun.lock().expect("a list").clone()
    }

    /// Waits until so many calls began.
    pub(crate) async fn has_begun(&self, calls: usize) {
        loop {
            let news = self.0.news.notified();
            tokio::pin!(news);
            news.as_mut().enable();
            if self.begun().len() >= calls {
                return;
            }
            news.await;
        }
    }
}

/// A tool for anybody that answers at once.
pub(crate) fn hello() -> Tool {
    Tool::new("hello", "Says hello.")
        .any_authenticated()
        .handler(async |_: CallContext, _: Named| Ok::<_, ToolError>("hello"))
}

/// Reads the numbers until `name` with these labels is `value`.
pub(crate) async fn counts(server: &TestServer, name: &str, labels: &[(&str, &str)], value: f64) {
    let url = server.admin_url().expect("an admin listener");
    let mut seen = BTreeMap::new();
    for _ in 0..20_000 {
        let now = Scrape::of(url).await.total(name, labels);
        if now == value {
            return;
        }
        *seen.entry(now.to_string()).or_insert(0) += 1;
    }
    panic!("{name} {labels:?} is not {value}: {seen:?}");
}
