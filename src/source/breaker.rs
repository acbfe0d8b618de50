//! A circuit breaker: a source that fails is left alone for a while.
//!
//! Closed, it looks at the last [`LOOKED_AT`] outcomes within a window; when enough of them, and at
//! least half, are failures, it opens: calls are refused at once. After a pause one call is let
//! through. Its success closes the breaker, its failure opens it for twice as long.
//!
//! A reader would ask about a probe whose caller leaves: it tells nothing, so the next call is a
//! probe again. And about one that hangs: after the longest pause another may try. What calls
//! report that began before the last change of state is old news and not counted.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;

use crate::clock::{Clock, instant_now};

/// How many outcomes count.
const LOOKED_AT: usize = 20;
/// When to ask again while the one call is under way whose outcome decides.
const PROBE_WAIT: Duration = Duration::from_secs(1);

/// When a breaker opens, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct BreakerSettings {
    /// Failures that open it, where they are at least half of the outcomes.
    pub failures: usize,
    /// How long an outcome counts.
    pub window: Duration,
    /// How long it stays open at first.
    pub pause: Duration,
    /// How long it stays open at most.
    pub max_pause: Duration,
}

/// What a breaker does with calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerState {
    /// Lets them through.
    Closed,
    /// Has let one through, whose outcome decides.
    HalfOpen,
    /// Refuses them.
    Open,
}

/// What the end of a call tells about the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Health {
    /// It did its work.
    Good,
    /// It did not.
    Bad,
    /// Nothing.
    Unknown,
}

pub(super) struct Breaker {
    /// The source's name, for the log.
    name: String,
    settings: BreakerSettings,
    standing: ArcSwap<Standing>,
}

/// How a breaker stands: one for all that follow each other.
struct Standing {
    inner: Mutex<Inner>,
    /// How often each state was entered: also one for those that stand otherwise.
    entered: Arc<[AtomicU64; 3]>,
}

struct Inner {
    clock: Clock,
    phase: Phase,
    /// Counts the changes of phase.
    epoch: u64,
    /// When calls ended, and whether well.
    outcomes: VecDeque<(Duration, bool)>,
    pause: Duration,
}

#[derive(Clone, Copy)]
enum Phase {
    Closed,
    Open { until: Duration },
    Probing { since: Duration },
}

/// A call that was let through. Dropped without an end, it tells nothing; unless its time was up.
pub(super) struct Pass<'a> {
    breaker: &'a Breaker,
    epoch: u64,
    deadline: Option<Instant>,
}

impl Breaker {
    pub(super) fn new(name: &str, settings: BreakerSettings) -> Self {
        Self {
            name: name.to_owned(),
            standing: ArcSwap::from_pointee(Standing {
                inner: Mutex::new(Inner::closed(Clock::system(), &settings)),
                entered: Arc::default(),
            }),
            settings,
        }
    }

    pub(super) fn tell_time_by(&self, clock: Clock) {
        self.standing.load().inner().clock = clock;
    }

    /// Stands from now on as `before` does, for the same source, as far as our settings let it.
    pub(super) fn follow(&self, before: &Self) {
        let standing = before.standing.load_full();
        let mut inner = standing.inner();
        let longest = inner.clock.monotonic() + self.settings.max_pause;
        match &mut inner.phase {
            Phase::Closed => inner.pause = self.settings.pause,
            Phase::Probing { .. } => inner.pause = inner.pause.min(self.settings.max_pause),
            Phase::Open { until } => {
                *until = longest.min(*until);
                inner.pause = inner.pause.min(self.settings.max_pause);
            }
        }
        drop(inner);
        self.standing.store(standing);
    }

    /// Counts on from where `before` stands, which was elsewhere: what the source did there says nothing.
    pub(super) fn count_on(&self, before: &Self) {
        let clock = self.standing.load().inner().clock.clone();
        self.standing.store(Arc::new(Standing {
            inner: Mutex::new(Inner::closed(clock, &self.settings)),
            entered: Arc::clone(&before.standing.load().entered),
        }));
    }

    /// Lets a call through, or says how long to wait. A call that is dropped after its `deadline`
    /// counts as a failure.
    pub(super) fn enter(&self, deadline: Option<Instant>) -> Result<Pass<'_>, Duration> {
        let standing = self.standing.load();
        let mut inner = standing.inner();
        let now = inner.clock.monotonic();
        match inner.phase {
            Phase::Closed => {}
            Phase::Open { until } if now < until => return Err(until - now),
            Phase::Probing { since } if now < since + self.settings.max_pause => {
                return Err(PROBE_WAIT);
            }
            Phase::Open { .. } | Phase::Probing { .. } => {
                self.change(&standing, &mut inner, Phase::Probing { since: now });
            }
        }
        Ok(Pass {
            breaker: self,
            epoch: inner.epoch,
            deadline,
        })
    }

    pub(super) fn state(&self) -> BreakerState {
        state_of(self.standing.load().inner().phase)
    }

    /// How often the state was entered.
    pub(super) fn entered(&self, state: BreakerState) -> u64 {
        self.standing.load().entered[state as usize].load(Ordering::Relaxed)
    }

    fn ended(&self, epoch: u64, health: Health) {
        let standing = self.standing.load();
        let mut inner = standing.inner();
        if inner.epoch != epoch {
            return;
        }
        let now = inner.clock.monotonic();
        match (inner.phase, health) {
            (Phase::Closed, Health::Unknown) | (Phase::Open { .. }, _) => {}
            (Phase::Closed, health) => {
                if inner.fails(now, health == Health::Good, &self.settings) {
                    let until = now + inner.pause;
                    self.change(&standing, &mut inner, Phase::Open { until });
                }
            }
            (Phase::Probing { .. }, Health::Good) => {
                inner.pause = self.settings.pause;
                self.change(&standing, &mut inner, Phase::Closed);
            }
            (Phase::Probing { .. }, Health::Bad) => {
                inner.pause = (inner.pause * 2).min(self.settings.max_pause);
                let until = now + inner.pause;
                self.change(&standing, &mut inner, Phase::Open { until });
            }
            (Phase::Probing { .. }, Health::Unknown) => {
                self.change(&standing, &mut inner, Phase::Open { until: now });
            }
        }
    }

    fn change(&self, standing: &Standing, inner: &mut Inner, phase: Phase) {
        let (before, state) = (state_of(inner.phase), state_of(phase));
        inner.turn_to(phase);
        if before == state {
            return;
        }
        standing.enters(state);
        let source = self.name.as_str();
        match (before, state) {
            (BreakerState::Closed, _) => {
                tracing::warn!(source, pause = ?inner.pause, "a source fails: calls of it are refused");
            }
            (_, BreakerState::Closed) => {
                tracing::info!(source, "a source works again: calls of it are let through");
            }
            // Callers can make this happen at will, by leaving.
            _ => tracing::debug!(source, ?state, "a source that failed is tried again"),
        }
    }
}

impl Standing {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enters(&self, state: BreakerState) {
        self.entered[state as usize].fetch_add(1, Ordering::Relaxed);
    }
}

impl Inner {
    fn closed(clock: Clock, settings: &BreakerSettings) -> Self {
        Self {
            clock,
            phase: Phase::Closed,
            epoch: 0,
            outcomes: VecDeque::with_capacity(LOOKED_AT),
            pause: settings.pause,
        }
    }

    /// What calls report that began before is old news.
    fn turn_to(&mut self, phase: Phase) {
        self.phase = phase;
        self.epoch += 1;
        self.outcomes.clear();
    }

    /// Takes an outcome in; whether there are too many failures now.
    fn fails(&mut self, now: Duration, good: bool, settings: &BreakerSettings) -> bool {
        if self.outcomes.len() == LOOKED_AT {
            self.outcomes.pop_front();
        }
        self.outcomes.push_back((now, good));
        while let Some((then, _)) = self.outcomes.front() {
            if *then + settings.window >= now {
                break;
            }
            self.outcomes.pop_front();
        }
        let failures = self.outcomes.iter().filter(|(_, good)| !good).count();
        !good && failures >= settings.failures && failures * 2 >= self.outcomes.len()
    }
}

impl Pass<'_> {
    pub(super) fn ended(mut self, health: Health) {
        self.breaker.ended(self.epoch, health);
        // Nothing is left to tell.
        self.epoch = u64::MAX;
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        let is_late = self.deadline.is_some_and(|end| instant_now() >= end);
        let health = if is_late {
            Health::Bad
        } else {
            Health::Unknown
        };
        if self.epoch != u64::MAX {
            self.breaker.ended(self.epoch, health);
        }
    }
}

fn state_of(phase: Phase) -> BreakerState {
    match phase {
        Phase::Closed => BreakerState::Closed,
        Phase::Open { .. } => BreakerState::Open,
        Phase::Probing { .. } => BreakerState::HalfOpen,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn breaker() -> (Breaker, Clock) {
        let breaker = Breaker::new(
            "crm",
            BreakerSettings {
                failures: 5,
                window: 10 * SECOND,
                pause: SECOND,
                max_pause: 3 * SECOND,
            },
        );
        let clock = Clock::turned();
        breaker.tell_time_by(clock.clone());
        (breaker, clock)
    }

    fn end(breaker: &Breaker, health: Health) {
        breaker.enter(None).expect("let through").ended(health);
    }

    fn refused_for(breaker: &Breaker) -> Option<Duration> {
        breaker.enter(None).err()
    }

    #[test]
    fn it_opens_on_enough_failures_that_are_half_of_the_outcomes() {
        let (few, _) = breaker();
        (0..4).for_each(|_| end(&few, Health::Bad));
        assert_eq!(few.state(), BreakerState::Closed);
        end(&few, Health::Bad);
        assert_eq!(refused_for(&few), Some(SECOND));

        let (mixed, _) = breaker();
        (0..10).for_each(|_| end(&mixed, Health::Good));
        (0..9).for_each(|_| end(&mixed, Health::Bad));
        assert_eq!(mixed.state(), BreakerState::Closed);
        end(&mixed, Health::Bad);
        assert_eq!(mixed.state(), BreakerState::Open);
    }

    #[test]
    fn old_failures_and_ends_that_tell_nothing_do_not_count() {
        let (breaker, clock) = breaker();
        (0..4).for_each(|_| end(&breaker, Health::Bad));
        clock.advance(11 * SECOND);
        (0..4).for_each(|_| end(&breaker, Health::Bad));
        (0..100).for_each(|_| end(&breaker, Health::Unknown));
        drop(breaker.enter(None));
        assert_eq!(breaker.state(), BreakerState::Closed);
    }

    #[test]
    fn a_call_whose_time_was_up_is_a_failure_and_one_that_was_left_is_none() {
        let (breaker, _) = breaker();
        let later = instant_now() + 3_600 * SECOND;
        (0..9).for_each(|_| drop(breaker.enter(Some(later))));
        assert_eq!(breaker.state(), BreakerState::Closed);
        (0..5).for_each(|_| drop(breaker.enter(Some(instant_now()))));
        assert_eq!(breaker.state(), BreakerState::Open);
    }

    #[test]
    fn pauses_grow_while_probes_fail_and_start_anew_after_a_success() {
        let (breaker, clock) = breaker();
        (0..5).for_each(|_| end(&breaker, Health::Bad));
        for pause in [1, 2, 3, 3] {
            assert_eq!(refused_for(&breaker), Some(pause * SECOND));
            clock.advance(pause * SECOND);
            let probe = breaker.enter(None).expect("one is let through");
            assert_eq!(refused_for(&breaker), Some(PROBE_WAIT));
            probe.ended(Health::Bad);
        }
        clock.advance(3 * SECOND);
        end(&breaker, Health::Good);
        assert_eq!(breaker.state(), BreakerState::Closed);
        assert_eq!(breaker.entered(BreakerState::HalfOpen), 5);
        (0..5).for_each(|_| end(&breaker, Health::Bad));
        assert_eq!(refused_for(&breaker), Some(SECOND));
    }

    #[test]
    fn a_probe_that_is_left_or_hangs_makes_room_for_another() {
        let (breaker, clock) = breaker();
        (0..5).for_each(|_| end(&breaker, Health::Bad));
        clock.advance(SECOND);
        drop(breaker.enter(None));
        let hangs = breaker.enter(None).expect("the next one is a probe");
        assert!(refused_for(&breaker).is_some());
        clock.advance(3 * SECOND);
        end(&breaker, Health::Good);
        hangs.ended(Health::Bad);
        assert_eq!(breaker.state(), BreakerState::Closed);
    }

    #[test]
    fn calls_from_before_a_change_say_nothing_about_what_is_now() {
        let (breaker, clock) = breaker();
        let slow: Vec<Pass<'_>> = (0..5).flat_map(|_| breaker.enter(None)).collect();
        let slow_but_good = breaker.enter(None).expect("closed");
        (0..5).for_each(|_| end(&breaker, Health::Bad));
        clock.advance(SECOND);
        slow_but_good.ended(Health::Good);
        assert_eq!(breaker.state(), BreakerState::Open);
        end(&breaker, Health::Good);
        slow.into_iter().for_each(|pass| pass.ended(Health::Bad));
        assert_eq!(breaker.state(), BreakerState::Closed);
    }
}
