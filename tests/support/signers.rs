//! Key pairs of every kind, their public halves as JWKs, and tokens signed with them: what an
//! identity provider does, and what one that is up to no good might do.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384,
    RSA_PSS_SHA512, RsaEncoding, RsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// A key pair with a name.
pub(crate) struct Signer {
    pub(crate) kid: &'static str,
    pair: Pair,
}

enum Pair {
    Rsa(Box<RsaKeyPair>),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

impl Signer {
    pub(crate) fn rsa(kid: &'static str) -> Self {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).expect("a key");
        let pair = Pair::Rsa(Box::new(pair));
        Self { kid, pair }
    }

    pub(crate) fn p256(kid: &'static str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
        let pair = Pair::Ec(pair);
        Self { kid, pair }
    }

    pub(crate) fn p384(kid: &'static str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).expect("a key");
        let pair = Pair::Ec(pair);
        Self { kid, pair }
    }

    pub(crate) fn ed25519(kid: &'static str) -> Self {
        let pair = Pair::Ed(Ed25519KeyPair::generate().expect("a key"));
        Self { kid, pair }
    }

    /// The public key as it is published, without `alg`.
    pub(crate) fn jwk(&self) -> Value {
        match &self.pair {
            Pair::Rsa(pair) => {
                let [n, e] = integers(pair.public_key().as_ref());
                json!({"kty": "RSA", "kid": self.kid, "use": "sig", "n": text(&n), "e": text(&e)})
            }
            Pair::Ec(pair) => {
                // An uncompressed point.
                let (x, y) = pair.public_key().as_ref()[1..].split_at(self.coordinate_bytes());
                let crv = if x.len() == 32 { "P-256" } else { "P-384" };
                json!({"kty": "EC", "kid": self.kid, "crv": crv, "x": text(x), "y": text(y)})
            }
            Pair::Ed(pair) => {
                let x = text(pair.public_key().as_ref());
                json!({"kty": "OKP", "kid": self.kid, "crv": "Ed25519", "x": x})
            }
        }
    }

    /// The public key, bound to one algorithm.
    pub(crate) fn jwk_for(&self, alg: &str) -> Value {
        let mut jwk = self.jwk();
        jwk["alg"] = json!(alg);
        jwk
    }

    /// The public key in DER: PKCS #1 for RSA, else the bare bytes.
    pub(crate) fn public_der(&self) -> Vec<u8> {
        match &self.pair {
            Pair::Rsa(pair) => pair.public_key().as_ref().to_vec(),
            Pair::Ec(pair) => pair.public_key().as_ref().to_vec(),
            Pair::Ed(pair) => pair.public_key().as_ref().to_vec(),
        }
    }

    /// A token as this signer would ordinarily make it.
    pub(crate) fn token(&self, alg: &str, claims: &Value) -> String {
        let header = json!({"alg": alg, "typ": "JWT", "kid": self.kid});
        self.sign(alg, &header, claims)
    }

    /// A token signed by `alg`, whatever its header says.
    pub(crate) fn sign(&self, alg: &str, header: &Value, claims: &Value) -> String {
        let parts = [header, claims].map(|part| text(part.to_string().as_bytes()));
        let message = parts.join(".");
        let signature = self.signature(alg, message.as_bytes());
        format!("{message}.{}", text(&signature))
    }

    fn signature(&self, alg: &str, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Rsa(pair) => {
                let encoding: &'static dyn RsaEncoding = match alg {
                    "RS256" => &RSA_PKCS1_SHA256,
                    "RS384" => &RSA_PKCS1_SHA384,
                    "RS512" => &RSA_PKCS1_SHA512,
                    "PS256" => &RSA_PSS_SHA256,
                    "PS384" => &RSA_PSS_SHA384,
                    "PS512" => &RSA_PSS_SHA512,
                    other => panic!("RSA does not do {other}"),
                };
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(encoding, &random, message, &mut signature)
                    .expect("signed");
                signature
            }
            Pair::Ec(pair) => pair
                .sign(&random, message)
                .expect("signed")
                .as_ref()
                .to_vec(),
            Pair::Ed(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }

    fn coordinate_bytes(&self) -> usize {
        (self.public_der().len() - 1) / 2
    }
}

pub(crate) fn text(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The two integers of an RSAPublicKey (RFC 8017 §A.1.1).
fn integers(der: &[u8]) -> [Vec<u8>; 2] {
    let (_, body) = element(der);
    let (rest, modulus) = element(body);
    let (_, exponent) = element(rest);
    [modulus, exponent].map(|number| {
        let start = number.iter().position(|byte| *byte != 0).unwrap_or(0);
        number[start..].to_vec()
    })
}

/// What follows the first element, and its content.
fn element(der: &[u8]) -> (&[u8], &[u8]) {
    let (length, start) = match der[1] {
        short @ 0..=0x7f => (usize::from(short), 2),
        long => {
            let bytes = usize::from(long & 0x7f);
            let length = der[2..2 + bytes]
                .iter()
                .fold(0, |all, byte| all << 8 | usize::from(*byte));
            (length, 2 + bytes)
        }
    };
    (&der[start + length..], &der[start..start + length])
}
