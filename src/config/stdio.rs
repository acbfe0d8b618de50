//! The `stdio` section: who the one caller on stdio is.
//!
//! A reader would ask why there is no default principal: stdio goes through the same checks as HTTP, and a
//! caller nobody named has no scopes. The built-in demo brings its own section.

use secrecy::SecretString;

use super::document::At;
use super::faults::Faults;
use super::policy::check_scopes;
use super::raw::RawStdio;

/// Longest tenant and subject, in bytes, as in a token.
const MAX_NAME_BYTES: usize = 256;

/// The checked `stdio` section. `Debug` does not show the token.
#[derive(Debug, Clone)]
pub enum Stdio {
    /// A token, verified like one that came over HTTP; not empty.
    Token(SecretString),
    /// A caller named in the file.
    Principal {
        /// The tenant, 1 to 256 bytes without control characters.
        tenant: String,
        /// Who calls, 1 to 256 bytes without control characters.
        subject: String,
        /// Granted scopes (RFC 6749 §3.3); may be empty.
        scopes: Vec<String>,
    },
}

pub(super) fn check(raw: RawStdio, at: &At<'_>, faults: &mut Faults) -> Option<Stdio> {
    match (raw.token, raw.principal) {
        (Some(token), None) => {
            if token.trim().is_empty() {
                at.key("token").fault(
                    faults,
                    "must not be empty; without a token remove the `stdio` section",
                );
            }
            Some(Stdio::Token(token.into()))
        }
        (None, Some(raw)) => {
            let at = at.key("principal");
            for (key, value) in [("tenant", &raw.tenant), ("subject", &raw.subject)] {
                if value.chars().any(char::is_control) {
                    at.key(key)
                        .fault(faults, "must not hold control characters");
                }
                // The schema counts characters.
                if value.len() > MAX_NAME_BYTES {
                    at.key(key).fault(faults, "must have at most 256 bytes");
                }
            }
            check_scopes(&raw.scopes, &at.key("scopes"), faults);
            Some(Stdio::Principal {
                tenant: raw.tenant,
                subject: raw.subject,
                scopes: raw.scopes,
            })
        }
        (Some(_), Some(_)) => {
            at.fault(faults, "give either `token` or `principal`, not both");
            None
        }
        (None, None) => {
            at.fault(faults, "needs either `token` or `principal`");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::{faults, good};

    #[test]
    fn stdio_takes_a_token_or_a_principal() {
        let config = good("stdio: {token: abc.def.ghi}");
        assert!(matches!(config.stdio, Some(Stdio::Token(_))));
        assert!(!format!("{config:?}").contains("abc.def"));
        let Some(Stdio::Principal {
            tenant,
            subject,
            scopes,
        }) = good("stdio: {principal: {tenant: acme, subject: me, scopes: ['customer:read']}}")
            .stdio
        else {
            panic!("a principal");
        };
        assert_eq!(
            (tenant.as_str(), subject.as_str(), scopes),
            ("acme", "me", vec!["customer:read".to_owned()])
        );
        assert!(good("server: {}").stdio.is_none());
    }

    #[test]
    fn both_or_neither_are_refused() {
        assert_eq!(
            faults("stdio:\n  token: a\n  principal: {tenant: a, subject: b}\n"),
            ["tollgate.yaml:1: stdio: give either `token` or `principal`, not both"]
        );
        assert_eq!(
            faults("stdio: {}\n"),
            ["tollgate.yaml:1: stdio: needs either `token` or `principal`"]
        );
    }

    #[test]
    fn an_empty_token_is_refused() {
        assert_eq!(
            faults("stdio:\n  token: ${NONE:-}\n"),
            [
                "tollgate.yaml:2: stdio.token: must not be empty; without a token remove the `stdio` section"
            ]
        );
    }

    #[test]
    fn a_principal_is_checked_like_one_from_a_token() {
        assert_eq!(
            faults(
                "stdio:\n  principal:\n    tenant: \"a\\nb\"\n    subject: me\n    scopes: ['a b']\n"
            ),
            [
                "tollgate.yaml:3: stdio.principal.tenant: must not hold control characters",
                "tollgate.yaml:5: stdio.principal.scopes[0]: a scope is printable ASCII without spaces, quotes and backslashes, such as customer:read, of at most 256 characters",
            ]
        );
        assert_eq!(
            faults(&format!(
                "stdio: {{principal: {{tenant: '', subject: {}}}}}",
                "x".repeat(257)
            )),
            [
                "tollgate.yaml:1: stdio.principal.subject: must have at most 256 characters",
                "tollgate.yaml:1: stdio.principal.tenant: must not be empty",
            ]
        );
        assert_eq!(
            faults(&format!(
                "stdio: {{principal: {{tenant: {}, subject: me}}}}",
                "é".repeat(129)
            )),
            ["tollgate.yaml:1: stdio.principal.tenant: must have at most 256 bytes"]
        );
        let scopes = ["a"; 513].join(", ");
        assert_eq!(
            faults(&format!(
                "stdio: {{principal: {{tenant: a, subject: me, scopes: [{scopes}]}}}}"
            )),
            ["tollgate.yaml:1: stdio.principal.scopes: may have at most 512 entries"]
        );
    }
}
