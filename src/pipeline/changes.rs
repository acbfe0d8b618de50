//! Word that what is served may have changed, for those who listen.
//!
//! One for all generations of the configuration. It says only that it is worth looking: what a
//! caller sees is for the listener to compare, since most changes do not concern most callers.
//! Announcements that nobody has looked at yet become one.

use tokio::sync::watch;

/// Tells listeners that lists may have changed.
#[derive(Debug, Default)]
pub struct Changes(watch::Sender<u64>);

impl Changes {
    /// What is served may be something else from now on. Cheap; nobody need listen.
    pub fn announce(&self) {
        self.0.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Hears of every announcement from now on; its value means nothing.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.0.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_subscriber_hears_what_is_announced_after_it_came() {
        let changes = Changes::default();
        changes.announce();
        let mut heard = changes.subscribe();
        assert!(!heard.has_changed().expect("still announced"));
        changes.announce();
        changes.announce();
        heard.changed().await.expect("still announced");
        assert!(!heard.has_changed().expect("both at once"));
    }
}
