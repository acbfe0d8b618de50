//! The configuration says whose tokens count, with which algorithms, and which claims are the identity.

use aws_lc_rs::hmac::{HMAC_SHA384, HMAC_SHA512};
use rusqlite::Connection;
use serde_json::{Value, json};
use tempfile::TempDir;
use tollgate::testing::TestServer;

use crate::caller::{Answer, Caller};
use crate::declared::{SECRET, serve, token};
use crate::tokens::{hs256, signed};

/// Issuers and claims as given, and a tool that tells the caller's identity.
async fn server(auth: &str) -> (TestServer, TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let database = Connection::open(folder.path().join("empty.db")).expect("a database");
    database
        .execute_batch("CREATE TABLE t (a)")
        .expect("a table");
    let yaml = format!(
        r#"
auth:
{auth}
sources: {{empty: {{sqlite: ./empty.db, threads: 1}}}}
tools:
  whoami:
    description: Who calls.
    scopes: [customer:read, orders:search]
    bind: {{tenant: caller.tenant, subject: caller.subject}}
    sql: {{source: empty, statement: "SELECT :tenant AS tenant, :subject AS subject", result: one}}
"#
    );
    (serve(&yaml, folder.path()).await, folder)
}

const ONE_ISSUER: &str = r#"
  issuers:
    - {issuer: https://ci.example.com/, audiences: [https://tools.example.com/mcp], secret: "${SECRET}"}
"#;

async fn whoami(server: &TestServer, token: String) -> Answer {
    Caller::new(server.url(), token)
        .rest("whoami", json!({}))
        .await
}

#[tokio::test]
async fn scopes_come_as_a_string_or_as_a_list_under_any_of_three_names() {
    let (server, _folder) = server(ONE_ISSUER).await;
    for scopes in [
        json!({"scope": "customer:read orders:search"}),
        json!({"scope": " orders:search  customer:read "}),
        json!({"scopes": ["customer:read", "orders:search"]}),
        json!({"scp": ["orders:search", "customer:read", "other"]}),
        json!({"scp": "customer:read orders:search"}),
    ] {
        let mut claims = json!({"sub": "ada", "tenant": "acme"});
        let (name, value) = scopes.as_object().unwrap().iter().next().unwrap();
        claims[name] = value.clone();
        let answer = whoami(&server, token(claims)).await;
        let who = json!({"ok": true, "result": {"tenant": "acme", "subject": "ada"}});
        assert_eq!(answer.body, who, "{scopes}");
    }
    for few in [json!({}), json!({"scope": ""}), json!({"scp": []})] {
        let mut claims = json!({"sub": "ada", "tenant": "acme"});
        claims
            .as_object_mut()
            .unwrap()
            .extend(few.as_object().unwrap().clone());
        let answer = whoami(&server, token(claims)).await;
        assert_eq!(answer.status, 403, "{few}");
    }
}

#[tokio::test]
async fn identity_is_read_from_the_claims_that_the_configuration_names_and_no_other() {
    let auth =
        format!("{ONE_ISSUER}  claims: {{subject: user, tenant: org, scopes: [permissions]}}");
    let (server, _folder) = server(&auth).await;
    let scopes = json!(["customer:read", "orders:search"]);
    let named = json!({
        "user": "ada", "org": "acme", "permissions": scopes,
        "sub": "mallory", "tenant": "globex", "scope": "",
    });
    let answer = whoami(&server, token(named.clone())).await;
    assert_eq!(
        answer.body["result"],
        json!({"tenant": "acme", "subject": "ada"})
    );
    for (name, status) in [("user", 401), ("org", 401), ("permissions", 403)] {
        let mut claims = named.clone();
        claims.as_object_mut().unwrap().remove(name);
        claims["scopes"] = scopes.clone();
        assert_eq!(
            whoami(&server, token(claims)).await.status,
            status,
            "without {name}"
        );
    }
}

#[tokio::test]
async fn an_issuer_signs_with_its_own_secret_and_algorithms_only() {
    let other_secret = &"9vYc2LrQ5tKzE8mWb4HxN7uPj3Sd6AfG".repeat(2);
    let auth = format!(
        r#"{ONE_ISSUER}
    - issuer: https://other.example.com/
      audiences: [https://tools.example.com/mcp, https://tools.example.com/other]
      algorithms: [HS384, HS512]
      secret: {other_secret}
"#
    );
    let (server, _folder) = server(&auth).await;
    let claims = |issuer: &str| -> Value {
        json!({
            "iss": issuer, "aud": "https://tools.example.com/mcp", "exp": 2_000_003_600,
            "sub": "ada", "tenant": "acme", "scope": "customer:read orders:search",
        })
    };
    let (ci, other) = (
        claims("https://ci.example.com/"),
        claims("https://other.example.com/"),
    );
    let sign = |algorithm: &str, claims: &Value, secret: &str| {
        let header = json!({"alg": algorithm}).to_string();
        let hmac = if algorithm == "HS384" {
            HMAC_SHA384
        } else {
            HMAC_SHA512
        };
        signed(
            header.as_bytes(),
            claims.to_string().as_bytes(),
            hmac,
            secret,
        )
    };
    for (token, status) in [
        (hs256(&ci, SECRET), 200),
        (sign("HS384", &other, other_secret), 200),
        (sign("HS512", &other, other_secret), 200),
        (hs256(&other, other_secret), 401),
        (hs256(&other, SECRET), 401),
        (hs256(&ci, other_secret), 401),
        (sign("HS512", &ci, SECRET), 401),
    ] {
        assert_eq!(
            whoami(&server, token.clone()).await.status,
            status,
            "{token}"
        );
    }
    // Each issuer's audiences are its own.
    let mut elsewhere = other.clone();
    elsewhere["aud"] = json!("https://tools.example.com/other");
    assert_eq!(
        whoami(&server, sign("HS512", &elsewhere, other_secret))
            .await
            .status,
        200
    );
    let mut elsewhere = ci.clone();
    elsewhere["aud"] = json!("https://tools.example.com/other");
    assert_eq!(whoami(&server, hs256(&elsewhere, SECRET)).await.status, 401);
}

#[tokio::test]
async fn an_audience_without_a_path_may_have_its_root_slash_or_not() {
    for (ours, theirs, status) in [
        (
            "https://tools.example.com",
            "https://tools.example.com/",
            200,
        ),
        (
            "https://tools.example.com/",
            "https://tools.example.com",
            200,
        ),
        (
            "https://tools.example.com/mcp",
            "https://tools.example.com/mcp/",
            401,
        ),
        (
            "https://tools.example.com",
            "https://tools.example.com//",
            401,
        ),
    ] {
        let auth = ONE_ISSUER.replace("https://tools.example.com/mcp", ours);
        let (server, _folder) = server(&auth).await;
        let token = token(json!({
            "aud": theirs, "sub": "ada", "tenant": "acme",
            "scope": "customer:read orders:search",
        }));
        assert_eq!(
            whoami(&server, token).await.status,
            status,
            "{ours} and {theirs}"
        );
    }
}
