//! What an issuer's secret has to be.
//!
//! A reader would ask why well-known secrets are refused: copied from a tutorial they pass every length check,
//! and anyone can sign with them.

use std::collections::BTreeSet;

use super::document::At;
use super::faults::Faults;

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

/// A secret is at least as long as the longest hash it is used with (RFC 7518 §3.2).
pub(super) fn check(secret: &str, least: usize, at: &At<'_>, faults: &mut Faults) {
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

    fn issuer(secret: &str) -> String {
        format!(
            "auth:\n  issuers:\n    - issuer: https://ci.example.com/\n      audiences: [a]\n      secret: '{secret}'\n"
        )
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
}
