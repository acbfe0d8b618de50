//! What counting a call costs: in memory with one bucket and with a million, on one thread and on
//! two, and the memory that a million buckets take.
//!
//! `cargo bench --bench quota`. Callers come in an order that no cache foresees.

use std::fs;
use std::hint::black_box;
use std::thread;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tollgate::Quota;
use tollgate::quota::gcra::Steps;
use tollgate::quota::{Buckets, Charge};

const MILLION: u64 = 1_000_000;

/// As wide as the server's own keys: two words, of which hashing cannot skip one.
type Key = (u64, u64);

fn charge(n: u64) -> Charge<Key> {
    let quota = Quota::per(5, Duration::from_secs(10));
    Charge {
        key: (n.wrapping_mul(0x9e37_79b9_7f4a_7c15), n),
        steps: Steps::new(&quota, 1),
        is_enforced: true,
    }
}

/// Tables in which every bucket is there already: making one is another, rarer cost.
fn buckets(count: u64) -> Buckets<Key> {
    let buckets = Buckets::new(2 * MILLION as usize);
    for n in 0..count {
        let taken = buckets.take(&[charge(n)], Duration::ZERO);
        assert!(taken.is_ok(), "there is room");
    }
    buckets
}

/// Takes from a bucket that lies far from the last one.
fn take(buckets: &Buckets<Key>, count: u64, turn: u64) {
    let now = Duration::from_micros(turn);
    let taken = buckets.take(&[charge(turn.wrapping_mul(7_368_787) % count)], now);
    black_box(taken.is_ok());
}

fn in_memory(c: &mut Criterion) {
    for count in [1, MILLION] {
        let buckets = buckets(count);
        let mut turn = 0;
        c.bench_function(&format!("admit in memory, {count} buckets"), |bencher| {
            bencher.iter(|| {
                turn += 1;
                take(&buckets, count, turn);
            });
        });
    }
}

#[expect(clippy::disallowed_methods, reason = "a bench measures")]
fn on_two_threads(c: &mut Criterion) {
    let buckets = buckets(MILLION);
    let mut group = c.benchmark_group("admit in memory, a million buckets, in all");
    for threads in [1, 2] {
        group.throughput(Throughput::Elements(threads));
        group.bench_function(format!("{threads} threads"), |bencher| {
            bencher.iter_custom(|turns| {
                let began = Instant::now();
                thread::scope(|scope| {
                    for thread in 0..threads {
                        let buckets = &buckets;
                        scope.spawn(move || {
                            (0..turns).for_each(|turn| take(buckets, MILLION, turn + thread * 31));
                        });
                    }
                });
                began.elapsed()
            });
        });
    }
    group.finish();
}

fn memory(_: &mut Criterion) {
    let Some(before) = resident_kib() else {
        return eprintln!("memory per bucket: only Linux tells");
    };
    let buckets = buckets(MILLION);
    let used = resident_kib().unwrap_or(before).saturating_sub(before);
    println!(
        "a million buckets: {:.1} MiB, {} bytes each",
        used as f64 / 1024.0,
        used * 1024 / MILLION
    );
    drop(buckets);
}

/// `VmRSS` of this process (proc(5)).
fn resident_kib() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

criterion_group!(benches, memory, in_memory, on_two_threads);
criterion_main!(benches);
