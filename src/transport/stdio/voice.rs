//! What a call says before its answer, on its way to standard output.
//!
//! A call that is cancelled has no answer, but a question of its own may stand before a person: it is
//! taken back, after the question itself went out and never before.

use std::future::poll_fn;
use std::io::Write;
use std::sync::Arc;
use std::task::Poll;

use futures_util::future::Either;
use tokio::runtime::Handle;
use tokio::task::{JoinHandle, spawn_blocking};

use super::{Answering, Output};
use crate::mcp::{Answer, Notices};
use crate::record::CallRecord;

/// The words of one call.
pub(super) struct Voice<W: Write + Send + 'static> {
    notices: Notices,
    output: Arc<Output<W>>,
    writing: Option<JoinHandle<()>>,
}

impl<W: Write + Send + 'static> Voice<W> {
    pub(super) fn new(notices: Notices, output: &Arc<Output<W>>) -> Self {
        Self {
            notices,
            output: Arc::clone(output),
            writing: None,
        }
    }

    /// Writes what the call says until it answers.
    pub(super) async fn accompany(&mut self, mut answering: Answering) -> (Answer, CallRecord) {
        loop {
            let said = poll_fn(|context| {
                if let Poll::Ready(done) = answering.as_mut().poll(context) {
                    return Poll::Ready(Either::Right(done));
                }
                self.notices.poll_next(context).map(Either::Left)
            });
            match said.await {
                Either::Left(notice) => self.say(vec![notice]).await,
                Either::Right(done) => {
                    let rest = self.notices.take_all();
                    if !rest.is_empty() {
                        self.say(rest).await;
                    }
                    return done;
                }
            }
        }
    }

    /// Writes these and waits for it. A client that does not read must block a thread of the pool for
    /// that, not a worker.
    pub(super) async fn say(&mut self, lines: Vec<Vec<u8>>) {
        let write = writing(&self.output, lines);
        let _ = self.writing.insert(spawn_blocking(write)).await;
        self.writing = None;
    }
}

impl<W: Write + Send + 'static> Drop for Voice<W> {
    fn drop(&mut self) {
        let withdrawals = self.notices.take_withdrawals();
        let (Ok(runtime), false) = (Handle::try_current(), withdrawals.is_empty()) else {
            return;
        };
        let (before, write) = (self.writing.take(), writing(&self.output, withdrawals));
        runtime.spawn(async move {
            if let Some(before) = before {
                let _ = before.await;
            }
            let _ = spawn_blocking(write).await;
        });
    }
}

fn writing<W: Write + Send + 'static>(
    output: &Arc<Output<W>>,
    lines: Vec<Vec<u8>>,
) -> impl FnOnce() + Send + use<W> {
    let output = Arc::clone(output);
    move || lines.into_iter().for_each(|line| output.write_line(line))
}
