//! The keys of one issuer now, and when to load them again.
//!
//! One future, [`KeyRing::keep_fresh`], does all the loading; callers read the current set without
//! a lock and at most ask for a load, once per cool-down, when a token names a key that is not
//! there. The cool-down is the negative cache as well: until it is over, unknown keys cost nothing.
//! When loading fails the last good set goes on, up to its greatest age, and then nothing does.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use jsonwebtoken::Algorithm;
use tokio::sync::{Notify, watch};

use super::jwks::{KeySet, Lookup};
use super::source::{Loaded, Source};
use super::{KeySource, KeySourceError, KeyState, KeyTimes};
use crate::auth::AuthError;
use crate::auth::fetch::{FETCH_TIMEOUT, FetchError, Fetcher};
use crate::auth::issuer::Candidate;
use crate::clock::Clock;

/// Pause after a first failure; it doubles with each further one, up to the cool-down or the refresh
/// interval, whichever is shorter.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

pub(in crate::auth) struct KeyRing {
    issuer: String,
    source: Source,
    times: KeyTimes,
    current: ArcSwapOption<Held>,
    /// When the current set was last found to be current; monotonic nanoseconds.
    loaded_at: AtomicU64,
    /// When they are to be loaded again; monotonic nanoseconds.
    due: AtomicU64,
    loads: watch::Sender<Loads>,
    asked: Notify,
    counts: Arc<Counts>,
}

/// What was counted since the start.
#[derive(Default)]
struct Counts {
    refreshes: AtomicU64,
    failures: AtomicU64,
}

struct Held {
    keys: KeySet,
    /// Counts changes of content, from 1.
    generation: u64,
}

/// Loads are numbered from 1.
#[derive(Default)]
struct Loads {
    started: u64,
    finished: u64,
    /// The last one that callers asked for.
    awaited: u64,
    asked_at: Option<Duration>,
}

impl KeyRing {
    pub(in crate::auth) fn new(
        issuer: &str,
        source: &KeySource,
        times: KeyTimes,
    ) -> Result<Self, KeySourceError> {
        if times.refresh >= times.max_age {
            return Err(KeySourceError::Times);
        }
        Ok(Self {
            issuer: issuer.to_owned(),
            source: Source::new(issuer, source)?,
            times,
            current: ArcSwapOption::empty(),
            loaded_at: AtomicU64::new(0),
            due: AtomicU64::new(0),
            loads: watch::Sender::default(),
            asked: Notify::new(),
            counts: Arc::default(),
        })
    }

    /// The key for a token with this header. Waits for a load where one may help, no longer than a
    /// load may take.
    ///
    /// # Errors
    /// [`AuthError::Unavailable`] without usable keys, [`AuthError::Invalid`] when none of them fits.
    pub(in crate::auth) async fn find(
        &self,
        id: Option<&str>,
        algorithm: Algorithm,
        clock: &Clock,
    ) -> Result<Candidate, AuthError> {
        let mut may_wait = true;
        loop {
            let held = self.usable(clock);
            let load = match &held {
                Some(held) => match held.keys.find(id, algorithm) {
                    Lookup::Found(key) => {
                        return Ok(Candidate {
                            key: Arc::clone(key),
                            generation: held.generation,
                        });
                    }
                    Lookup::Unfit(cause) => return Err(AuthError::Invalid { cause }),
                    Lookup::Unknown if may_wait => self.ask(clock.monotonic()),
                    Lookup::Unknown => None,
                },
                // At start the first load is on its way; afterwards waiting would only pile up calls.
                None => (may_wait && self.loads.borrow().finished == 0).then_some(1),
            };
            match load {
                Some(load) => self.finished(load, clock).await,
                None if held.is_none() => return Err(AuthError::Unavailable),
                None => {
                    return Err(AuthError::Invalid {
                        cause: "signed with a key that the issuer does not publish",
                    });
                }
            }
            may_wait = false;
        }
    }

    /// Whether the keys are still those of this generation.
    ///
    /// # Errors
    /// [`AuthError::Unavailable`] when they are too old.
    pub(in crate::auth) fn is_at(&self, generation: u64, clock: &Clock) -> Result<bool, AuthError> {
        if self.age(clock) > self.times.max_age {
            return Err(AuthError::Unavailable);
        }
        let current = self.current.load();
        Ok(current
            .as_ref()
            .is_some_and(|held| held.generation == generation))
    }

    /// Counts on from where `before` stands, if it is of the same issuer.
    pub(in crate::auth) fn count_on(&mut self, before: &Self) {
        if self.issuer == before.issuer {
            self.counts = Arc::clone(&before.counts);
        }
    }

    /// Whether this ring's keys are also those of an issuer of that description.
    pub(in crate::auth) fn is_same_as(&self, other: &Self) -> bool {
        self.issuer == other.issuer && self.source == other.source && self.times == other.times
    }

    /// Loads the keys, unless they were before; a failure is an end, too.
    pub(in crate::auth) async fn load_first(&self, clock: &Clock, fetcher: &Fetcher) {
        let mut loads = self.loads.subscribe();
        tokio::select! {
            biased;
            _ = loads.wait_for(|loads| loads.finished > 0) => {}
            () = self.keep_fresh(clock, fetcher) => {}
        }
    }

    /// Loads the keys at once, and then again whenever it is time. Never ends; one that takes over
    /// from another that was dropped goes on in its rhythm.
    pub(in crate::auth) async fn keep_fresh(&self, clock: &Clock, fetcher: &Fetcher) {
        let mut pause = FIRST_PAUSE;
        let due = Duration::from_nanos(self.due.load(Ordering::Acquire));
        self.rest(due, clock).await;
        loop {
            let now = clock.monotonic();
            let rest = match self.load(now, clock, fetcher).await {
                Ok(period) => {
                    pause = FIRST_PAUSE;
                    period
                }
                Err(error) => {
                    self.failed(error, clock);
                    let longest = self.times.cooldown.min(self.times.refresh);
                    let rest = pause.min(longest.max(FIRST_PAUSE));
                    pause = rest * 2;
                    rest
                }
            };
            // Counted from the start of the load, however long it took.
            let due = now.saturating_add(rest);
            self.due.store(nanos(due), Ordering::Release);
            self.loads
                .send_modify(|loads| loads.finished = loads.started);
            self.rest(due, clock).await;
        }
    }

    pub(in crate::auth) fn state(&self, clock: &Clock) -> KeyState {
        let held = self.current.load();
        let keys = held.as_ref().map_or(0, |held| held.keys.len());
        let age = held.as_ref().map(|_| self.age(clock));
        KeyState {
            issuer: self.issuer.clone(),
            usable: keys > 0 && age.is_some_and(|age| age <= self.times.max_age),
            age,
            keys,
            refreshes: self.counts.refreshes.load(Ordering::Relaxed),
            failures: self.counts.failures.load(Ordering::Relaxed),
        }
    }

    fn usable(&self, clock: &Clock) -> Option<Arc<Held>> {
        // The age first: a load in between makes the set newer than its age, never older.
        let is_young = self.age(clock) <= self.times.max_age;
        self.current.load_full().filter(|_| is_young)
    }

    fn age(&self, clock: &Clock) -> Duration {
        let loaded_at = Duration::from_nanos(self.loaded_at.load(Ordering::Acquire));
        clock.monotonic().saturating_sub(loaded_at)
    }

    /// Asks for a load, or joins one. The number of the load to wait for; `None` while it is too
    /// soon for another.
    fn ask(&self, now: Duration) -> Option<u64> {
        let (mut load, mut is_first) = (None, false);
        self.loads.send_if_modified(|loads| {
            let rests = loads
                .asked_at
                .is_none_or(|at| now >= at.saturating_add(self.times.cooldown));
            if loads.finished < loads.started.max(loads.awaited) {
                load = Some(loads.started.max(loads.awaited));
            } else if rests {
                loads.asked_at = Some(now);
                loads.awaited = loads.started + 1;
                load = Some(loads.awaited);
                is_first = true;
            }
            false
        });
        if is_first {
            self.asked.notify_one();
        }
        load
    }

    async fn finished(&self, load: u64, clock: &Clock) {
        let mut loads = self.loads.subscribe();
        let deadline = clock.monotonic().saturating_add(FETCH_TIMEOUT);
        tokio::select! {
            _ = loads.wait_for(|loads| loads.finished >= load) => {}
            () = clock.reached(deadline) => {}
        }
    }

    /// Until it is time, or somebody asks for a load that has not been made yet.
    async fn rest(&self, due: Duration, clock: &Clock) {
        loop {
            tokio::select! {
                () = clock.reached(due) => return,
                () = self.asked.notified() => {
                    let loads = self.loads.borrow();
                    if loads.finished < loads.awaited {
                        return;
                    }
                }
            }
        }
    }

    /// Loads once; how long until the next time.
    async fn load(
        &self,
        now: Duration,
        clock: &Clock,
        fetcher: &Fetcher,
    ) -> Result<Duration, KeySourceError> {
        self.loads.send_modify(|loads| loads.started += 1);
        let loaded = tokio::select! {
            loaded = self.source.load(&self.issuer, fetcher) => loaded?,
            () = clock.reached(now.saturating_add(FETCH_TIMEOUT)) => return Err(FetchError::TimedOut.into()),
        };
        let period = self.source.period(self.times.refresh, loaded.max_age);
        self.accept(loaded, now);
        Ok(period)
    }

    /// The age counts from `now`, when the load began: what the source removed since may be in it.
    fn accept(&self, loaded: Loaded, now: Duration) {
        let current = self.current.load();
        let is_same = current
            .as_ref()
            .is_some_and(|held| held.keys == loaded.keys);
        if !is_same {
            let generation = current.as_ref().map_or(0, |held| held.generation) + 1;
            report(&self.issuer, &loaded);
            self.current.store(Some(Arc::new(Held {
                keys: loaded.keys,
                generation,
            })));
        }
        // Last: keys that were too old must not look young before they are replaced.
        self.loaded_at.store(nanos(now), Ordering::Release);
        self.counts.refreshes.fetch_add(1, Ordering::Relaxed);
    }

    fn failed(&self, error: KeySourceError, clock: &Clock) {
        self.counts.failures.fetch_add(1, Ordering::Relaxed);
        let issuer = &self.issuer;
        if self.usable(clock).is_some() {
            tracing::warn!(%issuer, cause = %error, "the issuer's keys cannot be loaded; the last good ones are used");
        } else {
            tracing::error!(%issuer, cause = %error, "the issuer's keys cannot be loaded; its tokens cannot be verified");
        }
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn report(issuer: &str, loaded: &Loaded) {
    for key in &loaded.skipped {
        let reason = key.reason;
        if key.is_leak {
            tracing::error!(%issuer, reason, "a key of the issuer is not used");
        } else {
            tracing::debug!(%issuer, reason, "a key of the issuer is not used");
        }
    }
    let keys = loaded.keys.len();
    if keys == 0 {
        tracing::warn!(%issuer, "the issuer publishes no key that can be used; its tokens are refused");
    } else {
        tracing::info!(%issuer, keys, "the issuer's keys were loaded");
    }
}
