//! Durations as the config file writes them: a whole number and one unit, such as `10s`.
//!
//! Shared by the sections. A reader would ask why not `1m30s`: one number and one unit read the same to everyone, and `90s` says it.

use std::time::Duration;

use super::document::At;
use super::faults::Faults;

const UNITS: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1000),
    ("ms", 1),
];

/// The longest timeout and shutdown grace: one hour.
const LONGEST: Duration = Duration::from_secs(3600);

/// Parses `500ms`, `10s`, `5m`, `1h` or `1d`. The message of a fault does not quote the text.
pub(crate) fn parse(text: &str) -> Result<Duration, &'static str> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    if number.is_empty() {
        return Err("a duration starts with a whole number, such as 10s");
    }
    let Some((_, millis)) = UNITS.iter().find(|(name, _)| *name == unit) else {
        return Err("the unit of a duration is one of ms, s, m, h, d, such as 10s");
    };
    let millis = number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(*millis));
    millis
        .map(Duration::from_millis)
        .ok_or("the duration is too long")
}

/// Writes a duration with the largest unit that needs no fraction; below a millisecond it is cut off.
pub(crate) fn format(duration: Duration) -> String {
    let millis = duration.as_millis();
    let (unit, size) = UNITS
        .iter()
        .find(|(_, size)| millis >= 1 && millis.is_multiple_of(u128::from(*size)))
        .unwrap_or(&UNITS[4]);
    format!("{}{unit}", millis / u128::from(*size))
}

/// Reads a duration of at least `least` and at most an hour; a fault leaves zero behind.
pub(super) fn read(text: &str, least: Duration, at: &At<'_>, faults: &mut Faults) -> Duration {
    match parse(text) {
        Ok(duration) if duration < least => at.fault(faults, "must be more than zero, such as 10s"),
        Ok(duration) if duration > LONGEST => at.fault(faults, "must be at most 1h"),
        Ok(duration) => return duration,
        Err(message) => at.fault(faults, message),
    }
    Duration::ZERO
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_is_read_and_written() {
        for (text, millis) in [
            ("500ms", 500),
            ("10s", 10_000),
            ("90m", 5_400_000),
            ("2h", 7_200_000),
            ("366d", 31_622_400_000),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
            assert_eq!(format(Duration::from_millis(millis)), text);
        }
        assert_eq!(format(Duration::ZERO), "0ms");
        assert_eq!(format(Duration::from_secs(60)), "1m");
    }

    #[test]
    fn a_bad_duration_says_what_is_wrong() {
        for text in ["", "s", "-1s", "+1s", " 1s", "fast"] {
            assert_eq!(
                parse(text),
                Err("a duration starts with a whole number, such as 10s"),
                "{text}"
            );
        }
        for text in ["10", "1.5s", "1w", "1S", "1m30s", "10 s"] {
            assert_eq!(
                parse(text),
                Err("the unit of a duration is one of ms, s, m, h, d, such as 10s"),
                "{text}"
            );
        }
        for text in ["99999999999999999999s", "18446744073709551615d"] {
            assert_eq!(parse(text), Err("the duration is too long"), "{text}");
        }
    }
}
