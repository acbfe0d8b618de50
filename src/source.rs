//! Where declared tools come from: SQL statements on databases and requests to HTTP APIs that the
//! operator names.
//!
//! What a statement or a request is filled with are the tool's arguments and values bound from the
//! caller's identity; the model writes neither SQL nor URLs nor its own tenant. Which is which is
//! settled once, at load. A source that fails is left alone for a while ([`resilience`]).

mod breaker;
pub mod http;
mod inputs;
mod prompt;
pub mod resilience;
mod retries;
mod sql;
pub mod sqlite;
mod summary;

pub use self::inputs::{Bound, Declared};
pub use self::prompt::{PromptError, PromptTexts};
pub use self::sql::{SqlError, SqlSpec, SqlTool};
