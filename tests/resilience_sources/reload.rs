//! A reload: sources that stay go on where they stand.

use crate::{DOWN, Desk, SECOND, declared, yaml};

/// The breaker of `stubborn`.
const THREE: &str = "breaker: {failures: 3}";

impl Desk {
    async fn reload(&self, yaml: &str) {
        let builder = declared::configure(yaml, self.folder.path()).expect("a good configuration");
        let reloaded = self.server.reload(|_| builder.clock(self.clock.clone()));
        reloaded.await.expect("it is taken up");
    }

    /// Further tries, changes of the breaker to open, and how it stands.
    async fn told(&self, source: &str) -> [f64; 3] {
        let numbers = self.numbers().await;
        let labels = [("tollgate_source", source)];
        let opened = [("tollgate_source", source), ("tollgate_state", "open")];
        [
            numbers.value("tollgate_source_retries_total", &labels),
            numbers.value("tollgate_source_breaker_transitions_total", &opened),
            numbers.value("tollgate_source_breaker_state", &labels),
        ]
    }
}

#[tokio::test]
async fn a_reload_neither_counts_back_nor_asks_a_source_that_fails() {
    let desk = Desk::open().await;
    desk.api.says(DOWN, "");
    desk.statuses("read_on", 1).await;
    let before = desk.told("stubborn").await;
    assert!(before[0] > 0.0);
    assert_eq!(before[1..], [1.0, 2.0]);
    for more in ["", "# A line more.\n"] {
        desk.reload(&[more, &yaml(&desk.api, &desk.other)].concat())
            .await;
        assert_eq!(desk.told("stubborn").await, before);
    }
    let asked = desk.api.times();
    assert_eq!(desk.call("read_on").await.status, 503);
    assert_eq!(desk.api.times(), asked, "it is left alone");
    desk.api.says("200 OK", "{}");
    desk.clock.advance(SECOND);
    assert_eq!(desk.call("read_on").await.status, 200);
    assert_eq!(desk.told("stubborn").await, [before[0], 1.0, 0.0]);
}

#[tokio::test]
async fn what_a_reload_says_of_breakers_holds_for_those_that_are_open() {
    let desk = Desk::open().await;
    desk.api.says(DOWN, "");
    desk.statuses("read_on", 1).await;
    let three =
        "stubborn: {http: \"@URL\", allowPrivate: [127.0.0.1], retries: 5, breaker: {failures: 3}}";
    let written = three.replace("@URL", &desk.api.url());
    let off = written.replace("breaker: {failures: 3}", "breaker: off");
    let text = yaml(&desk.api, &desk.other);
    assert!(text.contains(&written));
    desk.reload(&text.replace(&written, &off)).await;
    let asked = desk.api.times();
    assert_eq!(desk.call("read_on").await.status, 502);
    assert!(desk.api.times() > asked, "no breaker is left");
}

#[tokio::test]
async fn a_source_that_is_elsewhere_now_is_asked_there_at_once() {
    let desk = Desk::open().await;
    desk.api.says(DOWN, "");
    desk.statuses("read_on", 1).await;
    let before = desk.told("stubborn").await;
    desk.reload(&yaml(&desk.other, &desk.other)).await;
    assert_eq!(desk.call("read_on").await.status, 200);
    assert_eq!(desk.told("stubborn").await, [before[0], before[1], 0.0]);
}

#[tokio::test]
async fn an_open_breaker_stays_so_no_longer_than_the_new_configuration_says() {
    let desk = Desk::open().await;
    let text = yaml(&desk.api, &desk.other);
    let with = |pauses: &str| text.replace(THREE, &format!("breaker: {{failures: 3, {pauses}}}"));
    desk.reload(&with("pause: 30s")).await;
    desk.api.says(DOWN, "");
    desk.statuses("read_on", 1).await;
    desk.api.says("200 OK", "{}");
    desk.clock.advance(3 * SECOND);
    assert_eq!(desk.call("read_on").await.status, 503);
    desk.reload(&with("pause: 1s, maxPause: 2s")).await;
    assert_eq!(desk.call("read_on").await.status, 503);
    desk.clock.advance(2 * SECOND);
    assert_eq!(desk.call("read_on").await.status, 200);
}

#[tokio::test]
async fn calls_that_still_fail_where_a_source_was_say_nothing_of_where_it_is() {
    let desk = Desk::open().await;
    desk.api.says(DOWN, "");
    desk.api.stalls();
    let caller = desk.caller.clone();
    let late = tokio::spawn(async move { caller.rest("read_on", serde_json::json!({})).await });
    desk.api.was_asked(1).await;
    desk.reload(&yaml(&desk.other, &desk.other)).await;
    desk.api.goes_on();
    assert_eq!(late.await.expect("an answer").status, 502);
    assert!(desk.api.times() > 2, "it tried again where it began");
    assert_eq!(desk.call("read_on").await.status, 200);
    assert_eq!(desk.told("stubborn").await[2], 0.0);
}
