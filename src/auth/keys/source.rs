//! Loading a key set from where it is: found by discovery, at a URL, or in a file.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::Url;
use serde_json::{Map, Value};

use super::discovery::jwks_uri;
use super::jwks::{KeySet, Skipped};
use super::{KeySource, KeySourceError};
use crate::auth::fetch::{Fetcher, MAX_DOCUMENT_BYTES, Reach, trusted_url};
use crate::files::read_bounded;
use crate::json::StrictObject;

/// How often a file is read again.
const FILE_PERIOD: Duration = Duration::from_secs(5);

/// A source that was found to be possible.
#[derive(PartialEq, Eq)]
pub(super) enum Source {
    Discovery(Url),
    Url(Url),
    File(PathBuf),
}

/// A set that was just loaded.
pub(super) struct Loaded {
    pub(super) keys: KeySet,
    pub(super) skipped: Vec<Skipped>,
    /// How long the source says its answer is good.
    pub(super) max_age: Option<Duration>,
}

impl Source {
    /// Checks what can be checked without the network; a file is read to see whether it can be.
    pub(super) fn new(issuer: &str, source: &KeySource) -> Result<Self, KeySourceError> {
        match source {
            KeySource::Discovery => trusted_url(issuer)
                .filter(|url| url.query().is_none())
                .map(Self::Discovery)
                .ok_or(KeySourceError::IssuerUrl),
            KeySource::Url(url) => trusted_url(url)
                .map(Self::Url)
                .ok_or(KeySourceError::JwksUrl),
            KeySource::File(path) => {
                KeySet::read(&read_file(path)?)?;
                Ok(Self::File(path.clone()))
            }
        }
    }

    /// How long until the keys are loaded again when all goes well. What the source says can only
    /// shorten it, so that a removed key is gone when the operator expects it.
    pub(super) fn period(&self, refresh: Duration, max_age: Option<Duration>) -> Duration {
        const SHORTEST: Duration = Duration::from_secs(60);
        match self {
            Self::File(_) => FILE_PERIOD.min(refresh),
            _ => max_age.map_or(refresh, |age| refresh.min(age.max(SHORTEST))),
        }
    }

    pub(super) async fn load(
        &self,
        issuer: &str,
        fetcher: &Fetcher,
    ) -> Result<Loaded, KeySourceError> {
        let (document, max_age) = match self {
            Self::Discovery(url) => {
                let (uri, reach) = jwks_uri(issuer, url, fetcher).await?;
                fetched(&uri, reach, fetcher).await?
            }
            Self::Url(url) => fetched(url, Reach::Configured, fetcher).await?,
            Self::File(path) => {
                let path = path.clone();
                let read = tokio::task::spawn_blocking(move || read_file(&path)).await;
                (read.map_err(|_| KeySourceError::File)??, None)
            }
        };
        let (keys, skipped) = KeySet::read(&document)?;
        Ok(Loaded {
            keys,
            skipped,
            max_age,
        })
    }
}

type Document = Map<String, Value>;

async fn fetched(
    url: &Url,
    reach: Reach,
    fetcher: &Fetcher,
) -> Result<(Document, Option<Duration>), KeySourceError> {
    let answer = fetcher.get_json(url, reach).await?;
    Ok((answer.document, answer.max_age))
}

fn read_file(path: &Path) -> Result<Document, KeySourceError> {
    let bytes = read_bounded(path, MAX_DOCUMENT_BYTES).map_err(|error| match error.kind() {
        ErrorKind::FileTooLarge => KeySourceError::TooLong,
        _ => KeySourceError::File,
    })?;
    let StrictObject(document) =
        serde_json::from_slice(&bytes).map_err(|_| KeySourceError::NotKeySet)?;
    Ok(document)
}
