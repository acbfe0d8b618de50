//! One entry of `auth.issuers`: whose tokens, for whom, and proved by which keys.
//!
//! A reader would ask why the key is not said by a `type`: a secret, a place for public keys, or
//! neither are three things that cannot be mistaken for one another, and the shortest entry, an
//! issuer's URL and an audience, is the one most people need. Whether a URL can be trusted and a
//! file be read is for who uses it; it reports through [`Issuer::origin`].

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::SecretString;

use super::document::At;
use super::duration;
use super::faults::{Faults, Origin};
use super::introspection::{self, Introspection};
use super::raw::{RawAlgorithm, RawIssuer, RawJwks, RawKeyTimes};
use super::secret;

/// One issuer of tokens. `Debug` does not show the secret.
#[derive(Debug, Clone)]
pub struct Issuer {
    /// What the `iss` claim must be, compared exactly; not empty.
    pub issuer: String,
    /// The `aud` claim must hold one of these; at least one, none empty.
    pub audiences: Vec<String>,
    /// Whether tokens without `aud` are accepted, too.
    pub allow_missing_audience: bool,
    /// Accepted signature algorithms; at least one, all of the kind that goes with the keys.
    pub algorithms: Vec<Algorithm>,
    /// What proves the tokens.
    pub keys: IssuerKeys,
    /// Where it stands what the keys are, for faults found later.
    pub origin: Origin,
}

/// What proves an issuer's tokens.
#[derive(Debug, Clone)]
pub enum IssuerKeys {
    /// The HMAC secret, at least 32 bytes and not a well-known one.
    Secret(SecretString),
    /// Public keys.
    Public(KeySource, KeyTimes),
    /// None that we have: the issuer is asked about each token. For at most one issuer.
    Introspection(Introspection),
}

/// Where public keys are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// The issuer's own metadata tells; its name is its URL.
    Discovery,
    /// A JWK Set at a URL.
    Url(String),
    /// A JWK Set in a file; a relative path has been joined to the folder of the config file.
    File(PathBuf),
}

/// When public keys are loaded again, and how long they may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyTimes {
    /// Time between two loads, 10 s to 1 day, less than `max_age`. Default 5 min.
    pub refresh: Duration,
    /// Greatest age of keys in use, 1 min to 30 days. Default 24 h.
    pub max_age: Duration,
    /// Least time between two loads for the sake of an unknown key, 1 s to 1 h. Default 30 s.
    pub cooldown: Duration,
}

/// A signature algorithm (RFC 7518 §3.1, RFC 8037 §3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// HMAC with SHA-256.
    Hs256,
    /// HMAC with SHA-384.
    Hs384,
    /// HMAC with SHA-512.
    Hs512,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// RSASSA-PSS with SHA-384.
    Ps384,
    /// RSASSA-PSS with SHA-512.
    Ps512,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    /// The size of the hash in bytes, for an HMAC; `None` for what goes with public keys.
    fn hmac_bytes(self) -> Option<usize> {
        match self {
            Self::Hs256 => Some(32),
            Self::Hs384 => Some(48),
            Self::Hs512 => Some(64),
            _ => None,
        }
    }
}

/// The name in the `alg` header of a token.
impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hs256 => "HS256",
            Self::Hs384 => "HS384",
            Self::Hs512 => "HS512",
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::EdDsa => "EdDSA",
        })
    }
}

pub(super) fn check(raw: RawIssuer, file: &Path, at: &At<'_>, faults: &mut Faults) -> Issuer {
    let algorithms = check_algorithms(&raw, at, faults);
    let origin = keys_origin(&raw, at);
    if raw.introspection.is_some() {
        introspection::check_alone(&raw, at, faults);
    }
    let keys = match (raw.introspection, raw.secret, raw.jwks) {
        (Some(endpoint), _, _) => {
            let at = at.key("introspection");
            IssuerKeys::Introspection(introspection::check(endpoint, &at, faults))
        }
        (None, Some(secret), jwks) => {
            let at_secret = at.key("secret");
            if jwks.is_some() {
                at_secret.fault(faults, "give either `secret` or `jwks`, not both");
            }
            if raw.keys.is_some() {
                at.key("keys")
                    .fault(faults, "is for public keys; a secret has no such times");
            }
            let hashes = algorithms.iter().filter_map(|one| one.hmac_bytes());
            secret::check(&secret, hashes.max().unwrap_or(32), &at_secret, faults);
            IssuerKeys::Secret(secret.into())
        }
        (None, None, jwks) => {
            let source = jwks.map_or(KeySource::Discovery, |jwks| {
                key_source(jwks, file, &at.key("jwks"), faults)
            });
            let times = check_times(&raw.keys.unwrap_or_default(), &at.key("keys"), faults);
            IssuerKeys::Public(source, times)
        }
    };
    Issuer {
        issuer: raw.issuer,
        audiences: raw.audiences,
        allow_missing_audience: raw.allow_missing_audience,
        algorithms,
        keys,
        origin,
    }
}

/// An issuer has keys of one kind, and the algorithms are of that kind (RFC 8725 §3.1).
fn check_algorithms(raw: &RawIssuer, at: &At<'_>, faults: &mut Faults) -> Vec<Algorithm> {
    let has_secret = raw.secret.is_some();
    let Some(named) = &raw.algorithms else {
        return if has_secret {
            vec![Algorithm::Hs256]
        } else {
            // What identity providers sign with today.
            use Algorithm::{EdDsa, Es256, Es384, Rs256};
            vec![Rs256, Es256, Es384, EdDsa]
        };
    };
    let at = at.key("algorithms");
    let mut algorithms = Vec::with_capacity(named.len());
    for (index, raw) in named.iter().enumerate() {
        let algorithm = algorithm(*raw);
        if algorithm.hmac_bytes().is_some() != has_secret {
            let message = if has_secret {
                "goes with public keys, and this issuer has a `secret`: use HS256, HS384 or HS512"
            } else {
                "goes with a `secret`, and this issuer has public keys: use RS256, ES256, EdDSA or another of their kind"
            };
            at.index(index).fault(faults, message);
        }
        algorithms.push(algorithm);
    }
    algorithms
}

fn algorithm(raw: RawAlgorithm) -> Algorithm {
    match raw {
        RawAlgorithm::HS256 => Algorithm::Hs256,
        RawAlgorithm::HS384 => Algorithm::Hs384,
        RawAlgorithm::HS512 => Algorithm::Hs512,
        RawAlgorithm::RS256 => Algorithm::Rs256,
        RawAlgorithm::RS384 => Algorithm::Rs384,
        RawAlgorithm::RS512 => Algorithm::Rs512,
        RawAlgorithm::PS256 => Algorithm::Ps256,
        RawAlgorithm::PS384 => Algorithm::Ps384,
        RawAlgorithm::PS512 => Algorithm::Ps512,
        RawAlgorithm::ES256 => Algorithm::Es256,
        RawAlgorithm::ES384 => Algorithm::Es384,
        RawAlgorithm::EdDSA => Algorithm::EdDsa,
    }
}

fn keys_origin(raw: &RawIssuer, at: &At<'_>) -> Origin {
    if raw.introspection.is_some() {
        return at.key("introspection").key("url").origin();
    }
    match (&raw.secret, &raw.jwks) {
        (Some(_), _) => at.key("secret").origin(),
        (None, Some(RawJwks { url: Some(_), .. })) => at.key("jwks").key("url").origin(),
        (None, Some(_)) => at.key("jwks").key("file").origin(),
        (None, None) => at.key("issuer").origin(),
    }
}

fn key_source(raw: RawJwks, file: &Path, at: &At<'_>, faults: &mut Faults) -> KeySource {
    match (raw.url, raw.file) {
        (Some(url), None) => return KeySource::Url(url),
        (None, Some(path)) => {
            let folder = file.parent().unwrap_or(Path::new(""));
            return KeySource::File(folder.join(path));
        }
        (Some(_), Some(_)) => at.fault(faults, "give either `url` or `file`, not both"),
        (None, None) => at.fault(
            faults,
            "give `url` or `file`; to discover the keys at the issuer's URL, remove `jwks`",
        ),
    }
    KeySource::Discovery
}

fn check_times(raw: &RawKeyTimes, at: &At<'_>, faults: &mut Faults) -> KeyTimes {
    const SECOND: Duration = Duration::from_secs(1);
    const HOUR: Duration = Duration::from_secs(3_600);
    let mut read = |name, text, least, most, limits| {
        duration::parse(text)
            .and_then(|time| {
                let fits = (least..=most).contains(&time);
                fits.then_some(time).ok_or(limits)
            })
            .map_err(|message| at.key(name).fault(faults, message))
    };
    let refresh = read(
        "refresh",
        &raw.refresh,
        10 * SECOND,
        24 * HOUR,
        "must be 10s to 1d",
    );
    let max_age = read(
        "maxAge",
        &raw.max_age,
        60 * SECOND,
        720 * HOUR,
        "must be 1m to 30d",
    );
    let cooldown = read("cooldown", &raw.cooldown, SECOND, HOUR, "must be 1s to 1h");
    if let (Ok(refresh), Ok(max_age)) = (refresh, max_age)
        && refresh >= max_age
    {
        let message =
            "must be less than `maxAge`, or good keys would run out before they are loaded again";
        at.key("refresh").fault(faults, message);
    }
    KeyTimes {
        refresh: refresh.unwrap_or_default(),
        max_age: max_age.unwrap_or_default(),
        cooldown: cooldown.unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::{SECRET, faults, good};

    fn issuer(keys: &str) -> String {
        format!("auth:\n  issuers:\n    - issuer: https://h.example/\n      audiences: [a]\n{keys}")
    }

    #[test]
    fn an_issuer_without_keys_has_them_discovered() {
        let auth = good(&issuer("")).auth;
        let IssuerKeys::Public(source, times) = &auth.issuers[0].keys else {
            panic!("public keys")
        };
        assert_eq!(*source, KeySource::Discovery);
        let seconds = [times.refresh, times.max_age, times.cooldown].map(|time| time.as_secs());
        assert_eq!(seconds, [300, 86_400, 30]);
        let names: Vec<String> = auth.issuers[0]
            .algorithms
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(names, ["RS256", "ES256", "ES384", "EdDSA"]);
        assert!(!auth.issuers[0].allow_missing_audience);
    }

    #[test]
    fn keys_come_from_a_url_or_a_file_beside_the_configuration() {
        let text =
            issuer("      jwks: {file: ./keys.json}\n      keys: {refresh: 10s, maxAge: 1m}\n");
        let IssuerKeys::Public(source, times) = good(&text).auth.issuers.remove(0).keys else {
            panic!("public keys")
        };
        assert_eq!(source, KeySource::File("./keys.json".into()));
        assert_eq!((times.refresh.as_secs(), times.max_age.as_secs()), (10, 60));
        for (keys, message) in [
            (
                "{}",
                "give `url` or `file`; to discover the keys at the issuer's URL, remove `jwks`",
            ),
            (
                "{url: 'https://h.example/k', file: k}",
                "give either `url` or `file`, not both",
            ),
        ] {
            assert_eq!(
                faults(&issuer(&format!("      jwks: {keys}\n"))),
                [format!("tollgate.yaml:5: auth.issuers[0].jwks: {message}")]
            );
        }
    }

    #[test]
    fn a_secret_and_public_keys_are_never_mixed() {
        let text = issuer(&format!(
            "      secret: {SECRET}\n      algorithms: [HS256, RS256]\n      jwks: {{file: k}}\n      keys: {{}}\n"
        ));
        assert_eq!(
            faults(&text),
            [
                "tollgate.yaml:5: auth.issuers[0].secret: give either `secret` or `jwks`, not both",
                "tollgate.yaml:6: auth.issuers[0].algorithms[1]: goes with public keys, and this issuer has a `secret`: use HS256, HS384 or HS512",
                "tollgate.yaml:8: auth.issuers[0].keys: is for public keys; a secret has no such times",
            ]
        );
        assert_eq!(
            faults(&issuer("      algorithms: [ES256, HS512]\n")),
            [
                "tollgate.yaml:5: auth.issuers[0].algorithms[1]: goes with a `secret`, and this issuer has public keys: use RS256, ES256, EdDSA or another of their kind"
            ]
        );
    }

    #[test]
    fn times_have_limits_and_an_order() {
        let times = |keys: &str| faults(&issuer(&format!("      keys: {keys}\n")));
        assert_eq!(
            times("{refresh: 9s, maxAge: 31d, cooldown: 0s}"),
            [
                "tollgate.yaml:5: auth.issuers[0].keys.cooldown: must be 1s to 1h",
                "tollgate.yaml:5: auth.issuers[0].keys.maxAge: must be 1m to 30d",
                "tollgate.yaml:5: auth.issuers[0].keys.refresh: must be 10s to 1d",
            ]
        );
        assert_eq!(
            times("{refresh: 2m, maxAge: 2m}"),
            [
                "tollgate.yaml:5: auth.issuers[0].keys.refresh: must be less than `maxAge`, or good keys would run out before they are loaded again"
            ]
        );
    }
}
