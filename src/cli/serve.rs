//! `tollgate serve`: the server, on HTTP or on stdio.

#[cfg(feature = "lambda")]
mod lambda;

use std::future::pending;
use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

use super::reload::Followed;
use super::signals::Signals;
use super::{CliError, ConfigArgs, log_format, log_has_a_file, say};
use crate::config::{Config, FilesRead};
use crate::server::{FLUSH_TIMEOUT, Reloader, Supervisor};

/// After the input of stdio ended: how long running calls may take to finish. Clients wait some two
/// seconds before they kill.
const END_GRACE: Duration = Duration::from_millis(1_200);
/// And then the last spans.
const END_FLUSH: Duration = Duration::from_millis(500);
/// What a server needs after its grace, at most.
const END_PATIENCE: Duration = Duration::from_secs(10);
/// How long threads that wait for the client to read, or for a file, may take to end.
const LEAVE_TIMEOUT: Duration = Duration::from_millis(100);

/// Runs until it is told to stop: SIGTERM or Ctrl-C lets running calls finish, a second one does not.
/// SIGHUP, or a change of the configuration file or of a file it refers to, loads it again.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  tollgate serve --dev\n  tollgate serve --config tollgate.yaml\n  tollgate serve --mode stdio --config tollgate.yaml\n  tollgate serve --mode lambda --config tollgate.yaml"
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
    /// HTTP requests that come as events of AWS Lambda (build with the feature `lambda`).
    Lambda,
}

pub(super) fn run(args: ServeArgs) -> Result<ExitCode, CliError> {
    log_format::choose(None, &args.config)?;
    let (config, read) = Followed::load(&args.config)?;
    log_format::choose(Some(&config.telemetry), &args.config)?;
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    match args.mode {
        Mode::Http => {
            let code = serve_http(&args, config, read, &runtime);
            // A file that is looked at may lie on a file system that does not answer.
            runtime.shutdown_timeout(LEAVE_TIMEOUT);
            code
        }
        Mode::Stdio => serve_stdio(&args, config, read, runtime),
        #[cfg(feature = "lambda")]
        Mode::Lambda => lambda::run(&args, config, &runtime),
        #[cfg(not(feature = "lambda"))]
        Mode::Lambda => {
            Err("this build knows no AWS Lambda: build it with `--features lambda`".into())
        }
    }
}

/// Follows what there is to follow. Never ends.
async fn follow(followed: Option<Followed>, reloader: &Reloader, supervisor: &Supervisor) {
    match followed {
        Some(followed) => followed.keep_current(reloader, supervisor).await,
        None => pending().await,
    }
}

fn serve_http(
    args: &ServeArgs,
    config: Config,
    read: Option<FilesRead>,
    runtime: &Runtime,
) -> Result<ExitCode, CliError> {
    let mut address = config.server.listen;
    if let Some(port) = args.port {
        address.set_port(port);
    }
    // Closing connections and sending the last spans come after the grace.
    let patience = config.server.shutdown_delay + config.server.shutdown_grace + END_PATIENCE;
    let accepts_nobody = config.auth.accepts_nobody();
    let audit_log = config.audit.as_ref().map(|audit| audit.file.clone());
    let server = args.config.builder(config)?.build()?;
    runtime.block_on(async {
        let stop = Signals::new()?;
        let followed = Followed::new(&args.config, read)?;
        let bound = server.bind(address).await?;
        say(format_args!("listening on {}", bound.url()));
        if let Some(admin) = bound.admin_addr() {
            if bound.serves_metrics() {
                say(format_args!("metrics at http://{admin}/metrics"));
            } else {
                say(format_args!("health at http://{admin}/readyz"));
            }
            if !admin.ip().is_loopback() {
                say("the admin listener can be reached from other machines and asks for no token: let only your monitoring in");
            }
        }
        match audit_log {
            Some(Some(file)) => say(format_args!("audit log at {}", file.display())),
            Some(None) => say("audit log on standard output"),
            None => {}
        }
        if accepts_nobody && !args.config.dev {
            say("the file names nobody whose calls are let in, so every call will be refused: set auth.issuers, or make an API key with `tollgate apikey new`");
        }
        if args.config.dev {
            say("DEV MODE: anybody on this machine gets a token from GET /mint-demo-jwt; do not expose this port");
        }
        let supervisor = Arc::new(Supervisor::of_process());
        supervisor.ready(&format!("listening on {}", bound.url()));
        let watched = Arc::clone(&supervisor);
        tokio::spawn(async move { watched.keep_watch().await });
        let reloader = bound.reloader();
        let told_to_stop = async {
            stop.asked().await;
            supervisor.stopping(patience);
        };
        tokio::select! {
            () = bound.serve(told_to_stop) => {}
            () = follow(followed, &reloader, &supervisor) => {}
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// Standard input is read by a thread of its own, which cannot be interrupted; when a signal comes
/// first, the process ends without it.
fn serve_stdio(
    args: &ServeArgs,
    config: Config,
    read: Option<FilesRead>,
    runtime: Runtime,
) -> Result<ExitCode, CliError> {
    let grace = config.server.shutdown_grace;
    log_has_a_file(&config)?;
    let server = args.config.builder(config)?.build()?;
    if !server.serves_stdio() {
        say(
            "stdio speaks for nobody, so every request will be refused: set stdio.token or stdio.principal in the configuration",
        );
    }
    let (surface, reloader) = server.stdio(io::stdout());
    let surface = Arc::new(surface);
    // Or the first configuration, with its databases, would stay for good.
    drop(server);
    let (stop, followed) = {
        let _in_runtime = runtime.enter();
        // Before the first answer: whoever got one may send a signal.
        (Signals::new()?, Followed::new(&args.config, read)?)
    };
    let (ended, input_ended) = oneshot::channel();
    let (reader, handle) = (Arc::clone(&surface), runtime.handle().clone());
    std::thread::Builder::new()
        .name("stdin".to_owned())
        .spawn(move || {
            reader.serve(io::stdin().lock(), &handle);
            // Nobody waits any more if a signal came first.
            let _ = ended.send(());
        })?;
    let flush = runtime.block_on(async {
        let nobody = Supervisor::default();
        let (grace, flush) = tokio::select! {
            _ = input_ended => (END_GRACE, END_FLUSH),
            () = stop.asked() => (grace, FLUSH_TIMEOUT),
            () = reloader.keep_fresh() => (grace, FLUSH_TIMEOUT),
            () = follow(followed, &reloader, &nobody) => (grace, FLUSH_TIMEOUT),
        };
        surface.settle(grace).await;
        flush
    });
    // A client that does not read its answers may hold a thread for ever; leave it behind.
    runtime.shutdown_timeout(LEAVE_TIMEOUT);
    reloader.pipeline().recorder.flush(flush);
    Ok(ExitCode::SUCCESS)
}
