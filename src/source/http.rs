//! An HTTP API behind tools: where it is, and how it is asked.
//!
//! The destination is the operator's alone. Arguments become path segments, query values and JSON
//! values and nothing else (`request`), and the other side is not trusted: no redirects, no
//! proxies, no cookies, no compression, answers bounded while they arrive (`answer`), and no address
//! that the operator did not allow (`address`). Nothing of the caller's own request is passed on.
//!
//! | file | what it holds |
//! |---|---|
//! | `address.rs` | which addresses may be connected to |
//! | `request.rs` | a declared request: its check, and its filling in a call |
//! | `path.rs` | the template of a path, and what may stand in a segment |
//! | `status.rs` | what an answer's status means |
//! | `answer.rs` | reading an answer |
//! | `tool.rs` | a tool's call |

mod address;
mod answer;
mod path;
mod request;
mod status;
mod tool;

use std::sync::Arc;
use std::time::Duration;

use ::http::{HeaderMap, HeaderName, HeaderValue};
use ipnet::IpNet;
use reqwest::{Client, Url, redirect, retry};
use secrecy::{ExposeSecret, SecretString};

pub use self::request::{HttpSpec, RequestError};
pub use self::tool::HttpTool;

use self::address::Listed;
use crate::network::address::{Guard, check_literal, is_this_machine};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Less than servers usually wait, so that few requests meet a connection that was just closed.
const IDLE_TIMEOUT: Duration = Duration::from_secs(15);
const USER_AGENT: &str = concat!("tollgate/", env!("CARGO_PKG_VERSION"));

/// An HTTP API. Cloning is cheap, and clones share their connections.
#[derive(Clone)]
pub struct HttpSource {
    client: Client,
    /// The URL that paths are added to, without a slash at its end.
    base: Arc<Url>,
    headers: HeaderMap,
    /// Whether calls tell whose trace they belong to.
    propagates: bool,
}

/// Why there can be no such source. Never quotes the URL or a header.
#[derive(Debug, thiserror::Error)]
pub enum OpenHttpError {
    /// No URL, or one with more than an origin and a path.
    #[error(
        "`http` must be a URL without user, query and fragment, such as https://crm.example.com/api"
    )]
    Url,
    /// Plain HTTP to another machine, with secrets.
    #[error("`headers` would cross the network in the clear: use https")]
    Clear,
    /// The URL's host is an address that is not allowed.
    #[error(
        "the URL's address is not public: list its network in `allowPrivate` (never possible: link-local, multicast, unspecified, and where clouds serve credentials)"
    )]
    Address,
    /// A header that is none.
    #[error("`headers` hold a name or a value that fits into no header")]
    Header,
    /// No TLS.
    #[error("the HTTP client cannot be set up; are there root certificates on this machine?")]
    Client,
}

impl HttpSource {
    /// Prepares to ask the API at `url`, with these headers, at public addresses and those in
    /// `allow_private`. Nothing is connected to yet.
    ///
    /// # Errors
    /// [`OpenHttpError`], in words for the author of the configuration.
    pub fn open(
        url: &str,
        headers: &[(String, SecretString)],
        allow_private: &[IpNet],
    ) -> Result<Self, OpenHttpError> {
        let base = base_url(url).ok_or(OpenHttpError::Url)?;
        if base.scheme() == "http" && !headers.is_empty() && !is_this_machine(&base) {
            return Err(OpenHttpError::Clear);
        }
        let listed = Listed(allow_private.into());
        check_literal(&base, &listed).map_err(|_| OpenHttpError::Address)?;
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name = HeaderName::try_from(name).map_err(|_| OpenHttpError::Header)?;
            let value = HeaderValue::from_str(value.expose_secret());
            let mut value = value.map_err(|_| OpenHttpError::Header)?;
            value.set_sensitive(true);
            map.insert(name, value);
        }
        Ok(Self {
            client: client(listed)?,
            base: Arc::new(base),
            propagates: !map.contains_key("traceparent"),
            headers: map,
        })
    }

    /// Sends no trace context. Default: with each request, unless `headers` hold one of their own.
    pub fn without_trace_context(mut self) -> Self {
        self.propagates = false;
        self
    }
}

fn base_url(text: &str) -> Option<Url> {
    let mut url = Url::parse(text).ok()?;
    let is_plain = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    if !is_plain || !url.has_host() || !matches!(url.scheme(), "http" | "https") {
        return None;
    }
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    Some(url)
}

fn client(listed: Listed) -> Result<Client, OpenHttpError> {
    // For programs that embed the library; `main` has done it. A second time changes nothing.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    Client::builder()
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .no_proxy()
        .referer(false)
        .user_agent(USER_AGENT)
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .dns_resolver(Guard(listed))
        .build()
        .map_err(|_| OpenHttpError::Client)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(url: &str, headers: &[&str], allow: &[&str]) -> Result<(), String> {
        let header = |name: &&str| ((*name).to_owned(), SecretString::from("sesame"));
        let headers: Vec<_> = headers.iter().map(header).collect();
        let allow: Vec<IpNet> = allow.iter().map(|net| net.parse().unwrap()).collect();
        let opened = HttpSource::open(url, &headers, &allow);
        opened.map(|_| ()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_url_is_an_origin_and_a_path() {
        for good in [
            "https://crm.example.com",
            "https://crm.example.com:8443/api/v1/",
            "http://crm.internal/",
        ] {
            assert_eq!(open(good, &[], &[]), Ok(()), "{good}");
        }
        for bad in [
            "crm.example.com",
            "ftp://crm.example.com",
            "https://",
            "https://sesame@crm.example.com",
            "https://:sesame@crm.example.com",
            "https://crm.example.com?sesame",
            "https://crm.example.com#sesame",
            "file:///etc/passwd",
            "",
        ] {
            let told = open(bad, &[], &[]).unwrap_err();
            assert!(
                told.starts_with("`http` must be a URL") && !told.contains("sesame"),
                "{bad}"
            );
        }
    }

    #[test]
    fn secrets_do_not_cross_the_network_in_the_clear() {
        let key = ["X-Key"];
        assert!(
            open("http://crm.internal", &key, &[])
                .unwrap_err()
                .contains("in the clear")
        );
        assert_eq!(open("http://127.0.0.1:1", &key, &["127.0.0.0/8"]), Ok(()));
        assert_eq!(open("https://crm.internal", &key, &[]), Ok(()));
    }

    #[test]
    fn an_address_that_is_not_public_must_be_listed_however_it_is_spelt() {
        for host in [
            "127.0.0.1",
            "2130706433",
            "0x7f.1",
            "[::ffff:127.0.0.1]",
            "017700000001",
        ] {
            let url = format!("https://{host}/");
            assert!(
                open(&url, &[], &["10.0.0.0/8"])
                    .unwrap_err()
                    .contains("allowPrivate"),
                "{host}"
            );
            assert_eq!(open(&url, &[], &["127.0.0.0/8"]), Ok(()), "{host}");
        }
        for host in ["169.254.169.254", "2852039166", "[fe80::1]", "0.0.0.0"] {
            let url = format!("https://{host}/");
            assert!(open(&url, &[], &["0.0.0.0/0", "::/0"]).is_err(), "{host}");
        }
    }
}
