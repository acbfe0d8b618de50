//! `tollgate explain`: what became of one call, and why.
//!
//! A reader would ask why the text is made here even when a running server is asked: it answers with
//! the same JSON that `--format json` prints, so that there is one way to tell it.

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueEnum};
use uuid::Uuid;

use super::audit::{LogArgs, NO_CALL_ID};
use super::{CliError, misused, print, say};
use crate::audit::{call_time, find, lanes, parse_call_id};
use crate::clock::rfc3339;
use crate::log::{Inert, inert_json};
use crate::record::Explanation;

/// How long a server may take to answer: longer than it searches.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);

/// Tells of one call who called, what was asked for, each stage and where it stopped, why, and what can
/// be done about it. Exit code 0: told; 1: not found; 2: not an id.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  tollgate explain 01931b6e-5f3a-7c81-9d55-3f1e0a9b7c42\n  tollgate explain 01931b6e-5f3a-7c81-9d55-3f1e0a9b7c42 --url http://127.0.0.1:9090"
)]
pub(super) struct ExplainArgs {
    /// The call's id, from the header `Tollgate-Call-Id` or the error's body
    #[arg(value_name = "CALL_ID")]
    id: String,
    #[command(flatten)]
    log: LogArgs,
    /// Ask the admin listener of the server at this URL instead; arguments are told beside the log alone
    #[arg(long, conflicts_with = "file")]
    url: Option<String>,
    /// A text for people, or JSON
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

pub(super) fn run(args: &ExplainArgs) -> Result<ExitCode, CliError> {
    let Some(id) = parse_call_id(args.id.trim()) else {
        return Ok(misused(NO_CALL_ID));
    };
    let explanation = match &args.url {
        Some(url) => asked(url, id)?,
        None => looked_up(&args.log, id)?,
    };
    match (explanation, args.format) {
        (None, _) => return Ok(ExitCode::FAILURE),
        (Some(told), Format::Text) => print(told)?,
        (Some(told), Format::Json) => print(inert_json(&serde_json::to_string_pretty(&told)?))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn looked_up(log: &LogArgs, id: Uuid) -> Result<Option<Explanation>, CliError> {
    let file = log.file()?;
    let found = find(&file, id, || true).map_err(|error| error.to_string())?;
    let explanation = Explanation::of(&found);
    if let (None, Some(damaged)) = (&found.ended, &found.damaged) {
        let error = explanation.as_ref().map_or("error: ", |_| "");
        say(format_args!(
            "{error}line {} of {} holds this id and cannot be read: see tollgate audit verify",
            damaged.number,
            damaged.file.display()
        ));
    } else if explanation.is_none() {
        let arrived = rfc3339(call_time(id).unwrap_or_default());
        let lanes = lanes(&file).unwrap_or_default();
        let files = lanes.iter().map(|lane| lane.file.display().to_string());
        let files: Vec<String> = files.collect();
        say(format_args!(
            "error: there is no call {id} in {} (and the full files beside it); it would have arrived at {arrived}. Requests \
             that no call was made of (no such path, floods without credentials) are not on record, and another \
             replica has a log of its own",
            files.join(", ")
        ));
    }
    Ok(explanation)
}

/// Asks a server; no proxy, no redirect.
fn asked(url: &str, id: Uuid) -> Result<Option<Explanation>, CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .timeout(ANSWER_TIMEOUT)
        .build()?;
    let request = client.get(format!("{}/api/v1/calls/{id}", url.trim_end_matches('/')));
    let (status, body) = runtime.block_on(async {
        let response = request.send().await?;
        let status = response.status();
        Ok::<_, reqwest::Error>((status, response.bytes().await?))
    })
    // A URL may hold a password, so it is not repeated.
    .map_err(|error| match error {
        error if error.is_builder() => "--url must be an http or https URL",
        error if error.is_timeout() => "the server did not answer in time",
        _ => "the server cannot be reached: --url takes its admin listener, such as http://127.0.0.1:9090",
    })?;
    if status.is_success() {
        let told = serde_json::from_slice(&body);
        let told = told.map_err(
            |_| "the server's answer is no explanation; is it Tollgate's admin listener?",
        )?;
        return Ok(Some(told));
    }
    let problem: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
    let detail = problem["detail"].as_str();
    let detail = detail.unwrap_or("it gave no reason; is it Tollgate's admin listener?");
    say(format_args!(
        "error: the server answered {}: {}",
        status.as_u16(),
        Inert(detail)
    ));
    Ok(None)
}
