//! What a transport knows of the client besides its message.

use std::sync::Arc;

use super::front::McpHeaders;
use super::session::Session;
use crate::tool::Outbox;

/// The client at the other end.
#[derive(Clone, Copy, Default)]
pub struct Peer<'a> {
    pub(super) headers: Option<&'a McpHeaders<'a>>,
    pub(super) outbox: Option<&'a Arc<Outbox>>,
    pub(super) session: Option<&'a Session>,
}

impl<'a> Peer<'a> {
    /// One whose message came over HTTP, with these headers.
    pub fn over_http(headers: &'a McpHeaders<'a>) -> Self {
        Self {
            headers: Some(headers),
            ..Self::default()
        }
    }

    /// The one on stdio.
    pub(crate) fn on_stdio(session: &'a Session) -> Self {
        Self {
            session: Some(session),
            ..Self::default()
        }
    }

    /// One that can be told something before the answer.
    pub(crate) fn told_through(self, outbox: Option<&'a Arc<Outbox>>) -> Self {
        Self { outbox, ..self }
    }

    pub(super) fn is_over_http(&self) -> bool {
        self.headers.is_some()
    }
}
