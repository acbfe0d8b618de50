//! Whose name a request may use, and whose pages may send it.
//!
//! Both checks stop DNS rebinding, where a web page makes a browser talk to a local server under
//! the attacker's host name. `Host` is checked against the names we go by, `Origin` against ours
//! and the configured ones; a request without `Origin` does not come from a page.

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, Request, Uri, header};

use super::HttpSettings;

pub(super) struct Edge {
    /// Lower case, `host` or `host:port`.
    hosts: HashSet<String>,
    /// Lower case, as browsers serialise them.
    origins: HashSet<String>,
}

impl Edge {
    pub(super) fn new(base_url: &str, bound: SocketAddr, settings: &HttpSettings) -> Self {
        let mut edge = Self {
            hosts: settings
                .allowed_hosts
                .iter()
                .map(|host| host.to_ascii_lowercase())
                .collect(),
            origins: settings
                .allowed_origins
                .iter()
                .map(|origin| origin.to_ascii_lowercase())
                .collect(),
        };
        edge.add_url(base_url);
        if bound.ip().is_loopback() {
            for name in ["localhost", "127.0.0.1", "[::1]"] {
                edge.add_url(&format!("http://{name}:{}", bound.port()));
            }
        }
        edge
    }

    /// Takes a URL's host and origin as ours, with and without its scheme's default port.
    fn add_url(&mut self, url: &str) {
        let Ok(uri) = url.parse::<Uri>() else { return };
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return;
        };
        let authority = authority.as_str().to_ascii_lowercase();
        let default_port = if scheme == "https" { ":443" } else { ":80" };
        let bare = authority.strip_suffix(default_port).unwrap_or(&authority);
        self.origins.insert(format!("{scheme}://{bare}"));
        self.hosts.insert(bare.to_owned());
        if bare.len() != authority.len() || uri.port().is_none() {
            self.hosts.insert(format!("{bare}{default_port}"));
        }
    }

    /// Whether every host the request names, in its target and in its header, is ours. There must
    /// be exactly one name per place, and at least one place (RFC 9112 §3.2, RFC 9113 §8.3.1).
    pub(super) fn allows_host<B>(&self, request: &Request<B>) -> bool {
        let mut named = 0;
        let headers = request.headers().get_all(header::HOST);
        for host in headers {
            named += 1;
            if !host.to_str().is_ok_and(|host| self.knows(host)) {
                return false;
            }
        }
        let authority = request.uri().authority();
        if let Some(authority) = authority
            && !self.knows(authority.as_str())
        {
            return false;
        }
        named <= 1 && (named == 1 || authority.is_some())
    }

    /// The address that a request's caller is known by.
    pub(super) fn caller_address(&self, peer: SocketAddr, _headers: &HeaderMap) -> Option<IpAddr> {
        Some(peer.ip())
    }

    fn knows(&self, host: &str) -> bool {
        self.hosts.contains(host) || self.hosts.contains(&host.to_ascii_lowercase())
    }

    pub(super) fn allows_origin(&self, origin: &str) -> bool {
        self.origins.contains(&origin.to_ascii_lowercase())
    }
}

/// The request's `Origin`; one that cannot be read, or stands twice, is one nobody allows.
pub(super) fn origin<B>(request: &Request<B>) -> Option<&str> {
    let mut all = request.headers().get_all(header::ORIGIN).iter();
    let first = all.next()?;
    if all.next().is_some() {
        return Some("");
    }
    Some(first.to_str().unwrap_or_default())
}
