//! Buckets that replicas share, in a Redis or Valkey server.
//!
//! One round trip a call, one script on the server's clock ([`script`]). What the store answers is
//! mirrored in this process's own buckets, and what these know goes along with each request, so that
//! a store that has forgotten (`FLUSHALL`, a restart, a failover) gives nothing back that this process
//! knows to be spent, but what fills again in the time a request may take. When the store fails ([`link`]), a call costs its timeout at most, the next ones
//! nothing, and [`OnStoreFailure`] says what becomes of them.

mod address;
mod connect;
mod counts;
mod fault;
mod key;
mod link;
mod other;
mod pace;
mod script;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use smallvec::SmallVec;
use tokio::time::timeout;

pub use address::{AddressError, StoreAddress};
pub use counts::DecidedBy;
pub use other::SharedLink;
pub(crate) use other::SharedScript;
pub use script::script_on_clock;

use super::bucket::BucketKey;
use super::gcra::Steps;
use super::memory::{Buckets, Charge, Verdicts, admits};
use crate::auth::Principal;
use crate::clock::Clock;
use crate::tool::{BoundLimit, Quota};
use crate::trace::{Kind, Span, Trace, attribute};
use connect::{Connection, Connector};
use counts::Counts;
use fault::StoreFault;
use key::{bucket_key, first_probe_key, once_key, probe_key};
use link::{Link, Live, Prover, keep};
use script::{Counter, Entry, bounded};

/// How the store is asked to count.
const SCRIPT_COMMAND: &str = "EVALSHA";

/// What becomes of calls with limits while the store fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnStoreFailure {
    /// Each replica counts for itself, starting from what it knows of the store's buckets.
    #[default]
    Local,
    /// They are refused.
    Deny,
    /// They are let through uncounted.
    Allow,
}

impl OnStoreFailure {
    /// As it stands in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Deny => "deny",
            Self::Allow => "allow",
        }
    }
}

/// A store and how to use it. `Debug` shows no password.
#[derive(Clone, Debug)]
pub struct StoreSettings {
    /// Where it is.
    pub address: StoreAddress,
    /// What becomes of calls while it fails.
    pub on_failure: OnStoreFailure,
    /// How long one call may wait for it: 5 ms to 1 s.
    pub timeout: Duration,
    /// What its keys begin with: 1 to 64 letters, digits, `.`, `_`, `-` or `:`.
    pub key_prefix: String,
    /// The certificates (PEM) that its own must be issued by; none: the system's.
    pub roots: Option<Vec<u8>>,
}

impl StoreSettings {
    /// The store at `address`, with the defaults: 75 ms, keys under `tollgate`, each replica for itself
    /// when it fails.
    pub fn new(address: StoreAddress) -> Self {
        Self {
            address,
            on_failure: OnStoreFailure::default(),
            timeout: Duration::from_millis(75),
            key_prefix: "tollgate".to_owned(),
            roots: None,
        }
    }
}

/// How it stands with the store.
#[derive(Clone, Debug)]
pub struct StoreState {
    /// Whether it is good.
    pub is_up: bool,
    /// What becomes of calls when it is not.
    pub on_failure: OnStoreFailure,
    /// How often it became good or failed.
    pub transitions: u64,
    /// How many calls were decided, by whom.
    pub decisions: [(DecidedBy, u64); 4],
}

/// The store in use.
pub(super) struct SharedStore {
    connector: Connector,
    counter: Counter,
    link: Link,
    is_kept: AtomicBool,
    on_failure: OnStoreFailure,
    timeout: Duration,
    prefix: String,
    clock: Clock,
    counts: Counts,
}

impl SharedStore {
    pub(super) fn new(settings: StoreSettings, clock: Clock) -> Self {
        Self {
            link: Link::new(first_probe_key(&settings.key_prefix)),
            connector: Connector::new(settings.address, settings.roots),
            counter: Counter::new(settings.timeout),
            is_kept: AtomicBool::new(false),
            on_failure: settings.on_failure,
            timeout: settings.timeout,
            prefix: settings.key_prefix,
            clock,
            counts: Counts::default(),
        }
    }

    pub(super) fn on_failure(&self) -> OnStoreFailure {
        self.on_failure
    }

    pub(super) fn counts(&self) -> &Counts {
        &self.counts
    }

    pub(super) fn state(&self) -> StoreState {
        StoreState {
            is_up: self.link.is_good(),
            on_failure: self.on_failure,
            transitions: self.counts.transitions(),
            decisions: self.counts.decisions(),
        }
    }

    /// Starts to connect, once; from within a runtime.
    pub(super) fn keep_connected(self: &Arc<Self>) {
        if !self.is_kept.load(Ordering::Relaxed) && !self.is_kept.swap(true, Ordering::AcqRel) {
            tokio::spawn(keep(Arc::downgrade(self)));
        }
    }

    /// Counts one call in the store, and what came of it in `mirror`; `None` when the store fails.
    pub(super) async fn take(
        self: &Arc<Self>,
        principal: &Principal,
        limits: &[BoundLimit],
        charges: &mut [Charge<BucketKey>],
        mirror: &Buckets<BucketKey>,
        trace: &Trace,
    ) -> Option<Verdicts> {
        self.keep_connected();
        let keys: SmallVec<[String; 1]> = limits
            .iter()
            .map(|limit| bucket_key(&self.prefix, principal, limit))
            .collect();
        for charge in &mut *charges {
            charge.steps = bounded(charge.steps);
        }
        // Before the request leaves: what is mirrored must not lie further ahead than it does there.
        let sent = self.clock.monotonic();
        let entries: SmallVec<[Entry<'_>; 1]> = charges
            .iter()
            .zip(&keys)
            .map(|(charge, key)| Entry {
                key,
                steps: charge.steps,
                is_enforced: charge.is_enforced,
                hint: mirror.settled(&charge.key, &charge.steps, sent),
            })
            .collect();
        let verdicts = self.ask(&entries, charges, trace).await?;
        self.counts
            .answered_after(self.clock.monotonic().saturating_sub(sent));
        let admitted = admits(charges, &verdicts);
        for (charge, verdict) in charges.iter().zip(&verdicts) {
            let ahead = verdict.ahead(admitted, &charge.steps);
            mirror.raise(charge.key, ahead, sent);
        }
        Some(verdicts)
    }

    async fn ask(
        &self,
        entries: &[Entry<'_>],
        charges: &[Charge<BucketKey>],
        trace: &Trace,
    ) -> Option<Verdicts> {
        let key = entries.first().map(|entry| entry.key);
        let count = async |connection: Connection| {
            let answer = self.counter.run(&connection, entries).await?;
            answer.verdicts(charges)
        };
        self.send(SCRIPT_COMMAND, key, trace, count).await
    }

    /// Writes down that something was used that may be used once; whether it was not before. `None`
    /// when the store fails.
    pub(super) async fn use_once(
        self: &Arc<Self>,
        what: u128,
        valid: Duration,
        trace: &Trace,
    ) -> Option<bool> {
        self.keep_connected();
        let key = once_key(&self.prefix, what);
        let valid = u64::try_from(valid.as_millis()).unwrap_or(u64::MAX);
        let mut set = redis::cmd("SET");
        set.arg(&key).arg(1).arg("NX").arg("PX").arg(valid);
        let using = async |connection: Connection| match connection.send(&set).await? {
            redis::Value::Okay => Ok(true),
            redis::Value::Nil => Ok(false),
            _ => Err(StoreFault::Nonsense),
        };
        self.send("SET", Some(&key), trace, using).await
    }

    /// Sends a command that the caller of a call waits for; `None` when the store fails.
    async fn send<T>(
        &self,
        command: &'static str,
        key: Option<&str>,
        trace: &Trace,
        work: impl AsyncFnOnce(Connection) -> Result<T, StoreFault>,
    ) -> Option<T> {
        let (mut live, mut span) = (None, None);
        let asked = async {
            let live = live.insert(self.link.live().await?);
            // Not before: while the store is known to fail, nobody is asked.
            span = Some(self.span(command, trace));
            tokio::select! {
                answer = work(live.connection.clone()) => Some(answer),
                // Another call has found out.
                () = self.link.gone(live) => None,
            }
        };
        let fault = match timeout(self.timeout, asked).await {
            Ok(None) => return None,
            Ok(Some(Ok(answer))) => return Some(answer),
            Ok(Some(Err(fault))) => fault,
            Err(_) => StoreFault::TimedOut,
        };
        if let Some(span) = &mut span {
            span.fail(fault.kind());
        }
        self.fail(live.as_ref(), key, &fault);
        None
    }

    /// The time of one question to the store (OpenTelemetry, "Redis client operations").
    fn span(&self, command: &'static str, trace: &Trace) -> Span {
        let mut span = trace.child(Kind::Client, || command);
        if span.is_recorded() {
            span.set(attribute::DB_SYSTEM, "redis");
            span.set(attribute::DB_OPERATION, command);
            // Which of several servers is asked, the client library keeps to itself.
            if let Some((host, port)) = self.connector.address().server() {
                span.set(attribute::SERVER_ADDRESS, host);
                if let Some(port) = port {
                    span.set(attribute::SERVER_PORT, i64::from(port));
                }
            }
        }
        span
    }

    fn fail(&self, live: Option<&Arc<Live>>, key: Option<&str>, fault: &StoreFault) {
        let key = key.map(probe_key);
        let key = key.unwrap_or_else(|| first_probe_key(&self.prefix));
        if self.link.fail(live, key, fault) {
            self.changed(Err(fault));
        }
    }
}

impl Prover for SharedStore {
    fn link(&self) -> &Link {
        &self.link
    }

    async fn connect(&self) -> Result<Connection, StoreFault> {
        self.connector.connect().await
    }

    async fn prove(&self, connection: &Connection, key: &str) -> Result<(), StoreFault> {
        let charge = Charge {
            key: (),
            // Never exceeded, so that every proof is a write; gone after some milliseconds.
            steps: Steps::new(&Quota::per_second(1_000_000), 1),
            is_enforced: true,
        };
        let entry = Entry {
            key,
            steps: charge.steps,
            is_enforced: true,
            hint: 0,
        };
        let proof = async {
            let answer = self.counter.run(connection, &[entry]).await?;
            answer.verdicts(&[charge])
        };
        match timeout(self.timeout, proof).await {
            Ok(Ok(verdicts)) if admits(&[charge], &verdicts) => Ok(()),
            Ok(Ok(_)) => Err(StoreFault::Nonsense),
            Ok(Err(fault)) => Err(fault),
            Err(_) => Err(StoreFault::TimedOut),
        }
    }

    fn changed(&self, to: Result<(), &StoreFault>) {
        self.counts.changed();
        self.tell(to);
    }

    fn tell(&self, how: Result<(), &StoreFault>) {
        let (store, mode) = (self.connector.address(), self.on_failure.as_str());
        match how {
            Ok(()) => tracing::info!(%store, "the quota store is good: calls are counted there"),
            Err(fault) => tracing::warn!(
                %store,
                onStoreFailure = mode,
                "the quota store fails: {fault}"
            ),
        }
    }
}
