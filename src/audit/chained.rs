//! The open log in files: one file, where its chain ends, and how one more line gets there.
//!
//! Nothing of the chain moves before the text is in the file: a write that failed is made again from
//! the same place.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::head::HeadFile;
use super::logfile::{LogFile, MAX_UNSYNCED_BYTES};
use super::open_log::{ChainEnd, OpenLog};
use super::opening::Keys;
use super::rotation::Rotating;
use super::{ChainKey, Head, Mark};

/// The one that writes.
pub(super) struct Chained {
    pub(super) path: PathBuf,
    pub(super) file: LogFile,
    pub(super) head_file: HeadFile,
    pub(super) chain: ChainEnd,
    pub(super) keys: Keys,
    pub(super) rotating: Rotating,
    /// The last line, from when the file was found to be another one until it is gone on with.
    pub(super) left_at: Option<Head>,
}

impl OpenLog for Chained {
    fn chain(&self) -> &ChainEnd {
        &self.chain
    }

    fn chain_mut(&mut self) -> &mut ChainEnd {
        &mut self.chain
    }

    fn append(&mut self, bodies: &[u8]) -> io::Result<()> {
        let chain = &self.chain;
        self.chain.head = self.file.append_with(|end| chain.seal(bodies, end))?;
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync()
    }

    fn rekey(&mut self, key: Arc<ChainKey>, mark: &Mark<'_>) -> io::Result<()> {
        self.mark(mark)?;
        let before = std::mem::replace(&mut self.chain.key, Arc::clone(&key));
        // Full files may go on in it, when this one is taken away.
        self.keys = Keys {
            key,
            previous: Some(before),
        };
        Ok(())
    }

    fn stand(&mut self) -> io::Result<()> {
        self.find_again()
    }

    fn rotate_if_full(&mut self, more: usize) -> io::Result<()> {
        self.make_room(more)
    }

    fn must_sync(&self) -> bool {
        self.file.unsynced_bytes() >= MAX_UNSYNCED_BYTES
    }

    fn tell(&mut self) {
        self.head_file.write(&self.chain.key, &self.chain.head);
    }

    fn end(&mut self) -> io::Result<()> {
        self.close()?;
        self.head_file.sync();
        Ok(())
    }
}
