//! The end of a log: what was cut off is told by its head, and a head that lies is found.

use std::fs;

use super::Sample;

#[test]
fn lines_that_were_cut_off_are_counted() {
    let log = Sample::of(5);
    log.change(|lines| lines.truncate(4));
    log.is_found(&[
        "the log ends with sequence 4, but its head names 7: sequences 5 to 7 are cut off",
    ]);
}

#[test]
fn a_cut_within_a_line_is_found() {
    let log = Sample::of(5);
    let text = fs::read(&log.file).expect("a log");
    fs::write(&log.file, &text[..text.len() - 10]).expect("a log");
    log.is_found(&[
        "its head names 7: sequence 7 is cut off the end",
        "the log ends within a line",
    ]);
}

#[test]
fn a_log_that_is_gone_is_missed_by_its_head() {
    let log = Sample::of(5);
    fs::remove_file(&log.file).expect("it was there");
    log.is_found(&["its head names 7: sequences 1 to 7 are cut off"]);
}

#[test]
fn the_newest_file_is_missed_by_the_head() {
    let log = Sample::rotated(30, 600);
    fs::remove_file(&log.file).expect("it was there");
    log.is_found(&["cut off the end"]);
}

#[test]
fn a_head_that_is_gone_is_found() {
    let log = Sample::of(5);
    fs::remove_file(log.head()).expect("it was there");
    log.is_found(&["audit.jsonl.head is missing"]);
}

#[test]
fn an_old_head_that_was_put_back_is_found() {
    let log = Sample::of(5);
    let old = fs::read(log.head()).expect("a head");
    log.write(2, u64::MAX);
    fs::write(log.head(), old).expect("a head");
    log.is_found(&["the head is an old one that was put back: it names sequence 7"]);
    // What is left of the later start shows it, also when the rest is cut off.
    log.change(|lines| lines.truncate(9));
    log.is_found(&["the head is an old one that was put back"]);
}

#[test]
fn a_head_of_another_log_is_found() {
    let (log, other) = (Sample::of(5), Sample::of(4));
    fs::copy(other.head(), log.head()).expect("a head");
    log.is_found(&["the head is of another log"]);
}

#[test]
fn a_head_that_was_written_by_hand_is_found() {
    let log = Sample::of(5);
    let head = fs::read_to_string(log.head()).expect("a head");
    fs::write(log.head(), head.replacen('7', "6", 1)).expect("a head");
    log.is_found(&["was not sealed with a key that was given, or was changed"]);
}

#[test]
fn what_a_later_start_found_missing_stays_on_record() {
    let log = Sample::of(5);
    log.change(|lines| lines.truncate(4));
    log.write(1, u64::MAX);
    log.is_found(&[
        "when the server opened the log here, sequences 5 to 7 are gone that the head named",
    ]);
    let log = Sample::of(5);
    fs::remove_file(log.head()).expect("it was there");
    log.write(1, u64::MAX);
    log.is_found(&["when the server opened the log here, the head was missing"]);
}

#[cfg(unix)]
#[test]
fn a_pipe_in_place_of_a_head_holds_nothing_up() {
    let log = Sample::of(1);
    fs::remove_file(log.head()).expect("a head");
    let made = std::process::Command::new("mkfifo")
        .arg(log.head())
        .status();
    assert!(made.expect("mkfifo runs").success());
    let found = log.verify(&[]);
    assert_eq!(found.code, Some(1), "{found:?}");
    assert!(found.stderr.contains("it is no file"), "{found:?}");
}
