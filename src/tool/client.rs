//! What the client of a call can do besides reading the answer, and how.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::ask::Questions;
use super::outbox::{Notice, Outbox, Progress};
use super::{CallContext, ToolError};

/// What a client said that it can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capability {
    /// Show its user a form.
    Elicitation,
    /// Send its user to a page.
    ElicitationUrl,
    /// Ask its model.
    Sampling,
    /// Tell which folders it works on.
    Roots,
}

/// The member of the protocol's capabilities, such as `elicitation` or `elicitation.url`.
impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Elicitation => "elicitation",
            Self::ElicitationUrl => "elicitation.url",
            Self::Sampling => "sampling",
            Self::Roots => "roots",
        })
    }
}

/// All that a client said that it can do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Capabilities(u8);

impl Capabilities {
    pub(crate) fn of(all: impl IntoIterator<Item = Capability>) -> Self {
        Self(all.into_iter().fold(0, |bits, one| bits | 1 << one as u8))
    }

    pub(crate) fn has(self, one: Capability) -> bool {
        self.0 & 1 << one as u8 != 0
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// As a number, for what carries it from one request to the next.
    pub(crate) fn bits(self) -> u8 {
        self.0
    }

    pub(crate) fn from_bits(bits: u8) -> Self {
        Self(bits)
    }
}

/// How severe a log message is (RFC 5424, section 6.2.1), from the least on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "RFC 5424 says what they mean")]
pub enum LogLevel {
    Debug,
    Info,
    Notice,
    Warning,
    Error,
    Critical,
    Alert,
    Emergency,
}

/// How a client can be asked.
#[derive(Debug, Default)]
pub(crate) enum Asking {
    /// There is nobody to ask.
    #[default]
    No,
    /// The call ends with its questions; these answers came with it.
    Retry { given: Map<String, Value> },
    /// Questions go out while the call runs.
    Live(Questions),
}

/// The client of one call.
#[derive(Debug, Default)]
pub struct Client {
    pub(crate) capabilities: Capabilities,
    /// What it wants progress told under, as JSON.
    pub(crate) progress: Option<Arc<str>>,
    /// The least severe log messages that it wants.
    pub(crate) log_level: Option<LogLevel>,
    pub(crate) outbox: Option<Arc<Outbox>>,
    pub(crate) asking: Asking,
    /// What the call remembered when it asked last.
    pub(crate) remembered: Option<Value>,
    /// What it wants to remember when it asks next.
    pub(crate) noted: Mutex<Option<Value>>,
    /// The progress that was told last.
    pub(crate) told: Mutex<Option<f64>>,
}

impl Client {
    pub(super) fn note(&self) -> Option<Value> {
        let noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        noted.clone().or_else(|| self.remembered.clone())
    }
}

impl CallContext {
    /// Whether the client said that it can be asked so. Without it, asking fails.
    pub fn can(&self, capability: Capability) -> bool {
        let client = self.client();
        client.is_some_and(|client| client.capabilities.has(capability))
    }

    /// Tells the client how far the call is, if it wants to know. Progress that does not grow, and
    /// what the client is too slow to read, is left out.
    pub fn progress(&self, progress: Progress) {
        let Some(client) = self.client() else { return };
        let (Some(token), Some(outbox)) = (&client.progress, &client.outbox) else {
            return;
        };
        // Held until it is on its way, so that what two threads tell goes out in its order.
        let mut told = client.told.lock().unwrap_or_else(PoisonError::into_inner);
        let grows = told.is_none_or(|told| progress.done > told);
        if progress.done.is_finite() && progress.done >= 0.0 && grows {
            *told = Some(progress.done);
            outbox.push(Notice::Progress(Arc::clone(token), progress));
        }
    }

    /// Whether the client wants log messages of this level.
    pub fn wants_log(&self, level: LogLevel) -> bool {
        let wanted = self.client().and_then(|client| client.log_level);
        wanted.is_some_and(|wanted| level >= wanted)
    }

    /// Sends the client a log message, if it wants such. It must hold no secret and nothing of
    /// another tenant's; what operators need belongs into a log of yours.
    pub fn log(&self, level: LogLevel, data: impl Into<Value>) {
        self.log_as(None, level, data.into());
    }

    /// The same under the name of a part of the tool.
    pub fn log_from(&self, logger: &str, level: LogLevel, data: impl Into<Value>) {
        self.log_as(Some(logger.to_owned()), level, data.into());
    }

    fn log_as(&self, logger: Option<String>, level: LogLevel, data: Value) {
        let outbox = self.client().and_then(|client| client.outbox.as_ref());
        if let Some(outbox) = outbox.filter(|_| self.wants_log(level)) {
            let notice = Notice::Log {
                level,
                logger,
                data,
            };
            outbox.push(notice);
        }
    }

    /// Keeps something until the answers come to what the call asks next. The client carries it,
    /// sealed: it can neither read nor change it, and it is good for this caller and these arguments
    /// alone. At most 8 KiB.
    ///
    /// # Errors
    /// [`ToolError::Defect`] when it cannot be written as JSON or is too long.
    pub fn remember(&self, what: &impl Serialize) -> Result<(), ToolError> {
        let what = serde_json::to_value(what);
        let what = what.map_err(|error| ToolError::Defect(error.to_string()))?;
        if what.to_string().len() > MAX_REMEMBERED_BYTES {
            return Err(ToolError::Defect("too much to remember".to_owned()));
        }
        if let Some(client) = self.client() {
            *client.noted.lock().unwrap_or_else(PoisonError::into_inner) = Some(what);
        }
        Ok(())
    }

    /// What the call remembered when it asked, now that it runs again with answers.
    pub fn remembered<T: DeserializeOwned>(&self) -> Option<T> {
        let remembered = self.client()?.remembered.clone()?;
        serde_json::from_value(remembered).ok()
    }
}

/// The most that a call may remember.
const MAX_REMEMBERED_BYTES: usize = 8 << 10;
