//! `tollgate serve`: the server, on HTTP or on stdio.

use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

use super::{CliError, ConfigArgs};
use crate::config::Config;

/// How long calls that outlasted the grace may take to be dropped.
const CANCEL_TIMEOUT: Duration = Duration::from_millis(200);

/// Runs until it is told to stop: SIGTERM or Ctrl-C lets running calls finish, a second one does not.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  tollgate serve --dev\n  tollgate serve --config tollgate.yaml\n  tollgate serve --mode stdio --config tollgate.yaml"
)]
pub(super) struct ServeArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// How clients reach the server
    #[arg(long, value_enum, default_value_t = Mode::Http)]
    mode: Mode,
    /// Listen on this port instead of the configured one; 0 takes any free port
    #[arg(long)]
    port: Option<u16>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Mode {
    /// MCP over HTTP and the REST gateway.
    Http,
    /// MCP over standard input and output, for one client.
    Stdio,
}

pub(super) fn run(args: ServeArgs) -> Result<ExitCode, CliError> {
    let config = args.config.load()?;
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    match args.mode {
        Mode::Http => serve_http(&args, config, &runtime),
        Mode::Stdio => serve_stdio(&args, config, runtime),
    }
}

fn serve_http(args: &ServeArgs, config: Config, runtime: &Runtime) -> Result<ExitCode, CliError> {
    let mut address = config.server.listen;
    if let Some(port) = args.port {
        address.set_port(port);
    }
    let server = args.config.builder(config)?.build()?;
    runtime.block_on(async {
        let stop = Signals::new()?;
        let bound = server.bind(address).await?;
        eprintln!("listening on http://{}", bound.local_addr());
        if args.config.dev {
            eprintln!("DEV MODE: anybody on this machine gets a token from GET /mint-demo-jwt; do not expose this port");
        }
        bound.serve(stop.asked()).await;
        Ok(ExitCode::SUCCESS)
    })
}

/// Standard input is read by a thread of its own, which cannot be interrupted; when a signal comes
/// first, the process ends without it.
fn serve_stdio(args: &ServeArgs, config: Config, runtime: Runtime) -> Result<ExitCode, CliError> {
    let grace = config.server.shutdown_grace;
    let server = Arc::new(args.config.builder(config)?.build()?);
    if !server.serves_stdio() {
        eprintln!(
            "stdio speaks for nobody, so every request will be refused: set stdio.token or stdio.principal in the configuration"
        );
    }
    let (ended, input_ended) = oneshot::channel();
    let (reader, handle) = (Arc::clone(&server), runtime.handle().clone());
    std::thread::Builder::new()
        .name("stdin".to_owned())
        .spawn(move || {
            reader.serve_stdio(io::stdin().lock(), io::stdout(), &handle);
            // Nobody waits any more if a signal came first.
            let _ = ended.send(());
        })?;
    runtime.block_on(async {
        let stop = Signals::new()?;
        tokio::select! {
            _ = input_ended => {}
            () = stop.asked() => server.drain(grace).await,
        }
        Ok::<_, io::Error>(())
    })?;
    // Drops the calls that outlasted the grace, which closes their records.
    runtime.shutdown_timeout(CANCEL_TIMEOUT);
    server.flush();
    Ok(ExitCode::SUCCESS)
}

/// SIGTERM and SIGINT on Unix, Ctrl-C elsewhere.
struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

impl Signals {
    /// Starts listening at once, so that a signal during start is not lost.
    fn new() -> io::Result<Self> {
        Ok(Self {
            #[cfg(unix)]
            terminate: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?,
        })
    }

    /// Resolves when the process is asked to stop; from then on, another signal ends it at once.
    async fn asked(mut self) {
        self.next().await;
        eprintln!("stopping: running calls may finish; send the signal again to stop at once");
        tokio::spawn(async move {
            self.next().await;
            stop_at_once();
        });
    }

    async fn next(&mut self) {
        #[cfg(unix)]
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        #[cfg(not(unix))]
        let _ = tokio::signal::ctrl_c().await;
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the operator asked twice; there is nothing left to unwind for"
)]
fn stop_at_once() {
    std::process::exit(1);
}
