//! The attribute names that spans below a request carry, in one place (OpenTelemetry semantic
//! conventions for database and HTTP clients, 1.41). Those of the request's own span are in
//! `record/names.rs`.

pub(crate) const ERROR_TYPE: &str = "error.type";
pub(crate) const SERVER_ADDRESS: &str = "server.address";
pub(crate) const SERVER_PORT: &str = "server.port";

pub(crate) const DB_SYSTEM: &str = "db.system.name";
pub(crate) const DB_OPERATION: &str = "db.operation.name";
pub(crate) const DB_SUMMARY: &str = "db.query.summary";
pub(crate) const DB_ROWS: &str = "db.response.returned_rows";

pub(crate) const HTTP_METHOD: &str = "http.request.method";
pub(crate) const HTTP_STATUS: &str = "http.response.status_code";
/// Which further try it is, from 1.
pub(crate) const HTTP_RESEND: &str = "http.request.resend_count";
/// The path as the operator wrote it. `url.full` would hold arguments.
pub(crate) const URL_TEMPLATE: &str = "url.template";

pub(crate) const TOOL: &str = "gen_ai.tool.name";
pub(crate) const OPERATION: &str = "gen_ai.operation.name";

/// The source of a declared tool, by its name in the configuration.
pub(crate) const SOURCE: &str = "tollgate.source";
/// Whose keys were waited for, or who was asked about a token.
pub(crate) const ISSUER: &str = "tollgate.issuer";
