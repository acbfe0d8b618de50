//! `tollgate replay`: decides recorded calls again, by another configuration, and tells which flip.
//!
//! It needs no secret and touches nothing but the files it reads: see [`Decider`]. A reader would ask
//! why rate limits are left out unless asked for: a log holds the calls of one replica and of one span
//! of time, so what limits would have said is an estimate, and what scopes and rules say is not.

mod judge;
mod order;
mod progress;
mod recorded;
mod report;
mod tally;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueEnum};
use tokio::runtime::Runtime;

use super::window::{self, Moment, between};
use super::{CONFIG_FILE, CliError, print};
use crate::audit::{Entry, RawLine, Said, Window, lanes, said};
use crate::config::{Config, audit_file, shares_quotas};
use crate::log::inert_json;
use crate::server::{Decider, StartError};
use judge::{Counting, Judge};
use order::InOrder;
use progress::Progress;
use recorded::{Recorded, Taker};
use tally::Tally;

/// Decides the calls of an audit log again by the policies of a configuration and tells which of them
/// would go otherwise, and why. Runs no tool and opens no source. Exit 0: none flips; 1: some do, or
/// there was nothing to decide.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  tollgate replay --config new.yaml --since 7d\n  tollgate replay --config new.yaml --before tollgate.yaml --audit audit.jsonl --tool get_customer --quotas"
)]
pub(super) struct ReplayArgs {
    /// The configuration to decide by
    #[arg(long, short, value_name = "FILE", default_value = CONFIG_FILE)]
    config: PathBuf,
    /// The audit log, with the files that were full before it; repeat for those of several replicas. Default: `audit.file` of the configuration
    #[arg(long, value_name = "FILE")]
    audit: Vec<PathBuf>,
    /// The configuration that was in force. Where arguments were not recorded, calls of tools whose
    /// schema and rules on arguments are the same in both can still be decided
    #[arg(long, value_name = "FILE")]
    before: Option<PathBuf>,
    /// Only calls from then on: a time such as 2026-11-22T08:00:00Z, or how long ago, such as 7d
    #[arg(long, value_name = "WHEN")]
    since: Option<Moment>,
    /// Only calls before then
    #[arg(long, value_name = "WHEN")]
    until: Option<Moment>,
    /// Tell only of calls of this tenant
    #[arg(long)]
    tenant: Option<String>,
    /// Tell only of calls of this tool, or of the resource with this URI template
    #[arg(long, value_name = "NAME")]
    tool: Option<String>,
    /// Count the calls against the rate limits as well, from full buckets, at the times of the log
    #[arg(long)]
    quotas: bool,
    /// How to tell what came of it
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// Counts, and a table of what flips
    Text,
    /// One JSON object
    Json,
}

pub(super) fn run(args: &ReplayArgs) -> Result<ExitCode, CliError> {
    let before = args.before.as_deref().map(|file| {
        let config = config(file, false)?;
        Decider::new(&config).map_err(CliError::from)
    });
    let new = config(&args.config, args.quotas)?;
    let bounds = match between(args.since, args.until) {
        Ok(bounds) => bounds,
        Err(misused) => return Ok(misused),
    };
    let counting = match args.quotas {
        false => Counting::No,
        true if shares_quotas(&args.config)? => Counting::Together,
        true => Counting::Apart,
    };
    let mut judge = Judge::new(new, before.transpose()?, counting)?;
    let tally = replay(args, bounds, &mut judge)?;
    match args.format {
        Format::Text => print(report::text(&tally).trim_end())?,
        Format::Json => print(inert_json(&format!("{:#}", report::json(&tally))))?,
    }
    Ok(match tally.decided() > 0 && tally.flips() == 0 {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

fn replay(args: &ReplayArgs, bounds: Window, judge: &mut Judge) -> Result<Tally, CliError> {
    let mut replay = Replay {
        filter: Filter { args, bounds },
        runtime: tokio::runtime::Builder::new_current_thread().build()?,
        judge,
        order: InOrder::default(),
        tally: Tally::default(),
    };
    let (logs, mut progress, mut told) = (files(args)?, Progress::new(), Ok(()));
    let window = Window {
        since: bounds.since,
        until: None,
    };
    let logs = logs.iter().map(PathBuf::as_path);
    let unreadable = said(logs, window, |line, said| {
        progress.step();
        told = replay.hear(&line, said);
        match told {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    });
    progress.end();
    replay.tally.unreadable = unreadable.map_err(|unreadable| unreadable.to_string())?;
    told?;
    replay.end()
}

/// Which calls are meant.
struct Filter<'a> {
    args: &'a ReplayArgs,
    bounds: Window,
}

impl Filter<'_> {
    fn holds(&self, at: Duration) -> bool {
        let Window { since, until } = self.bounds;
        since.is_none_or(|since| at >= since) && until.is_none_or(|until| at < until)
    }

    /// Whether a line that is no decided call is of a call that was asked about.
    fn asks_about(&self, entry: &Entry<'_>) -> bool {
        let is = |asked: &Option<String>, told: Option<&str>| {
            asked.as_deref().is_none_or(|asked| told == Some(asked))
        };
        let at = window::unix(&entry.time);
        at.is_none_or(|at| self.holds(at))
            && is(&self.args.tenant, entry.tenant.as_deref())
            && is(&self.args.tool, entry.about().as_deref())
    }

    fn tells_of(&self, call: &Recorded) -> bool {
        let (tenant, tool) = (self.args.tenant.as_ref(), self.args.tool.as_deref());
        tenant.is_none_or(|tenant| *tenant == call.tenant)
            && tool.is_none_or(|tool| call.target.name() == Some(tool))
    }
}

/// A replay on its way.
struct Replay<'a> {
    filter: Filter<'a>,
    runtime: Runtime,
    judge: &'a mut Judge,
    order: InOrder<Event>,
    tally: Tally,
}

impl Replay<'_> {
    /// Takes a line in.
    fn hear(&mut self, line: &RawLine<'_>, said: Said<'_>) -> Result<(), StartError> {
        let (lane, counts) = (line.lane, self.filter.args.quotas);
        let heard = match said {
            Said::Mark(mark) => {
                let at = window::unix(&mark.time).filter(|_| mark.is_start());
                at.map(|at| (at, at, Event::Start(lane)))
            }
            Said::Call(entry) => match Recorded::of(&entry, lane) {
                // Those that are not told of take from buckets all the same.
                Ok(call) if counts || self.filter.tells_of(&call) => {
                    Some((call.came, call.at, Event::Call(Box::new(call))))
                }
                Ok(_) => None,
                Err(skipped) => {
                    if self.filter.asks_about(&entry) {
                        self.tally.skip(skipped);
                    }
                    let taker = Taker::of(&entry, lane).filter(|_| counts);
                    taker.map(|call| (call.came, call.at, Event::Taken(call)))
                }
            },
        };
        let Some((_, at, event)) = heard.filter(|(came, ..)| self.filter.holds(*came)) else {
            return Ok(());
        };
        if !counts {
            // Whatever came before makes no difference.
            return self.happen(event);
        }
        let next = self.order.push(at, line.text.len(), event);
        next.into_iter().try_for_each(|event| self.happen(event))
    }

    fn happen(&mut self, event: Event) -> Result<(), StartError> {
        match event {
            Event::Call(call) => {
                let change = self.runtime.block_on(self.judge.decide(&call))?;
                if self.filter.tells_of(&call) {
                    self.tally.count(&call, change);
                }
            }
            Event::Taken(call) => self.runtime.block_on(self.judge.take(&call))?,
            Event::Start(lane) => self.judge.starts(lane)?,
        }
        Ok(())
    }

    fn end(mut self) -> Result<Tally, CliError> {
        for event in std::mem::take(&mut self.order).rest() {
            self.happen(event)?;
        }
        Ok(self.tally)
    }
}

/// What the log tells of.
enum Event {
    /// A call that is decided again.
    Call(Box<Recorded>),
    /// One that is not, and took from buckets.
    Taken(Taker),
    /// The process of that lane starts.
    Start(usize),
}

fn files(args: &ReplayArgs) -> Result<Vec<PathBuf>, CliError> {
    if !args.audit.is_empty() {
        return each_once(&args.audit);
    }
    let file = audit_file(&args.config)?;
    let file = file.ok_or_else(|| {
        let config = args.config.display();
        format!("{config} names no audit log: name one with --audit")
    })?;
    Ok(vec![file])
}

/// The logs, none twice: a log comes with its lanes, and each call counts once.
fn each_once(logs: &[PathBuf]) -> Result<Vec<PathBuf>, CliError> {
    // By its folder, since of a log there may be no more than its full files.
    let real = |file: &Path| {
        let folder = file
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new(".")).canonicalize();
        let name = file.file_name().unwrap_or_default();
        folder.map_or_else(|_| file.to_owned(), |folder| folder.join(name))
    };
    let mut seen: Vec<PathBuf> = Vec::new();
    for log in logs {
        // A log that cannot be looked at is told of when it is read.
        let lanes = lanes(log).unwrap_or_default().into_iter();
        let files = lanes.flat_map(|lane| {
            let full = lane.segments().unwrap_or_default().into_iter();
            full.map(|segment| segment.path).chain([lane.file])
        });
        let files: Vec<_> = files.map(|file| real(&file)).collect();
        if let Some(twice) = files.iter().find(|file| seen.contains(file)) {
            let (log, twice) = (log.display(), twice.display());
            return Err(format!("--audit {log}: {twice} is named, or beside one that is: its calls would count twice").into());
        }
        seen.extend(files);
    }
    Ok(logs.to_vec())
}

fn config(file: &Path, counts: bool) -> Result<Config, CliError> {
    let mut config = Config::load_deciding(file)?;
    if !counts {
        config.lift_limits();
    }
    Ok(config)
}
