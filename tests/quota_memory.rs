//! Buckets in memory: exact under concurrency, all or nothing over several limits, bounded.

use std::thread;
use std::time::Duration;

use tollgate::Quota;
use tollgate::quota::gcra::Steps;
use tollgate::quota::{Buckets, Charge, admits};

const FIVE: Quota = Quota::per(5, Duration::from_secs(10));

fn charge(key: u64, quota: Quota) -> Charge<u64> {
    Charge {
        key,
        steps: Steps::new(&quota, 1),
        is_enforced: true,
    }
}

fn goes_through(buckets: &Buckets<u64>, charges: &[Charge<u64>], now: Duration) -> bool {
    let verdicts = buckets.take(charges, now).expect("there is room");
    admits(charges, &verdicts)
}

/// How many of 200 calls from eight threads go through.
fn of_two_hundred(buckets: &Buckets<u64>, charges: &[Charge<u64>], now: Duration) -> usize {
    let some = || {
        (0..25)
            .filter(|_| goes_through(buckets, charges, now))
            .count()
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(some)).collect();
        let counts = threads.into_iter().map(|thread| thread.join());
        counts.map(|count| count.expect("no panic")).sum()
    })
}

#[test]
fn two_hundred_calls_at_once_on_a_limit_of_five_give_five() {
    let buckets = Buckets::new(10);
    assert_eq!(
        of_two_hundred(&buckets, &[charge(1, FIVE)], Duration::ZERO),
        5
    );
}

#[test]
fn of_several_limits_the_tightest_decides_and_the_others_lose_nothing_to_refused_calls() {
    let buckets = Buckets::new(1_000);
    let three = Quota::per(3, Duration::from_secs(60));
    let charges = [charge(1, FIVE), charge(2, three), charge(3, FIVE)];
    assert_eq!(of_two_hundred(&buckets, &charges, Duration::ZERO), 3);
    for key in [1, 3] {
        assert_eq!(
            of_two_hundred(&buckets, &[charge(key, FIVE)], Duration::ZERO),
            2
        );
    }
}

#[test]
fn what_is_not_enforced_is_counted_with_the_call_and_refuses_nothing() {
    let buckets = Buckets::new(10);
    let shadow = Charge {
        is_enforced: false,
        ..charge(2, Quota::per(1, Duration::from_secs(1)))
    };
    let charges = [charge(1, FIVE), shadow];
    assert_eq!(of_two_hundred(&buckets, &charges, Duration::ZERO), 5);
    assert_eq!(buckets.ahead(&2, Duration::ZERO), 1_000_000_000);
}

#[test]
fn evicting_while_calls_run_never_gives_tokens_back() {
    let (buckets, now) = (Buckets::new(1_000), Duration::from_nanos(1));
    let admitted = thread::scope(|scope| {
        let evictor = scope.spawn(|| (0..2_000).for_each(|_| buckets.evict_idle(now)));
        let admitted: usize = (0..20)
            .map(|_| of_two_hundred(&buckets, &[charge(1, FIVE)], now))
            .sum();
        evictor.join().expect("no panic");
        admitted
    });
    assert_eq!(admitted, 5);
}

#[test]
fn a_spent_bucket_is_never_evicted_and_an_idle_one_is() {
    let buckets = Buckets::new(10);
    assert!(goes_through(&buckets, &[charge(1, FIVE)], Duration::ZERO));
    buckets.evict_idle(Duration::from_secs(1));
    assert_eq!(buckets.len(), 1);
    buckets.evict_idle(Duration::from_secs(2));
    assert!(buckets.is_empty());
}

#[test]
fn a_full_table_refuses_new_callers_until_others_are_idle_and_takes_nothing_from_their_other_buckets()
 {
    let buckets = Buckets::new(2);
    for key in [1, 2] {
        assert!(goes_through(&buckets, &[charge(key, FIVE)], Duration::ZERO));
    }
    let both = [charge(1, FIVE), charge(3, FIVE)];
    assert!(buckets.take(&both, Duration::ZERO).is_err());
    assert_eq!(
        of_two_hundred(&buckets, &[charge(1, FIVE)], Duration::ZERO),
        4
    );
    assert!(goes_through(&buckets, &both, Duration::from_secs(60)));
    assert_eq!(buckets.len(), 2);
}

#[test]
fn a_bucket_is_raised_and_never_lowered() {
    let buckets = Buckets::new(1);
    let now = Duration::from_secs(1);
    buckets.raise(1, 7, now);
    buckets.raise(1, 5, now);
    buckets.raise(2, 5, now);
    assert_eq!((buckets.ahead(&1, now), buckets.len()), (7, 1));
}

#[test]
fn a_limit_that_was_lowered_is_empty_and_no_emptier_and_its_wait_is_true() {
    let (second, minute) = (Duration::from_secs(1), Duration::from_secs(60));
    let (wide, narrow) = (
        Quota::per(60, minute).burst(600),
        Quota::per(60, minute).burst(10),
    );
    // Alone, and beside another limit.
    for other in [None, Some(charge(2, Quota::per(1_000, second)))] {
        let buckets = Buckets::new(10);
        let charges = |quota| Vec::from_iter([Some(charge(1, quota)), other].into_iter().flatten());
        let spent = (0..700).filter(|_| goes_through(&buckets, &charges(wide), Duration::ZERO));
        assert_eq!(spent.count(), 600);
        assert!(!goes_through(&buckets, &charges(narrow), Duration::ZERO));
        assert!(!goes_through(&buckets, &charges(narrow), second / 2));
        assert!(
            goes_through(&buckets, &charges(narrow), second),
            "it was told to come back"
        );
        assert!(!goes_through(&buckets, &charges(narrow), second));
    }
}
