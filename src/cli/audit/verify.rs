//! `tollgate audit verify`: every line of the log, checked.

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;

use super::super::{CliError, misused, print};
use super::{KeyArgs, LogArgs, LogPlace};
use crate::audit::{Check, Finding, Unreadable, Verdict, lanes, verify};
use crate::clock::instant_now;

/// How often the progress is told.
const TELL_PERIOD: Duration = Duration::from_millis(200);

/// Checks the whole log: chain, numbers, head. It may be written meanwhile. Exit code 0: whole; 1: not,
/// or not readable; 2: wrong usage.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  tollgate audit verify\n  tollgate audit verify --file audit.jsonl --key-file audit.key --since-seq 100000"
)]
pub(super) struct VerifyArgs {
    #[command(flatten)]
    log: LogArgs,
    #[command(flatten)]
    keys: KeyArgs,
    /// Pass over files that end before this sequence number
    #[arg(long, value_name = "N", default_value_t = 1)]
    since_seq: u64,
    /// Print nothing but what is wrong
    #[arg(long, short)]
    quiet: bool,
}

pub(super) fn run(args: &VerifyArgs) -> Result<ExitCode, CliError> {
    let LogPlace {
        file,
        keys,
        is_configured,
        keeps_few,
    } = args.log.place(&args.keys)?;
    if keys.is_empty() {
        return Ok(misused(
            "a log cannot be checked without its key: give --key-file, or --config instead of --file",
        ));
    }
    let check = Check {
        keys: &keys,
        first_is_in_force: is_configured,
        since: args.since_seq,
        keeps_few,
    };
    let mut progress = Progress::new(&file, args.quiet);
    let verdicts = verify(&file, &check, &mut |read| progress.tell(read));
    progress.end();
    let verdicts = verdicts.map_err(|error| Unreadable { file, error }.to_string())?;
    for verdict in &verdicts {
        report(verdict, args.quiet)?;
    }
    summary(&verdicts, args.quiet)
}

fn report(verdict: &Verdict, quiet: bool) -> Result<(), CliError> {
    if !quiet {
        let shown = verdict.file.display();
        let whole = if verdict.is_whole() {
            "whole"
        } else {
            "NOT whole"
        };
        let (first, last) = (verdict.first.unwrap_or(0), verdict.last);
        print(format_args!(
            "{shown}: {whole}, sequence {first} to {last}, {} lines in {} {}",
            verdict.lines,
            verdict.files,
            if verdict.files == 1 { "file" } else { "files" }
        ))?;
        list("note", &verdict.notes.listed, verdict.notes.count)?;
    }
    list("FAULT", &verdict.flaws.listed, verdict.flaws.count)
}

fn list<T: std::fmt::Display>(
    kind: &str,
    findings: &[Finding<T>],
    count: u64,
) -> Result<(), CliError> {
    for found in findings {
        let (file, line, seq) = (found.file.display(), found.line, found.seq);
        print(format_args!(
            "  {kind}: {file} line {line}, sequence {seq}: {}",
            found.what
        ))?;
    }
    match count.saturating_sub(findings.len() as u64) {
        0 => Ok(()),
        more => print(format_args!("  {kind}: and {more} more")),
    }
}

fn summary(verdicts: &[Verdict], quiet: bool) -> Result<ExitCode, CliError> {
    let flaws: u64 = verdicts.iter().map(|verdict| verdict.flaws.count).sum();
    let listed = verdicts.iter().flat_map(|verdict| &verdict.flaws.listed);
    match listed.map(|found| found.seq).min() {
        None if quiet => Ok(ExitCode::SUCCESS),
        None => {
            print("whole: every line is as it was written")?;
            Ok(ExitCode::SUCCESS)
        }
        Some(first) => {
            let faults = if flaws == 1 { "fault" } else { "faults" };
            print(format_args!(
                "NOT whole: {flaws} {faults}, the first at sequence {first}"
            ))?;
            Ok(ExitCode::FAILURE)
        }
    }
}

/// How far it came, for somebody who watches.
struct Progress {
    all: u64,
    told: Option<Instant>,
    is_told: bool,
}

impl Progress {
    fn new(file: &Path, quiet: bool) -> Self {
        let is_told = !quiet && std::io::stderr().is_terminal();
        let lanes = if is_told { lanes(file) } else { Ok(Vec::new()) };
        let files = lanes.unwrap_or_default().into_iter().flat_map(|lane| {
            let full = lane.segments().unwrap_or_default().into_iter();
            full.map(|segment| segment.path).chain([lane.file])
        });
        let sizes = files.filter_map(|path| Some(path.metadata().ok()?.len()));
        Self {
            all: sizes.sum(),
            told: None,
            is_told,
        }
    }

    fn tell(&mut self, read: u64) {
        let now = instant_now();
        let is_due = |told: Instant| now.saturating_duration_since(told) >= TELL_PERIOD;
        if self.is_told && self.told.is_none_or(is_due) {
            self.told = Some(now);
            let percent = read.saturating_mul(100) / self.all.max(1);
            let _ = write!(std::io::stderr(), "\r{:3} % checked", percent.min(100));
        }
    }

    fn end(&self) {
        if self.told.is_some() {
            let _ = write!(std::io::stderr(), "\r{:20}\r", "");
        }
    }
}
