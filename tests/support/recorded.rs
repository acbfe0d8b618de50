//! A server that keeps an audit log, with a tool for each way a call can end, on a clock that stands
//! still; and the binary, to ask what became of its calls.

use std::path::PathBuf;

use serde_json::{Value, json};
use tempfile::TempDir;
use tollgate::Clock;
use tollgate::testing::TestServer;

use crate::binary::{Finished, run};
use crate::caller::{Answer, Caller};
use crate::{declared, whoami};

/// What the log is sealed with.
pub(crate) const KEY: &str = "Wm4tPz8qLs2VbXc7Ru0yHn5KdJf3Ga6E";

/// The server, and the folder with its log.
pub(crate) struct Recorded {
    pub(crate) server: TestServer,
    /// What it goes by.
    pub(crate) clock: Clock,
    pub(crate) folder: TempDir,
}

fn yaml(audit: &str) -> String {
    format!(
        r#"
server: {{adminListen: "127.0.0.1:0"}}
auth:
  issuers:
    - issuer: "https://ci.example.com/"
      audiences: ["https://tools.example.com/mcp"]
      secret: "${{SECRET}}"
audit: {{file: ./audit.jsonl, key: "{KEY}", {audit}}}
sources: {{empty: {{sqlite: ./empty.db, threads: 1}}}}
tools:
  lookup:
    description: Looks up.
    scopes: [read]
    rateLimit: 2/10s
    rules: [{{deny: "args.id == 'secret'"}}, {{deny: "args.id == 'rare'", mode: shadow}}]
    parameters: {{id: {{type: string, maxLength: 64}}}}
    sql: {{source: empty, statement: "SELECT :id AS id", result: one}}
  admin: {{description: Administers., scopes: [read, "admin:write"], sql: {{source: empty, statement: "SELECT 1 AS one", result: one}}}}
  nothing: {{description: Finds nothing., scopes: [read], sql: {{source: empty, statement: "SELECT a FROM t", result: one}}}}
resources:
  "things://{{id}}": {{name: thing, scopes: [read], sql: {{source: empty, statement: "SELECT :id AS id", result: one}}}}
"#
    )
}

impl Recorded {
    /// With these keys of the section `audit` besides `file` and `key`.
    pub(crate) async fn start(audit: &str) -> Self {
        let folder = whoami::folder();
        let (builder, clock) = (
            declared::configure(&yaml(audit), folder.path()),
            Clock::turned(),
        );
        let builder = builder.expect("a good configuration").clock(clock.clone());
        Self {
            server: TestServer::start(|_| builder).await,
            clock,
            folder,
        }
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.folder.path().join("audit.jsonl")
    }

    /// Somebody of `acme` who may read.
    pub(crate) fn reader(&self, subject: &str) -> Caller {
        self.caller("acme", subject)
    }

    pub(crate) fn caller(&self, tenant: &str, subject: &str) -> Caller {
        let identity = json!({"sub": subject, "tenant": tenant, "scope": "read"});
        Caller::new(self.server.url(), declared::token(identity))
    }

    /// Runs a command beside the log.
    pub(crate) fn command(&self, arguments: &[&str]) -> Finished {
        run(self.folder.path(), arguments)
    }

    /// What `tollgate explain` says as JSON.
    pub(crate) fn explained(&self, id: &str) -> Value {
        let told = self.explain(id, &["--format", "json"]);
        assert_eq!(told.code, Some(0), "{told:?}");
        serde_json::from_str(&told.stdout).expect("JSON")
    }

    pub(crate) fn explain(&self, id: &str, more: &[&str]) -> Finished {
        self.command(&[&["explain", id, "--file", "audit.jsonl"], more].concat())
    }

    /// Waits until the log holds what was answered so far: the admin listener does.
    pub(crate) async fn written(&self, answer: &Answer) -> String {
        let id = call_id(answer);
        let (status, told) = self.ask(&id).await;
        assert_eq!(status, 200, "{told}");
        id
    }

    /// Asks the admin listener.
    pub(crate) async fn ask(&self, id: &str) -> (u16, Value) {
        let admin = self.server.admin_url().expect("an admin listener");
        let answer = reqwest::get(format!("{admin}/api/v1/calls/{id}")).await;
        let answer = answer.expect("an answer");
        let status = answer.status().as_u16();
        (status, answer.json().await.expect("JSON"))
    }
}

/// The id in the answer's header.
pub(crate) fn call_id(answer: &Answer) -> String {
    let id = answer.header("tollgate-call-id");
    assert_eq!(id.len(), 36, "{answer:?}");
    id.to_owned()
}
