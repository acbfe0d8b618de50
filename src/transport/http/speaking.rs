//! Calls that may say something before they answer: progress, log messages, questions.
//!
//! Whether a call does is known only once it runs. One that answers without a word gets a plain answer
//! like any other; with the first word its response becomes a stream of events, which ends with the
//! answer.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::stream::unfold;
use http::{HeaderMap, Response};
use uuid::Uuid;

use super::HttpSurface;
use super::events::{KEEP_ALIVE, as_event};
use super::headers::Accepted;
use super::outgoing::Outgoing;
use super::respond::Reply;
use crate::clock::Clock;
use crate::mcp::{Answer, Notices};
use crate::pipeline::Call;

/// After so much silence a comment shows that the connection lives.
const SILENCE: Duration = Duration::from_secs(15);

/// What a call came to; nothing where it was cancelled.
pub(super) type Done = Option<Box<(Call, Answer, HeaderMap)>>;

/// A call that says something.
pub(super) struct Speaking<F> {
    pub(super) work: F,
    pub(super) notices: Notices,
    pub(super) call_id: Uuid,
    pub(super) clock: Clock,
    pub(super) accepted: Accepted,
}

impl HttpSurface {
    /// The response of a call that may speak.
    pub(super) async fn speak<F>(self: &Arc<Self>, mut speaking: Speaking<F>) -> Response<Outgoing>
    where
        F: Future<Output = Done> + Unpin + Send + 'static,
    {
        let (call_id, accepted) = (speaking.call_id, speaking.accepted);
        match speaking.next().await {
            Said::Notice(first) => {
                let first = Bytes::from(as_event(&first));
                let rest = (Some(first), Some(speaking));
                let events = Outgoing::stream(unfold(rest, |(first, speaking)| async {
                    match (first, speaking) {
                        (Some(first), speaking) => Some((first, (None, speaking))),
                        (None, Some(speaking)) => {
                            let (event, rest) = speaking.next_event().await;
                            Some((event, (None, rest)))
                        }
                        (None, None) => None,
                    }
                }));
                Reply::events(events).call_id(call_id).build()
            }
            Said::Done(None) => cancelled(call_id, accepted),
            Said::Done(Some(done)) => {
                let (call, answer, headers) = *done;
                let notices = speaking.notices.take_all();
                if notices.is_empty() {
                    return self.told(call, answer, headers, accepted).await;
                }
                let events = Bytes::from(events_of(&notices, &answer.body));
                Reply::events(events).call_id(call_id).build()
            }
        }
    }
}

/// What there is of a call.
enum Said {
    Notice(Vec<u8>),
    Done(Done),
}

impl<F: Future<Output = Done> + Unpin> Speaking<F> {
    /// What it says next, or came to. Once it is done there is no more.
    async fn next(&mut self) -> Said {
        poll_fn(|context| {
            if let Poll::Ready(done) = self.work.poll_unpin(context) {
                return Poll::Ready(Said::Done(done));
            }
            self.notices.poll_next(context).map(Said::Notice)
        })
        .await
    }

    /// The next event, and what comes after it.
    async fn next_event(mut self) -> (Bytes, Option<Self>) {
        let clock = self.clock.clone();
        let silence = clock.reached(clock.monotonic() + SILENCE);
        let said = tokio::select! {
            biased;
            said = self.next() => said,
            () = silence => return (Bytes::from_static(KEEP_ALIVE), Some(self)),
        };
        match said {
            Said::Notice(message) => (Bytes::from(as_event(&message)), Some(self)),
            Said::Done(Some(done)) => {
                let events = events_of(&self.notices.take_all(), &done.1.body);
                (Bytes::from(events), None)
            }
            Said::Done(None) => {
                let events = events_of(&self.notices.take_withdrawals(), &[]);
                (Bytes::from(events), None)
            }
        }
    }
}

fn events_of(notices: &[Vec<u8>], answer: &[u8]) -> Vec<u8> {
    let mut events: Vec<u8> = notices.iter().flat_map(|notice| as_event(notice)).collect();
    if !answer.is_empty() {
        events.extend(as_event(answer));
    }
    events
}

/// A cancelled call has no answer (2025-11-25, basic/utilities/cancellation), but its request needs a
/// response: a stream that ends without a message, or the status that promises none.
fn cancelled(call_id: Uuid, accepted: Accepted) -> Response<Outgoing> {
    let reply = if accepted == Accepted::Json {
        Reply::empty(202)
    } else {
        Reply::events(Bytes::new())
    };
    reply.call_id(call_id).build()
}
