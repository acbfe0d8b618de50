//! `auth.apiKeys`: the API keys that are accepted, by their hashes.
//!
//! A reader would ask why `expires` has no default: a key that is good for ever should be somebody's decision.
//! An expired key is no fault, or a server could not be restarted the day after.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;

use super::document::At;
use super::faults::{Faults, Origin};
use super::identity;
use super::raw::RawApiKey;

/// The longest id.
const MAX_ID_BYTES: usize = 32;

/// One checked API key.
#[derive(Debug, Clone)]
pub struct ApiKey {
    /// Its name: 1 to 32 lower-case letters, digits and dashes.
    pub id: String,
    /// SHA-256 of the whole key.
    pub hash: [u8; 32],
    /// The tenant that the caller acts for.
    pub tenant: String,
    /// Who calls.
    pub subject: String,
    /// Granted scopes (RFC 6749 §3.3), at most 512; may be empty.
    pub scopes: Vec<String>,
    /// When it stops being good, as time since the Unix epoch; `None` is never.
    pub expires: Option<Duration>,
    /// Where the key stands, for faults found later.
    pub origin: Origin,
}

/// Checks a list of keys. Ids and hashes must differ, also from those of `others`.
pub(super) fn check(
    raw: Vec<RawApiKey>,
    others: &[ApiKey],
    at: &At<'_>,
    faults: &mut Faults,
) -> Vec<ApiKey> {
    let mut ids: BTreeSet<String> = others.iter().map(|key| key.id.clone()).collect();
    let mut hashes: BTreeSet<[u8; 32]> = others.iter().map(|key| key.hash).collect();
    let mut keys = Vec::with_capacity(raw.len());
    for (index, raw) in raw.into_iter().enumerate() {
        let at = at.index(index);
        let Some(key) = check_key(raw, &at, faults) else {
            continue;
        };
        if !ids.insert(key.id.clone()) {
            at.key("id")
                .fault(faults, "another API key has this id; choose another one");
        }
        if !hashes.insert(key.hash) {
            let message = "another API key has this hash; one key has one entry";
            at.key("hash").fault(faults, message);
        }
        keys.push(key);
    }
    keys
}

/// The key, unless what makes it one is missing.
fn check_key(raw: RawApiKey, at: &At<'_>, faults: &mut Faults) -> Option<ApiKey> {
    if !is_id(&raw.id) {
        at.key("id").fault(faults, BAD_ID);
    }
    identity::check((&raw.tenant, &raw.subject), &raw.scopes, at, faults);
    let expires = parse_expiry(&raw.expires)
        .map_err(|message| at.key("expires").fault(faults, message))
        .ok();
    let hash = parse_hash(&raw.hash);
    if hash.is_none() {
        at.key("hash").fault(
            faults,
            "expected `sha256:` and 64 hexadecimal digits, as `tollgate apikey new` prints it; never the key itself",
        );
    }
    Some(ApiKey {
        id: raw.id,
        hash: hash?,
        tenant: raw.tenant,
        subject: raw.subject,
        scopes: raw.scopes,
        expires: expires?,
        origin: at.origin(),
    })
}

/// What an id has to be.
pub(crate) const BAD_ID: &str =
    "an id is 1 to 32 lower-case letters, digits and dashes, such as ci-bot";

/// Whether this can be the id of a key. Without `_`, so that the id can be read off a key.
pub(crate) fn is_id(text: &str) -> bool {
    let letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=MAX_ID_BYTES).contains(&text.len()) && text.bytes().all(letter)
}

fn parse_hash(text: &str) -> Option<[u8; 32]> {
    let hex = text.strip_prefix("sha256:")?;
    if hex.len() != 64 || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let mut hash = [0; 32];
    for (index, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(hex.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    Some(hash)
}

/// `never`, a time (RFC 3339, with an offset), or a date, which is its first moment in UTC.
///
/// # Errors
/// What is wrong, without the text.
pub(crate) fn parse_expiry(text: &str) -> Result<Option<Duration>, &'static str> {
    if text == "never" {
        return Ok(None);
    }
    let date = text.parse::<Date>().ok().filter(|_| text.len() == 10);
    let time = match date {
        Some(date) => Offset::UTC.to_timestamp(date.at(0, 0, 0, 0)).ok(),
        None => text.parse::<Timestamp>().ok(),
    };
    time.and_then(|time| u64::try_from(time.as_second()).ok())
        .map(|seconds| Some(Duration::from_secs(seconds)))
        .ok_or("expected a time with an offset such as 2027-01-01T00:00:00Z, a date such as 2027-01-01, or never")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::{faults, good};

    const HASH: &str = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    fn entry(change: (&str, &str)) -> String {
        let mut entry = String::from("auth:\n  apiKeys:\n    -\n");
        for (key, value) in [
            ("id", "ci-bot"),
            ("hash", HASH),
            ("tenant", "acme"),
            ("subject", "ci"),
            ("scopes", "['customer:read']"),
            ("expires", "2027-01-01T02:00:00+02:00"),
        ] {
            let value = if key == change.0 { change.1 } else { value };
            entry += &format!("      {key}: {value}\n");
        }
        entry
    }

    #[test]
    fn a_key_is_read() {
        let config = good(&entry(("", "")));
        let key = &config.auth.api_keys[0];
        assert_eq!(
            (key.id.as_str(), key.hash[..2].to_vec()),
            ("ci-bot", vec![0xba, 0x78])
        );
        assert_eq!(key.expires, Some(Duration::from_secs(1_798_761_600)));
        let date = good(&entry(("expires", "2027-01-01")))
            .auth
            .api_keys
            .remove(0);
        assert_eq!(date.expires, key.expires);
        let never = good(&entry(("expires", "never"))).auth.api_keys.remove(0);
        assert_eq!(never.expires, None);
    }

    #[test]
    fn everything_about_a_key_is_checked() {
        for (key, value, message) in [
            ("id", "CI_bot", BAD_ID),
            ("id", "''", "must not be empty"),
            (
                "hash",
                "tgk_ci-bot_secret",
                "expected `sha256:` and 64 hexadecimal digits, as `tollgate apikey new` prints it; never the key itself",
            ),
            (
                "hash",
                &format!("{HASH}0"),
                "expected `sha256:` and 64 hexadecimal digits, as `tollgate apikey new` prints it; never the key itself",
            ),
            ("subject", "''", "must not be empty"),
        ] {
            let found = faults(&entry((key, value)));
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(
                found[0].ends_with(&format!("auth.apiKeys[0].{key}: {message}")),
                "{found:?}"
            );
        }
    }

    #[test]
    fn an_expiry_is_a_full_time_a_date_or_never() {
        for bad in [
            "90d",
            "2027-01-01T00:00:00",
            "2027-13-01",
            "tomorrow",
            "'Never'",
            "1969-01-01",
        ] {
            let found = faults(&entry(("expires", bad)));
            assert_eq!(
                found,
                [
                    "tollgate.yaml:9: auth.apiKeys[0].expires: expected a time with an offset such as 2027-01-01T00:00:00Z, a date such as 2027-01-01, or never"
                ],
                "{bad}"
            );
        }
    }

    #[test]
    fn ids_and_hashes_are_there_once() {
        let one = entry(("", ""));
        let other: String = one
            .lines()
            .skip(2)
            .map(|line| format!("{line}\n"))
            .collect();
        assert_eq!(
            faults(&format!("{one}{other}")),
            [
                "tollgate.yaml:11: auth.apiKeys[1].id: another API key has this id; choose another one",
                "tollgate.yaml:12: auth.apiKeys[1].hash: another API key has this hash; one key has one entry",
            ]
        );
    }
}
