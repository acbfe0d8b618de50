//! How many connections there may be, in all and from one address.
//!
//! A proxy of ours carries everybody's requests over its connections, so it has no cap of its own.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::network::network_of;

pub(super) struct Places {
    max: usize,
    max_per_address: usize,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// A connection's place; dropping it gives the place back.
pub(super) struct Place {
    places: Arc<Places>,
    /// `None` for a proxy.
    address: Option<IpAddr>,
}

impl Places {
    pub(super) fn new(max: usize, max_per_address: usize) -> Arc<Self> {
        Arc::new(Self {
            max,
            max_per_address,
            taken: Mutex::default(),
        })
    }

    /// A place for a connection from `address`, if there is one; `None` is a proxy's address.
    pub(super) fn take(self: &Arc<Self>, address: Option<IpAddr>) -> Option<Place> {
        let address = address.map(network_of);
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.all >= self.max {
            return None;
        }
        if let Some(address) = address {
            let count = taken.by_address.entry(address).or_default();
            if *count >= self.max_per_address {
                return None;
            }
            *count += 1;
        }
        taken.all += 1;
        Some(Place {
            places: Arc::clone(self),
            address,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self
            .places
            .taken
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        taken.all -= 1;
        if let Some(address) = self.address
            && let Some(count) = taken.by_address.get_mut(&address)
        {
            *count -= 1;
            if *count == 0 {
                taken.by_address.remove(&address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> Option<IpAddr> {
        Some(text.parse().expect("an address"))
    }

    #[test]
    fn places_are_counted_in_all_and_by_address_and_given_back() {
        let places = Places::new(3, 2);
        let first = places.take(ip("192.0.2.1"));
        let second = places.take(ip("::ffff:192.0.2.1"));
        assert!(first.is_some() && second.is_some());
        assert!(places.take(ip("192.0.2.1")).is_none(), "two of two");
        let other = places.take(ip("192.0.2.2"));
        assert!(other.is_some());
        assert!(places.take(ip("192.0.2.3")).is_none(), "three in all");
        drop(first);
        assert!(places.take(ip("192.0.2.1")).is_some());
        drop((second, other));
        let taken = places.taken.lock().expect("not poisoned");
        assert!(taken.all == 0 && taken.by_address.is_empty());
    }

    #[test]
    fn neighbours_in_a_64_count_as_one_and_proxies_only_in_all() {
        let places = Places::new(3, 1);
        let one = places.take(ip("2001:db8:0:1::1"));
        assert!(one.is_some());
        assert!(places.take(ip("2001:db8:0:1:ffff::2")).is_none());
        let proxies = (places.take(None), places.take(None));
        assert!(proxies.0.is_some() && proxies.1.is_some());
        assert!(places.take(None).is_none());
    }
}
