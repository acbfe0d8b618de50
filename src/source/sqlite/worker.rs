//! One database thread: takes a query, runs it on its own connection, answers.
//!
//! A connection that failed in a way that may last (disk, corruption, a panic) is dropped and
//! opened anew for the next query: this is how the pool heals. The failed query is not tried again;
//! its caller may have little time left.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;

use rusqlite::Connection;
use rusqlite::ffi::ErrorCode;

use super::connection::{self, MAX_VALUE_BYTES, OPENING_TIME, Purpose};
use super::error::describe;
use super::queue::{Job, Queue};
use super::values::{self, Failure};
use super::watch::Watch;
use super::{OpenError, Query, QueryError, Row};
use crate::clock::instant_now;

/// The thread's state.
pub(super) struct Worker {
    path: PathBuf,
    watch: Arc<Watch>,
    /// None after a failure, until the next query.
    pub(super) connection: Option<Connection>,
}

impl Worker {
    /// Opens the thread's connection, still on the caller's thread: its failure is the caller's.
    pub(super) fn open(path: PathBuf) -> Result<Self, OpenError> {
        let watch = Arc::new(Watch::default());
        watch.start(instant_now() + OPENING_TIME, None);
        let connection = connection::open(&path, &watch, Purpose::Serve)?;
        watch.finish();
        Ok(Self {
            path,
            watch,
            connection: Some(connection),
        })
    }

    /// Serves until the queue is closed.
    pub(super) fn run(mut self, queue: &Queue) {
        let mut done = None;
        while let Some(job) = queue.pop(done) {
            done = Some(job.lane());
            self.serve(job);
        }
    }

    /// Answers one query. One that nobody waits for or whose time is over is not started.
    pub(super) fn serve(&mut self, Job { query, reply }: Job) {
        self.watch.start(query.deadline, Some(reply));
        let answer = if self.watch.is_over() {
            Err(QueryError::Deadline)
        } else {
            contained(|| self.answer(&query)).unwrap_or_else(|| {
                self.connection = None;
                Err(QueryError::Engine(
                    "the database thread panicked".to_owned(),
                ))
            })
        };
        if let Some(reply) = self.watch.finish() {
            // The caller may be gone; then nobody wants the answer.
            let _ = reply.send(answer);
        }
    }

    fn answer(&mut self, query: &Query) -> Result<Vec<Row>, QueryError> {
        // Taken out and put back only when it is sound: any other way out of here drops it.
        let connection = match self.connection.take().filter(is_in_place) {
            Some(connection) => connection,
            None => connection::open(&self.path, &self.watch, Purpose::Serve)
                .map_err(|error| self.unopened(&error))?,
        };
        let result = execute(&connection, query);
        if !matches!(&result, Err(Failure::Sqlite(error)) if is_lasting(error)) {
            self.connection = Some(connection);
        }
        result.map_err(|failure| self.explain(failure))
    }

    fn unopened(&self, error: &OpenError) -> QueryError {
        if self.watch.is_over() {
            QueryError::Deadline
        } else {
            QueryError::Unusable(error.to_string())
        }
    }

    fn explain(&self, failure: Failure) -> QueryError {
        let lasts = matches!(&failure, Failure::Sqlite(error) if is_lasting(error));
        let error = match failure {
            Failure::Query(error) => return error,
            Failure::Sqlite(rusqlite::Error::SqliteFailure(error, _)) => error,
            Failure::Sqlite(rusqlite::Error::SqlInputError { error, .. }) => error,
            Failure::Sqlite(_) => {
                return QueryError::Engine("an unexpected answer of SQLite".to_owned());
            }
        };
        match error.code {
            ErrorCode::OperationInterrupted => QueryError::Deadline,
            ErrorCode::TooBig => QueryError::TooLarge {
                limit: MAX_VALUE_BYTES,
            },
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked if self.watch.is_over() => {
                QueryError::Deadline
            }
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => QueryError::Locked,
            _ if lasts => QueryError::Unusable(describe(error)),
            _ => QueryError::Engine(describe(error)),
        }
    }
}

/// What `work` gives, or nothing when it panicked. SQLite's wrapper panics on names that are not
/// UTF-8.
pub(super) fn contained<T>(work: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(work)).ok()
}

fn execute(connection: &Connection, query: &Query) -> Result<Vec<Row>, Failure> {
    let mut statement = connection.prepare_cached(&query.statement.sql)?;
    values::bind(&mut statement, query)?;
    values::read(&mut statement, query)
}

/// Whether the file is still the one at the path. Otherwise a file replaced by renaming would be
/// served for ever as it was.
#[cfg(unix)]
fn is_in_place(connection: &Connection) -> bool {
    let mut moved = 0;
    let asked = connection.file_control(None::<&str>, rusqlite::FileControl::HasMoved(&mut moved));
    asked.is_ok() && moved == 0
}

#[cfg(not(unix))]
fn is_in_place(_: &Connection) -> bool {
    true
}

/// Whether the connection may stay broken. Errors a caller can cause with a value are not among
/// them: opening costs.
fn is_lasting(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::SystemIoFailure
                | ErrorCode::DatabaseCorrupt
                | ErrorCode::NotADatabase
                | ErrorCode::CannotOpen
                | ErrorCode::PermissionDenied
                | ErrorCode::ReadOnly
                | ErrorCode::OutOfMemory
                | ErrorCode::FileLockingProtocolFailed
                | ErrorCode::InternalMalfunction
                | ErrorCode::ApiMisuse
        )
    )
}
