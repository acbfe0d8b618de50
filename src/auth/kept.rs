//! Credentials that outlive their request, for an answer that goes on.
//!
//! A listener's token may end, or be revoked, while it listens. So what it came with is kept, and
//! judged again from time to time like that of any new request.

use secrecy::{ExposeSecret, SecretString};

use super::Credentials;

/// [`Credentials`] of its own.
pub enum KeptCredentials {
    /// See [`Credentials::Missing`].
    Missing,
    /// See [`Credentials::Bearer`].
    Bearer(SecretString),
    /// See [`Credentials::Malformed`].
    Malformed,
    /// See [`Credentials::Local`].
    Local,
}

impl KeptCredentials {
    /// As they came.
    pub fn lend(&self) -> Credentials<'_> {
        match self {
            Self::Missing => Credentials::Missing,
            Self::Bearer(token) => Credentials::Bearer(token.expose_secret()),
            Self::Malformed => Credentials::Malformed,
            Self::Local => Credentials::Local,
        }
    }
}

impl From<Credentials<'_>> for KeptCredentials {
    fn from(credentials: Credentials<'_>) -> Self {
        match credentials {
            Credentials::Missing => Self::Missing,
            Credentials::Bearer(token) => Self::Bearer(token.into()),
            Credentials::Malformed => Self::Malformed,
            Credentials::Local => Self::Local,
        }
    }
}
