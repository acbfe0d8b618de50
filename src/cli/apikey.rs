//! `tollgate apikey`: keys for callers without an identity provider.
//!
//! The key goes to standard output and all else to standard error, so that `KEY=$(tollgate apikey
//! new …)` holds the key alone. A reader would ask why `--expires` has no default: a key that is good
//! for ever should be somebody's decision.

mod entry;
mod file;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use secrecy::ExposeSecret;

use super::caller::CallerArgs;
use super::{CliError, print, say};
use crate::auth::NewApiKey;
use crate::clock::Clock;
use crate::config::{BAD_API_KEY_ID, is_api_key_id, parse_duration, parse_expiry};
use entry::Entry;

/// Makes API keys.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  tollgate apikey new --tenant acme --subject ci --scope customer:read --expires 90d"
)]
pub(super) struct ApikeyArgs {
    #[command(subcommand)]
    command: ApikeyCommand,
}

#[derive(Debug, Subcommand)]
enum ApikeyCommand {
    /// Make a key: print it once, and what the configuration is to hold of it.
    New(NewArgs),
}

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  tollgate apikey new --tenant acme --subject ci --scope customer:read --expires 90d --file api-keys.yaml"
)]
struct NewArgs {
    #[command(flatten)]
    caller: CallerArgs,
    /// When the key stops being good: 90d from now, 2027-01-01, 2027-01-01T12:00:00Z, or never
    #[arg(long, value_parser = expiry)]
    expires: Expiry,
    /// Name of the key: lower-case letters, digits and dashes. Default: 12 random ones
    #[arg(long, value_parser = id)]
    id: Option<String>,
    /// Add the entry to this file, the one that auth.apiKeysFile names. Default: print it
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

pub(super) fn run(args: ApikeyArgs) -> Result<ExitCode, CliError> {
    match args.command {
        ApikeyCommand::New(args) => new(args),
    }
}

fn new(args: NewArgs) -> Result<ExitCode, CliError> {
    args.caller.check()?;
    let expires = args.expires.at(Clock::system().unix())?;
    let new = NewApiKey::random(args.id)?;
    let entry = Entry {
        id: &new.id,
        hash: &new.hash,
        tenant: &args.caller.tenant,
        subject: &args.caller.subject,
        scopes: &args.caller.scopes,
        expires: &expires,
    };
    match &args.file {
        Some(path) => {
            file::append(path, &entry)?;
            print(new.key.expose_secret())?;
            say(format_args!(
                "added {} to {}; this is the only time that the key is shown",
                new.id,
                path.display()
            ));
        }
        None => {
            print(new.key.expose_secret())?;
            say(format_args!(
                "this is the only time that the key is shown; \
                 put its hash under auth.apiKeys, or into the file that auth.apiKeysFile names:\n\n{}",
                entry.yaml("")
            ));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// When a key stops being good, as it was asked for.
#[derive(Debug, Clone, Copy)]
enum Expiry {
    /// This long from now.
    In(Duration),
    /// At this time since the Unix epoch.
    At(Duration),
    Never,
}

fn expiry(text: &str) -> Result<Expiry, String> {
    if let Ok(duration) = parse_duration(text) {
        return Ok(Expiry::In(duration));
    }
    match parse_expiry(text) {
        Ok(Some(time)) => Ok(Expiry::At(time)),
        Ok(None) => Ok(Expiry::Never),
        Err(message) => Err(format!("{message}, or a duration such as 90d")),
    }
}

impl Expiry {
    /// As the entry holds it.
    fn at(self, now: Duration) -> Result<String, CliError> {
        let time = match self {
            Self::In(duration) => now.saturating_add(duration),
            Self::At(time) => time,
            Self::Never => return Ok("never".to_owned()),
        };
        // Whole seconds are written.
        if time.as_secs() <= now.as_secs() {
            return Err("--expires is not in the future: the key would never be good".into());
        }
        let seconds = i64::try_from(time.as_secs()).ok();
        let time = seconds.and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
        let time = time.ok_or("--expires is beyond the year 9999; say never")?;
        Ok(time.to_string())
    }
}

fn id(text: &str) -> Result<String, &'static str> {
    if is_api_key_id(text) {
        Ok(text.to_owned())
    } else {
        Err(BAD_API_KEY_ID)
    }
}
