//! The script that counts in Redis decides as [`gcra::decide`] does, at any time, rate and cost, to the
//! nanosecond. The clock is the test's, and nothing expires by the real one.

use std::cell::RefCell;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use redis::Script;
use tollgate::Quota;
use tollgate::quota::gcra::{Steps, decide};
use tollgate::quota::script_on_clock;

use crate::redis_server::Redis;

/// The time comes as the last two arguments; `SET` forgets about the end of the key.
const CLOCK: &str = "
local server = redis
local redis = {
  pcall = server.pcall,
  call = function(command, key, value) return server.call(command, key, value) end,
}
local now_us, now_ns = tonumber(ARGV[#ARGV - 1]), tonumber(ARGV[#ARGV])
";

#[derive(Clone, Debug)]
struct Bucket {
    count: u32,
    period_ns: u64,
    burst: u32,
    cost: u32,
    is_enforced: bool,
}

impl Bucket {
    fn steps(&self) -> Steps {
        let period = std::time::Duration::from_nanos(self.period_ns);
        Steps::new(&Quota::per(self.count, period).burst(self.burst), self.cost)
    }
}

/// From a call a nanosecond to one in a year, each with the bursts that fit.
fn bucket() -> impl Strategy<Value = Bucket> {
    let period = prop_oneof![
        1_000_000u64..10_000_000,
        1_000_000_000u64..100_000_000_000,
        86_400_000_000_000u64..31_622_400_000_000_000,
    ];
    let count = prop_oneof![1u32..20, 1_000u32..1_000_000];
    (count, period, 1u32..9, 1u32..4, prop::bool::weighted(0.8)).prop_map(
        |(count, period_ns, burst, cost, is_enforced)| Bucket {
            count,
            period_ns,
            burst,
            cost,
            is_enforced,
        },
    )
}

/// How far the clock goes on, or back, and the hints, as shares of a bucket's capacity in thousandths.
type Step = (i64, Vec<u64>);

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let on = prop_oneof![
        Just(0),
        0i64..2_000,
        0i64..5_000_000_000,
        0i64..1_000_000_000_000_000,
        -5_000_000_000i64..0,
        -1_000_000_000_000_000i64..0,
    ];
    let hint = prop_oneof![4 => Just(0u64), 1 => 0u64..3_000];
    prop::collection::vec((on, prop::collection::vec(hint, 3)), 1..30)
}

/// What the script must do to `tats`.
fn model(tats: &mut [u64], now: u64, buckets: &[Bucket], hints: &[u64], late: u64) -> Vec<u64> {
    let mut befores = Vec::new();
    let mut next = Vec::new();
    let mut admitted = true;
    for (at, bucket) in buckets.iter().enumerate() {
        let steps = bucket.steps();
        let stored = tats[at].saturating_sub(now);
        let hint = hints[at].min(steps.capacity);
        // What has filled on the way was not forgotten.
        let hint = if hint > stored + late { hint } else { 0 };
        let before = stored.max(hint).min(steps.capacity);
        let verdict = decide(before, &steps);
        admitted &= verdict.conforms() || !bucket.is_enforced;
        // No emptier than empty: that is what a clock which was set back would leave.
        let kept = match stored.max(hint).min(steps.capacity) {
            known if hint > stored || stored > steps.capacity => now + known,
            _ => tats[at],
        };
        next.push(match verdict {
            tollgate::quota::gcra::Verdict::Conforming { ahead } => (now + ahead, kept),
            tollgate::quota::gcra::Verdict::Exceeding { .. } => (kept, kept),
        });
        befores.push(before);
    }
    for (tat, (taken, kept)) in tats.iter_mut().zip(next) {
        *tat = if admitted { taken } else { kept };
    }
    [vec![u64::from(admitted)], befores].concat()
}

#[test]
fn the_script_decides_as_the_arithmetic_does() {
    let redis = Redis::start(&[]);
    let client = redis::Client::open(format!("redis+unix://{}", redis.socket().display()));
    let connection = client.expect("a URL").get_connection().expect("it listens");
    let script = Script::new(&script_on_clock(CLOCK));
    // Times of day as the server has them, and the first nanoseconds.
    let start = prop_oneof![
        Just(0u64),
        0u64..10_000,
        1_700_000_000_000_000_000u64..2_500_000_000_000_000_000
    ];
    let late = prop_oneof![Just(0u64), 0u64..1_000_000_000];
    let cases = (start, prop::collection::vec(bucket(), 1..=3), steps(), late);
    let mut runner = TestRunner::new(Config {
        cases: 150,
        failure_persistence: None,
        ..Config::default()
    });
    let connection = RefCell::new(connection);
    let run = runner.run(&cases, |(start, buckets, steps, late)| {
        let mut connection = connection.borrow_mut();
        redis::cmd("FLUSHALL")
            .exec(&mut *connection)
            .expect("an answer");
        let (mut now, mut tats) = (start, vec![0; buckets.len()]);
        for (on, shares) in steps {
            now = now.saturating_add_signed(on);
            let mut asked = script.prepare_invoke();
            let mut hints = Vec::new();
            for (at, bucket) in buckets.iter().enumerate() {
                let steps = bucket.steps();
                let hint = u128::from(steps.capacity) * u128::from(shares[at]) / 1_000;
                hints.push(u64::try_from(hint).unwrap_or(u64::MAX));
                asked.key(format!("bucket {at}"));
                asked.arg(steps.increment).arg(steps.capacity);
                asked.arg(u8::from(bucket.is_enforced)).arg(hints[at]);
            }
            let answer: Vec<u64> = asked
                .arg(late)
                .arg(now / 1_000)
                .arg(now % 1_000)
                .invoke(&mut *connection)
                .expect("an answer");
            prop_assert_eq!(answer, model(&mut tats, now, &buckets, &hints, late));
        }
        Ok(())
    });
    run.unwrap_or_else(|error| panic!("{error}"));
}
