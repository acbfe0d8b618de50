//! The `auth` section as written, and the file of API keys.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whose tokens are accepted, and what their claims mean.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(rename = "Auth")]
pub(in crate::config) struct RawAuth {
    /// The issuers whose tokens are accepted. Default: none, so that no HTTP call is let in.
    pub(in crate::config) issuers: Vec<RawIssuer>,
    pub(in crate::config) claims: RawClaims,
    /// Scopes that include others, by name, such as `"customer:admin": {includes: [customer:read]}`. Default: none does.
    pub(in crate::config) scopes: BTreeMap<String, RawScope>,
    /// API keys that are accepted, by their hashes; `tollgate apikey new` makes one. Default: none.
    pub(in crate::config) api_keys: Vec<RawApiKey>,
    /// Path of a YAML file with a list of further API keys, such as `./api-keys.yaml`. Read again when it changes, without a restart.
    #[schemars(length(min = 1))]
    pub(in crate::config) api_keys_file: Option<String>,
    /// Failed authentications that one address may cause before its unknown tokens are refused unread, such as `100/s burst 500`.
    pub(in crate::config) failure_limit: String,
}

impl Default for RawAuth {
    fn default() -> Self {
        Self {
            issuers: Vec::new(),
            claims: RawClaims::default(),
            scopes: BTreeMap::new(),
            api_keys: Vec::new(),
            api_keys_file: None,
            failure_limit: "100/s burst 500".into(),
        }
    }
}

/// One issuer of tokens and the keys that prove them: `secret`, `jwks`, or neither for keys that are discovered at the issuer's URL.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Issuer")]
pub(in crate::config) struct RawIssuer {
    /// What the `iss` claim must be, character for character, such as `https://login.example.com/`.
    #[schemars(length(min = 1))]
    pub(in crate::config) issuer: String,
    /// The `aud` claim must hold one of these, such as `https://tools.example.com/mcp`.
    #[schemars(length(min = 1), inner(length(min = 1)))]
    pub(in crate::config) audiences: Vec<String>,
    /// Whether tokens without `aud` are accepted as well. Tokens for another audience never are.
    #[serde(default)]
    pub(in crate::config) allow_missing_audience: bool,
    /// Accepted signature algorithms. Default: HS256 with `secret`; otherwise RS256, ES256, ES384 and EdDSA.
    #[schemars(length(min = 1))]
    pub(in crate::config) algorithms: Option<Vec<RawAlgorithm>>,
    /// The HMAC secret, at least 32 bytes, such as `${TOLLGATE_JWT_SECRET}` or `${file:/run/secrets/jwt}`.
    pub(in crate::config) secret: Option<String>,
    /// Where the public keys are, unless the issuer's own metadata tells.
    pub(in crate::config) jwks: Option<RawJwks>,
    /// How long public keys are used.
    pub(in crate::config) keys: Option<RawKeyTimes>,
    /// Where to ask about its tokens, instead of `secret` and `jwks`; for at most one issuer.
    pub(in crate::config) introspection: Option<RawIntrospection>,
}

/// An introspection endpoint (RFC 7662), for tokens that say nothing by themselves.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Introspection")]
pub(in crate::config) struct RawIntrospection {
    /// An https URL, such as `https://login.example.com/introspect`; http on this machine only.
    #[schemars(length(min = 1))]
    pub(in crate::config) url: String,
    /// What the endpoint knows this server by, such as `tollgate`.
    #[schemars(length(min = 1))]
    pub(in crate::config) client_id: String,
    /// How this server proves it, such as `${file:/run/secrets/introspection}`.
    #[schemars(length(min = 1))]
    pub(in crate::config) client_secret: String,
    /// How long an answer may be used, such as `30s`: so long a revoked token still works. 0s to 1h.
    #[serde(default = "default_introspection_age")]
    pub(in crate::config) max_age: String,
}

fn default_introspection_age() -> String {
    "30s".into()
}

/// A JWK Set (RFC 7517): either `url` or `file`.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Jwks")]
pub(in crate::config) struct RawJwks {
    /// An https URL, such as `https://login.example.com/keys`; http on this machine only.
    #[schemars(length(min = 1))]
    pub(in crate::config) url: Option<String>,
    /// Path of a file, such as `./jwks.json`; it is read again every few seconds.
    #[schemars(length(min = 1))]
    pub(in crate::config) file: Option<String>,
}

/// When public keys are loaded again, and how long they may be used.
#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(rename = "KeyTimes")]
pub(in crate::config) struct RawKeyTimes {
    /// How long until the keys are loaded again, such as `5m`; sooner if the source says so. 10s to 1d.
    pub(in crate::config) refresh: String,
    /// How long keys are used after they were last loaded, such as `24h`; then tokens cannot be verified. 1m to 30d, more than `refresh`.
    pub(in crate::config) max_age: String,
    /// How often an unknown key may make the keys load, such as `30s`. 1s to 1h.
    pub(in crate::config) cooldown: String,
}

impl Default for RawKeyTimes {
    fn default() -> Self {
        Self {
            refresh: "5m".into(),
            max_age: "24h".into(),
            cooldown: "30s".into(),
        }
    }
}

/// A JWS signature algorithm (RFC 7518, RFC 8037).
#[derive(Deserialize, Serialize, JsonSchema, Clone, Copy)]
#[schemars(rename = "Algorithm")]
pub(in crate::config) enum RawAlgorithm {
    HS256,
    HS384,
    HS512,
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    EdDSA,
}

/// The names of the token claims that identity comes from.
#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(rename = "Claims")]
pub(in crate::config) struct RawClaims {
    /// Claim that holds who calls.
    #[schemars(length(min = 1))]
    pub(in crate::config) subject: String,
    /// Claim that holds the tenant the caller acts for.
    #[schemars(length(min = 1))]
    pub(in crate::config) tenant: String,
    /// Claims that hold the granted scopes.
    #[schemars(length(min = 1), inner(length(min = 1)))]
    pub(in crate::config) scopes: Vec<String>,
}

impl Default for RawClaims {
    fn default() -> Self {
        let scopes = ["scope", "scopes", "scp"].map(String::from).to_vec();
        Self {
            subject: "sub".into(),
            tenant: "tenant".into(),
            scopes,
        }
    }
}

/// What a scope stands for besides itself.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Scope")]
pub(in crate::config) struct RawScope {
    /// The scopes that a caller with this one holds as well, such as `customer:read`; what these include is included, too.
    #[schemars(length(min = 1))]
    pub(in crate::config) includes: Vec<String>,
}

/// One API key: a bearer token for a caller without an identity provider.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "ApiKey")]
pub(in crate::config) struct RawApiKey {
    /// Name of the key, which the key itself begins with, such as `ci-bot`: 1 to 32 lower-case letters, digits and dashes.
    #[schemars(length(min = 1))]
    pub(in crate::config) id: String,
    /// `sha256:` and the SHA-256 of the whole key in hexadecimal, as `tollgate apikey new` prints it.
    pub(in crate::config) hash: String,
    /// The tenant the caller acts for, such as `acme`. At most 256 bytes.
    #[schemars(length(min = 1, max = 256))]
    pub(in crate::config) tenant: String,
    /// Who calls, such as `ci`. At most 256 bytes.
    #[schemars(length(min = 1, max = 256))]
    pub(in crate::config) subject: String,
    /// The scopes granted to the caller, such as `customer:read`. Default: none.
    #[serde(default)]
    #[schemars(length(max = 512))]
    pub(in crate::config) scopes: Vec<String>,
    /// When the key stops being good: a time with an offset such as `2027-01-01T00:00:00Z`, a date (its start in UTC), or `never`.
    pub(in crate::config) expires: String,
}
