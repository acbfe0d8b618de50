//! `tollgate init`: a first configuration that works.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use secrecy::ExposeSecret;

use super::{CONFIG_FILE, CliError, print};
use crate::auth::random_secret;
use crate::demo;

const SECRET_FILE: &str = "tollgate.secret";

/// Writes tollgate.yaml, tollgate.secret, audit.key and shop.db. Never overwrites a file.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  tollgate init shop && cd shop && tollgate check && tollgate serve"
)]
pub(super) struct InitArgs {
    /// The folder to write to; made if it is not there
    #[arg(default_value = ".")]
    folder: PathBuf,
}

pub(super) fn run(args: &InitArgs) -> Result<ExitCode, CliError> {
    let folder = &args.folder;
    fs::create_dir_all(folder)
        .map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
    let (config, secret) = (folder.join(CONFIG_FILE), folder.join(SECRET_FILE));
    let database = folder.join(demo::DATABASE_FILE);
    let audit_key = folder.join(demo::AUDIT_KEY_FILE);
    // All of them first, so that nothing is written when something is in the way.
    for file in [&config, &secret, &audit_key, &database] {
        // A dangling link is in the way as well.
        if file.symlink_metadata().is_ok() {
            return Err(format!("{} is there already; nothing was written", file.display()).into());
        }
    }
    write_new(
        &config,
        &[demo::SERVER_YAML, demo::SHOP_YAML, demo::AUDIT_YAML].concat(),
        false,
    )?;
    write_new(
        &secret,
        &format!("{}\n", random_secret()?.expose_secret()),
        true,
    )?;
    demo::make_key(&audit_key)?;
    demo::seed(&database)?;
    print(format_args!(
        "wrote {}, {}, {} (keep these two out of version control) and {}\nnext: tollgate check --config {}",
        config.display(),
        secret.display(),
        audit_key.display(),
        database.display(),
        config.display(),
    ))?;
    Ok(ExitCode::SUCCESS)
}

fn write_new(path: &Path, text: &str, secret: bool) -> Result<(), CliError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    if secret {
        only_owner(&mut options);
    }
    options
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| format!("cannot write {}: {error}", path.display()).into())
}

#[cfg(unix)]
fn only_owner(options: &mut OpenOptions) {
    use std::os::unix::fs::OpenOptionsExt;
    options.mode(0o600);
}

/// Elsewhere a new file inherits its folder's permissions.
#[cfg(not(unix))]
fn only_owner(_options: &mut OpenOptions) {}
