//! A call to a running server, by its REST gateway.

use std::process::ExitCode;
use std::time::Duration;

use http::StatusCode;
use secrecy::ExposeSecret;
use serde_json::{Map, Value};

use super::{CallArgs, confirm};
use crate::cli::{CliError, print};

/// How long the server may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(120);

/// Why no server can be asked at that URL.
pub(super) fn unusable(url: &str) -> Option<&'static str> {
    match reqwest::Url::parse(url) {
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            Some("--url must name no user and no password: give a token with --token")
        }
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => None,
        _ => Some("--url must be an http or https URL, such as http://127.0.0.1:8080"),
    }
}

/// Asks a server's REST gateway. The token goes there and nowhere else: no proxy, no redirect.
pub(super) async fn call(
    args: &CallArgs,
    url: &str,
    arguments: Map<String, Value>,
) -> Result<ExitCode, CliError> {
    let is_name = |b: u8| b.is_ascii_alphanumeric() || b"_-.".contains(&b);
    if args.tool.is_empty() || matches!(&*args.tool, "." | "..") || !args.tool.bytes().all(is_name)
    {
        return Err("a tool's name is 1 to 128 of A-Z a-z 0-9 _ - .".into());
    }
    let url = format!("{}/mcp/tool/{}", url.trim_end_matches('/'), args.tool);
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .timeout(ANSWER_TIMEOUT)
        .build()?;
    let first = send(args, &client, &url, &arguments, None).await?;
    let (status, body) = match confirmation(&first) {
        None => first,
        Some((question, confirmation)) => {
            confirm::ask(args.yes, question)?;
            let again = send(args, &client, &url, &arguments, Some(confirmation)).await?;
            if self::confirmation(&again).is_some() {
                return Err(confirm::NOT_TAKEN.into());
            }
            again
        }
    };
    if status.is_success() {
        print(format_args!("{:#}", body.get("result").unwrap_or(&body)))?;
        return Ok(ExitCode::SUCCESS);
    }
    let text = |name| {
        body.get(name)
            .and_then(Value::as_str)
            .unwrap_or("(nothing said)")
            .replace(char::is_control, " ")
    };
    Err(format!(
        "{} {} [call {}]",
        status.as_u16(),
        text("detail"),
        text("callId")
    )
    .into())
}

async fn send(
    args: &CallArgs,
    client: &reqwest::Client,
    url: &str,
    arguments: &Map<String, Value>,
    confirmation: Option<&str>,
) -> Result<(StatusCode, Value), CliError> {
    let mut request = client.post(url).json(arguments);
    if let Some(token) = &args.token {
        request = request.bearer_auth(token.expose_secret());
    }
    if let Some(confirmation) = confirmation {
        request = request.header("tollgate-confirmation", confirmation);
    }
    let response = request
        .send()
        .await
        .map_err(|error| format!("cannot reach {url}: {}", root_cause(&error)))?;
    let status = response.status();
    let body: Value = response
        .json()
        .await
        .map_err(|_| format!("{url} answered {status} without JSON; is it a Tollgate server?"))?;
    Ok((status, body))
}

/// What the server asks to be confirmed, and with what.
fn confirmation((status, body): &(StatusCode, Value)) -> Option<(&str, &str)> {
    let text = |name| body.get(name).and_then(Value::as_str);
    let found = text("question").zip(text("confirmation"));
    found.filter(|_| !status.is_success())
}

/// The last cause is the one that says what happened.
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
