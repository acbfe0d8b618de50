//! From when on, until when: a time, or how long ago.

use std::str::FromStr;
use std::time::Duration;

use crate::config::parse_duration;

/// A moment as it is named on the command line.
#[derive(Clone, Copy, Debug)]
pub(in crate::cli) enum Moment {
    /// Since the Unix epoch.
    At(Duration),
    /// Before now.
    Ago(Duration),
}

impl Moment {
    /// Since the Unix epoch.
    pub(in crate::cli) fn unix(self, now: Duration) -> Duration {
        match self {
            Self::At(unix) => unix,
            Self::Ago(span) => now.saturating_sub(span),
        }
    }
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
