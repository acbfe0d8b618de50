//! Fetching small JSON documents from identity providers.
//!
//! Only URLs that the operator wrote, or that metadata of an issuer he named points to, are
//! fetched; none from a token. Even so the other side is not trusted: no redirects, no proxies, no
//! retries, little time, little memory, and no addresses that only something on the inside of our
//! own network should reach (`network::address`).

use std::net::IpAddr;
use std::time::Duration;

use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use reqwest::{Client, Response, Url, redirect, retry};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};
use tokio::sync::OnceCell;

use crate::json::StrictObject;
pub(super) use crate::network::address::is_this_machine;
use crate::network::address::{self, Guard, Vet};
use crate::network::certificate::is_untrusted;

/// The one error of an introspection endpoint that is about the token and not about us.
const TOKEN_KIND: &str = "unsupported_token_type";
/// Longest document, in bytes.
pub(super) const MAX_DOCUMENT_BYTES: usize = 256 * 1024;
/// How long one fetch may take, from name to last byte.
pub(super) const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Which hosts a URL may lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// The operator named the host: it may be internal.
    Configured,
    /// A document named the host: it must be public.
    Public,
}

impl Vet for Reach {
    fn allows(&self, address: IpAddr) -> bool {
        *self == Self::Configured || address::is_public(address)
    }
}

/// Why a document could not be had. For the operator; callers never read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The client could not be set up.
    #[error("the HTTP client cannot be set up; are there root certificates on this machine?")]
    Client,
    /// The host is, or resolves to, an address that is never fetched from.
    #[error("the host has an address that must not be fetched from")]
    Address,
    /// No connection, or it broke.
    #[error("no answer: the host cannot be reached, or its name not be found")]
    Unreachable,
    /// TLS, with a certificate that nobody vouches for, or that is another host's.
    #[error("no answer: the host's certificate is not trusted")]
    Untrusted,
    /// It took too long.
    #[error("no answer in time")]
    TimedOut,
    /// The answer is that there is nothing there.
    #[error("the answer was a 4xx status")]
    NotThere,
    /// The other side does not know us, or has nothing there that takes a form.
    #[error("the answer was a 4xx status: check the URL, the client id and the client secret")]
    Credentials,
    /// The other side knows us and cannot tell about tokens of this kind (RFC 7009 §2.2.1).
    #[error("the answer was that tokens of this kind are not looked up there")]
    TokenKind,
    /// The answer is neither a document nor a clear no.
    #[error("the answer was a status of failure, or a redirect, which is not followed")]
    Status,
    /// More than fits.
    #[error("the answer is longer than 256 KiB")]
    TooLong,
    /// Something else than a JSON object, or one with a doubled key.
    #[error("the answer is no JSON object")]
    NotJson,
}

/// A document, and how long its server says it is good (RFC 9111 §5.2.2.1).
pub(super) struct Fetched {
    pub(super) document: Map<String, Value>,
    pub(super) max_age: Option<Duration>,
}

/// The clients, made when first needed: loading root certificates takes time. There are two, so that
/// a connection to an internal host can never serve a URL that must be public.
#[derive(Default)]
pub(super) struct Fetcher {
    configured: OnceCell<Client>,
    public: OnceCell<Client>,
}

impl Fetcher {
    pub(super) async fn get_json(&self, url: &Url, reach: Reach) -> Result<Fetched, FetchError> {
        check_literal(url, reach)?;
        let request = self.client(reach).await?.get(url.clone());
        let request = request.header("accept", "application/json");
        let response = request.send().await.map_err(|error| reason(&error))?;
        let status = response.status();
        if status.is_client_error() {
            return Err(FetchError::NotThere);
        }
        if !status.is_success() {
            return Err(FetchError::Status);
        }
        let max_age = max_age(&response);
        let document = read_object(response).await?;
        Ok(Fetched { document, max_age })
    }

    /// Posts a form to a URL that the operator named, with these credentials.
    pub(super) async fn post_form(
        &self,
        url: &Url,
        (client_id, client_secret): (&str, &SecretString),
        form: String,
    ) -> Result<Map<String, Value>, FetchError> {
        check_literal(url, Reach::Configured)?;
        let request = self.client(Reach::Configured).await?.post(url.clone());
        let request = request
            .header(ACCEPT, "application/json")
            .basic_auth(client_id, Some(client_secret.expose_secret()))
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form);
        let response = request.send().await.map_err(|error| reason(&error))?;
        let status = response.status();
        if status.is_client_error() {
            let told = read_object(response).await;
            let kind = told.is_ok_and(|told| told.get("error").is_some_and(|e| e == TOKEN_KIND));
            return Err(if kind {
                FetchError::TokenKind
            } else {
                FetchError::Credentials
            });
        }
        if !status.is_success() {
            return Err(FetchError::Status);
        }
        read_object(response).await
    }

    async fn client(&self, reach: Reach) -> Result<&Client, FetchError> {
        let cell = match reach {
            Reach::Configured => &self.configured,
            Reach::Public => &self.public,
        };
        cell.get_or_try_init(async || {
            // Root certificates are read from disk.
            tokio::task::spawn_blocking(move || new_client(reach))
                .await
                .map_err(|_| FetchError::Client)?
        })
        .await
    }
}

fn new_client(reach: Reach) -> Result<Client, FetchError> {
    // For programs that embed the library; `main` has done it. A second time changes nothing.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    Client::builder()
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .no_proxy()
        .referer(false)
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(FETCH_TIMEOUT)
        .pool_max_idle_per_host(4)
        .dns_resolver(Guard(reach))
        .build()
        .map_err(|_| FetchError::Client)
}

/// A URL that may be fetched: https, or http to this very machine; without user and fragment.
pub(super) fn trusted_url(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let is_plain =
        url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    let is_safe = match url.scheme() {
        "https" => true,
        "http" => is_this_machine(&url),
        _ => false,
    };
    (is_plain && is_safe && url.has_host()).then_some(url)
}

fn check_literal(url: &Url, reach: Reach) -> Result<(), FetchError> {
    address::check_literal(url, &reach).map_err(|_| FetchError::Address)
}

async fn read_object(mut response: Response) -> Result<Map<String, Value>, FetchError> {
    let too_long = |bytes: usize| bytes > MAX_DOCUMENT_BYTES;
    let announced = response.content_length().unwrap_or(0);
    if usize::try_from(announced).map_or(true, too_long) {
        return Err(FetchError::TooLong);
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| reason(&error))? {
        if too_long(bytes.len() + chunk.len()) {
            return Err(FetchError::TooLong);
        }
        bytes.extend_from_slice(&chunk);
    }
    let StrictObject(object) = serde_json::from_slice(&bytes).map_err(|_| FetchError::NotJson)?;
    Ok(object)
}

fn max_age(response: &Response) -> Option<Duration> {
    let header = response.headers().get(CACHE_CONTROL)?.to_str().ok()?;
    let seconds = header
        .split(',')
        .filter_map(|directive| directive.trim().split_once('='))
        .find(|(name, _)| name.eq_ignore_ascii_case("max-age"))
        .and_then(|(_, value)| value.trim_matches('"').parse().ok())?;
    Some(Duration::from_secs(seconds))
}

/// The kind of failure, without the library's words.
fn reason(error: &reqwest::Error) -> FetchError {
    if address::was_refused(error) {
        FetchError::Address
    } else if error.is_timeout() {
        FetchError::TimedOut
    } else if is_untrusted(error) {
        FetchError::Untrusted
    } else {
        FetchError::Unreachable
    }
}
