//! Which addresses an HTTP API may have: public ones, and those that the operator listed.
//!
//! A reader would ask why hosts that the operator named need a list as well: the name is his, the
//! answer of its name server need not be, and what it points to may change (DNS rebinding).

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use crate::network::address::{Vet, is_public};

/// The networks that are not public and may be reached all the same.
#[derive(Clone)]
pub(super) struct Listed(pub(super) Arc<[IpNet]>);

impl Vet for Listed {
    fn allows(&self, address: IpAddr) -> bool {
        is_public(address) || self.0.iter().any(|network| network.contains(&address))
    }
}
