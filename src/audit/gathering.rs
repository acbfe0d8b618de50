//! How long lines wait for each other before they are written.
//!
//! The calls of a busy server shall share one write and one sync instead of each waking the writer, and
//! a call that is alone shall not wait for others that do not come. So the pause grows with how many
//! lines came at once of late. A reader would ask why there is one at all, since lines gather by
//! themselves while a sync runs: where the writer shares its core with the calls, a write and a sync of
//! a few lines each cost the calls more than the pause does.

use std::time::Duration;

use super::Durability;

/// The pause where nobody waits for lines.
const BEST_EFFORT: Duration = Duration::from_millis(10);
/// And where calls wait: this for each line that came at once of late.
const STRICT_MICROS_PER_LINE: u64 = 5;
/// But no more than this: two syncs of a fast disk.
const STRICT_MAX_MICROS: u64 = 300;
/// A pause shorter than this is none: to sleep and wake up takes longer.
const STRICT_MIN_MICROS: u64 = 30;
/// Parts of a line, so that the average does not stick to whole ones.
const PARTS: u64 = 16;

/// How many lines came at once of late.
#[derive(Default)]
pub(super) struct Gathering {
    /// A moving average, in parts of a line.
    parts: u64,
}

impl Gathering {
    /// This many lines were taken at once.
    pub(super) fn took(&mut self, lines: u64) {
        self.parts = self
            .parts
            .saturating_mul(3)
            .saturating_add(lines.saturating_mul(PARTS))
            / 4;
    }

    /// How long the next ones gather.
    pub(super) fn pause(&self, durability: Durability) -> Duration {
        if durability == Durability::BestEffort {
            return BEST_EFFORT;
        }
        let micros = self.parts.saturating_mul(STRICT_MICROS_PER_LINE) / PARTS;
        if micros < STRICT_MIN_MICROS {
            return Duration::ZERO;
        }
        Duration::from_micros(micros.min(STRICT_MAX_MICROS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pause_after(takes: impl IntoIterator<Item = u64>) -> Duration {
        let mut gathering = Gathering::default();
        takes.into_iter().for_each(|lines| gathering.took(lines));
        gathering.pause(Durability::Strict)
    }

    #[test]
    fn a_call_that_is_alone_waits_for_no_others() {
        assert_eq!(pause_after([]), Duration::ZERO);
        assert_eq!(pause_after([1; 100]), Duration::ZERO);
    }

    #[test]
    fn the_more_lines_come_at_once_the_longer_they_gather_up_to_a_limit() {
        let pauses = [10, 20, 40, 10_000, u64::MAX].map(|lines| pause_after([lines; 100]));
        assert!(
            pauses[..4].is_sorted_by(|shorter, longer| shorter < longer),
            "{pauses:?}"
        );
        assert_eq!(pauses[3..], [Duration::from_micros(300); 2]);
    }

    #[test]
    fn a_burst_that_is_over_is_forgotten() {
        let after = std::iter::once(10_000).chain([1; 40]);
        assert_eq!(pause_after(after), Duration::ZERO);
    }
}
