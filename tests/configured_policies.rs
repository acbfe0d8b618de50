//! The file drives what happens: policies written in YAML, asked over HTTP. What each policy means in
//! every case is told by the tests of access, quotas, keys and the edge; here it comes from the file.

#[path = "support/caller.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod caller;
#[path = "support/declared.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod declared;
#[path = "support/spans.rs"]
mod spans;
#[path = "support/tls.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod tls;
#[path = "support/tokens.rs"]
mod tokens;
#[path = "support/whoami.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod whoami;

use std::path::Path;

use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tempfile::TempDir;
use tollgate::Clock;
use tollgate::auth::NewApiKey;
use tollgate::testing::TestServer;

use caller::{Answer, Caller};
use declared::configure;
use spans::{Spans, attribute, watched};

const ISSUERS: &str = r#"
  issuers:
    - {issuer: "https://ci.example.com/", audiences: ["https://tools.example.com/mcp"], secret: "${SECRET}"}
"#;

/// A file with these further lines under `auth`, whose tool and resource `orders` have these policies.
fn file(auth: &str, tool: &str, resource: &str, further: &str) -> String {
    let indented = |policy: &str| -> String {
        let lines = policy.lines();
        lines.map(|line| format!("    {line}\n")).collect()
    };
    format!(
        r#"
auth:{ISSUERS}{auth}
sources: {{empty: {{sqlite: ./empty.db, threads: 1}}}}
tools:
  orders:
    description: Orders.
    parameters: {{limit: {{type: integer, default: 10}}}}
    sql: {{source: empty, statement: "SELECT :limit AS most", result: one}}
{tool}
resources:
  "orders://{{id}}":
    name: order
    sql: {{source: empty, statement: "SELECT :id AS id", result: one}}
{resource}
{further}
"#,
        tool = indented(tool),
        resource = indented(resource),
    )
}

/// A server from a file; its spans; and the folder that it reads.
struct Served {
    server: TestServer,
    spans: Spans,
    _folder: TempDir,
}

impl Served {
    async fn start(yaml: &str) -> Self {
        let folder = whoami::folder();
        let (tracing, spans) = watched();
        let builder = configure(yaml, folder.path()).expect("a good configuration");
        let server = TestServer::start(|_| builder.tracing(tracing).clock(Clock::turned())).await;
        Self {
            server,
            spans,
            _folder: folder,
        }
    }

    /// Somebody with a token of the issuer in the file.
    fn caller(&self, tenant: &str, subject: &str, scopes: &[&str]) -> Caller {
        let identity = json!({"tenant": tenant, "sub": subject, "scope": scopes.join(" ")});
        Caller::new(self.server.url(), declared::token(identity))
    }
}

/// Status, and what was told besides.
fn told(answer: &Answer) -> (u16, &str) {
    let detail = answer.body["detail"].as_str();
    (answer.status, detail.unwrap_or_default())
}

/// The tools, or the templates of resources, that somebody sees.
async fn listed(caller: &Caller, method: &str, member: &str) -> usize {
    let list = caller.modern(method, json!({})).await.body;
    list["result"][member].as_array().expect("a list").len()
}

async fn read(caller: &Caller) -> Value {
    let answer = caller.modern("resources/read", json!({"uri": "orders://7"}));
    let error = answer.await.body["error"].take();
    error["message"].clone()
}

#[tokio::test]
async fn scopes_in_the_file_are_demanded_all_of_some_and_one_of_others() {
    let scopes = r#"scopes: {allOf: ["orders:read"], anyOf: ["region:eu", "region:us"]}"#;
    let served = Served::start(&file("", scopes, "scopes: [a, b]", "")).await;
    let ask = async |scopes: &[&str]| {
        let caller = served.caller("acme", "ada", scopes);
        let answer = caller.rest("orders", json!({})).await;
        let seen = listed(&caller, "tools/list", "tools").await;
        assert_eq!(seen, usize::from(answer.status == 200), "{scopes:?}");
        let (status, detail) = told(&answer);
        (status, detail.to_owned())
    };
    assert_eq!(ask(&["orders:read", "region:us"]).await.0, 200);
    assert_eq!(
        ask(&["region:eu"]).await,
        (403, "Missing scopes: ['orders:read']".to_owned())
    );
    assert_eq!(
        ask(&["orders:read"]).await,
        (
            403,
            "Missing one of the scopes: ['region:eu', 'region:us']".to_owned()
        )
    );
    assert_eq!(
        read(&served.caller("acme", "ada", &["a", "b"])).await,
        Value::Null
    );
    let refused = read(&served.caller("acme", "ada", &["a"])).await;
    assert_eq!(refused, "Missing scopes: ['b']");
}

#[tokio::test]
async fn rules_in_the_file_refuse_with_their_reasons() {
    let tool = r#"scopes: ["orders:read"]
rules:
  - deny: 'args.limit > 100 && !("orders:bulk" in caller.scopes)'
    because: More than 100 need orders:bulk
  - {allowOnlyIf: 'caller.tenant != "initech"'}"#;
    let resource = r#"anyAuthenticated: true
rules: [{deny: 'args.id == "7"', because: Not the seventh}]"#;
    let served = Served::start(&file("", tool, resource, "")).await;
    let ada = served.caller("acme", "ada", &["orders:read"]);
    let bulk = served.caller("acme", "ada", &["orders:read", "orders:bulk"]);
    let out = served.caller("initech", "ada", &["orders:read", "orders:bulk"]);
    // The default of `limit` is 10.
    assert_eq!(ada.rest("orders", json!({})).await.status, 200);
    let refused = ada.rest("orders", json!({"limit": 101})).await;
    assert_eq!(told(&refused), (403, "More than 100 need orders:bulk"));
    assert_eq!(bulk.rest("orders", json!({"limit": 101})).await.status, 200);
    let refused = out.rest("orders", json!({})).await;
    assert_eq!(told(&refused), (403, "Not allowed by policy"));
    assert_eq!(listed(&out, "tools/list", "tools").await, 0);
    assert_eq!(read(&ada).await, "Not the seventh");
}

#[tokio::test]
async fn a_tenant_in_the_file_has_its_own_scopes_rules_quota_and_tools() {
    let tool = r#"scopes: ["orders:read"]
rateLimit: 1/1h
rules: [{deny: 'args.limit > 100', because: At most 100}]"#;
    let tenants = r#"
tenants:
  acme: {tools: {orders: {rules: [], rateLimit: 3/1h}}}
  globex: {tools: {orders: {scopes: ["orders:globex"]}}, resources: {"orders://{id}": {enabled: true}}}
  initech: {tools: {orders: {enabled: false}}}
"#;
    let resource = "anyAuthenticated: true\nenabled: false";
    let served = Served::start(&file("", tool, resource, tenants)).await;
    let caller = |tenant| served.caller(tenant, "ada", &["orders:read"]);
    let (acme, globex, initech, other) = (
        caller("acme"),
        caller("globex"),
        caller("initech"),
        caller("hooli"),
    );
    let many = json!({"limit": 101});

    let answer = acme.rest("orders", many.clone()).await;
    assert_eq!(answer.status, 200, "its rules were taken away: {answer:?}");
    assert_eq!(answer.header("ratelimit-policy"), r#""default";q=3;w=3600"#);
    let answer = other.rest("orders", many.clone()).await;
    assert_eq!(told(&answer), (403, "At most 100"));
    assert_eq!(answer.header("ratelimit-policy"), r#""default";q=1;w=3600"#);
    assert_eq!(other.rest("orders", json!({})).await.status, 429);

    let answer = globex.rest("orders", json!({})).await;
    assert_eq!(told(&answer), (403, "Missing scopes: ['orders:globex']"));
    let entitled = served.caller("globex", "ada", &["orders:globex"]);
    let answer = entitled.rest("orders", many).await;
    assert_eq!(told(&answer), (403, "At most 100"), "the other keys stay");

    let answer = initech.rest("orders", json!({})).await;
    assert_eq!(told(&answer), (404, "Unknown tool"));
    assert_eq!(listed(&initech, "tools/list", "tools").await, 0);
    let templates = "resources/templates/list";
    assert_eq!(listed(&globex, templates, "resourceTemplates").await, 1);
    assert_eq!(read(&globex).await, Value::Null);
    assert_eq!(listed(&acme, templates, "resourceTemplates").await, 0);
    assert_eq!(read(&acme).await, "Resource not found");
}

#[tokio::test]
async fn what_the_file_has_in_shadow_mode_refuses_nobody_and_is_recorded() {
    let tool = r#"scopes: {allOf: ["orders:read"], mode: shadow}
anyAuthenticated: true
rateLimit: {limit: 1/1h, mode: shadow}
rules: [{deny: 'args.limit > 100', mode: shadow}]"#;
    let tenants = "tenants: {globex: {tools: {orders: {rules: [{deny: 'args.limit > 100'}]}}}}";
    let mut served = Served::start(&file("", tool, "scopes: [a]", tenants)).await;
    let nobody = served.caller("acme", "ada", &[]);
    for would_deny in ["scopes,rules[0]", "scopes,rateLimit,rules[0]"] {
        let answer = nobody.rest("orders", json!({"limit": 101})).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.header("ratelimit-policy"), "");
        let span = served.spans.next_request().await;
        assert_eq!(attribute(&span, "tollgate.would_deny"), would_deny);
    }
    // Enforced for one tenant already.
    let globex = served.caller("globex", "ada", &[]);
    assert_eq!(
        globex.rest("orders", json!({"limit": 101})).await.status,
        403
    );
}

#[tokio::test]
async fn an_api_key_in_the_file_is_governed_as_its_tenant_with_what_its_scopes_include() {
    let [admin, weak] =
        ["admin", "weak"].map(|id| NewApiKey::random(Some(id.to_owned())).expect("random bytes"));
    let entry = |key: &NewApiKey, scope: &str| {
        let (id, hash) = (&key.id, &key.hash);
        format!(
            "    - {{id: {id}, hash: '{hash}', tenant: acme, subject: {id}, scopes: ['{scope}'], expires: never}}\n"
        )
    };
    let auth = format!(
        "  scopes: {{'orders:admin': {{includes: ['orders:read', 'region:eu']}}}}\n  apiKeys:\n{}{}",
        entry(&admin, "orders:admin"),
        entry(&weak, "orders:read"),
    );
    let tool = r#"scopes: {allOf: ["orders:read"], anyOf: ["region:eu"]}
rules: [{deny: 'caller.subject == "admin" && args.limit > 100'}]"#;
    let tenants = "tenants: {acme: {tools: {orders: {rateLimit: 7/1h}}}}";
    let served = Served::start(&file(&auth, tool, "scopes: [a]", tenants)).await;
    let with = |key: &NewApiKey| Caller::new(served.server.url(), key.key.expose_secret());

    let answer = with(&admin).rest("orders", json!({})).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("ratelimit-policy"), r#""default";q=7;w=3600"#);
    let answer = with(&admin).rest("orders", json!({"limit": 101})).await;
    assert_eq!(told(&answer), (403, "Not allowed by policy"));
    let answer = with(&weak).rest("orders", json!({})).await;
    assert_eq!(
        told(&answer),
        (403, "Missing one of the scopes: ['region:eu']")
    );
    let token = served.caller("acme", "ada", &["orders:admin"]);
    assert_eq!(token.rest("orders", json!({})).await.status, 200);
}

#[tokio::test]
async fn behind_a_trusted_proxy_failures_are_counted_for_the_caller_that_it_names() {
    let auth = "  failureLimit: 1/1h\n";
    let server = "server: {behindProxy: true, trustedProxies: [127.0.0.1]}";
    let served = Served::start(&file(auth, "scopes: [a]", "scopes: [a]", server)).await;
    let url = format!("{}/mcp/tool/orders", served.server.url());
    let fail = async |address: &str| {
        let request = reqwest::Client::new().post(&url).bearer_auth("a.b.c");
        let request = request.header("X-Forwarded-For", address).json(&json!({}));
        request.send().await.expect("an answer").status().as_u16()
    };
    assert_eq!(fail("192.0.2.1").await, 401);
    assert_eq!(fail("192.0.2.1").await, 429);
    assert_eq!(fail("192.0.2.66, 192.0.2.2").await, 401);
}

/// The faults of a file, without its folder.
fn faults(yaml: &str, folder: &Path) -> String {
    let faults = configure(yaml, folder).err().unwrap_or_default();
    faults.replace(&format!("{}/", folder.display()), "")
}

#[test]
fn a_listener_that_would_carry_tokens_in_the_clear_or_believe_strangers_is_a_fault() {
    let folder = whoami::folder();
    let public = "publicUrl: 'https://tools.example.com'";
    for (server, fault) in [
        (
            format!("listen: '0.0.0.0:8443', {public}"),
            "server.listen: an address other than loopback would carry tokens in the clear: set `tls`, or put a proxy that ends TLS in front and set `behindProxy: true`, or listen on 127.0.0.1",
        ),
        (
            "listen: '0.0.0.0:8443', behindProxy: true".to_owned(),
            "server.listen: set `publicUrl` as well: clients are told the URL they know, not this address",
        ),
        (
            "trustedProxies: [127.0.0.1]".to_owned(),
            "server.trustedProxies: has no effect without `behindProxy: true`: set it, or remove the list",
        ),
        (
            "behindProxy: true, trustedProxies: [proxy.internal]".to_owned(),
            "server.trustedProxies[0]: must be an IP address or a network, such as 10.0.0.0/8 or ::1",
        ),
        (
            "tls: {certificate: ./tls.crt}".to_owned(),
            "server.tls: the key `key` is missing: Path of the private key in PEM",
        ),
        (
            "tls: {certificate: ./none.crt, key: ./none.key}".to_owned(),
            "server.tls: the certificate file cannot be read: No such file or directory (os error 2)",
        ),
    ] {
        let found = faults(&format!("server: {{{server}}}\n"), folder.path());
        assert_eq!(found, format!("tollgate.yaml:1: {fault}"), "{server}");
    }
    tls::Certificate::new().write(folder.path());
    for server in [
        format!(
            "listen: '0.0.0.0:8443', {public}, tls: {{certificate: ./tls.crt, key: ./tls.key}}"
        ),
        format!(
            "listen: '0.0.0.0:8443', {public}, behindProxy: true, trustedProxies: ['10.0.0.0/8']"
        ),
    ] {
        let found = faults(&format!("server: {{{server}}}\n"), folder.path());
        assert_eq!(found, "", "{server}");
    }
}
