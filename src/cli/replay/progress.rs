//! How far a replay is, for somebody who waits at a terminal.

use std::io::{IsTerminal as _, Write as _};

use crate::stderr::Stderr;

/// How many lines between two words.
const STEP: u64 = 100_000;

/// Counts lines; tells of them where standard error is a terminal.
pub(super) struct Progress {
    lines: u64,
    is_told: bool,
}

impl Progress {
    pub(super) fn new() -> Self {
        Self {
            lines: 0,
            is_told: std::io::stderr().is_terminal(),
        }
    }

    /// Another line was read.
    pub(super) fn step(&mut self) {
        self.lines += 1;
        if self.is_told && self.lines.is_multiple_of(STEP) {
            self.tell("");
        }
    }

    /// All lines were read.
    pub(super) fn end(&self) {
        if self.is_told && self.lines >= STEP {
            self.tell("\n");
        }
    }

    fn tell(&self, end: &str) {
        // Nobody need hear of it.
        let _ = Stderr.write_all(format!("\r{} lines{end}", self.lines).as_bytes());
    }
}
