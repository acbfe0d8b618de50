//! The audit log goes on where its chain ends, whatever the process before left behind, and says what
//! it found.

#[path = "support/audit.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod audit;

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use audit::{KEY, OTHER_KEY, append, close, fault, held, open};
use proptest::prelude::*;
use tollgate::Clock;
use tollgate::audit::{Durability, Log};

/// A closed log with these many lines of calls.
fn log_of(file: &Path, lines: u64) {
    let log = open(file);
    (0..lines).for_each(|number| append(&log, number));
    close(&log);
}

fn length(file: &Path) -> u64 {
    fs::metadata(file).expect("a file").len()
}

fn cut(file: &Path, length: u64) {
    let file = OpenOptions::new().write(true).open(file).expect("a file");
    file.set_len(length).expect("it is cut");
}

#[test]
fn a_log_that_is_opened_again_goes_on_with_its_numbers_and_its_chain() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("audit.jsonl");
    log_of(&file, 2);
    log_of(&file, 1);
    let held = held(&file);
    assert_eq!(
        held.kinds(),
        [
            "opened", "call", "call", "closed", "opened", "call", "closed"
        ]
    );
    assert_eq!(held.numbers(), [0, 1, 0]);
    assert_eq!(held.last.seq, 7);
    assert!(held.mark("opened").get("lostTo").is_none());
}

#[cfg(unix)]
#[test]
fn the_log_and_its_head_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("audit.jsonl");
    log_of(&file, 1);
    for name in ["audit.jsonl", "audit.jsonl.head"] {
        let found = fs::metadata(folder.path().join(name)).expect("a file");
        assert_eq!(found.permissions().mode() & 0o777, 0o600, "{name}");
    }
}

/// The text of a log without the line that ends it, as a process that was killed leaves it.
fn killed(file: &Path) -> Vec<u8> {
    let log = open(file);
    (0..3).for_each(|number| append(&log, number));
    let text = fs::read(file).expect("a file");
    close(&log);
    text
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_line_that_was_torn_anywhere_is_kept_and_named_and_the_chain_goes_on(at in any::<prop::sample::Index>()) {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("audit.jsonl");
        let text = killed(&file);
        let kept = at.index(text.len() + 1);
        fs::write(&file, &text[..kept]).expect("the log");
        fs::remove_file(folder.path().join("audit.jsonl.head")).expect("the head");
        log_of(&file, 1);

        let after = fs::read(&file).expect("the log");
        prop_assert!(after.starts_with(&text[..kept]), "nothing is taken away");
        let held = held(&file);
        let whole = text[..kept].iter().filter(|byte| **byte == b'\n').count();
        let lacks_no_more_than_a_newline = text.get(kept) == Some(&b'\n');
        let is_torn = kept > 0 && text[kept - 1] != b'\n' && !lacks_no_more_than_a_newline;
        prop_assert_eq!(held.kinds().contains(&"torn"), is_torn);
        let lines = whole + usize::from(lacks_no_more_than_a_newline);
        prop_assert_eq!(held.last.seq as usize, lines + usize::from(is_torn) + 3);
    }
}

#[test]
fn a_tail_that_was_cut_off_is_on_record_for_good() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("audit.jsonl");
    let log = open(&file);
    append(&log, 0);
    let whole = length(&file);
    append(&log, 1);
    close(&log);
    cut(&file, whole);

    log_of(&file, 1);
    let error = audit::check(&file, &[KEY]).expect_err("two lines are missing");
    assert_eq!(error, "Some(2) is followed by 5");
    let text = fs::read_to_string(&file).expect("the log");
    assert!(text.contains(r#""because":"started","lostTo":4"#), "{text}");
}

#[test]
fn a_log_that_was_deleted_is_on_record_for_good() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("audit.jsonl");
    log_of(&file, 2);
    fs::remove_file(&file).expect("it is deleted");
    log_of(&file, 1);
    let held = held(&file);
    assert_eq!(held.lines[0]["seq"], 5);
    assert_eq!(held.lines[0]["lostTo"], 4);
}

#[test]
fn a_head_that_is_missing_or_strange_is_on_record() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("audit.jsonl");
    log_of(&file, 1);
    assert!(held(&file).mark("opened").get("head").is_none());
    let head = folder.path().join("audit.jsonl.head");
    fs::remove_file(&head).expect("the head");
    log_of(&file, 1);
    assert_eq!(held(&file).mark("opened")["head"], "missing");
    fs::write(&head, "7 of nine\n").expect("the head");
    log_of(&file, 1);
    assert_eq!(held(&file).mark("opened")["head"], "unreadable");
}

#[test]
fn a_log_that_is_ahead_of_its_head_is_what_a_kill_leaves_behind() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("audit.jsonl");
    log_of(&file, 1);
    let head = folder.path().join("audit.jsonl.head");
    let old = fs::read(&head).expect("the head");
    log_of(&file, 1);
    fs::write(&head, old).expect("the head");
    log_of(&file, 1);
    let held = held(&file);
    let opened = held.mark("opened");
    assert!(opened.get("lostTo").is_none() && opened.get("head").is_none());
}

#[test]
fn what_is_no_audit_log_of_this_key_is_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("audit.jsonl");
    for text in ["notes\n", "notes", "{\"a\":1}\n", "\0\0\0\0"] {
        fs::write(&file, text).expect("a file");
        let fault = fault(&file);
        assert!(
            fault.ends_with("is no audit log: move it away, or name another file in `audit.file`"),
            "{fault}"
        );
        assert_eq!(fs::read_to_string(&file).expect("a file"), text);
    }
    fs::remove_file(&file).expect("a file");

    log_of(&file, 1);
    let text = fs::read(&file).expect("the log");
    let mut other = audit::settings(&file, Durability::Strict);
    other.key = OTHER_KEY.to_owned().into();
    let fault = Log::open(other, Clock::turned())
        .err()
        .expect("another key")
        .to_string();
    assert!(
        fault.contains("does not end with a line that `audit.key` or `audit.previousKey` sealed"),
        "{fault}"
    );

    let mut edited = text.clone();
    let at = edited.len() - 60;
    edited[at] ^= 1;
    fs::write(&file, &edited).expect("the log");
    assert!(audit::fault(&file).contains("`audit.previousKey` sealed"));
    assert_eq!(
        fs::read(&file).expect("the log"),
        edited,
        "and nothing is added"
    );
}

#[test]
fn a_place_where_no_log_can_be_is_told_in_one_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let told = |path: &Path, what: &str| {
        let fault = fault(path);
        assert!(fault.contains(what) && !fault.contains('\n'), "{fault}");
    };
    told(
        &at("none/audit.jsonl"),
        "there is no such folder; make it first",
    );
    told(folder.path(), "is a directory");
    log_of(&at("real.jsonl"), 1);
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(at("real.jsonl"), at("link.jsonl")).expect("a link");
        told(
            &at("link.jsonl"),
            "is a symbolic link: name the file itself",
        );
        let made = std::process::Command::new("mkfifo")
            .arg(at("pipe"))
            .status();
        assert!(made.expect("mkfifo").success());
        told(&at("pipe"), "is no regular file");
        told(Path::new("/dev/full"), "is no regular file");
    }
    let mut real = OpenOptions::new()
        .append(true)
        .open(at("real.jsonl"))
        .expect("a file");
    real.write_all(b"torn").expect("it is written");
    log_of(&at("real.jsonl"), 1);
    assert_eq!(held(&at("real.jsonl")).mark("torn")["count"], 4);
}

#[test]
fn each_process_beside_another_writes_a_chain_of_its_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("audit.jsonl");
    let logs: Vec<Log> = (0..3).map(|_| open(&file)).collect();
    for (number, log) in (0..).zip(&logs) {
        append(log, number);
    }
    logs.iter().for_each(close);
    for (number, name) in (0..).zip(["audit.jsonl", "audit-2.jsonl", "audit-3.jsonl"]) {
        let held = held(&folder.path().join(name));
        assert_eq!(held.kinds(), ["opened", "call", "closed"]);
        assert_eq!(held.numbers(), [number]);
    }
    // The first lane is free again.
    log_of(&file, 1);
    assert_eq!(held(&file).numbers(), [0, 0]);
}

#[test]
fn no_more_than_sixty_four_processes_write_one_log() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("audit");
    let logs: Vec<Log> = (0..64).map(|_| open(&file)).collect();
    assert!(folder.path().join("audit-64").exists());
    assert!(fault(&file).ends_with("is written by 64 processes already"));
    logs.iter().for_each(close);
}
