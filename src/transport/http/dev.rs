//! `GET /mint-demo-jwt`: a token for trying things out. The route exists in dev mode only.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use jsonwebtoken::Algorithm;
use secrecy::SecretString;
use serde_json::json;

use super::HttpSurface;
use super::outgoing::Outgoing;
use super::received::Received;
use super::respond::Reply;
use crate::auth::{ClaimNames, MintRequest, Principal, mint};
use crate::clock::Clock;
use crate::error::EdgeError;

/// How long a demo token is good.
const LIFETIME: Duration = Duration::from_secs(3_600);

/// Signs demo tokens with a secret that this process alone knows and forgets.
pub struct DevMint {
    /// `iss`.
    pub issuer: String,
    /// `aud`.
    pub audience: String,
    /// Signs; made at start from random bytes.
    pub secret: SecretString,
    /// Tells `iat` and `exp`.
    pub clock: Clock,
}

impl HttpSurface {
    /// Query parameters `sub`, `tenant` and `scope` (repeatable) override the demo's identity.
    pub(super) fn answer_mint(&self, request: &Request<Received>) -> Response<Outgoing> {
        let Some(dev) = &self.dev else {
            return self.edge_problem(EdgeError::NoRoute);
        };
        let (mut subject, mut tenant) = ("user-123".to_owned(), "acme".to_owned());
        let mut scopes = Vec::new();
        let query = request.uri().query().unwrap_or_default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "sub" => subject = value.into_owned(),
                "tenant" => tenant = value.into_owned(),
                // An empty value asks for a token without scopes.
                "scope" => scopes.extend([value.into_owned()]),
                _ => return self.edge_problem(EdgeError::BadQuery),
            }
        }
        if scopes.is_empty() {
            scopes = ["customer:read", "orders:search"]
                .map(str::to_owned)
                .to_vec();
        }
        scopes.retain(|scope| !scope.is_empty());
        if Principal::configured(&tenant, &subject, &scopes).is_err() {
            return self.edge_problem(EdgeError::BadQuery);
        }
        let token = mint(
            &MintRequest {
                issuer: &dev.issuer,
                audience: &dev.audience,
                subject: &subject,
                tenant: &tenant,
                scopes: &scopes,
                now: dev.clock.unix(),
                lifetime: LIFETIME,
                claims: &ClaimNames::default(),
            },
            &dev.secret,
            Algorithm::HS256,
        );
        match token {
            Ok(token) => Reply::ok(Bytes::from(json!({ "token": token }).to_string())).build(),
            Err(_) => self.edge_problem(EdgeError::BadQuery),
        }
    }
}
