//! `tollgate serve` follows its config file and the files that it reads: at SIGHUP, and by itself,
//! however they are changed. A file that is no good changes nothing, and shows.
#![cfg(unix)]

#[path = "support/binary.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod binary;
#[path = "support/scrape.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod scrape;
#[path = "support/session.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod session;
#[path = "support/slow.rs"]
mod slow;
#[path = "support/tokens.rs"]
mod tokens;

#[path = "reload_files/faults.rs"]
mod faults;
#[path = "reload_files/ways.rs"]
mod ways;

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use serde_json::{Value, json};
use tempfile::TempDir;

use binary::{Process, Server};
use scrape::Scrape;
use tokens::hs256;

pub(crate) const SECRET: &str = "the-first-secret-of-more-than-32-bytes";
pub(crate) const OTHER: &str = "the-second-secret-of-more-than-32-byte";

/// A config file whose one tool has this name.
pub(crate) fn config(tool: &str) -> String {
    format!(
        "\
server: {{adminListen: '127.0.0.1:0'}}
auth:
  issuers:
    - {{issuer: 'https://issuer.test/', audiences: [tools], secret: '${{file:secret}}'}}
sources:
  shop: {{sqlite: SHOP, threads: 1}}
tools:
  {tool}:
    description: Says hello.
    scopes: [read]
    sql: {{source: shop, statement: SELECT 'hello' AS text, result: one}}
"
    )
}

/// A server whose config file is `tollgate.yaml` in `folder`, or at `path` below it.
pub(crate) struct Running {
    pub(crate) server: Server,
    pub(crate) file: PathBuf,
    pub(crate) folder: TempDir,
    reloads: usize,
}

impl Running {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        write(
            folder.path(),
            "tollgate.yaml",
            &whole(folder.path(), &config("first")),
        );
        write(folder.path(), "secret", SECRET);
        Self::start_in(folder, "tollgate.yaml")
    }

    pub(crate) fn start_in(folder: TempDir, path: &str) -> Self {
        Connection::open(folder.path().join("shop.db"))
            .and_then(|shop| shop.execute_batch("CREATE TABLE t (c)"))
            .expect("a database");
        let file = folder.path().join(path);
        let server = Server::start(folder.path(), &["--config", path]);
        Self {
            server,
            file,
            folder,
            reloads: 0,
        }
    }

    /// Writes the file as an editor may, in place.
    pub(crate) fn write(&self, text: &str) {
        fs::write(&self.file, whole(self.folder.path(), text)).expect("a file");
    }

    /// Waits until the log has told of one more reload than before.
    pub(crate) fn reloaded(&mut self) -> String {
        self.reloads += 1;
        let wanted = self.reloads;
        told(&self.server.process, wanted)
    }

    /// The status of a call of `tool` by whom `secret` vouches for.
    pub(crate) async fn call(&self, tool: &str, secret: &str) -> u16 {
        let path = format!("/mcp/tool/{tool}");
        let token = token(secret);
        self.server
            .post(&path, Some(&token), &json!({}))
            .await
            .status
    }

    pub(crate) async fn ready(&self) -> Value {
        let ready = self.server.get("/readyz").await;
        assert_eq!(ready.status, 200);
        ready.body
    }

    /// How often the process has the file of this name open.
    #[cfg(target_os = "linux")]
    pub(crate) fn open_files(&self, name: &str) -> usize {
        let folder = format!("/proc/{}/fd", self.server.process.id());
        let files = fs::read_dir(folder).expect("a process of ours");
        // One that is closed meanwhile leads nowhere.
        let files = files.filter_map(|file| fs::read_link(file.ok()?.path()).ok());
        files.filter(|file| file.ends_with(name)).count()
    }
}

/// What the metrics say.
pub(crate) async fn numbers(server: &Server) -> Scrape {
    let line = server.process.stderr.line("metrics at ");
    let (_, url) = line.split_once("metrics at ").expect("it was found");
    Scrape::of(url.trim().trim_end_matches("/metrics")).await
}

/// Waits for the line of the reload with this number.
pub(crate) fn told(process: &Process, wanted: usize) -> String {
    process.stderr.wait_for(|lines| {
        let tells = |line: &&String| {
            line.contains("the configuration was loaded again")
                || line.contains("the configuration is good again")
        };
        lines.iter().filter(tells).nth(wanted - 1).cloned()
    })
}

/// The text with the database's whole path, so that it may stand in any folder.
pub(crate) fn whole(folder: &Path, text: &str) -> String {
    text.replace("SHOP", &folder.join("shop.db").display().to_string())
}

pub(crate) fn write(folder: &Path, name: &str, text: &str) {
    fs::write(folder.join(name), text).expect("a file");
}

pub(crate) fn token(secret: &str) -> String {
    let claims = json!({
        "iss": "https://issuer.test/", "aud": "tools", "sub": "ada", "tenant": "acme",
        "scope": "read", "exp": 4_000_000_000_u64,
    });
    hs256(&claims, secret)
}
