//! What is secret, of one generation, by the names of the files that hold it; and the credentials that
//! callers have under it.

use aws_lc_rs::digest::{SHA256, digest};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Value, json};

use crate::signers::Signer;
use crate::tls::Certificate;
use crate::tokens::hs256;

/// One caller each: whose credential changes with this file, or is asked about with what is in it.
pub(crate) const CALLERS: [&str; 4] = ["jwt", "jwks.json", "api-keys.yaml", "client"];
/// What the introspection endpoint is asked about.
pub(crate) const OPAQUE: &str = "opaque";

pub(crate) struct Secrets {
    generation: &'static str,
    signer: Signer,
    pub(crate) certificate: Certificate,
}

impl Secrets {
    pub(crate) fn new(generation: &'static str) -> Self {
        Self {
            generation,
            signer: Signer::ed25519(generation),
            certificate: Certificate::new(),
        }
    }

    /// What the file of this name holds.
    pub(crate) fn text(&self, file: &str) -> String {
        match file {
            "jwks.json" => published(&[self.jwk()]),
            "api-keys.yaml" => listed(&[self.entry()]),
            "tls.crt" => self.certificate.certificate.clone(),
            "tls.key" => self.certificate.key.clone(),
            _ => format!("the-{}-{file}-of-more-than-32-bytes", self.generation),
        }
    }

    pub(crate) fn jwk(&self) -> Value {
        self.signer.jwk()
    }

    /// The entry of this generation's API key.
    pub(crate) fn entry(&self) -> String {
        entry(self.generation)
    }

    /// What the caller of this name calls with.
    pub(crate) fn credential(&self, caller: &str) -> String {
        let claims = |issuer: &str| {
            json!({
                "iss": issuer, "aud": "tools", "sub": "ada", "tenant": "acme",
                "exp": 4_000_000_000_u64,
            })
        };
        match caller {
            "jwt" => hs256(&claims("https://secret.test/"), &self.text("jwt")),
            "jwks.json" => self.signer.token("EdDSA", &claims("https://keys.test/")),
            "api-keys.yaml" => key(self.generation),
            _ => OPAQUE.to_owned(),
        }
    }

    /// What must not be said anywhere.
    pub(crate) fn canaries(&self) -> Vec<String> {
        let texts = ["jwt", "client", "header", "audit", "state"].map(|file| self.text(file));
        let credentials = CALLERS[..3].iter().map(|caller| self.credential(caller));
        let key = self.certificate.key.lines().nth(1).expect("Base64");
        let key = key.to_owned();
        texts.into_iter().chain(credentials).chain([key]).collect()
    }

    pub(crate) fn certificate_der(&self) -> CertificateDer<'static> {
        let pem = self.certificate.certificate.as_bytes();
        CertificateDer::from_pem_slice(pem).expect("PEM")
    }
}

/// A JWK Set.
pub(crate) fn published(keys: &[Value]) -> String {
    json!({ "keys": keys }).to_string()
}

/// A file of API keys: these, and the one that stays.
pub(crate) fn listed(entries: &[String]) -> String {
    entries.concat() + &entry("steady")
}

/// An API key that no file takes out.
pub(crate) fn steady() -> String {
    key("steady")
}

fn key(id: &str) -> String {
    format!("tgk_{id}_a-secret-of-a-test")
}

fn entry(id: &str) -> String {
    let hash = digest(&SHA256, key(id).as_bytes());
    let hash: String = hash.as_ref().iter().map(|b| format!("{b:02x}")).collect();
    format!("- {{id: {id}, hash: 'sha256:{hash}', tenant: acme, subject: {id}, expires: never}}\n")
}
