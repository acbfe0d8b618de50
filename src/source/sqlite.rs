//! A read-only SQLite database on its own threads, for statements that authors declare (a model
//! never writes SQL).
//!
//! [`Sqlite::check`] turns a declared text into a [`Statement`] when the configuration is loaded;
//! [`Sqlite::query`] runs it with values bound. It knows nothing of tools: another module maps a
//! tool's arguments to values and rows to its output.
//!
//! ```text
//! query() ─ push ─▶ Queue (bounded) ─ pop ─▶ worker and its Connection ─ oneshot ─▶ query()
//!                                            ▲ Watch: deadline passed? caller gone?
//! ```
//! | file | what it holds |
//! |---|---|
//! | `connection.rs` | how a connection is opened and locked down |
//! | `statement.rs` | the check of a declared text |
//! | `queue.rs` | the bounded hand-over to the threads |
//! | `worker.rs` | one thread: serve, interrupt, heal |
//! | `watch.rs` | when a running query has to stop |
//! | `values.rs` | JSON to bound values, rows to JSON, the caps |
//!
//! Why threads of our own and not `spawn_blocking`: a connection keeps its prepared statements and
//! page cache only while it stays on one thread, and a slow query can never use up the threads the
//! rest of the server blocks on.

mod connection;
mod error;
mod queue;
mod statement;
#[cfg(test)]
mod tests;
mod values;
mod watch;
mod worker;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use serde_json::{Map, Value};
use tokio::sync::oneshot;

pub use self::error::{CheckError, OpenError, QueryError};
pub use self::statement::Statement;

use self::connection::Purpose;
use self::queue::{Job, Queue};
use self::watch::Watch;
use self::worker::Worker;
use crate::clock::instant_now;

/// How many queries may wait for each thread before [`QueryError::Busy`].
const WAITING_PER_THREAD: usize = 64;

/// One row: its columns in the order of the statement.
pub type Row = Map<String, Value>;

/// A read-only database and its threads. Cloning is cheap; the threads end when the last clone is
/// dropped.
#[derive(Clone)]
pub struct Sqlite {
    shared: Arc<Shared>,
}

/// A checked statement, its values, and the bounds it runs in.
#[derive(Debug)]
pub struct Query {
    /// What to run. It must come from [`Sqlite::check`] on the same database.
    pub statement: Arc<Statement>,
    /// One value for each of [`Statement::parameters`], in that order. `null`, booleans (as 0 and
    /// 1), numbers and strings are bound as what they are; an array or object is bound as its JSON
    /// text, for `json_each(:ids)`.
    pub values: Vec<Value>,
    /// When the query is interrupted, or given up if it still waits for a thread.
    pub deadline: Instant,
    /// Most rows a result may have.
    pub max_rows: usize,
    /// Most bytes a result may have, counted as compact JSON (rounded up where exact counting would
    /// cost).
    pub max_bytes: usize,
}

impl Sqlite {
    /// Opens the database at `path`, read-only, with `threads` threads (at least one), each with
    /// its own connection.
    ///
    /// The file is never created. When it is replaced by another one later, the threads notice and
    /// open the new one.
    ///
    /// # Errors
    /// No file, not a database, no permission, or the system refused a thread: each names the path
    /// and what to do.
    pub fn open(path: &Path, threads: usize) -> Result<Self, OpenError> {
        // An absolute path never starts with `file:`, which SQLite would read as a URI with options
        // of its own. Symlinks stay unresolved, so that one can be pointed at a new file.
        let path = std::path::absolute(path).map_err(|source| OpenError::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        let threads = threads.max(1);
        // On an early return, dropping this closes the queue and with it the threads that already
        // run.
        let shared = Arc::new(Shared {
            path,
            queue: Arc::new(Queue::new(threads, WAITING_PER_THREAD)),
        });
        for number in 0..threads {
            let worker = Worker::open(shared.path.clone())?;
            let queue = Arc::clone(&shared.queue);
            thread::Builder::new()
                .name(format!("sqlite-{number}"))
                .spawn(move || worker.run(&queue))
                .map_err(|source| OpenError::Thread {
                    path: shared.path.clone(),
                    source,
                })?;
        }
        Ok(Self { shared })
    }

    /// Checks a declared statement: exactly one, a query, `:name` parameters only, no two columns
    /// of one name.
    ///
    /// It blocks on the disk for a moment (it opens a connection of its own, so that a busy pool
    /// cannot delay a start).
    ///
    /// # Errors
    /// What is wrong with the text, in the words of its author: SQLite's own message is kept.
    pub fn check(&self, sql: &str) -> Result<Arc<Statement>, CheckError> {
        let watch = Arc::new(Watch::default());
        watch.start(instant_now() + connection::OPENING_TIME, None);
        let connection = connection::open(&self.shared.path, &watch, Purpose::Check)?;
        let checked = worker::contained(|| Statement::check(&connection, sql));
        let statement = checked.unwrap_or(Err(CheckError::Unreadable))?;
        self.shared.queue.add_statement();
        Ok(Arc::new(statement))
    }

    /// Runs a checked statement. Dropping the future interrupts the query and frees its thread.
    ///
    /// Needs a tokio runtime with its timer on.
    ///
    /// # Errors
    /// See [`QueryError`]. A result over a cap is an error and never a shorter result.
    pub async fn query(&self, query: Query) -> Result<Vec<Row>, QueryError> {
        let expected = query.statement.parameters().len();
        if query.values.len() != expected {
            return Err(QueryError::ParameterCount {
                expected,
                given: query.values.len(),
            });
        }
        let deadline = query.deadline;
        let (reply, answer) = oneshot::channel();
        if !self.shared.queue.push(Job { query, reply }) {
            return Err(QueryError::Busy);
        }
        // The worker enforces the deadline on what it runs; this one also ends the wait for a
        // thread.
        match tokio::time::timeout_at(deadline.into(), answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_gone)) => Err(QueryError::Engine("the database thread ended".to_owned())),
            Err(_elapsed) => Err(QueryError::Deadline),
        }
    }
}

impl fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sqlite")
            .field("path", &self.shared.path)
            .finish_non_exhaustive()
    }
}

/// What the clones share; the threads hold the queue only, so that this is dropped with the last
/// clone.
struct Shared {
    path: PathBuf,
    queue: Arc<Queue>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.queue.close();
    }
}
