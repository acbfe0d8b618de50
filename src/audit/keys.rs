//! The keys that a log is written with: the one in force, and those before it.
//!
//! With those before nothing is sealed any more. They say where an older line is one of ours, so that a log is
//! gone on with after a change of key, however far the process before came.

use std::fs::File;
use std::io;
use std::iter::once;
use std::sync::Arc;

use secrecy::{ExposeSecret as _, SecretString};

use super::head::{Found, HeadFile};
use super::tail::{Tail, TailFault};
use super::{AuditSettings, ChainKey};

/// What a log is sealed with from now on, and what its lines so far may be sealed with.
#[derive(Clone)]
pub(super) struct Keys {
    in_force: Arc<ChainKey>,
    /// The latest first.
    before: Vec<Arc<ChainKey>>,
}

/// The end of a file, as far as keys tell.
pub(super) struct KnownTail {
    pub(super) tail: Tail,
    /// Seals the line that comes next: the key that the last line announces, else the one that sealed it.
    pub(super) next: Arc<ChainKey>,
    /// Whether the last line was sealed with a key that is no longer in force.
    pub(super) is_old: bool,
}

impl KnownTail {
    /// Whether there is a last line, and it takes no other key than the one in force.
    pub(super) fn is_settled(&self) -> bool {
        self.tail.last.is_some() && self.tail.announces.is_none() && !self.is_old
    }
}

impl Keys {
    /// Those that the settings name.
    pub(super) fn of(settings: &AuditSettings) -> Self {
        let key =
            |secret: &SecretString| Arc::new(ChainKey::new(secret.expose_secret().as_bytes()));
        Self {
            in_force: key(&settings.key),
            before: settings.previous_key.iter().map(key).collect(),
        }
    }

    pub(super) fn in_force(&self) -> &Arc<ChainKey> {
        &self.in_force
    }

    pub(super) fn has_before(&self) -> bool {
        !self.before.is_empty()
    }

    /// Takes up the next one.
    pub(super) fn follow(&mut self, next: Arc<ChainKey>) {
        let before = std::mem::replace(&mut self.in_force, next);
        self.before.insert(0, before);
        self.before.retain(|key| key.id() != self.in_force.id());
    }

    fn all(&self) -> impl Iterator<Item = &Arc<ChainKey>> {
        once(&self.in_force).chain(&self.before)
    }

    /// The end of a file that one of them sealed.
    pub(super) fn tail(&self, file: &mut File) -> Result<KnownTail, TailFault> {
        for key in self.all() {
            let tail = match Tail::read(file, key) {
                Err(TailFault::OtherKey) => continue,
                tail => tail?,
            };
            let next = match &tail.announces {
                None => key,
                Some(id) => {
                    let known = self.all().find(|key| key.id() == id);
                    known.ok_or_else(|| TailFault::Announced(id.clone()))?
                }
            };
            return Ok(KnownTail {
                next: Arc::clone(next),
                is_old: key.id() != self.in_force.id(),
                tail,
            });
        }
        Err(TailFault::OtherKey)
    }

    /// What a head says that one of them sealed.
    pub(super) fn head(&self, file: &mut HeadFile) -> io::Result<Found> {
        for key in self.all() {
            let found = file.read(key)?;
            if found != Found::Unreadable {
                return Ok(found);
            }
        }
        Ok(Found::Unreadable)
    }
}
