//! How many connections a listener holds, and how long clients may take over what they do.

use std::time::Duration;

/// Caps of connections and deadlines of clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once. Default 4096.
    pub max_connections: usize,
    /// Connections at once from one address (IPv6: from one /64), trusted proxies excepted.
    /// Default 512.
    pub max_connections_per_address: usize,
    /// Bytes of answers that wait to be read, over all connections. Beyond it no call begins, and
    /// the connections that wait longest are cut; one connection may hold an eighth. Counted are
    /// answers over 16 KiB, on HTTP/2 all, as 2 KiB more each. Default 256 MiB.
    pub max_unsent_bytes: usize,
    /// Time for the TLS handshake. Default 10 s.
    pub handshake: Duration,
    /// Time to send a request's head; on HTTP/1.1 also the longest pause between requests, on
    /// HTTP/2 the time to the first request. Default 10 s.
    pub head: Duration,
    /// Time to send a request's body. Default 20 s.
    pub body: Duration,
    /// Time to take an answer, from the moment it has to wait for the client. Default 30 s.
    pub reply: Duration,
    /// Longest pause between requests on HTTP/2. Default 60 s.
    pub idle: Duration,
    /// How often the TLS files are looked at. Default 5 s.
    pub reload: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connections: 4_096,
            max_connections_per_address: 512,
            max_unsent_bytes: 256 << 20,
            handshake: Duration::from_secs(10),
            head: Duration::from_secs(10),
            body: Duration::from_secs(20),
            reply: Duration::from_secs(30),
            idle: Duration::from_secs(60),
            reload: Duration::from_secs(5),
        }
    }
}
