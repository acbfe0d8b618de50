//! Only a good token is an identity: whatever else is sent is refused, each time with the same
//! words, and the next good call is served.

#[path = "support/caller.rs"]
mod caller;
#[path = "support/declared.rs"]
mod declared;
#[path = "auth/gate.rs"]
mod gate;
#[path = "support/log.rs"]
mod log;
#[path = "auth/mapping.rs"]
mod mapping;
#[path = "auth/time.rs"]
mod time;
#[path = "support/tokens.rs"]
mod tokens;

use aws_lc_rs::hmac::{HMAC_SHA256, HMAC_SHA384, HMAC_SHA512};
use serde_json::{Value, json};

use gate::Gate;
use tokens::{hs256, signed};

#[tokio::test]
async fn a_header_that_names_another_algorithm_is_refused() {
    let gate = Gate::open().await;
    let payload = gate.claims().to_string();
    for algorithm in [
        json!("none"),
        json!("None"),
        json!("nOnE"),
        json!(""),
        json!("hs256"),
        json!("HS256 "),
        json!("RS256"),
        json!("ES256"),
        json!("EdDSA"),
        json!(null),
        json!(["HS256"]),
        json!(256),
    ] {
        let header = json!({"alg": algorithm, "typ": "JWT"}).to_string();
        let token = signed(
            header.as_bytes(),
            payload.as_bytes(),
            HMAC_SHA256,
            gate.secret(),
        );
        gate.refuses(&format!("alg {algorithm}"), &token).await;
        let (message, _) = token.rsplit_once('.').unwrap();
        gate.refuses(
            &format!("alg {algorithm}, unsigned"),
            &format!("{message}."),
        )
        .await;
    }
    for (name, algorithm) in [("HS384", HMAC_SHA384), ("HS512", HMAC_SHA512)] {
        let header = json!({"alg": name}).to_string();
        let token = signed(
            header.as_bytes(),
            payload.as_bytes(),
            algorithm,
            gate.secret(),
        );
        gate.refuses(&format!("{name} where only HS256 is allowed"), &token)
            .await;
    }
    let no_algorithm = signed(b"{}", payload.as_bytes(), HMAC_SHA256, gate.secret());
    gate.refuses("no alg", &no_algorithm).await;
}

#[tokio::test]
async fn a_header_that_points_to_keys_is_refused_and_never_followed() {
    let gate = Gate::open().await;
    let keys = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    keys.set_nonblocking(true).unwrap();
    let url = format!("http://{}/keys", keys.local_addr().unwrap());
    for (name, value) in [
        ("crit", json!(["exp"])),
        ("crit", json!([])),
        ("b64", json!(false)),
        ("b64", json!(true)),
        ("jku", json!(url)),
        ("x5u", json!(url)),
        ("jwk", json!({"kty": "oct", "k": "AAAA"})),
        ("x5c", json!(["AAAA"])),
    ] {
        let header = json!({"alg": "HS256", "typ": "JWT", name: value}).to_string();
        gate.refuses(&format!("{name}: {value}"), &gate.with_header(&header))
            .await;
    }
    let visited = keys.accept().map(|_| ()).unwrap_err();
    assert_eq!(visited.kind(), std::io::ErrorKind::WouldBlock);
}

#[tokio::test]
async fn a_token_of_another_kind_is_refused() {
    let gate = Gate::open().await;
    for typ in [
        json!("JWE"),
        json!("id+jwt"),
        json!("dpop+jwt"),
        json!("logout+jwt"),
        json!(""),
        json!(null),
        json!(1),
        json!(["JWT"]),
    ] {
        let header = json!({"alg": "HS256", "typ": typ}).to_string();
        gate.refuses(&format!("typ {typ}"), &gate.with_header(&header))
            .await;
    }
    for header in [
        r#"{"alg":"HS256"}"#,
        r#"{"typ":"jwt","alg":"HS256"}"#,
        r#"{"typ":"at+jwt","alg":"HS256"}"#,
        r#"{"typ":"application/at+JWT","alg":"HS256","kid":"any"}"#,
    ] {
        assert!(gate.admits(&gate.with_header(header)).await, "{header}");
    }
}

#[tokio::test]
async fn an_issuer_or_audience_that_is_not_ours_is_refused() {
    let gate = Gate::open().await;
    for (name, bad) in [
        ("iss", json!("https://elsewhere.test/")),
        ("iss", json!("https://issuer.test")),
        ("iss", json!("HTTPS://ISSUER.TEST/")),
        ("iss", json!(["https://issuer.test/"])),
        ("iss", json!(null)),
        ("aud", json!("https://tools.test/")),
        ("aud", json!("https://tools.test/mcp/")),
        ("aud", json!("https://tools.test/MCP")),
        ("aud", json!(["https://elsewhere.test/mcp"])),
        ("aud", json!(["https://tools.test/mcp", 1])),
        ("aud", json!([["https://tools.test/mcp"]])),
        ("aud", json!([])),
        ("aud", json!("")),
        ("aud", json!(null)),
        ("aud", json!({"https://tools.test/mcp": true})),
    ] {
        gate.refuses(&format!("{name}: {bad}"), &gate.with_claim(name, bad))
            .await;
    }
    for name in ["iss", "aud"] {
        gate.refuses(&format!("no {name}"), &gate.without_claim(name))
            .await;
    }
    let one_of_two = json!(["https://elsewhere.test/", "https://tools.test/mcp"]);
    assert!(gate.admits(&gate.with_claim("aud", one_of_two)).await);
}

#[tokio::test]
async fn an_identity_of_the_wrong_shape_is_refused_and_never_guessed() {
    let gate = Gate::open().await;
    let mut bad = vec![
        json!(null),
        json!(""),
        json!(7),
        json!(["acme"]),
        json!({"name": "acme"}),
        json!(true),
        json!("x".repeat(300)),
        json!("a\nb"),
        json!("a\u{0}"),
        json!("\u{1b}[31macme"),
    ];
    for name in ["sub", "tenant"] {
        for value in &bad {
            let token = gate.with_claim(name, value.clone());
            gate.refuses(&format!("{name}: {value}"), &token).await;
        }
        gate.refuses(&format!("no {name}"), &gate.without_claim(name))
            .await;
    }
    // An empty string is a list of no scopes; the rest is no list of scopes at all.
    bad.retain(|value| value != "" && value != &json!(["acme"]));
    bad.extend([
        json!(["echo", 1]),
        json!(["echo", null]),
        json!([["echo"]]),
        json!(["echo admin"]),
        json!([""]),
        json!("e\"cho"),
        json!("é"),
    ]);
    bad.retain(|value| value != &json!("x".repeat(300)));
    for name in ["scope", "scopes", "scp"] {
        for value in &bad {
            let mut claims = gate.claims();
            claims.as_object_mut().unwrap().remove("scopes");
            claims[name] = value.clone();
            gate.refuses(&format!("{name}: {value}"), &hs256(&claims, gate.secret()))
                .await;
        }
    }
}

#[tokio::test]
async fn a_claim_or_header_member_that_stands_twice_is_refused() {
    let gate = Gate::open().await;
    let claims = gate.claims().to_string();
    for twice in [
        r#""tenant":"acme","tenant":"globex""#,
        r#""tenant":"globex","te\u006eant":"acme""#,
        r#""exp":1,"exp":9000000000"#,
        r#""other":{"a":1,"a":2}"#,
    ] {
        let payload = format!("{{{twice},{}", &claims[1..]);
        gate.refuses(twice, &gate.with_payload(payload.as_bytes()))
            .await;
    }
    for header in [
        r#"{"alg":"HS256","alg":"HS256"}"#,
        r#"{"alg":"none","alg":"HS256"}"#,
        r#"{"alg":"HS256","typ":"JWT","t\u0079p":"JWT"}"#,
    ] {
        gate.refuses(header, &gate.with_header(header)).await;
    }
}

#[tokio::test]
async fn a_payload_that_is_no_json_object_is_refused() {
    let gate = Gate::open().await;
    let depth_bomb = format!("{{\"a\":{}", "[".repeat(3_000));
    let closed_bomb = format!("{{\"a\":{}{}}}", "[".repeat(1_500), "]".repeat(1_500));
    let half = gate.claims().to_string();
    for payload in [
        &b""[..],
        b"null",
        b"[]",
        b"\"text\"",
        b"{",
        b"{}",
        b"{\"sub\":\"\xff\xfe\"}",
        b"\xef\xbb\xbf{}",
        depth_bomb.as_bytes(),
        closed_bomb.as_bytes(),
        &half.as_bytes()[..half.len() - 1],
    ] {
        let name = String::from_utf8_lossy(&payload[..payload.len().min(20)]);
        gate.refuses(&name, &gate.with_payload(payload)).await;
    }
    let header_of_text = signed(b"HS256", half.as_bytes(), HMAC_SHA256, gate.secret());
    gate.refuses("a header that is no object", &header_of_text)
        .await;
}

#[tokio::test]
async fn a_text_that_is_no_compact_jwt_is_refused() {
    let gate = Gate::open().await;
    let good = gate.good_token();
    let (message, signature) = good.rsplit_once('.').unwrap();
    let (header, payload) = message.split_once('.').unwrap();
    let other_payload = gate.with_claim("tenant", json!("globex"));
    let other_payload = other_payload.split('.').nth(1).unwrap();
    for (name, token) in [
        ("nothing", String::new()),
        ("a word", "token".into()),
        ("two parts", message.into()),
        ("four parts", format!("{good}.{signature}")),
        ("five parts, as a JWE", format!("{good}.a.b")),
        ("empty parts", "..".into()),
        ("empty header", format!(".{payload}.{signature}")),
        ("empty payload", format!("{header}..{signature}")),
        ("empty signature", format!("{message}.")),
        (
            "a short signature",
            format!("{message}.{}", &signature[4..]),
        ),
        ("a long signature", format!("{good}AAAA")),
        (
            "a padded payload",
            format!("{header}.{payload}=.{signature}"),
        ),
        ("a padded signature", format!("{good}=")),
        (
            "a signature of '+'",
            format!("{message}.+{}", &signature[1..]),
        ),
        (
            "white space inside",
            format!("{header}. {payload}.{signature}"),
        ),
        ("a tab inside", format!("{header}.\t{payload}.{signature}")),
        ("two tokens", format!("{good} {good}")),
        (
            "another payload",
            format!("{header}.{other_payload}.{signature}"),
        ),
        (
            "another secret",
            hs256(&gate.claims(), "another-secret-of-at-least-32-bytes"),
        ),
        ("no secret", hs256(&gate.claims(), "")),
    ] {
        gate.refuses(name, &token).await;
    }
}

#[tokio::test]
async fn a_token_has_at_most_8_kib() {
    let gate = Gate::open().await;
    let padded = |bytes: usize| gate.with_claim("padding", Value::from("x".repeat(bytes)));
    let longest = (0..8_192)
        .rev()
        .map(padded)
        .find(|token| token.len() <= 8 * 1024)
        .unwrap();
    assert!(longest.len() > 8 * 1024 - 4);
    assert!(gate.admits(&longest).await);
    let too_long = (0..8_192)
        .map(padded)
        .find(|token| token.len() > 8 * 1024)
        .unwrap();
    gate.refuses("8 KiB and a bit", &too_long).await;
}
