//! The demo shop: a configuration and the database it reads.
//!
//! The same two files serve `serve --dev`, `init`, the tests and the documentation, so that what is
//! shown is what runs. Two tenants hold different data under the same ids, which makes a leak from
//! one to the other visible.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::config::{Config, Faults, ProcessEnvironment};

/// Sources, tools and resources of the demo, as YAML.
pub const SHOP_YAML: &str = include_str!("demo/shop.yaml");
/// What goes before [`SHOP_YAML`] in a file of one's own: listener, issuer, stdio, telemetry.
pub const SERVER_YAML: &str = include_str!("demo/server.yaml");
/// Tables and rows of the demo.
const SHOP_SQL: &str = include_str!("demo/shop.sql");
/// The database's name beside its configuration.
pub const DATABASE_FILE: &str = "shop.db";

/// Why the demo's database could not be made.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// A file or folder.
    #[error("cannot write the demo database {path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The database engine.
    #[error("cannot fill the demo database: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// The built-in configuration does not fit the built-in data.
    #[error(transparent)]
    Config(#[from] Faults),
}

/// The built-in configuration, with its database in `folder`, which is made if it is not there.
///
/// # Errors
/// [`DemoError`] when the folder cannot be written.
pub fn config(folder: &Path) -> Result<Config, DemoError> {
    seed(&folder.join(DATABASE_FILE))?;
    let file = folder.join("tollgate.yaml");
    Ok(Config::parse(SHOP_YAML, &file, &ProcessEnvironment)?)
}

/// Makes the demo's database at `path`, unless there is a file already.
///
/// It is filled under another name and then moved, so that two processes that start at once, or one
/// that is killed half-way, never leave a half-filled one behind.
///
/// # Errors
/// [`DemoError`] when the file cannot be written.
pub fn seed(path: &Path) -> Result<(), DemoError> {
    if path.exists() {
        return Ok(());
    }
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| DemoError::File { path, source }
    };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed(folder))?;
    }
    let unfinished = path.with_extension(format!("{}.tmp", std::process::id()));
    let _ = fs::remove_file(&unfinished);
    let database = Connection::open(&unfinished)?;
    database.execute_batch(SHOP_SQL)?;
    drop(database);
    fs::rename(&unfinished, path).map_err(failed(path))
}
