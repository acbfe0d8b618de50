//! The `auth` section: whose tokens are accepted, and what their claims are called. An entry of
//! `issuers` is checked in [`super::issuer`].
//!
//! A reader would ask why well-known secrets are refused: copied from a tutorial they pass every length check,
//! and anyone can sign with them. See "Tokens" in the security notes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::api_key::{self, ApiKey};
use super::document::At;
use super::faults::Faults;
use super::issuer::{self, Issuer, IssuerKeys};
use super::quota::{Rate, RateError};
use super::raw::RawAuth;
use super::scopes;

/// Words that secrets in tutorials are made of. A secret that is nothing but these is no secret.
const WELL_KNOWN: [&str; 44] = [
    "0123456789abcdef",
    "1234567890",
    "development",
    "production",
    "tollgate",
    "changeit",
    "insecure",
    "password",
    "replace",
    "default",
    "example",
    "letmein",
    "please",
    "minimum",
    "qwertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "qwerty",
    "secret",
    "string",
    "change",
    "signing",
    "token",
    "super",
    "least",
    "should",
    "admin",
    "local",
    "prod",
    "your",
    "test",
    "long",
    "demo",
    "this",
    "bits",
    "with",
    "bytes",
    "key",
    "jwt",
    "256",
    "bit",
    "dev",
    "me",
    "in",
];

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

/// A secret is at least as long as the longest hash it is used with (RFC 7518 §3.2).
pub(super) fn check_secret(secret: &str, least: usize, at: &At<'_>, faults: &mut Faults) {
    if secret.len() < least {
        at.fault(
            faults,
            format!("the secret is shorter than {least} bytes; make one with: openssl rand -base64 {least}"),
        );
    } else if is_well_known(secret) {
        at.fault(faults, "the secret is a well-known one that anyone can guess; make one with: openssl rand -base64 32");
    }
}

/// Whether hardly anything is left of the secret without well-known words, separators and padding.
fn is_well_known(secret: &str) -> bool {
    let mut rest = secret.to_lowercase().replace(['-', '_', '.', ' '], "");
    for word in WELL_KNOWN {
        rest = rest.replace(word, "");
    }
    rest.len() < 8 || rest.chars().collect::<BTreeSet<_>>().len() <= 2
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
                "tollgate.yaml:2: auth.failureLimit: expected a string, found a whole number; put it in quotes"
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
    fn a_short_secret_is_refused_by_name_only() {
        assert_eq!(
            faults(&issuer("hunter2")),
            [
                "tollgate.yaml:5: auth.issuers[0].secret: the secret is shorter than 32 bytes; make one with: openssl rand -base64 32"
            ]
        );
    }

    #[test]
    fn a_secret_is_at_least_as_long_as_its_longest_hash() {
        let text = issuer(SECRET).replace(
            "audiences: [a]",
            "audiences: [a]\n      algorithms: [HS256, HS512]",
        );
        assert_eq!(
            faults(&text),
            [
                "tollgate.yaml:6: auth.issuers[0].secret: the secret is shorter than 64 bytes; make one with: openssl rand -base64 64"
            ]
        );
    }

    #[test]
    fn well_known_secrets_are_refused_also_when_repeated_or_padded() {
        let secrets = [
            "changeme".repeat(4),
            "replace-me-in-prod".repeat(2),
            "replace-me-in-prod--------------------".to_owned(),
            "CHANGEME-CHANGEME-CHANGEME-CHANGEME".to_owned(),
            "your-256-bit-secret-your-256-bit-secret".to_owned(),
            "a-string-secret-at-least-256-bits-long".to_owned(),
            "secret0000000000000000000000000000".to_owned(),
            "0123456789abcdef0123456789abcdef".to_owned(),
            "12345678901234567890123456789012".to_owned(),
            "super-secret-jwt-token-with-at-least-32".to_owned(),
            "x".repeat(64),
            " ".repeat(64),
            "changeme!!!!!!!!!!!!!!!!!!!!!!!!!!".to_owned(),
        ];
        for secret in secrets {
            assert_eq!(
                faults(&issuer(&secret)),
                [
                    "tollgate.yaml:5: auth.issuers[0].secret: the secret is a well-known one that anyone can guess; make one with: openssl rand -base64 32"
                ],
                "{secret}"
            );
        }
    }

    #[test]
    fn random_secrets_are_taken() {
        for secret in [
            SECRET,
            "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "correct horse battery staple again",
        ] {
            good(&issuer(secret));
        }
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
