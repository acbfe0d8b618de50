//! Callers that the file names itself, for stdio and as holders of API keys.
//!
//! Their limits are those of any principal. A reader would ask why the bytes of a name are counted here when
//! the schema has a length: JSON Schema counts characters.

use super::document::At;
use super::faults::Faults;
use super::scopes::check_scopes;

/// Longest tenant and subject, in bytes.
const MAX_NAME_BYTES: usize = 256;

/// Checks `tenant`, `subject` and `scopes` of the mapping at `at`.
pub(super) fn check(
    (tenant, subject): (&str, &str),
    scopes: &[String],
    at: &At<'_>,
    faults: &mut Faults,
) {
    check_name(tenant, &at.key("tenant"), faults);
    check_name(subject, &at.key("subject"), faults);
    check_scopes(scopes, &at.key("scopes"), faults);
}

/// Checks the name of a tenant or subject.
pub(super) fn check_name(name: &str, at: &At<'_>, faults: &mut Faults) {
    if !(1..=MAX_NAME_BYTES).contains(&name.len()) || name.chars().any(char::is_control) {
        at.fault(
            faults,
            "a name is 1 to 256 bytes of UTF-8 without control characters",
        );
    }
}

#[cfg(test)]
mod tests {
    use crate::config::testing::{faults, good};

    const HASH: &str = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    /// The same caller on stdio and with an API key; the faults of both.
    fn faults_of(tenant: &str, subject: &str, scopes: &str) -> [Vec<String>; 2] {
        let caller = format!("tenant: {tenant}, subject: {subject}, scopes: [{scopes}]");
        [
            faults(&format!("stdio:\n  principal: {{{caller}}}\n")),
            faults(&format!(
                "auth:\n  apiKeys: [{{id: ci, hash: '{HASH}', expires: never, {caller}}}]\n"
            )),
        ]
    }

    #[test]
    fn a_named_caller_is_checked_like_one_from_a_token() {
        let found = faults_of("\"a\\nb\"", "me", "'a b'");
        for (found, at) in found.iter().zip(["stdio.principal", "auth.apiKeys[0]"]) {
            assert_eq!(
                *found,
                [
                    format!(
                        "tollgate.yaml:2: {at}.scopes[0]: a scope is printable ASCII without spaces, quotes and backslashes, such as customer:read, of at most 256 characters"
                    ),
                    format!(
                        "tollgate.yaml:2: {at}.tenant: a name is 1 to 256 bytes of UTF-8 without control characters"
                    ),
                ]
            );
        }
    }

    #[test]
    fn names_are_measured_in_bytes() {
        let (fits, too_long) = ("é".repeat(128), "é".repeat(129));
        good(&format!(
            "stdio: {{principal: {{tenant: {fits}, subject: me}}}}"
        ));
        for found in faults_of(&too_long, "me", "") {
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(
                found[0].ends_with(
                    ".tenant: a name is 1 to 256 bytes of UTF-8 without control characters"
                ),
                "{found:?}"
            );
        }
    }

    #[test]
    fn a_named_caller_holds_as_many_scopes_as_any_other() {
        let scopes: Vec<String> = (0..513).map(|index| format!("s{index}")).collect();
        good(&format!(
            "stdio: {{principal: {{tenant: a, subject: b, scopes: [{}]}}}}",
            scopes[..512].join(", ")
        ));
        for found in faults_of("a", "b", &scopes.join(", ")) {
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(
                found[0].ends_with(".scopes: may have at most 512 entries"),
                "{found:?}"
            );
        }
    }
}
