//! Which log messages clients of the `initialize` era want.
//!
//! They say so once, in a message of its own, and over HTTP there is no session to keep it in. A
//! bounded number is kept, the least used are forgotten, and what is forgotten is not sent: log
//! messages are a courtesy. It is kept by this process alone.

use std::fmt;

use quick_cache::sync::Cache;

use crate::auth::Principal;
use crate::tool::LogLevel;

/// How many clients' wishes are kept.
const KEPT: usize = 4_096;

/// The least severe messages that clients want.
pub struct LogLevels(Cache<u128, LogLevel>);

impl Default for LogLevels {
    fn default() -> Self {
        Self(Cache::new(KEPT))
    }
}

impl LogLevels {
    /// A client of this caller wants messages from this level on. `session` tells clients apart.
    pub(crate) fn set(&self, principal: &Principal, session: &str, level: LogLevel) {
        self.0.insert(principal.request_key(session), level);
    }

    /// What it wants, if it said so.
    pub(crate) fn get(&self, principal: &Principal, session: &str) -> Option<LogLevel> {
        self.0.get(&principal.request_key(session))
    }
}

impl fmt::Debug for LogLevels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LogLevels")
    }
}
