//! How the HTTP surface is set up: its names, its certificate, who stands in front, its limits.

use std::net::SocketAddr;

use ipnet::IpNet;

use super::{Limits, Tls};

/// How the HTTP surface is set up.
#[derive(Clone, Debug)]
pub struct HttpSettings {
    /// The scheme, host and path prefix that clients know us by; every URL we publish starts with
    /// it. Default: `http://`, with TLS `https://`, and the bound address.
    pub public_url: Option<String>,
    /// `Host` values that are accepted besides the public one, as `host` or `host:port`.
    pub allowed_hosts: Vec<String>,
    /// Origins (RFC 6454) whose pages may call us, besides our own.
    pub allowed_origins: Vec<String>,
    /// Longest request body, in bytes. Default 1 MiB.
    pub max_body_bytes: usize,
    /// Names of issuers that are URLs, for the resource metadata.
    pub authorization_servers: Vec<String>,
    /// The certificate, where this server ends TLS itself.
    pub tls: Option<Tls>,
    /// The proxies that stand in front and whose `X-Forwarded-For` is believed; empty where nobody
    /// said which addresses they have, `None` where there are none.
    pub proxies: Option<Vec<IpNet>>,
    /// Caps and deadlines of connections.
    pub limits: Limits,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            public_url: None,
            allowed_hosts: Vec::new(),
            allowed_origins: Vec::new(),
            max_body_bytes: 1024 * 1024,
            authorization_servers: Vec::new(),
            tls: None,
            proxies: None,
            limits: Limits::default(),
        }
    }
}

impl HttpSettings {
    /// The URL of a server that listens on `bound`.
    pub fn local_url(&self, bound: SocketAddr) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{bound}")
    }
}
