//! Where declared tools come from: SQL statements on databases the operator names.
//!
//! A statement's parameters are the tool's arguments and values bound from the caller's identity;
//! the model writes neither SQL nor its own tenant. Which is which is settled once, at load.

pub mod sqlite;

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::{Map, Value, json};

use crate::tool::{Arguments, CallContext, Handler, ToolError, ToolOutput};
use sqlite::{CheckError, Query, QueryError, Sqlite, Statement};

/// A statement as it is declared.
#[derive(Clone, Debug)]
pub struct SqlSpec<'a> {
    /// One read-only statement with `:name` parameters.
    pub statement: &'a str,
    /// Names of the tool's arguments.
    pub arguments: Vec<&'a str>,
    /// Names bound by the runtime, and to what.
    pub bound: Vec<(&'a str, Bound)>,
    /// Whether the answer is one row, or a list of rows.
    pub one: bool,
    /// Most rows an answer may have.
    pub max_rows: usize,
    /// Most bytes an answer may have, as JSON.
    pub max_bytes: usize,
}

/// Part of the caller's identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// Its tenant.
    Tenant,
    /// Its subject.
    Subject,
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
    statement: Arc<Statement>,
    /// Where each of the statement's parameters comes from, in its order.
    inputs: Vec<Input>,
    one: bool,
    max_rows: usize,
    max_bytes: usize,
}

enum Input {
    Argument(String),
    Bound(Bound),
}

impl SqlTool {
    /// Checks a statement against its database.
    ///
    /// # Errors
    /// [`SqlError`], in words for the author of the configuration.
    pub fn new(database: &Sqlite, spec: &SqlSpec<'_>) -> Result<Self, SqlError> {
        let statement = database.check(spec.statement)?;
        let names = statement.parameters();
        let declared = spec
            .arguments
            .iter()
            .copied()
            .chain(spec.bound.iter().map(|(name, _)| *name));
        if let Some(unused) = declared
            .into_iter()
            .find(|name| !names.iter().any(|used| used == name))
        {
            return Err(SqlError::Unused(unused.to_owned()));
        }
        let input = |name: &String| {
            if spec.arguments.contains(&name.as_str()) {
                return Ok(Input::Argument(name.clone()));
            }
            let bound = spec.bound.iter().find(|(known, _)| known == name);
            bound
                .map(|(_, bound)| Input::Bound(*bound))
                .ok_or_else(|| SqlError::Unknown(name.clone()))
        };
        Ok(Self {
            inputs: names.iter().map(input).collect::<Result<_, _>>()?,
            database: database.clone(),
            statement,
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
        mut arguments: Arguments,
    ) -> Result<ToolOutput, ToolError> {
        let principal = context.principal();
        let value = |input: &Input| match input {
            // An optional argument that was left out is NULL.
            Input::Argument(name) => arguments.remove(name).unwrap_or(Value::Null),
            Input::Bound(Bound::Tenant) => Value::from(principal.tenant()),
            Input::Bound(Bound::Subject) => Value::from(principal.subject()),
        };
        let query = Query {
            values: self.inputs.iter().map(value).collect(),
            statement: Arc::clone(&self.statement),
            deadline: context.deadline(),
            max_rows: if self.one { 1 } else { self.max_rows },
            max_bytes: self.max_bytes,
        };
        let mut rows = self
            .database
            .query(query)
            .await
            .map_err(|error| self.tool_error(error))?;
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
