//! The HTTP surface of a configuration: its names, its certificate, its limits.

use crate::config::{self, Config, Faults};
use crate::transport::http::{HttpSettings, Limits, Tls};

pub(super) fn settings(config: &Config, faults: &mut Faults) -> HttpSettings {
    let server = &config.server;
    HttpSettings {
        public_url: server.public_url.clone(),
        allowed_hosts: server.allowed_hosts.clone(),
        allowed_origins: server.allowed_origins.clone(),
        max_body_bytes: server.max_body_bytes,
        authorization_servers: authorization_servers(&config.auth.issuers),
        tls: server.tls.as_ref().and_then(|tls| load_tls(tls, faults)),
        proxies: server.behind_proxy.then(|| server.trusted_proxies.clone()),
        limits: Limits {
            max_connections: server.max_connections,
            max_connections_per_address: server.max_connections_per_address,
            ..Limits::default()
        },
    }
}

fn load_tls(tls: &config::Tls, faults: &mut Faults) -> Option<Tls> {
    let loaded = Tls::load(&tls.certificate, &tls.key);
    loaded
        .map_err(|error| faults.0.push(tls.origin.fault(error.to_string())))
        .ok()
}

/// Issuers that are URLs are where clients may go for a token (RFC 9728 §2).
fn authorization_servers(issuers: &[config::Issuer]) -> Vec<String> {
    let is_url = |name: &&String| name.starts_with("https://") || name.starts_with("http://");
    issuers
        .iter()
        .map(|issuer| &issuer.issuer)
        .filter(is_url)
        .cloned()
        .collect()
}
