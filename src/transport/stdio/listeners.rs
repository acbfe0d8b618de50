//! Changes, told on standard output.
//!
//! A subscription is a task among the running calls, under the id of its request, so that it is
//! cancelled and ends like one. A client that said `initialize` is told without asking, once
//! however often it says so.

use std::collections::HashMap;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use arc_swap::ArcSwap;
use tokio::runtime::Handle;
use tokio::task::{AbortHandle, spawn_blocking};

use super::{Output, StdioFront, StdioSurface, lock};
use crate::auth::KeptCredentials;
use crate::mcp::{Heard, Listening, Served};
use crate::record::CallRecord;

/// What telling needs of the surface.
pub(super) struct Listeners<W> {
    front: Arc<ArcSwap<StdioFront>>,
    output: Arc<Output<W>>,
    running: Arc<Mutex<HashMap<String, AbortHandle>>>,
    greeted: Arc<AtomicBool>,
}

impl<W: Write + Send + 'static> Listeners<W> {
    /// Tells what the client listens for, until that is over. The record closes then.
    pub(super) async fn tell(self, mut listening: Box<Listening>, mut record: CallRecord) {
        if listening.id().is_none() && self.greeted.swap(true, Ordering::AcqRel) {
            return;
        }
        let served = || {
            let front = self.front.load();
            Served {
                pipeline: Arc::clone(&front.pipeline),
                mcp: Arc::clone(&front.mcp),
            }
        };
        while let Some(heard) = listening.next(&KeptCredentials::Local, served).await {
            if let Heard::Message(message) = heard {
                let output = Arc::clone(&self.output);
                // A client that does not read must block a thread of the pool, not a worker.
                let _ = spawn_blocking(move || output.write_line(message)).await;
            }
        }
        record.close_ok();
        match listening.id() {
            Some(id) => drop(lock(&self.running).remove(id)),
            None => self.greeted.store(false, Ordering::Release),
        }
    }
}

impl<W: Write + Send + 'static> StdioSurface<W> {
    pub(super) fn listeners(&self) -> Listeners<W> {
        Listeners {
            front: Arc::clone(&self.front),
            output: Arc::clone(&self.output),
            running: Arc::clone(&self.running),
            greeted: Arc::clone(&self.greeted),
        }
    }

    /// Begins to tell; the answer that said so, if any, is written.
    pub(super) fn listen(&self, listening: Box<Listening>, record: CallRecord, runtime: &Handle) {
        let id = listening.id().map(str::to_owned);
        let work = self.listeners().tell(listening, record);
        self.spawn(id, work, runtime);
    }
}
