//! `auth.issuers[].introspection`: where to ask about tokens that say nothing by themselves.
//!
//! A reader would ask why only one issuer may have it: an opaque token does not tell whose it is, and asking
//! around would show every issuer the tokens of the others.

use std::time::Duration;

use secrecy::SecretString;

use super::document::At;
use super::duration;
use super::faults::Faults;
use super::raw::{RawIntrospection, RawIssuer};

/// A checked introspection endpoint (RFC 7662). `Debug` does not show the secret.
#[derive(Debug, Clone)]
pub struct Introspection {
    /// Its URL; not empty. Whether it can be trusted is for who uses it.
    pub url: String,
    /// What it knows us by; not empty.
    pub client_id: String,
    /// How we prove it; not empty.
    pub client_secret: SecretString,
    /// How long an answer may be used, at most 1 h, default 30 s.
    pub max_age: Duration,
}

pub(super) fn check(raw: RawIntrospection, at: &At<'_>, faults: &mut Faults) -> Introspection {
    Introspection {
        url: raw.url,
        client_id: raw.client_id,
        client_secret: raw.client_secret.into(),
        max_age: duration::read(&raw.max_age, Duration::ZERO, &at.key("maxAge"), faults),
    }
}

/// The endpoint proves the tokens, so nothing else does.
pub(super) fn check_alone(raw: &RawIssuer, at: &At<'_>, faults: &mut Faults) {
    for (key, is_there) in [
        ("secret", raw.secret.is_some()),
        ("jwks", raw.jwks.is_some()),
        ("keys", raw.keys.is_some()),
        ("algorithms", raw.algorithms.is_some()),
    ] {
        if is_there {
            at.key(key).fault(
                faults,
                "does not go with `introspection`: the endpoint tells which tokens are good",
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::IssuerKeys;
    use crate::config::testing::{faults, good};

    const ENDPOINT: &str = "introspection: {url: 'https://h.example/introspect', clientId: tollgate, clientSecret: a-client-secret}";

    fn issuer(name: &str, keys: &str) -> String {
        format!("    - issuer: {name}\n      audiences: [a]\n      {keys}\n")
    }

    #[test]
    fn an_issuer_may_be_asked_about_its_tokens() {
        let config = good(&format!("auth:\n  issuers:\n{}", issuer("i", ENDPOINT)));
        let IssuerKeys::Introspection(endpoint) = &config.auth.issuers[0].keys else {
            panic!("introspection")
        };
        assert_eq!(endpoint.max_age, Duration::from_secs(30));
        assert!(!format!("{config:?}").contains("a-client-secret"));
    }

    #[test]
    fn only_one_may_and_nothing_else_proves_its_tokens() {
        let other = format!("{ENDPOINT}\n      algorithms: [RS256]\n      jwks: {{file: k}}");
        let text = format!(
            "auth:\n  issuers:\n{}{}",
            issuer("i", ENDPOINT),
            issuer("j", &other)
        );
        let alone = "does not go with `introspection`: the endpoint tells which tokens are good";
        assert_eq!(
            faults(&text),
            [
                "tollgate.yaml:8: auth.issuers[1].introspection: only one issuer may have this: an opaque token does not tell whose it is".to_owned(),
                format!("tollgate.yaml:9: auth.issuers[1].algorithms: {alone}"),
                format!("tollgate.yaml:10: auth.issuers[1].jwks: {alone}"),
            ]
        );
    }

    #[test]
    fn every_key_is_checked() {
        let endpoint = "introspection:\n        url: ''\n        clientId: ''\n        clientSecret: ''\n        maxAge: 2h";
        let text = format!("auth:\n  issuers:\n{}", issuer("i", endpoint));
        assert_eq!(
            faults(&text),
            [
                "tollgate.yaml:6: auth.issuers[0].introspection.url: must not be empty",
                "tollgate.yaml:7: auth.issuers[0].introspection.clientId: must not be empty",
                "tollgate.yaml:8: auth.issuers[0].introspection.clientSecret: must not be empty",
            ]
        );
        let endpoint = ENDPOINT.replace("a-client-secret", "a-client-secret, maxAge: 2h");
        let text = format!("auth:\n  issuers:\n{}", issuer("i", &endpoint));
        assert_eq!(
            faults(&text),
            ["tollgate.yaml:5: auth.issuers[0].introspection.maxAge: must be at most 1h"]
        );
    }
}
