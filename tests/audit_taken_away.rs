//! What others do to an audit log while it is written: it is gone on with where its name says it is, and
//! what is missing is on record.
#![cfg(unix)]

#[path = "support/audit.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod audit;

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use audit::{KEY, append, check, close, head, held, line, open, verdict, wait};
use tempfile::TempDir;
use tollgate::Clock;
use tollgate::audit::{Flaw, Log};

/// A log that is open, with two calls: lines 1 to 3.
fn two_calls() -> (TempDir, PathBuf, Log) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("log").join("audit.jsonl");
    fs::create_dir(folder.path().join("log")).expect("a folder");
    let log = open(&file);
    (0..2).for_each(|number| append(&log, number));
    (folder, file, log)
}

/// Whether the check finds that the lines before this one were taken away.
fn misses_all_before(file: &Path, first: u64) -> bool {
    let mut flaws = verdict(file, &[KEY]).flaws.listed.into_iter();
    flaws.any(|flaw| flaw.what == Flaw::BeginsLate { first })
}

/// Waits until nothing can be written.
fn until_failing(log: &Log) {
    let (clock, began) = (Clock::system(), Clock::system().monotonic());
    while log.state().is_healthy {
        assert!(
            clock.monotonic() - began < Duration::from_secs(30),
            "it fails"
        );
        std::thread::yield_now();
    }
}

/// Waits until lines can be written.
fn until_healthy(log: &Log) {
    let (clock, began) = (Clock::system(), Clock::system().monotonic());
    while !log.state().is_healthy {
        assert!(
            clock.monotonic() - began < Duration::from_secs(30),
            "it recovers"
        );
        std::thread::yield_now();
    }
}

#[test]
fn a_log_that_was_deleted_moved_or_emptied_is_begun_again_and_says_what_is_gone() {
    let ways: [fn(&Path); 4] = [
        |file| fs::remove_file(file).expect("it is deleted"),
        |file| fs::rename(file, file.with_extension("old")).expect("it is moved"),
        |file| {
            fs::rename(file, file.with_extension("old")).expect("it is moved");
            fs::write(file, "").expect("another one");
        },
        |file| fs::write(file, "").expect("it is emptied"),
    ];
    for take_away in ways {
        let (_folder, file, log) = two_calls();
        take_away(&file);
        (2..5).for_each(|number| append(&log, number));
        close(&log);
        let held = held(&file);
        assert_eq!(held.numbers(), [2, 3, 4]);
        let opened = held.mark("opened");
        assert_eq!(
            (&opened["because"], &opened["lostTo"], &opened["seq"]),
            (&"reopened".into(), &3.into(), &4.into())
        );
        assert!(misses_all_before(&file, 4));
    }
}

#[test]
fn a_log_that_was_cut_goes_on_after_what_is_left_of_it() {
    let (_folder, file, log) = two_calls();
    let length = fs::read_to_string(&file).expect("a log").find('\n');
    let cut = OpenOptions::new().write(true).open(&file).expect("a log");
    cut.set_len(length.expect("a line") as u64 + 1)
        .expect("it is cut");
    append(&log, 2);
    close(&log);
    let flaws = verdict(&file, &[KEY]).flaws.listed.into_iter();
    let flaws: Vec<Flaw> = flaws.map(|flaw| flaw.what).collect();
    assert_eq!(flaws, [Flaw::WasCut { from: 2, to: 3 }]);
}

#[test]
fn what_somebody_else_appended_is_a_fragment_and_the_chain_holds() {
    for junk in ["junk", "junk\n", "\n"] {
        let (_folder, file, log) = two_calls();
        let mut other = OpenOptions::new().append(true).open(&file).expect("a log");
        other.write_all(junk.as_bytes()).expect("junk");
        append(&log, 2);
        close(&log);
        let held = check(&file, &[KEY]).expect("a good chain");
        assert_eq!(held.numbers(), [0, 1, 2], "{junk:?}");
        assert_eq!(held.mark("torn")["count"], junk.trim_end().len());
        assert!(verdict(&file, &[KEY]).is_whole(), "{junk:?}");
    }
}

#[test]
fn a_head_that_was_deleted_is_made_again() {
    let (_folder, file, log) = two_calls();
    fs::remove_file(format!("{}.head", file.display())).expect("a head");
    append(&log, 2);
    assert!(head(&file).is_some());
    close(&log);
    assert!(verdict(&file, &[KEY]).is_whole());
}

#[test]
fn while_the_folder_is_gone_nothing_counts_as_written() {
    let (folder, file, log) = two_calls();
    let moved = folder.path().join("moved");
    let place = file.parent().expect("a folder");
    fs::rename(place, &moved).expect("it is moved");
    let ticket = log.append(line(2)).expect("there is room");
    assert!(wait(log.synced(ticket)).is_err());
    assert!(log.intend(line(3)).is_err(), "no tool may start");
    fs::rename(&moved, place).expect("it is moved back");
    until_healthy(&log);
    append(&log, 4);
    close(&log);
    assert_eq!(held(&file).numbers(), [0, 1, 2, 4]);
}

#[test]
fn of_two_processes_whose_lock_was_deleted_the_first_one_stops_writing() {
    let (_folder, file, first) = two_calls();
    fs::remove_file(format!("{}.head", file.display())).expect("a head");
    let second = open(&file);
    append(&second, 10);
    let ticket = first.append(line(2)).expect("there is room");
    assert!(wait(first.synced(ticket)).is_err());
    until_failing(&first);
    append(&second, 11);
    close(&second);
    drop(second);
    // Its turn again, after the lines of the other one.
    until_healthy(&first);
    close(&first);
    let held = held(&file);
    assert_eq!(held.numbers(), [0, 1, 10, 11, 2]);
}
