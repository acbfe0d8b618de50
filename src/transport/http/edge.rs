//! Whose name a request may use, and whose pages may send it.
//!
//! Both checks stop DNS rebinding, where a web page makes a browser talk to a local server under
//! the attacker's host name. `Host` is checked against the names we go by, `Origin` against ours
//! and the configured ones; a request without `Origin` does not come from a page.

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};

use foldhash::fast::RandomState;
use http::{HeaderMap, Request, Uri, header};
use ipnet::IpNet;

use super::HttpSettings;

pub(super) struct Edge {
    /// Lower case, `host` or `host:port`.
    hosts: HashSet<String, RandomState>,
    /// Lower case, as browsers serialise them.
    origins: HashSet<String>,
    /// Who may tell a caller's address; `None` where no proxy stands in front.
    proxies: Option<Vec<IpNet>>,
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
            proxies: settings.proxies.clone(),
        };
        edge.add_url(base_url);
        if bound.ip().is_loopback() {
            let scheme = if settings.tls.is_some() {
                "https"
            } else {
                "http"
            };
            for name in ["localhost", "127.0.0.1", "[::1]"] {
                edge.add_url(&format!("{scheme}://{name}:{}", bound.port()));
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
    /// be at most one name per place, at least one place, and where there are two the same name
    /// (RFC 9112 §3.2, RFC 9113 §8.3.1).
    pub(super) fn allows_host<B>(&self, request: &Request<B>) -> bool {
        let mut headers = request.headers().get_all(header::HOST).iter();
        let (header, second) = (headers.next(), headers.next());
        // One that is not ASCII names nobody.
        let header = header.map(|host| host.to_str().unwrap_or_default());
        let target = request.uri().authority().map(|host| host.as_str());
        let same = match (header, target) {
            (Some(header), Some(target)) => header.eq_ignore_ascii_case(target),
            _ => true,
        };
        let host = target.or(header);
        second.is_none() && same && host.is_some_and(|host| self.knows(host))
    }

    /// Whether the peer may speak for many callers, so that no cap per address is fair to it: a
    /// proxy that is named, or anybody where a proxy is there and none is named.
    pub(super) fn may_be_proxy(&self, peer: IpAddr) -> bool {
        self.proxies.as_ref().is_some_and(Vec::is_empty) || self.is_proxy(peer)
    }

    fn is_proxy(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        let mut proxies = self.proxies.iter().flatten();
        proxies.any(|proxy| proxy.contains(&peer))
    }

    /// The address that a request's caller is known by; `None` where nobody who is believed tells
    /// it, so that no limit per address hits a proxy and all behind it.
    pub(super) fn caller_address(&self, peer: SocketAddr, headers: &HeaderMap) -> Option<IpAddr> {
        let peer = peer.ip().to_canonical();
        match &self.proxies {
            None => Some(peer),
            // Some proxy it is, but which addresses are proxies nobody said.
            Some(proxies) if proxies.is_empty() => None,
            Some(_) if self.is_proxy(peer) => self.forwarded_for(headers),
            // It came round the proxies.
            Some(_) => Some(peer),
        }
    }

    /// The last address in `X-Forwarded-For` that is not a proxy's: each proxy appends whom it
    /// heard from, and what stands before the first proxy's entry anybody may have written.
    fn forwarded_for(&self, headers: &HeaderMap) -> Option<IpAddr> {
        for line in headers.get_all("x-forwarded-for").iter().rev() {
            for entry in line.to_str().ok()?.rsplit(',') {
                let address = address(entry)?;
                if !self.is_proxy(address) {
                    return Some(address);
                }
            }
        }
        None
    }

    fn knows(&self, host: &str) -> bool {
        self.hosts.contains(host) || self.hosts.contains(&host.to_ascii_lowercase())
    }

    pub(super) fn allows_origin(&self, origin: &str) -> bool {
        self.origins.contains(&origin.to_ascii_lowercase())
    }
}

/// An address, as some proxies write it with a port.
pub(in crate::transport) fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let address = text.parse::<IpAddr>();
    let address = address.or_else(|_| text.parse::<SocketAddr>().map(|with_port| with_port.ip()));
    address.ok().map(|address| address.to_canonical())
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

#[cfg(test)]
mod tests {
    use super::*;

    const PROXIES: &[&str] = &["10.0.0.0/8", "fd00::/8"];

    fn caller(proxies: Option<&[&str]>, peer: &str, forwarded: &[&str]) -> Option<String> {
        let edge = Edge {
            hosts: HashSet::default(),
            origins: HashSet::new(),
            proxies: proxies.map(|proxies| {
                let parsed = proxies
                    .iter()
                    .map(|proxy| proxy.parse().expect("a network"));
                parsed.collect()
            }),
        };
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append("x-forwarded-for", line.parse().expect("a value"));
        }
        let peer = SocketAddr::new(peer.parse().expect("an address"), 1);
        edge.caller_address(peer, &headers)
            .map(|address| address.to_string())
    }

    #[test]
    fn without_a_proxy_a_caller_is_its_peer_whatever_it_says() {
        let caller = |peer| caller(None, peer, &["192.0.2.1"]);
        assert_eq!(caller("198.51.100.1").as_deref(), Some("198.51.100.1"));
        assert_eq!(
            caller("::ffff:198.51.100.1").as_deref(),
            Some("198.51.100.1")
        );
    }

    #[test]
    fn a_trusted_proxy_tells_the_caller_and_nobody_else_does() {
        let caller = |peer, forwarded: &[&str]| caller(Some(PROXIES), peer, forwarded);
        for (forwarded, known) in [
            (&["192.0.2.1"][..], Some("192.0.2.1")),
            (&["192.0.2.66, 192.0.2.1"], Some("192.0.2.1")),
            (&["192.0.2.66", "192.0.2.1,10.0.0.2"], Some("192.0.2.1")),
            (&["192.0.2.1", "10.0.0.2", "fd00::1"], Some("192.0.2.1")),
            (&["192.0.2.1:4711"], Some("192.0.2.1")),
            (&["[2001:db8::1]:4711"], Some("2001:db8::1")),
            (&["::ffff:192.0.2.1"], Some("192.0.2.1")),
            (&["192.0.2.1, unknown"], None),
            (&["192.0.2.1,"], None),
            (&["192.0.2.1", "192.0.2"], None),
            (&["10.0.0.2"], None),
            (&[""], None),
            (&[], None),
        ] {
            assert_eq!(
                caller("10.0.0.1", forwarded).as_deref(),
                known,
                "{forwarded:?}"
            );
        }
        let round = caller("198.51.100.1", &["192.0.2.1"]);
        assert_eq!(round.as_deref(), Some("198.51.100.1"));
    }

    #[test]
    fn behind_proxies_that_are_not_named_callers_have_no_address() {
        assert_eq!(caller(Some(&[]), "10.0.0.1", &["192.0.2.1"]), None);
    }
}
