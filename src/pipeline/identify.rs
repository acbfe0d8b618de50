//! Credentials become a principal, unless too many bad ones came from the caller's address.
//!
//! The limit comes before the signature work that it saves. Credentials that were verified before
//! cost no such work and pass, so that a flood does not shut out good callers behind the same
//! address.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;

use super::Call;
use crate::auth::{AuthError, Credentials, Principal};
use crate::error::CallError;
use crate::record::Wait;

impl Call {
    /// The first check, before the body is read: who is it?
    ///
    /// # Errors
    /// [`CallError::Unauthenticated`], [`CallError::KeysUnavailable`],
    /// [`CallError::TooManyFailures`] or [`CallError::Draining`], or
    /// [`CallError::AuditUnavailable`] instead of one of them; the record is closed.
    pub async fn authenticate(
        &mut self,
        credentials: &Credentials<'_>,
    ) -> Result<Arc<Principal>, CallError> {
        let known = self.identify(credentials).await;
        if let Err(error) = &known {
            self.record.close_error(error);
            self.record.settle().await?;
        }
        known
    }

    async fn identify(
        &mut self,
        credentials: &Credentials<'_>,
    ) -> Result<Arc<Principal>, CallError> {
        let pipeline = &*self.pipeline;
        if pipeline.load.is_closed() {
            return Err(CallError::Draining);
        }
        let wait = self
            .source
            .and_then(|source| pipeline.failures.wait(source));
        if let Some(retry_after) = wait
            && !pipeline.authenticator.remembers(credentials)
        {
            return Err(CallError::TooManyFailures { retry_after });
        }
        let known = self.asked(credentials).await;
        if let (Err(AuthError::Invalid { .. }), Some(source)) = (&known, self.source) {
            self.pipeline.failures.count(source);
        }
        let principal = known?;
        self.record.identify(&principal);
        Ok(principal)
    }

    /// Asks who it is, and notes a wait for keys or for the word of an issuer: the trace it belongs to
    /// is not known yet.
    async fn asked(&mut self, credentials: &Credentials<'_>) -> Result<Arc<Principal>, AuthError> {
        let (pipeline, clock) = (&*self.pipeline, self.record.clock());
        let mut work = pin!(pipeline.authenticator.authenticate(credentials));
        let mut since = None;
        let known = poll_fn(|context| {
            let polled = work.as_mut().poll(context);
            if polled.is_pending() && since.is_none() {
                since = Some(clock.monotonic());
            }
            polled
        });
        let known = known.await;
        if let Some(since) = since.filter(|_| self.record.is_traced()) {
            let (what, issuer) = pipeline.authenticator.proof_of(credentials);
            let wait = Wait {
                what,
                issuer,
                time: (since, clock.monotonic()),
                in_vain: matches!(known, Err(AuthError::Unavailable)),
            };
            self.record.waited(wait);
        }
        known
    }
}
