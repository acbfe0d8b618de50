//! What the writer needs of an open log, wherever its lines go.

use std::io;
use std::sync::Arc;

use memchr::memchr_iter;

use super::{ChainKey, Head, Kind, Mark};
use crate::build;
use crate::clock::{Clock, rfc3339};

/// Where the chain ends, and what seals the next line.
pub(super) struct ChainEnd {
    pub(super) key: Arc<ChainKey>,
    /// The last line.
    pub(super) head: Head,
    pub(super) clock: Clock,
}

/// A log that one more line can be appended to.
pub(super) trait OpenLog: Send + 'static {
    fn chain(&self) -> &ChainEnd;

    /// Appends the lines that `seal` makes after the end of the chain: all or none. What failed may be tried again,
    /// with the same lines.
    fn append_with(&mut self, seal: impl Fn(&ChainEnd, &mut Vec<u8>) -> Head) -> io::Result<()>;

    /// Goes on with a key that was announced.
    fn take_up(&mut self, key: Arc<ChainKey>);

    /// Seals the bodies, each with its newline, and appends them.
    fn append(&mut self, bodies: &[u8]) -> io::Result<()> {
        self.append_with(|chain, sealed| chain.seal(bodies, sealed))
    }

    /// Makes sure that every line is where it is kept.
    fn sync(&mut self) -> io::Result<()>;

    /// Makes sure that what is appended next comes after what was appended last.
    fn stand(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Begins another file if this one is full before `more` bytes.
    fn rotate_if_full(&mut self, more: usize) -> io::Result<()> {
        let _ = more;
        Ok(())
    }

    /// Whether so much is not synced that it is time.
    fn must_sync(&self) -> bool {
        false
    }

    /// Tells where the chain ends.
    fn tell(&mut self) {}

    /// Makes sure that what was told is on disk.
    fn sync_told(&mut self) {}

    /// Appends a mark.
    fn mark(&mut self, mark: &Mark<'_>) -> io::Result<()> {
        self.append(&body_of(mark))
    }

    /// A mark that says when.
    fn new_mark(&self, kind: Kind) -> Mark<'static> {
        Mark::new(kind, rfc3339(self.chain().clock.unix()))
    }

    /// Begins a file, or goes on with one that was opened again.
    fn begin(&mut self, mark: Mark<'_>) -> io::Result<()> {
        let ChainEnd { key, head, .. } = self.chain();
        let (prev, id) = (head.mac.to_string(), Arc::clone(key));
        self.mark(&Mark {
            prev: Some(prev.into()),
            key: Some(id.id().into()),
            by: Some(format!("tollgate {}", build::VERSION).into()),
            ..mark
        })
    }

    /// The mark that announces a key.
    fn announcement(&self, key: &ChainKey) -> Mark<'static> {
        Mark {
            key: Some(key.id().to_owned().into()),
            ..self.new_mark(Kind::Rekeyed)
        }
    }

    /// From now on lines are sealed with the key that `mark` announces. What failed may be tried again, with the same
    /// mark: a second one would be sealed with a key that is no longer in force.
    ///
    /// A first line of the new key comes with it. Else, until the next call, the log would end with a line that a
    /// start does not know which has the new key alone.
    fn rekey(&mut self, key: Arc<ChainKey>, mark: &Mark<'_>) -> io::Result<()> {
        let announcement = body_of(mark);
        let first = body_of(&Mark {
            key: Some(key.id().into()),
            ..Mark::new(Kind::Checkpoint, mark.time.clone().into_owned())
        });
        self.append_with(|chain, sealed| {
            let head = chain.seal(&announcement, sealed);
            ChainEnd {
                key: Arc::clone(&key),
                head,
                clock: chain.clock.clone(),
            }
            .seal(&first, sealed)
        })?;
        self.take_up(key);
        Ok(())
    }

    /// Ends the log, since the server stops: says so, and makes sure of it.
    fn end(&mut self) -> io::Result<()> {
        self.mark(&Mark {
            because: Some("stopped".into()),
            ..self.new_mark(Kind::Closed)
        })?;
        self.sync()?;
        self.tell();
        self.sync_told();
        Ok(())
    }
}

impl ChainEnd {
    /// Seals the bodies, each with its newline, onto `sealed`; where the chain ends then.
    pub(super) fn seal(&self, bodies: &[u8], sealed: &mut Vec<u8>) -> Head {
        let (mut head, mut start) = (self.head, 0);
        for end in memchr_iter(b'\n', bodies) {
            head.seq += 1;
            head.mac = self
                .key
                .seal(&head.mac, head.seq, &bodies[start..end], sealed);
            start = end + 1;
        }
        head
    }
}

/// A mark as it is sealed: one line.
pub(super) fn body_of(mark: &Mark<'_>) -> Vec<u8> {
    // Into memory, and all keys are texts: this does not fail.
    let mut body = serde_json::to_vec(mark).unwrap_or_default();
    body.push(b'\n');
    body
}
