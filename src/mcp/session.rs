//! What is remembered of a client that said `initialize`: what it can do, and which log messages it
//! wants.
//!
//! On stdio there is one client, and a process to remember it. Over HTTP the client carries it
//! itself, sealed, as its session id: any replica that knows the secret reads it, and nothing is kept
//! here. A reader would ask why a session id that cannot be read is not answered with 404: nothing
//! but the wish to be asked is lost with it, and a client that is never asked should not have to
//! begin anew because a server was restarted.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::front::Header;
use crate::auth::Principal;
use crate::pipeline::Lasting;
use crate::tool::{Capabilities, LogLevel};

/// How long a session id is good for.
const VALID: Duration = Duration::from_secs(30 * 86_400);
/// What it is sealed for, together with its caller.
const PURPOSE: &str = "mcp session";

/// The one client of a process, on stdio.
#[derive(Debug, Default)]
pub(crate) struct Session {
    capabilities: AtomicU8,
    /// One more than the level's number; 0 where it said nothing.
    log_level: AtomicU8,
    /// The resources that it subscribed to.
    pub(super) uris: Uris,
}

/// The most resources that one client may subscribe to at once.
pub(super) const MAX_URIS: usize = 256;

/// The longest URI that one may subscribe to, in bytes: it is kept for as long as somebody listens.
pub(super) const MAX_URI_BYTES: usize = 4 << 10;

/// The resources that a listener hears of, which may change while it listens.
#[derive(Clone, Debug, Default)]
pub(super) struct Uris(Arc<Mutex<HashSet<String>>>);

impl Uris {
    pub(super) fn new(uris: impl IntoIterator<Item = String>) -> Self {
        Self(Arc::new(Mutex::new(uris.into_iter().collect())))
    }

    /// Whether there is room for one.
    pub(super) fn has_room(&self, uri: &str) -> bool {
        let uris = self.uris();
        uris.len() < MAX_URIS || uris.contains(uri)
    }

    pub(super) fn add(&self, uri: &str) {
        self.uris().insert(uri.to_owned());
    }

    pub(super) fn remove(&self, uri: &str) {
        self.uris().remove(uri);
    }

    pub(super) fn has(&self, uri: &str) -> bool {
        self.uris().contains(uri)
    }

    pub(super) fn all(&self) -> Vec<String> {
        self.uris().iter().cloned().collect()
    }

    fn uris(&self) -> MutexGuard<'_, HashSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Every level, in its order.
const LEVELS: [LogLevel; 8] = [
    LogLevel::Debug,
    LogLevel::Info,
    LogLevel::Notice,
    LogLevel::Warning,
    LogLevel::Error,
    LogLevel::Critical,
    LogLevel::Alert,
    LogLevel::Emergency,
];

impl Session {
    pub(super) fn begin(&self, capabilities: Capabilities) {
        self.capabilities
            .store(capabilities.bits(), Ordering::Release);
        self.log_level.store(0, Ordering::Release);
        self.uris.uris().clear();
    }

    pub(super) fn capabilities(&self) -> Capabilities {
        Capabilities::from_bits(self.capabilities.load(Ordering::Acquire))
    }

    pub(super) fn want_log(&self, level: LogLevel) {
        self.log_level.store(level as u8 + 1, Ordering::Release);
    }

    pub(super) fn log_level(&self) -> Option<LogLevel> {
        let number = self.log_level.load(Ordering::Acquire).checked_sub(1)?;
        LEVELS.get(usize::from(number)).copied()
    }
}

/// The id of a session, for a client that can be asked something; others need none.
pub(super) fn session_id(
    lasting: &Lasting,
    principal: &Principal,
    capabilities: Capabilities,
) -> Option<String> {
    if capabilities.is_empty() {
        return None;
    }
    let purpose = [PURPOSE, principal.tenant(), principal.subject()];
    lasting.seal.seal(&purpose, &[capabilities.bits()], VALID)
}

/// What the client of this caller can do, by the session id that it sent.
pub(super) fn capabilities_of(
    lasting: &Lasting,
    principal: &Principal,
    id: Header<'_>,
) -> Capabilities {
    let Header::Is(id) = id else {
        return Capabilities::default();
    };
    let purpose = [PURPOSE, principal.tenant(), principal.subject()];
    match lasting.seal.open(&purpose, id).as_deref() {
        Ok([bits]) => Capabilities::from_bits(*bits),
        Ok(_) | Err(_) => Capabilities::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_remembers_what_its_client_said_last() {
        let session = Session::default();
        assert_eq!(session.log_level(), None);
        for level in LEVELS {
            session.want_log(level);
            assert_eq!(session.log_level(), Some(level));
        }
        let all = Capabilities::from_bits(0b101);
        session.uris.add("a://b");
        session.begin(all);
        assert_eq!((session.capabilities(), session.log_level()), (all, None));
        // Whoever begins anew has subscribed to nothing.
        assert!(!session.uris.has("a://b"));
    }
}
