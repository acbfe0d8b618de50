//! `tollgate call`: one call, through the same pipeline.

mod confirm;
mod remote;

use std::process::ExitCode;

use clap::Args;
use secrecy::SecretString;
use serde_json::{Map, Value};

use super::{CliError, ConfigArgs, log_has_a_file, misused, print};
use crate::approval::Unconfirmed;
use crate::auth::Credentials;
use crate::error::CallError;
use crate::pipeline::{CallRequest, Served};
use crate::record::Surface;
use crate::server::{FLUSH_TIMEOUT, Server};
use crate::tool::TargetRef;

/// Calls a tool and prints its answer as JSON. Without --url the call runs in this process, as
/// whoever the configuration's `stdio` section names; with --url a running server is asked.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  tollgate call get_customer customer_id=c-42 --dev\n  tollgate call find_orders query=o-123 limit:=5\n  tollgate call get_customer customer_id=c-42 --url http://127.0.0.1:8080 --token \"$TOKEN\""
)]
pub(super) struct CallArgs {
    /// The tool's name
    tool: String,
    /// Arguments: key=text, or key:=JSON for numbers, booleans, lists and objects
    #[arg(value_name = "KEY=VALUE")]
    arguments: Vec<String>,
    #[command(flatten)]
    config: ConfigArgs,
    /// Ask the server at this URL instead
    #[arg(long)]
    url: Option<String>,
    /// Confirm the call, if its tool's policy demands that
    #[arg(long, short)]
    yes: bool,
    /// The bearer token: for --url, or to call here as somebody else than the configured principal
    #[arg(long, env = "TOLLGATE_TOKEN", hide_env_values = true)]
    token: Option<SecretString>,
}

pub(super) fn run(args: &CallArgs) -> Result<ExitCode, CliError> {
    let arguments = match parse_arguments(&args.arguments) {
        Ok(arguments) => arguments,
        Err(why) => return Ok(misused(&why)),
    };
    if let Some(why) = args.url.as_deref().and_then(remote::unusable) {
        return Ok(misused(why));
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    match &args.url {
        Some(url) => runtime.block_on(remote::call(args, url, arguments)),
        None => {
            let config = args.config.load()?;
            log_has_a_file(&config)?;
            let server = args.config.builder(config)?.build()?;
            let code = runtime.block_on(call_here(args, &server, arguments));
            server.flush(FLUSH_TIMEOUT);
            code
        }
    }
}

async fn call_here(
    args: &CallArgs,
    server: &Server,
    arguments: Map<String, Value>,
) -> Result<ExitCode, CliError> {
    match call_once(args, server, arguments.clone(), None).await? {
        Answered::Finally(code) => Ok(code),
        Answered::Unconfirmed(asked) => {
            confirm::ask(args.yes, &asked.question)?;
            let confirmation = Some(&*asked.confirmation);
            match call_once(args, server, arguments, confirmation).await? {
                Answered::Finally(code) => Ok(code),
                Answered::Unconfirmed(_) => Err(confirm::NOT_TAKEN.into()),
            }
        }
    }
}

/// What a call came to.
enum Answered {
    Finally(ExitCode),
    Unconfirmed(Box<Unconfirmed>),
}

async fn call_once(
    args: &CallArgs,
    server: &Server,
    arguments: Map<String, Value>,
    confirmation: Option<&str>,
) -> Result<Answered, CliError> {
    use secrecy::ExposeSecret;

    let mut call = server.pipeline().open(Surface::Cli);
    call.record.method("tools/call");
    let credentials = match &args.token {
        Some(token) => Credentials::Bearer(token.expose_secret()),
        None => Credentials::Local,
    };
    // The keys of the token's issuer, if it has public ones, are fetched while the call waits.
    let known = tokio::select! {
        known = call.authenticate(&credentials) => known,
        () = server.pipeline().authenticator.keep_fresh() => Err(CallError::KeysUnavailable),
    };
    let answer = match known {
        Ok(principal) => {
            let request = CallRequest::new(TargetRef::Tool(&args.tool), arguments);
            let served = call.serve(&principal, request.confirmed_with(confirmation));
            served.await.and_then(Served::output)
        }
        Err(error) => Err(error),
    };
    match answer {
        Ok(output) => {
            print(format_args!("{:#}", output.as_json()))?;
            Ok(Answered::Finally(ExitCode::SUCCESS))
        }
        Err(CallError::Unconfirmed(asked)) => Ok(Answered::Unconfirmed(asked)),
        Err(error) => {
            let id = call.record.call_id();
            let advice = match error {
                CallError::Unauthenticated(_) if args.token.is_none() => {
                    " (set stdio.principal or stdio.token, or give --token)"
                }
                CallError::Unauthenticated(_) => " (it came from --token or TOLLGATE_TOKEN)",
                _ => "",
            };
            Err(format!("{}{advice} [call {id}]", error.detail()).into())
        }
    }
}

fn parse_arguments(pairs: &[String]) -> Result<Map<String, Value>, String> {
    let mut arguments = Map::new();
    for pair in pairs {
        let (key, value) = pair
            .split_once('=')
            .ok_or_else(|| format!("`{pair}` is not KEY=VALUE"))?;
        let (key, value) = match key.strip_suffix(':') {
            Some(key) => {
                let value = serde_json::from_str(value)
                    .map_err(|error| format!("the value of `{key}` is not JSON: {error}"))?;
                (key, value)
            }
            None => (key, Value::from(value)),
        };
        if key.is_empty() {
            return Err(format!("`{pair}` has no key"));
        }
        if arguments.insert(key.to_owned(), value).is_some() {
            return Err(format!("`{key}` is given twice"));
        }
    }
    Ok(arguments)
}
