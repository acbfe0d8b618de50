//! Tokens that say nothing by themselves: their issuer is asked about each (RFC 7662).
//!
//! What is answered is remembered for no longer than the operator allows, which is how long a
//! revoked token still works. A reader would ask why an answer past that time is not used while the
//! issuer is down, as keys are: keys age slowly, but whether a token was revoked is the very question
//! that nobody can answer then. The call is refused as "not now", never as "not you".

mod answer;
mod flights;
mod memory;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use form_urlencoded::{Serializer, byte_serialize};
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::AuthError;
use super::cache::TokenDigest;
use super::claims::ClaimNames;
use super::fetch::{FetchError, Fetcher, trusted_url};
use super::inclusion::ScopeInclusion;
use super::lookups::Lookups;
use super::principal::Principal;
use super::token;
use crate::clock::Clock;
use answer::{Judge, Known};
use flights::{Flights, Joined};
use memory::Memory;

/// How many questions may be with the issuer at once: about tokens it never called good, and about
/// others. Apart, so that a flood of made-up tokens does not end the sessions that there are.
const NEW_AT_ONCE: usize = 48;
const KNOWN_AT_ONCE: usize = 16;
/// How many questions about new tokens there may be, with those that wait for their turn.
const WAITING: usize = 1_024;
/// How long a caller waits for the answer, its turn included.
const PATIENCE: Duration = Duration::from_secs(3);

/// An issuer that is asked about its tokens.
pub struct Introspection {
    issuer: String,
    audiences: Vec<String>,
    allow_missing_audience: bool,
    endpoint: Url,
    /// Both form-encoded, as they are sent.
    client_id: String,
    client_secret: SecretString,
    max_age: Duration,
}

/// Why an issuer cannot be asked as configured.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum IntrospectionError {
    /// The endpoint's URL would carry tokens in the clear, or is none.
    #[error(
        "the URL must start with https://, or with http:// for this machine, and hold no user and no fragment"
    )]
    Url,
    /// No audience was given, so a token for anybody would do.
    #[error("at least one audience is needed")]
    NoAudience,
}

impl Introspection {
    /// Asks at `endpoint`, which knows us by `client_id` and `client_secret` (RFC 6749 §2.3.1), and
    /// remembers an answer for at most `max_age`.
    ///
    /// An answer that names another issuer than `issuer` refuses the token; one of `audiences` must
    /// be in its `aud`.
    ///
    /// # Errors
    /// [`IntrospectionError`] for a URL that must not be used or when no audience is given.
    pub fn new(
        issuer: &str,
        audiences: impl IntoIterator<Item = impl Into<String>>,
        endpoint: &str,
        (client_id, client_secret): (&str, &SecretString),
        max_age: Duration,
    ) -> Result<Self, IntrospectionError> {
        let audiences: Vec<String> = audiences.into_iter().map(Into::into).collect();
        if audiences.is_empty() {
            return Err(IntrospectionError::NoAudience);
        }
        Ok(Self {
            issuer: issuer.to_owned(),
            audiences,
            allow_missing_audience: false,
            endpoint: trusted_url(endpoint).ok_or(IntrospectionError::Url)?,
            client_id: form_encoded(client_id),
            client_secret: SecretString::from(form_encoded(client_secret.expose_secret())),
            max_age,
        })
    }

    /// Accepts answers that say not at all whom the token is for. One that names others is refused.
    pub fn allow_missing_audience(mut self) -> Self {
        self.allow_missing_audience = true;
        self
    }
}

/// What was found out about a token.
#[derive(Clone)]
enum Verdict {
    Known(Known),
    Refused(&'static str),
    /// Nothing.
    Unavailable,
}

/// Asks, remembers, and asks once for all who come with the same token.
pub(super) struct Introspector {
    inner: Arc<Inner>,
    lookups: Arc<Lookups>,
}

struct Inner {
    settings: Introspection,
    names: ClaimNames,
    inclusion: Arc<ScopeInclusion>,
    clock: Clock,
    fetcher: Fetcher,
    memory: Memory,
    flights: Flights,
    new_turns: Semaphore,
    known_turns: Semaphore,
    is_down: AtomicBool,
}

impl Introspector {
    pub(super) fn new(
        settings: Introspection,
        names: ClaimNames,
        inclusion: Arc<ScopeInclusion>,
        clock: Clock,
    ) -> Self {
        let inner = Inner {
            settings,
            names,
            inclusion,
            clock,
            fetcher: Fetcher::default(),
            memory: Memory::new(),
            flights: Flights::new(WAITING),
            new_turns: Semaphore::new(NEW_AT_ONCE),
            known_turns: Semaphore::new(KNOWN_AT_ONCE),
            is_down: AtomicBool::new(false),
        };
        Self {
            inner: Arc::new(inner),
            lookups: Arc::default(),
        }
    }

    /// Whether it is this issuer that has to be asked: the token is no JWT, or one that names it.
    pub(super) fn is_for(&self, token: &str) -> bool {
        let parts: Vec<&str> = token.splitn(4, '.').collect();
        match parts[..] {
            [_, payload, _] => token::decode(payload).is_ok_and(|claims| {
                claims.get("iss").and_then(|iss| iss.as_str()) == Some(&self.inner.settings.issuer)
            }),
            _ => true,
        }
    }

    pub(super) fn issuer(&self) -> &str {
        &self.inner.settings.issuer
    }

    /// How often an answer was known from before, and not.
    pub(super) fn lookups(&self) -> (u64, u64) {
        self.lookups.counts()
    }

    /// Counts on where `before` is.
    pub(super) fn keep_numbers(&mut self, before: &Self) {
        self.lookups = Arc::clone(&before.lookups);
    }

    /// Whether the issuer called the token good when it was last asked, however long ago.
    pub(super) fn remembers(&self, token: &TokenDigest) -> bool {
        self.inner.memory.has_been_good(token)
    }

    /// Whose token this is.
    ///
    /// # Errors
    /// [`AuthError::Invalid`] when the issuer says so, or says what does not make it good here;
    /// [`AuthError::Unavailable`] when the issuer does not answer.
    pub(super) async fn verify(
        &self,
        token: &str,
        digest: TokenDigest,
    ) -> Result<Arc<Principal>, AuthError> {
        if !is_b64token(token) {
            return Err(AuthError::Invalid {
                cause: "holds characters that no bearer token has (RFC 6750 §2.1)",
            });
        }
        let clock = &self.inner.clock;
        let recalled = self.inner.memory.recall(&digest, clock.monotonic());
        self.lookups.count(recalled.is_some());
        let verdict = match recalled {
            Some(verdict) => verdict,
            None => self.ask_once(token, digest).await,
        };
        match verdict {
            Verdict::Known(known) => {
                known.lifetime.check(clock.unix().as_secs())?;
                Ok(known.principal)
            }
            Verdict::Refused(cause) => Err(AuthError::Invalid { cause }),
            Verdict::Unavailable => Err(AuthError::Unavailable),
        }
    }

    /// The question is a task of its own: a caller who leaves does not take it away from others.
    async fn ask_once(&self, token: &str, digest: TokenDigest) -> Verdict {
        let is_known = self.remembers(&digest);
        let landing = match self.inner.flights.join(digest, is_known) {
            Joined::Other(landing) => landing,
            Joined::New(flight, landing) => {
                let (inner, token) = (Arc::clone(&self.inner), SecretString::from(token));
                tokio::spawn(async move {
                    let asked = inner.clock.monotonic();
                    let answer = timeout(PATIENCE, inner.ask(&token, is_known)).await;
                    let verdict = inner.judge(answer.unwrap_or(Err(FetchError::TimedOut)));
                    inner.remember(digest, &verdict, asked);
                    flight.land(verdict);
                });
                landing
            }
            Joined::Full => return Verdict::Unavailable,
        };
        landing.verdict().await
    }
}

type Answer = serde_json::Map<String, serde_json::Value>;

impl Inner {
    async fn ask(&self, token: &SecretString, is_known: bool) -> Result<Answer, FetchError> {
        let turns = if is_known {
            &self.known_turns
        } else {
            &self.new_turns
        };
        // Never closed.
        let _turn = turns.acquire().await;
        let form = Serializer::new(String::new())
            .append_pair("token", token.expose_secret())
            .append_pair("token_type_hint", "access_token")
            .finish();
        let settings = &self.settings;
        let credentials = (settings.client_id.as_str(), &settings.client_secret);
        self.fetcher
            .post_form(&settings.endpoint, credentials, form)
            .await
    }

    fn judge(&self, answer: Result<Answer, FetchError>) -> Verdict {
        // About the token, not about the issuer: callers must not be able to make it look down.
        if matches!(answer, Err(FetchError::TokenKind)) {
            self.notice(None);
            return Verdict::Refused("its issuer does not look up tokens of this kind");
        }
        self.notice(answer.as_ref().err());
        let Ok(answer) = answer else {
            return Verdict::Unavailable;
        };
        let judge = Judge {
            settings: &self.settings,
            names: &self.names,
            inclusion: &self.inclusion,
        };
        match judge.judge(&answer, self.clock.unix().as_secs()) {
            Ok(known) => Verdict::Known(known),
            Err(AuthError::Invalid { cause }) => Verdict::Refused(cause),
            Err(AuthError::Missing | AuthError::Unavailable) => Verdict::Unavailable,
        }
    }

    /// From the time of the question on: the answer may be as old as that.
    fn remember(&self, token: TokenDigest, verdict: &Verdict, asked: Duration) {
        match verdict {
            Verdict::Known(known) => {
                let remaining = known.lifetime.remaining(self.clock.unix().as_secs());
                let until = asked.saturating_add(self.settings.max_age.min(remaining));
                self.memory.keep_good(token, known.clone(), until);
            }
            Verdict::Refused(cause) => self.memory.keep_bad(token, cause, asked),
            Verdict::Unavailable => {}
        }
    }

    /// Tells the operator when the issuer stops answering, and when it answers again.
    fn notice(&self, error: Option<&FetchError>) {
        let was_down = self.is_down.swap(error.is_some(), Ordering::Relaxed);
        let issuer = &self.settings.issuer;
        match error {
            Some(error) if !was_down => {
                tracing::error!(issuer, %error, "tokens cannot be looked up at their issuer");
            }
            None if was_down => tracing::info!(issuer, "tokens can be looked up again"),
            _ => {}
        }
    }
}

/// `client_secret_basic`: id and secret are form-encoded before they are joined (RFC 6749 §2.3.1).
fn form_encoded(text: &str) -> String {
    byte_serialize(text.as_bytes()).collect()
}

/// RFC 6750 §2.1: `b64token = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="`.
fn is_b64token(token: &str) -> bool {
    let text = token.trim_end_matches('=');
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~+/".contains(&b);
    !text.is_empty() && text.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bearer_token_has_few_characters() {
        for good in ["abc", "a.b", "x-._~+/9==", "a"] {
            assert!(is_b64token(good), "{good}");
        }
        for bad in ["", "=", "a=b", "a b", "a&token=b", "a\"", "é"] {
            assert!(!is_b64token(bad), "{bad}");
        }
    }
}
