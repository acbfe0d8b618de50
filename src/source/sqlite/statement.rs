//! A declared statement after its check: SQL text, parameter names and column names, ready for any
//! thread.
//!
//! The text is prepared but never run. Parameters must be `:name`: a `?` would be bound by
//! position, where an edit of the text silently moves a caller's value into another place.

use rusqlite::ffi::ErrorCode;
use rusqlite::{Connection, Error};

use super::CheckError;
use super::error::describe;

/// A checked statement. Made by [`Sqlite::check`](super::Sqlite::check) only.
#[derive(Debug, PartialEq, Eq)]
pub struct Statement {
    pub(super) sql: String,
    pub(super) parameters: Vec<String>,
    pub(super) columns: Vec<String>,
}

impl Statement {
    /// The names of its parameters without the colon, each once, in the order values are given in.
    #[must_use]
    pub fn parameters(&self) -> &[String] {
        &self.parameters
    }

    /// The names of its columns, in order.
    #[must_use]
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Prepares `sql` on a connection made for checks and looks at it.
    pub(super) fn check(connection: &Connection, sql: &str) -> Result<Self, CheckError> {
        if sql.contains('\0') {
            return Err(CheckError::Invalid(
                "it contains a nul character".to_owned(),
            ));
        }
        let statement = connection.prepare(sql).map_err(refusal)?;
        // SQLite gives no statement, and so no text of it, for an empty input.
        if statement.expanded_sql().is_none() {
            return Err(CheckError::Empty);
        }
        if !statement.readonly() {
            return Err(CheckError::NotReadOnly(
                "it changes the database".to_owned(),
            ));
        }
        if statement.is_explain() != 0 || statement.column_count() == 0 {
            return Err(CheckError::NotAQuery);
        }
        let parameters = (1..=statement.parameter_count())
            .map(|position| parameter(statement.parameter_name(position)))
            .collect::<Result<_, _>>()?;
        let mut columns: Vec<String> = Vec::with_capacity(statement.column_count());
        for name in statement.column_names() {
            if columns.iter().any(|earlier| earlier == name) {
                return Err(CheckError::DuplicateColumn(name.to_owned()));
            }
            columns.push(name.to_owned());
        }
        Ok(Self {
            sql: sql.to_owned(),
            parameters,
            columns,
        })
    }
}

fn parameter(name: Option<&str>) -> Result<String, CheckError> {
    let name = name.unwrap_or("?");
    name.strip_prefix(':')
        .map(str::to_owned)
        .ok_or_else(|| CheckError::Parameter(name.to_owned()))
}

fn refusal(error: Error) -> CheckError {
    match error {
        Error::MultipleStatement => CheckError::MoreThanOne,
        Error::SqliteFailure(error, message) => {
            let message = message.unwrap_or_else(|| describe(error));
            match error.code {
                ErrorCode::AuthorizationForStatementDenied | ErrorCode::ReadOnly => {
                    CheckError::NotReadOnly(message)
                }
                _ => CheckError::Invalid(message),
            }
        }
        Error::SqlInputError { error, msg, .. }
            if error.code == ErrorCode::AuthorizationForStatementDenied =>
        {
            CheckError::NotReadOnly(msg)
        }
        Error::SqlInputError { msg, .. } => CheckError::Invalid(msg),
        other => CheckError::Invalid(other.to_string()),
    }
}
