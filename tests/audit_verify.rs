//! The promise that nobody changes an audit log unseen: each way to tamper with one is found by
//! `tollgate audit verify`, which says where; and a log that is whole is called whole, also while it is
//! written, rotated, recovered and sealed with another key.

#[path = "support/audit.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod audit;
#[path = "support/binary.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod binary;

#[path = "audit_verify/head.rs"]
mod head;
#[path = "audit_verify/lives.rs"]
mod lives;
#[path = "audit_verify/speed.rs"]
mod speed;

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use tempfile::TempDir;
use tollgate::audit::{Durability, Flaw, Rotation, Verdict};

use audit::{KEY, OTHER_KEY, append, close, files, open_with, settings};
use binary::{Finished, run};

/// A log in a folder of its own.
pub(crate) struct Sample {
    pub(crate) folder: TempDir,
    pub(crate) file: PathBuf,
}

impl Sample {
    /// A log of this many calls, in one file.
    pub(crate) fn of(calls: u64) -> Self {
        Self::rotated(calls, u64::MAX)
    }

    /// A log whose files have about so many bytes.
    pub(crate) fn rotated(calls: u64, max_bytes: u64) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("audit.jsonl");
        fs::write(folder.path().join("key"), format!("{KEY}\n")).expect("a key");
        fs::write(folder.path().join("other"), OTHER_KEY).expect("a key");
        let sample = Self { folder, file };
        sample.write(calls, max_bytes);
        sample
    }

    /// Writes on, as a server that is started and stopped.
    pub(crate) fn write(&self, calls: u64, max_bytes: u64) {
        let mut settings = settings(&self.file, Durability::Strict);
        settings.rotation = Rotation {
            max_bytes,
            ..Rotation::default()
        };
        let log = open_with(settings);
        (0..calls).for_each(|number| append(&log, number));
        close(&log);
    }

    pub(crate) fn verify(&self, more: &[&str]) -> Finished {
        let file = self.file.to_str().expect("a path");
        let plain = ["audit", "verify", "--file", file, "--key-file", "key"];
        run(self.folder.path(), &[&plain, more].concat())
    }

    /// It is not whole, and what is wrong is said with this.
    pub(crate) fn is_found(&self, words: &[&str]) {
        let found = self.verify(&[]);
        assert_eq!(found.code, Some(1), "{found:?}");
        for word in words {
            assert!(found.stdout.contains(word), "{word}: {found:?}");
        }
    }

    /// It is whole, and this is noted.
    pub(crate) fn is_whole(&self, words: &[&str]) {
        let found = self.verify(&[]);
        assert_eq!(found.code, Some(0), "{found:?}");
        assert!(found.stdout.contains("whole: every line"), "{found:?}");
        for word in words {
            assert!(found.stdout.contains(word), "{word}: {found:?}");
        }
    }

    /// Changes the lines of the file that is written now.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Vec<String>)) {
        let text = fs::read_to_string(&self.file).expect("a log");
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        change(&mut lines);
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        fs::write(&self.file, text).expect("a log");
    }

    pub(crate) fn head(&self) -> PathBuf {
        self.folder.path().join("audit.jsonl.head")
    }
}

/// Checks it in this process.
pub(crate) fn checked(file: &Path) -> Vec<Verdict> {
    audit::verdicts(file, &[KEY])
}

fn flaws(file: &Path) -> Vec<Flaw> {
    let verdicts = checked(file).into_iter();
    let flaws = verdicts.flat_map(|verdict| verdict.flaws.listed);
    flaws.map(|found| found.what).collect()
}

#[test]
fn a_log_that_nobody_touched_is_whole() {
    Sample::of(3).is_whole(&["audit.jsonl: whole, sequence 1 to 5, 5 lines in 1 file"]);
    let quiet = Sample::of(3).verify(&["--quiet"]);
    assert_eq!((quiet.code, &*quiet.stdout), (Some(0), ""));
}

#[test]
fn a_line_that_was_edited_is_named() {
    let log = Sample::of(5);
    log.change(|lines| lines[2] = lines[2].replace("\"number\":1", "\"number\":7"));
    log.is_found(&[
        "line 3, sequence 3: the line was changed after it was written",
        "NOT whole: 1 fault, the first at sequence 3",
    ]);
}

#[test]
fn a_line_that_was_taken_out_is_named() {
    let log = Sample::of(5);
    log.change(|lines| drop(lines.drain(2..4)));
    log.is_found(&["line 3, sequence 5: sequences 3 to 4 are missing before this line"]);
}

#[test]
fn lines_that_changed_places_are_named() {
    let log = Sample::of(5);
    log.change(|lines| lines.swap(2, 3));
    log.is_found(&[
        "sequence 3 is missing before this line",
        "line 4, sequence 3: the line does not belong here",
    ]);
}

#[test]
fn a_line_that_stands_twice_is_named() {
    let log = Sample::of(5);
    log.change(|lines| lines.insert(3, lines[2].clone()));
    log.is_found(&[
        "line 4, sequence 3: the line before stands here once more",
        "1 fault",
    ]);
    let log = Sample::of(5);
    log.change(|lines| lines.insert(5, lines[2].clone()));
    log.is_found(&[
        "line 6, sequence 3: the line does not belong here",
        "1 fault",
    ]);
}

#[test]
fn a_line_that_was_put_in_is_named() {
    let log = Sample::of(5);
    log.change(|lines| lines.insert(2, "nothing of ours".to_owned()));
    log.is_found(&[
        "line 3, sequence 3: this is no line of an audit log",
        "1 fault",
    ]);
}

#[test]
fn the_first_line_is_no_exception() {
    let log = Sample::of(5);
    log.change(|lines| drop(lines.remove(0)));
    log.is_found(&["the log begins with sequence 2: what came before is gone"]);
    let log = Sample::of(5);
    log.change(|lines| lines[0] = lines[0].replace("started", "rotated"));
    log.is_found(&["line 1, sequence 1: the line was changed"]);
}

#[test]
fn a_file_that_is_gone_is_named() {
    let log = Sample::rotated(30, 600);
    let all = files(&log.file);
    assert!(all.len() > 4, "{all:?}");
    log.is_whole(&[]);
    fs::remove_file(&all[2]).expect("it was there");
    log.is_found(&["are missing before this line", "1 fault"]);
}

#[test]
fn files_that_were_taken_away_on_purpose_can_be_left_out() {
    let log = Sample::rotated(30, 600);
    let all = files(&log.file);
    fs::remove_file(&all[0]).expect("it was there");
    let first = all[1].extension().and_then(|first| first.to_str());
    let first = first.expect("a number").trim_start_matches('0');
    log.is_found(&[&format!("the log begins with sequence {first}")]);
    let since = log.verify(&["--since-seq", first]);
    assert_eq!(since.code, Some(0), "{since:?}");
    // An edit before the files that are checked is not looked for, one after it is.
    log.change(|lines| lines[1] = lines[1].replace("number", "nummer"));
    assert_eq!(log.verify(&["--since-seq", first]).code, Some(1));
}

#[test]
fn a_log_that_another_key_sealed_is_foreign() {
    let log = Sample::of(3);
    fs::copy(
        log.folder.path().join("other"),
        log.folder.path().join("key"),
    )
    .expect("a key");
    log.is_found(&[
        "which was not given",
        "was not sealed with a key that was given",
    ]);
    // One finding, and not one for each line.
    assert_eq!(log.verify(&[]).stdout.matches("FAULT").count(), 2);
}

#[test]
fn findings_are_listed_up_to_a_bound_and_counted() {
    let log = Sample::of(100);
    log.change(|lines| {
        for line in lines.iter_mut().skip(1).step_by(2) {
            *line = line.replace("number", "nummer");
        }
    });
    log.is_found(&["FAULT: and 3", "faults, the first at sequence 2"]);
    assert!(log.verify(&[]).stdout.lines().count() < 30);
}

#[test]
fn a_command_without_a_key_or_a_log_says_so() {
    let log = Sample::of(1);
    let folder = log.folder.path();
    let keyless = run(folder, &["audit", "verify", "--file", "audit.jsonl"]);
    assert_eq!(keyless.code, Some(2));
    assert!(keyless.stderr.contains("cannot be checked without its key"));
    let none = run(
        folder,
        &["audit", "verify", "--file", "none", "--key-file", "key"],
    );
    assert_eq!(none.code, Some(1));
    assert!(
        none.stderr.contains("there is no audit log at none"),
        "{none:?}"
    );
}

#[test]
fn junk_beside_a_log_is_no_part_of_it() {
    let log = Sample::rotated(30, 600);
    for name in [
        "audit.jsonl.bak",
        "audit.jsonl.1",
        "audit-x.jsonl",
        "audit.jsonl.000000000003.gz",
    ] {
        fs::write(log.folder.path().join(name), "junk\n").expect("a file");
    }
    log.is_whole(&[]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn no_byte_can_be_changed_unseen(at in any::<prop::sample::Index>(), to in any::<u8>()) {
        let log = Sample::rotated(12, 600);
        let all = files(&log.file);
        let text: Vec<Vec<u8>> = all.iter().map(|file| fs::read(file).expect("a log")).collect();
        let at = at.index(text.iter().map(Vec::len).sum());
        let mut before = 0;
        for (file, mut text) in all.iter().zip(text) {
            if (before..before + text.len()).contains(&at) && text[at - before] != to {
                text[at - before] = to;
                fs::write(file, &text).expect("a log");
                prop_assert!(!flaws(&log.file).is_empty(), "byte {at} as {to}");
            }
            before += text.len();
        }
    }

    #[test]
    fn whatever_stands_in_a_file_is_read_without_a_panic(junk in prop::collection::vec(any::<u8>(), 0..400), at in any::<prop::sample::Index>()) {
        let log = Sample::of(4);
        let mut text = fs::read(&log.file).expect("a log");
        let at = at.index(text.len());
        text.splice(at..at, junk.iter().copied());
        fs::write(&log.file, &text).expect("a log");
        prop_assert_eq!(flaws(&log.file).is_empty(), junk.is_empty());
    }
}
