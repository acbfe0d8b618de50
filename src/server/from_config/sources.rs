//! The sources of a configuration, opened.
//!
//! A source that cannot be opened is one fault; what reads it adds none.

use std::collections::BTreeMap;
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};

use crate::config::{self, Faults, SourceKind};
use crate::source::http::HttpSource;
use crate::source::resilience::{BreakerSettings, Resilience};
use crate::source::sqlite::Sqlite;

/// A source that tools can read from.
pub(super) struct OpenSource {
    pub(super) kind: OpenKind,
    pub(super) resilience: Arc<Resilience>,
}

pub(super) enum OpenKind {
    Sqlite(Sqlite),
    Http(HttpSource),
}

/// By name.
pub(super) type OpenSources = BTreeMap<String, OpenSource>;

pub(super) fn open_sources(
    sources: &BTreeMap<String, config::Source>,
    faults: &mut Faults,
) -> OpenSources {
    let mut open = BTreeMap::new();
    for (name, source) in sources {
        let breaker = source.breaker.as_ref().map(|breaker| BreakerSettings {
            failures: breaker.failures,
            window: breaker.window,
            pause: breaker.pause,
            max_pause: breaker.max_pause,
        });
        match open_kind(&source.kind) {
            Ok(kind) => {
                let address = address(&source.kind);
                let resilience = Resilience::new(name, address, source.retries, breaker);
                let resilience = Arc::new(resilience);
                open.insert(name.clone(), OpenSource { kind, resilience });
            }
            Err(message) => faults.0.push(source.origin.fault(message)),
        }
    }
    open
}

/// Where it is.
fn address(kind: &SourceKind) -> SecretString {
    match kind {
        SourceKind::Sqlite { path, .. } => path.display().to_string().into(),
        SourceKind::Http { url, .. } => url.clone(),
    }
}

fn open_kind(kind: &SourceKind) -> Result<OpenKind, String> {
    match kind {
        SourceKind::Sqlite { path, threads } => {
            let opened = Sqlite::open(path, *threads).map(OpenKind::Sqlite);
            opened.map_err(|error| error.to_string())
        }
        SourceKind::Http {
            url,
            headers,
            allow_private,
            propagate_trace,
        } => {
            let opened = HttpSource::open(url.expose_secret(), headers, allow_private);
            let opened = opened.map(|source| match propagate_trace {
                true => source,
                false => source.without_trace_context(),
            });
            opened
                .map(OpenKind::Http)
                .map_err(|error| error.to_string())
        }
    }
}
