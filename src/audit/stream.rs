//! The open log on standard output: for places that collect what programs say there and have no disk to keep.
//!
//! Each process writes a chain of its own, from its first line to its last. Nothing of it can be read back, so
//! there is no head, no rotation and nothing to go on with. A reader would ask why standard output is not written
//! through `std::io::stdout`: its buffer hides how much of a text that failed is out already.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::sync::Arc;

use super::entry::{NO_HEAD, STARTED};
use super::open_log::{ChainEnd, OpenLog};
use super::{ChainKey, Head, Kind, Mark};
use crate::clock::Clock;

/// The one that writes.
pub(super) struct Streamed<W = File> {
    out: W,
    chain: ChainEnd,
    /// Sealed lines on their way, and where the chain ends with them.
    sealed: Vec<u8>,
    sealed_to: Head,
    /// How much of them is out, where the rest failed.
    begun: usize,
}

impl Streamed {
    /// Begins a chain.
    pub(super) fn open(key: &Arc<ChainKey>, clock: &Clock) -> io::Result<Self> {
        Self::on(standard_output()?, key, clock)
    }
}

impl<W: Write + Send + 'static> Streamed<W> {
    fn on(out: W, key: &Arc<ChainKey>, clock: &Clock) -> io::Result<Self> {
        let mut log = Self {
            out,
            chain: ChainEnd {
                key: Arc::clone(key),
                head: Head::default(),
                clock: clock.clone(),
            },
            sealed: Vec::new(),
            sealed_to: Head::default(),
            begun: 0,
        };
        let mark = log.new_mark(Kind::Opened);
        log.begin(Mark {
            because: Some(STARTED.into()),
            head: Some(NO_HEAD.into()),
            ..mark
        })?;
        Ok(log)
    }
}

impl<W: Write + Send + 'static> OpenLog for Streamed<W> {
    fn chain(&self) -> &ChainEnd {
        &self.chain
    }

    fn append_with(&mut self, seal: impl Fn(&ChainEnd, &mut Vec<u8>) -> Head) -> io::Result<()> {
        let mut sealed = Vec::new();
        let mut head = seal(&self.chain, &mut sealed);
        if self.begun > 0 && sealed != self.sealed {
            // Another text: the one that failed is partly out, and has to be whole first.
            self.write_rest()?;
            sealed.clear();
            head = seal(&self.chain, &mut sealed);
        }
        (self.sealed, self.sealed_to) = (sealed, head);
        self.write_rest()
    }

    fn take_up(&mut self, key: Arc<ChainKey>) {
        self.chain.key = key;
    }

    /// What was written is with whoever reads.
    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<W: Write> Streamed<W> {
    fn write_rest(&mut self) -> io::Result<()> {
        while self.begun < self.sealed.len() {
            match self.out.write(&self.sealed[self.begun..]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(more) => self.begun += more,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.begun = 0;
        self.chain.head = self.sealed_to;
        Ok(())
    }
}

/// Standard output without a buffer.
fn standard_output() -> io::Result<File> {
    #[cfg(unix)]
    {
        use std::os::fd::AsFd as _;
        io::stdout().as_fd().try_clone_to_owned().map(File::from)
    }
    #[cfg(windows)]
    {
        use std::os::windows::io::AsHandle as _;
        io::stdout()
            .as_handle()
            .try_clone_to_owned()
            .map(File::from)
    }
    #[cfg(not(any(unix, windows)))]
    Err(ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::audit::{Mac, Sealed};

    /// Takes so many bytes before it fails once.
    struct Narrow {
        taken: Arc<Mutex<Vec<u8>>>,
        room: Arc<Mutex<usize>>,
    }

    impl Write for Narrow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut room = self.room.lock().expect("no panic before");
            if *room == 0 {
                *room = usize::MAX;
                return Err(ErrorKind::StorageFull.into());
            }
            let now = bytes.len().min(*room);
            *room -= now;
            self.taken
                .lock()
                .expect("no panic before")
                .extend(&bytes[..now]);
            Ok(now)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_new_key_whose_mark_fails_halfway_is_announced_once() {
        let [old, new] = [
            "the-first-key-of-more-than-32-bytes",
            "the-second-key-of-more-than-32-bytes",
        ]
        .map(|key| Arc::new(ChainKey::new(key.as_bytes())));
        let clock = Clock::turned();
        let (taken, room) = (Arc::default(), Arc::new(Mutex::new(usize::MAX)));
        let narrow = Narrow {
            taken: Arc::clone(&taken),
            room: Arc::clone(&room),
        };
        let mut log = Streamed::on(narrow, &old, &clock).expect("a log");
        let mark = log.announcement(&new);
        *room.lock().expect("no panic before") = 40;
        assert!(log.rekey(Arc::clone(&new), &mark).is_err());
        clock.advance(std::time::Duration::from_secs(1));
        log.rekey(Arc::clone(&new), &mark)
            .expect("it is tried again");
        log.append(b"{\"kind\":\"call\"}\n").expect("a line");

        let text = taken.lock().expect("no panic before").clone();
        let mut before = Mac::default();
        let lines = text
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty());
        let seals = lines.zip([&old, &old, &new, &new]).map(|(line, key)| {
            let sealed: Sealed = key.check(&before, line).expect("a good seal");
            before = sealed.mac;
            sealed.seq
        });
        assert_eq!(seals.collect::<Vec<_>>(), [1, 2, 3, 4]);
    }
}
