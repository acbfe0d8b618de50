//! A statement as a tool: its values, its rows as an answer, and what its failures mean.
//!
//! A reader would ask why a statement that fails tells nothing about its database: an argument may be
//! the reason, and one caller could then shut out all others.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::{Map, Value, json};

use super::breaker::Health;
use super::inputs::{Declared, Input};
use super::resilience::{Failure, Resilience, Tries};
use super::sqlite::{CheckError, Query, QueryError, Row, Sqlite, Statement};
use super::summary::summary;
use crate::tool::{Arguments, CallContext, Handler, ToolError, ToolOutput};
use crate::trace::{Kind, Span, Trace, attribute};

/// A statement as it is declared.
#[derive(Clone, Debug)]
pub struct SqlSpec<'a> {
    /// One read-only statement with `:name` parameters.
    pub statement: &'a str,
    /// The names that have to be its parameters.
    pub declared: Declared<'a>,
    /// Whether the answer is one row, or a list of rows.
    pub one: bool,
    /// Most rows an answer may have.
    pub max_rows: usize,
    /// Most bytes an answer may have, as JSON.
    pub max_bytes: usize,
}

/// Why a statement cannot be a tool.
#[derive(Debug, thiserror::Error)]
pub enum SqlError {
    /// The statement itself.
    #[error(transparent)]
    Statement(#[from] CheckError),
    /// It uses a name nobody gives a value for.
    #[error("the statement uses :{0}, which is neither in `parameters` nor in `bind`")]
    Unknown(String),
    /// A value nobody uses; most likely a misspelt name.
    #[error("`{0}` is declared, but the statement does not use :{0}")]
    Unused(String),
}

/// A checked statement, ready to serve calls.
pub struct SqlTool {
    database: Sqlite,
    resilience: Arc<Resilience>,
    statement: Arc<Statement>,
    /// Such as `SELECT customers`.
    summary: String,
    /// Where each of the statement's parameters comes from, in its order.
    inputs: Vec<Input>,
    one: bool,
    max_rows: usize,
    max_bytes: usize,
}

impl SqlTool {
    /// Checks a statement against its database.
    ///
    /// # Errors
    /// [`SqlError`], in words for the author of the configuration.
    pub fn new(
        database: &Sqlite,
        resilience: &Arc<Resilience>,
        spec: &SqlSpec<'_>,
    ) -> Result<Self, SqlError> {
        let statement = database.check(spec.statement)?;
        let names = statement.parameters();
        let used: Vec<&str> = names.iter().map(String::as_str).collect();
        if let Some(unused) = spec.declared.unused(&used) {
            return Err(SqlError::Unused(unused));
        }
        let input = |name: &String| {
            let input = spec.declared.input(name);
            input.ok_or_else(|| SqlError::Unknown(name.clone()))
        };
        Ok(Self {
            inputs: names.iter().map(input).collect::<Result<_, _>>()?,
            database: database.clone(),
            resilience: Arc::clone(resilience),
            statement,
            summary: summary(spec.statement),
            one: spec.one,
            max_rows: spec.max_rows,
            max_bytes: spec.max_bytes,
        })
    }

    /// What the tool answers with: the statement's columns. SQLite does not promise their types.
    pub fn output_schema(&self) -> Value {
        let columns = self.statement.columns();
        let properties: Map<String, Value> = columns
            .iter()
            .map(|name| (name.clone(), json!({})))
            .collect();
        let row = json!({"type": "object", "properties": properties, "required": columns});
        if self.one {
            row
        } else {
            json!({"type": "array", "items": row})
        }
    }

    async fn query(
        &self,
        context: CallContext,
        arguments: Arguments,
    ) -> Result<ToolOutput, ToolError> {
        // An optional argument that was left out is NULL.
        let value = |input: &Input| input.value(&arguments, context.principal());
        let values: Vec<Value> = self
            .inputs
            .iter()
            .map(|input| value(input).unwrap_or(Value::Null))
            .collect();
        let deadline = context.deadline();
        let call = Tries {
            deadline,
            repeatable: true,
            // A statement's own cost and not the database: else one caller could shut out all.
            fair_time: None,
        };
        let attempt = || self.attempt(values.clone(), deadline, context.trace());
        let mut rows = self.resilience.call(call, attempt).await?;
        if !self.one {
            return Ok(ToolOutput::json(
                rows.into_iter().map(Value::Object).collect(),
            ));
        }
        let row = rows
            .pop()
            .ok_or_else(|| ToolError::not_found("not found"))?;
        Ok(ToolOutput::json(Value::Object(row)))
    }

    async fn attempt(
        &self,
        values: Vec<Value>,
        deadline: Instant,
        trace: &Trace,
    ) -> Result<Vec<Row>, Failure> {
        let query = Query {
            values,
            statement: Arc::clone(&self.statement),
            deadline,
            max_rows: if self.one { 1 } else { self.max_rows },
            max_bytes: self.max_bytes,
        };
        let mut span = self.span(trace);
        let answer = self.database.query(query).await;
        if let Ok(rows) = &answer {
            span.set(
                attribute::DB_ROWS,
                i64::try_from(rows.len()).unwrap_or(i64::MAX),
            );
        }
        answer.map_err(|error| {
            let (health, again) = match &error {
                // The thread opens the file anew for the next query. What `Engine` tells is the
                // statement's failure, which an argument may have caused.
                QueryError::Unusable(_) | QueryError::Locked => (Health::Bad, Some(Duration::ZERO)),
                QueryError::TooManyRows { .. } | QueryError::TooLarge { .. } => {
                    (Health::Good, None)
                }
                _ => (Health::Unknown, None),
            };
            let error = self.tool_error(error);
            span.fail(error.kind());
            Failure {
                error,
                health,
                again,
            }
        })
    }

    /// The time of one statement, its wait for a thread included (OpenTelemetry, "Database client
    /// spans"). Never its values, and not its text either: that is the operator's, and may hold more
    /// than a trace should.
    fn span(&self, trace: &Trace) -> Span {
        let mut span = trace.child(Kind::Client, || self.summary.clone());
        if span.is_recorded() {
            let operation = self.summary.split(' ').next().unwrap_or_default();
            span.set(attribute::DB_SYSTEM, "sqlite");
            span.set(attribute::DB_OPERATION, operation.to_owned());
            span.set(attribute::DB_SUMMARY, self.summary.clone());
            span.set(attribute::SOURCE, self.resilience.name().to_owned());
        }
        span
    }

    /// What the model can act on goes to the model; the rest goes to the log.
    fn tool_error(&self, error: QueryError) -> ToolError {
        match error {
            QueryError::Busy | QueryError::Locked => ToolError::Busy,
            QueryError::Deadline => ToolError::DeadlineExceeded,
            QueryError::TooManyRows { .. } if self.one => {
                ToolError::refused("more than one row matches; ask for something more specific")
            }
            QueryError::TooManyRows { .. } | QueryError::TooLarge { .. } => {
                ToolError::refused(format!("{error}; ask for less"))
            }
            QueryError::IntegerOutOfRange { .. } | QueryError::ParameterTooLong { .. } => {
                ToolError::InvalidArguments(error.to_string())
            }
            _ => ToolError::Failed(error.to_string()),
        }
    }
}

impl Handler for SqlTool {
    fn call(
        &self,
        context: CallContext,
        arguments: Arguments,
    ) -> BoxFuture<'_, Result<ToolOutput, ToolError>> {
        self.query(context, arguments).boxed()
    }
}
