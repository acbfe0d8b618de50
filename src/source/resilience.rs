//! What stands between the calls of a source and its troubles: a breaker and retries.
//!
//! Both belong to the source and not to the tool: what one tool finds out, the others use. Every
//! try passes the breaker, so that further tries open it no later than first ones would.

use std::future::Future;
use std::time::{Duration, Instant};

use secrecy::{ExposeSecret, SecretString};
use tokio::time::sleep;

use super::breaker::{Breaker, Health, Pass};
pub use super::breaker::{BreakerSettings, BreakerState};
use super::retries::Retries;
use crate::clock::{Clock, instant_now};
use crate::tool::ToolError;

/// Breaker and retries of one source.
pub struct Resilience {
    name: String,
    /// Where the source is: a path or a URL, which may hold a secret by mistake.
    address: SecretString,
    breaker: Option<Breaker>,
    retries: Retries,
}

/// How a try failed.
pub(super) struct Failure {
    pub(super) error: ToolError,
    /// What that tells about the source.
    pub(super) health: Health,
    /// Whether another try may go better, and after how long at the earliest.
    pub(super) again: Option<Duration>,
}

/// What a call allows.
#[derive(Clone, Copy)]
pub(super) struct Tries {
    pub(super) deadline: Instant,
    /// Whether a further one does no harm.
    pub(super) repeatable: bool,
    /// How much time a try must have had, for it to be the source's failure when the deadline ends it;
    /// `None`: it never is. One that began late, since its call had to wait, says nothing.
    pub(super) fair_time: Option<Duration>,
}

impl Resilience {
    /// Of the source of that name, which is at `address`. `retries`: further tries of a call; without a breaker,
    /// none opens.
    pub fn new(
        name: &str,
        address: SecretString,
        retries: u32,
        breaker: Option<BreakerSettings>,
    ) -> Self {
        Self {
            name: name.to_owned(),
            address,
            breaker: breaker.map(|settings| Breaker::new(name, settings)),
            retries: Retries::new(retries),
        }
    }

    /// Uses this clock for the breaker's window and pauses.
    pub fn tell_time_by(&self, clock: &Clock) {
        if let Some(breaker) = &self.breaker {
            breaker.tell_time_by(clock.clone());
        }
    }

    /// Goes on where `before`, of the same name, stands: what it counted and may spend and, if it is at the same
    /// address, whether its breaker is open. Calls that began before still tell both.
    pub fn follow(&self, before: &Self) {
        let is_there = self.address.expose_secret() == before.address.expose_secret();
        match (&self.breaker, &before.breaker) {
            (Some(own), Some(before)) if is_there => own.follow(before),
            (Some(own), Some(before)) => own.count_on(before),
            _ => {}
        }
        self.retries.follow(&before.retries);
    }

    /// The source's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How the breaker stands; `None` without one.
    pub fn state(&self) -> Option<BreakerState> {
        self.breaker.as_ref().map(Breaker::state)
    }

    /// How often the breaker entered the state.
    pub fn entered(&self, state: BreakerState) -> u64 {
        let breaker = self.breaker.as_ref();
        breaker.map_or(0, |breaker| breaker.entered(state))
    }

    /// Further tries so far.
    pub fn retries(&self) -> u64 {
        self.retries.made()
    }

    /// Tries until one succeeds, fails for good, or nothing allows another.
    pub(super) async fn call<T, F>(
        &self,
        call: Tries,
        attempt: impl Fn() -> F,
    ) -> Result<T, ToolError>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let mut pass = self.enter(call).map_err(unavailable)?;
        // Not before: a call that is refused here is no try.
        self.retries.earn();
        let mut tries = 0;
        loop {
            tries += 1;
            let failure = match attempt().await {
                Ok(value) => {
                    end(pass, Health::Good);
                    return Ok(value);
                }
                Err(failure) => failure,
            };
            end(pass, failure.health);
            let Some(least) = failure.again.filter(|_| call.repeatable) else {
                return Err(failure.error);
            };
            let wait = Retries::wait(tries).max(least);
            let left = call.deadline.saturating_duration_since(instant_now());
            if wait >= left || !self.retries.spend(tries) {
                return Err(failure.error);
            }
            sleep(wait).await;
            pass = match self.enter(call) {
                Ok(pass) => pass,
                Err(_) => return Err(failure.error),
            };
        }
    }

    fn enter(&self, call: Tries) -> Result<Option<Pass<'_>>, Duration> {
        let left = call.deadline.saturating_duration_since(instant_now());
        let is_fair = call.fair_time.is_some_and(|least| left >= least);
        let deadline = is_fair.then_some(call.deadline);
        let breaker = self.breaker.as_ref();
        breaker.map(|breaker| breaker.enter(deadline)).transpose()
    }
}

fn end(pass: Option<Pass<'_>>, health: Health) {
    if let Some(pass) = pass {
        pass.ended(health);
    }
}

fn unavailable(retry_after: Duration) -> ToolError {
    ToolError::Unavailable { retry_after }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    /// Opens at the first failure, for good.
    const QUICK: BreakerSettings = BreakerSettings {
        failures: 1,
        window: Duration::from_secs(10),
        pause: Duration::from_secs(3_600),
        max_pause: Duration::from_secs(3_600),
    };

    fn source(retries: u32) -> Resilience {
        Resilience::new("crm", "crm.db".into(), retries, Some(QUICK))
    }

    #[test]
    fn a_try_that_began_too_late_says_nothing_of_the_source() {
        for (least, opens) in [(Duration::ZERO, true), (Duration::from_secs(1), false)] {
            let source = source(0);
            let call = Tries {
                deadline: instant_now(),
                repeatable: false,
                fair_time: Some(least),
            };
            let ended = source.call(call, std::future::pending::<Result<(), Failure>>);
            assert!(ended.now_or_never().is_none());
            assert_eq!(source.state() == Some(BreakerState::Open), opens);
        }
    }

    #[tokio::test]
    async fn calls_that_are_refused_at_once_earn_no_further_tries() {
        let source = source(1);
        let call = Tries {
            deadline: instant_now() + Duration::from_secs(60),
            repeatable: true,
            fair_time: None,
        };
        while source.retries.spend(1) {}
        let failing = || async {
            Err::<(), _>(Failure {
                error: ToolError::Busy,
                health: Health::Bad,
                again: None,
            })
        };
        for _ in 0..100 {
            assert!(source.call(call, failing).await.is_err());
        }
        assert!(!source.retries.spend(1), "one try was made, not a hundred");
    }
}
