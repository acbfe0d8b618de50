//! The lines of a file, read in big blocks.
//!
//! A reader would ask why `BufRead::read_until` is not enough: it copies every line, and a line
//! without end would fill the memory.

use std::io::{self, Read};

use memchr::memchr;

use super::segments::MAX_LINE_BYTES;

/// How much is read at once.
const BLOCK_BYTES: usize = 256 * 1024;

/// A line without its newline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line<'a> {
    /// From 1.
    pub(super) number: u64,
    /// What it says; the beginning of it where it is too long.
    pub(super) text: &'a [u8],
    /// Whether it ends with a newline, and has not too many bytes to be one of a log.
    pub(super) is_whole: bool,
}

/// Reads lines, one after the other.
pub(super) struct Lines<R> {
    from: R,
    block: Vec<u8>,
    /// What of the block is not read yet.
    start: usize,
    end: usize,
    number: u64,
}

impl<R: Read> Lines<R> {
    pub(super) fn new(from: R) -> Self {
        Self {
            from,
            block: vec![0; BLOCK_BYTES],
            start: 0,
            end: 0,
            number: 0,
        }
    }

    /// The next one that is ended; none at the end, for now: more may be written.
    pub(super) fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        let mut looked = 0;
        loop {
            let unread = &self.block[self.start + looked..self.end];
            if let Some(at) = memchr(b'\n', unread) {
                let line = self.start..self.start + looked + at;
                self.start = line.end + 1;
                self.number += 1;
                return Ok(Some(Line {
                    number: self.number,
                    text: &self.block[line],
                    is_whole: true,
                }));
            }
            looked = self.end - self.start;
            if looked > MAX_LINE_BYTES {
                return self.too_long().map(Some);
            }
            if self.fill()? == 0 {
                return Ok(None);
            }
        }
    }

    /// What stands after the last newline.
    pub(super) fn rest(&mut self) -> Option<Line<'_>> {
        let line = self.start..self.end;
        self.start = self.end;
        if line.is_empty() {
            return None;
        }
        self.number += 1;
        Some(Line {
            number: self.number,
            text: &self.block[line],
            is_whole: false,
        })
    }

    /// Passes over the rest of a line that nobody would have written.
    fn too_long(&mut self) -> io::Result<Line<'_>> {
        let kept = 64;
        self.block.copy_within(self.start..self.start + kept, 0);
        loop {
            self.end = read_some(&mut self.from, &mut self.block[kept..])? + kept;
            if let Some(at) = memchr(b'\n', &self.block[kept..self.end]) {
                self.start = kept + at + 1;
                break;
            }
            self.start = self.end;
            if self.end == kept {
                break;
            }
        }
        self.number += 1;
        Ok(Line {
            number: self.number,
            text: &self.block[..kept],
            is_whole: false,
        })
    }

    fn fill(&mut self) -> io::Result<usize> {
        self.block.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.end == self.block.len() {
            self.block.resize(self.block.len() * 2, 0);
        }
        let read = read_some(&mut self.from, &mut self.block[self.end..])?;
        self.end += read;
        Ok(read)
    }
}

fn read_some(from: &mut impl Read, into: &mut [u8]) -> io::Result<usize> {
    loop {
        match from.read(into) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Gives a few bytes at a time.
    struct Slowly<'a>(&'a [u8]);

    impl Read for Slowly<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let some = self.0.len().min(into.len()).min(7);
            into[..some].copy_from_slice(&self.0[..some]);
            self.0 = &self.0[some..];
            Ok(some)
        }
    }

    fn read(text: &[u8]) -> Vec<(Vec<u8>, bool)> {
        let (mut lines, mut found) = (Lines::new(Slowly(text)), Vec::new());
        while let Some(line) = lines.next().unwrap() {
            assert_eq!(line.number, found.len() as u64 + 1);
            found.push((line.text.to_vec(), line.is_whole));
        }
        found.extend(lines.rest().map(|line| (line.text.to_vec(), line.is_whole)));
        found
    }

    #[test]
    fn a_line_without_end_is_passed_over_and_said() {
        let mut text = vec![b'x'; 3 * MAX_LINE_BYTES];
        text.extend_from_slice(b"\nafter\n");
        let mut lines = Lines::new(&text[..]);
        assert!(!lines.next().unwrap().unwrap().is_whole);
        let after = lines.next().unwrap().unwrap();
        assert_eq!(
            (after.number, after.text, after.is_whole),
            (2, &b"after"[..], true)
        );
        assert_eq!(lines.next().unwrap(), None);
    }

    proptest! {
        #[test]
        fn lines_put_together_are_the_text(text in proptest::collection::vec(prop_oneof![Just(b'\n'), any::<u8>()], 0..200)) {
            let mut again = Vec::new();
            for (line, is_whole) in read(&text) {
                again.extend_from_slice(&line);
                if is_whole {
                    again.push(b'\n');
                }
            }
            prop_assert_eq!(again, text);
        }
    }
}
