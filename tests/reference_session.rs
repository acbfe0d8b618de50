//! The promise of the first five minutes: `tollgate serve --dev` and a few requests, word for word.
//!
//! Each test runs the real binary on real data; the surfaces are REST and MCP over HTTP.

#[path = "support/binary.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod binary;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use binary::{Answer, Demo, FIND_ORDERS, GET_CUSTOMER, run};
use serde_json::{Value, json};

/// What a JWT says, without asking whether it is true.
fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).expect("three parts");
    let bytes = URL_SAFE_NO_PAD.decode(payload).expect("base64url");
    serde_json::from_slice(&bytes).expect("JSON")
}

#[track_caller]
fn is_problem(answer: &Answer, status: u16, detail: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.header("content-type"), "application/problem+json");
    let body = &answer.body;
    assert_eq!(
        (&body["status"], &body["detail"]),
        (&json!(status), &json!(detail))
    );
    for member in ["type", "title", "callId"] {
        assert!(
            body[member].as_str().is_some_and(|text| !text.is_empty()),
            "{member}: {body}"
        );
    }
    assert_eq!(answer.header("tollgate-call-id"), body["callId"]);
}

#[tokio::test]
async fn the_demo_hands_out_a_token_for_an_hour() {
    let demo = Demo::start();
    let answer = demo.server.get("/mint-demo-jwt").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body.as_object().expect("an object").len(), 1);
    let token = answer.body["token"].as_str().expect("a token");
    let claims = claims(token);
    assert_eq!(claims["sub"], "user-123");
    assert_eq!(claims["tenant"], "acme");
    assert_eq!(claims["scopes"], json!(["customer:read", "orders:search"]));
    let time = |name: &str| claims[name].as_u64().expect("seconds");
    assert_eq!(time("exp") - time("iat"), 3_600);
    let header = token.split('.').next().expect("three parts");
    let header: Value =
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).expect("base64url")).expect("JSON");
    assert_eq!(header["alg"], "HS256");
}

#[tokio::test]
async fn the_query_overrides_who_the_token_is_for() {
    let demo = Demo::start();
    let query = "?sub=ada&tenant=globex&scope=customer:read&scope=a:b";
    let claims = claims(&demo.server.mint(query).await);
    assert_eq!(claims["sub"], "ada");
    assert_eq!(claims["tenant"], "globex");
    assert_eq!(claims["scopes"], json!(["customer:read", "a:b"]));
    for bad in ["?tenant=", "?subject=ada", "?scope=a%20b", "?sub=%00"] {
        let answer = demo.server.get(&format!("/mint-demo-jwt{bad}")).await;
        assert_eq!(answer.status, 400, "{bad}");
    }
}

#[tokio::test]
async fn get_customer_answers_word_for_word() {
    let demo = Demo::start();
    let token = demo.server.mint("").await;
    let answer = demo.get_customer(&token).await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.body.to_string(),
        r#"{"ok":true,"result":{"id":"c-42","name":"Jane Doe","tier":"gold"}}"#
    );
}

#[tokio::test]
async fn find_orders_answers_with_a_list() {
    let demo = Demo::start();
    let token = demo.server.mint("").await;
    let query = json!({"query": "o-123"});
    let answer = demo.server.post(FIND_ORDERS, Some(&token), &query).await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.body,
        json!({"ok": true, "result": [{"order_id": "o-123", "status": "shipped"}]})
    );
}

#[tokio::test]
async fn a_token_without_the_scope_is_told_which_one_is_missing() {
    let demo = Demo::start();
    let token = demo.server.mint("?scope=orders:search").await;
    let answer = demo.get_customer(&token).await;
    is_problem(&answer, 403, "Missing scopes: ['customer:read']");
    let challenge = answer.header("www-authenticate");
    assert!(
        challenge.contains(r#"error="insufficient_scope""#),
        "{challenge}"
    );
    assert!(
        challenge.contains(r#"scope="customer:read""#),
        "{challenge}"
    );
    let none = demo.server.mint("?scope=").await;
    is_problem(
        &demo.get_customer(&none).await,
        403,
        "Missing scopes: ['customer:read']",
    );
}

#[tokio::test]
async fn seven_quick_calls_give_five_answers_and_two_refusals() {
    let demo = Demo::start();
    let token = demo.server.mint("").await;
    for left in (0..5).rev() {
        let answer = demo.get_customer(&token).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("ratelimit-policy"), r#""default";q=5;w=10"#);
        let limit = answer.header("ratelimit");
        assert!(
            limit.starts_with(&format!(r#""default";r={left};t="#)),
            "{limit}"
        );
    }
    for _ in 0..2 {
        let answer = demo.get_customer(&token).await;
        let detail = answer.body["detail"]
            .as_str()
            .expect("a sentence")
            .to_owned();
        assert!(
            detail.starts_with("Rate limit exceeded; retry in "),
            "{detail}"
        );
        is_problem(&answer, 429, &detail);
        let wait: u64 = answer.header("retry-after").parse().expect("seconds");
        assert!(
            (1..=2).contains(&wait),
            "one call every two seconds: {wait}"
        );
        assert_eq!(answer.header("ratelimit-policy"), r#""default";q=5;w=10"#);
        assert!(
            answer
                .header("ratelimit")
                .starts_with(r#""default";r=0;t="#)
        );
    }
    // Another tool, and another tenant, have buckets of their own; another user does not.
    let query = json!({"query": "o-123"});
    let orders = demo.server.post(FIND_ORDERS, Some(&token), &query).await;
    assert_eq!(orders.status, 200);
    assert_eq!(orders.header("ratelimit-policy"), r#""default";q=10;w=10"#);
    let globex = demo.server.mint("?tenant=globex").await;
    assert_eq!(demo.get_customer(&globex).await.status, 200);
    let colleague = demo.server.mint("?sub=colleague").await;
    assert_eq!(demo.get_customer(&colleague).await.status, 429);
}

#[tokio::test]
async fn without_a_good_token_nobody_is_served() {
    let demo = Demo::start();
    let arguments = json!({"customer_id": "c-42"});
    let missing = demo.server.post(GET_CUSTOMER, None, &arguments).await;
    let bad = demo.get_customer("not.a.token").await;
    for answer in [&missing, &bad] {
        is_problem(answer, 401, "A valid bearer token is required");
        let challenge = answer.header("www-authenticate");
        let metadata = format!(
            "{}/.well-known/oauth-protected-resource/mcp",
            demo.server.url
        );
        assert!(challenge.starts_with("Bearer "), "{challenge}");
        assert!(challenge.contains(&metadata), "{challenge}");
    }
    let is_told_invalid =
        |answer: &Answer| answer.header("www-authenticate").contains("invalid_token");
    assert!(!is_told_invalid(&missing) && is_told_invalid(&bad));
}

#[tokio::test]
async fn the_token_of_one_process_is_refused_by_another() {
    let (one, other) = (Demo::start(), Demo::start());
    let token = one.server.mint("").await;
    assert_eq!(one.get_customer(&token).await.status, 200);
    assert_eq!(other.get_customer(&token).await.status, 401);
}

#[tokio::test]
async fn an_unknown_tool_is_not_found() {
    let demo = Demo::start();
    let token = demo.server.mint("").await;
    let answer = demo
        .server
        .post("/mcp/tool/nope", Some(&token), &json!({}))
        .await;
    is_problem(&answer, 404, "Unknown tool");
}

#[tokio::test]
async fn arguments_that_break_the_schema_are_a_bad_request() {
    let demo = Demo::start();
    let token = demo.server.mint("").await;
    for arguments in [
        json!({}),
        json!({"customer_id": 42}),
        json!({"customer_id": "C 42"}),
    ] {
        let answer = demo
            .server
            .post(GET_CUSTOMER, Some(&token), &arguments)
            .await;
        let detail = answer.body["detail"]
            .as_str()
            .expect("a sentence")
            .to_owned();
        assert!(detail.contains("customer_id"), "{detail}");
        is_problem(&answer, 400, &detail);
    }
    let answer = demo
        .server
        .post(GET_CUSTOMER, Some(&token), &json!(["c-42"]))
        .await;
    is_problem(
        &answer,
        400,
        "The request body must be one JSON object with each key once",
    );
}

#[tokio::test]
async fn the_resource_reads_the_same_customer_under_the_same_rules() {
    let demo = Demo::start();
    let token = demo.server.mint("").await;
    let read = |answer: &Answer| -> Value {
        let text = answer.body["result"]["contents"][0]["text"].as_str();
        serde_json::from_str(text.unwrap_or_else(|| panic!("{answer:?}"))).expect("JSON")
    };
    let answer = demo.read_customer(&token, "c-42").await;
    assert_eq!(
        answer.body["result"]["contents"][0]["uri"],
        "customers://c-42"
    );
    assert_eq!(
        read(&answer),
        json!({"id": "c-42", "name": "Jane Doe", "tier": "gold"})
    );
    assert_eq!(answer.header("ratelimit-policy"), r#""default";q=5;w=10"#);

    // Scope.
    let weak = demo.server.mint("?scope=orders:search").await;
    let answer = demo.read_customer(&weak, "c-42").await;
    assert_eq!(
        (answer.status, &answer.body["error"]["code"]),
        (403, &json!(40301))
    );
    assert_eq!(
        answer.body["error"]["message"],
        "Missing scopes: ['customer:read']"
    );

    // Tenant: the same URI is another customer, and what only the other tenant has is not there.
    let globex = demo.server.mint("?tenant=globex").await;
    let answer = demo.read_customer(&globex, "c-42").await;
    assert_eq!(
        read(&answer),
        json!({"id": "c-42", "name": "Hiro Tanaka", "tier": "bronze"})
    );
    for id in ["c-7", "c-0", "C%2042"] {
        let answer = demo.read_customer(&globex, id).await;
        assert_eq!(
            answer.body["error"]["message"], "Resource not found",
            "{id}"
        );
    }

    // Quota: one read is spent already.
    for _ in 0..4 {
        assert!(demo.read_customer(&token, "c-42").await.body["error"].is_null());
    }
    let answer = demo.read_customer(&token, "c-42").await;
    assert_eq!(
        (answer.status, &answer.body["error"]["code"]),
        (200, &json!(42901))
    );
    assert!(answer.header("retry-after").parse::<u64>().is_ok());
    assert!(
        answer.body["error"]["data"]["retryAfterMs"]
            .as_u64()
            .is_some_and(|wait| wait <= 2_000)
    );
}

#[tokio::test]
async fn tenants_see_their_own_data_under_the_same_id() {
    let demo = Demo::start();
    let globex = demo.server.mint("?tenant=globex").await;
    let answer = demo.get_customer(&globex).await;
    assert_eq!(answer.body["result"]["name"], "Hiro Tanaka");
    let nobody = demo.server.mint("?tenant=initech").await;
    is_problem(&demo.get_customer(&nobody).await, 422, "not found");
}

#[test]
fn dev_mode_refuses_to_listen_where_others_can_reach_it() {
    let folder = tempfile::tempdir().expect("a folder");
    for address in ["0.0.0.0:0", "'[::]:0'", "192.0.2.1:0"] {
        let config = format!(
            "server: {{listen: {address}, behindProxy: true, publicUrl: https://tools.example.com}}\n"
        );
        std::fs::write(folder.path().join("tollgate.yaml"), config).expect("a file");
        let finished = run(folder.path(), &["serve", "--dev"]);
        assert_eq!(finished.code, Some(1), "{finished:?}");
        let reason = "is not a loopback address, and dev mode must not be reachable from elsewhere: listen on 127.0.0.1";
        assert!(finished.stderr.contains(reason), "{finished:?}");
        assert!(!finished.stderr.contains("listening"), "{finished:?}");
    }
}

#[test]
fn dev_mode_refuses_to_stand_behind_a_proxy() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = "server: {listen: '127.0.0.1:0', behindProxy: true, publicUrl: https://tools.example.com}\n";
    std::fs::write(folder.path().join("tollgate.yaml"), config).expect("a file");
    let finished = run(folder.path(), &["serve", "--dev"]);
    assert_eq!(finished.code, Some(1), "{finished:?}");
    let reason = "a proxy stands in front, and dev mode must not be reachable from elsewhere";
    assert!(finished.stderr.contains(reason), "{finished:?}");
    assert!(!finished.stderr.contains("listening"), "{finished:?}");
}
