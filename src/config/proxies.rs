//! `server.trustedProxies`: whose word about a caller's address is taken.
//!
//! A reader would ask why the list alone does not turn `behindProxy` on: the two are different promises, that
//! TLS ends in front, and who may speak for callers; a list without a proxy is a mistake to be told.

use std::net::IpAddr;

use ipnet::IpNet;

use super::document::At;
use super::faults::Faults;

pub(super) fn check(
    raw: &[String],
    behind_proxy: bool,
    at: &At<'_>,
    faults: &mut Faults,
) -> Vec<IpNet> {
    if !raw.is_empty() && !behind_proxy {
        let message = "has no effect without `behindProxy: true`: set it, or remove the list";
        at.fault(faults, message);
    }
    networks(raw, at, faults)
}

/// Addresses and networks, as files write them.
pub(super) fn networks(raw: &[String], at: &At<'_>, faults: &mut Faults) -> Vec<IpNet> {
    let mut networks = Vec::new();
    for (index, text) in raw.iter().enumerate() {
        match network(text) {
            Some(network) => networks.push(network),
            None => {
                let message = "must be an IP address or a network, such as 10.0.0.0/8 or ::1";
                at.index(index).fault(faults, message);
            }
        }
    }
    networks
}

fn network(text: &str) -> Option<IpNet> {
    let network = text.parse::<IpNet>().ok();
    network.or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

#[cfg(test)]
mod tests {
    use crate::config::testing::{faults, good};

    #[test]
    fn proxies_are_addresses_and_networks() {
        let text = "server: {behindProxy: true, trustedProxies: [10.0.0.0/8, '::1', 192.0.2.7]}";
        let proxies = good(text).server.trusted_proxies;
        let shown: Vec<String> = proxies.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["10.0.0.0/8", "::1/128", "192.0.2.7/32"]);
        assert_eq!(
            faults(
                "server:\n  behindProxy: true\n  trustedProxies:\n    - proxy.internal\n    - 10.0.0.0/33\n"
            ),
            [
                "tollgate.yaml:4: server.trustedProxies[0]: must be an IP address or a network, such as 10.0.0.0/8 or ::1",
                "tollgate.yaml:5: server.trustedProxies[1]: must be an IP address or a network, such as 10.0.0.0/8 or ::1",
            ]
        );
    }

    #[test]
    fn a_list_of_proxies_without_a_proxy_is_a_fault() {
        assert_eq!(
            faults("server:\n  trustedProxies: [10.0.0.1]\n"),
            [
                "tollgate.yaml:2: server.trustedProxies: has no effect without `behindProxy: true`: set it, or remove the list"
            ]
        );
    }
}
