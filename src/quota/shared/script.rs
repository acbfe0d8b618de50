//! The one script that counts a call in the store, and what it is told and answers.
//!
//! A reader would ask why the arithmetic is written a second time, in Lua: reading the buckets,
//! deciding and writing them must be one step for all replicas, and only the store can make it one.
//! The script answers where the buckets stood; the verdicts are [`decide`](super::super::gcra::decide)'s
//! on these, and if the two disagree, the store is held to be broken.

use std::time::Duration;

use redis::{Cmd, ErrorKind, Script, ServerErrorKind};
use smallvec::SmallVec;

use super::connect::Connection;
use super::fault::StoreFault;
use crate::quota::gcra::{Steps, decide};
use crate::quota::memory::{Charge, Verdicts, admits};

const BODY: &str = include_str!("script.lua");
/// The server's own clock: replicas' clocks differ. Fixed while a script runs.
const SERVER_CLOCK: &str = "\
local time = redis.call('TIME')
local now_us, now_ns = time[1] * 1000000 + time[2], 0
";
/// The furthest from full that a bucket in the store may lie: a hundred years.
const FARTHEST: u64 = 100 * 365 * 86_400 * 1_000_000_000;

/// The script on another clock: Lua text that sets the locals `now_us` (a whole number) and `now_ns`
/// (0 to 999). For tests, which pass the time.
pub fn script_on_clock(clock: &str) -> String {
    format!("{clock}{BODY}")
}

/// What the script is told of one bucket.
pub(super) struct Entry<'a> {
    /// Its key in the store.
    pub(super) key: &'a str,
    pub(super) steps: Steps,
    pub(super) is_enforced: bool,
    /// How many nanoseconds from full it is at least when this is sent, as far as this process knows.
    pub(super) hint: u64,
}

/// A script by its hash and, for a server that does not know it, by its text.
pub(super) struct Counter {
    script: Script,
    text: String,
    /// How late a hint may be when it reaches the store, in nanoseconds.
    late: u64,
}

impl Counter {
    /// For requests that take `late` at most.
    pub(super) fn new(late: Duration) -> Self {
        let text = script_on_clock(SERVER_CLOCK);
        Self {
            script: Script::new(&text),
            text,
            late: u64::try_from(late.as_nanos())
                .unwrap_or(u64::MAX)
                .min(FARTHEST),
        }
    }

    /// Runs the script: by its hash, and by its text where the server has forgotten it (`SCRIPT
    /// FLUSH`, a restart, a failover), which makes it known again on the very node that was asked.
    pub(super) async fn run(
        &self,
        connection: &Connection,
        entries: &[Entry<'_>],
    ) -> Result<Answer, StoreFault> {
        let by_hash = command("EVALSHA", self.script.get_hash(), entries, self.late);
        let answer = match connection.send(&by_hash).await {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                let by_text = command("EVAL", &self.text, entries, self.late);
                connection.send(&by_text).await
            }
            answer => answer,
        };
        Answer::read(answer?, entries.len())
    }
}

/// No bucket in the store lies further from full than a time of day can tell exactly.
pub(super) fn bounded(mut steps: Steps) -> Steps {
    steps.increment = steps.increment.min(FARTHEST);
    steps.capacity = steps.capacity.min(FARTHEST);
    steps
}

fn command(name: &str, script: &str, entries: &[Entry<'_>], late: u64) -> Cmd {
    let mut command = redis::cmd(name);
    command.arg(script).arg(entries.len());
    for entry in entries {
        command.arg(entry.key);
    }
    for entry in entries {
        command
            .arg(entry.steps.increment)
            .arg(entry.steps.capacity)
            .arg(u8::from(entry.is_enforced))
            .arg(entry.hint);
    }
    command.arg(late);
    command
}

/// What the script answered.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    admitted: bool,
    /// Nanoseconds from full, before the call.
    aheads: SmallVec<[u64; 1]>,
}

impl Answer {
    fn read(value: redis::Value, buckets: usize) -> Result<Self, StoreFault> {
        let read: Vec<u64> = redis::from_redis_value(value).map_err(|_| StoreFault::Nonsense)?;
        match read.split_first() {
            Some((admitted @ (0 | 1), aheads)) if aheads.len() == buckets => Ok(Self {
                admitted: *admitted == 1,
                aheads: aheads.into(),
            }),
            _ => Err(StoreFault::Nonsense),
        }
    }

    /// The verdicts, if they are those that the script acted on.
    pub(super) fn verdicts<K>(&self, charges: &[Charge<K>]) -> Result<Verdicts, StoreFault> {
        let verdict = |(ahead, charge): (&u64, &Charge<K>)| decide(*ahead, &charge.steps);
        let verdicts: Verdicts = self.aheads.iter().zip(charges).map(verdict).collect();
        if admits(charges, &verdicts) == self.admitted {
            Ok(verdicts)
        } else {
            Err(StoreFault::Nonsense)
        }
    }
}

#[cfg(test)]
mod tests {
    use redis::Value;

    use super::*;
    use crate::tool::Quota;

    fn answer(values: &[&str]) -> Result<Answer, StoreFault> {
        let text = |text: &&str| Value::BulkString(text.as_bytes().to_vec());
        Answer::read(Value::Array(values.iter().map(text).collect()), 1)
    }

    #[test]
    fn an_answer_of_another_shape_is_none() {
        assert!(answer(&["1", "0"]).is_ok());
        for bad in [
            &["1"][..],
            &["2", "0"],
            &["1", "0", "0"],
            &["1", "-1"],
            &["1", "x"],
            &[],
        ] {
            assert_eq!(answer(bad), Err(StoreFault::Nonsense), "{bad:?}");
        }
        assert_eq!(Answer::read(Value::Okay, 1), Err(StoreFault::Nonsense));
    }

    #[test]
    fn an_answer_that_contradicts_the_arithmetic_is_none() {
        let charge = Charge {
            key: (),
            steps: Steps::new(&Quota::per_second(1), 1),
            is_enforced: true,
        };
        let verdicts =
            |values: &[&str]| answer(values).and_then(|answer| answer.verdicts(&[charge]));
        assert!(verdicts(&["1", "0"]).is_ok_and(|verdicts| verdicts[0].conforms()));
        assert!(verdicts(&["0", "1"]).is_ok_and(|verdicts| !verdicts[0].conforms()));
        assert!(verdicts(&["0", "0"]).is_err() && verdicts(&["1", "1"]).is_err());
    }
}
