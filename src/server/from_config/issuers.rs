//! The issuers of a configuration whose tokens are signed.

use jsonwebtoken::Algorithm;

use crate::auth::{Issuer, IssuerError, KeySource, KeyTimes};
use crate::config::{self, Faults};
use crate::server::ServerBuilder;

pub(super) fn add(auth: &config::Auth, builder: &mut ServerBuilder, faults: &mut Faults) {
    for issuer in &auth.issuers {
        match checked_issuer(issuer) {
            Ok(issuer) => builder.issuers.extend(issuer),
            Err(error) => faults.0.push(issuer.origin.fault(error.to_string())),
        }
    }
}

/// The issuer, unless it is one that is asked about its tokens.
fn checked_issuer(issuer: &config::Issuer) -> Result<Option<Issuer>, IssuerError> {
    let (name, audiences) = (&issuer.issuer, &issuer.audiences);
    let checked = match &issuer.keys {
        config::IssuerKeys::Introspection(_) => return Ok(None),
        config::IssuerKeys::Secret(secret) => Issuer::hs256(name, audiences, secret),
        config::IssuerKeys::Public(source, times) => {
            let source = match source {
                config::KeySource::Discovery => KeySource::Discovery,
                config::KeySource::Url(url) => KeySource::Url(url.clone()),
                config::KeySource::File(path) => KeySource::File(path.clone()),
            };
            let times = KeyTimes {
                refresh: times.refresh,
                max_age: times.max_age,
                cooldown: times.cooldown,
            };
            Issuer::with_keys(name, audiences, &source, times)
        }
    };
    let checked = checked?.with_algorithms(issuer.algorithms.iter().map(jws_algorithm))?;
    Ok(Some(if issuer.allow_missing_audience {
        checked.allow_missing_audience()
    } else {
        checked
    }))
}

/// The algorithm as the JWT library names it.
pub(crate) fn jws_algorithm(algorithm: &config::Algorithm) -> Algorithm {
    match algorithm {
        config::Algorithm::Hs256 => Algorithm::HS256,
        config::Algorithm::Hs384 => Algorithm::HS384,
        config::Algorithm::Hs512 => Algorithm::HS512,
        config::Algorithm::Rs256 => Algorithm::RS256,
        config::Algorithm::Rs384 => Algorithm::RS384,
        config::Algorithm::Rs512 => Algorithm::RS512,
        config::Algorithm::Ps256 => Algorithm::PS256,
        config::Algorithm::Ps384 => Algorithm::PS384,
        config::Algorithm::Ps512 => Algorithm::PS512,
        config::Algorithm::Es256 => Algorithm::ES256,
        config::Algorithm::Es384 => Algorithm::ES384,
        config::Algorithm::EdDsa => Algorithm::EdDSA,
    }
}
