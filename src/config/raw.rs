//! The config file as written: one struct per mapping, unknown keys refused.
//!
//! The doc comments here are what `tollgate schema` shows an editor's user, the numeric ranges here are what
//! validation enforces (see [`super::schema`]); both are generated from these structs, so they cannot drift apart.
//! A reader would ask why durations and rates are plain strings: their faults read better from their own
//! parsers than from a pattern. No `Debug`: the values may be secrets.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Configuration of a Tollgate server. Relative paths are relative to this file; in every string,
/// ${X}, ${X:-default}, ${X:?message} read the environment, ${file:PATH} reads a file, and $$ is a dollar.
#[derive(Deserialize, JsonSchema, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(title = "Tollgate configuration")]
pub(super) struct RawConfig {
    pub(super) server: RawServer,
    pub(super) auth: RawAuth,
    pub(super) stdio: Option<RawStdio>,
    pub(super) quotas: RawQuotas,
    /// Where tools get their data, by name.
    pub(super) sources: BTreeMap<String, RawSource>,
    /// The tools that callers see, by name: 1 to 128 letters, digits, `_`, `.` or `-`.
    pub(super) tools: BTreeMap<String, RawTool>,
    /// The resources that callers see, by URI template, such as `customers://{customer_id}`.
    pub(super) resources: BTreeMap<String, RawResource>,
    /// What single tenants have otherwise than the others, by tenant.
    pub(super) tenants: BTreeMap<String, RawTenant>,
    pub(super) telemetry: RawTelemetry,
}

/// The HTTP listener and its limits.
#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(rename = "Server")]
pub(super) struct RawServer {
    /// IP address and port to listen on, such as `127.0.0.1:8080`; port 0 takes any free port.
    /// An address other than loopback needs `tls` or `behindProxy: true`.
    pub(super) listen: String,
    /// IP address and port for operators alone: `/metrics`, `/healthz`, `/readyz`, without TLS and tokens; or `off`.
    /// Default: `127.0.0.1:9090`, or none where that is taken.
    pub(super) admin_listen: Option<String>,
    /// The certificate to end TLS with. Default: none, plain HTTP.
    pub(super) tls: Option<RawTls>,
    /// The http(s) URL that callers reach this server at, such as `https://tools.example.com`. Every published URL starts with it.
    pub(super) public_url: Option<String>,
    /// Names besides the one in `publicUrl` that requests may use in `Host`, as `host` or `host:port`: those a proxy uses. Default: none.
    pub(super) allowed_hosts: Vec<String>,
    /// Origins of the web pages that may call this server, such as `https://app.example.com`. Default: none.
    pub(super) allowed_origins: Vec<String>,
    /// Whether a proxy that ends TLS stands in front of this server.
    pub(super) behind_proxy: bool,
    /// Addresses and networks of the proxies whose `X-Forwarded-For` is believed, such as `10.0.0.0/8`; needs `behindProxy: true`. Default: none.
    pub(super) trusted_proxies: Vec<String>,
    /// Connections that may be open at once.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub(super) max_connections: usize,
    /// Connections that may be open at once from one address (IPv6: one /64), trusted proxies excepted.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub(super) max_connections_per_address: usize,
    /// Largest request body, in bytes.
    #[schemars(range(min = 1024, max = 67_108_864))]
    pub(super) max_body_bytes: usize,
    /// Calls that may run at once in this process, over all tools.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub(super) max_in_flight: usize,
    /// How long running calls may take to finish after SIGTERM, such as `10s`. At most 1h.
    pub(super) shutdown_grace: String,
}

impl Default for RawServer {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8080".into(),
            admin_listen: None,
            tls: None,
            public_url: None,
            allowed_hosts: Vec::new(),
            allowed_origins: Vec::new(),
            behind_proxy: false,
            trusted_proxies: Vec::new(),
            max_connections: 4_096,
            max_connections_per_address: 512,
            max_body_bytes: 1 << 20,
            max_in_flight: 1024,
            shutdown_grace: "10s".into(),
        }
    }
}

/// A certificate and its key. Changed files are taken up within seconds, without a restart.
#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Tls")]
pub(super) struct RawTls {
    /// Path of the certificate chain in PEM, the server's certificate first.
    #[schemars(length(min = 1))]
    pub(super) certificate: String,
    /// Path of the private key in PEM.
    #[schemars(length(min = 1))]
    pub(super) key: String,
}

/// Whose tokens are accepted, and what their claims mean.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(rename = "Auth")]
pub(super) struct RawAuth {
    /// The issuers whose tokens are accepted. Default: none, so that no HTTP call is let in.
    pub(super) issuers: Vec<RawIssuer>,
    pub(super) claims: RawClaims,
    /// Scopes that include others, by name, such as `"customer:admin": {includes: [customer:read]}`. Default: none does.
    pub(super) scopes: BTreeMap<String, RawScope>,
    /// API keys that are accepted, by their hashes; `tollgate apikey new` makes one. Default: none.
    pub(super) api_keys: Vec<RawApiKey>,
    /// Path of a YAML file with a list of further API keys, such as `./api-keys.yaml`. Read again when it changes, without a restart.
    #[schemars(length(min = 1))]
    pub(super) api_keys_file: Option<String>,
    /// Failed authentications that one address may cause before its unknown tokens are refused unread, such as `100/s burst 500`.
    pub(super) failure_limit: String,
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
pub(super) struct RawIssuer {
    /// What the `iss` claim must be, character for character, such as `https://login.example.com/`.
    #[schemars(length(min = 1))]
    pub(super) issuer: String,
    /// The `aud` claim must hold one of these, such as `https://tools.example.com/mcp`.
    #[schemars(length(min = 1), inner(length(min = 1)))]
    pub(super) audiences: Vec<String>,
    /// Whether tokens without `aud` are accepted as well. Tokens for another audience never are.
    #[serde(default)]
    pub(super) allow_missing_audience: bool,
    /// Accepted signature algorithms. Default: HS256 with `secret`; otherwise RS256, ES256, ES384 and EdDSA.
    #[schemars(length(min = 1))]
    pub(super) algorithms: Option<Vec<RawAlgorithm>>,
    /// The HMAC secret, at least 32 bytes, such as `${TOLLGATE_JWT_SECRET}` or `${file:/run/secrets/jwt}`.
    pub(super) secret: Option<String>,
    /// Where the public keys are, unless the issuer's own metadata tells.
    pub(super) jwks: Option<RawJwks>,
    /// How long public keys are used.
    pub(super) keys: Option<RawKeyTimes>,
    /// Where to ask about its tokens, instead of `secret` and `jwks`; for at most one issuer.
    pub(super) introspection: Option<RawIntrospection>,
}

/// An introspection endpoint (RFC 7662), for tokens that say nothing by themselves.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Introspection")]
pub(super) struct RawIntrospection {
    /// An https URL, such as `https://login.example.com/introspect`; http on this machine only.
    #[schemars(length(min = 1))]
    pub(super) url: String,
    /// What the endpoint knows this server by, such as `tollgate`.
    #[schemars(length(min = 1))]
    pub(super) client_id: String,
    /// How this server proves it, such as `${file:/run/secrets/introspection}`.
    #[schemars(length(min = 1))]
    pub(super) client_secret: String,
    /// How long an answer may be used, such as `30s`: so long a revoked token still works. 0s to 1h.
    #[serde(default = "default_introspection_age")]
    pub(super) max_age: String,
}

fn default_introspection_age() -> String {
    "30s".into()
}

/// A JWK Set (RFC 7517): either `url` or `file`.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Jwks")]
pub(super) struct RawJwks {
    /// An https URL, such as `https://login.example.com/keys`; http on this machine only.
    #[schemars(length(min = 1))]
    pub(super) url: Option<String>,
    /// Path of a file, such as `./jwks.json`; it is read again every few seconds.
    #[schemars(length(min = 1))]
    pub(super) file: Option<String>,
}

/// When public keys are loaded again, and how long they may be used.
#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(rename = "KeyTimes")]
pub(super) struct RawKeyTimes {
    /// How long until the keys are loaded again, such as `5m`; sooner if the source says so. 10s to 1d.
    pub(super) refresh: String,
    /// How long keys are used after they were last loaded, such as `24h`; then tokens cannot be verified. 1m to 30d, more than `refresh`.
    pub(super) max_age: String,
    /// How often an unknown key may make the keys load, such as `30s`. 1s to 1h.
    pub(super) cooldown: String,
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
pub(super) enum RawAlgorithm {
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
pub(super) struct RawClaims {
    /// Claim that holds who calls.
    #[schemars(length(min = 1))]
    pub(super) subject: String,
    /// Claim that holds the tenant the caller acts for.
    #[schemars(length(min = 1))]
    pub(super) tenant: String,
    /// Claims that hold the granted scopes.
    #[schemars(length(min = 1), inner(length(min = 1)))]
    pub(super) scopes: Vec<String>,
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
pub(super) struct RawScope {
    /// The scopes that a caller with this one holds as well, such as `customer:read`; what these include is included, too.
    #[schemars(length(min = 1))]
    pub(super) includes: Vec<String>,
}

/// One API key: a bearer token for a caller without an identity provider.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "ApiKey")]
pub(super) struct RawApiKey {
    /// Name of the key, which the key itself begins with, such as `ci-bot`: 1 to 32 lower-case letters, digits and dashes.
    #[schemars(length(min = 1))]
    pub(super) id: String,
    /// `sha256:` and the SHA-256 of the whole key in hexadecimal, as `tollgate apikey new` prints it.
    pub(super) hash: String,
    /// The tenant the caller acts for, such as `acme`. At most 256 bytes.
    #[schemars(length(min = 1, max = 256))]
    pub(super) tenant: String,
    /// Who calls, such as `ci`. At most 256 bytes.
    #[schemars(length(min = 1, max = 256))]
    pub(super) subject: String,
    /// The scopes granted to the caller, such as `customer:read`. Default: none.
    #[serde(default)]
    #[schemars(length(max = 512))]
    pub(super) scopes: Vec<String>,
    /// When the key stops being good: a time with an offset such as `2027-01-01T00:00:00Z`, a date (its start in UTC), or `never`.
    pub(super) expires: String,
}

/// Who the one caller on stdio is: either `token` or `principal`. Without this section stdio serves no tool.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Stdio")]
pub(super) struct RawStdio {
    /// A token of a configured issuer, such as `${TOLLGATE_TOKEN}`.
    pub(super) token: Option<String>,
    pub(super) principal: Option<RawPrincipal>,
}

/// A caller named in the file instead of by a token.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Principal")]
pub(super) struct RawPrincipal {
    /// The tenant the caller acts for, such as `acme`. At most 256 characters.
    #[schemars(length(min = 1, max = 256))]
    pub(super) tenant: String,
    /// Who calls, such as `me`. At most 256 characters.
    #[schemars(length(min = 1, max = 256))]
    pub(super) subject: String,
    /// The scopes granted to the caller, such as `customer:read`. Default: none.
    #[serde(default)]
    pub(super) scopes: Vec<String>,
}

/// Where rate limits are counted.
#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(rename = "Quotas")]
pub(super) struct RawQuotas {
    /// `memory`: in this process, so that each replica counts for itself.
    store: RawStore,
    /// Buckets held at most, one per tenant and tool.
    #[schemars(range(min = 1, max = 100_000_000))]
    pub(super) max_keys: usize,
}

impl Default for RawQuotas {
    fn default() -> Self {
        Self {
            store: RawStore::Memory,
            max_keys: 1_000_000,
        }
    }
}

/// A store for rate limits.
#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Store")]
enum RawStore {
    Memory,
}

/// A database that tools read from.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Source")]
pub(super) struct RawSource {
    /// Path of the SQLite file, such as `./shop.db`.
    #[schemars(length(min = 1))]
    pub(super) sqlite: String,
    /// Statements that may run at once on this source. Default: as many as cores, at most 4.
    #[schemars(range(min = 1, max = 64))]
    pub(super) threads: Option<usize>,
}

/// One tool: who may call it, how often, with which arguments, and what it runs.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Tool")]
pub(super) struct RawTool {
    /// Name for people, such as `Customer profile`.
    #[schemars(length(min = 1))]
    pub(super) title: Option<String>,
    /// What the tool does, for the model that chooses it.
    pub(super) description: String,
    /// The scopes a caller needs, all of them, such as `customer:read`; or `allOf` and `anyOf`.
    /// Either this or `anyAuthenticated: true`.
    pub(super) scopes: Option<RawScopes>,
    /// `true` lets every authenticated caller in. Either this or `scopes`.
    pub(super) any_authenticated: Option<bool>,
    /// What else refuses a call, in this order.
    #[serde(default)]
    pub(super) rules: Vec<RawRule>,
    /// `false`: to callers the tool does not exist.
    #[serde(default = "default_enabled")]
    pub(super) enabled: bool,
    /// Calls per tenant, such as `5/10s`, `60/m` or `60/m burst 10`. Default: no limit.
    pub(super) rate_limit: Option<RawRateLimit>,
    /// How long one call may take, such as `2s`. More than 0, at most 1h.
    #[serde(default = "default_timeout")]
    pub(super) timeout: String,
    /// Calls of this tool that may run at once. Default: no limit of its own.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub(super) max_concurrent: Option<u32>,
    /// The arguments, by name: a JSON Schema (2020-12) each. An argument is required unless it has
    /// a `default` or `required: false`.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, Map<String, Value>>")]
    pub(super) parameters: Map<String, Value>,
    /// Statement parameters that the runtime fills in, invisible to the model, such as `tenant: caller.tenant`.
    #[serde(default)]
    pub(super) bind: BTreeMap<String, RawBinding>,
    pub(super) sql: RawSql,
}

fn default_enabled() -> bool {
    true
}

/// Scopes a caller needs: a list of which it needs all, or a mapping.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "Scopes")]
pub(super) enum RawScopes {
    All(Vec<String>),
    Set(RawScopeSet),
}

/// Scopes a caller needs: all of `allOf`, and one of `anyOf`.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "ScopeSet")]
pub(super) struct RawScopeSet {
    /// Scopes of which a caller needs every one. Default: none.
    #[serde(default)]
    pub(super) all_of: Vec<String>,
    /// Scopes of which a caller needs at least one. Default: none.
    #[serde(default)]
    pub(super) any_of: Vec<String>,
    /// `shadow` refuses nobody and records who would be refused; it needs `anyAuthenticated: true` beside it.
    #[serde(default)]
    pub(super) mode: RawMode,
}

/// `enforce` refuses calls; `shadow` lets them go on and records that they would be refused.
#[derive(Deserialize, Serialize, JsonSchema, Clone, Copy, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Mode")]
pub(super) enum RawMode {
    #[default]
    Enforce,
    Shadow,
}

/// Calls per tenant: a limit, or a limit and whether it is enforced.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "RateLimit")]
pub(super) enum RawRateLimit {
    Limit(String),
    Moded(RawModedLimit),
}

/// A limit and whether it is enforced.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "ModedRateLimit")]
pub(super) struct RawModedLimit {
    /// Calls per tenant, such as `5/10s`, `60/m` or `60/m burst 10`.
    pub(super) limit: String,
    /// `shadow` counts and refuses nothing.
    #[serde(default)]
    pub(super) mode: RawMode,
}

/// A condition in CEL on `args`, `caller.tenant`, `caller.subject` and `caller.scopes`: either `deny` or `allowOnlyIf`.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Rule")]
pub(super) struct RawRule {
    /// The call is refused when this is true, or cannot be evaluated, such as `args.amount > 1000`.
    pub(super) deny: Option<String>,
    /// The call is refused unless this is true, such as `caller.tenant == "acme"`.
    pub(super) allow_only_if: Option<String>,
    /// What a refused caller reads. Default: `Not allowed by policy`.
    #[schemars(length(min = 1, max = 300))]
    pub(super) because: Option<String>,
    /// `shadow` refuses nobody and records who would be refused.
    #[serde(default)]
    pub(super) mode: RawMode,
}

/// What one tenant has otherwise than the others.
#[derive(Deserialize, JsonSchema, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(rename = "Tenant")]
pub(super) struct RawTenant {
    /// Tools, by name: one of those under `tools`.
    pub(super) tools: BTreeMap<String, RawOverride>,
    /// Resources, by URI template: one of those under `resources`.
    pub(super) resources: BTreeMap<String, RawOverride>,
}

/// What a tenant has otherwise: each key that is named replaces the one of the tool or resource.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Override")]
pub(super) struct RawOverride {
    /// The scopes a caller of this tenant needs.
    pub(super) scopes: Option<RawScopes>,
    /// `true` lets every authenticated caller of this tenant in.
    pub(super) any_authenticated: Option<bool>,
    /// What else refuses a call; `[]` takes the rules away.
    pub(super) rules: Option<Vec<RawRule>>,
    /// `false`: to callers of this tenant it does not exist; `true`: it does.
    pub(super) enabled: Option<bool>,
    /// Calls of this tenant.
    pub(super) rate_limit: Option<RawRateLimit>,
}

fn default_timeout() -> String {
    "30s".into()
}

/// What the runtime knows about the caller.
#[derive(Deserialize, JsonSchema, Clone, Copy)]
#[schemars(rename = "Binding")]
pub(super) enum RawBinding {
    #[serde(rename = "caller.tenant")]
    Tenant,
    #[serde(rename = "caller.subject")]
    Subject,
}

/// The SQL statement to run, and the limits of its result.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Sql")]
pub(super) struct RawSql {
    /// Name of the source, one of those under `sources`.
    pub(super) source: String,
    /// One read-only statement with named parameters, such as `SELECT name FROM customers WHERE id = :customer_id`.
    pub(super) statement: String,
    /// `one`: a single row, and "not found" where there is none. `many`: a list of rows.
    pub(super) result: RawResult,
    /// Rows returned at most.
    #[serde(default = "default_max_rows")]
    #[schemars(range(min = 1, max = 100_000))]
    pub(super) max_rows: usize,
    /// Largest result, in bytes of JSON.
    #[serde(default = "default_max_bytes")]
    #[schemars(range(min = 1, max = 67_108_864))]
    pub(super) max_bytes: usize,
}

/// How many rows a statement stands for.
#[derive(Deserialize, JsonSchema, Clone, Copy)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Result")]
pub(super) enum RawResult {
    One,
    Many,
}

fn default_max_rows() -> usize {
    1000
}

fn default_max_bytes() -> usize {
    1 << 20
}

/// One resource: who may read it, how often, and what it runs. Governed like a tool.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Resource")]
pub(super) struct RawResource {
    /// Short name, such as `customer`.
    #[schemars(length(min = 1))]
    pub(super) name: String,
    /// Name for people, such as `Customer profile`.
    #[schemars(length(min = 1))]
    pub(super) title: Option<String>,
    /// What the resource holds, for the model that reads it.
    #[schemars(length(min = 1))]
    pub(super) description: Option<String>,
    /// Media type of the content.
    #[serde(default = "default_mime_type")]
    #[schemars(length(min = 1))]
    pub(super) mime_type: String,
    /// The scopes a caller needs, all of them, such as `customer:read`; or `allOf` and `anyOf`.
    /// Either this or `anyAuthenticated: true`.
    pub(super) scopes: Option<RawScopes>,
    /// `true` lets every authenticated caller in. Either this or `scopes`.
    pub(super) any_authenticated: Option<bool>,
    /// What else refuses a read, in this order.
    #[serde(default)]
    pub(super) rules: Vec<RawRule>,
    /// `false`: to callers the resource does not exist.
    #[serde(default = "default_enabled")]
    pub(super) enabled: bool,
    /// Reads per tenant, such as `5/10s`, `60/m` or `60/m burst 10`. Default: no limit.
    pub(super) rate_limit: Option<RawRateLimit>,
    /// How long one read may take, such as `2s`. More than 0, at most 1h.
    #[serde(default = "default_timeout")]
    pub(super) timeout: String,
    /// Reads of this resource that may run at once. Default: no limit of its own.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub(super) max_concurrent: Option<u32>,
    /// The variables of the URI template, by name: a JSON Schema (2020-12) each. Those not listed are any text.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, Map<String, Value>>")]
    pub(super) parameters: Map<String, Value>,
    /// Statement parameters that the runtime fills in, invisible to the model, such as `tenant: caller.tenant`.
    #[serde(default)]
    pub(super) bind: BTreeMap<String, RawBinding>,
    pub(super) sql: RawSql,
}

fn default_mime_type() -> String {
    "application/json".into()
}

/// What the server tells about itself.
#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(rename = "Telemetry")]
pub(super) struct RawTelemetry {
    /// Where spans go: `console` prints them, `otlp` sends them to a collector. Default: nowhere.
    pub(super) traces: BTreeSet<RawTraceExporter>,
    /// The name of this service in traces (`service.name`).
    #[schemars(length(min = 1))]
    pub(super) service: String,
}

impl Default for RawTelemetry {
    fn default() -> Self {
        Self {
            traces: BTreeSet::new(),
            service: "tollgate".into(),
        }
    }
}

/// A destination of spans.
#[derive(Deserialize, Serialize, JsonSchema, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "TraceExporter")]
pub(super) enum RawTraceExporter {
    Console,
    Otlp,
}
