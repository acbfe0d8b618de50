//! The buckets under every interleaving of a few threads.
//!
//! The same source as the library's, with loom's locks and atomics in place of the standard ones.

#[path = "../src/quota/memory.rs"]
#[expect(
    dead_code,
    unreachable_pub,
    reason = "a part of the library, by itself"
)]
mod memory;

mod gcra {
    pub(super) use tollgate::quota::gcra::{Steps, Verdict, decide, nanos};
}

mod sync {
    pub(super) use std::sync::PoisonError;

    pub(super) use loom::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
    pub(super) use loom::sync::{Mutex, MutexGuard};

    /// The same in every run, as loom demands.
    pub(super) type RandomState = foldhash::fast::FixedState;
}

mod tool {
    pub(crate) use tollgate::Quota;
    pub(crate) use tollgate::tool::MAX_LIMITS;
}

use std::time::Duration;

use loom::sync::Arc;
use loom::thread;
use memory::{Buckets, Charge, admits};
use tool::Quota;

fn charge(key: u64, burst: u32) -> Charge<u64> {
    let quota = Quota::per(1, Duration::from_secs(1)).burst(burst);
    Charge {
        key,
        steps: gcra::Steps::new(&quota, 1),
        is_enforced: true,
    }
}

/// Runs calls on threads of their own and counts those that go through.
fn admitted(buckets: Arc<Buckets<u64>>, calls: [Vec<Charge<u64>>; 2]) -> usize {
    let now = Duration::from_secs(1);
    let threads: Vec<_> = calls
        .into_iter()
        .map(|charges| {
            let buckets = Arc::clone(&buckets);
            thread::spawn(move || {
                let verdicts = buckets.take(&charges, now);
                verdicts.is_ok_and(|verdicts| admits(&charges, &verdicts))
            })
        })
        .collect();
    let through = threads
        .into_iter()
        .map(|thread| thread.join().expect("no panic"));
    through.filter(|through| *through).count()
}

#[test]
fn one_token_is_never_given_twice_while_idle_buckets_are_swept_out() {
    loom::model(|| {
        let buckets = Arc::new(Buckets::new(2));
        let swept = Arc::clone(&buckets);
        let sweep = thread::spawn(move || swept.evict_idle(Duration::from_secs(1)));
        let calls = [vec![charge(1, 1)], vec![charge(1, 1)]];
        assert_eq!(admitted(Arc::clone(&buckets), calls), 1);
        sweep.join().expect("no panic");
        assert_eq!(buckets.len(), 1);
    });
}

#[test]
fn calls_with_several_limits_in_any_order_end_and_take_all_or_nothing() {
    loom::model(|| {
        // Enough shards that the two keys do not share one.
        let buckets = Arc::new(Buckets::new(64));
        let calls = [
            vec![charge(1, 1), charge(2, 2)],
            vec![charge(2, 2), charge(1, 1)],
        ];
        assert_eq!(admitted(Arc::clone(&buckets), calls), 1);
        let now = Duration::from_secs(1);
        let second = Duration::from_secs(1).as_nanos() as u64;
        assert_eq!(
            (buckets.ahead(&1, now), buckets.ahead(&2, now)),
            (second, second)
        );
    });
}

#[test]
fn the_cap_on_buckets_holds_and_a_call_beyond_it_takes_nothing() {
    loom::model(|| {
        let buckets = Arc::new(Buckets::new(1));
        let calls = [vec![charge(1, 1)], vec![charge(2, 1)]];
        assert_eq!(admitted(Arc::clone(&buckets), calls), 1);
        assert_eq!(buckets.len(), 1);
    });
}
