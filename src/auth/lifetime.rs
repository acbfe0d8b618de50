//! When a token is good: `exp`, `nbf` and `iat` (RFC 7519 §4.1), whoever states them.
//!
//! Kept with each remembered token and looked at on every call, since a token that was good a
//! moment ago may have ended.

use std::time::Duration;

use super::AuthError;
use super::claims::{Claims, numeric_date};

/// How far clocks may differ, in seconds, for `exp`, `nbf` and `iat`.
const LEEWAY_SECONDS: u64 = 30;

/// When a token is good, in seconds since the epoch.
#[derive(Clone, Copy)]
pub(super) struct Lifetime {
    expires: u64,
    not_before: u64,
}

impl Lifetime {
    /// Of a token that vouches for itself: one without an end is none.
    pub(super) fn of(claims: &Claims) -> Result<Self, AuthError> {
        if !claims.contains_key("exp") {
            return Err(AuthError::Invalid {
                cause: "exp is missing",
            });
        }
        Self::as_far_as_told(claims)
    }

    /// Where `exp` may be absent: somebody else vouches for the token at this moment.
    pub(super) fn as_far_as_told(claims: &Claims) -> Result<Self, AuthError> {
        let expires = numeric_date(claims, "exp")?.unwrap_or(u64::MAX);
        let not_before = numeric_date(claims, "nbf")?.unwrap_or(0);
        let issued = numeric_date(claims, "iat")?.unwrap_or(0);
        Ok(Self {
            expires,
            // A token from the future is not good yet, whichever claim says so.
            not_before: not_before.max(issued),
        })
    }

    /// How long it is until `exp`, without leeway.
    pub(super) fn remaining(self, now: u64) -> Duration {
        Duration::from_secs(self.expires.saturating_sub(now))
    }

    pub(super) fn check(self, now: u64) -> Result<(), AuthError> {
        if now >= self.expires.saturating_add(LEEWAY_SECONDS) {
            return Err(AuthError::Invalid { cause: "expired" });
        }
        if now.saturating_add(LEEWAY_SECONDS) < self.not_before {
            return Err(AuthError::Invalid {
                cause: "not good yet (nbf or iat)",
            });
        }
        Ok(())
    }
}
