//! Further tries: of what only reads, few, and never more than a tenth for long.

use std::time::Instant;

use crate::{DOWN, Desk};

#[tokio::test]
async fn a_read_is_tried_again_and_nothing_else_unless_the_file_says_so() {
    let desk = Desk::open().await;
    for (tool, tries, status) in [
        ("read", 2, 200),
        ("add_once", 2, 200),
        ("add", 1, 502),
        ("put", 1, 502),
        ("read_once", 1, 502),
    ] {
        let before = desk.api.times();
        desk.api.says_once(DOWN, "");
        assert_eq!(desk.call(tool).await.status, status, "{tool}");
        assert_eq!(desk.api.times() - before, tries, "{tool}");
    }
    desk.api.says(DOWN, "");
    let before = desk.api.times();
    assert_eq!(desk.call("read").await.status, 502);
    assert_eq!(desk.api.times() - before, 3, "two further tries");
}

#[tokio::test]
async fn only_what_may_pass_is_tried_again() {
    let desk = Desk::open().await;
    for (status, tries) in [
        ("502 Bad Gateway", 2),
        ("504 Gateway Timeout", 2),
        ("429 Too Many Requests\r\nRetry-After: 0", 2),
        ("429 Too Many Requests", 1),
        ("429 Too Many Requests\r\nRetry-After: 3", 1),
        ("503 Service Unavailable\r\nRetry-After: 60", 1),
        (
            "503 Service Unavailable\r\nRetry-After: Sun, 06 Nov 1994 08:49:37 GMT",
            1,
        ),
        ("500 Internal Server Error", 1),
        ("501 Not Implemented", 1),
        ("404 Not Found", 1),
        ("400 Bad Request", 1),
        ("302 Found", 1),
    ] {
        let before = desk.api.times();
        desk.api.says_once(status, "");
        desk.call("read").await;
        assert_eq!(desk.api.times() - before, tries, "{status}");
    }
    let before = desk.api.times();
    desk.api.says_once("200 OK", "no JSON");
    assert_eq!(desk.call("read").await.status, 502);
    assert_eq!(
        desk.api.times() - before,
        1,
        "an answer that came is used up"
    );
}

#[tokio::test]
async fn a_try_that_would_begin_after_the_deadline_is_not_made() {
    let desk = Desk::open().await;
    desk.api
        .says("503 Service Unavailable\r\nRetry-After: 1", "");
    #[expect(
        clippy::disallowed_methods,
        reason = "the wait that is not waited is real"
    )]
    let start = Instant::now();
    assert_eq!(desk.call("read_late").await.status, 502);
    #[expect(clippy::disallowed_methods, reason = "as above")]
    let took = start.elapsed();
    assert!(took.as_millis() < 900, "{took:?}");
    assert_eq!(desk.api.times(), 1);
}

#[tokio::test]
async fn in_an_outage_further_tries_are_a_tenth_beyond_what_was_saved() {
    let desk = Desk::open().await;
    desk.api.says(DOWN, "");
    assert_eq!(desk.statuses("read", 60).await, [502; 60]);
    let further = desk.api.times() - 60;
    // Ten saved, and a tenth of 60.
    assert!((14..=16).contains(&further), "{further}");
    let labels = [("tollgate_source", "again")];
    let told = desk.numbers().await;
    let told = told.value("tollgate_source_retries_total", &labels);
    assert_eq!(told, further as f64);
}

#[tokio::test]
async fn further_tries_end_where_the_breaker_opens() {
    let desk = Desk::open().await;
    desk.api.says(DOWN, "");
    assert_eq!(desk.call("read_on").await.status, 502);
    assert_eq!(desk.api.times(), 3);
    assert_eq!(desk.call("read_on").await.status, 503);
    assert_eq!(desk.api.times(), 3);
}
