//! The caller's identity, as proved.
//!
//! Limits on the texts are ours: a tenant becomes a quota key, a metric label and a log field, so
//! control characters and unbounded lengths are refused here, once, for every source of identity.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256};

/// Longest subject and tenant, in bytes.
const MAX_NAME_BYTES: usize = 256;
/// Longest scope, in bytes, and the most scopes one caller may hold.
const MAX_SCOPE_BYTES: usize = 256;
pub(super) const MAX_SCOPES: usize = 512;

/// An authenticated caller: the evidence that [`authorize`](crate::access::authorize) demands.
///
/// Only [`Authenticator`](super::Authenticator) hands one out on the call path.
pub struct Principal {
    subject: Arc<str>,
    tenant: Arc<str>,
    /// Sorted, without doubles.
    scopes: Box<[Arc<str>]>,
    tenant_key: TenantKey,
    subject_key: IdentityKey,
    scopes_key: u128,
}

/// Why a subject, tenant or scope cannot be part of an identity.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// The subject is empty, too long or holds a control character.
    #[error("the subject must be 1 to 256 bytes without control characters")]
    Subject,
    /// The tenant is empty, too long or holds a control character.
    #[error("the tenant must be 1 to 256 bytes without control characters")]
    Tenant,
    /// A scope is not a scope-token of RFC 6749 §3.3, or there are more than 512.
    #[error("scopes must be at most 512 scope-tokens (RFC 6749, section 3.3) of at most 256 bytes")]
    Scopes,
}

impl Principal {
    /// A principal the operator vouches for: stdio's, or the one anonymous callers get.
    ///
    /// It is not reachable from a request. To act as a caller over HTTP one needs a token.
    ///
    /// # Errors
    /// [`IdentityError`] when a text is empty, too long or holds control characters.
    pub fn configured(
        tenant: &str,
        subject: &str,
        scopes: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Result<Self, IdentityError> {
        Self::new(tenant, subject, scopes)
    }

    /// A caller as the record has it: what its scopes include is among them.
    ///
    /// # Errors
    /// Those of [`configured`](Self::configured).
    pub(crate) fn recorded(
        tenant: &str,
        subject: &str,
        scopes: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Result<Self, IdentityError> {
        Self::holding(tenant, subject, scopes, 2 * MAX_SCOPES)
    }

    pub(super) fn new(
        tenant: &str,
        subject: &str,
        scopes: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Result<Self, IdentityError> {
        Self::holding(tenant, subject, scopes, MAX_SCOPES)
    }

    fn holding(
        tenant: &str,
        subject: &str,
        scopes: impl IntoIterator<Item = impl AsRef<str>>,
        most: usize,
    ) -> Result<Self, IdentityError> {
        if !is_name(subject) {
            return Err(IdentityError::Subject);
        }
        if !is_name(tenant) {
            return Err(IdentityError::Tenant);
        }
        let mut granted: Vec<Arc<str>> = Vec::new();
        for scope in scopes {
            let scope = scope.as_ref();
            if !is_scope(scope) || granted.len() == most {
                return Err(IdentityError::Scopes);
            }
            granted.push(Arc::from(scope));
        }
        let (scopes, scopes_key) = scope_set(granted);
        Ok(Self {
            subject: Arc::from(subject),
            tenant: Arc::from(tenant),
            tenant_key: TenantKey::of(tenant),
            subject_key: IdentityKey::of_texts([tenant, subject]),
            scopes_key,
            scopes,
        })
    }

    /// The same caller with more scopes, which are known to be scope-tokens and bounded.
    pub(super) fn holding_also(self, more: Vec<Arc<str>>) -> Self {
        let mut all = self.scopes.into_vec();
        all.extend(more);
        let (scopes, scopes_key) = scope_set(all);
        Self {
            scopes,
            scopes_key,
            ..self
        }
    }

    /// Who: the token's `sub`, unique within its tenant. 1 to 256 bytes.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The subject, for a record that outlives the call.
    pub(crate) fn shared_subject(&self) -> &Arc<str> {
        &self.subject
    }

    /// On whose behalf: the unit of isolation for data and quotas. 1 to 256 bytes.
    pub fn tenant(&self) -> &str {
        &self.tenant
    }

    /// The tenant, for a record that outlives the call.
    pub(crate) fn shared_tenant(&self) -> &Arc<str> {
        &self.tenant
    }

    /// The granted scopes with those they include, sorted, each once; at most 1,024.
    pub fn scopes(&self) -> &[Arc<str>] {
        &self.scopes
    }

    /// Whether `scope` was granted, or included in one that was. Exact: case counts.
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scopes
            .binary_search_by(|held| (**held).cmp(scope))
            .is_ok()
    }

    /// The tenant in the fixed-size form that quota buckets are keyed by.
    pub fn tenant_key(&self) -> TenantKey {
        self.tenant_key
    }

    /// Tenant and subject in the same form.
    pub fn subject_key(&self) -> IdentityKey {
        self.subject_key
    }

    /// Equal for the same `id` of the same subject of the same tenant, whatever its scopes, and for no
    /// other. It must not hold a NUL.
    pub(crate) fn request_key(&self, id: &str) -> u128 {
        digest_of([&*self.tenant, &*self.subject, id])
    }

    /// Equal for callers who hold the same scopes, whoever they are: what a list of tools depends on.
    pub(crate) fn scopes_key(&self) -> u128 {
        self.scopes_key
    }
}

impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.subject, self.tenant)
    }
}

/// The first 96 bits of the SHA-256 of a tenant's name, or of a tenant's and a subject's: small enough
/// for a million buckets, and nobody can choose a name that shares another's key (2⁹⁶ tries).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct IdentityKey {
    high: u64,
    low: u32,
}

/// That of a tenant.
pub type TenantKey = IdentityKey;

impl IdentityKey {
    /// The key of a tenant.
    pub(crate) fn of(tenant: &str) -> Self {
        Self::of_texts([tenant])
    }

    fn of_texts<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        let digest = digest_of(texts);
        Self {
            high: (digest >> 64) as u64,
            low: (digest >> 32) as u32,
        }
    }

    /// The key's parts, high 64 bits first.
    pub(crate) fn parts(self) -> (u64, u32) {
        (self.high, self.low)
    }
}

/// First 128 bits of the SHA-256 of the texts, each ended by a NUL (none of them can hold one).
fn digest_of<'a>(texts: impl IntoIterator<Item = &'a str>) -> u128 {
    let mut context = Context::new(&SHA256);
    for text in texts {
        context.update(text.as_bytes());
        context.update(&[0]);
    }
    let mut first = [0; 16];
    first.copy_from_slice(&context.finish().as_ref()[..16]);
    u128::from_be_bytes(first)
}

/// Sorted, without doubles, and the key of the set.
fn scope_set(mut scopes: Vec<Arc<str>>) -> (Box<[Arc<str>]>, u128) {
    scopes.sort_unstable();
    scopes.dedup();
    let key = digest_of(scopes.iter().map(|scope| &**scope));
    (scopes.into_boxed_slice(), key)
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_NAME_BYTES && !text.chars().any(char::is_control)
}

/// RFC 6749 §3.3: `scope-token = 1*( %x21 / %x23-5B / %x5D-7E )`.
pub(super) fn is_scope(text: &str) -> bool {
    (1..=MAX_SCOPE_BYTES).contains(&text.len())
        && text
            .bytes()
            .all(|b| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_control_characters_or_without_end_are_refused() {
        let none: [&str; 0] = [];
        for bad in ["", "a\nb", "a\u{0}", "\u{1b}[31m", &"x".repeat(300)] {
            assert_eq!(
                Principal::new(bad, "s", none).err(),
                Some(IdentityError::Tenant)
            );
            assert_eq!(
                Principal::new("t", bad, none).err(),
                Some(IdentityError::Subject)
            );
        }
    }

    #[test]
    fn scopes_are_scope_tokens_of_rfc_6749() {
        for bad in ["", "a b", "a\"b", "a\\b", "é"] {
            assert_eq!(
                Principal::new("t", "s", [bad]).err(),
                Some(IdentityError::Scopes)
            );
        }
        let principal = Principal::new("t", "s", ["b:x", "a", "b:x"]).expect("good scopes");
        assert_eq!(principal.scopes().len(), 2);
        assert!(principal.has_scope("b:x") && !principal.has_scope("B:x"));
    }

    #[test]
    fn the_same_scopes_in_another_order_have_the_same_key() {
        let one = Principal::new("t", "s", ["a", "b"]).expect("good");
        let other = Principal::new("u", "r", ["b", "a", "a"]).expect("good");
        assert_eq!(one.scopes_key(), other.scopes_key());
        let joined = Principal::new("t", "s", ["ab"]).expect("good");
        assert_ne!(one.scopes_key(), joined.scopes_key());
    }
}
