//! An API that fails, lies, stalls and floods: the caller is told in general, and nothing is held up.

use serde_json::json;

use crate::{Desk, refusal};

const FAILED: (u16, &str) = (502, "A system behind the tool failed");

#[tokio::test]
async fn a_missing_thing_is_not_found_and_other_failures_are_told_in_general() {
    let desk = Desk::open().await;
    for status in ["404 Not Found", "410 Gone"] {
        desk.api.says(status, "table tickets: no row");
        assert_eq!(refusal(&desk.ticket().await), (422, "not found"));
    }
    let answer = desk.call("open_ticket", json!({"subject": "s"})).await;
    assert_eq!(refusal(&answer), FAILED, "a POST has nothing to find");
    for status in [
        "400 Bad Request",
        "401 Unauthorized",
        "403 Forbidden",
        "429 Too Many Requests",
        "500 Internal Server Error",
        "503 Service Unavailable\r\nRetry-After: 1",
        "304 Not Modified",
    ] {
        desk.api.says(status, "stack trace at tickets.rs:42");
        let answer = desk.ticket().await;
        assert_eq!(refusal(&answer), FAILED, "{status}");
        assert!(!answer.body.to_string().contains("tickets.rs"));
        assert_eq!(answer.header("www-authenticate"), "");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let desk = Desk::open().await;
    let elsewhere = [
        "http://169.254.169.254/latest/meta-data".to_owned(),
        format!("{}/elsewhere", desk.api.url()),
    ];
    for to in elsewhere {
        for status in ["301 Moved Permanently", "307 Temporary Redirect"] {
            desk.api.says(&format!("{status}\r\nLocation: {to}"), "");
            assert_eq!(refusal(&desk.ticket().await), FAILED, "{status} {to}");
        }
    }
    assert!(
        desk.api
            .asked()
            .iter()
            .all(|asked| asked.line.contains("t-1"))
    );
    assert_eq!(desk.api.times(), 4);
}

#[tokio::test]
async fn an_answer_over_the_limit_is_refused_while_it_arrives() {
    let desk = Desk::open().await;
    let too_large = (422, "the result has more than 1000 bytes; ask for less");
    let exact = format!("\"{}\"", "x".repeat(998));
    desk.api.says("200 OK", &exact);
    assert_eq!(desk.ticket().await.status, 200);
    desk.api.says("200 OK", &format!(" {exact}"));
    assert_eq!(refusal(&desk.ticket().await), too_large);
    desk.api
        .writes_and_waits("HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n1");
    assert_eq!(refusal(&desk.ticket().await), too_large);
    // Without a length, and chunked: the head again and again is as good a body as any.
    desk.api.repeats("HTTP/1.1 200 OK\r\n\r\n[1, 2, 3]\r\n");
    assert_eq!(refusal(&desk.ticket().await), too_large);
    desk.api.was_left(2).await;
}

#[tokio::test]
async fn answers_that_make_no_sense_are_failures() {
    let desk = Desk::open().await;
    let many = "X-A: b\r\n".repeat(10_000);
    let bomb = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
    let bomb = [
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 10\r\n\r\n".as_slice(),
        &bomb,
    ]
    .concat();
    let deep = "[".repeat(900);
    for bytes in [
        b"".to_vec(),
        b"HTTP/1.1".to_vec(),
        b"SSH-2.0-OpenSSH\r\n".to_vec(),
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{}".to_vec(),
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{} ".to_vec(),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n{}".to_vec(),
        b"HTTP/1.1 200 OK\r\n\r\n<html>".to_vec(),
        b"HTTP/1.1 200 OK\r\n\r\n{\"a\":1,\"a\":2}".to_vec(),
        b"HTTP/1.1 200 OK\r\n\r\n\"\xff\"".to_vec(),
        format!("HTTP/1.1 200 OK\r\n\r\n{deep}").into_bytes(),
        format!("HTTP/1.1 200 OK\r\n{many}\r\n{{}}").into_bytes(),
        bomb,
    ] {
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(60)]).into_owned();
        desk.api.writes(bytes);
        assert_eq!(refusal(&desk.ticket().await), FAILED, "{shown:?}");
    }
    desk.api.says("200 OK", "{}");
    assert_eq!(desk.ticket().await.status, 200);
}

#[tokio::test]
async fn at_the_deadline_the_request_is_dropped_whatever_has_come() {
    let desk = Desk::open().await;
    let late = (504, "The tool did not finish in time");
    desk.api.stalls();
    assert_eq!(refusal(&desk.call("slow_ticket", json!({})).await), late);
    desk.api.was_left(1).await;
    desk.api.goes_on();
    for (times, begun) in [
        "HTTP/1.1 200 OK\r\nContent-",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{",
    ]
    .into_iter()
    .enumerate()
    {
        desk.api.writes_and_waits(begun);
        assert_eq!(refusal(&desk.call("slow_ticket", json!({})).await), late);
        desk.api.was_left(times + 2).await;
    }
}

#[tokio::test]
async fn a_caller_that_leaves_ends_the_request() {
    let desk = Desk::open().await;
    desk.api.stalls();
    let caller = desk.caller("acme");
    let call =
        tokio::spawn(async move { caller.rest("get_ticket", json!({"ticket_id": "t"})).await });
    desk.api.was_asked(1).await;
    call.abort();
    desk.api.was_left(1).await;
}
