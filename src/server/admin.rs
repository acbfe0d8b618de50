//! The admin listener beside the calls': where it goes.
//!
//! A reader would ask why the default address may be taken without an error: two servers on one
//! machine should both start, and nobody asked for that address. One that was asked for is another
//! matter.

use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::net::TcpListener;

use super::StartError;
use crate::transport::admin::Admin;
use crate::transport::http::HttpSurface;

/// Where the admin listener goes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct AdminAddress {
    pub(super) address: SocketAddr,
    /// Whether the server should rather not start than go without.
    pub(super) is_required: bool,
}

/// An admin listener whose port is open, or the reason why it is not.
pub(super) struct BoundAdmin {
    address: SocketAddr,
    listening: io::Result<(TcpListener, Arc<Admin>)>,
}

impl BoundAdmin {
    /// Opens the port.
    pub(super) async fn bind(
        wanted: AdminAddress,
        surface: &Arc<ArcSwap<HttpSurface>>,
    ) -> Result<Self, StartError> {
        let address = wanted.address;
        let bound = TcpListener::bind(address).await;
        let bound = bound.and_then(|listener| Ok((listener.local_addr()?, listener)));
        let (address, listener) = match bound {
            Ok(bound) => bound,
            Err(source) if wanted.is_required => {
                return Err(StartError::BindAdmin { address, source });
            }
            Err(source) => {
                return Ok(Self {
                    address,
                    listening: Err(source),
                });
            }
        };
        let admin = Arc::new(Admin::new(Arc::clone(surface)));
        Ok(Self {
            address,
            listening: Ok((listener, admin)),
        })
    }

    pub(super) fn local_addr(&self) -> Option<SocketAddr> {
        self.listening.is_ok().then_some(self.address)
    }

    /// Serves until it is dropped.
    pub(super) async fn serve(self) {
        match self.listening {
            Ok((listener, admin)) => admin.serve(listener).await,
            Err(error) => {
                tracing::warn!(
                    "no metrics are served, since {} cannot be listened on ({error}): \
                     set server.adminListen to another address, or to off",
                    self.address
                );
                pending().await
            }
        }
    }
}
