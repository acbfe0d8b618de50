//! What happens to a log in its life is no tampering: it is written, rotated, torn by a crash, sealed
//! with another key, and written by two processes at once.

use std::fs;
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};

use tollgate::audit::{Durability, Rotation};

use super::audit::{OTHER_KEY, append, close, open_with, settings};
use super::{Sample, checked};

#[test]
fn a_log_is_checked_while_it_is_written_and_rotated() {
    let log = Sample::rotated(5, 3000);
    let mut settings = settings(&log.file, Durability::BestEffort);
    settings.rotation = Rotation {
        max_bytes: 3000,
        ..Rotation::default()
    };
    let (writing, is_done) = (open_with(settings), AtomicBool::new(false));
    std::thread::scope(|threads| {
        threads.spawn(|| {
            for number in 0..3000 {
                writing
                    .append(super::audit::line(number))
                    .expect("there is room");
                if number % 10 == 0 {
                    super::audit::wait(writing.caught_up());
                }
            }
            is_done.store(true, Ordering::Relaxed);
        });
        let mut rounds = 0;
        while !is_done.load(Ordering::Relaxed) {
            for verdict in checked(&log.file) {
                assert!(verdict.is_whole(), "round {rounds}: {:?}", verdict.flaws);
            }
            rounds += 1;
        }
        assert!(rounds > 0);
    });
    close(&writing);
    log.is_whole(&[]);
}

#[test]
fn a_line_that_a_crash_tore_is_noted_and_no_fault() {
    let log = Sample::of(3);
    let mut file = fs::OpenOptions::new()
        .append(true)
        .open(&log.file)
        .expect("a log");
    file.write_all(b"{\"seq\":6,\"kind\":\"ca")
        .expect("half a line");
    // Before the next start: nothing that the head names is missing.
    log.is_whole(&["the log ends within a line"]);
    log.write(2, u64::MAX);
    log.is_whole(&["a torn line of 19 bytes, marked as such"]);
    // The fragment itself is under seal.
    log.change(|lines| lines[5] = lines[5].replace("ca", "xx"));
    log.is_found(&["line 6, sequence 6: this is no line of an audit log"]);
    log.change(|lines| drop(lines.remove(5)));
    log.is_found(&[
        "sequence 6: this line names a torn line of 19 bytes before it, and that is gone",
    ]);
}

#[test]
fn the_marks_of_a_change_of_keys_are_followed() {
    let log = Sample::of(2);
    let writing = open_with(settings(&log.file, Durability::Strict));
    append(&writing, 1);
    let mut changed = settings(&log.file, Durability::Strict);
    changed.key = OTHER_KEY.to_owned().into();
    writing.follow(&changed);
    append(&writing, 2);
    close(&writing);
    let both = log.verify(&["--key-file", "other"]);
    assert_eq!(both.code, Some(0), "{both:?}");
    assert!(both.stdout.contains("from here on the key"), "{both:?}");
    log.is_found(&["which was not given"]);
}

#[test]
fn each_process_has_a_chain_of_its_own() {
    let log = Sample::of(1);
    let first = open_with(settings(&log.file, Durability::Strict));
    let second = open_with(settings(&log.file, Durability::Strict));
    append(&second, 7);
    append(&first, 8);
    // Both are being written: their heads are where they are.
    log.is_whole(&["audit.jsonl: whole", "audit-2.jsonl: whole"]);
    close(&first);
    close(&second);
    log.is_whole(&[]);
    let lane = log.folder.path().join("audit-2.jsonl");
    let text = fs::read_to_string(&lane).expect("a lane");
    fs::write(&lane, text.replace("\"number\":7", "\"number\":9")).expect("a lane");
    log.is_found(&["audit-2.jsonl line 2, sequence 2: the line was changed"]);
    fs::remove_file(&lane).expect("it was there");
    log.is_found(&["audit-2.jsonl: NOT whole", "cut off the end"]);
}
