//! The promise that the caller's identity comes from its verified credential and from nowhere else:
//! not from arguments, not from `_meta`, not from a claim of the wrong shape, not from dev mode's
//! conveniences when dev mode is off.

#[path = "support/binary.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod binary;

use binary::{Answer, GET_CUSTOMER, Server, run};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use tempfile::TempDir;

/// 2100-01-01: tokens of these tests do not expire by themselves.
const FAR: u64 = 4_102_444_800;

/// What `tollgate init` sets up, served without dev mode, and its secret.
struct Shop {
    server: Server,
    secret: String,
    _folder: TempDir,
}

impl Shop {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let init = run(folder.path(), &["init"]);
        assert_eq!(init.code, Some(0), "{init:?}");
        let secret = std::fs::read_to_string(folder.path().join("tollgate.secret"));
        Self {
            server: Server::start(folder.path(), &[]),
            secret: secret.expect("a secret").trim().to_owned(),
            _folder: folder,
        }
    }

    /// A token signed with the configured secret: good claims, changed by `change`.
    fn token(&self, change: impl FnOnce(&mut Value)) -> String {
        let mut claims = json!({
            "iss": "https://tollgate.localhost/",
            "aud": "http://127.0.0.1:8080/mcp",
            "exp": FAR,
            "sub": "ada",
            "tenant": "acme",
            "scopes": ["customer:read", "orders:search"],
        });
        change(&mut claims);
        let key = EncodingKey::from_secret(self.secret.as_bytes());
        encode(&Header::new(Algorithm::HS256), &claims, &key).expect("a token")
    }

    async fn get_customer(&self, token: &str, arguments: Value) -> Answer {
        self.server
            .post(GET_CUSTOMER, Some(token), &arguments)
            .await
    }
}

#[tokio::test]
async fn governance_names_in_arguments_are_refused() {
    let shop = Shop::start();
    let token = shop.token(|_| {});
    for (name, value) in [
        ("tenant", json!("globex")),
        ("tenant_id", json!("globex")),
        ("granted_scopes", json!(["admin"])),
        ("scopes", json!(["admin"])),
        ("sub", json!("root")),
        ("tool_name", json!("find_orders")),
    ] {
        let mut arguments = json!({"customer_id": "c-42"});
        arguments[name] = value.clone();
        // The calls must not use up the quota: each is made for a tenant of its own.
        let token = shop.token(|claims| claims["tenant"] = json!(format!("tenant-{name}")));
        let answer = shop.get_customer(&token, arguments).await;
        assert_eq!(answer.status, 400, "{name}: {answer:?}");
        let detail = answer.body["detail"].as_str().expect("a sentence");
        assert!(detail.contains(name), "{detail}");
    }
    let answer = shop
        .get_customer(&token, json!({"customer_id": "c-42"}))
        .await;
    assert_eq!(answer.body["result"]["name"], "Jane Doe");
}

#[tokio::test]
async fn governance_names_around_the_arguments_change_nothing() {
    let shop = Shop::start();
    let claimed = json!({
        "tenant": "globex", "tenant_id": "globex", "sub": "root", "scopes": ["customer:read"],
        "granted_scopes": ["customer:read"], "tool_name": "find_orders",
    });
    let mut params = json!({"name": "get_customer", "arguments": {"customer_id": "c-42"}});
    for (name, value) in claimed.as_object().expect("an object") {
        params[name] = value.clone();
    }
    params["_meta"] = claimed;
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});

    let token = shop.token(|_| {});
    let answer = shop.server.post("/mcp", Some(&token), &message).await;
    let structured = &answer.body["result"]["structuredContent"];
    assert_eq!(structured["name"], "Jane Doe", "acme's, not globex's");
    assert_eq!(
        answer.header("ratelimit"),
        r#""default";r=4;t=2"#,
        "get_customer's bucket"
    );
    // The same bucket, whatever the caller says.
    let answer = shop
        .get_customer(&token, json!({"customer_id": "c-42"}))
        .await;
    assert!(
        answer.header("ratelimit").starts_with(r#""default";r=3;"#),
        "{answer:?}"
    );

    let weak = shop.token(|claims| claims["scopes"] = json!([]));
    let answer = shop.server.post("/mcp", Some(&weak), &message).await;
    assert_eq!(
        (answer.status, &answer.body["error"]["code"]),
        (403, &json!(40301))
    );
}

#[tokio::test]
async fn no_tool_shows_a_governance_name_in_its_schema() {
    let shop = Shop::start();
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
    let answer = shop
        .server
        .post("/mcp", Some(&shop.token(|_| {})), &message)
        .await;
    let tools = answer.body["result"]["tools"].as_array().expect("a list");
    assert_eq!(tools.len(), 2);
    for tool in tools {
        let schema = tool["inputSchema"].to_string();
        for name in ["tenant", "scope", "sub\"", "principal"] {
            assert!(!schema.contains(name), "{name}: {schema}");
        }
    }
}

#[tokio::test]
async fn a_token_with_scopes_of_a_wrong_shape_is_no_token() {
    let shop = Shop::start();
    for scopes in [
        json!(null),
        json!({}),
        json!(true),
        json!(7),
        json!(["customer:read", 7]),
        json!([null]),
    ] {
        let token = shop.token(|claims| claims["scopes"] = scopes.clone());
        let answer = shop
            .get_customer(&token, json!({"customer_id": "c-42"}))
            .await;
        assert_eq!(answer.status, 401, "{scopes}: {answer:?}");
    }
    // No scopes at all is a good token that may do nothing.
    let token = shop.token(|claims| {
        claims.as_object_mut().expect("an object").remove("scopes");
    });
    let answer = shop
        .get_customer(&token, json!({"customer_id": "c-42"}))
        .await;
    assert_eq!(answer.status, 403);
}

#[tokio::test]
async fn a_token_without_issuer_audience_tenant_or_time_is_no_token() {
    let shop = Shop::start();
    for (name, value) in [
        ("iss", json!(null)),
        ("iss", json!("https://elsewhere.example/")),
        ("aud", json!(null)),
        ("aud", json!("http://127.0.0.1:8080/other")),
        ("tenant", json!(null)),
        ("tenant", json!("")),
        ("sub", json!(null)),
        ("exp", json!(null)),
        ("exp", json!(1)),
        ("exp", json!(FAR.to_string())),
        ("nbf", json!(FAR)),
    ] {
        let changed = shop.token(|claims| claims[name] = value.clone());
        let answer = shop
            .get_customer(&changed, json!({"customer_id": "c-42"}))
            .await;
        assert_eq!(answer.status, 401, "{name}: {value}: {answer:?}");
        assert_eq!(answer.body["detail"], "A valid bearer token is required");
        if value.is_null() {
            let absent = shop.token(|claims| {
                claims.as_object_mut().expect("an object").remove(name);
            });
            let answer = shop
                .get_customer(&absent, json!({"customer_id": "c-42"}))
                .await;
            assert_eq!(answer.status, 401, "{name} absent: {answer:?}");
        }
    }
    let good = shop.token(|_| {});
    let answer = shop
        .get_customer(&good, json!({"customer_id": "c-42"}))
        .await;
    assert_eq!(answer.status, 200, "and the server goes on");
}

#[tokio::test]
async fn a_token_signed_with_the_references_default_secret_is_no_token() {
    let shop = Shop::start();
    let good = shop.token(|_| {});
    let message = good.rsplit_once('.').expect("a signature").0;
    for secret in ["replace-me-in-prod", "changeme", "", "secret"] {
        let key = EncodingKey::from_secret(secret.as_bytes());
        let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256);
        let forged = format!("{message}.{}", signature.expect("a signature"));
        let answer = shop
            .get_customer(&forged, json!({"customer_id": "c-42"}))
            .await;
        assert_eq!(answer.status, 401, "{secret}");
    }
    let answer = shop
        .get_customer(&good, json!({"customer_id": "c-42"}))
        .await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn without_dev_mode_nobody_mints_tokens() {
    let shop = Shop::start();
    let answer = shop.server.get("/mint-demo-jwt").await;
    assert_eq!(answer.status, 404);
    assert_eq!(answer.body["detail"], "There is nothing at this path");
    let said = shop.server.process.stderr.so_far().join("\n");
    assert!(!said.contains("DEV MODE"), "{said}");
}
