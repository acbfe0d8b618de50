//! `sources.NAME.breaker`: when a source that fails is left alone for a while.
//!
//! A reader would ask why the share of failures (half) and the number of calls looked at (20) are no settings:
//! nobody has a reason for other ones, and a breaker with six knobs is set wrong.

use std::time::Duration;

use super::document::At;
use super::duration;
use super::faults::Faults;
use super::raw::{RawBreaker, RawBreakerSettings};

/// A checked breaker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breaker {
    /// Failures that open it, 1 to 20, default 5.
    pub failures: usize,
    /// How long a call counts; more than 0, at most 1 h, default 10 s.
    pub window: Duration,
    /// How long it stays open at first; more than 0, at most 1 h, default 1 s.
    pub pause: Duration,
    /// How long it stays open at most; at least `pause`, at most 1 h, default 30 s.
    pub max_pause: Duration,
}

/// `None` where the file says `off`.
pub(super) fn check(raw: Option<RawBreaker>, at: &At<'_>, faults: &mut Faults) -> Option<Breaker> {
    let raw = match raw {
        Some(RawBreaker::Off(_) | RawBreaker::Switch(false)) => return None,
        Some(RawBreaker::On(raw)) => raw,
        Some(RawBreaker::Switch(true)) | None => RawBreakerSettings::default(),
    };
    let mut read = |key, text: &str| {
        let least = Duration::from_millis(1);
        duration::read(text, least, &at.key(key), faults)
    };
    let breaker = Breaker {
        failures: raw.failures,
        window: read("window", &raw.window),
        pause: read("pause", &raw.pause),
        max_pause: read("maxPause", &raw.max_pause),
    };
    if breaker.max_pause < breaker.pause && !breaker.max_pause.is_zero() {
        let message =
            "must be at least as long as `pause`, which is 1s unless the file says otherwise";
        at.key("maxPause").fault(faults, message);
    }
    Some(breaker)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::{faults, good};

    fn breaker(text: &str) -> Option<Breaker> {
        let text = format!("sources: {{shop: {{sqlite: a, breaker: {text}}}}}");
        good(&text).sources["shop"].breaker.clone()
    }

    #[test]
    fn a_breaker_has_defaults_and_may_be_off() {
        let usual = Breaker {
            failures: 5,
            window: Duration::from_secs(10),
            pause: Duration::from_secs(1),
            max_pause: Duration::from_secs(30),
        };
        assert_eq!(breaker("{}").as_ref(), Some(&usual));
        let plain = good("sources: {shop: {sqlite: a}}");
        assert_eq!(plain.sources["shop"].breaker.as_ref(), Some(&usual));
        assert_eq!((breaker("off"), breaker("false")), (None, None));
        let pause = Duration::from_millis(50);
        assert_eq!(breaker("{pause: 50ms}"), Some(Breaker { pause, ..usual }));
    }

    #[test]
    fn a_breaker_has_sensible_settings() {
        assert_eq!(
            faults(
                "sources:\n  a:\n    sqlite: a\n    breaker:\n      failures: 5\n      window: 0s\n      pause: 2s\n      maxPause: 1s\n"
            ),
            [
                "tollgate.yaml:6: sources.a.breaker.window: must be more than zero, such as 10s",
                "tollgate.yaml:8: sources.a.breaker.maxPause: must be at least as long as `pause`, which is 1s unless the file says otherwise",
            ]
        );
    }
}
