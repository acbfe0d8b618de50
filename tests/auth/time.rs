//! When a token is good: times are numbers, and clocks may differ by 30 s.

use std::time::Duration;

use serde_json::json;

use crate::gate::Gate;

#[tokio::test]
async fn times_that_are_missing_or_no_numbers_are_refused() {
    let gate = Gate::open().await;
    let later = gate.now() + 600;
    gate.refuses("no exp", &gate.without_claim("exp")).await;
    for name in ["exp", "nbf", "iat"] {
        for bad in [
            json!(later.to_string()),
            json!([later]),
            json!({"at": later}),
            json!(null),
            json!(true),
            json!(-1),
            json!(-0.5),
        ] {
            gate.refuses(&format!("{name}: {bad}"), &gate.with_claim(name, bad))
                .await;
        }
    }
    let fraction = gate.with_claim("exp", json!(later as f64 + 0.5));
    assert!(
        gate.admits(&fraction).await,
        "a NumericDate may have a fraction"
    );
    let never = gate.with_claim("exp", json!(1e300));
    assert!(
        gate.admits(&never).await,
        "a date far off does not overflow"
    );
}

#[tokio::test]
async fn an_expired_token_is_good_for_less_than_thirty_more_seconds() {
    let gate = Gate::open().await;
    let now = gate.now();
    assert!(gate.admits(&gate.with_claim("exp", json!(now - 29))).await);
    for late in [30, 31, 3_600, now] {
        gate.refuses(
            &format!("expired {late} s ago"),
            &gate.with_claim("exp", json!(now - late)),
        )
        .await;
    }
}

#[tokio::test]
async fn a_token_from_the_future_is_refused_beyond_thirty_seconds() {
    let gate = Gate::open().await;
    for name in ["nbf", "iat"] {
        let now = gate.now();
        assert!(gate.admits(&gate.with_claim(name, json!(now + 29))).await);
        let early = gate.with_claim(name, json!(now + 31));
        gate.refuses(&format!("{name} in 31 s"), &early).await;
        gate.refuses(
            &format!("{name} at the end of time"),
            &gate.with_claim(name, json!(u64::MAX)),
        )
        .await;
        gate.server.clock().advance(Duration::from_secs(1));
        assert!(gate.admits(&early).await, "{name} came");
    }
}

#[tokio::test]
async fn a_token_that_was_used_a_thousand_times_stops_working_when_it_expires() {
    let gate = Gate::open().await;
    let token = gate.with_claim("exp", json!(gate.now() + 100));
    let caller = gate.caller(&token);
    for _ in 0..1_000 {
        assert_eq!(caller.rest("whoami", json!({})).await.status, 200);
    }
    gate.server.clock().advance(Duration::from_secs(129));
    assert!(gate.admits(&token).await, "29 s after it expired");
    gate.server.clock().advance(Duration::from_secs(2));
    gate.refuses("31 s after it expired", &token).await;
}
