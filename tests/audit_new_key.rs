//! A log that is opened with a new key goes on where the one before is named, and announces the new one.

#[path = "support/audit.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod audit;

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::time::Duration;

use audit::{KEY, OTHER_KEY, append, check, close, open_with, settings, verdict};
use tempfile::TempDir;
use tollgate::Clock;
use tollgate::audit::{AuditSettings, ChainKey, Durability, Flaw, Head, Log, Note, Sealed};

fn with(file: &Path, key: &str, previous: Option<&str>) -> AuditSettings {
    AuditSettings {
        key: key.to_owned().into(),
        previous_key: previous.map(|key| key.to_owned().into()),
        ..settings(file, Durability::Strict)
    }
}

/// A log that was opened, had a call, and was closed.
fn log_of(file: &Path, key: &str, previous: Option<&str>) {
    let log = open_with(with(file, key, previous));
    append(&log, 1);
    close(&log);
}

fn head_of(file: &Path) -> PathBuf {
    file.with_extension("jsonl.head")
}

/// A log whose machine lost its power when the new key was announced, and of the next line so many bytes were on disk.
/// The head may be older than the log.
fn dead_after_the_mark(more: u64) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("audit.jsonl");
    log_of(&file, KEY, None);
    let head = fs::read(head_of(&file)).expect("a head");
    log_of(&file, OTHER_KEY, Some(KEY));
    fs::write(head_of(&file), head).expect("the head");
    let text = fs::read_to_string(&file).expect("a log");
    let at = text.find("\"rekeyed\"").expect("a mark");
    let end = at + text[at..].find('\n').expect("a line") + 1;
    let opened = OpenOptions::new().write(true).open(&file).expect("a log");
    opened.set_len(end as u64 + more).expect("it is cut");
    (folder, file)
}

fn flaws(file: &Path) -> Vec<Flaw> {
    let flaws = verdict(file, &[OTHER_KEY, KEY]).flaws.listed.into_iter();
    flaws.map(|found| found.what).collect()
}

/// Lines in their order, of a log that is whole to whoever has both keys; they are in the order of their use.
fn kinds(file: &Path, in_order: &[&str]) -> String {
    assert_eq!(flaws(file), []);
    let held = check(file, in_order).expect("a good chain");
    for line in held.lines.iter().filter(|line| line["kind"] == "opened") {
        assert!(
            line.get("lostTo").is_none() && line.get("head").is_none(),
            "{line}"
        );
    }
    held.kinds().join(" ")
}

#[test]
fn a_start_with_a_new_key_announces_it_and_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("audit.jsonl");
    log_of(&file, KEY, None);
    log_of(&file, OTHER_KEY, Some(KEY));
    // The one before may stay, or go.
    log_of(&file, OTHER_KEY, Some(KEY));
    log_of(&file, OTHER_KEY, None);
    assert_eq!(
        kinds(&file, &[KEY, OTHER_KEY]),
        "opened call closed opened rekeyed checkpoint call closed opened call closed opened call closed"
    );
}

#[test]
fn a_start_that_died_after_it_announced_the_key_is_gone_on_from() {
    let (_folder, file) = dead_after_the_mark(0);
    log_of(&file, OTHER_KEY, Some(KEY));
    assert_eq!(
        kinds(&file, &[KEY, OTHER_KEY]),
        "opened call closed opened rekeyed opened call closed"
    );
    let (_folder, file) = dead_after_the_mark(20);
    log_of(&file, OTHER_KEY, Some(KEY));
    assert_eq!(
        kinds(&file, &[KEY, OTHER_KEY]),
        "opened call closed opened rekeyed torn opened call closed"
    );
}

/// Copies a log and its head as a kill leaves them, while nobody writes.
fn as_killed(file: &Path) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let copy = folder.path().join("audit.jsonl");
    fs::copy(file, &copy).expect("the log");
    fs::copy(head_of(file), head_of(&copy)).expect("its head");
    (folder, copy)
}

#[test]
fn a_kill_before_the_first_call_under_a_new_key_takes_no_more_than_that_key() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("audit.jsonl");
    log_of(&file, KEY, None);
    let started = open_with(with(&file, OTHER_KEY, Some(KEY)));
    let (_killed, killed) = as_killed(&file);
    log_of(&killed, OTHER_KEY, None);
    assert_eq!(
        kinds(&killed, &[KEY, OTHER_KEY]),
        "opened call closed opened rekeyed checkpoint opened call closed"
    );

    // Taken up by a reload, and back again.
    started.follow(&with(&file, KEY, None));
    let (clock, began) = (Clock::system(), Clock::system().monotonic());
    while started.state().sequence < 8 {
        assert!(clock.monotonic() - began < Duration::from_secs(30));
        std::thread::yield_now();
    }
    let (_killed, killed) = as_killed(&file);
    log_of(&killed, KEY, None);
    assert_eq!(
        kinds(&killed, &[KEY, OTHER_KEY, KEY]),
        "opened call closed opened rekeyed checkpoint rekeyed checkpoint opened call closed"
    );
}

#[cfg(unix)]
#[test]
fn a_server_that_runs_tells_what_a_replaced_key_forges_from_what_was_written() {
    for announces in [false, true] {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("audit.jsonl");
        log_of(&file, KEY, None);
        // Somebody has the old key, and writes more than there was.
        let (_forged, forged) = as_killed(&file);
        let other = open_with(with(&forged, KEY, None));
        (0..20).for_each(|number| append(&other, number));
        close(&other);
        if announces {
            announce(&forged, KEY, OTHER_KEY);
        }

        let log = open_with(with(&file, OTHER_KEY, Some(KEY)));
        append(&log, 1);
        fs::rename(&forged, &file).expect("it is put in its place");
        append(&log, 2);
        close(&log);
        assert_eq!(flaws(&file), [Flaw::WasReplaced { to: 7 }]);
    }
}

/// Appends the line that announces a key, as whoever has the one before can.
fn announce(file: &Path, key: &str, next: &str) {
    let [key, next] = [key, next].map(|key| ChainKey::new(key.as_bytes()));
    let mut text = fs::read(file).expect("a log");
    let lines = text.trim_ascii_end().rsplit(|byte| *byte == b'\n');
    let end = lines.into_iter().find_map(Sealed::claimed).expect("a line");
    let time = "2026-11-30T00:00:00.000000Z";
    let body = format!(
        r#"{{"kind":"rekeyed","time":"{time}","key":"{}"}}"#,
        next.id()
    );
    key.seal(&end.mac, end.seq + 1, body.as_bytes(), &mut text);
    fs::write(file, text).expect("the log");
}

#[test]
fn a_log_that_ends_under_another_key_than_the_one_in_force_is_noted() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("audit.jsonl");
    let ends_under = |file: &Path| {
        let mut notes = verdict(file, &[OTHER_KEY, KEY]).notes.listed.into_iter();
        notes.any(|note| matches!(note.what, Note::EndsUnder { .. }))
    };
    log_of(&file, KEY, None);
    assert!(ends_under(&file));
    log_of(&file, OTHER_KEY, Some(KEY));
    assert!(!ends_under(&file));
    // Also where it ends with the line that announces the one in force, as after a loss of power.
    let (_folder, file) = dead_after_the_mark(0);
    assert!(ends_under(&file));
}

#[test]
fn a_head_of_another_key_than_its_line_is_found() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("audit.jsonl");
    log_of(&file, KEY, None);
    log_of(&file, OTHER_KEY, Some(KEY));
    assert_eq!(flaws(&file), []);
    // Somebody who has the old key cuts off the last line.
    let text = fs::read_to_string(&file).expect("a log");
    let lines: Vec<_> = text.lines().collect();
    let left = &lines[..lines.len() - 1];
    fs::write(&file, left.join("\n") + "\n").expect("the log");
    let end = Sealed::claimed(left[left.len() - 1].as_bytes()).expect("a line");
    let (seq, mac) = (end.seq, end.mac);
    let head = ChainKey::new(KEY.as_bytes()).seal_head(&Head { seq, mac });
    fs::write(head_of(&file), head).expect("the head");
    assert_eq!(flaws(&file), [Flaw::HeadOfOtherKey { seq }]);
}

#[test]
fn a_new_key_is_taken_back_by_a_start_that_names_it_as_the_one_before() {
    let (_folder, file) = dead_after_the_mark(0);
    let alone = Log::open(with(&file, KEY, None), Clock::turned());
    let fault = alone.err().expect("the announced key is not known");
    let told = "ends with the line that announces another key";
    assert!(fault.to_string().contains(told), "{fault}");
    log_of(&file, KEY, Some(OTHER_KEY));
    assert_eq!(
        kinds(&file, &[KEY, OTHER_KEY, KEY]),
        "opened call closed opened rekeyed opened rekeyed checkpoint call closed"
    );
}

#[cfg(unix)]
#[test]
fn a_log_that_is_taken_away_after_a_new_key_is_gone_on_from_the_full_file_of_the_old_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("audit.jsonl");
    log_of(&file, KEY, None);
    fs::rename(&file, folder.path().join("audit.jsonl.000000000001")).expect("it is put aside");
    let log = open_with(with(&file, OTHER_KEY, Some(KEY)));
    append(&log, 1);
    fs::remove_file(&file).expect("it is taken away");
    append(&log, 2);
    assert!(log.state().is_healthy);
    close(&log);
    let text = fs::read_to_string(&file).expect("a new one");
    let kinds = text.lines().map(|line| {
        let line: serde_json::Value = serde_json::from_str(line).expect("a line");
        line["kind"].as_str().expect("a kind").to_owned()
    });
    let kinds: Vec<_> = kinds.collect();
    assert_eq!(kinds, ["opened", "rekeyed", "checkpoint", "call", "closed"]);
    assert_eq!(flaws(&file), [Flaw::WasCut { from: 4, to: 7 }]);
}

#[test]
fn a_full_file_that_the_key_before_sealed_is_gone_on_from() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("audit.jsonl");
    log_of(&file, KEY, None);
    // The process died after it had put the file aside, and before it began another.
    let full = folder.path().join("audit.jsonl.000000000001");
    fs::rename(&file, full).expect("it is put aside");
    log_of(&file, OTHER_KEY, Some(KEY));
    assert_eq!(
        kinds(&file, &[KEY, OTHER_KEY]),
        "opened call closed opened rekeyed checkpoint call closed"
    );
}

#[test]
fn a_log_of_a_third_key_is_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("audit.jsonl");
    log_of(&file, "a-third-audit-key-of-over-32-bytes", None);
    let text = fs::read(&file).expect("a log");
    let opened = Log::open(with(&file, OTHER_KEY, Some(KEY)), Clock::turned());
    let fault = opened.err().expect("it does not open").to_string();
    assert!(
        fault.ends_with(
            "does not end with a line that `audit.key` or `audit.previousKey` sealed: if the key was changed, name \
             the one before as `audit.previousKey`; if the line was, move the file and its head away"
        ),
        "{fault}"
    );
    assert_eq!(fs::read(&file).expect("a log"), text);
}
