//! The demo shop: a configuration and the database it reads.
//!
//! The same two files serve `serve --dev`, `init`, the tests and the documentation, so that what is
//! shown is what runs. Two tenants hold different data under the same ids, which makes a leak from
//! one to the other visible.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use secrecy::ExposeSecret as _;

use crate::auth::{NoRandomness, random_secret};
use crate::config::{Config, Faults, ProcessEnvironment};

/// Sources, tools and resources of the demo, as YAML.
pub const SHOP_YAML: &str = include_str!("demo/shop.yaml");
/// What goes before [`SHOP_YAML`] in a file of one's own: listener, issuer, stdio, telemetry.
pub const SERVER_YAML: &str = include_str!("demo/server.yaml");
/// Tables and rows of the demo.
const SHOP_SQL: &str = include_str!("demo/shop.sql");
/// The database's name beside its configuration.
pub const DATABASE_FILE: &str = "shop.db";
/// The name of the audit log's key beside it.
pub const AUDIT_KEY_FILE: &str = "audit.key";
/// The audit log of the demo.
pub const AUDIT_YAML: &str = "
# A line for each request, in a chain that shows every change. Ask it with `tollgate explain`.
audit:
  file: ./audit.jsonl
  key: ${file:./audit.key}
";

/// Why the demo's database could not be made.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// A file or folder.
    #[error("cannot write the demo file {path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The system gives no random bytes.
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
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
    make_key(&folder.join(AUDIT_KEY_FILE))?;
    let file = folder.join("tollgate.yaml");
    let text = [SHOP_YAML, AUDIT_YAML].concat();
    Ok(Config::parse(&text, &file, &ProcessEnvironment)?)
}

/// Makes a secret at `path`, for its owner alone, unless there is a file already.
///
/// It is written under another name and then linked: of two processes that start at once, both read
/// the key of the first.
///
/// # Errors
/// [`DemoError`] when the file cannot be written.
pub fn make_key(path: &Path) -> Result<(), DemoError> {
    if path.exists() {
        return Ok(());
    }
    let unfinished = path.with_extension(format!("{}.tmp", std::process::id()));
    let _ = fs::remove_file(&unfinished);
    let secret = random_secret()?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options
        .open(&unfinished)
        .and_then(|mut file| writeln!(file, "{}", secret.expose_secret()))
        .and_then(|()| match fs::hard_link(&unfinished, path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => Ok(()),
        });
    let _ = fs::remove_file(&unfinished);
    written.map_err(|source| DemoError::File {
        path: path.to_owned(),
        source,
    })
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
