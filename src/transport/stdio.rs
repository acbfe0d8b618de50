//! stdio: one JSON message a line, in both directions.
//!
//! A thread of its own reads lines and works on each right away: a call that does not wait for
//! anything is answered on the spot, without a task, a channel or tokio's blocking pool, which
//! would cost more than the call. A call that has to wait becomes a task, so that the next line,
//! maybe its cancellation, is read meanwhile. Standard output carries messages and nothing else.

mod listeners;
mod voice;

use std::collections::HashMap;
use std::io::{self, BufRead, Write};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use arc_swap::ArcSwap;
use futures_util::task::noop_waker_ref;
use tokio::runtime::Handle;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout;

use crate::auth::Credentials;
use crate::error::ProtocolError;
use crate::mcp::{
    Answer, Mcp, Notices, Peer, Session, answer_to_unauthenticated, answer_to_unread, id_of,
};
use crate::pipeline::Pipeline;
use crate::record::{CallRecord, Surface};
use voice::Voice;

/// What answers the messages of one configuration.
pub struct StdioFront {
    /// The governed path.
    pub pipeline: Arc<Pipeline>,
    /// The protocol.
    pub mcp: Arc<Mcp>,
    /// Longest message, in bytes.
    pub max_line_bytes: usize,
}

/// One client on a pair of streams.
pub struct StdioSurface<W> {
    /// The current one, looked up for each message.
    front: Arc<ArcSwap<StdioFront>>,
    output: Arc<Output<W>>,
    tasks: Mutex<JoinSet<()>>,
    /// Calls that wait for something, by the text of their id.
    running: Arc<Mutex<HashMap<String, AbortHandle>>>,
    /// Whether a client that said `initialize` is told of changes.
    greeted: Arc<AtomicBool>,
    /// What that client said of itself.
    session: Arc<Session>,
}

type Answering = Pin<Box<dyn Future<Output = (Answer, CallRecord)> + Send>>;

impl<W: Write + Send + 'static> StdioSurface<W> {
    /// A surface that writes to `output` what `front` answers.
    pub fn new(front: Arc<ArcSwap<StdioFront>>, output: W) -> Self {
        Self {
            front,
            output: Arc::new(Output {
                stream: Mutex::new(output),
                is_broken: AtomicBool::new(false),
            }),
            tasks: Mutex::default(),
            running: Arc::default(),
            greeted: Arc::default(),
            session: Arc::default(),
        }
    }

    /// Serves lines until the input ends or the output breaks. Blocks its thread; calls that have
    /// to wait run on `runtime`.
    pub fn serve(&self, mut input: impl BufRead, runtime: &Handle) {
        let _in_runtime = runtime.enter();
        let mut line = Vec::new();
        loop {
            let max_bytes = self.front.load().max_line_bytes;
            match read_line(&mut input, &mut line, max_bytes) {
                Ok(Line::End) | Err(_) => break,
                Ok(Line::TooLong) => {
                    let error = ProtocolError::InvalidRequest("the line is longer than allowed");
                    self.refuse(None, &error);
                }
                Ok(Line::Whole) if line.trim_ascii().is_empty() => {}
                Ok(Line::Whole) => self.take(std::mem::take(&mut line), runtime),
            }
            if self.output.is_broken.load(Ordering::Acquire) {
                break;
            }
        }
    }

    /// Lets no new call in, gives the running ones `grace` to finish and to be answered, and cancels
    /// the rest.
    pub async fn settle(&self, grace: Duration) {
        let pipeline = Arc::clone(&self.front.load().pipeline);
        pipeline.load.close();
        let mut tasks = std::mem::take(&mut *lock(&self.tasks));
        let all = async {
            while tasks.join_next().await.is_some() {}
            // Runs that go on without their calls.
            pipeline.load.emptied().await;
        };
        if timeout(grace, all).await.is_err() {
            tasks.shutdown().await;
        }
        pipeline.tasks.cut().await;
    }

    fn take(&self, line: Vec<u8>, runtime: &Handle) {
        if let Some(id) = self.id_in_use(&line) {
            let error = ProtocolError::InvalidRequest("the id is in use by a call that still runs");
            return self.refuse(Some(&id), &error);
        }
        let line: Arc<[u8]> = line.into();
        let notices = Notices::default();
        let mut answering = self.answer(Arc::clone(&line), notices.clone());
        let mut context = Context::from_waker(noop_waker_ref());
        match answering.as_mut().poll(&mut context) {
            Poll::Ready((answer, record)) => {
                for notice in notices.take_all() {
                    self.output.write_line(notice);
                }
                self.finish(answer, record, runtime);
            }
            Poll::Pending => self.go_on(id_of(&line), answering, notices, runtime),
        }
    }

    /// Two calls of one id could not be told apart, neither by their answers nor to cancel one.
    fn id_in_use(&self, line: &[u8]) -> Option<String> {
        let running = lock(&self.running);
        if running.is_empty() {
            return None;
        }
        id_of(line).filter(|id| running.contains_key(id))
    }

    fn answer(&self, line: Arc<[u8]>, notices: Notices) -> Answering {
        let front = self.front.load_full();
        let session = Arc::clone(&self.session);
        Box::pin(async move {
            let mut call = front.pipeline.open(Surface::McpStdio);
            let peer = Peer::on_stdio(&session).told_through(Some(notices.outbox()));
            let answer = match call.authenticate(&Credentials::Local).await {
                Ok(principal) => front.mcp.handle(&mut call, &principal, &line, peer).await,
                Err(error) => answer_to_unauthenticated(&line, error, call.record.call_id()),
            };
            (answer, call.record)
        })
    }

    /// The call waits for something: let it, and read on.
    fn go_on(&self, id: Option<String>, answering: Answering, notices: Notices, runtime: &Handle) {
        let running = Arc::clone(&self.running);
        let listeners = self.listeners();
        let key = id.clone();
        let voice = Voice::new(notices, &self.output);
        let work = async move {
            // Here, so that it outlives the call where that is cancelled.
            let mut voice = voice;
            let (mut answer, record) = voice.accompany(answering).await;
            if let Some(id) = &answer.cancels {
                cancel(&running, id);
            }
            let listening = answer.listening.take();
            // The id of a subscription is in use for as long as that is open.
            let goes_on = listening
                .as_ref()
                .is_some_and(|listening| listening.id().is_some());
            if let Some(key) = key.filter(|_| !goes_on) {
                lock(&running).remove(&key);
            }
            voice.say(vec![answer.body]).await;
            if let Some(listening) = listening {
                listeners.tell(listening, record).await;
            }
        };
        self.spawn(id, work, runtime);
    }

    /// Runs `work` beside the reading of lines; with an id, it is cancelled by that.
    fn spawn(
        &self,
        id: Option<String>,
        work: impl Future<Output = ()> + Send + 'static,
        runtime: &Handle,
    ) {
        // Held until the task is registered, so that it cannot end before it is known.
        let mut registered = lock(&self.running);
        let mut tasks = lock(&self.tasks);
        while tasks.try_join_next().is_some() {}
        let task = tasks.spawn_on(work, runtime);
        if let Some(id) = id {
            registered.insert(id, task);
        }
    }

    fn finish(&self, mut answer: Answer, record: CallRecord, runtime: &Handle) {
        if let Some(id) = &answer.cancels {
            cancel(&self.running, id);
        }
        self.output.write_line(answer.body);
        if let Some(listening) = answer.listening.take() {
            self.listen(listening, record, runtime);
        }
    }

    fn refuse(&self, id: Option<&str>, error: &ProtocolError) {
        let mut call = self.front.load().pipeline.open(Surface::McpStdio);
        call.record.method("(unreadable)");
        call.record.close_protocol(error);
        let answer = answer_to_unread(id, error, call.record.call_id());
        self.output.write_line(answer.body);
    }
}

/// Cancels the call of this id, if it still runs: dropping it interrupts its tool and closes its record
/// as cancelled.
fn cancel(running: &Mutex<HashMap<String, AbortHandle>>, id: &str) {
    if let Some(task) = lock(running).remove(id) {
        task.abort();
    }
}

/// What reading a line came to.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    Whole,
    TooLong,
    End,
}

/// Reads one line without its end. One that is too long is skipped to its end, in bounded memory.
fn read_line(input: &mut impl BufRead, line: &mut Vec<u8>, max_bytes: usize) -> io::Result<Line> {
    line.clear();
    let mut too_long = false;
    loop {
        let available = match input.fill_buf() {
            Ok(available) => available,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if available.is_empty() {
            // A last line without an end is whole; there is nothing to wait for.
            return Ok(if too_long {
                Line::TooLong
            } else if line.is_empty() {
                Line::End
            } else {
                Line::Whole
            });
        }
        let newline = available.iter().position(|byte| *byte == b'\n');
        let part = &available[..newline.unwrap_or(available.len())];
        if too_long || line.len() + part.len() > max_bytes {
            too_long = true;
            line.clear();
        } else {
            line.extend_from_slice(part);
        }
        let used = part.len() + usize::from(newline.is_some());
        input.consume(used);
        if newline.is_some() {
            return Ok(if too_long { Line::TooLong } else { Line::Whole });
        }
    }
}

/// Where messages go, one line each.
struct Output<W> {
    stream: Mutex<W>,
    /// Nobody reads the answers any more.
    is_broken: AtomicBool,
}

impl<W: Write> Output<W> {
    /// Writes a message and its line end at once, so that messages never mix. Nothing to say is
    /// no line.
    fn write_line(&self, mut message: Vec<u8>) {
        if message.is_empty() {
            return;
        }
        message.push(b'\n');
        let mut stream = lock(&self.stream);
        if stream
            .write_all(&message)
            .and_then(|()| stream.flush())
            .is_err()
        {
            self.is_broken.store(true, Ordering::Release);
        }
    }
}

/// A panic elsewhere leaves the data as it was after the last whole step.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_whole_capped_and_to_the_end() {
        let mut input = io::BufReader::with_capacity(3, &b"ab\n\nabcdefgh\nxyz"[..]);
        let mut line = Vec::new();
        let mut next = || {
            let kind = read_line(&mut input, &mut line, 4).expect("reading from memory");
            (kind, line.clone())
        };
        assert_eq!(next(), (Line::Whole, b"ab".to_vec()));
        assert_eq!(next(), (Line::Whole, Vec::new()));
        assert_eq!(next().0, Line::TooLong);
        assert_eq!(next(), (Line::Whole, b"xyz".to_vec()));
        assert_eq!(next().0, Line::End);
    }
}
