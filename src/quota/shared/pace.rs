//! How long to leave a bad store alone, and how often it must prove itself.
//!
//! A store that answers every other request would, if one proof were enough, cost a call its whole
//! timeout as often as it is tried. So a connection that was lost soon after it was made counts like
//! one that could not be made: pauses grow, and several proofs in a row are asked for.

use std::time::Duration;

const SHORTEST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(2);
/// A connection that lived as long was good, whatever came then.
const STEADY: Duration = Duration::from_secs(10);
/// Proofs of a store that failed soon after it was good.
const PROOFS: u32 = 8;

/// The pauses of one store.
pub(super) struct Pace {
    pause: Duration,
    proofs: u32,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            pause: SHORTEST,
            proofs: 1,
        }
    }
}

impl Pace {
    pub(super) fn pause(&self) -> Duration {
        self.pause
    }

    pub(super) fn proofs(&self) -> u32 {
        self.proofs
    }

    /// A connection could not be made or proved.
    pub(super) fn failed(&mut self) {
        self.pause = (2 * self.pause).min(LONGEST);
    }

    /// A connection was lost that had lived for `life`.
    pub(super) fn lost_after(&mut self, life: Duration) {
        if life >= STEADY {
            *self = Self::default();
        } else {
            self.failed();
            self.proofs = PROOFS;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_end_with_a_steady_connection() {
        let mut pace = Pace::default();
        assert_eq!((pace.pause(), pace.proofs()), (SHORTEST, 1));
        pace.failed();
        assert_eq!((pace.pause(), pace.proofs()), (2 * SHORTEST, 1));
        for _ in 0..10 {
            pace.lost_after(STEADY / 2);
        }
        assert_eq!((pace.pause(), pace.proofs()), (LONGEST, PROOFS));
        pace.lost_after(STEADY);
        assert_eq!((pace.pause(), pace.proofs()), (SHORTEST, 1));
    }
}
