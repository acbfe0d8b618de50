//! Who is calling: credentials become a [`Principal`], or a refusal.
//!
//! A `Principal` is the first piece of evidence on the governed path. Its fields are private and
//! this room holds its only constructors, so an identity cannot come from anywhere but a verified
//! credential or the operator's own configuration; nothing a caller writes into arguments or
//! `_meta` reaches it. Verified tokens are cached by digest, and each hit looks at the clock and at
//! the issuer's keys again.

mod api_key;
mod api_keys;
mod cache;
mod claims;
mod fetch;
mod inclusion;
mod introspection;
mod issuer;
mod kept;
mod keys;
mod lifetime;
mod lookups;
mod mint;
mod principal;
mod token;

use std::sync::Arc;

use futures_util::future::join_all;
use secrecy::ExposeSecret;

pub use api_key::{ApiKey, NewApiKey};
pub use api_keys::ApiKeyFile;
pub use claims::ClaimNames;
pub use fetch::FetchError;
pub use inclusion::ScopeInclusion;
pub use introspection::{Introspection, IntrospectionError};
pub use issuer::{Issuer, IssuerError};
/// A signature algorithm, for [`Issuer::with_algorithms`] and, where it is an HMAC, [`mint`].
pub use jsonwebtoken::Algorithm;
pub use kept::KeptCredentials;
pub use keys::{KeySource, KeySourceError, KeyState, KeyTimes};
pub use lookups::Lookups;
pub use mint::{MintError, MintRequest, NoRandomness, mint, random_secret};
pub use principal::{IdentityError, IdentityKey, Principal, TenantKey};
/// A secret that does not show itself, for [`Issuer::hs256`].
pub use secrecy::SecretString;

use crate::clock::Clock;
use api_keys::ApiKeys;
use cache::{TokenCache, TokenDigest};
use fetch::Fetcher;
use introspection::Introspector;
use token::Verifier;

/// What a request brought to prove who sends it.
#[derive(Clone, Copy)]
pub enum Credentials<'a> {
    /// Nothing at all.
    Missing,
    /// One bearer token (RFC 6750 §2.1), as text after the scheme.
    Bearer(&'a str),
    /// Something that cannot be one bearer token: two headers, another scheme, not ASCII.
    Malformed,
    /// The operator's own process: stdio, or `tollgate call`.
    Local,
}

/// Who the operator's own process speaks for on stdio.
pub enum LocalIdentity {
    /// A token, verified on each call like any other, so that it expires like any other.
    Token(SecretString),
    /// A principal written down in the configuration.
    Principal(Principal),
}

/// Why a caller could not be identified.
///
/// Callers are told only whether a credential was presented; the cause is for the operator's log.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// No credential was presented.
    #[error("no bearer token was presented")]
    Missing,
    /// A credential was presented and is not good.
    #[error("the bearer token was refused: {cause}")]
    Invalid {
        /// The reason, for the log; never shown to the caller.
        cause: &'static str,
    },
    /// The credential can be neither proved nor refused now: its issuer's keys cannot be had, or its
    /// issuer cannot be asked.
    #[error("the keys of the token's issuer, or what it says of the token, are not available")]
    Unavailable,
}

/// Turns credentials into principals. Built once at start, shared by every transport.
pub struct Authenticator {
    verifier: Verifier,
    cache: TokenCache,
    lookups: Arc<Lookups>,
    api_keys: ApiKeys,
    introspector: Option<Introspector>,
    inclusion: Arc<ScopeInclusion>,
    fetcher: Fetcher,
    clock: Clock,
    local: Option<LocalPrincipal>,
    anonymous: Option<Arc<Principal>>,
}

enum LocalPrincipal {
    Token(SecretString),
    Principal(Arc<Principal>),
}

impl Authenticator {
    /// An authenticator that trusts `issuers` and reads identities from the named claims. Every
    /// principal, whatever it comes from, also holds what its scopes include.
    pub fn new(
        issuers: Vec<Issuer>,
        claims: ClaimNames,
        inclusion: ScopeInclusion,
        clock: Clock,
    ) -> Self {
        let inclusion = Arc::new(inclusion);
        Self {
            verifier: Verifier::new(issuers, claims, Arc::clone(&inclusion)),
            cache: TokenCache::new(),
            lookups: Arc::default(),
            introspector: None,
            api_keys: ApiKeys::new(Vec::new(), None, Arc::clone(&inclusion)),
            inclusion,
            fetcher: Fetcher::default(),
            clock,
            local: None,
            anonymous: None,
        }
    }

    /// Accepts API keys: these, and those in a file that may change.
    pub fn with_api_keys(mut self, keys: Vec<ApiKey>, file: Option<ApiKeyFile>) -> Self {
        self.api_keys = ApiKeys::new(keys, file, Arc::clone(&self.inclusion));
        self
    }

    /// Asks an issuer about tokens that are no JWT, and about JWTs that name it.
    pub fn with_introspection(mut self, settings: Introspection) -> Self {
        self.introspector = Some(Introspector::new(
            settings,
            self.verifier.names().clone(),
            Arc::clone(&self.inclusion),
            self.clock.clone(),
        ));
        self
    }

    /// Says who stdio and `tollgate call` speak for. Without it they are refused.
    pub fn with_local(mut self, identity: LocalIdentity) -> Self {
        self.local = Some(match identity {
            LocalIdentity::Token(token) => LocalPrincipal::Token(token),
            LocalIdentity::Principal(principal) => {
                LocalPrincipal::Principal(self.including(principal))
            }
        });
        self
    }

    /// Lets callers without any credential in as `principal`. The server refuses to listen on
    /// anything but loopback with it.
    pub fn with_anonymous(mut self, principal: Principal) -> Self {
        self.anonymous = Some(self.including(principal));
        self
    }

    /// Takes over the public keys that `before` has from the same sources, and its numbers. Nothing
    /// else: what it found out about tokens and callers does not count here.
    pub fn with_keys_of(mut self, before: &Self) -> Self {
        self.verifier.keep_keys(&before.verifier);
        self.lookups = Arc::clone(&before.lookups);
        if let (Some(own), Some(before)) = (&mut self.introspector, &before.introspector) {
            own.keep_numbers(before);
        }
        self
    }

    /// Loads the public keys that were never loaded; returns when each was, or could not be, and
    /// after at most a few seconds.
    pub async fn load_first_keys(&self) {
        let rings = self.verifier.issuers().iter().filter_map(Issuer::ring);
        let loads = rings.map(|ring| ring.load_first(&self.clock, &self.fetcher));
        // On real time, however slowly the clock is turned.
        let _ = tokio::time::timeout(fetch::FETCH_TIMEOUT, join_all(loads)).await;
    }

    /// Whether callers without a credential are let in.
    pub fn allows_anonymous(&self) -> bool {
        self.anonymous.is_some()
    }

    /// Identifies the caller.
    ///
    /// # Errors
    /// [`AuthError::Missing`] without a credential, [`AuthError::Invalid`] for a bad one: wrong
    /// signature, issuer, audience, time or shape (RFC 7519, RFC 8725), [`AuthError::Unavailable`]
    /// when its issuer's keys cannot be had.
    pub async fn authenticate(
        &self,
        credentials: &Credentials<'_>,
    ) -> Result<Arc<Principal>, AuthError> {
        match credentials {
            Credentials::Bearer(token) => self.verify(token).await,
            Credentials::Malformed => Err(AuthError::Invalid {
                cause: "not exactly one `Authorization: Bearer` header",
            }),
            Credentials::Missing => self.anonymous.clone().ok_or(AuthError::Missing),
            Credentials::Local => match &self.local {
                Some(LocalPrincipal::Principal(principal)) => Ok(Arc::clone(principal)),
                Some(LocalPrincipal::Token(token)) => self.verify(token.expose_secret()).await,
                None => Err(AuthError::Missing),
            },
        }
    }

    /// Whether the credentials can be judged without verifying a signature: there are none, or
    /// they were good before. They may have expired since; that is for
    /// [`authenticate`](Self::authenticate) to say.
    pub fn remembers(&self, credentials: &Credentials<'_>) -> bool {
        match credentials {
            Credentials::Missing | Credentials::Local => true,
            Credentials::Malformed => false,
            // Judged by a table; no flood is worth refusing a good key for.
            Credentials::Bearer(token) if token.starts_with(api_key::PREFIX) => {
                self.api_keys.verify(token, self.clock.unix()).is_ok()
            }
            Credentials::Bearer(token) => {
                token.len() <= token::MAX_TOKEN_BYTES && self.knows(&TokenDigest::of(token))
            }
        }
    }

    /// What the credentials have to be proved with, in two words, and by which issuer; for telling
    /// what a call waited for.
    pub(crate) fn proof_of(&self, credentials: &Credentials<'_>) -> (&'static str, Option<String>) {
        let token = match (credentials, &self.local) {
            (Credentials::Bearer(token), _) => token,
            (Credentials::Local, Some(LocalPrincipal::Token(token))) => token.expose_secret(),
            _ => return ("authenticate", None),
        };
        match self
            .introspector
            .as_ref()
            .filter(|asked| asked.is_for(token))
        {
            Some(introspector) => ("introspect token", Some(introspector.issuer().to_owned())),
            None => ("fetch keys", self.verifier.issuer_named_in(token)),
        }
    }

    /// Every caller there can be, where that is known beforehand: holders of API keys, the local
    /// principal, the anonymous one. `None` where an issuer's tokens say who calls.
    pub fn known_callers(&self) -> Option<Vec<Arc<Principal>>> {
        if !self.verifier.issuers().is_empty() || self.introspector.is_some() {
            return None;
        }
        let local = match &self.local {
            Some(LocalPrincipal::Principal(principal)) => Some(principal),
            Some(LocalPrincipal::Token(_)) | None => None,
        };
        let mut callers = self.api_keys.principals();
        callers.extend(local.into_iter().chain(&self.anonymous).cloned());
        Some(callers)
    }

    /// Loads the public keys of issuers at once, and again whenever it is time. Never ends; run it
    /// beside whatever serves calls. Without it, issuers with public keys stay unavailable.
    pub async fn keep_fresh(&self) {
        let rings = self.verifier.issuers().iter().filter_map(Issuer::ring);
        join_all(rings.map(|ring| ring.keep_fresh(&self.clock, &self.fetcher))).await;
        // Nobody has keys to keep.
        std::future::pending().await
    }

    /// How it stands with the keys of each issuer that has public ones.
    pub fn key_states(&self) -> Vec<KeyState> {
        let rings = self.verifier.issuers().iter().filter_map(Issuer::ring);
        rings.map(|ring| ring.state(&self.clock)).collect()
    }

    /// How often a token was known from before, and not; and the same of answers of the issuer that
    /// is asked, if there is one.
    pub fn lookups(&self) -> ((u64, u64), Option<(u64, u64)>) {
        let asked = self.introspector.as_ref().map(Introspector::lookups);
        (self.lookups.counts(), asked)
    }

    fn knows(&self, digest: &TokenDigest) -> bool {
        let was_active = |introspector: &Introspector| introspector.remembers(digest);
        self.cache.get(digest).is_some() || self.introspector.as_ref().is_some_and(was_active)
    }

    /// The principal with what its scopes include.
    pub(crate) fn including(&self, principal: Principal) -> Arc<Principal> {
        Arc::new(self.inclusion.expand(principal))
    }

    async fn verify(&self, token: &str) -> Result<Arc<Principal>, AuthError> {
        if token.len() > token::MAX_TOKEN_BYTES {
            return Err(AuthError::Invalid {
                cause: "longer than 8 KiB",
            });
        }
        if token.starts_with(api_key::PREFIX) {
            return self.api_keys.verify(token, self.clock.unix());
        }
        let digest = TokenDigest::of(token);
        if let Some(verified) = self.cache.get(&digest) {
            verified.lifetime.check(self.clock.unix().as_secs())?;
            if self.verifier.still_vouches(verified.proof, &self.clock)? {
                self.lookups.count(true);
                return Ok(verified.principal);
            }
        }
        if let Some(introspector) = &self.introspector
            && introspector.is_for(token)
        {
            return introspector.verify(token, digest).await;
        }
        self.lookups.count(false);
        let verified = self.verifier.verify(token, &self.clock).await?;
        let principal = Arc::clone(&verified.principal);
        self.cache.insert(digest, verified);
        Ok(principal)
    }
}
