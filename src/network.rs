//! Whom an IP address stands for, where something is counted per address; which addresses may be
//! connected to is in [`address`], why a connection failed in [`certificate`].
//!
//! An IPv6 host chooses freely within its /64 (RFC 4291 §2.5.1) and could be somebody new each time,
//! so the whole network counts as one. A reader would ask why not the /56 or /48 that a site may have
//! (RFC 6177 §2): behind one of those may be many, and nobody should be shut out for a neighbour.

pub(crate) mod address;
pub(crate) mod certificate;

use std::net::{IpAddr, Ipv6Addr};

/// The bits that a host does not choose.
const PREFIX: u128 = !0 << 64;

/// The address that counts: of IPv6 the network's, else the address; one of IPv4 written as IPv6 is
/// the one of IPv4.
pub(crate) fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & PREFIX).into(),
        v4 => v4,
    }
}

/// The address as it is written; most are of IPv4, and a formatter takes several times as long.
pub(crate) fn address_text(address: IpAddr) -> String {
    let IpAddr::V4(address) = address else {
        return address.to_string();
    };
    let mut text = String::with_capacity("255.255.255.255".len());
    for octet in address.octets() {
        if !text.is_empty() {
            text.push('.');
        }
        text.push_str(itoa::Buffer::new().format(octet));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_network_is_one_and_a_mapped_address_is_its_ipv4_one() {
        for (address, counted) in [
            ("192.0.2.1", "192.0.2.1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("2001:db8:0:1::1", "2001:db8:0:1::"),
            ("2001:db8:0:1:ffff::2", "2001:db8:0:1::"),
            ("2001:db8:0:2::1", "2001:db8:0:2::"),
            ("::1", "::"),
        ] {
            let address: IpAddr = address.parse().expect("an address");
            assert_eq!(network_of(address).to_string(), counted);
        }
    }
}
