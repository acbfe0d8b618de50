//! A scope stands for what the configuration says it includes: for lists and calls alike, whatever
//! the caller's credential is, and for nothing more.

#[path = "support/caller.rs"]
mod caller;
#[path = "support/declared.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod declared;
#[path = "support/tokens.rs"]
mod tokens;
#[path = "support/whoami.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod whoami;

use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tollgate::auth::NewApiKey;

use caller::Caller;
use declared::token;
use whoami::Whoami;

const AUTH: &str = r#"
  issuers:
    - {issuer: https://ci.example.com/, audiences: [https://tools.example.com/mcp], secret: "${SECRET}"}
  scopes:
    customer:admin: {includes: [customer:write]}
    customer:write: {includes: [customer:read, customer:list]}
"#;

fn with_scopes(scopes: Value) -> String {
    token(json!({"sub": "ada", "tenant": "acme", "scopes": scopes}))
}

#[tokio::test]
async fn a_scope_gives_what_it_includes_and_what_that_includes() {
    let whoami = Whoami::start(AUTH).await;
    for scope in ["customer:admin", "customer:write", "customer:read"] {
        Whoami::is(&whoami.ask(&with_scopes(json!([scope]))).await, "ada");
    }
}

#[tokio::test]
async fn nothing_includes_by_its_name_alone() {
    let whoami = Whoami::start(AUTH).await;
    for scope in [
        "customer",
        "customer:*",
        "*",
        "customer:admin:read",
        "Customer:Admin",
        "customer:list",
        "customer:adm",
        "customer:admin,customer:read",
    ] {
        let answer = whoami.ask(&with_scopes(json!([scope]))).await;
        assert_eq!(answer.status, 403, "{scope}");
        assert_eq!(answer.body["detail"], "Missing scopes: ['customer:read']");
    }
}

#[tokio::test]
async fn lists_show_what_included_scopes_allow() {
    let whoami = Whoami::start(AUTH).await;
    for (scope, tools) in [("customer:admin", 1), ("customer:list", 0)] {
        let caller = Caller::new(whoami.server.url(), with_scopes(json!([scope])));
        let list = caller.modern("tools/list", json!({})).await.body;
        let listed = list["result"]["tools"].as_array().expect("a list").len();
        assert_eq!(listed, tools, "{scope}");
        let call = json!({"name": "whoami", "arguments": {}});
        let called = caller.legacy("tools/call", call).await;
        assert_eq!(called.status, if tools == 1 { 200 } else { 403 }, "{scope}");
    }
}

#[tokio::test]
async fn an_api_key_holds_what_its_scopes_include() {
    let key = NewApiKey::random(None).expect("random bytes");
    let auth = format!(
        "{AUTH}  apiKeys:\n    - {{id: '{}', hash: '{}', tenant: acme, subject: ci, scopes: ['customer:admin'], expires: never}}",
        key.id, key.hash
    );
    let whoami = Whoami::start(&auth).await;
    Whoami::is(&whoami.ask(key.key.expose_secret()).await, "ci");
}

#[tokio::test]
async fn a_token_may_hold_512_scopes_whatever_they_include() {
    let whoami = Whoami::start(AUTH).await;
    let scopes = |count: usize| -> Value {
        let many = (1..count).map(|n| format!("x{n}"));
        many.chain(["customer:admin".to_owned()]).collect()
    };
    Whoami::is(&whoami.ask(&with_scopes(scopes(512))).await, "ada");
    Whoami::refused(&whoami.ask(&with_scopes(scopes(513))).await, "513 scopes");
}

#[test]
fn a_circle_is_refused_at_load() {
    let circle = AUTH.replace("customer:list]", "customer:admin]");
    let folder = whoami::folder();
    let faults = declared::configure(&whoami::yaml(&circle), folder.path());
    assert!(
        faults
            .err()
            .expect("faults")
            .ends_with("auth.scopes.\"customer:admin\".includes: the scope includes itself by way of customer:write; remove one of them")
    );
}
