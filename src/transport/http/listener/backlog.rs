//! Answers that nobody reads: counted over all connections, and bounded.
//!
//! The call is over, so no cap on calls counts them, and a client that keeps its window shut can
//! have a hundred on each connection. While too much is unsent no call begins
//! ([`Load`](crate::pipeline::Load)), and the connection whose answer waits longest is cut at once.
//! A reader would ask why not the one that holds most: an attacker who knows that rule holds little
//! on many connections, and the honest reader of one large answer is cut in his stead. Who reads is
//! never the oldest for long.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::Seldom;
use crate::pipeline::{Load, Pipeline};
use crate::record::Recorder;

/// One connection's part of the most that may be unsent.
const PARTS: usize = 8;

/// All answers that wait.
pub(super) struct Backlog {
    load: Arc<Load>,
    recorder: Arc<Recorder>,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    /// In the order in which they were made.
    answers: BTreeMap<u64, Arc<Share>>,
    next: u64,
    /// Bytes on connections that are not cut.
    bytes: usize,
    cuts: Seldom,
}

/// What waits on one connection. Changed only under the lock of [`Waiting`].
pub(super) struct Share {
    backlog: Arc<Backlog>,
    bytes: AtomicUsize,
    is_cut: AtomicBool,
    cut: Mutex<Option<oneshot::Sender<()>>>,
}

/// An answer that waits; dropping it is its end.
pub(super) struct Unread {
    share: Arc<Share>,
    number: u64,
    bytes: usize,
}

impl Backlog {
    /// Keeps what of the pipeline is there to stay.
    pub(super) fn new(pipeline: &Pipeline) -> Arc<Self> {
        Arc::new(Self {
            load: Arc::clone(&pipeline.load),
            recorder: Arc::clone(&pipeline.recorder),
            waiting: Mutex::default(),
        })
    }

    /// A new connection's share, and what tells that the connection is to be cut.
    pub(super) fn share(self: &Arc<Self>) -> (Arc<Share>, oneshot::Receiver<()>) {
        let (cut, is_cut) = oneshot::channel();
        let share = Share {
            backlog: Arc::clone(self),
            bytes: AtomicUsize::new(0),
            is_cut: AtomicBool::new(false),
            cut: Mutex::new(Some(cut)),
        };
        (Arc::new(share), is_cut)
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nothing more is counted for the connection: it is gone as soon as its task is woken.
    fn cut(&self, waiting: &mut Waiting, share: &Share) {
        if share.is_cut.swap(true, Ordering::Relaxed) {
            return;
        }
        waiting.bytes -= share.bytes.load(Ordering::Relaxed);
        let mut cut = share.cut.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(cut) = cut.take() {
            // Where nobody listens, the connection is closing already.
            let _ = cut.send(());
        }
        self.recorder.connection_cut();
        waiting.cuts.note(|count| {
            tracing::warn!(
                count,
                "too many answers wait to be read; connections were cut"
            );
        });
    }
}

impl Share {
    /// An answer of so many bytes is made.
    pub(super) fn add(self: &Arc<Self>, bytes: usize) -> Unread {
        let (backlog, load) = (&self.backlog, &self.backlog.load);
        load.answer_made(bytes);
        let mut waiting = backlog.waiting();
        let number = waiting.next;
        waiting.next += 1;
        waiting.answers.insert(number, Arc::clone(self));
        let before = self.bytes.fetch_add(bytes, Ordering::Relaxed);
        if !self.is_cut.load(Ordering::Relaxed) {
            waiting.bytes += bytes;
        }
        let most = load.max_unsent();
        // One alone may be large.
        if bytes > most || (before > 0 && before + bytes > most / PARTS) {
            backlog.cut(&mut waiting, self);
        }
        while waiting.bytes > most
            && let Some(oldest) = waiting.oldest()
        {
            backlog.cut(&mut waiting, &oldest);
        }
        drop(waiting);
        Unread {
            share: Arc::clone(self),
            number,
            bytes,
        }
    }
}

impl Waiting {
    /// The connection whose answer waits longest, of those that are not cut.
    fn oldest(&self) -> Option<Arc<Share>> {
        let mut shares = self.answers.values();
        let found = shares.find(|share| !share.is_cut.load(Ordering::Relaxed));
        found.map(Arc::clone)
    }
}

impl Drop for Unread {
    fn drop(&mut self) {
        let backlog = &self.share.backlog;
        let mut waiting = backlog.waiting();
        waiting.answers.remove(&self.number);
        self.share.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
        if !self.share.is_cut.load(Ordering::Relaxed) {
            waiting.bytes -= self.bytes;
        }
        drop(waiting);
        backlog.load.answer_gone(self.bytes);
    }
}
