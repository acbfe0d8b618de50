//! Standard error, written by a thread of its own.
//!
//! Whoever started us may have stopped reading: a pipe fills up, a terminal is paused. A log line
//! must then get lost rather than hold up a call or a shutdown, so lines go through a bounded queue
//! to one thread, and what does not fit is dropped.

use std::io::{self, Write};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};

/// The name of the thread.
pub(crate) const WRITER: &str = "stderr";
/// How many lines may wait to be written.
const WAITING_LINES: usize = 4_096;

enum Entry {
    Text(Vec<u8>),
    /// Everything before it has been written once this is received.
    Flush(Sender<()>),
}

static LOST: AtomicU64 = AtomicU64::new(0);

static QUEUE: LazyLock<Sender<Entry>> = LazyLock::new(|| {
    let (sender, receiver) = bounded(WAITING_LINES);
    // Without the thread the queue is closed, and lines are dropped like any that do not fit.
    let _ = std::thread::Builder::new()
        .name(WRITER.to_owned())
        .spawn(move || write_all(&receiver));
    sender
});

fn write_all(entries: &Receiver<Entry>) {
    for entry in entries {
        match entry {
            // A closed standard error is nobody's fault here.
            Entry::Text(text) => drop(io::stderr().write_all(&text)),
            Entry::Flush(done) => drop(done.try_send(())),
        }
    }
}

/// Standard error as a writer that never blocks. Each `write` is written in one piece, or dropped.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stderr;

impl Write for Stderr {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        if QUEUE.try_send(Entry::Text(text.to_vec())).is_err() {
            LOST.fetch_add(1, Ordering::Relaxed);
        }
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Lines that did not fit and were dropped, since the process began.
pub fn lost() -> u64 {
    LOST.load(Ordering::Relaxed)
}

/// Waits until what was written so far is out, for at most `patience`.
pub fn flush(patience: Duration) {
    let (done, written) = bounded(1);
    if QUEUE.send_timeout(Entry::Flush(done), patience).is_ok() {
        let _ = written.recv_timeout(patience);
    }
}
