//! `task`: how calls of a tool become tasks.
//!
//! A reader would ask why a task must be kept at least as long as it may run: one that is forgotten
//! before its end could only be cancelled, and its client would never learn why.

use std::time::Duration;

use super::document::At;
use super::duration;
use super::faults::Faults;
use super::raw::RawTask;

/// The longest time that a task is kept.
const LONGEST: Duration = Duration::from_secs(7 * 86_400);

/// How calls become tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Task {
    /// How long one is kept: at least the tool's timeout, at most 7 d, default 1 h.
    pub ttl: Duration,
    /// How often clients are to ask; at least 1 ms, at most `ttl`, default 1 s.
    pub poll_every: Duration,
    /// Whether calls that cannot become tasks are refused.
    pub is_required: bool,
}

pub(super) fn check(raw: &RawTask, timeout: Duration, at: &At<'_>, faults: &mut Faults) -> Task {
    let mut read = |text: &str, at: &At<'_>| match duration::parse(text) {
        Ok(Duration::ZERO) => {
            at.fault(faults, "must be more than zero, such as 10s");
            Duration::ZERO
        }
        Ok(duration) if duration > LONGEST => {
            at.fault(faults, "must be at most 7d");
            Duration::ZERO
        }
        Ok(duration) => duration,
        Err(message) => {
            at.fault(faults, message);
            Duration::ZERO
        }
    };
    let ttl = read(&raw.ttl, &at.key("ttl"));
    let poll_every = read(&raw.poll_every, &at.key("pollEvery"));
    if !ttl.is_zero() && ttl < timeout {
        at.key("ttl").fault(
            faults,
            "must be at least `timeout`, or a task would be forgotten while it runs",
        );
    }
    if !ttl.is_zero() && poll_every > ttl {
        at.key("pollEvery").fault(faults, "must be at most `ttl`");
    }
    Task {
        ttl,
        poll_every,
        is_required: raw.required,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::{good_tool, tool_faults};

    #[test]
    fn a_task_has_usual_times_and_others_where_the_file_says_so() {
        let task = |text: &str| good_tool(&format!("anyAuthenticated: true\n{text}")).task;
        assert_eq!(task(""), None);
        let (hour, second) = (Duration::from_secs(3_600), Duration::from_secs(1));
        let usual = Task {
            ttl: hour,
            poll_every: second,
            is_required: false,
        };
        assert_eq!(task("task: {}\n"), Some(usual));
        let own = Task {
            ttl: 48 * hour,
            poll_every: 5 * second,
            is_required: true,
        };
        let text = "task: {ttl: 2d, pollEvery: 5s, required: true}\n";
        assert_eq!(task(text), Some(own));
    }

    #[test]
    fn a_task_is_kept_at_least_as_long_as_it_may_run() {
        let found = |text: &str| tool_faults(&format!("anyAuthenticated: true\n{text}"));
        for (text, wanted) in [
            (
                "timeout: 1m\ntask: {ttl: 59s}\n",
                "task.ttl: must be at least `timeout`, or a task would be forgotten while it runs",
            ),
            ("task: {ttl: 8d}\n", "task.ttl: must be at most 7d"),
            (
                "task: {ttl: 0s}\n",
                "task.ttl: must be more than zero, such as 10s",
            ),
            (
                "task: {ttl: 1m, pollEvery: 2m}\n",
                "task.pollEvery: must be at most `ttl`",
            ),
        ] {
            let found = found(text);
            assert!(
                found.len() == 1 && found[0].ends_with(wanted),
                "{text}: {found:?}"
            );
        }
    }
}
