//! Moments on the command line: so long ago, or a time of the calendar.

use std::time::Duration;

use crate::clock::Clock;
use crate::config::parse_duration;

/// A moment, since the Unix epoch: `2h` (ago), or RFC 3339 such as `2026-01-31T12:00:00Z`.
pub(in crate::cli) fn parse_moment(text: &str) -> Result<Duration, String> {
    if let Ok(ago) = parse_duration(text) {
        return Ok(Clock::system().unix().saturating_sub(ago));
    }
    let wrong = "write how long ago, such as 90s, 2h or 7d, or a time such as 2026-01-31T12:00:00Z";
    let time: jiff::Timestamp = text.parse().map_err(|_| wrong.to_owned())?;
    Duration::try_from(time.as_duration()).map_err(|_| "the time is before 1970".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_so_long_ago_or_in_the_calendar() {
        assert_eq!(
            parse_moment("1970-01-02T00:00:00Z"),
            Ok(Duration::from_secs(86_400))
        );
        assert_eq!(
            parse_moment("1970-01-02T01:00:00+01:00"),
            Ok(Duration::from_secs(86_400))
        );
        let hour_ago = parse_moment("1h").unwrap();
        assert!(Clock::system().unix() - hour_ago >= Duration::from_secs(3600));
        for text in ["", "yesterday", "-2h", "2026-01-31", "1960-01-01T00:00:00Z"] {
            assert!(parse_moment(text).is_err(), "{text}");
        }
    }
}
