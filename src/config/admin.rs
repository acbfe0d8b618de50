//! The key `server.adminListen`: where operators reach metrics and health.
//!
//! A reader would ask why another address than loopback needs no TLS here: nothing that is served is secret and
//! no token is sent, and monitoring that runs on other machines scrapes in the clear. It has to be written down,
//! and the server says so at start.

use std::net::{Ipv4Addr, SocketAddr};

use super::document::At;
use super::faults::Faults;

/// Where the admin listener goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdminListen {
    /// The file says nothing: on `127.0.0.1:9090` where that is free, else nowhere.
    Default(SocketAddr),
    /// On this address.
    At(SocketAddr),
    /// Nowhere.
    Off,
}

pub(super) fn check(raw: Option<&str>, at: &At<'_>, faults: &mut Faults) -> AdminListen {
    match raw {
        None => AdminListen::Default(SocketAddr::from((Ipv4Addr::LOCALHOST, 9090))),
        Some("off") => AdminListen::Off,
        Some(text) => match text.parse() {
            Ok(address) => AdminListen::At(address),
            Err(_) => {
                let message = "must be an IP address and a port, such as 127.0.0.1:9090 or [::1]:9090, or `off`";
                at.key("adminListen").fault(faults, message);
                AdminListen::Off
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::AdminListen;
    use crate::config::testing::{faults, good};

    #[test]
    fn the_admin_listener_is_on_loopback_unless_the_file_says_otherwise() {
        let admin = |text: &str| good(text).server.admin_listen;
        let default = "127.0.0.1:9090".parse().unwrap();
        assert_eq!(admin("{}"), AdminListen::Default(default));
        assert_eq!(
            admin("server: {adminListen: '127.0.0.1:9090'}"),
            AdminListen::At(default)
        );
        assert_eq!(
            admin("server: {adminListen: 0.0.0.0:9091}"),
            AdminListen::At("0.0.0.0:9091".parse().unwrap())
        );
        assert_eq!(admin("server: {adminListen: off}"), AdminListen::Off);
    }

    #[test]
    fn the_admin_listener_is_an_ip_and_a_port_or_off() {
        for text in ["localhost:9090", "9090:", "127.0.0.1", "none"] {
            assert_eq!(
                faults(&format!("server:\n  adminListen: '{text}'\n")),
                [
                    "tollgate.yaml:2: server.adminListen: must be an IP address and a port, such as 127.0.0.1:9090 or [::1]:9090, or `off`"
                ]
            );
        }
    }
}
