//! The `server` section: where the server listens and its limits.
//!
//! A reader would ask why a non-loopback address is refused without `tls` or `behindProxy`: bearer tokens would
//! cross the network in the clear.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use http::Uri;
use http::uri::Authority;
use ipnet::IpNet;
use secrecy::SecretString;

use super::admin::{self, AdminListen};
use super::document::At;
use super::duration;
use super::faults::Faults;
use super::proxies;
use super::raw::RawServer;
use super::secret;
use super::tls::{self, Tls};

/// The checked `server` section. `Debug` does not show the secret.
#[derive(Debug, Clone)]
pub struct Server {
    /// Address to listen on; port 0 takes any free port. Default `127.0.0.1:8080`.
    pub listen: SocketAddr,
    /// Where operators reach metrics and health.
    pub admin_listen: AdminListen,
    /// The certificate to end TLS with; `None`: plain HTTP.
    pub tls: Option<Tls>,
    /// Where callers reach the server: an http(s) URL without query, fragment, user info and trailing slash.
    pub public_url: Option<String>,
    /// Further `Host` values, `host` or `host:port` (RFC 9110 §7.2).
    pub allowed_hosts: Vec<String>,
    /// Serialized origins (RFC 6454 §6.2), `scheme://host[:port]` in lower case; to be compared exactly.
    pub allowed_origins: Vec<String>,
    /// Whether a proxy that ends TLS stands in front. Without `tls` always true when `listen` is not loopback.
    pub behind_proxy: bool,
    /// The proxies whose `X-Forwarded-For` is believed; empty without `behind_proxy`.
    pub trusted_proxies: Vec<IpNet>,
    /// Seals what clients carry: at least 32 bytes and not a well-known secret; `None`: one of the process's own.
    pub state_secret: Option<SecretString>,
    /// Connections open at once, 1 to 1,000,000, default 4096.
    pub max_connections: usize,
    /// Connections open at once from one address, 1 to 1,000,000, default 512.
    pub max_connections_per_address: usize,
    /// Largest request body in bytes, 1 KiB to 64 MiB, default 1 MiB.
    pub max_body_bytes: usize,
    /// Calls running at once in this process, 1 to 1,000,000, default 1024.
    pub max_in_flight: usize,
    /// Calls of one tenant among them, at most `max_in_flight`; `None`: half of them.
    pub max_in_flight_per_tenant: Option<usize>,
    /// Entries on a page of an MCP list, 1 to 100,000, default 1000.
    pub page_size: usize,
    /// How long calls are still taken after the server said that it is not ready, at most 1 h, default 0.
    pub shutdown_delay: Duration,
    /// How long running calls may take to finish at shutdown, at most 1 h, default 10 s.
    pub shutdown_grace: Duration,
}

pub(super) fn check(raw: RawServer, file: &Path, at: &At<'_>, faults: &mut Faults) -> Server {
    check_names(&raw, at, faults);
    let pause = |text: &str, key, faults: &mut Faults| {
        duration::read(text, Duration::ZERO, &at.key(key), faults)
    };
    let public_url = raw.public_url.map(|url| {
        let url = url.trim_end_matches('/').to_owned();
        if !is_public_url(&url) {
            let message = "must be an http or https URL without user, query and fragment, such as https://tools.example.com";
            at.key("publicUrl").fault(faults, message);
        }
        url
    });
    if raw
        .max_in_flight_per_tenant
        .is_some_and(|calls| calls > raw.max_in_flight)
    {
        at.key("maxInFlightPerTenant")
            .fault(faults, "must be at most `maxInFlight`");
    }
    let is_protected = raw.behind_proxy || raw.tls.is_some();
    let listen = listen(&raw.listen, is_protected, &at.key("listen"), faults);
    if public_url.is_none() && !listen.ip().is_loopback() {
        let message =
            "set `publicUrl` as well: clients are told the URL they know, not this address";
        at.key("listen").fault(faults, message);
    }
    Server {
        listen,
        admin_listen: admin::check(raw.admin_listen.as_deref(), at, faults),
        tls: raw.tls.map(|raw| tls::check(raw, file, &at.key("tls"))),
        public_url,
        allowed_hosts: raw.allowed_hosts,
        allowed_origins: raw.allowed_origins,
        behind_proxy: raw.behind_proxy,
        trusted_proxies: proxies::check(
            &raw.trusted_proxies,
            raw.behind_proxy,
            &at.key("trustedProxies"),
            faults,
        ),
        state_secret: raw.state_secret.map(|secret| {
            secret::check(&secret, 32, &at.key("stateSecret"), faults);
            secret.into()
        }),
        max_connections: raw.max_connections,
        max_connections_per_address: raw.max_connections_per_address,
        max_body_bytes: raw.max_body_bytes,
        max_in_flight: raw.max_in_flight,
        max_in_flight_per_tenant: raw.max_in_flight_per_tenant,
        page_size: raw.page_size,
        shutdown_delay: pause(&raw.shutdown_delay, "shutdownDelay", faults),
        shutdown_grace: pause(&raw.shutdown_grace, "shutdownGrace", faults),
    }
}

/// The names that requests may carry.
fn check_names(raw: &RawServer, at: &At<'_>, faults: &mut Faults) {
    let origins_at = at.key("allowedOrigins");
    for (index, origin) in raw.allowed_origins.iter().enumerate() {
        if let Err(message) = check_origin(origin) {
            origins_at.index(index).fault(faults, message);
        }
    }
    let hosts_at = at.key("allowedHosts");
    for (index, host) in raw.allowed_hosts.iter().enumerate() {
        if host.parse::<Authority>().is_err() || host.contains('@') {
            let message =
                "must be a host name with or without a port, such as tollgate.internal:8080";
            hosts_at.index(index).fault(faults, message);
        }
    }
}

fn listen(text: &str, is_protected: bool, at: &At<'_>, faults: &mut Faults) -> SocketAddr {
    match text.parse::<SocketAddr>() {
        Ok(address) if address.ip().is_loopback() || is_protected => return address,
        Ok(_) => at.fault(
            faults,
            "an address other than loopback would carry tokens in the clear: \
             set `tls`, or put a proxy that ends TLS in front and set `behindProxy: true`, or listen on 127.0.0.1",
        ),
        Err(_) => at.fault(faults, "must be an IP address and a port, such as 127.0.0.1:8080 or [::1]:8080"),
    }
    SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
}

fn is_public_url(url: &str) -> bool {
    // `Uri` drops a fragment silently, and takes what would end a quoted string in a header.
    let Some(uri) = url
        .parse::<Uri>()
        .ok()
        .filter(|_| !url.contains(['#', '?', '"', '\\']))
    else {
        return false;
    };
    let http = matches!(uri.scheme_str(), Some("http" | "https"));
    http && uri
        .authority()
        .is_some_and(|authority| is_host(authority.as_str(), &uri))
}

/// Browsers send origins in lower case and without a default port, and we compare exactly.
fn check_origin(origin: &str) -> Result<(), &'static str> {
    let form = "must be an origin, scheme://host or scheme://host:port without a path, such as https://app.example.com";
    let (scheme, authority) = origin.split_once("://").ok_or(form)?;
    let uri = origin.parse::<Uri>().map_err(|_| form)?;
    let whole = uri.scheme_str() == Some(&scheme.to_lowercase())
        && uri.authority().is_some_and(|found| found == authority);
    if !whole || !is_host(authority, &uri) || authority.contains('*') {
        return Err(form);
    }
    if origin.bytes().any(|b| b.is_ascii_uppercase()) {
        return Err("must be in lower case, as browsers send it");
    }
    if matches!(
        (scheme, uri.port_u16()),
        ("https", Some(443)) | ("http", Some(80))
    ) {
        return Err("must leave out the default port, as browsers do");
    }
    Ok(())
}

/// Whether `authority` is a host with at most a valid port, and no user.
fn is_host(authority: &str, uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default();
    let port = authority.strip_prefix(host).unwrap_or_default();
    !host.is_empty() && !authority.contains('@') && (port.is_empty() || uri.port_u16().is_some())
}

#[cfg(test)]
mod tests {
    use crate::config::testing::{SECRET, faults, good};
    use std::time::Duration;

    #[test]
    fn an_empty_section_means_the_defaults() {
        let server = good("server: {}\n").server;
        assert_eq!(server.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(
            (
                server.public_url,
                server.allowed_origins,
                server.behind_proxy
            ),
            (None, vec![], false)
        );
        assert_eq!(
            (server.max_body_bytes, server.max_in_flight),
            (1_048_576, 1024)
        );
        assert_eq!(server.page_size, 1000);
        assert_eq!(server.shutdown_grace, Duration::from_secs(10));
    }

    #[test]
    fn a_state_secret_that_anybody_can_guess_is_refused_without_showing_it() {
        let found = faults("server:\n  stateSecret: hunter2\n");
        assert_eq!(
            found,
            [
                "tollgate.yaml:2: server.stateSecret: the secret is shorter than 32 bytes; make one with: openssl rand -base64 32"
            ]
        );
        let server = good(&format!("server: {{stateSecret: {SECRET}}}\n")).server;
        assert!(server.state_secret.is_some() && !format!("{server:?}").contains(SECRET));
    }

    #[test]
    fn a_public_address_needs_a_proxy_in_front() {
        let text = "server:\n  listen: 0.0.0.0:8080\n";
        assert_eq!(
            faults(text),
            [
                "tollgate.yaml:2: server.listen: an address other than loopback would carry tokens in the clear: \
              set `tls`, or put a proxy that ends TLS in front and set `behindProxy: true`, or listen on 127.0.0.1"
            ]
        );
        assert_eq!(
            faults(&format!("{text}  behindProxy: true\n")),
            [
                "tollgate.yaml:2: server.listen: set `publicUrl` as well: clients are told the URL they know, not this address"
            ]
        );
        let both = format!("{text}  behindProxy: true\n  publicUrl: https://tools.example.com\n");
        assert!(good(&both).server.behind_proxy);
        assert!(good("server: {listen: '[::1]:0'}").server.listen.is_ipv6());
    }

    #[test]
    fn the_address_is_an_ip_and_a_port() {
        for text in ["localhost:8080", "127.0.0.1", ":8080", "127.0.0.1:99999"] {
            assert_eq!(
                faults(&format!("server:\n  listen: '{text}'\n")),
                [
                    "tollgate.yaml:2: server.listen: must be an IP address and a port, such as 127.0.0.1:8080 or [::1]:8080"
                ]
            );
        }
    }

    #[test]
    fn a_public_url_loses_its_trailing_slash() {
        let url = |url: &str| {
            good(&format!("server: {{publicUrl: '{url}'}}"))
                .server
                .public_url
                .unwrap()
        };
        assert_eq!(
            url("https://tools.example.com/"),
            "https://tools.example.com"
        );
        assert_eq!(url("http://[::1]:8080/base/"), "http://[::1]:8080/base");
    }

    #[test]
    fn a_public_url_is_http_without_extras() {
        let bad = [
            "tools.example.com",
            "ftp://a.example",
            "https://",
            "https:///x",
            "https://u@a.example",
            "https://a.example/?q",
            "https://a.example/#f",
            "https://a b",
            "/mcp",
            "https://:80",
            "https://a.example:x",
            "https://a.example/\"x",
            "https://a.example/\\x",
        ];
        for text in bad {
            assert_eq!(
                faults(&format!("server:\n  publicUrl: '{text}'\n")),
                [
                    "tollgate.yaml:2: server.publicUrl: must be an http or https URL without user, query and fragment, such as https://tools.example.com"
                ],
                "{text}"
            );
        }
    }

    #[test]
    fn origins_are_taken_as_browsers_send_them() {
        let origins = good(
            "server: {allowedOrigins: ['https://app.example.com', 'http://localhost:3000', 'http://[::1]:1']}",
        );
        assert_eq!(origins.server.allowed_origins.len(), 3);
        let form = "must be an origin, scheme://host or scheme://host:port without a path, such as https://app.example.com";
        let cases = [
            ("*", form),
            ("null", form),
            ("https://*.example.com", form),
            ("https://a.example/", form),
            ("https://u@a.example", form),
            ("https://a.example?q", form),
            ("https://a.example:", form),
            (
                "https://A.example",
                "must be in lower case, as browsers send it",
            ),
            (
                "https://a.example:443",
                "must leave out the default port, as browsers do",
            ),
        ];
        for (origin, message) in cases {
            assert_eq!(
                faults(&format!("server:\n  allowedOrigins:\n    - '{origin}'\n")),
                [format!(
                    "tollgate.yaml:3: server.allowedOrigins[0]: {message}"
                )],
                "{origin}"
            );
        }
    }

    #[test]
    fn limits_have_bounds() {
        assert_eq!(
            faults("server:\n  maxBodyBytes: 1023\n  maxInFlight: 0\n"),
            [
                "tollgate.yaml:2: server.maxBodyBytes: must be at least 1024",
                "tollgate.yaml:3: server.maxInFlight: must be at least 1",
            ]
        );
        assert_eq!(
            faults("server: {pageSize: 0}"),
            ["tollgate.yaml:1: server.pageSize: must be at least 1"]
        );
        assert_eq!(
            faults("server: {maxBodyBytes: 67108865}"),
            ["tollgate.yaml:1: server.maxBodyBytes: must be at most 67108864"]
        );
        assert_eq!(
            faults("server:\n  maxInFlight: 4\n  maxInFlightPerTenant: 5\n  shutdownDelay: 2h\n"),
            [
                "tollgate.yaml:3: server.maxInFlightPerTenant: must be at most `maxInFlight`",
                "tollgate.yaml:4: server.shutdownDelay: must be at most 1h",
            ]
        );
        assert_eq!(
            faults("server: {shutdownGrace: 2h}"),
            ["tollgate.yaml:1: server.shutdownGrace: must be at most 1h"]
        );
        assert_eq!(
            good("server: {shutdownGrace: 0s}").server.shutdown_grace,
            Duration::ZERO
        );
    }
}
