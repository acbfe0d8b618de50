//! `tollgate serve --mode lambda`: what a configuration must say that runs in many short-lived processes.
//!
//! A reader would ask why this is refused at start and not left to whoever writes the file: each of these works in a
//! first trial, with one process, and fails under load.

use std::process::ExitCode;

use tokio::runtime::Runtime;

use super::ServeArgs;
use crate::cli::signals::Signals;
use crate::cli::{CliError, say};
use crate::config::{Config, ProcessEnvironment, check_lambda_variables};

pub(super) fn run(
    args: &ServeArgs,
    config: Config,
    runtime: &Runtime,
) -> Result<ExitCode, CliError> {
    if args.config.dev || args.port.is_some() {
        return Err("--dev and --port are not for --mode lambda: there is no port, and no machine of your own".into());
    }
    check_lambda_variables(&ProcessEnvironment)?;
    let faults = faults(&config);
    if !faults.is_empty() {
        return Err(faults.join("\n").into());
    }
    let server = args.config.builder(config)?.build()?;
    runtime.block_on(async {
        let stop = Signals::new()?;
        say("waiting for events of AWS Lambda");
        server.serve_lambda(stop.asked()).await?;
        Ok(ExitCode::SUCCESS)
    })
}

/// What would work in one process and not in many that are frozen between events.
fn faults(config: &Config) -> Vec<String> {
    let server = &config.server;
    let wrong = [
        (
            server.public_url.is_none(),
            "server.publicUrl: the function has no address of its own: set the URL that clients know",
        ),
        (
            server.state_secret.is_none(),
            "server.stateSecret: each execution environment must open what others sealed: set the same for all",
        ),
        (
            config.quotas.store.is_none(),
            "quotas.store: each execution environment would count for itself: set the URL of a Redis or Valkey",
        ),
        (
            config
                .audit
                .as_ref()
                .is_some_and(|audit| audit.file.is_some()),
            "audit.file: what is written to a disk here is lost with the execution environment: set it to \"-\"",
        ),
    ];
    let wrong = wrong.into_iter().filter(|(is_wrong, _)| *is_wrong);
    let mut faults: Vec<_> = wrong.map(|(_, fault)| fault.to_owned()).collect();
    for tool in config.tools.iter().filter(|tool| tool.task.is_some()) {
        faults.push(format!(
            "tools.{}.task: nothing runs here between two events: leave it out",
            tool.name
        ));
    }
    faults
}
