//! Where the shared store is: one URL, for a single server, a cluster, or a server behind sentinels.
//!
//! The URL may hold a password, so no text of it is in any fault, and what is shown of it is hosts
//! and ports.

use std::fmt;

use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _};
use secrecy::{ExposeSecret, SecretString};

/// Where sentinels listen unless the URL says otherwise.
const SENTINEL_PORT: u16 = 26379;

/// A checked address. `Debug` and `Display` show hosts and ports alone.
#[derive(Clone)]
pub struct StoreAddress {
    pub(super) layout: Layout,
    pub(super) tls: bool,
    shown: String,
    url: SecretString,
}

impl PartialEq for StoreAddress {
    fn eq(&self, other: &Self) -> bool {
        self.url.expose_secret() == other.url.expose_secret()
    }
}

/// How the servers stand to one another.
#[derive(Clone)]
pub(super) enum Layout {
    /// One server.
    Single(Box<ConnectionInfo>),
    /// Some of the nodes of a cluster.
    Cluster(Vec<ConnectionInfo>),
    /// Those that know which server is the primary of a service; and how to talk to that one, whose
    /// address does not count.
    Sentinel {
        sentinels: Vec<ConnectionAddr>,
        service: String,
        server: Box<ConnectionInfo>,
    },
}

/// Why a text is no address of a store. Never quotes the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// No scheme, or one that is not known.
    #[error(
        "must be `memory` or a URL that starts with redis://, rediss://, redis+unix://, redis+cluster://, rediss+cluster://, redis+sentinel:// or rediss+sentinel://"
    )]
    Scheme,
    /// A host, a port or the user's part cannot be read.
    #[error(
        "must have the form redis://user:password@host:port/database, with reserved characters in the password written as %XX"
    )]
    Form,
    /// The database is no number.
    #[error("the database must be a whole number, such as 0")]
    Database,
    /// A cluster has no databases.
    #[error("a cluster has database 0 alone: remove what follows the hosts")]
    ClusterDatabase,
    /// Nobody said which service.
    #[error(
        "must name the service whose primary the sentinels know: redis+sentinel://host1:26379,host2:26379/service"
    )]
    Service,
    /// Something after `?` that means nothing.
    #[error(
        "only redis+unix:// takes parameters (`db`, `user`, `pass`), and redis+sentinel:// (`db`)"
    )]
    Parameter,
}

impl StoreAddress {
    /// Reads an address.
    ///
    /// # Errors
    /// [`AddressError`], which does not quote the text.
    pub fn parse(url: &SecretString) -> Result<Self, AddressError> {
        let (scheme, rest) = url
            .expose_secret()
            .split_once("://")
            .ok_or(AddressError::Scheme)?;
        // What follows it would be a fragment, in which the client library looks for `insecure`.
        if rest.contains('#') || rest.contains(char::is_whitespace) {
            return Err(AddressError::Form);
        }
        let (layout, tls) = match scheme {
            "redis" => (single(rest, false)?, false),
            "rediss" => (single(rest, true)?, true),
            "redis+unix" => (unix(rest)?, false),
            "redis+cluster" => (cluster(rest, false)?, false),
            "rediss+cluster" => (cluster(rest, true)?, true),
            "redis+sentinel" => (sentinel(rest, false)?, false),
            "rediss+sentinel" => (sentinel(rest, true)?, true),
            _ => return Err(AddressError::Scheme),
        };
        let shown = shown(&layout);
        Ok(Self {
            layout,
            tls,
            shown,
            url: url.clone(),
        })
    }

    /// Whether its keys lie on several nodes, by slots.
    pub fn is_cluster(&self) -> bool {
        matches!(self.layout, Layout::Cluster(_))
    }
}

impl StoreAddress {
    /// Host and port, or the path of a socket, where there is one server.
    pub(super) fn server(&self) -> Option<(String, Option<u16>)> {
        let Layout::Single(server) = &self.layout else {
            return None;
        };
        match server.addr() {
            ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => {
                Some((host.clone(), Some(*port)))
            }
            socket => Some((socket.to_string(), None)),
        }
    }
}

impl fmt::Display for StoreAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for StoreAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

fn single(rest: &str, tls: bool) -> Result<Layout, AddressError> {
    let parts = Parts::of(rest)?;
    let ([host], None) = (&parts.hosts[..], parts.query) else {
        return Err(if parts.query.is_some() {
            AddressError::Parameter
        } else {
            AddressError::Form
        });
    };
    let server = server(parts.user, host, tls)?;
    let redis = server.redis_settings().clone();
    let redis = redis.set_db(database(parts.path)?);
    Ok(Layout::Single(Box::new(server.set_redis_settings(redis))))
}

/// The path is absolute, and the library reads its parameters.
fn unix(rest: &str) -> Result<Layout, AddressError> {
    let query = rest.split_once('?').map_or("", |(_, query)| query);
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match &*name {
            "user" | "pass" => {}
            "db" => drop(database(&value)?),
            _ => return Err(AddressError::Parameter),
        }
    }
    if !rest.starts_with('/') {
        return Err(AddressError::Form);
    }
    let url = format!("redis+unix://{rest}");
    let server = url.into_connection_info();
    Ok(Layout::Single(Box::new(
        server.map_err(|_| AddressError::Form)?,
    )))
}

fn cluster(rest: &str, tls: bool) -> Result<Layout, AddressError> {
    let parts = Parts::of(rest)?;
    if parts.query.is_some() {
        return Err(AddressError::Parameter);
    }
    if !parts.path.is_empty() {
        return Err(AddressError::ClusterDatabase);
    }
    let nodes = parts.hosts.iter();
    let nodes: Result<_, _> = nodes.map(|host| server(parts.user, host, tls)).collect();
    nodes.map(Layout::Cluster)
}

fn sentinel(rest: &str, tls: bool) -> Result<Layout, AddressError> {
    let parts = Parts::of(rest)?;
    let mut db = 0;
    for (name, value) in form_urlencoded::parse(parts.query.unwrap_or_default().as_bytes()) {
        match &*name {
            "db" => db = database(&value)?,
            _ => return Err(AddressError::Parameter),
        }
    }
    if parts.path.is_empty() || parts.path.contains('/') {
        return Err(AddressError::Service);
    }
    let mut sentinels = Vec::new();
    for host in &parts.hosts {
        let has_port = host.rsplit(']').next().is_some_and(|end| end.contains(':'));
        let port = if has_port {
            String::new()
        } else {
            format!(":{SENTINEL_PORT}")
        };
        let sentinel = server(None, &format!("{host}{port}"), tls)?;
        sentinels.push(sentinel.addr().clone());
    }
    let server = server(parts.user, "primary", tls)?;
    let redis = server.redis_settings().clone().set_db(db);
    Ok(Layout::Sentinel {
        sentinels,
        service: parts.path.to_owned(),
        server: Box::new(server.set_redis_settings(redis)),
    })
}

/// What follows the scheme.
struct Parts<'a> {
    user: Option<&'a str>,
    hosts: Vec<&'a str>,
    path: &'a str,
    query: Option<&'a str>,
}

impl<'a> Parts<'a> {
    fn of(rest: &'a str) -> Result<Self, AddressError> {
        let (rest, query) = match rest.split_once('?') {
            Some((rest, query)) => (rest, Some(query)),
            None => (rest, None),
        };
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, hosts) = match authority.rsplit_once('@') {
            Some((user, hosts)) => (Some(user), hosts),
            None => (None, authority),
        };
        let hosts: Vec<&str> = hosts.split(',').collect();
        if hosts.iter().any(|host| host.is_empty()) || user.is_some_and(|user| user.contains('@')) {
            return Err(AddressError::Form);
        }
        Ok(Self {
            user,
            hosts,
            path,
            query,
        })
    }
}

/// One server, by the library's reading of one URL.
fn server(user: Option<&str>, host: &str, tls: bool) -> Result<ConnectionInfo, AddressError> {
    let scheme = if tls { "rediss" } else { "redis" };
    let user = user.map(|user| format!("{user}@")).unwrap_or_default();
    let url = format!("{scheme}://{user}{host}");
    url.into_connection_info().map_err(|_| AddressError::Form)
}

fn database(text: &str) -> Result<i64, AddressError> {
    match text {
        "" => Ok(0),
        text if text.bytes().all(|b| b.is_ascii_digit()) => {
            text.parse().map_err(|_| AddressError::Database)
        }
        _ => Err(AddressError::Database),
    }
}

fn shown(layout: &Layout) -> String {
    let all = |servers: &[ConnectionInfo]| {
        let servers = servers.iter().map(|server| server.addr().to_string());
        servers.collect::<Vec<_>>().join(",")
    };
    match layout {
        Layout::Single(server) => server.addr().to_string(),
        Layout::Cluster(nodes) => all(nodes),
        Layout::Sentinel { sentinels, .. } => {
            let sentinels = sentinels.iter().map(ToString::to_string);
            sentinels.collect::<Vec<_>>().join(",")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<StoreAddress, AddressError> {
        StoreAddress::parse(&url.to_owned().into())
    }

    #[test]
    fn every_form_is_read_and_shows_no_password() {
        for (url, shown) in [
            ("redis://h", "h:6379"),
            ("redis://me:hunter2@h:1/2", "h:1"),
            ("rediss://:hunter2@[::1]:1", "::1:1"),
            (
                "redis+unix:///run/redis.sock?db=3&pass=hunter2",
                "/run/redis.sock",
            ),
            ("redis+cluster://me:hunter2@h1,h2:7000", "h1:6379,h2:7000"),
            ("rediss+cluster://h1:7000/", "h1:7000"),
            (
                "redis+sentinel://:hunter2@h1,h2:7/main?db=1",
                "h1:26379,h2:7",
            ),
            ("rediss+sentinel://[::1]/main", "::1:26379"),
        ] {
            let address = parse(url).unwrap_or_else(|error| panic!("{url}: {error}"));
            assert_eq!(address.to_string(), shown, "{url}");
            assert!(!format!("{address:?}").contains("hunter2"));
            assert_eq!(address.tls, url.starts_with("rediss"), "{url}");
        }
        let Layout::Single(server) = parse("redis://a%40b:p%2Fw@h/7").expect("good").layout else {
            panic!("one server")
        };
        let redis = server.redis_settings();
        assert_eq!(
            (redis.username(), redis.password()),
            (Some("a@b"), Some("p/w"))
        );
        assert_eq!(redis.db(), 7);
    }

    #[test]
    fn what_cannot_be_read_is_refused_without_a_word_of_it() {
        for (url, error) in [
            ("redis", AddressError::Scheme),
            ("http://h", AddressError::Scheme),
            ("redis://", AddressError::Form),
            ("redis://h:99999", AddressError::Form),
            ("redis://h1,h2", AddressError::Form),
            ("redis://me:a@b@h", AddressError::Form),
            ("rediss://h/#insecure", AddressError::Form),
            ("redis://h/x", AddressError::Database),
            ("redis://h/-1", AddressError::Database),
            ("redis://h?db=1", AddressError::Parameter),
            ("redis+unix://run/x", AddressError::Form),
            ("redis+unix:///x?db=a", AddressError::Database),
            ("redis+unix:///x?y=a", AddressError::Parameter),
            ("redis+cluster://h/1", AddressError::ClusterDatabase),
            ("redis+cluster://h,", AddressError::Form),
            ("redis+sentinel://h", AddressError::Service),
            ("redis+sentinel://h/a/b", AddressError::Service),
            ("redis+sentinel://h/a?x=1", AddressError::Parameter),
        ] {
            assert_eq!(parse(url).err(), Some(error), "{url}");
        }
    }
}
