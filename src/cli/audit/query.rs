//! `tollgate audit query`: the calls that fit.

use std::collections::VecDeque;
use std::io::{self, BufWriter, Write};
use std::ops::ControlFlow;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::super::window::{Moment, between};
use super::super::{CliError, misused, say, written};
use super::{KeyArgs, LogArgs, NO_CALL_ID, table};
use crate::audit::{Captured, ChainKey, Entry, Kind, entries, parse_call_id};
use crate::log::inert_json;
use crate::record::knows_error;

/// Most calls that are held until the newest ones are known.
const MOST: usize = 1_000_000;

/// Prints the calls of the log that fit all that is asked, newest last. The log is not verified:
/// `tollgate audit verify` does that.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  tollgate audit query --tenant acme --outcome denied --since 2h\n  tollgate audit query --tool get_customer --arguments '{\"customer_id\":\"c-42\"}'\n  tollgate audit query --since 2026-01-31T12:00:00Z --limit 0 --format json | jq .callId"
)]
pub(super) struct QueryArgs {
    #[command(flatten)]
    log: LogArgs,
    #[command(flatten)]
    keys: KeyArgs,
    /// Of this tenant
    #[arg(long)]
    tenant: Option<String>,
    /// Of this caller
    #[arg(long)]
    subject: Option<String>,
    /// Of this tool, or of the resource with this URI template
    #[arg(long)]
    tool: Option<String>,
    /// How they ended: ok, denied, invalid, `timed_out`, failed or cancelled
    #[arg(long, value_parser = ["ok", "denied", "invalid", "timed_out", "failed", "cancelled"])]
    outcome: Option<String>,
    /// With this error, such as quota-exceeded
    #[arg(long, value_name = "KIND")]
    error: Option<String>,
    /// Not earlier: so long ago (90s, 2h, 7d), or a time (2026-01-31T12:00:00Z)
    #[arg(long, value_name = "WHEN")]
    since: Option<Moment>,
    /// Not later
    #[arg(long, value_name = "WHEN")]
    until: Option<Moment>,
    /// With this id
    #[arg(long, value_name = "ID", value_parser = |text: &str| parse_call_id(text).ok_or(NO_CALL_ID))]
    call_id: Option<Uuid>,
    /// With exactly these arguments, as a JSON object; needs the key, since only their digest is kept
    #[arg(long, value_name = "JSON")]
    arguments: Option<String>,
    /// The newest so many; 0 for all
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: usize,
    /// A table for people, or the lines as they are, with what has power over a terminal escaped
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    Json,
}

pub(super) fn run(args: &QueryArgs) -> Result<ExitCode, CliError> {
    let (file, digests) = match &args.arguments {
        None => (args.log.file()?, None),
        Some(text) => {
            let place = args.log.place(&args.keys)?;
            if place.keys.is_empty() {
                return Ok(misused(
                    "--arguments needs the key: give --key-file, or --config instead of --file",
                ));
            }
            let digests = match serde_json::from_str(text) {
                Ok(arguments) => digests(&place.keys, &arguments),
                Err(error) => {
                    return Ok(misused(&format!("--arguments is no JSON object: {error}")));
                }
            };
            (place.file, Some(digests))
        }
    };
    let window = match between(args.since, args.until) {
        Ok(window) => window,
        Err(misused) => return Ok(misused),
    };
    if let Some(kind) = &args.error
        && !knows_error(kind)
    {
        return Ok(misused(&format!(
            "--error {kind}: there is no such error; it is a name from the tables in docs/rest.md and docs/mcp.md"
        )));
    }
    let mut out = Out::new(args);
    let mut written = Ok(());
    let fits = |entry: &Entry<'_>| args.fits(entry, digests.as_deref());
    let unreadable_lines = entries(&file, window, |line, entry| {
        if !fits(&entry) {
            return ControlFlow::Continue(());
        }
        written = out.take(line.text, &entry);
        match written {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    });
    let unreadable_lines = unreadable_lines.map_err(|error| error.to_string())?;
    self::written(written.and_then(|()| out.end()))?;
    if unreadable_lines > 0 {
        say(format_args!(
            "{unreadable_lines} lines could not be read: see tollgate audit verify"
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// The digest of arguments under each key that the log may have had.
fn digests(keys: &[ChainKey], arguments: &Map<String, Value>) -> Vec<String> {
    let digest = |key| {
        let captured = Captured::digest(key, arguments);
        captured.entry().digest.into_owned()
    };
    keys.iter().map(digest).collect()
}

impl QueryArgs {
    fn fits(&self, entry: &Entry<'_>, digests: Option<&[String]>) -> bool {
        let is = |asked: &Option<String>, told: Option<&str>| {
            asked.as_ref().is_none_or(|asked| told == Some(asked))
        };
        // That a call has begun is told by its end as well, unless the process died.
        let is_call = entry.kind == Kind::Call || self.call_id.is_some();
        is_call
            && is(&self.tenant, entry.tenant.as_deref())
            && is(&self.subject, entry.subject.as_deref())
            && is(&self.tool, entry.about().as_deref())
            && is(&self.outcome, entry.outcome.as_deref())
            && is(&self.error, entry.error.as_deref())
            && self.call_id.is_none_or(|id| entry.call_id == id)
            && digests.is_none_or(|digests| {
                let told = entry.arguments.as_ref();
                told.is_some_and(|told| digests.iter().any(|digest| *digest == told.digest))
            })
    }
}

/// Where rows go: out at once, or held until the newest are known.
struct Out {
    to: BufWriter<io::Stdout>,
    is_table: bool,
    is_headed: bool,
    limit: usize,
    held: VecDeque<Vec<u8>>,
    passed_over: u64,
}

impl Out {
    fn new(args: &QueryArgs) -> Self {
        Self {
            to: BufWriter::new(io::stdout()),
            is_table: args.format == Format::Table,
            is_headed: false,
            limit: args.limit.min(MOST),
            held: VecDeque::new(),
            passed_over: 0,
        }
    }

    /// Once, and not where there is no log.
    fn head(&mut self) -> io::Result<()> {
        if self.is_table && !self.is_headed {
            self.is_headed = true;
            writeln!(self.to, "{}", table::heading())?;
        }
        Ok(())
    }

    fn take(&mut self, text: &[u8], entry: &Entry<'_>) -> io::Result<()> {
        let mut row = if self.is_table {
            table::of(entry).into_bytes()
        } else {
            // What is JSON is UTF-8.
            inert_json(&String::from_utf8_lossy(text)).into_bytes()
        };
        row.push(b'\n');
        if self.limit == 0 {
            self.head()?;
            return self.to.write_all(&row);
        }
        if self.held.len() == self.limit {
            self.held.pop_front();
            self.passed_over += 1;
        }
        self.held.push_back(row);
        Ok(())
    }

    fn end(mut self) -> io::Result<()> {
        self.head()?;
        for row in &self.held {
            self.to.write_all(row)?;
        }
        self.to.flush()?;
        if self.passed_over > 0 {
            say(format_args!(
                "the newest {}; {} older ones fit as well: --limit 0 prints all",
                self.limit, self.passed_over
            ));
        }
        Ok(())
    }
}
