//! A JWK Set (RFC 7517) becomes keys, each bound to what it may verify.
//!
//! The set comes from outside, so it is read with suspicion: a key that is not plainly for
//! signatures, too weak, or not even public is left out, and the rest of the set still counts. A
//! key with `alg` verifies that algorithm alone; without it, its type decides, and RSA goes with
//! whichever RS or PS algorithm the issuer is allowed (RFC 8725 §3.1).

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey};
use serde_json::{Map, Value};

use super::KeySourceError;

/// Most keys in a set.
const MAX_KEYS: usize = 100;
/// RSA moduli, in bits (RFC 7518 §3.3; longer ones only cost time).
const RSA_BITS: std::ops::RangeInclusive<usize> = 2_048..=8_192;
/// Longest RSA exponent, in bytes.
const MAX_EXPONENT_BYTES: usize = 4;
/// Members that stand in secret and private keys only (RFC 7518 §6.2.2, §6.3.2, §6.4.1).
const PRIVATE_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// A key and what it may verify.
pub(in crate::auth) struct Key {
    id: Option<String>,
    verifies: Verifies,
    /// The numbers it is made of, to tell keys apart.
    material: [Vec<u8>; 2],
    decoding: DecodingKey,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verifies {
    Only(Algorithm),
    AnyOf(AlgorithmFamily),
}

/// The keys of one issuer at one time.
#[derive(PartialEq, Eq)]
pub(super) struct KeySet(Vec<Arc<Key>>);

/// What looking for a key came to.
pub(super) enum Lookup<'k> {
    Found(&'k Arc<Key>),
    /// Nothing by that name; a newer set may hold it.
    Unknown,
    /// A newer set would not help.
    Unfit(&'static str),
}

/// A key of the document that is not used.
pub(super) struct Skipped {
    pub(super) reason: &'static str,
    /// It should never have been published.
    pub(super) is_leak: bool,
}

impl Key {
    /// A shared secret. It verifies any HMAC; the issuer's algorithms say which.
    pub(in crate::auth) fn secret(decoding: DecodingKey) -> Self {
        Self {
            id: None,
            verifies: Verifies::AnyOf(AlgorithmFamily::Hmac),
            material: [Vec::new(), Vec::new()],
            decoding,
        }
    }

    /// Whether `signature`, in Base64url, is this key's over `message`.
    pub(in crate::auth) fn has_signed(
        &self,
        message: &str,
        signature: &str,
        algorithm: Algorithm,
    ) -> bool {
        self.fits(algorithm)
            && jsonwebtoken::crypto::verify(
                signature,
                message.as_bytes(),
                &self.decoding,
                algorithm,
            )
            .unwrap_or(false)
    }

    fn fits(&self, algorithm: Algorithm) -> bool {
        match self.verifies {
            Verifies::Only(only) => only == algorithm,
            Verifies::AnyOf(family) => family == algorithm.family(),
        }
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        (&self.id, self.verifies, &self.material) == (&other.id, other.verifies, &other.material)
    }
}

impl Eq for Key {}

impl KeySet {
    /// Reads a set, and what of it is not used.
    pub(super) fn read(
        document: &Map<String, Value>,
    ) -> Result<(Self, Vec<Skipped>), KeySourceError> {
        let Some(Value::Array(list)) = document.get("keys") else {
            return Err(KeySourceError::NotKeySet);
        };
        if list.len() > MAX_KEYS {
            return Err(KeySourceError::TooMany);
        }
        let (mut keys, mut skipped) = (Vec::with_capacity(list.len()), Vec::new());
        for entry in list {
            match read_key(entry) {
                Ok(key) => keys.push(Arc::new(key)),
                Err(why) => skipped.push(why),
            }
        }
        // Some servers list their keys in another order each time; that is no change.
        keys.sort_by(|a, b| (&a.id, &a.material).cmp(&(&b.id, &b.material)));
        keys.dedup();
        Ok((Self(keys), skipped))
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The one key for a token: by name where the token gives one, otherwise the only one that fits
    /// its algorithm. Where two would do, neither does.
    pub(super) fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Lookup<'_> {
        let named = |key: &&Arc<Key>| id.is_none() || key.id.as_deref() == id;
        let mut fitting = self
            .0
            .iter()
            .filter(named)
            .filter(|key| key.fits(algorithm));
        match (fitting.next(), fitting.next()) {
            (Some(key), None) => Lookup::Found(key),
            (Some(_), Some(_)) => Lookup::Unfit("more than one key fits the token"),
            (None, _) if id.is_some() && self.0.iter().any(|key| named(&key)) => {
                Lookup::Unfit("the key is not for this algorithm")
            }
            (None, _) => Lookup::Unknown,
        }
    }
}

const fn no(reason: &'static str) -> Skipped {
    Skipped {
        reason,
        is_leak: false,
    }
}

fn read_key(entry: &Value) -> Result<Key, Skipped> {
    let jwk = entry.as_object().ok_or(no("not an object"))?;
    let kty = text(jwk, "kty").ok_or(no("`kty` is missing or no string"))?;
    if kty == "oct" || PRIVATE_MEMBERS.iter().any(|name| jwk.contains_key(*name)) {
        return Err(Skipped {
            reason: "a secret or private key is published; whoever reads it can sign",
            is_leak: true,
        });
    }
    if !is_for_signatures(jwk) {
        return Err(no("not for verifying signatures (`use`, `key_ops`)"));
    }
    let id = match jwk.get("kid") {
        None => None,
        Some(Value::String(id)) => Some(id.clone()),
        Some(_) => return Err(no("`kid` is no string")),
    };
    let (natural, material, decoding) = match kty {
        "RSA" => rsa(jwk)?,
        "EC" => elliptic(jwk)?,
        "OKP" => edwards(jwk)?,
        _ => return Err(no("`kty` is not RSA, EC or OKP")),
    };
    Ok(Key {
        id,
        verifies: bound(jwk, natural)?,
        material,
        decoding,
    })
}

/// RFC 7517 §4.2 and §4.3.
fn is_for_signatures(jwk: &Map<String, Value>) -> bool {
    let by_use = jwk.get("use").is_none_or(|purpose| purpose == "sig");
    let by_operations = jwk.get("key_ops").is_none_or(|operations| {
        let list = operations.as_array().map(Vec::as_slice).unwrap_or_default();
        list.iter().any(|operation| operation == "verify")
    });
    by_use && by_operations
}

/// `alg`, where there is one, narrows what the key's type allows; it never widens it.
fn bound(jwk: &Map<String, Value>, natural: Verifies) -> Result<Verifies, Skipped> {
    let Some(name) = jwk.get("alg") else {
        return Ok(natural);
    };
    let named: Option<Algorithm> = name.as_str().and_then(|name| name.parse().ok());
    let fits = |algorithm: &Algorithm| match natural {
        Verifies::Only(only) => only == *algorithm,
        Verifies::AnyOf(family) => family == algorithm.family(),
    };
    named
        .filter(fits)
        .map(Verifies::Only)
        .ok_or(no("`alg` is not a signature algorithm of this type of key"))
}

type Parts = (Verifies, [Vec<u8>; 2], DecodingKey);

/// RFC 7518 §6.3.1.
fn rsa(jwk: &Map<String, Value>) -> Result<Parts, Skipped> {
    let modulus = number(jwk, "n").ok_or(no("`n` is missing or no Base64url"))?;
    let exponent = number(jwk, "e").ok_or(no("`e` is missing or no Base64url"))?;
    let unused = modulus.first().map_or(0, |first| first.leading_zeros());
    if !RSA_BITS.contains(&(modulus.len() * 8 - unused as usize)) {
        return Err(no(
            "the RSA modulus has less than 2048 bits or more than 8192",
        ));
    }
    let is_odd = exponent.last().is_some_and(|last| last % 2 == 1);
    if !is_odd || exponent == [1] || exponent.len() > MAX_EXPONENT_BYTES {
        return Err(no("the RSA exponent is even, 1 or longer than 32 bits"));
    }
    let decoding = DecodingKey::from_rsa_raw_components(&modulus, &exponent);
    let natural = Verifies::AnyOf(AlgorithmFamily::Rsa);
    Ok((natural, [modulus, exponent], decoding))
}

/// RFC 7518 §6.2.1: both coordinates at full length.
fn elliptic(jwk: &Map<String, Value>) -> Result<Parts, Skipped> {
    let (algorithm, bytes) = match text(jwk, "crv") {
        Some("P-256") => (Algorithm::ES256, 32),
        Some("P-384") => (Algorithm::ES384, 48),
        _ => return Err(no("`crv` is not P-256 or P-384")),
    };
    let coordinate = |name| decoded(jwk, name).filter(|part| part.len() == bytes);
    let (Some(x), Some(y)) = (coordinate("x"), coordinate("y")) else {
        return Err(no("`x` or `y` is missing or has the wrong length"));
    };
    // An uncompressed point (SEC 1 §2.3.3).
    let point = [&[4], x.as_slice(), y.as_slice()].concat();
    let decoding = DecodingKey::from_ec_der(&point);
    Ok((Verifies::Only(algorithm), [x, y], decoding))
}

/// RFC 8037 §2.
fn edwards(jwk: &Map<String, Value>) -> Result<Parts, Skipped> {
    if text(jwk, "crv") != Some("Ed25519") {
        return Err(no("`crv` is not Ed25519"));
    }
    let x = decoded(jwk, "x")
        .filter(|x| x.len() == 32)
        .ok_or(no("`x` is missing or has the wrong length"))?;
    let decoding = DecodingKey::from_ed_der(&x);
    Ok((Verifies::Only(Algorithm::EdDSA), [x, Vec::new()], decoding))
}

fn text<'j>(jwk: &'j Map<String, Value>, name: &str) -> Option<&'j str> {
    jwk.get(name).and_then(Value::as_str)
}

fn decoded(jwk: &Map<String, Value>, name: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text(jwk, name)?).ok()
}

/// A Base64urlUInt (RFC 7518 §2), without the leading zeros that some write.
fn number(jwk: &Map<String, Value>, name: &str) -> Option<Vec<u8>> {
    let bytes = decoded(jwk, name)?;
    let start = bytes.iter().position(|byte| *byte != 0)?;
    Some(bytes[start..].to_vec())
}
