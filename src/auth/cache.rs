//! Tokens that were verified before, so that a caller's second request costs one hash.
//!
//! The key is the token's SHA-256, never the token. The cache is bounded, holds good tokens only
//! (a flood of bad ones cannot push good ones out), and holds what the verdict rests on rather than
//! the verdict: times and keys are judged anew on each hit.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use quick_cache::sync::Cache;

use super::lifetime::Lifetime;
use super::principal::Principal;

/// How many tokens are remembered.
const CAPACITY: usize = 16_384;

/// SHA-256 of a token.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct TokenDigest([u8; 32]);

impl TokenDigest {
    pub(super) fn of(token: &str) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
        Self(bytes)
    }
}

/// A token whose signature, issuer and audience were found good.
#[derive(Clone)]
pub(super) struct Verified {
    pub(super) principal: Arc<Principal>,
    pub(super) lifetime: Lifetime,
    pub(super) proof: Proof,
}

/// Whose keys proved a token, and which: those in use when the key was looked up, so that a set
/// which changes meanwhile does not vouch for what it never saw.
#[derive(Clone, Copy)]
pub(super) struct Proof {
    /// Position among the issuers.
    pub(super) issuer: usize,
    pub(super) generation: u64,
}

pub(super) struct TokenCache(Cache<TokenDigest, Verified>);

impl TokenCache {
    pub(super) fn new() -> Self {
        Self(Cache::new(CAPACITY))
    }

    pub(super) fn get(&self, digest: &TokenDigest) -> Option<Verified> {
        self.0.get(digest)
    }

    pub(super) fn insert(&self, digest: TokenDigest, verified: Verified) {
        self.0.insert(digest, verified);
    }
}
