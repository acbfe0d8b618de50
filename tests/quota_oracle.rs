//! The arithmetic of limits agrees with that of the `governor` crate.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::FakeRelativeClock;
use governor::{Quota as Oracle, RateLimiter};
use proptest::prelude::*;
use tollgate::Quota;
use tollgate::quota::gcra::{Steps, Verdict, decide};

proptest! {
    #[test]
    fn calls_go_through_when_governor_lets_them(
        interval_ms in 1u64..10_000, burst in 1u32..50,
        calls in prop::collection::vec((0u64..20_000, 1u32..8), 1..200),
    ) {
        let interval = Duration::from_millis(interval_ms);
        let clock = FakeRelativeClock::default();
        let oracle = Oracle::with_period(interval)
            .expect("not zero")
            .allow_burst(NonZeroU32::new(burst).expect("not zero"));
        let oracle = RateLimiter::direct_with_clock(oracle, clock.clone());
        let quota = Quota::per(1, interval).burst(burst);
        let (mut tat, mut now) = (0u64, 0u64);
        for (wait_ms, cost) in calls {
            let wait = Duration::from_millis(wait_ms);
            clock.advance(wait);
            now += u64::try_from(wait.as_nanos()).expect("small");
            let verdict = decide(tat.saturating_sub(now), &Steps::new(&quota, cost));
            let cells = NonZeroU32::new(cost).expect("not zero");
            let through = matches!(oracle.check_n(cells), Ok(Ok(())));
            prop_assert_eq!(verdict.conforms(), through);
            if let Verdict::Conforming { ahead, .. } = verdict {
                tat = now + ahead;
            }
        }
    }
}
