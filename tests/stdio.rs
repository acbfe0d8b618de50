//! The promise of stdio: one JSON message a line, both eras on one process, governed like HTTP, and
//! nothing that a client sends ends the process or the next good call.

#[path = "support/binary.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod binary;
#[path = "support/session.rs"]
mod session;
#[path = "support/slow.rs"]
mod slow;

use std::io::Write;

use serde_json::{Value, json};
use session::{Session, call, legacy, modern, names};

#[test]
fn both_eras_speak_on_one_process() {
    let mut session = Session::demo();
    let jane = json!({"id": "c-42", "name": "Jane Doe", "tier": "gold"});
    let customer = json!({"name": "get_customer", "arguments": {"customer_id": "c-42"}});
    let uri = json!({"uri": "customers://c-42"});

    let hello = session.ask(&legacy(
        1,
        "initialize",
        json!({"protocolVersion": "2025-11-25"}),
    ));
    assert_eq!(hello["result"]["protocolVersion"], "2025-11-25");
    let discovered = session.ask(&modern("d", "server/discover", json!({})));
    assert_eq!(
        discovered["result"]["supportedVersions"],
        json!(["2026-07-28"])
    );
    session.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));

    for (method, params) in [
        ("tools/list", json!({})),
        ("tools/call", customer),
        ("resources/read", uri),
    ] {
        let old = session.ask(&legacy(format!("old {method}"), method, params.clone()));
        let new = session.ask(&modern(format!("new {method}"), method, params));
        assert!(old["result"]["resultType"].is_null(), "{old}");
        assert_eq!(new["result"]["resultType"], "complete");
        for answer in [old, new] {
            let result = &answer["result"];
            match method {
                "tools/list" => assert_eq!(names(&answer), ["find_orders", "get_customer"]),
                "tools/call" => assert_eq!(result["structuredContent"], jane),
                _ => {
                    let text = result["contents"][0]["text"].as_str().expect("a text");
                    assert_eq!(serde_json::from_str::<Value>(text).expect("JSON"), jane);
                }
            }
        }
    }
    assert_eq!(
        session.ask(&legacy(9, "ping", json!({})))["result"],
        json!({})
    );
    // One answer each, and none for the notification.
    assert_eq!(session.close().len(), 9);
}

#[test]
fn no_line_ends_the_process_or_the_next_good_call() {
    let mut session = Session::slow("maxBodyBytes: 4096");
    let long = format!(
        r#"{{"jsonrpc":"2.0","id":0,"method":"ping","x":"{}"}}"#,
        "x".repeat(1 << 20)
    );
    let deep = format!(
        r#"{{"jsonrpc":"2.0","id":0,"method":"ping","params":{}"#,
        "[".repeat(3_000)
    );
    let bad: [(&[u8], Option<i32>); 22] = [
        // Before anything else: SDKs have died of this.
        (br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#, None),
        (b"junk", Some(-32700)),
        (b"", None),
        (b" \t \r", None),
        (b"\0\0", Some(-32700)),
        (b"\xff\xfe{}", Some(-32700)),
        (b"{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"ping\xff\"}", Some(-32700)),
        (b"\xef\xbb\xbf{}", Some(-32700)),
        (br#"{"jsonrpc":"2.0","id":0,"method":"ping""#, Some(-32700)),
        (b"null", Some(-32600)),
        (b"{}", Some(-32600)),
        (b"[]", Some(-32600)),
        (br#"[{"jsonrpc":"2.0","id":0,"method":"ping"}]"#, Some(-32600)),
        (br#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, Some(-32600)),
        (br#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#, Some(-32600)),
        (br#"{"jsonrpc":"2.0","method":"ping","method":"ping"}"#, Some(-32600)),
        (br#"{"jsonrpc":"2.0","id":77,"result":{}}"#, None),
        (br#"{"jsonrpc":"2.0","id":78,"error":{"code":1,"message":"no"}}"#, None),
        (br#"{"jsonrpc":"2.0","method":"notifications/unheard-of","params":[1]}"#, None),
        (br#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"nobody"}}"#, None),
        (long.as_bytes(), Some(-32600)),
        (deep.as_bytes(), Some(-32700)),
    ];
    let mut expected = Vec::new();
    for (index, (line, code)) in bad.into_iter().enumerate() {
        session.send_bytes(line);
        let id = format!("good {index}");
        let good = session.ask(&call(id.as_str(), "hello", json!({})));
        assert_eq!(
            good["result"]["structuredContent"]["text"], "hello",
            "after line {index}"
        );
        expected.extend(code.map(|code| json!(code)));
        expected.push(json!(id));
    }
    // Only what asks for an answer gets one, in its place.
    let said: Vec<Value> = session
        .close()
        .into_iter()
        .map(|answer| {
            if answer["error"].is_null() {
                answer["id"].clone()
            } else {
                answer["error"]["code"].clone()
            }
        })
        .collect();
    assert_eq!(said, expected);
}

#[test]
fn lines_may_end_as_windows_ends_them_and_the_last_one_not_at_all() {
    let mut session = Session::slow("");
    session.send_bytes(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\r");
    let input = session.process.input.as_mut().expect("still open");
    input
        .write_all(br#"{"jsonrpc":"2.0","id":2,"method":"ping"}"#)
        .expect("the process reads");
    let answers = session.close();
    assert_eq!(
        answers
            .iter()
            .map(|answer| &answer["id"])
            .collect::<Vec<_>>(),
        [1, 2]
    );
}

#[test]
fn stdio_is_governed_like_http() {
    let mut session = Session::demo();
    let customer = json!({"customer_id": "c-42"});
    for id in 0..5 {
        let answer = session.ask(&call(id, "get_customer", customer.clone()));
        assert_eq!(answer["result"]["isError"], false);
    }
    for id in 5..7 {
        let answer = session.ask(&call(id, "get_customer", customer.clone()));
        assert_eq!(answer["error"]["code"], 42901);
        let data = &answer["error"]["data"];
        assert!(
            data["retryAfterMs"]
                .as_u64()
                .is_some_and(|wait| (1..=2_000).contains(&wait)),
            "{data}"
        );
        let id = format!("call={}", data["callId"].as_str().expect("an id"));
        let span = session.process.stderr.line(&id);
        assert!(
            span.contains("denied quota=exceeded 0/5 error=quota-exceeded tenant=acme"),
            "{span}"
        );
    }
    for arguments in [
        json!({}),
        json!({"query": 7}),
        json!({"query": "o-1", "tenant": "globex"}),
    ] {
        let answer = session.ask(&call("schema", "find_orders", arguments));
        assert_eq!(answer["result"]["isError"], true, "{answer}");
        let text = answer["result"]["content"][0]["text"]
            .as_str()
            .expect("a sentence");
        assert!(text.starts_with("Invalid arguments: "), "{text}");
    }
    let answer = session.ask(&call("unknown", "nope", json!({})));
    assert_eq!(
        (&answer["error"]["code"], &answer["error"]["message"]),
        (&json!(-32602), &json!("Unknown tool"))
    );
    let answer = session.ask(&legacy(
        "uri",
        "resources/read",
        json!({"uri": "customers://c-0"}),
    ));
    assert_eq!(answer["error"]["code"], -32002);
    let answer = session.ask(&modern("method", "nope", json!({})));
    assert_eq!(answer["error"]["code"], -32601);
}

#[test]
fn a_cancelled_call_stops_and_is_not_answered() {
    let mut session = Session::slow("");
    for id in [json!(7), json!("seven")] {
        session.send(&call(id.clone(), "count", json!({"rounds": slow::ENDLESS})));
        session.send(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}}));
        // The only thread of the source is free again.
        let next = session.ask(&call(format!("after {id}"), "count", json!({"rounds": 10})));
        assert_eq!(next["result"]["structuredContent"]["rounds"], 10);
    }
    session.process.stderr.wait_for(|lines| {
        let cancelled = lines
            .iter()
            .filter(|line| line.contains("tools/call count") && line.contains(" cancelled "));
        (cancelled.count() == 2).then_some(())
    });
    let answers = session.close();
    let ids: Vec<&Value> = answers.iter().map(|answer| &answer["id"]).collect();
    assert_eq!(ids, ["after 7", r#"after "seven""#]);
}

#[test]
fn a_quick_call_does_not_wait_for_a_slow_one() {
    let (mut session, lock) = Session::held("");
    session.send(&call("slow", "wait", json!({})));
    let quick = session.ask(&call("quick", "hello", json!({})));
    assert_eq!(quick["result"]["structuredContent"]["text"], "hello");
    drop(lock);
    let slow = session.answer(&json!("slow"));
    assert_eq!(slow["result"]["structuredContent"]["notes"], 0);
    let order: Vec<Value> = session
        .close()
        .iter()
        .map(|answer| answer["id"].clone())
        .collect();
    assert_eq!(order, ["ready", "quick", "slow"]);
}
