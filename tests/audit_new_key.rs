//! A log that is opened with a new key goes on where the one before is named, and announces the new one.

#[path = "support/audit.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod audit;

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};

use audit::{KEY, OTHER_KEY, append, check, close, open_with, settings};
use tempfile::TempDir;
use tollgate::Clock;
use tollgate::audit::{AuditSettings, ChainKey, Check, Durability, Log, verify};

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

/// A log whose process was killed right after it had announced the new key. The head is never synced, and may be
/// older than the log.
fn dead_after_the_mark() -> (TempDir, PathBuf) {
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
    opened.set_len(end as u64).expect("it is cut");
    (folder, file)
}

/// Lines in their order, of a log that is whole to whoever has both keys; they are in the order of their use.
fn kinds(file: &Path, in_order: &[&str]) -> Vec<String> {
    let keys = [KEY, OTHER_KEY].map(|key| ChainKey::new(key.as_bytes()));
    let whole = Check {
        keys: &keys,
        since: 1,
        keeps_few: false,
    };
    for verdict in verify(file, &whole, &mut |_| {}).expect("a log") {
        assert!(verdict.flaws.listed.is_empty(), "{:?}", verdict.flaws);
    }
    let held = check(file, in_order).expect("a good chain");
    for line in held.lines.iter().filter(|line| line["kind"] == "opened") {
        assert!(
            line.get("lostTo").is_none() && line.get("head").is_none(),
            "{line}"
        );
    }
    held.kinds().into_iter().map(str::to_owned).collect()
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
        [
            "opened", "call", "closed", "opened", "rekeyed", "call", "closed", "opened", "call",
            "closed", "opened", "call", "closed"
        ]
    );
}

#[test]
fn a_start_that_died_after_it_announced_the_key_is_gone_on_from() {
    let (_folder, file) = dead_after_the_mark();
    log_of(&file, OTHER_KEY, Some(KEY));
    assert_eq!(
        kinds(&file, &[KEY, OTHER_KEY]),
        [
            "opened", "call", "closed", "opened", "rekeyed", "opened", "call", "closed"
        ]
    );
}

#[test]
fn a_new_key_is_taken_back_by_a_start_that_names_it_as_the_one_before() {
    let (_folder, file) = dead_after_the_mark();
    let alone = Log::open(with(&file, KEY, None), Clock::turned());
    let fault = alone.err().expect("the announced key is not known");
    assert!(fault.to_string().contains("name the one before"), "{fault}");
    log_of(&file, KEY, Some(OTHER_KEY));
    assert_eq!(
        kinds(&file, &[KEY, OTHER_KEY, KEY]),
        [
            "opened", "call", "closed", "opened", "rekeyed", "opened", "rekeyed", "call", "closed"
        ]
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
    assert_eq!(kinds, ["opened", "rekeyed", "call", "closed"]);
    assert!(text.contains("\"lostTo\""), "{text}");
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
        [
            "opened", "call", "closed", "opened", "rekeyed", "call", "closed"
        ]
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
             the one before as `audit.previousKey`; if the line was, move the file away"
        ),
        "{fault}"
    );
    assert_eq!(fs::read(&file).expect("a log"), text);
}
