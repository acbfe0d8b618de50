//! JSON to bound values, rows to JSON, and the caps on a result.
//!
//! A value's size is counted before it is copied, so that a result over its cap costs no memory. A
//! float as large as 2^63 is refused like an integer: `serde_json` reads integers that large as
//! floats, and by then the digits are lost.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rusqlite::Statement;
use rusqlite::types::ValueRef;
use serde_json::{Map, Number, Value};

use super::connection::MAX_VALUE_BYTES;
use super::{Query, QueryError, Row};

/// The longest JSON of a real, `-2.2250738585072014e-308`, in bytes.
const LONGEST_REAL: usize = 24;
const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;

/// Why a run stopped: for a reason of ours, or SQLite's.
pub(super) enum Failure {
    Query(QueryError),
    Sqlite(rusqlite::Error),
}

impl From<QueryError> for Failure {
    fn from(error: QueryError) -> Self {
        Self::Query(error)
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

/// Binds the values of `query`, in the order of its statement's parameters.
pub(super) fn bind(statement: &mut Statement<'_>, query: &Query) -> Result<(), Failure> {
    for (index, (name, value)) in query
        .statement
        .parameters
        .iter()
        .zip(&query.values)
        .enumerate()
    {
        let position = index + 1;
        match value {
            Value::Null => statement.raw_bind_parameter(position, rusqlite::types::Null)?,
            Value::Bool(value) => statement.raw_bind_parameter(position, *value)?,
            Value::Number(number) => bind_number(statement, position, name, number)?,
            Value::String(text) => bind_text(statement, position, name, text)?,
            Value::Array(_) | Value::Object(_) => {
                bind_text(statement, position, name, &value.to_string())?
            }
        }
    }
    Ok(())
}

fn bind_number(
    statement: &mut Statement<'_>,
    position: usize,
    name: &str,
    number: &Number,
) -> Result<(), Failure> {
    if let Some(integer) = number.as_i64() {
        return Ok(statement.raw_bind_parameter(position, integer)?);
    }
    match number.as_f64() {
        Some(real) if !number.is_u64() && real.abs() < TWO_TO_63 => {
            Ok(statement.raw_bind_parameter(position, real)?)
        }
        _ => Err(QueryError::IntegerOutOfRange {
            parameter: name.to_owned(),
        }
        .into()),
    }
}

fn bind_text(
    statement: &mut Statement<'_>,
    position: usize,
    name: &str,
    text: &str,
) -> Result<(), Failure> {
    if text.len() > MAX_VALUE_BYTES {
        return Err(QueryError::ParameterTooLong {
            parameter: name.to_owned(),
            limit: MAX_VALUE_BYTES,
        }
        .into());
    }
    Ok(statement.raw_bind_parameter(position, text)?)
}

/// Runs the bound statement and reads its rows, within the caps of `query`.
pub(super) fn read(statement: &mut Statement<'_>, query: &Query) -> Result<Vec<Row>, Failure> {
    let columns = &query.statement.columns;
    // Per row: braces and a comma, and for each column its key, a colon and a comma.
    let fixed_bytes = 3 + columns
        .iter()
        .map(|name| text_bytes(name.as_bytes()) + 2)
        .sum::<usize>();
    let mut bytes = 2_usize;
    let mut found = Vec::new();
    let mut rows = statement.raw_query();
    while let Some(row) = rows.next()? {
        if found.is_empty() {
            same_columns(row.as_ref(), columns)?;
        }
        if found.len() >= query.max_rows {
            return Err(QueryError::TooManyRows {
                limit: query.max_rows,
            }
            .into());
        }
        bytes += fixed_bytes;
        let mut object = Map::with_capacity(columns.len());
        for (index, name) in columns.iter().enumerate() {
            let value = row.get_ref(index)?;
            bytes += json_bytes(value);
            if bytes > query.max_bytes {
                return Err(QueryError::TooLarge {
                    limit: query.max_bytes,
                }
                .into());
            }
            object.insert(name.clone(), to_json(value, name)?);
        }
        found.push(object);
    }
    Ok(found)
}

/// SQLite prepares a statement anew when the schema changed, and then `*` may mean other columns.
fn same_columns(statement: &Statement<'_>, columns: &[String]) -> Result<(), QueryError> {
    if statement
        .column_names()
        .eq(columns.iter().map(String::as_str))
    {
        Ok(())
    } else {
        Err(QueryError::ColumnsChanged)
    }
}

fn to_json(value: ValueRef<'_>, column: &str) -> Result<Value, QueryError> {
    Ok(match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(integer) => integer.into(),
        ValueRef::Real(real) => Number::from_f64(real).map_or(Value::Null, Value::Number),
        ValueRef::Text(text) => str::from_utf8(text)
            .map_err(|_| QueryError::InvalidText {
                column: column.to_owned(),
            })?
            .into(),
        ValueRef::Blob(blob) => STANDARD.encode(blob).into(),
    })
}

/// How long the value is as JSON, never too little.
fn json_bytes(value: ValueRef<'_>) -> usize {
    match value {
        ValueRef::Null => "null".len(),
        ValueRef::Integer(integer) => {
            let digits = integer.unsigned_abs().checked_ilog10().unwrap_or(0) as usize + 1;
            digits + usize::from(integer < 0)
        }
        ValueRef::Real(_) => LONGEST_REAL,
        ValueRef::Text(text) => text_bytes(text),
        ValueRef::Blob(blob) => 2 + blob.len().div_ceil(3) * 4,
    }
}

/// With its quotes; each character to escape counts as `\u0000`.
fn text_bytes(text: &[u8]) -> usize {
    let escaped = text
        .iter()
        .filter(|&&byte| byte < 0x20 || byte == b'"' || byte == b'\\')
        .count();
    2 + text.len() + 5 * escaped
}
