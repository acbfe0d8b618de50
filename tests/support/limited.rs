//! A server from a file with the tools `lookup` and `other` and the resource `things://{id}`, on a
//! clock that stands still.

use serde_json::json;
use tempfile::TempDir;
use tollgate::Clock;
use tollgate::testing::TestServer;

use crate::caller::{Answer, Caller};
use crate::{declared, whoami};

/// Keys of a file, each as it stands there; empty: not there.
#[derive(Default)]
pub(crate) struct Limits {
    /// `rateLimit` of `lookup`.
    pub(crate) lookup: &'static str,
    /// `rateLimit` of `other`.
    pub(crate) other: &'static str,
    /// `rateLimit` of `things://{id}`.
    pub(crate) things: &'static str,
    /// Further sections, each a line.
    pub(crate) sections: &'static str,
}

impl Limits {
    /// The file, in which `other` is declared in line 12.
    pub(crate) fn yaml(&self) -> String {
        let key = |limit: &str| match limit {
            "" => String::new(),
            limit => format!("rateLimit: {limit}, "),
        };
        let (lookup, other, things) = (key(self.lookup), key(self.other), key(self.things));
        let sections = self.sections;
        format!(
            r#"
auth:
  issuers:
    - issuer: "https://ci.example.com/"
      audiences: ["https://tools.example.com/mcp"]
      secret: "${{SECRET}}"
stdio: {{principal: {{tenant: acme, subject: ada, scopes: [read]}}}}
sources: {{empty: {{sqlite: ./empty.db, threads: 1}}}}
tools:
  lookup: {{{lookup}description: Looks up., scopes: [read], sql: {{source: empty, statement: "SELECT 1 AS one", result: one}}}}
  other: {{{other}description: Looks up., scopes: [read], sql: {{source: empty, statement: "SELECT 1 AS one", result: one}}}}
resources:
  "things://{{id}}": {{{things}name: thing, scopes: [read], sql: {{source: empty, statement: "SELECT :id AS id", result: one}}}}
{sections}
"#
        )
    }

    /// A folder with the file and what it reads.
    pub(crate) fn folder(&self) -> TempDir {
        let folder = whoami::folder();
        let text = self.yaml().replace("${SECRET}", declared::SECRET);
        std::fs::write(folder.path().join("tollgate.yaml"), text).expect("a file");
        folder
    }

    pub(crate) async fn serve(&self) -> Limited {
        let folder = whoami::folder();
        let (builder, clock) = (
            declared::configure(&self.yaml(), folder.path()),
            Clock::turned(),
        );
        let builder = builder.expect("a good configuration").clock(clock.clone());
        Limited {
            server: TestServer::start(|_| builder).await,
            clock,
            _folder: folder,
        }
    }

    /// What is wrong with the file; empty when nothing is.
    pub(crate) fn faults(&self) -> String {
        let folder = whoami::folder();
        let built = declared::configure(&self.yaml(), folder.path());
        let built = built.and_then(|builder| builder.build().map_err(|error| error.to_string()));
        let faults = built.err().unwrap_or_default();
        faults.replace(&format!("{}/", folder.path().display()), "")
    }
}

/// The server, and the folder that it reads.
pub(crate) struct Limited {
    pub(crate) server: TestServer,
    pub(crate) clock: Clock,
    _folder: TempDir,
}

impl Limited {
    /// Somebody who may call everything.
    pub(crate) fn caller(&self, tenant: &str, subject: &str) -> Caller {
        let identity = json!({"tenant": tenant, "sub": subject, "scope": "read"});
        Caller::new(self.server.url(), declared::token(identity))
    }
}

/// A call of a tool over REST.
pub(crate) async fn call(caller: &Caller, tool: &str) -> Answer {
    caller.rest(tool, json!({})).await
}

/// Its status, and `RateLimit`.
pub(crate) async fn told(caller: &Caller, tool: &str) -> (u16, String) {
    let answer = call(caller, tool).await;
    (answer.status, answer.header("ratelimit").to_owned())
}

/// How many of ten calls of a tool are served.
pub(crate) async fn served(caller: &Caller, tool: &str) -> usize {
    let mut served = 0;
    for _ in 0..10 {
        served += usize::from(call(caller, tool).await.status == 200);
    }
    served
}
