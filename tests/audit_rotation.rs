//! Files of the audit log are put aside when they are full, and the chain goes on.

#[path = "support/audit.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod audit;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use audit::{append, close, files, held, open, open_with, settings};
use tollgate::Clock;
use tollgate::audit::{Durability, Log, Rotation};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn full_after(max_bytes: u64) -> Rotation {
    Rotation {
        max_bytes,
        ..Rotation::default()
    }
}

fn open_rotating(file: &Path, rotation: Rotation) -> Log {
    let mut settings = settings(file, Durability::Strict);
    settings.rotation = rotation;
    open_with(settings)
}

/// Three files of one call each and one that is open, closed.
fn rotated(file: &Path) -> Vec<PathBuf> {
    let log = open_rotating(file, full_after(1));
    (0..4).for_each(|number| append(&log, number));
    close(&log);
    files(file)
}

#[test]
fn a_full_file_is_put_aside_under_the_number_of_its_first_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("audit.jsonl");
    let names = rotated(&file);
    let names: Vec<_> = names
        .iter()
        .map(|path| path.file_name().expect("a name"))
        .collect();
    assert_eq!(
        names,
        [
            "audit.jsonl.000000000001",
            "audit.jsonl.000000000004",
            "audit.jsonl.000000000007",
            "audit.jsonl"
        ]
    );
    let held = held(&file);
    assert_eq!(held.numbers(), [0, 1, 2, 3]);
    for line in [&held.lines[2], &held.lines[3]] {
        assert_eq!(line["because"], "rotated");
    }
}

#[test]
fn each_day_has_a_file_of_its_own_once_there_is_a_line_for_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("audit.jsonl");
    let clock = Clock::turned();
    let log = Log::open(settings(&file, Durability::Strict), clock.clone()).expect("a log");
    append(&log, 0);
    clock.advance(DAY);
    assert_eq!(files(&file).len(), 1);
    append(&log, 1);
    append(&log, 2);
    assert_eq!(files(&file).len(), 2);
    close(&log);

    // Also when the server was down at midnight.
    clock.advance(DAY);
    let log = Log::open(settings(&file, Durability::Strict), clock.clone()).expect("a log");
    append(&log, 3);
    close(&log);
    assert_eq!(files(&file).len(), 3);
    assert_eq!(held(&file).numbers(), [0, 1, 2, 3]);
}

#[test]
fn a_file_that_need_not_be_rotated_each_day_is_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("audit.jsonl");
    let (clock, mut settings) = (Clock::turned(), settings(&file, Durability::Strict));
    settings.rotation.daily = false;
    let log = Log::open(settings, clock.clone()).expect("a log");
    append(&log, 0);
    clock.advance(DAY);
    append(&log, 1);
    close(&log);
    assert_eq!(files(&file).len(), 1);
}

#[test]
fn no_more_full_files_are_kept_than_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("audit.jsonl");
    let rotation = Rotation {
        keep: 2,
        ..full_after(1)
    };
    let log = open_rotating(&file, rotation);
    (0..9).for_each(|number| append(&log, number));
    close(&log);
    assert_eq!(files(&file).len(), 3);
    assert_eq!(held(&file).numbers(), [6, 7, 8]);
}

#[test]
fn a_file_that_cannot_be_put_aside_is_written_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("audit.jsonl");
    let (clock, mut settings) = (Clock::turned(), settings(&file, Durability::Strict));
    settings.rotation = full_after(1);
    let log = Log::open(settings, clock.clone()).expect("a log");
    let in_the_way = folder.path().join("audit.jsonl.000000000001");
    fs::create_dir(&in_the_way).expect("a folder");
    (0..3).for_each(|number| append(&log, number));
    assert!(log.state().is_healthy);
    fs::remove_dir(&in_the_way).expect("the folder");
    append(&log, 3);
    assert!(!in_the_way.exists(), "it is not tried for each line");
    clock.advance(Duration::from_secs(30));
    append(&log, 4);
    close(&log);
    assert_eq!(files(&file).len(), 2);
    assert_eq!(held(&file).numbers(), [0, 1, 2, 3, 4]);
}

/// The two files and the head that a process leaves which dies right after a rotation.
fn just_rotated() -> (Vec<u8>, Vec<u8>, Vec<u8>) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("audit.jsonl");
    let log = open_rotating(&file, full_after(1));
    append(&log, 0);
    let head = fs::read(folder.path().join("audit.jsonl.head")).expect("the head");
    append(&log, 1);
    let full = fs::read(folder.path().join("audit.jsonl.000000000001")).expect("the full one");
    let next = fs::read(&file).expect("the next one");
    close(&log);
    (full, next, head)
}

#[test]
fn a_crash_at_any_step_of_a_rotation_is_put_right() {
    let (full, next, head) = just_rotated();
    let lines: Vec<usize> = (1..=full.len())
        .filter(|end| full[end - 1] == b'\n')
        .collect();
    let before_closing = lines[1];
    // The file is gone or empty while the full one gets its last line; then the new one gets its first.
    let closing = (before_closing..=full.len()).flat_map(|end| [(end, None), (end, Some(0))]);
    let opening = (0..=next.len()).map(|end| (full.len(), Some(end)));
    for (full_end, next_end) in closing.chain(opening) {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        fs::write(at("audit.jsonl.000000000001"), &full[..full_end]).expect("the full one");
        fs::write(at("audit.jsonl.head"), &head).expect("the head");
        if let Some(end) = next_end {
            fs::write(at("audit.jsonl"), &next[..end]).expect("the next one");
        }
        let log = open(&at("audit.jsonl"));
        append(&log, 7);
        close(&log);
        let held = held(&at("audit.jsonl"));
        let numbers = held.numbers();
        assert!(
            numbers.starts_with(&[0]) && numbers.ends_with(&[7]),
            "{numbers:?}"
        );
        let opened = held.mark("opened");
        assert!(opened.get("lostTo").is_none(), "{full_end} {next_end:?}");
    }
}
