//! Server-sent events (HTML standard, "Server-sent events"): one message each.

use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use futures_util::stream::unfold;

use super::outgoing::Outgoing;
use crate::auth::KeptCredentials;
use crate::mcp::{Heard, Listening, Served};
use crate::record::CallRecord;

/// A comment, which clients pass over: it keeps proxies and timeouts from ending a quiet stream
/// (2026-07-28, streamable-http, "Receiving Messages").
pub(super) const KEEP_ALIVE: &[u8] = b":\n\n";

/// One message as an event; it holds no line break.
pub(super) fn as_event(message: &[u8]) -> Vec<u8> {
    [b"event: message\ndata: ", message, b"\n\n"].concat()
}

/// A subscription on its way to the client.
struct Subscription {
    listening: Box<Listening>,
    credentials: KeptCredentials,
    /// What serves at the moment, so that a subscription does not hold on to what once did.
    served: Arc<ArcSwap<Served>>,
    /// Of the call it is only the record that goes on. Closed with the stream: as served where the
    /// server ends it, as cancelled where the client does.
    record: CallRecord,
}

/// The events of a subscription, to its end.
pub(super) fn of_listening(
    listening: Box<Listening>,
    credentials: KeptCredentials,
    served: Arc<ArcSwap<Served>>,
    record: CallRecord,
) -> Outgoing {
    let subscription = Subscription {
        listening,
        credentials,
        served,
        record,
    };
    Outgoing::stream(unfold(subscription, async |mut subscription| {
        let bytes = subscription.next().await?;
        Some((bytes, subscription))
    }))
}

impl Subscription {
    async fn next(&mut self) -> Option<Bytes> {
        let served = || Served::clone(&self.served.load());
        match self.listening.next(&self.credentials, served).await {
            Some(Heard::Message(message)) => Some(Bytes::from(as_event(&message))),
            Some(Heard::Nothing) => Some(Bytes::from_static(KEEP_ALIVE)),
            None => {
                self.record.close_ok();
                None
            }
        }
    }
}
