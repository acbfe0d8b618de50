//! The command line: one file per subcommand.
//!
//! Commands return an [`ExitCode`] or a text that says what is wrong and what to do next; `main`
//! prints it. 0: done. 1: refused or failed. 2: wrong usage (clap).

mod apikey;
mod audit;
mod call;
mod caller;
mod check;
mod explain;
mod healthcheck;
mod init;
mod log_format;
mod reload;
mod replay;
mod schema;
mod serve;
mod signals;
mod test;
mod token;
mod window;

use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use tracing::Level;

use crate::build;
use crate::config::{Config, Faults, Otel, ProcessEnvironment, user_data_folder};
use crate::demo;
use crate::log;
use crate::server::{ServerBuilder, StartError};

/// Name of the file that commands look for.
const CONFIG_FILE: &str = "tollgate.yaml";

/// A governed MCP server: every call an agent makes is authenticated, authorized, rate-limited,
/// validated, bounded and recorded.
#[derive(Debug, Parser)]
#[command(
    name = "tollgate",
    version,
    long_version = build::long_version(),
    max_term_width = 100,
    after_help = "Example:\n  tollgate serve --dev\n  tollgate help serve"
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server.
    Serve(serve::ServeArgs),
    /// Write a commented configuration and a demo database.
    Init(init::InitArgs),
    /// Load everything, report all faults, print who may call what how often.
    Check(check::CheckArgs),
    /// Mint a token with a configured secret.
    Token(token::TokenArgs),
    /// Make an API key for a caller without an identity provider.
    Apikey(apikey::ApikeyArgs),
    /// Ask a running server how it is.
    Healthcheck(healthcheck::HealthcheckArgs),
    /// Make one call, here through the same pipeline, or to a running server.
    Call(call::CallArgs),
    /// Tell what became of one call, and why.
    Explain(explain::ExplainArgs),
    /// Read the audit log: verify it, query it.
    Audit(audit::AuditArgs),
    /// Print the JSON Schema of the configuration file.
    Schema(schema::SchemaArgs),
    /// Decide written calls by the policies, for CI.
    Test(test::TestArgs),
    /// Decide recorded calls again by another configuration, and tell which flip.
    Replay(replay::ReplayArgs),
}

/// Tells the operator something on standard error, if anybody listens there.
pub fn say(text: impl fmt::Display) {
    log::say(Level::INFO, &text.to_string());
}

/// Tells why a command failed. Faults of a file start with file and line, where editors look for them.
pub fn complain(error: &CliError) {
    let declared = error.downcast_ref::<StartError>();
    if error.is::<Faults>() || matches!(declared, Some(StartError::Declared(_))) {
        log::say(Level::ERROR, &error.to_string());
    } else {
        log::say(Level::ERROR, &format!("error: {error}"));
    }
}

/// Prints a command's answer on standard output.
fn print(text: impl fmt::Display) -> Result<(), CliError> {
    written(writeln!(io::stdout(), "{text}"))
}

/// A command that was used wrongly, where only the command can tell.
fn misused(why: &str) -> ExitCode {
    say(format_args!("error: {why}"));
    ExitCode::from(2)
}

/// Who reads through `head` leaves early, and that is no error.
fn written(result: io::Result<()>) -> Result<(), CliError> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(format!("cannot write the answer: {error}").into())
        }
        _ => Ok(()),
    }
}

/// What goes wrong in a command: a sentence for the operator.
pub type CliError = Box<dyn std::error::Error>;

impl Cli {
    /// Runs the command.
    ///
    /// # Errors
    /// Whatever kept it from being done, in words for the operator.
    pub fn run(self) -> Result<ExitCode, CliError> {
        match self.command {
            Command::Serve(args) => serve::run(args),
            Command::Init(args) => init::run(&args),
            Command::Check(args) => check::run(&args),
            Command::Token(args) => token::run(&args),
            Command::Apikey(args) => apikey::run(args),
            Command::Healthcheck(args) => healthcheck::run(&args),
            Command::Call(args) => call::run(&args),
            Command::Schema(args) => schema::run(&args),
            Command::Test(args) => test::run(&args),
            Command::Replay(args) => replay::run(&args),
            Command::Explain(args) => explain::run(&args),
            Command::Audit(args) => audit::run(&args),
        }
    }
}

/// Where a command's own answers go there is no room for an audit log.
fn log_has_a_file(config: &Config) -> Result<(), CliError> {
    let audit = config.audit.as_ref();
    match audit.is_some_and(|audit| audit.file.is_none()) {
        true => Err("audit.file: standard output is for the answers here: name a file".into()),
        false => Ok(()),
    }
}

/// Where the configuration comes from.
#[derive(Clone, Debug, Args)]
struct ConfigArgs {
    /// The configuration file. Default: tollgate.yaml in this folder
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Try things out: demo tokens, console traces and, without a file, a demo shop. Loopback only
    #[arg(long)]
    dev: bool,
}

impl ConfigArgs {
    /// The configuration: the file that was named, else the one in this folder, else the demo.
    fn load(&self) -> Result<Config, CliError> {
        match self.file() {
            Some(file) => Ok(Config::load(&file)?),
            None if self.dev => Ok(demo::config(&demo_folder())?),
            None => Err(format!(
                "there is no {CONFIG_FILE} in this folder: write one with `tollgate init`, \
                 name one with --config, or try the demo with --dev"
            )
            .into()),
        }
    }

    /// The file that is named, else the one in this folder, if there is one.
    fn file(&self) -> Option<PathBuf> {
        let here = || Some(Path::new(CONFIG_FILE).to_owned()).filter(|here| here.exists());
        self.config.clone().or_else(here)
    }

    /// The server that the configuration describes.
    fn builder(&self, config: Config) -> Result<ServerBuilder, CliError> {
        let builder = ServerBuilder::from_config(config)?;
        let builder = if self.dev {
            builder.dev_mode()
        } else {
            builder
        };
        // What the deployment says of this instance wins over what the file says of all.
        Ok(builder.otel(Otel::read(&ProcessEnvironment)?)?)
    }
}

/// Where the demo keeps its database: the user's data folder, as the platform has it.
fn demo_folder() -> PathBuf {
    user_data_folder().join("tollgate").join("demo")
}
