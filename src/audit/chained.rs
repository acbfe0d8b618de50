//! The open log in files: one file, where its chain ends, and how one more line gets there.
//!
//! Nothing of the chain moves before the text is in the file: a write that failed is made again from
//! the same place.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::head::HeadFile;
use super::keys::Keys;
use super::logfile::{LogFile, MAX_UNSYNCED_BYTES};
use super::open_log::{ChainEnd, OpenLog};
use super::rotation::Rotating;
use super::{ChainKey, Head};

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

    fn append_with(&mut self, seal: impl Fn(&ChainEnd, &mut Vec<u8>) -> Head) -> io::Result<()> {
        let chain = &self.chain;
        self.chain.head = self.file.append_with(|end| seal(chain, end))?;
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync()
    }

    fn take_up(&mut self, key: Arc<ChainKey>) {
        self.chain.key = Arc::clone(&key);
        self.keys.follow(key);
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

    fn sync_told(&mut self) {
        self.head_file.sync();
    }
}
