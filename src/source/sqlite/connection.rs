//! How a connection is opened and locked down. Each layer alone keeps a declared statement from
//! writing; they are stacked because a statement is only as harmless as the least known feature of
//! SQLite.
//!
//! Not set: SQLite's heap limit (it is one for the whole process) and an in-memory `temp_store`
//! (large sorts may spill to temporary files, so that memory stays bounded; where no directory is
//! writable such a sort fails).
//!
//! Source: "Defense Against The Dark Arts", <https://www.sqlite.org/security.html>.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::ffi::ErrorCode;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags};

use super::OpenError;
use super::error::describe;
use super::watch::Watch;

/// The longest text, blob or row SQLite handles, in bytes.
pub(super) const MAX_VALUE_BYTES: usize = 16 * 1024 * 1024;
/// How long an opening waits for another process' lock.
pub(super) const OPENING_TIME: Duration = Duration::from_secs(2);
/// VM steps between two looks at the watch: some 10 µs.
const STEPS_BETWEEN_LOOKS: i32 = 1000;
/// The longest pause between two tries for a lock.
const LOCK_PAUSE: Duration = Duration::from_millis(5);
/// Statements a connection keeps prepared.
const PREPARED_STATEMENTS: usize = 256;
/// Functions that do more than compute. Most are not compiled in; that may change with the build.
const DENIED_FUNCTIONS: [&str; 6] = [
    "load_extension",
    "fts3_tokenizer",
    "sqlite_log",
    "readfile",
    "writefile",
    "edit",
];

const SETTINGS: [(DbConfig, bool); 9] = [
    (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
    (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
    (DbConfig::SQLITE_DBCONFIG_WRITABLE_SCHEMA, false),
    (DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false),
    (DbConfig::SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER, false),
    (DbConfig::SQLITE_DBCONFIG_ENABLE_ATTACH_CREATE, false),
    (DbConfig::SQLITE_DBCONFIG_ENABLE_ATTACH_WRITE, false),
    (DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true),
    // A misspelt "column" is an error at the check and not silently a text.
    (DbConfig::SQLITE_DBCONFIG_DQS_DML, false),
];

// The schema itself is parsed under the limits on length, depth and columns, so these leave room
// for real ones.
const LIMITS: [(Limit, i32); 10] = [
    (Limit::SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES as i32),
    (Limit::SQLITE_LIMIT_SQL_LENGTH, 256 * 1024),
    (Limit::SQLITE_LIMIT_EXPR_DEPTH, 200),
    (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 100),
    (Limit::SQLITE_LIMIT_VDBE_OP, 100_000),
    (Limit::SQLITE_LIMIT_ATTACHED, 0),
    (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 256),
    (Limit::SQLITE_LIMIT_VARIABLE_NUMBER, 100),
    (Limit::SQLITE_LIMIT_TRIGGER_DEPTH, 1),
    (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
];

/// What a connection is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Preparing declared texts, to look at them.
    Check,
    /// Running checked statements.
    Serve,
}

/// Opens `path` (absolute), locks the connection down and reads the schema once. `watch` must be
/// started: it bounds the wait for locks here, and later every query.
pub(super) fn open(
    path: &Path,
    watch: &Arc<Watch>,
    purpose: Purpose,
) -> Result<Connection, OpenError> {
    match std::fs::metadata(path) {
        Ok(found) if found.is_file() => {}
        // A pipe would block the opening for ever.
        Ok(_) => {
            return Err(OpenError::NotAFile {
                path: path.to_owned(),
            });
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(OpenError::Missing {
                path: path.to_owned(),
            });
        }
        Err(source) => {
            return Err(OpenError::Unreadable {
                path: path.to_owned(),
                source,
            });
        }
    }
    locked_down(path, watch, purpose).map_err(|error| match error {
        rusqlite::Error::SqliteFailure(error, _) if error.code == ErrorCode::NotADatabase => {
            OpenError::NotADatabase {
                path: path.to_owned(),
            }
        }
        rusqlite::Error::SqliteFailure(error, _) => OpenError::Refused {
            path: path.to_owned(),
            cause: describe(error),
        },
        other => OpenError::Refused {
            path: path.to_owned(),
            cause: other.to_string(),
        },
    })
}

fn locked_down(path: &Path, watch: &Arc<Watch>, purpose: Purpose) -> rusqlite::Result<Connection> {
    // No mutex: a connection never leaves its thread. No URI, no create.
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags)?;
    interruptible(&mut connection, watch)?;
    for (setting, on) in SETTINGS {
        connection.set_db_config(setting, on)?;
    }
    // mmap off: a file cut short by someone else would kill the process with SIGBUS.
    connection.execute_batch(
        "PRAGMA query_only = 1; PRAGMA mmap_size = 0; PRAGMA cell_size_check = 1; PRAGMA cache_size = -8192;",
    )?;
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    for (limit, value) in LIMITS {
        connection.set_limit(limit, value)?;
    }
    connection.set_prepared_statement_cache_capacity(PREPARED_STATEMENTS);
    connection.authorizer(Some(move |context: AuthContext<'_>| {
        authorize(&context.action, purpose)
    }))?;
    Ok(connection)
}

/// Makes running statements and waits for locks look at the watch.
#[expect(
    clippy::disallowed_methods,
    reason = "sleeps on the database's own thread; SQLite has no lock to wait on"
)]
fn interruptible(connection: &mut Connection, watch: &Arc<Watch>) -> rusqlite::Result<()> {
    let running = Arc::clone(watch);
    connection.progress_handler(STEPS_BETWEEN_LOOKS, Some(move || running.is_over()))?;
    let waiting = Arc::clone(watch);
    connection.busy_handler(Some(move |_tries| {
        let pause = waiting.remaining().min(LOCK_PAUSE);
        thread::sleep(pause);
        !pause.is_zero()
    }))
}

fn authorize(action: &AuthAction<'_>, purpose: Purpose) -> Authorization {
    match action {
        // `pragma_table_info(…)` and its like would be denied only once they run; the author shall
        // know at the check.
        AuthAction::Read { table_name, .. }
            if table_name.to_ascii_lowercase().starts_with("pragma_") =>
        {
            Authorization::Deny
        }
        AuthAction::Select | AuthAction::Read { .. } | AuthAction::Recursive => {
            Authorization::Allow
        }
        AuthAction::Function { function_name }
            if !DENIED_FUNCTIONS
                .iter()
                .any(|denied| denied.eq_ignore_ascii_case(function_name)) =>
        {
            Authorization::Allow
        }
        // Full-text search asks this itself while it runs, to see whether its index changed; a
        // declared one is refused.
        AuthAction::Pragma {
            pragma_name: "data_version",
            pragma_value: None,
        } if purpose == Purpose::Serve => Authorization::Allow,
        _ => Authorization::Deny,
    }
}
