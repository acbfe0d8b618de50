//! What the client of a call can do besides reading the answer, and how.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::ask::Questions;
use super::outbox::{Notice, Outbox, Progress};
use super::task::Desk;
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
    /// Come back for the result of a call that goes on as a task.
    Tasks,
}

/// The member of the protocol's capabilities, such as `elicitation` or `elicitation.url`.
impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Elicitation => "elicitation",
            Self::ElicitationUrl => "elicitation.url",
            Self::Sampling => "sampling",
            Self::Roots => "roots",
            Self::Tasks => "tasks",
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

    pub(crate) fn without(self, one: Capability) -> Self {
        Self(self.0 & !(1 << one as u8))
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
    /// As with a retry, until there is a task; then they lie at its desk.
    Task {
        given: Map<String, Value>,
        desk: Arc<Desk>,
    },
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
    /// What it carries of the approval of the call.
    pub(crate) approval: Option<String>,
    /// What the call remembered when it asked last.
    pub(crate) remembered: Option<Value>,
    /// What it wants to remember when it asks next.
    pub(crate) noted: Mutex<Option<Value>>,
    /// The progress that was told last.
    pub(crate) told: Mutex<Option<f64>>,
}

impl Client {
    /// The answers that came with its call, where what it is asked ends the call.
    pub(crate) fn given(&self) -> Option<&Map<String, Value>> {
        match &self.asking {
            Asking::Retry { given } | Asking::Task { given, .. } => Some(given),
            Asking::No | Asking::Live(_) => None,
        }
    }

    /// Where its call leaves word for a task, if it may become one.
    pub(crate) fn desk(&self) -> Option<&Arc<Desk>> {
        match &self.asking {
            Asking::Task { desk, .. } => Some(desk),
            Asking::No | Asking::Retry { .. } | Asking::Live(_) => None,
        }
    }

    pub(crate) fn note(&self) -> Option<Value> {
        let noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        noted.clone().or_else(|| self.remembered.clone())
    }
}

impl CallContext {
    /// Whether the client said that it can be asked so. Without it, asking fails. Never over REST and
    /// in `tollgate call`, where there is nobody to ask.
    ///
    /// ```
    /// use tollgate::{CallContext, Capability, SampleRequest, ToolError};
    ///
    /// async fn title(call: CallContext, text: &str) -> Result<String, ToolError> {
    ///     if !call.can(Capability::Sampling) {
    ///         return Ok(text.chars().take(40).collect());
    ///     }
    ///     let request = SampleRequest::new(20).system("Write a title.").user(text);
    ///     let said = call.sample("title", request).await?;
    ///     Ok(said.text().unwrap_or_default().to_owned())
    /// }
    /// ```
    pub fn can(&self, capability: Capability) -> bool {
        let client = self.client();
        client.is_some_and(|client| client.capabilities.has(capability))
    }

    /// Tells the client how far the call is, if it wants to know. Progress that does not grow, and
    /// what the client is too slow to read (256 notices wait at most), is left out.
    ///
    /// ```
    /// use tollgate::{CallContext, Progress, ToolError};
    ///
    /// async fn import(call: CallContext, rows: Vec<String>) -> Result<usize, ToolError> {
    ///     let total = rows.len() as f64;
    ///     for (number, row) in rows.iter().enumerate() {
    ///         call.progress(Progress::new(number as f64).total(total).message("importing"));
    ///         // … one row
    ///         # let _ = row;
    ///     }
    ///     Ok(rows.len())
    /// }
    /// ```
    pub fn progress(&self, progress: Progress) {
        let Some(client) = self.client() else { return };
        if let Some(desk) = client.desk().filter(|desk| desk.is_made()) {
            return desk.tell(progress.in_words());
        }
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

    /// Whether the client wants log messages of this level; for what is costly to put together.
    ///
    /// ```
    /// use tollgate::{CallContext, LogLevel};
    ///
    /// fn trace(call: &CallContext, rows: &[String]) {
    ///     if call.wants_log(LogLevel::Debug) {
    ///         call.log(LogLevel::Debug, rows.join("\n"));
    ///     }
    /// }
    /// ```
    pub fn wants_log(&self, level: LogLevel) -> bool {
        let wanted = self.client().and_then(|client| client.log_level);
        wanted.is_some_and(|wanted| level >= wanted)
    }

    /// Sends the client a log message, if it wants such; what it is too slow to read is left out. It
    /// must hold no secret and nothing of another tenant's; what operators need belongs into a log of
    /// yours.
    ///
    /// ```
    /// use serde_json::json;
    /// use tollgate::{CallContext, LogLevel};
    ///
    /// fn tell(call: &CallContext) {
    ///     call.log(LogLevel::Info, "no index, this takes a while");
    ///     call.log(LogLevel::Warning, json!({"skipped": 3, "because": "no date"}));
    /// }
    /// ```
    pub fn log(&self, level: LogLevel, data: impl Into<Value>) {
        self.log_as(None, level, data.into());
    }

    /// The same under the name of a part of the tool.
    ///
    /// ```
    /// use tollgate::{CallContext, LogLevel};
    ///
    /// fn tell(call: &CallContext) {
    ///     call.log_from("parser", LogLevel::Notice, "the file has two headers");
    /// }
    /// ```
    pub fn log_from(&self, logger: &str, level: LogLevel, data: impl Into<Value>) {
        self.log_as(Some(logger.to_owned()), level, data.into());
    }

    fn log_as(&self, logger: Option<String>, level: LogLevel, data: Value) {
        // Nobody reads the log messages of a task (SEP-2663, "Task Status Notifications").
        let heard = |client: &&Client| client.desk().is_none_or(|desk| !desk.is_made());
        let client = self.client().filter(heard);
        let outbox = client.and_then(|client| client.outbox.as_ref());
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
    /// alone, for 15 minutes. At most 8 KiB. What was remembered in an earlier round stays unless
    /// something else is.
    ///
    /// It makes a difference where the function runs again with the answers. Where it waits for them,
    /// its variables remember, and this does nothing; so the same lines serve both:
    ///
    /// ```
    /// use serde_json::json;
    /// use tollgate::{CallContext, ToolError};
    ///
    /// async fn draw(call: CallContext) -> Result<String, ToolError> {
    ///     let number = match call.remembered::<u32>() {
    ///         Some(number) => number,
    ///         None => 7, // something that would not be the same the second time
    ///     };
    ///     call.remember(&number)?;
    ///     let form = json!({"type": "object", "properties": {}});
    ///     let reply = call.elicit("keep", &format!("Keep {number}?"), form).await?;
    ///     Ok(format!("{number}: {:?}", reply.action))
    /// }
    /// ```
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

    /// What the call remembered when it asked, now that it runs again with answers. Nothing in the
    /// first run, where the call waits for answers instead, and when it is of another type. See
    /// [`remember`](Self::remember).
    ///
    /// ```
    /// use serde::{Deserialize, Serialize};
    /// use tollgate::CallContext;
    ///
    /// #[derive(Default, Serialize, Deserialize)]
    /// struct SoFar {
    ///     name: Option<String>,
    /// }
    ///
    /// fn so_far(call: &CallContext) -> SoFar {
    ///     call.remembered().unwrap_or_default()
    /// }
    /// ```
    pub fn remembered<T: DeserializeOwned>(&self) -> Option<T> {
        let remembered = self.client()?.remembered.clone()?;
        serde_json::from_value(remembered).ok()
    }
}

/// The most that a call may remember.
const MAX_REMEMBERED_BYTES: usize = 8 << 10;
