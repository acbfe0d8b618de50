//! The one connection to the store: many calls share it, each waiting for its own answer.
//!
//! A reader would ask why the library's own reconnecting is not used: a connection whose answers are
//! late still owes them, and a new one does not; and there must be one judge of whether the store is
//! good ([`link`](super::link)), not two.

use std::time::Duration;

use redis::aio::{ConnectionLike as _, MultiplexedConnection};
use redis::cluster::ClusterClientBuilder;
use redis::cluster_async::ClusterConnection;
use redis::io::tcp::TcpSettings;
use redis::sentinel::{SentinelClientBuilder, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionInfo, RedisResult, TlsCertificates, TlsMode,
    Value,
};
use tokio::time::timeout;

use super::address::{Layout, StoreAddress};
use super::fault::StoreFault;

/// How long connecting may take, from the name to the last word of the greeting. Nobody waits for it.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// Requests that may wait to be written; more wait to be queued.
const QUEUE: usize = 1_024;
/// How often a cluster's client follows a slot that has moved.
const REDIRECTS: u32 = 2;

/// A connection. Clones share it; it ends with the last of them.
#[derive(Clone)]
pub(super) enum Connection {
    Single(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Connection {
    pub(super) async fn send(&self, command: &Cmd) -> RedisResult<Value> {
        let answer = match self.clone() {
            Self::Single(mut connection) => connection.req_packed_command(command).await,
            Self::Cluster(mut connection) => connection.req_packed_command(command).await,
        };
        // An error of the server's is a value of its own kind.
        answer.and_then(Value::extract_error)
    }
}

/// Makes connections.
pub(super) struct Connector {
    address: StoreAddress,
    certificates: TlsCertificates,
}

impl Connector {
    /// To the store at `address`; over TLS its certificate must be issued by one of `roots` (PEM), or
    /// else by one of the system's.
    pub(super) fn new(address: StoreAddress, roots: Option<Vec<u8>>) -> Self {
        Self {
            address,
            certificates: TlsCertificates {
                client_tls: None,
                root_cert: roots,
            },
        }
    }

    pub(super) fn address(&self) -> &StoreAddress {
        &self.address
    }

    pub(super) async fn connect(&self) -> Result<Connection, StoreFault> {
        match timeout(CONNECT_TIMEOUT, self.open()).await {
            Ok(opened) => Ok(opened?),
            Err(_) => Err(StoreFault::TimedOut),
        }
    }

    async fn open(&self) -> RedisResult<Connection> {
        match &self.address.layout {
            Layout::Single(server) => self.open_single(prepared(server)).await,
            Layout::Cluster(nodes) => self.open_cluster(nodes.iter().map(prepared)).await,
            Layout::Sentinel {
                sentinels,
                service,
                server,
            } => {
                let master = SentinelServerType::Master;
                let redis = server.redis_settings();
                let mut builder = SentinelClientBuilder::new(sentinels.clone(), service, master)?
                    .set_client_to_redis_db(redis.db())
                    .set_client_to_redis_tcp_settings(tcp_settings())
                    .set_client_to_sentinel_tcp_settings(tcp_settings());
                if let Some(user) = redis.username() {
                    builder = builder.set_client_to_redis_username(user);
                }
                if let Some(password) = redis.password() {
                    builder = builder.set_client_to_redis_password(password);
                }
                if self.address.tls {
                    builder = builder
                        .set_client_to_redis_tls_mode(TlsMode::Secure)
                        .set_client_to_redis_certificates(self.certificates.clone())
                        .set_client_to_sentinel_tls_mode(TlsMode::Secure)
                        .set_client_to_sentinel_certificates(self.certificates.clone());
                }
                let mut client = builder.build()?;
                let opened = client.get_async_connection_with_config(&settings()).await;
                opened.map(Connection::Single)
            }
        }
    }

    async fn open_single(&self, server: ConnectionInfo) -> RedisResult<Connection> {
        let client = if self.address.tls {
            Client::build_with_tls(server, self.certificates.clone())?
        } else {
            Client::open(server)?
        };
        let settings = settings();
        let opened = client.get_multiplexed_async_connection_with_config(&settings);
        opened.await.map(Connection::Single)
    }

    async fn open_cluster(
        &self,
        nodes: impl Iterator<Item = ConnectionInfo>,
    ) -> RedisResult<Connection> {
        let mut builder = ClusterClientBuilder::new(nodes)
            .retries(REDIRECTS)
            .connection_timeout(CONNECT_TIMEOUT)
            .response_timeout(CONNECT_TIMEOUT)
            .tcp_settings(tcp_settings());
        if self.address.tls {
            builder = builder
                .tls(TlsMode::Secure)
                .certs(self.certificates.clone());
        }
        let opened = builder.build()?.get_async_connection().await;
        opened.map(Connection::Cluster)
    }
}

/// Without the library's name, which would take another command that a user must be allowed to run.
fn prepared(server: &ConnectionInfo) -> ConnectionInfo {
    let server = server.clone();
    let redis = server.redis_settings().clone().set_skip_set_lib_name();
    server
        .set_redis_settings(redis)
        .set_tcp_settings(tcp_settings())
}

fn tcp_settings() -> TcpSettings {
    TcpSettings::default().set_nodelay(true)
}

/// No timeouts of the library's: ours are around them.
fn settings() -> AsyncConnectionConfig {
    AsyncConnectionConfig::new()
        .set_connection_timeout(None)
        .set_response_timeout(None)
        .set_pipeline_buffer_size(QUEUE)
}
