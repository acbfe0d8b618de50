//! From when on, until when: a time, or how long ago.

use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

use super::misused;
use crate::audit::Window;
use crate::clock::Clock;
use crate::config::parse_duration;

/// A moment as it is named on the command line.
#[derive(Clone, Copy, Debug)]
pub(super) enum Moment {
    /// Since the Unix epoch.
    At(Duration),
    /// Before now.
    Ago(Duration),
}

impl Moment {
    /// Since the Unix epoch.
    fn unix(self, now: Duration) -> Duration {
        match self {
            Self::At(unix) => unix,
            Self::Ago(span) => now.saturating_sub(span),
        }
    }
}

/// What lies between; the exit code, where nothing can.
pub(super) fn between(since: Option<Moment>, until: Option<Moment>) -> Result<Window, ExitCode> {
    let now = Clock::system().unix();
    let [since, until] = [since, until].map(|moment| moment.map(|moment| moment.unix(now)));
    if since.zip(until).is_some_and(|(since, until)| since > until) {
        return Err(misused("--since is later than --until: nothing is between"));
    }
    Ok(Window { since, until })
}

impl FromStr for Moment {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let ago = parse_duration(text).map(Self::Ago);
        let moment = ago.ok().or_else(|| unix(text).map(Self::At));
        moment.ok_or("give a time such as 2026-11-22T08:00:00Z, or how long ago, such as 7d")
    }
}

/// An RFC 3339 time since the Unix epoch.
pub(super) fn unix(text: &str) -> Option<Duration> {
    let time: jiff::Timestamp = text.parse().ok()?;
    time.as_duration().try_into().ok()
}
