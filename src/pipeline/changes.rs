//! News that the lists of tools and resources may have changed.
//!
//! One per server, whatever is swapped behind it: who listens is told by number, never by content,
//! and asks for the list again like anybody else. So a listener that is slow misses nothing but
//! repetitions.

use tokio::sync::watch;

/// Tells listeners that the lists may have changed.
#[derive(Default)]
pub struct Changes(watch::Sender<u64>);

impl Changes {
    /// The lists may have changed.
    pub fn announce(&self) {
        self.0.send_modify(|number| *number += 1);
    }

    /// Hears of changes from now on.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.0.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_hear_of_changes_since_they_listen_and_each_once() {
        let changes = Changes::default();
        changes.announce();
        let mut listener = changes.subscribe();
        assert!(!listener.has_changed().expect("it lives"));
        changes.announce();
        changes.announce();
        assert!(listener.has_changed().expect("it lives"));
        assert_eq!(*listener.borrow_and_update(), 3);
        assert!(!listener.has_changed().expect("it lives"));
    }
}
