//! Sealed texts: what a client carries for us, and can neither read nor change.
//!
//! A stateless server hands its memory to the client and gets it back as input of an attacker's
//! (2026-07-28, basic/patterns/mrtr, "Server Requirements"). A seal encrypts and authenticates it
//! (AES-256-GCM), together with what it is good for and until when: opened for another purpose, by
//! another caller, or too late, it is no seal at all. Replicas that share the secret open each
//! other's.

use std::fmt;
use std::time::Duration;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::clock::Clock;

/// Longest sealed text that is looked at, in bytes.
const MAX_BYTES: usize = 64 << 10;

/// Seals and opens texts.
pub struct Seal {
    key: RandomizedNonceKey,
    clock: Clock,
}

/// Why a sealed text was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// It is not ours, was changed, or is for another purpose or caller.
    #[error("it was not made for this")]
    Foreign,
    /// It was good once.
    #[error("it has expired")]
    Expired,
}

impl Seal {
    /// A seal of this secret, of at least 32 bytes.
    ///
    /// # Panics
    /// Never: the key derived from the secret has the length that the cipher wants.
    pub fn new(secret: &[u8], clock: Clock) -> Self {
        let secret = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let key = hmac::sign(&secret, b"tollgate seal 1");
        let key = RandomizedNonceKey::new(&AES_256_GCM, key.as_ref());
        Self {
            key: key.unwrap_or_else(|_| unreachable!("32 bytes are a key")),
            clock,
        }
    }

    /// Seals `content` for `purpose`, for so long. `None` without randomness.
    pub(crate) fn seal(&self, purpose: &[&str], content: &[u8], valid: Duration) -> Option<String> {
        let until = self.clock.unix().saturating_add(valid).as_secs();
        let mut sealed = until.to_be_bytes().to_vec();
        sealed.extend_from_slice(content);
        let aad = Aad::from(joined(purpose));
        let nonce = self.key.seal_in_place_append_tag(aad, &mut sealed).ok()?;
        sealed.extend_from_slice(nonce.as_ref());
        Some(URL_SAFE_NO_PAD.encode(sealed))
    }

    /// What was sealed for this purpose.
    pub(crate) fn open(&self, purpose: &[&str], text: &str) -> Result<Vec<u8>, Broken> {
        if text.len() > MAX_BYTES {
            return Err(Broken::Foreign);
        }
        let mut sealed = URL_SAFE_NO_PAD.decode(text).map_err(|_| Broken::Foreign)?;
        let length = sealed.len().checked_sub(NONCE_LEN).ok_or(Broken::Foreign)?;
        let nonce = sealed.split_off(length);
        let nonce = Nonce::try_assume_unique_for_key(&nonce).map_err(|_| Broken::Foreign)?;
        let aad = Aad::from(joined(purpose));
        let opened = self.key.open_in_place(nonce, aad, &mut sealed);
        let opened = opened.map_err(|_| Broken::Foreign)?;
        let (until, content) = opened.split_first_chunk::<8>().ok_or(Broken::Foreign)?;
        if self.clock.unix().as_secs() >= u64::from_be_bytes(*until) {
            return Err(Broken::Expired);
        }
        Ok(content.to_vec())
    }
}

/// One text for several, which no other several have: each with its length before it.
fn joined(texts: &[&str]) -> Vec<u8> {
    let mut all = Vec::new();
    for text in texts {
        all.extend_from_slice(&(text.len() as u64).to_be_bytes());
        all.extend_from_slice(text.as_bytes());
    }
    all
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seal")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn seal(clock: &Clock) -> Seal {
        Seal::new(&[7; 32], clock.clone())
    }

    #[test]
    fn a_seal_opens_for_its_purpose_until_it_expires_and_on_every_replica() {
        let clock = Clock::turned();
        let sealed = seal(&clock)
            .seal(&["a", "b"], b"x", MINUTE)
            .expect("random");
        assert_eq!(seal(&clock).open(&["a", "b"], &sealed), Ok(b"x".to_vec()));
        for purpose in [&["ab"][..], &["a", "b", ""], &["a"], &["", "ab"], &[]] {
            assert_eq!(seal(&clock).open(purpose, &sealed), Err(Broken::Foreign));
        }
        let other = Seal::new(&[8; 32], clock.clone());
        assert_eq!(other.open(&["a", "b"], &sealed), Err(Broken::Foreign));
        clock.advance(MINUTE);
        assert_eq!(
            seal(&clock).open(&["a", "b"], &sealed),
            Err(Broken::Expired)
        );
    }

    proptest! {
        #[test]
        fn no_change_of_one_character_and_no_other_text_opens(at in 0_usize..80, to in "[A-Za-z0-9_-]", text in ".{0,200}") {
            let clock = Clock::turned();
            let seal = seal(&clock);
            let sealed = seal.seal(&["p"], b"twenty bytes of text", MINUTE).expect("random");
            prop_assert!(seal.open(&["p"], &text).is_err());
            let mut changed = sealed.clone();
            let at = at % sealed.len();
            changed.replace_range(at..=at, &to);
            // The last character holds bits that mean nothing, which decoding refuses unless they are zero.
            if changed != sealed {
                prop_assert!(seal.open(&["p"], &changed).is_err());
            }
        }
    }
}
