//! Databases have a breaker, too; and no caller can open it with a query that takes long.

use crate::{Desk, SECOND};

#[tokio::test]
async fn a_broken_database_is_left_alone_and_used_again_once_it_is_whole() {
    let desk = Desk::open().await;
    let path = desk.folder.path().join("shop.db");
    let whole = std::fs::read(&path).expect("the database");
    let replace = |bytes: &[u8]| {
        let new = desk.folder.path().join("new.db");
        std::fs::write(&new, bytes).expect("a file");
        std::fs::rename(&new, &path).expect("its place");
    };
    replace(&b"this is no database ".repeat(10));
    let broken = desk.statuses("customers", 6).await;
    assert_eq!(broken, [502, 502, 502, 502, 502, 503]);
    replace(&whole);
    assert_eq!(desk.call("customers").await.status, 503);
    desk.clock.advance(SECOND);
    assert_eq!(desk.statuses("customers", 2).await, [200, 200]);
}

#[tokio::test]
async fn statements_that_fail_or_run_out_of_time_shut_nobody_out() {
    let desk = Desk::open().await;
    assert_eq!(desk.statuses("broken", 8).await, [502; 8]);
    assert_eq!(desk.statuses("runaway", 8).await, [504; 8]);
    assert_eq!(desk.call("customers").await.status, 200);
    assert_eq!(desk.breaker("shop").await, 0.0);
}
