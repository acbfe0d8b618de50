//! The `server` section as written.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The HTTP listener and its limits.
#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(rename = "Server")]
pub(in crate::config) struct RawServer {
    /// IP address and port to listen on, such as `127.0.0.1:8080`; port 0 takes any free port.
    /// An address other than loopback needs `tls` or `behindProxy: true`.
    pub(in crate::config) listen: String,
    /// IP address and port for operators alone: `/metrics`, `/healthz`, `/readyz`, without TLS and tokens; or `off`.
    /// Default: `127.0.0.1:9090`, or none where that is taken.
    pub(in crate::config) admin_listen: Option<String>,
    /// The certificate to end TLS with. Default: none, plain HTTP.
    pub(in crate::config) tls: Option<RawTls>,
    /// The http(s) URL that callers reach this server at, such as `https://tools.example.com`. Every published URL starts with it.
    pub(in crate::config) public_url: Option<String>,
    /// Names besides the one in `publicUrl` that requests may use in `Host`, as `host` or `host:port`: those a proxy uses. Default: none.
    pub(in crate::config) allowed_hosts: Vec<String>,
    /// Origins of the web pages that may call this server, such as `https://app.example.com`. Default: none.
    pub(in crate::config) allowed_origins: Vec<String>,
    /// Whether a proxy that ends TLS stands in front of this server.
    pub(in crate::config) behind_proxy: bool,
    /// Addresses and networks of the proxies whose `X-Forwarded-For` is believed, such as `10.0.0.0/8`; needs `behindProxy: true`. Default: none.
    pub(in crate::config) trusted_proxies: Vec<String>,
    /// What clients carry between requests is sealed with it, such as approvals that were asked for; replicas need the same.
    /// At least 32 bytes. Default: one that ends with the process.
    pub(in crate::config) state_secret: Option<String>,
    /// Connections that may be open at once.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub(in crate::config) max_connections: usize,
    /// Connections that may be open at once from one address (IPv6: one /64), proxies excepted.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub(in crate::config) max_connections_per_address: usize,
    /// Largest request body, in bytes.
    #[schemars(range(min = 1024, max = 67_108_864))]
    pub(in crate::config) max_body_bytes: usize,
    /// Calls that may run at once in this process, over all tools.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub(in crate::config) max_in_flight: usize,
    /// How many of them may be one tenant's. Default: half of `maxInFlight`.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub(in crate::config) max_in_flight_per_tenant: Option<usize>,
    /// Tools, resources, templates or prompts on one page of an MCP list. Many clients never ask for a second page.
    #[schemars(range(min = 1, max = 100_000))]
    pub(in crate::config) page_size: usize,
    /// How long calls are still taken after SIGTERM while `/readyz` says no already, such as `5s`. At most 1h.
    pub(in crate::config) shutdown_delay: String,
    /// How long running calls may take to finish after that, such as `10s`. At most 1h.
    pub(in crate::config) shutdown_grace: String,
}

impl Default for RawServer {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8080".into(),
            admin_listen: None,
            tls: None,
            public_url: None,
            allowed_hosts: Vec::new(),
            allowed_origins: Vec::new(),
            behind_proxy: false,
            trusted_proxies: Vec::new(),
            state_secret: None,
            max_connections: 4_096,
            max_connections_per_address: 512,
            max_body_bytes: 1 << 20,
            max_in_flight: 1024,
            max_in_flight_per_tenant: None,
            page_size: 1000,
            shutdown_delay: "0s".into(),
            shutdown_grace: "10s".into(),
        }
    }
}

/// A certificate and its key. Changed files are taken up within seconds, without a restart.
#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Tls")]
pub(in crate::config) struct RawTls {
    /// Path of the certificate chain in PEM, the server's certificate first.
    #[schemars(length(min = 1))]
    pub(in crate::config) certificate: String,
    /// Path of the private key in PEM.
    #[schemars(length(min = 1))]
    pub(in crate::config) key: String,
}
