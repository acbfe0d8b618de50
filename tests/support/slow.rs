//! A configuration with tools that take as long as a test wants, on real databases.
//!
//! `count` runs a recursive query of as many rounds as it is told, on a source with a single thread.
//! `wait` reads a database that the test can hold a lock on ([`lock`]), so that it ends when the test
//! says so and not before. `hello` answers at once. None has a quota.

use std::path::Path;

use rusqlite::Connection;

/// More rounds than anybody waits for.
pub(crate) const ENDLESS: u64 = 1_000_000_000_000;

const TOOLS: &str = "
stdio:
  principal: {tenant: acme, subject: me, scopes: []}
sources:
  free: {sqlite: ./free.db, threads: 1}
  held: {sqlite: ./held.db, threads: 1}
telemetry: {traces: [console]}
tools:
  hello:
    description: Answers at once.
    anyAuthenticated: true
    sql: {source: free, statement: SELECT 'hello' AS text, result: one}
  count:
    description: Counts.
    anyAuthenticated: true
    timeout: 10m
    parameters: {rounds: {type: integer}}
    sql:
      source: free
      statement: |
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :rounds)
        SELECT max(i) AS rounds FROM n
      result: one
  wait:
    description: Waits for the database.
    anyAuthenticated: true
    timeout: 10m
    sql: {source: held, statement: SELECT count(*) AS notes FROM notes, result: one}
";

/// Writes `tollgate.yaml` and its databases into `folder`. `server` is the section of that name.
pub(crate) fn write(folder: &Path, server: &str) {
    for name in ["free.db", "held.db"] {
        let database = Connection::open(folder.join(name)).expect("a database");
        let made = database.execute_batch("CREATE TABLE notes (text TEXT)");
        made.expect("a table");
    }
    let text = format!("server: {{{server}}}\n{TOOLS}");
    std::fs::write(folder.join("tollgate.yaml"), text).expect("a file");
}

/// Nobody reads `held.db`, and `wait` does not end, until the lock is dropped.
pub(crate) fn lock(folder: &Path) -> Connection {
    let database = Connection::open(folder.join("held.db")).expect("a database");
    let locked = database.execute_batch("BEGIN EXCLUSIVE");
    locked.expect("nobody else holds it");
    database
}
