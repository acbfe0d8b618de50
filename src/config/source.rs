//! The `sources` section: where tools get their data.
//!
//! A reader would ask why no database is opened and no URL parsed here: `config` only reads; the source reports
//! what it finds wrong, with itself or with a statement, through an [`Origin`].

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use http::HeaderValue;
use ipnet::IpNet;
use secrecy::SecretString;

use super::breaker::{self, Breaker};
use super::document::At;
use super::faults::{Faults, Origin};
use super::header_names;
use super::proxies;
use super::raw::RawSource;

/// One checked source.
#[derive(Debug, Clone)]
pub struct Source {
    /// What it is.
    pub kind: SourceKind,
    /// Further tries of a call that only reads, 0 to 5, default 2.
    pub retries: u32,
    /// When it is left alone; `None`: never.
    pub breaker: Option<Breaker>,
    /// Where the source stands, for faults found later.
    pub origin: Origin,
}

/// What a source is. `Debug` shows no secret.
#[derive(Debug, Clone)]
pub enum SourceKind {
    /// An SQLite file.
    Sqlite {
        /// Path of the file; a relative one has been joined to the folder of the config file.
        path: PathBuf,
        /// Statements that may run at once, 1 to 64.
        threads: usize,
    },
    /// An HTTP API.
    Http {
        /// The URL that paths are added to; not empty, otherwise unchecked: it may hold a secret by mistake.
        url: SecretString,
        /// Headers of every request, each name once; the values fit into a header.
        headers: Vec<(String, SecretString)>,
        /// Networks that are not public and may be reached.
        allow_private: Vec<IpNet>,
        /// Whether requests say which trace they belong to.
        propagate_trace: bool,
    },
}

impl Source {
    /// The key that makes it what it is.
    pub(super) fn kind_key(&self) -> &'static str {
        match self.kind {
            SourceKind::Sqlite { .. } => "sqlite",
            SourceKind::Http { .. } => "http",
        }
    }
}

pub(super) fn check(
    raw: BTreeMap<String, RawSource>,
    file: &Path,
    at: &At<'_>,
    faults: &mut Faults,
) -> BTreeMap<String, Source> {
    let folder = file.parent().unwrap_or(Path::new(""));
    let source = |(name, mut raw): (String, RawSource)| {
        let at = at.key(&name);
        let source = Source {
            retries: raw.retries,
            breaker: breaker::check(raw.breaker.take(), &at.key("breaker"), faults),
            kind: check_kind(raw, folder, &at, faults),
            origin: at.origin(),
        };
        (name, source)
    };
    raw.into_iter().map(source).collect()
}

/// Reports a name that is no source, or one of another kind than the `key` that makes it what it is.
pub(super) fn check_name(
    name: &str,
    sources: &BTreeMap<String, Source>,
    key: &str,
    at: &At<'_>,
    faults: &mut Faults,
) {
    // The sources are keys of the file and so may be shown; the value may not.
    let list = |names: Vec<&str>| match names.as_slice() {
        [] => "there are none".to_owned(),
        names => names.join(", "),
    };
    match sources.get(name) {
        Some(source) if source.kind_key() == key => {}
        Some(_) => {
            let fitting = sources.iter().filter(|(_, one)| one.kind_key() == key);
            let fitting = list(fitting.map(|(name, _)| name.as_str()).collect());
            let message = format!("names a source without `{key}`; those that have it: {fitting}");
            at.fault(faults, message);
        }
        None => {
            let known = list(sources.keys().map(String::as_str).collect());
            let message = format!("names no source; those under `sources`: {known}");
            at.fault(faults, message);
        }
    }
}

fn check_kind(raw: RawSource, folder: &Path, at: &At<'_>, faults: &mut Faults) -> SourceKind {
    let foreign = |key, is_there: bool, kind, faults: &mut Faults| {
        if is_there {
            let message = format!("has an effect beside `{kind}` only; remove it");
            at.key(key).fault(faults, message);
        }
    };
    let sqlite = match (raw.sqlite, raw.http) {
        (None, Some(url)) => {
            foreign("threads", raw.threads.is_some(), "sqlite", faults);
            return SourceKind::Http {
                propagate_trace: raw.propagate_trace.unwrap_or(true),
                url: url.into(),
                headers: check_headers(raw.headers, &at.key("headers"), faults),
                allow_private: proxies::networks(
                    &raw.allow_private,
                    &at.key("allowPrivate"),
                    faults,
                ),
            };
        }
        (Some(path), None) => path,
        (Some(_), Some(_)) => {
            at.fault(
                faults,
                "has both `sqlite` and `http`; make two sources of it",
            );
            String::new()
        }
        (None, None) => {
            at.fault(
                faults,
                "says not what it is: give `sqlite`, the path of a file, or `http`, a URL",
            );
            String::new()
        }
    };
    foreign("headers", !raw.headers.is_empty(), "http", faults);
    foreign(
        "allowPrivate",
        !raw.allow_private.is_empty(),
        "http",
        faults,
    );
    SourceKind::Sqlite {
        path: folder.join(sqlite),
        threads: raw.threads.unwrap_or_else(default_threads),
    }
}

fn check_headers(
    raw: BTreeMap<String, String>,
    at: &At<'_>,
    faults: &mut Faults,
) -> Vec<(String, SecretString)> {
    header_names::check(raw.keys(), at, faults);
    for (name, value) in &raw {
        if value.is_empty() || HeaderValue::from_str(value).is_err() {
            let message =
                "the value of a header is printable ASCII, not empty and without line breaks";
            at.key(name).fault(faults, message);
        }
    }
    raw.into_iter()
        .map(|(name, value)| (name, value.into()))
        .collect()
}

/// As many as cores, at most four: beyond that threads take turns, and handing over costs more than it gains.
fn default_threads() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| cores.get().min(4))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::config::testing::{Fixed, faults, good};

    #[test]
    fn paths_are_relative_to_the_config_file() {
        let text =
            "sources:\n  near: {sqlite: ./shop.db}\n  far: {sqlite: /data/shop.db, threads: 8}\n";
        let config = Config::parse(
            text,
            Path::new("/etc/tollgate/tollgate.yaml"),
            &Fixed::default(),
        )
        .unwrap();
        let sqlite = |name: &str| match &config.sources[name].kind {
            SourceKind::Sqlite { path, threads } => (path.clone(), *threads),
            SourceKind::Http { .. } => panic!("SQLite"),
        };
        let (path, threads) = sqlite("near");
        assert_eq!(path.as_path(), Path::new("/etc/tollgate/./shop.db"));
        assert!((1..=4).contains(&threads));
        let origin = &config.sources["near"].origin;
        assert_eq!(
            (origin.path.as_str(), origin.line),
            ("sources.near", Some(2))
        );
        assert_eq!(sqlite("far"), (PathBuf::from("/data/shop.db"), 8));
    }

    #[test]
    fn a_source_needs_a_file_and_sensible_threads() {
        assert_eq!(
            faults("sources:\n  b: {sqlite: '', threads: 65, retries: 6}\n"),
            [
                "tollgate.yaml:2: sources.b.retries: must be at most 5",
                "tollgate.yaml:2: sources.b.sqlite: must not be empty",
                "tollgate.yaml:2: sources.b.threads: must be at most 64",
            ]
        );
    }

    #[test]
    fn a_source_is_of_one_kind_and_has_the_keys_of_that() {
        assert_eq!(
            faults(
                "sources:\n  a: {}\n  b: {sqlite: b, http: 'https://b'}\n  c: {sqlite: c, headers: {a: b}, allowPrivate: ['::1']}\n  d: {http: 'https://d', threads: 2}\n"
            ),
            [
                "tollgate.yaml:2: sources.a: says not what it is: give `sqlite`, the path of a file, or `http`, a URL",
                "tollgate.yaml:3: sources.b: has both `sqlite` and `http`; make two sources of it",
                "tollgate.yaml:4: sources.c.allowPrivate: has an effect beside `http` only; remove it",
                "tollgate.yaml:4: sources.c.headers: has an effect beside `http` only; remove it",
                "tollgate.yaml:5: sources.d.threads: has an effect beside `sqlite` only; remove it",
            ]
        );
    }

    #[test]
    fn headers_fit_into_a_request_and_no_value_is_shown() {
        let text = "sources:\n  crm:\n    http: https://crm.example.com\n    headers:\n      Authorization: Bearer sesame\n";
        assert!(!format!("{:?}", good(text)).contains("sesame"));
        assert_eq!(
            faults(&format!(
                "{text}      authorization: other\n      'a b': sesame\n      Host: sesame\n      X-Key: \"sesame\\nX: 1\"\n    allowPrivate: [sesame]\n"
            )),
            [
                "tollgate.yaml:6: sources.crm.headers.authorization: is there already, in other letters of the same name; keep one",
                "tollgate.yaml:7: sources.crm.headers.a: unknown key that starts with `a`; write a colon and a space between a key and its value",
                "tollgate.yaml:8: sources.crm.headers.Host: is set by Tollgate itself; remove it",
                "tollgate.yaml:9: sources.crm.headers.X-Key: the value of a header is printable ASCII, not empty and without line breaks",
                "tollgate.yaml:10: sources.crm.allowPrivate[0]: must be an IP address or a network, such as 10.0.0.0/8 or ::1",
            ]
        );
    }
}
