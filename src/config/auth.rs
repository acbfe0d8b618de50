//! The `auth` section: whose tokens and keys are accepted, and what the claims are called. An entry of
//! `issuers` is checked in [`super::issuer`], one of `apiKeys` in [`super::api_key`].
//!
//! A reader would ask why one issuer at most is asked about its tokens: an opaque token does not tell whose it
//! is, and asking several would show each of them the tokens of the others.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::api_key::{self, ApiKey};
use super::document::At;
use super::faults::Faults;
use super::issuer::{self, Issuer, IssuerKeys};
use super::quota::{Rate, RateError};
use super::raw::RawAuth;
use super::scopes;

/// The checked `auth` section.
#[derive(Debug, Clone)]
pub struct Auth {
    /// The issuers whose tokens are accepted, each named once; may be empty.
    pub issuers: Vec<Issuer>,
    /// The API keys that are accepted, each id and hash once.
    pub api_keys: Vec<ApiKey>,
    /// A file with further API keys; a relative path has been joined to the folder of the config file.
    pub api_keys_file: Option<PathBuf>,
    /// The names of the claims that identity comes from.
    pub claims: Claims,
    /// Scopes with those that each includes directly: scope-tokens without a circle, at most 512 in all.
    pub scopes: BTreeMap<String, Vec<String>>,
    /// Failed authentications per source address, default 100 a second and 500 at once.
    pub failure_limit: Rate,
}

impl Auth {
    /// Whether no credential can be good, as none is named.
    pub fn accepts_nobody(&self) -> bool {
        self.issuers.is_empty() && self.api_keys.is_empty() && self.api_keys_file.is_none()
    }
}

/// The names of the claims that identity comes from; none is empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// Claim that holds who calls, default `sub`.
    pub subject: String,
    /// Claim that holds the tenant, default `tenant`.
    pub tenant: String,
    /// Claims that hold the granted scopes, at least one, default `scope`, `scopes`, `scp`.
    pub scopes: Vec<String>,
}

pub(super) fn check(raw: RawAuth, file: &Path, at: &At<'_>, faults: &mut Faults) -> Auth {
    let issuers_at = at.key("issuers");
    let mut known = BTreeSet::new();
    let mut is_asked = false;
    let mut issuers = Vec::with_capacity(raw.issuers.len());
    for (index, raw) in raw.issuers.into_iter().enumerate() {
        let at = issuers_at.index(index);
        if !known.insert(raw.issuer.clone()) {
            at.key("issuer")
                .fault(faults, "this issuer is listed twice; merge the two entries");
        }
        let issuer = issuer::check(raw, file, &at, faults);
        if let IssuerKeys::Introspection(_) = issuer.keys {
            if is_asked {
                let message =
                    "only one issuer may have this: an opaque token does not tell whose it is";
                at.key("introspection").fault(faults, message);
            }
            is_asked = true;
        }
        issuers.push(issuer);
    }
    let claims = Claims {
        subject: raw.claims.subject,
        tenant: raw.claims.tenant,
        scopes: raw.claims.scopes,
    };
    let folder = file.parent().unwrap_or(Path::new(""));
    let failure_limit = raw
        .failure_limit
        .parse()
        .unwrap_or_else(|error: RateError| {
            at.key("failureLimit").fault(faults, error.to_string());
            Rate::LEAST
        });
    Auth {
        api_keys: api_key::check(raw.api_keys, &[], &at.key("apiKeys"), faults),
        api_keys_file: raw.api_keys_file.map(|path| folder.join(path)),
        issuers,
        claims,
        scopes: scopes::check(raw.scopes, &at.key("scopes"), faults),
        failure_limit,
    }
}

#[cfg(test)]
mod tests {
    use crate::config::testing::{SECRET, faults, good};
    use crate::config::{Algorithm, IssuerKeys};
    use secrecy::ExposeSecret;

    fn issuer(secret: &str) -> String {
        format!(
            "auth:\n  issuers:\n    - issuer: https://ci.example.com/\n      audiences: [a]\n      secret: '{secret}'\n"
        )
    }

    #[test]
    fn an_issuer_has_hs256_and_the_usual_claims_by_default() {
        let auth = good(&issuer(SECRET)).auth;
        assert_eq!(auth.issuers[0].algorithms, [Algorithm::Hs256]);
        let IssuerKeys::Secret(secret) = &auth.issuers[0].keys else {
            panic!("a secret")
        };
        assert_eq!(secret.expose_secret(), SECRET);
        assert_eq!(
            (auth.claims.subject.as_str(), auth.claims.tenant.as_str()),
            ("sub", "tenant")
        );
        assert_eq!(auth.claims.scopes, ["scope", "scopes", "scp"]);
        assert!(good("auth: {}").auth.issuers.is_empty());
    }

    #[test]
    fn failed_authentications_are_limited_like_calls() {
        let limit = |text: &str| good(text).auth.failure_limit;
        assert_eq!(limit("{}"), "100/s burst 500".parse().unwrap());
        assert_eq!(limit("auth: {failureLimit: 5/m}"), "5/m".parse().unwrap());
        assert_eq!(
            faults("auth:\n  failureLimit: 5\n"),
            [
                "tollgate.yaml:2: auth.failureLimit: expected a string such as 100/s burst 500, found a whole number"
            ]
        );
        assert_eq!(
            faults("auth:\n  failureLimit: 0/s\n"),
            [
                "tollgate.yaml:2: auth.failureLimit: the number of calls must be a whole number from 1 to 1000000000"
            ]
        );
    }

    #[test]
    fn a_secret_is_never_shown() {
        assert!(!format!("{:?}", good(&issuer(SECRET))).contains(SECRET));
    }

    #[test]
    fn two_entries_of_one_issuer_are_refused() {
        let entry = format!("    - {{issuer: i, audiences: [a], secret: {SECRET}}}\n");
        assert_eq!(
            faults(&format!("auth:\n  issuers:\n{entry}{entry}")),
            [
                "tollgate.yaml:4: auth.issuers[1].issuer: this issuer is listed twice; merge the two entries"
            ]
        );
    }

    #[test]
    fn every_key_of_an_issuer_is_checked() {
        assert_eq!(
            faults(
                "auth:\n  issuers:\n    - issuer: ''\n      audiences: []\n      algorithms: [none]\n  claims:\n    subject: ''\n    scopes: []\n"
            ),
            [
                "tollgate.yaml:3: auth.issuers[0].issuer: must not be empty",
                "tollgate.yaml:4: auth.issuers[0].audiences: needs at least one entry",
                "tollgate.yaml:5: auth.issuers[0].algorithms[0]: expected one of: HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA",
                "tollgate.yaml:7: auth.claims.subject: must not be empty",
                "tollgate.yaml:8: auth.claims.scopes: needs at least one entry",
            ]
        );
    }
}
