//! A server with a given `auth` section and a tool, for scope `customer:read`, that tells whom it serves.

use std::path::Path;

use rusqlite::Connection;
use serde_json::{Value, json};
use tempfile::TempDir;
use tollgate::Clock;
use tollgate::testing::TestServer;

use crate::caller::{Answer, Caller};
use crate::declared;

/// A server, and the folder with its files.
pub(crate) struct Whoami {
    pub(crate) server: TestServer,
    pub(crate) clock: Clock,
    pub(crate) folder: TempDir,
}

/// The text of a config file. `auth` is what comes below the key, indented by two.
pub(crate) fn yaml(auth: &str) -> String {
    format!(
        r#"
auth:
{auth}
sources: {{empty: {{sqlite: ./empty.db, threads: 1}}}}
tools:
  whoami:
    description: Who calls.
    scopes: [customer:read]
    bind: {{tenant: caller.tenant, subject: caller.subject}}
    sql: {{source: empty, statement: "SELECT :tenant AS tenant, :subject AS subject", result: one}}
"#
    )
}

/// A folder with the database that the tool needs.
pub(crate) fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let database = Connection::open(folder.path().join("empty.db")).expect("a database");
    database
        .execute_batch("CREATE TABLE t (a)")
        .expect("a table");
    folder
}

impl Whoami {
    pub(crate) async fn start(auth: &str) -> Self {
        Self::start_in(folder(), auth).await
    }

    /// As [`start`](Self::start), with the files that are in the folder already.
    pub(crate) async fn start_in(folder: TempDir, auth: &str) -> Self {
        let builder = declared::configure(&yaml(auth), folder.path());
        let clock = Clock::turned();
        let builder = builder.expect("a good configuration").clock(clock.clone());
        let server = TestServer::start(|_| builder).await;
        Self {
            server,
            clock,
            folder,
        }
    }

    pub(crate) async fn ask(&self, token: &str) -> Answer {
        let caller = Caller::new(self.server.url(), token);
        caller.rest("whoami", json!({})).await
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The token is a credential of `subject` of tenant `acme`.
    #[track_caller]
    pub(crate) fn is(answer: &Answer, subject: &str) {
        let who = json!({"ok": true, "result": {"tenant": "acme", "subject": subject}});
        assert_eq!((answer.status, &answer.body), (200, &who), "{answer:?}");
    }

    /// The token was refused in the words of every refusal.
    #[track_caller]
    pub(crate) fn refused(answer: &Answer, what: &str) {
        assert_eq!(answer.status, 401, "{what}: {answer:?}");
        let detail = &answer.body["detail"];
        assert_eq!(detail, "A valid bearer token is required", "{what}");
        assert!(
            answer
                .header("www-authenticate")
                .starts_with("Bearer error=\"invalid_token\", "),
            "{what}: {answer:?}"
        );
        let Value::Object(body) = &answer.body else {
            panic!("{what}: {answer:?}")
        };
        let members: Vec<&str> = body.keys().map(String::as_str).collect();
        assert_eq!(
            members,
            ["type", "title", "status", "detail", "callId"],
            "{what}"
        );
    }
}
