//! What can go wrong with a database: at opening, at the check of a statement, at a query.
//!
//! The first two speak to the author of a configuration and keep SQLite's own words. A
//! [`QueryError`] may end up in a log or with a caller, and SQLite's run-time messages quote values
//! (`fts5: syntax error near "…"`): it keeps the result code only.

use std::io;
use std::path::PathBuf;

use rusqlite::ffi;

/// Why a database could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// There is no file.
    #[error("there is no database file at {}: correct the path or create it first (it is never created here)", path.display())]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// A directory, a pipe or a device.
    #[error("{} is not a regular file: name the database file itself", path.display())]
    NotAFile {
        /// What was named.
        path: PathBuf,
    },
    /// The system refused to look at it.
    #[error("cannot read the database file {}: {source}", path.display())]
    Unreadable {
        /// What was named.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The file holds something else.
    #[error("{} is not an SQLite database, or it is encrypted: name a plain SQLite 3 file", path.display())]
    NotADatabase {
        /// What was named.
        path: PathBuf,
    },
    /// SQLite refused.
    #[error(
        "cannot open the database {}: {cause} (check its permissions; in WAL mode its directory must be writable, or its -wal and -shm files must exist)",
        path.display()
    )]
    Refused {
        /// What was named.
        path: PathBuf,
        /// SQLite's result code in words.
        cause: String,
    },
    /// The system refused a thread.
    #[error("cannot start a thread for the database {}: {source}", path.display())]
    Thread {
        /// Which database.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

/// Why a declared statement is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckError {
    /// The database could not be opened for the check.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Nothing but space and comments.
    #[error("the statement is empty")]
    Empty,
    /// A second statement follows.
    #[error("there is more than one statement: declare one tool for each")]
    MoreThanOne,
    /// SQLite does not accept it: syntax, an unknown table, a denied function.
    #[error("the statement is not valid here: {0}")]
    Invalid(String),
    /// It writes, attaches, opens a transaction, changes a setting.
    #[error("only statements that read are allowed: {0}")]
    NotReadOnly(String),
    /// It gives no rows, or explains instead of asking.
    #[error("the statement is not a query: use one SELECT, VALUES or WITH … SELECT")]
    NotAQuery,
    /// A parameter other than `:name`.
    #[error("parameter {0} is not a named one: write :name")]
    Parameter(String),
    /// Two columns would be one key of a row.
    #[error("two columns are named {0:?}: give each a name of its own with AS")]
    DuplicateColumn(String),
    /// The schema holds names that are not UTF-8.
    #[error("the statement uses names that cannot be read: name columns in UTF-8, with AS")]
    Unreadable,
}

/// Why a query gave no rows. No variant shows a value that was bound or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// All threads work and enough queries wait already. Nothing was started.
    #[error("too many queries wait for the database")]
    Busy,
    /// The deadline passed, in the queue, behind another process' lock or while running.
    #[error("the query did not finish before its deadline")]
    Deadline,
    /// More rows than allowed.
    #[error("the result has more than {limit} rows")]
    TooManyRows {
        /// The query's `max_rows`.
        limit: usize,
    },
    /// More bytes than allowed, or one value longer than SQLite is set to handle.
    #[error("the result has more than {limit} bytes")]
    TooLarge {
        /// The query's `max_bytes`, or the longest value there may be.
        limit: usize,
    },
    /// As many values as parameters are needed.
    #[error("the statement has {expected} parameters, but {given} values were given")]
    ParameterCount {
        /// How many the statement has.
        expected: usize,
        /// How many values came.
        given: usize,
    },
    /// An integer SQLite could only hold rounded.
    #[error("parameter {parameter} is beyond the range of a 64-bit integer")]
    IntegerOutOfRange {
        /// Its name.
        parameter: String,
    },
    /// A text longer than SQLite is set to handle.
    #[error("parameter {parameter} is longer than {limit} bytes")]
    ParameterTooLong {
        /// Its name.
        parameter: String,
        /// The longest it may be.
        limit: usize,
    },
    /// A text in the database that is not UTF-8.
    #[error("column {column} holds a text that is not UTF-8")]
    InvalidText {
        /// Its name.
        column: String,
    },
    /// The tables changed so that the statement now gives other columns (`SELECT *`).
    #[error("the columns of the statement changed since it was checked: reload the configuration")]
    ColumnsChanged,
    /// Another connection holds a lock that cannot be waited for.
    #[error("the database is locked")]
    Locked,
    /// The file is gone, broken or out of reach, whatever is asked; the text is for the log.
    #[error("the database cannot be used: {0}")]
    Unusable(String),
    /// SQLite failed on this statement; the text is for the log and quotes no value.
    #[error("the database failed: {0}")]
    Engine(String),
}

/// A result code in words, without the message (which may quote values).
pub(super) fn describe(error: ffi::Error) -> String {
    format!(
        "{} (SQLite code {})",
        ffi::code_to_str(error.extended_code),
        error.extended_code
    )
}
