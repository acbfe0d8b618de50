//! The `tollgate` command.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use tollgate::cli::{self, Cli};
use tollgate::log::{Lines, tell_of_panics};
use tollgate::stderr;
use tracing::Metadata;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::{EnvFilter, FilterExt, filter_fn};
use tracing_subscriber::prelude::*;

/// How long the last lines on standard error may take.
const LAST_LINES_TIMEOUT: Duration = Duration::from_millis(200);

fn main() -> ExitCode {
    let cli = Cli::parse();
    init_logging();
    tell_of_panics();
    // Once, before anything speaks TLS; a second provider would be a defect.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let code = match cli.run() {
        Ok(code) => code,
        Err(error) => {
            cli::complain(&error);
            ExitCode::FAILURE
        }
    };
    stderr::flush(LAST_LINES_TIMEOUT);
    code
}

/// Logs go to standard error; standard output belongs to the protocol. `RUST_LOG` sets the level.
fn init_logging() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::registry()
        .with(Lines::new().with_filter(filter.and(filter_fn(is_discreet))))
        .init();
}

/// hyper-util tells at lower levels whom it connects to with the whole URL, also where that holds a
/// password, such as a collector's in `OTEL_EXPORTER_OTLP_ENDPOINT`. rustls tells all of a handshake, in a
/// build where others (tonic) want it to, and what it and others tell through `log` comes as of `log`.
/// lambda_runtime tells whole events.
fn is_discreet(event: &Metadata<'_>) -> bool {
    let talkers = [
        "hyper_util",
        "lambda_runtime",
        "lambda_runtime_api_client",
        "rustls",
        "log",
    ];
    let talks = |name: &str| event.target().split(':').next() == Some(name);
    *event.level() <= LevelFilter::INFO || !talkers.into_iter().any(talks)
}
