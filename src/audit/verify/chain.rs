//! The check of one lane's lines, one after the other.
//!
//! A reader would ask why a line that does not fit is told apart by the numbers it claims: they may be
//! forged, but then the line after it does not fit either, and something is found in any case. What
//! they decide is only the words.

use std::path::PathBuf;

use super::super::lines::Line;
use super::{Check, Finding, Findings, Flaw, HeadRead, Note, Verdict, end};
use crate::audit::entry::NO_HEAD;
use crate::audit::segments::Lane;
use crate::audit::{ChainKey, Head, Kind, Mac, Mark, Sealed};

/// Where the check of a lane stands.
pub(super) struct Checker<'a> {
    keys: &'a [ChainKey],
    since: u64,
    keeps_few: bool,
    first_is_in_force: bool,
    named: Option<Head>,
    key: Sealing,
    /// Which key sealed the line before, where that is known.
    sealed_by: Option<usize>,
    /// What the next line continues, and its number; none before the first line.
    next: Option<(Mac, u64)>,
    /// Whether the line before was found wanting, so that its number may be a lie.
    is_lost: bool,
    /// A line that is none, which the next one may say is torn.
    fragment: Option<(Finding<Flaw>, Vec<u8>)>,
    place: (PathBuf, u64),
    pub(super) end: End,
    verdict: Verdict,
}

/// Which key seals the lines now.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sealing {
    /// The mark that names it is gone: whichever fits.
    Any,
    With(usize),
    /// None that was given: nothing can be checked until another one is named.
    Foreign,
}

/// What is kept for the comparison with the head.
#[derive(Default)]
pub(super) struct End {
    /// The seal of the line that the head names, and which key made it, where that is known.
    pub(super) at_head: Option<(Mac, Option<usize>)>,
    /// Whether it was written where there is no head: to standard output.
    pub(super) has_no_head: bool,
    /// Whether the last line says that the server stopped.
    pub(super) is_closed: bool,
    /// Whether a server started after what the head names, and wrote more.
    pub(super) outlived: bool,
    started_after: bool,
}

impl<'a> Checker<'a> {
    pub(super) fn new(check: &Check<'a>, named: Option<Head>) -> Self {
        Self {
            keys: check.keys,
            since: check.since,
            keeps_few: check.keeps_few,
            first_is_in_force: check.first_is_in_force,
            named,
            key: Sealing::Any,
            sealed_by: None,
            next: None,
            is_lost: false,
            fragment: None,
            place: (PathBuf::new(), 0),
            end: End::default(),
            verdict: Verdict {
                file: PathBuf::new(),
                first: None,
                last: 0,
                lines: 0,
                files: 0,
                flaws: Findings::default(),
                notes: Findings::default(),
            },
        }
    }

    pub(super) fn begin_file(&mut self, path: PathBuf) {
        self.place = (path, 0);
        self.verdict.files += 1;
    }

    /// The end of a file, and what stands there without being a line.
    pub(super) fn end_file(&mut self, rest: Option<Line<'_>>, is_last: bool) {
        self.settle_fragment();
        let Some(rest) = rest else { return };
        self.place.1 = rest.number;
        let seq = self.next.map_or(1, |(_, expected)| expected);
        if is_last {
            self.note(seq, Note::TornEnd);
        } else {
            self.flaw(seq, Flaw::EndsEarly);
        }
    }

    pub(super) fn line(&mut self, line: Line<'_>) {
        self.place.1 = line.number;
        self.verdict.lines += 1;
        if !line.is_whole {
            self.settle_fragment();
            return self.keep_fragment(line.text);
        }
        if self.next.is_none() && !self.begin(line.text) {
            return;
        }
        let Some((before, expected)) = self.next else {
            return;
        };
        if self.key == Sealing::Foreign && !self.is_named_again(line.text) {
            return;
        }
        match self.checked(&before, line.text) {
            Some(sealed) => self.good(sealed, expected, line.text),
            None => self.bad(&before, expected, line.text),
        }
    }

    fn checked(&mut self, before: &Mac, text: &[u8]) -> Option<Sealed> {
        match self.key {
            Sealing::With(key) => self.keys[key].check(before, text).ok(),
            Sealing::Foreign => None,
            Sealing::Any => {
                let mut fitting = self.keys.iter().enumerate();
                fitting.find_map(|(at, key)| {
                    let sealed = key.check(before, text).ok()?;
                    self.key = Sealing::With(at);
                    Some(sealed)
                })
            }
        }
    }

    /// Passes over lines that a foreign key sealed, until a file begins with one that was given.
    fn is_named_again(&mut self, text: &[u8]) -> bool {
        let Some(claimed) = Sealed::claimed(text) else {
            return false;
        };
        let known = match mark(text) {
            Some(mark) if mark.kind == Kind::Opened => self.known(mark.key.as_deref()),
            _ => None,
        };
        match known {
            Some(key) => self.key = Sealing::With(key),
            None => self.resume(claimed),
        }
        known.is_some()
    }

    fn known(&self, id: Option<&str>) -> Option<usize> {
        self.keys.iter().position(|key| Some(key.id()) == id)
    }

    /// The first line says itself what it continues, and which key sealed it. Whether it does.
    fn begin(&mut self, text: &[u8]) -> bool {
        let Some(claimed) = Sealed::claimed(text) else {
            self.next = Some((Mac::default(), 1));
            return true;
        };
        let first = claimed.seq;
        self.verdict.first = Some(first);
        if first > self.since.max(1) && !self.keeps_few {
            self.flaw(first, Flaw::BeginsLate { first });
        } else if first > 1 {
            self.note(first, Note::Since { first });
        }
        let mark = mark(text).filter(|mark| mark.kind == Kind::Opened);
        let id = mark.as_ref().and_then(|mark| mark.key.as_deref());
        self.key = self.known(id).map_or(Sealing::Any, Sealing::With);
        let prev = mark.as_ref().and_then(|mark| mark.prev.as_deref());
        let prev = prev.and_then(|prev| Mac::parse(prev.as_bytes()));
        self.next = prev.map(|prev| (prev, first));
        if prev.is_none() {
            self.flaw(first, Flaw::NoOpening);
            self.resume(claimed);
        }
        prev.is_some()
    }

    fn good(&mut self, sealed: Sealed, expected: u64, text: &[u8]) {
        let mark = mark(text);
        self.settle_torn(mark.as_ref());
        let lost_to = mark.as_ref().and_then(|mark| mark.lost_to);
        if let Some(to) = lost_to {
            let flaw = match expected {
                from if from <= to => Flaw::WasCut { from, to },
                _ => Flaw::WasReplaced { to },
            };
            self.flaw(sealed.seq, flaw);
        } else if sealed.seq != expected && !self.is_lost {
            self.flaw(sealed.seq, Flaw::Misplaced { expected });
        }
        self.is_lost = false;
        self.sealed_by = match self.key {
            Sealing::With(key) => Some(key),
            Sealing::Any | Sealing::Foreign => None,
        };
        self.pass(sealed);
        if let Some(mark) = mark {
            self.marked(sealed.seq, &mark);
        }
    }

    fn bad(&mut self, before: &Mac, expected: u64, text: &[u8]) {
        let Some(claimed) = Sealed::claimed(text) else {
            self.settle_fragment();
            return self.keep_fragment(text);
        };
        self.settle_fragment();
        if claimed.mac == *before {
            // It was looked at already, or it is the first line and has been changed.
            let twice = self.verdict.last == claimed.seq;
            return self.flaw(claimed.seq, if twice { Flaw::Twice } else { Flaw::Changed });
        }
        if let Some(id) = self.other_key(text) {
            self.key = match id {
                Flaw::ForeignKey { .. } => Sealing::Foreign,
                _ => Sealing::Any,
            };
            self.flaw(claimed.seq, id);
        } else if claimed.seq < expected {
            self.is_lost = true;
            return self.flaw(claimed.seq, Flaw::Misplaced { expected });
        } else if claimed.seq > expected {
            let (from, to) = (expected, claimed.seq - 1);
            self.flaw(claimed.seq, Flaw::Missing { from, to });
        } else {
            self.flaw(claimed.seq, Flaw::Changed);
        }
        self.resume(claimed);
    }

    /// A mark that names another key than the one in force.
    fn other_key(&self, text: &[u8]) -> Option<Flaw> {
        let mark = mark(text).filter(|mark| mark.kind == Kind::Opened)?;
        let id = mark.key?.into_owned();
        match self.known(Some(&id)) {
            None => Some(Flaw::ForeignKey { id }),
            Some(key) if self.key != Sealing::With(key) => Some(Flaw::Unannounced { id }),
            Some(_) => None,
        }
    }

    /// Goes on from what a line claims.
    fn resume(&mut self, claimed: Sealed) {
        self.is_lost = true;
        self.sealed_by = None;
        self.pass(claimed);
    }

    fn pass(&mut self, sealed: Sealed) {
        self.verdict.last = sealed.seq;
        self.next = Some((sealed.mac, sealed.seq.saturating_add(1)));
        self.end.is_closed = false;
        self.end.outlived |= self.end.started_after;
        if self.named.is_some_and(|head| head.seq == sealed.seq) {
            self.end.at_head = Some((sealed.mac, self.sealed_by));
        }
    }

    fn marked(&mut self, seq: u64, mark: &Mark<'_>) {
        match (mark.kind, mark.count) {
            (Kind::Gap, count) => {
                let count = count.unwrap_or(1);
                self.note(seq, Note::Gap { count });
            }
            (Kind::Opened, _) if mark.is_start() => {
                self.end.started_after |= self.named.is_some_and(|head| head.seq < seq);
                match mark.head.as_deref() {
                    None => self.end.has_no_head = false,
                    Some(NO_HEAD) => self.end.has_no_head = true,
                    Some(head) => {
                        let head = head.to_owned();
                        self.flaw(seq, Flaw::HeadWasGone { head });
                    }
                }
            }
            (Kind::Rekeyed, _) => {
                let id = mark.key.as_deref().unwrap_or_default().to_owned();
                match self.known(Some(&id)) {
                    Some(key) => {
                        self.key = Sealing::With(key);
                        self.note(seq, Note::NewKey { id });
                    }
                    None => {
                        self.key = Sealing::Foreign;
                        self.flaw(seq, Flaw::ForeignKey { id });
                    }
                }
            }
            (Kind::Closed, _) => self.end.is_closed = mark.because.as_deref() == Some("stopped"),
            _ => {}
        }
    }

    fn keep_fragment(&mut self, text: &[u8]) {
        let seq = self.next.map_or(1, |(_, expected)| expected);
        let place = self.place(seq, Flaw::NoLine);
        self.fragment = Some((place, text.to_vec()));
    }

    /// A fragment that nothing explains.
    fn settle_fragment(&mut self) {
        if let Some((place, _)) = self.fragment.take() {
            self.verdict.flaws.push(place);
        }
    }

    /// A good line after a fragment: the mark that explains it, or none.
    fn settle_torn(&mut self, mark: Option<&Mark<'_>>) {
        let Some((place, text)) = self.fragment.take() else {
            if let Some(mark) = mark.filter(|mark| mark.kind == Kind::Torn) {
                let bytes = mark.count.unwrap_or_default();
                let seq = self.next.map_or(1, |(_, expected)| expected);
                self.flaw(seq, Flaw::NoFragment { bytes });
            }
            return;
        };
        let bytes = text.len() as u64;
        let digest = match self.key {
            Sealing::With(key) => Some(self.keys[key].digest(&text)),
            _ => None,
        };
        let explains = |mark: &&Mark<'_>| {
            mark.kind == Kind::Torn
                && mark.count == Some(bytes)
                && mark.fragment.as_deref() == digest.as_deref()
        };
        if mark.filter(explains).is_none() {
            self.verdict.flaws.push(place);
            return;
        }
        self.verdict.notes.push(Finding {
            what: Note::Torn { bytes },
            file: place.file,
            line: place.line,
            seq: place.seq,
        });
    }

    /// What the whole lane came to.
    pub(super) fn end(mut self, lane: &Lane, head: HeadRead) -> Verdict {
        self.verdict.file.clone_from(&lane.file);
        if self.place.0.as_os_str().is_empty() {
            self.place.0.clone_from(&lane.file);
        }
        let last = self.verdict.last;
        if let Some(key @ 1..) = self.sealed_by
            && self.first_is_in_force
        {
            let id = self.keys[key].id().to_owned();
            self.note(last, Note::EndsUnder { id });
        }
        match end::compare(&self.end, &self.verdict, head) {
            Ok(Some(note)) => self.note(last, note),
            Ok(None) => {}
            Err(flaw) => self.flaw(last, flaw),
        }
        self.verdict
    }

    fn place<T>(&self, seq: u64, what: T) -> Finding<T> {
        Finding {
            file: self.place.0.clone(),
            line: self.place.1,
            seq,
            what,
        }
    }

    fn flaw(&mut self, seq: u64, what: Flaw) {
        let finding = self.place(seq, what);
        self.verdict.flaws.push(finding);
    }

    fn note(&mut self, seq: u64, what: Note) {
        let finding = self.place(seq, what);
        self.verdict.notes.push(finding);
    }
}

/// What a line says, if it is a mark.
fn mark(text: &[u8]) -> Option<Mark<'_>> {
    let kind = &text[memchr::memchr(b',', text)? + 1..];
    if kind.starts_with(b"\"kind\":\"call\"") || kind.starts_with(b"\"kind\":\"begun\"") {
        return None;
    }
    serde_json::from_slice(text).ok()
}
