//! How long to wait, in words that people and models read the same way.

use std::fmt;
use std::time::Duration;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// `2.1 s`, `3 min 20 s`, `5 h 12 min`, `6 d 4 h`: rounded up, so never too early.
pub(super) struct Wait(pub(super) Duration);

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenths = self.0.as_nanos().div_ceil(100_000_000);
        // Tenths of a second in a minute.
        if tenths < 600 {
            return write!(f, "{}.{} s", tenths / 10, tenths % 10);
        }
        let seconds = u64::try_from(tenths.div_ceil(10)).unwrap_or(u64::MAX);
        let in_units = |f: &mut fmt::Formatter<'_>, (large, its), (small, unit)| {
            let smalls = seconds.div_ceil(unit);
            let per_large = its / unit;
            match (smalls / per_large, smalls % per_large) {
                (larges, 0) => write!(f, "{larges} {large}"),
                (larges, rest) => write!(f, "{larges} {large} {rest} {small}"),
            }
        };
        // What rounds up to a whole larger unit is told in that one.
        if seconds < HOUR {
            in_units(f, ("min", MINUTE), ("s", 1))
        } else if seconds.div_ceil(MINUTE) < DAY / MINUTE {
            in_units(f, ("h", HOUR), ("min", MINUTE))
        } else {
            in_units(f, ("d", DAY), ("h", HOUR))
        }
    }
}

/// Whole milliseconds, rounded up.
pub(crate) fn millis_up(wait: Duration) -> u64 {
    u64::try_from(wait.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_has_at_most_two_units_and_is_never_too_short() {
        for (millis, text) in [
            (0, "0.0 s"),
            (1, "0.1 s"),
            (2_001, "2.1 s"),
            (59_900, "59.9 s"),
            (59_901, "1 min"),
            (60_001, "1 min 1 s"),
            (200_000, "3 min 20 s"),
            (3_599_001, "1 h"),
            (3_600_000, "1 h"),
            (18_661_000, "5 h 12 min"),
            (86_399_000, "1 d"),
            (90_000_001, "1 d 2 h"),
            (31_622_400_000, "366 d"),
        ] {
            assert_eq!(
                Wait(Duration::from_millis(millis)).to_string(),
                text,
                "{millis}"
            );
        }
        let most = Wait(Duration::MAX).to_string();
        assert!(most.ends_with(" h"), "{most}");
    }
}
