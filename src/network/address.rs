//! Which addresses are connected to from here, by whoever fetches something.
//!
//! Hosts that the operator named may be internal: many run their services next door. But never
//! link-local, where clouds serve credentials to whoever asks (CVE-2026-26118). Names are resolved
//! here and the answer is what is connected to, so a name cannot change its address between the
//! check and the use (DNS rebinding). What else may be reached is for each user to say ([`Vet`]).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// The one name that always means this machine (RFC 6761 §6.3).
const LOCALHOST: &str = "localhost";
/// Where clouds serve credentials outside of link-local: AWS (instances, pods), Google and Oracle.
const METADATA_V6: [Ipv6Addr; 4] = [
    Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254),
    Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0023),
    Ipv6Addr::new(0xfd20, 0x00ce, 0, 0, 0, 0, 0, 0x0254),
    Ipv6Addr::new(0xfd00, 0x00c1, 0, 0, 0, 0, 0xa9fe, 0xa9fe),
];
/// The same over IPv4: Alibaba, and Azure's agent.
const METADATA_V4: [Ipv4Addr; 2] = [
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(168, 63, 129, 16),
];

/// Decides about addresses that are not [never](is_never) reached.
pub(crate) trait Vet: Clone + Send + Sync + 'static {
    /// Whether this one may be; a mapped IPv4 address comes as one of IPv4.
    fn allows(&self, address: IpAddr) -> bool;
}

/// Resolves names, and lets out only addresses that may be reached.
pub(crate) struct Guard<V>(pub(crate) V);

/// None of a host's addresses may be reached.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("no address of the host may be connected to")]
pub(crate) struct Refused;

impl<V: Vet> Resolve for Guard<V> {
    fn resolve(&self, name: Name) -> Resolving {
        let vet = self.0.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let is_local = name.as_str().eq_ignore_ascii_case(LOCALHOST);
            // All or nothing: a name that is partly internal is somebody's trick or mistake.
            let addresses: Vec<SocketAddr> = found.collect();
            let good = addresses.iter().all(|found| {
                may_reach(found.ip(), &vet) && (!is_local || found.ip().is_loopback())
            });
            if !good || addresses.is_empty() {
                return Err(Refused.into());
            }
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

/// A host that is an address does not go through the resolver.
pub(crate) fn check_literal(url: &Url, vet: &impl Vet) -> Result<(), Refused> {
    match literal(url) {
        Some(address) if !may_reach(address, vet) => Err(Refused),
        _ => Ok(()),
    }
}

/// The host's address, where it is one; the URL parser has normalised odd spellings of it.
fn literal(url: &Url) -> Option<IpAddr> {
    let host = url.host_str()?;
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    bare.unwrap_or(host).parse().ok()
}

/// Whether the host is `localhost` or a loopback address, as written.
pub(crate) fn is_this_machine(url: &Url) -> bool {
    match literal(url) {
        Some(address) => address.to_canonical().is_loopback(),
        None => url.host_str() == Some(LOCALHOST),
    }
}

/// Whether a request failed because its host has an address that may not be reached.
pub(crate) fn was_refused(error: &reqwest::Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if cause.is::<Refused>() {
            return true;
        }
        source = cause.source();
    }
    false
}

fn may_reach(address: IpAddr, vet: &impl Vet) -> bool {
    let address = address.to_canonical();
    !is_never(address) && vet.allows(address)
}

/// Addresses that nothing is fetched from, whoever asks.
fn is_never(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => is_never_v4(v4),
        IpAddr::V6(v6) => {
            v6.is_multicast()
                || v6.is_unspecified()
                || v6.is_unicast_link_local()
                || METADATA_V6.contains(&v6)
                || embedded(v6).is_some_and(is_never_v4)
        }
    }
}

fn is_never_v4(v4: Ipv4Addr) -> bool {
    v4.is_link_local()
        || v4.is_multicast()
        || v4.octets()[0] == 0
        || v4.is_broadcast()
        || METADATA_V4.contains(&v4)
}

/// IANA's special-purpose registries (RFC 6890), as far as they are not globally reachable.
pub(crate) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            let special = v4.is_private()
                || v4.is_loopback()
                || v4.is_documentation()
                || matches!(
                    (a, b, c),
                    (100, 64..=127, _) | (192, 0, 0) | (192, 88, 99) | (198, 18..=19, _)
                )
                || a >= 240;
            !special
        }
        // Global unicast is 2000::/3; of it, 2001::/23 and 2002::/16 tunnel to anywhere.
        IpAddr::V6(v6) => match v6.segments() {
            [0x2001, 0..=0x01ff | 0x0db8, ..] | [0x2002, ..] | [0x3fff, ..] => false,
            [first, ..] => first & 0xe000 == 0x2000,
        },
    }
}

/// The IPv4 address inside of a translated or compatible IPv6 one (RFC 6052, RFC 4291 §2.5.5.1).
fn embedded(v6: Ipv6Addr) -> Option<Ipv4Addr> {
    match v6.segments() {
        [0x0064, 0xff9b, 0 | 1, ..] | [0, 0, 0, 0, 0, 0, 1..=u16::MAX, _] => {
            let [.., a, b, c, d] = v6.octets();
            Some(Ipv4Addr::new(a, b, c, d))
        }
        [0x2002, high, low, ..] => {
            let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
            Some(Ipv4Addr::new(a, b, c, d))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone)]
    struct Any;

    impl Vet for Any {
        fn allows(&self, _: IpAddr) -> bool {
            true
        }
    }

    #[derive(Clone)]
    struct Public;

    impl Vet for Public {
        fn allows(&self, address: IpAddr) -> bool {
            is_public(address)
        }
    }

    fn reach_of(text: &str) -> (bool, bool) {
        let address = text.parse().unwrap();
        (may_reach(address, &Any), may_reach(address, &Public))
    }

    #[test]
    fn metadata_and_other_special_addresses_are_never_reached() {
        for text in [
            "169.254.169.254",
            "::ffff:169.254.169.254",
            "::169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "2002:a9fe:a9fe::1",
            "fe80::1",
            "fd00:ec2::254",
            "fd00:ec2::23",
            "fd20:ce::254",
            "fd00:c1::a9fe:a9fe",
            "168.63.129.16",
            "::ffff:168.63.129.16",
            "100.100.100.200",
            "0.0.0.0",
            "0.1.2.3",
            "::",
            "224.0.0.1",
            "ff02::1",
            "255.255.255.255",
        ] {
            assert_eq!(reach_of(text), (false, false), "{text}");
        }
    }

    #[test]
    fn internal_addresses_are_for_hosts_that_the_operator_named() {
        for text in [
            "127.0.0.1",
            "::1",
            "::ffff:127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.0.1",
            "100.64.0.1",
            "198.18.0.1",
            "192.0.2.1",
            "240.0.0.1",
            "fd12::1",
            "2001:db8::1",
            "64:ff9b::a00:1",
            "2002:a00:1::1",
            "2001::1",
        ] {
            assert_eq!(reach_of(text), (true, false), "{text}");
        }
        for text in ["1.1.1.1", "2606:4700::1111", "2a00:1450::1"] {
            assert_eq!(reach_of(text), (true, true), "{text}");
        }
    }

    #[test]
    fn odd_spellings_of_an_address_are_still_an_address() {
        for host in [
            "2852039166",
            "0xa9fea9fe",
            "0251.0376.0251.0376",
            "[::ffff:a9fe:a9fe]",
        ] {
            let url = Url::parse(&format!("https://{host}/")).unwrap();
            assert_eq!(check_literal(&url, &Any), Err(Refused), "{host}");
        }
    }
}
