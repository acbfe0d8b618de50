//! The promises of this module, each against a real file: what is refused, how values travel, when
//! a query stops, how it heals.

#![expect(
    clippy::disallowed_methods,
    reason = "SQLite runs in real time on threads of its own: no turned clock reaches it"
)]

mod healing;
mod limits;
mod read_only;
mod values;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde_json::{Value, json};

use super::{CheckError, Query, QueryError, Row, Sqlite, Statement};

/// Counts for ever.
const RUNAWAY: &str =
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT sum(i) AS total FROM n";
const AMPLE: Duration = Duration::from_secs(20);

/// A shop in a temporary directory, with a second, writing connection.
struct Shop {
    directory: tempfile::TempDir,
    path: PathBuf,
    writer: Connection,
}

impl Shop {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("shop.db");
        let writer = Connection::open(&path).unwrap();
        writer
            .execute_batch(
                "CREATE TABLE products (id INTEGER PRIMARY KEY, name TEXT, price REAL);
                 INSERT INTO products VALUES (1, 'lamp', 12.5), (2, 'chair', 80.0), (3, 'table', 200.0);
                 CREATE INDEX by_name ON products (name);",
            )
            .unwrap();
        Self {
            directory,
            path,
            writer,
        }
    }

    fn open(&self, threads: usize) -> Sqlite {
        Sqlite::open(&self.path, threads).unwrap()
    }
}

/// A query with room for everything.
fn ample(statement: &Arc<Statement>, values: &[Value]) -> Query {
    Query {
        statement: Arc::clone(statement),
        values: values.to_vec(),
        deadline: Instant::now() + AMPLE,
        max_rows: 1000,
        max_bytes: 1 << 20,
    }
}

async fn ask(database: &Sqlite, sql: &str, values: &[Value]) -> Result<Vec<Row>, QueryError> {
    let statement = database.check(sql).unwrap();
    database.query(ample(&statement, values)).await
}

/// The only column of the only row.
async fn scalar(database: &Sqlite, sql: &str, values: &[Value]) -> Value {
    let rows = ask(database, sql, values).await.unwrap();
    assert_eq!((rows.len(), rows[0].len()), (1, 1), "{sql}");
    rows[0].values().next().unwrap().clone()
}
