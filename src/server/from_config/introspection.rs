//! The issuer of a configuration that is asked about its tokens, if there is one.

use crate::auth::{Introspection, IntrospectionError};
use crate::config::{self, Faults, IssuerKeys};
use crate::server::ServerBuilder;

pub(super) fn add(auth: &config::Auth, builder: &mut ServerBuilder, faults: &mut Faults) {
    for issuer in &auth.issuers {
        let IssuerKeys::Introspection(endpoint) = &issuer.keys else {
            continue;
        };
        match introspection(issuer, endpoint) {
            Ok(introspection) => builder.introspection = Some(introspection),
            Err(error) => faults.0.push(issuer.origin.fault(error.to_string())),
        }
    }
}

fn introspection(
    issuer: &config::Issuer,
    endpoint: &config::Introspection,
) -> Result<Introspection, IntrospectionError> {
    let introspection = Introspection::new(
        &issuer.issuer,
        &issuer.audiences,
        &endpoint.url,
        (&endpoint.client_id, &endpoint.client_secret),
        endpoint.max_age,
    )?;
    Ok(if issuer.allow_missing_audience {
        introspection.allow_missing_audience()
    } else {
        introspection
    })
}
