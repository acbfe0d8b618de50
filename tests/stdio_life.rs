//! The promise of how a process on stdio ends: with its input or by SIGTERM, soon, with exit code 0, its
//! running calls finished or recorded as cancelled.

#[path = "support/binary.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod binary;
#[path = "support/session.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod session;
#[path = "support/slow.rs"]
mod slow;

use std::time::Duration;

use serde_json::json;
use session::{Session, call, legacy};

#[test]
fn the_end_of_the_input_ends_the_process() {
    let started = Session::demo();
    assert!(started.close().is_empty());
}

#[test]
fn the_end_of_the_input_does_not_wait_for_a_call_that_does_not_end() {
    let mut session = Session::slow("shutdownGrace: 10m");
    session.send(&call(1, "count", json!({"rounds": slow::ENDLESS})));
    session.ask(&legacy("read", "ping", json!({})));
    session.process.input.take();
    // Two seconds is the promise; the rest is for a busy machine.
    let code = session.process.exit_code_within(Duration::from_secs(10));
    assert_eq!(code, Some(0));
    session.process.stderr.line(" cancelled ");
    assert_eq!(
        session.process.stdout.all().len(),
        1,
        "the ping's answer alone"
    );
}

#[test]
fn a_call_that_ends_soon_after_the_input_is_still_answered() {
    let (mut session, lock) = Session::held("");
    session.send(&call(1, "wait", json!({})));
    session.ask(&legacy("read", "ping", json!({})));
    session.process.input.take();
    drop(lock);
    assert_eq!(
        session.answer(&json!(1))["result"]["structuredContent"]["notes"],
        0
    );
    assert_eq!(session.process.exit_code(), Some(0));
}

#[cfg(unix)]
#[test]
fn sigterm_ends_the_process_although_the_client_stays() {
    let mut session = Session::slow("");
    session.ask(&legacy(1, "ping", json!({})));
    session.process.terminate();
    assert_eq!(session.process.exit_code(), Some(0));
}

#[cfg(unix)]
#[test]
fn sigterm_lets_a_running_call_finish() {
    let (mut session, lock) = Session::held("");
    session.send(&call(1, "wait", json!({})));
    session.ask(&legacy("read", "ping", json!({})));
    session.process.terminate();
    session.process.stderr.line("stopping");
    drop(lock);
    assert_eq!(
        session.answer(&json!(1))["result"]["structuredContent"]["notes"],
        0
    );
    assert_eq!(session.process.exit_code(), Some(0));
}

#[cfg(unix)]
#[test]
fn sigterm_cuts_off_a_call_that_outlasts_the_grace() {
    let mut session = Session::slow("shutdownGrace: 10ms");
    session.send(&call(1, "count", json!({"rounds": slow::ENDLESS})));
    session.ask(&legacy("read", "ping", json!({})));
    session.process.terminate();
    assert_eq!(session.process.exit_code(), Some(0));
    session.process.stderr.line(" cancelled ");
}

#[cfg(unix)]
#[test]
fn the_input_may_end_and_sigterm_come_at_the_same_time() {
    let mut session = Session::slow("shutdownGrace: 10ms");
    session.send(&call(1, "count", json!({"rounds": slow::ENDLESS})));
    session.ask(&legacy("read", "ping", json!({})));
    session.process.input.take();
    session.process.terminate();
    assert_eq!(session.process.exit_code(), Some(0));
    session.process.stderr.line(" cancelled ");
}
