//! `tollgate audit`: is the log what was written, and what does it say?
//!
//! A reader would ask why a query does not verify: it reads a part of the log, and a chain can only be
//! verified as a whole. Both are one line in a shell: `tollgate audit verify && tollgate audit query`.

mod query;
mod table;
mod verify;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use secrecy::{ExposeSecret, SecretSlice};

use super::{CliError, ConfigArgs};
use crate::audit::ChainKey;
use crate::config::{self, audit_file};
use crate::files::read_bounded;

/// A key is a line of text; a longer file is something else.
const MAX_KEY_BYTES: usize = 64 * 1024;
/// What a configuration without a log comes to.
const NO_LOG: &str = "the configuration keeps no audit log in a file: give it an `audit` section with a file, or name what was kept with --file";
/// As in the configuration.
const LEAST_KEY_BYTES: usize = 32;

/// Reads the audit log.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  tollgate audit verify --config tollgate.yaml\n  tollgate audit query --tenant acme --outcome denied --since 2h"
)]
pub(super) struct AuditArgs {
    #[command(subcommand)]
    command: AuditCommand,
}

#[derive(Debug, Subcommand)]
enum AuditCommand {
    /// Check that nothing was changed, moved, taken out or cut off.
    Verify(Box<verify::VerifyArgs>),
    /// Print the calls that fit, newest last.
    Query(Box<query::QueryArgs>),
}

pub(super) fn run(args: &AuditArgs) -> Result<ExitCode, CliError> {
    match &args.command {
        AuditCommand::Verify(args) => verify::run(args),
        AuditCommand::Query(args) => query::run(args),
    }
}

/// Which log.
#[derive(Debug, Args)]
pub(super) struct LogArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// The log, instead of the one that the configuration names
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

/// What the log is sealed with.
#[derive(Debug, Args)]
pub(super) struct KeyArgs {
    /// A file with a key of the log: for --file, and for keys that were in force before that of the
    /// configuration; repeat for more
    #[arg(long = "key-file", value_name = "FILE")]
    key_files: Vec<PathBuf>,
}

/// A log, and the keys it is sealed with.
pub(super) struct LogPlace {
    pub(super) file: PathBuf,
    /// Those that were given; before them those of the configuration, the one in force first.
    pub(super) keys: Vec<ChainKey>,
    /// Whether the configuration was read, and its keys with it.
    pub(super) is_configured: bool,
    /// Whether the writer deletes the oldest files.
    pub(super) keeps_few: bool,
}

impl LogArgs {
    /// Where the log is. Nothing else of the configuration is read, and no secret.
    pub(super) fn file(&self) -> Result<PathBuf, CliError> {
        match (&self.file, self.config.file()) {
            (Some(file), _) => Ok(file.clone()),
            (None, Some(config)) => audit_file(&config)?.ok_or_else(|| NO_LOG.into()),
            (None, None) => self.audit()?.file.ok_or_else(|| NO_LOG.into()),
        }
    }

    /// Where the log is, with the keys that were given.
    pub(super) fn place(&self, keys: &KeyArgs) -> Result<LogPlace, CliError> {
        let keys = keys.key_files.iter().map(|path| read_key(path));
        let mut keys = keys.collect::<Result<Vec<_>, _>>()?;
        if let Some(file) = &self.file {
            return Ok(LogPlace {
                file: file.clone(),
                keys,
                is_configured: false,
                keeps_few: false,
            });
        }
        let audit = self.audit()?;
        let configured = [Some(audit.key), audit.previous_key];
        let configured = configured.iter().flatten();
        keys.splice(
            0..0,
            configured.map(|key| ChainKey::new(key.expose_secret().as_bytes())),
        );
        Ok(LogPlace {
            file: audit.file.ok_or(NO_LOG)?,
            keys,
            is_configured: true,
            keeps_few: audit.rotate.keep > 0,
        })
    }

    fn audit(&self) -> Result<config::Audit, CliError> {
        self.config.load()?.audit.ok_or_else(|| NO_LOG.into())
    }
}

/// Without one trailing newline, as `${file:}` reads it.
fn read_key(path: &Path) -> Result<ChainKey, CliError> {
    let shown = path.display();
    let text = read_bounded(path, MAX_KEY_BYTES)
        .map_err(|error| format!("cannot read the key {shown}: {error}"))?;
    let text: SecretSlice<u8> = text.into();
    let key = text.expose_secret();
    let key = key.strip_suffix(b"\n").unwrap_or(key);
    let key = key.strip_suffix(b"\r").unwrap_or(key);
    if key.len() < LEAST_KEY_BYTES {
        return Err(format!("the key {shown} is shorter than {LEAST_KEY_BYTES} bytes").into());
    }
    Ok(ChainKey::new(key))
}

/// What is said of a text that is no call's id.
pub(super) const NO_CALL_ID: &str = "this is no call's id: one looks like 01931b6e-5f3a-7c81-9d55-3f1e0a9b7c42, and stands in the header Tollgate-Call-Id and in the body of errors";
