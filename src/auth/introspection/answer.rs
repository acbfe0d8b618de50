//! What an introspection answer says (RFC 7662 §2.2), judged as strictly as a token's claims.
//!
//! `active` alone is not enough: the endpoint may know tokens of other issuers and for other
//! servers, and calls them active just the same.

use std::sync::Arc;

use serde_json::Value;

use super::Introspection;
use crate::auth::AuthError;
use crate::auth::claims::{ClaimNames, Claims, audience_matches};
use crate::auth::inclusion::ScopeInclusion;
use crate::auth::lifetime::Lifetime;
use crate::auth::principal::Principal;

/// Whose token it is, and when it is good.
#[derive(Clone)]
pub(super) struct Known {
    pub(super) principal: Arc<Principal>,
    pub(super) lifetime: Lifetime,
}

/// Who we are and whom we trust.
pub(super) struct Judge<'a> {
    pub(super) settings: &'a Introspection,
    pub(super) names: &'a ClaimNames,
    pub(super) inclusion: &'a ScopeInclusion,
}

impl Judge<'_> {
    pub(super) fn judge(&self, answer: &Claims, now: u64) -> Result<Known, AuthError> {
        let refuse = |cause| Err(AuthError::Invalid { cause });
        if answer.get("active") != Some(&Value::Bool(true)) {
            return refuse("its issuer does not call it active");
        }
        let issuer = answer.get("iss");
        if issuer.is_some_and(|iss| iss.as_str() != Some(self.settings.issuer.as_str())) {
            return refuse("its issuer calls it another's");
        }
        let is_bearer = |kind: &Value| {
            kind.as_str()
                .is_some_and(|kind| kind.eq_ignore_ascii_case("Bearer"))
        };
        if !answer.get("token_type").is_none_or(is_bearer) {
            return refuse("its issuer calls it no bearer token");
        }
        let is_unaddressed = self.settings.allow_missing_audience && !answer.contains_key("aud");
        if !is_unaddressed && !audience_matches(answer, &self.settings.audiences) {
            return refuse("meant for another audience");
        }
        let lifetime = Lifetime::as_far_as_told(answer)?;
        lifetime.check(now)?;
        let principal = self.inclusion.expand(self.names.principal(answer)?);
        Ok(Known {
            principal: Arc::new(principal),
            lifetime,
        })
    }
}
