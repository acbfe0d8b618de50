//! `tollgate check`: everything that `serve` would refuse, and the policies as a table.
//!
//! It fails as well on what `serve` serves and nobody can call: that is a mistake in nearly every
//! case, and one that no caller can tell from a tool that is not there. That everybody can call
//! something without the file saying so cannot be: loading refuses it.

mod defaults;
mod matrix;
mod reach;
mod unheeded;

use std::path::Path;
use std::process::ExitCode;

use clap::Args;

use super::{CliError, ConfigArgs, print, say};
use crate::audit::Log;
use crate::config::{Config, Faults, IssuerKeys, KeySource};
use crate::log::Inert;
use crate::server::audit_settings;

/// Loads the configuration as `serve` does, prints who may call what how often, fails on what nobody can call.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  tollgate check --config tollgate.yaml")]
pub(super) struct CheckArgs {
    #[command(flatten)]
    config: ConfigArgs,
}

pub(super) fn run(args: &CheckArgs) -> Result<ExitCode, CliError> {
    let mut config = args.config.load()?;
    let unheeded = unheeded::of_audit(&config);
    // Whoever checks writes nothing: a log that another user began could not be gone on with.
    if let Some(audit) = config.audit.take() {
        if let Some(file) = &audit.file {
            has_folder(file)?;
        }
        Log::check(&audit_settings(&audit))?;
    }
    let places = reach::places(&config);
    let remote_keys = remote_keys(&config);
    let defaults = defaults::Defaults::of(&config);
    let server = args.config.builder(config)?.build()?;
    let targets = server.pipeline().catalog.targets();
    let callers = server.pipeline().authenticator.known_callers();
    print(matrix::of(targets, &defaults).trim_end())?;
    for issuer in remote_keys {
        say(format_args!(
            "the keys of {issuer} were not checked: the server fetches them when it starts"
        ));
    }
    for sentence in unheeded {
        say(Inert(&sentence));
    }
    let faults = reach::faults(targets, callers.as_deref(), &places);
    Faults(faults).or(ExitCode::SUCCESS).map_err(Into::into)
}

/// Whether an audit log may be made there, as far as can be told without making it.
fn has_folder(log: &Path) -> Result<(), CliError> {
    // The folder of a bare name is the one that we are in.
    match log.parent() {
        Some(folder) if !folder.as_os_str().is_empty() && !folder.is_dir() => Err(format!(
            "audit.file: there is no folder {}; make it first",
            folder.display()
        )
        .into()),
        _ => Ok(()),
    }
}

/// Issuers whose keys only the network can tell; a check does without it.
fn remote_keys(config: &Config) -> Vec<String> {
    let is_remote = |keys: &IssuerKeys| {
        matches!(
            keys,
            IssuerKeys::Public(KeySource::Discovery | KeySource::Url(_), _)
        )
    };
    let issuers = config.auth.issuers.iter();
    issuers
        .filter(|issuer| is_remote(&issuer.keys))
        .map(|issuer| Inert(&issuer.issuer).to_string())
        .collect()
}
