//! Lists come in pages: joined they are the whole list, and a cursor leads on in the list that it is
//! of, on any replica, and nowhere else.

#[expect(dead_code, reason = "shared with other tests")]
#[path = "support/wire.rs"]
mod wire;

use serde_json::{Value, json};
use tollgate::server::ServerBuilder;
use tollgate::testing::TestServer;
use tollgate::{CallContext, Resource, Tool, ToolError};
use wire::{Nothing, Reply, Wire};

const LISTS: [(&str, &str); 4] = [
    ("tools/list", "tools"),
    ("resources/list", "resources"),
    ("resources/templates/list", "resourceTemplates"),
    ("prompts/list", "prompts"),
];

async fn nothing(_: CallContext, _: Nothing) -> Result<String, ToolError> {
    Ok(String::new())
}

/// Ten of each; those with an odd number are for some callers only.
fn many(mut builder: ServerBuilder) -> ServerBuilder {
    for number in 0..10 {
        let tool = Tool::new(format!("tool-{number}"), "A tool.");
        let one = Resource::new(format!("one://{number}"), "one");
        let template = Resource::new(format!("many{number}://{{id}}"), "many");
        builder = if number % 2 == 0 {
            builder
                .tool(tool.any_authenticated().handler(nothing))
                .resource(one.any_authenticated().handler(nothing))
                .resource(template.any_authenticated().handler(nothing))
        } else {
            builder
                .tool(tool.scope("odd").handler(nothing))
                .resource(one.scope("odd").handler(nothing))
                .resource(template.scope("odd").handler(nothing))
        };
    }
    builder
}

async fn server(page_size: usize) -> TestServer {
    TestServer::start(|builder| many(builder).page_size(page_size)).await
}

async fn page(wire: &Wire, era: &str, method: &str, cursor: Option<&str>) -> Reply {
    let params = match cursor {
        Some(cursor) => json!({"cursor": cursor}),
        None => json!({}),
    };
    let post = match era {
        "modern" => wire.modern(method, params),
        _ => wire.legacy(method, params),
    };
    let reply = post.send().await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    reply
}

fn next(reply: &Reply) -> Option<String> {
    let next = reply.body["result"].get("nextCursor")?;
    Some(next.as_str().expect("a cursor is text").to_owned())
}

/// All cursors of a list.
async fn cursors(wire: &Wire, method: &str) -> Vec<String> {
    let mut cursors: Vec<String> = Vec::new();
    loop {
        let last = cursors.last().map(String::as_str);
        match next(&page(wire, "modern", method, last).await) {
            Some(cursor) => cursors.push(cursor),
            None => return cursors,
        }
    }
}

#[tokio::test]
async fn pages_joined_are_the_whole_list_for_every_caller_in_both_eras() {
    let whole = server(1_000).await;
    for size in [1, 2, 3, 5, 9, 10] {
        let paged = server(size).await;
        for scopes in [&[][..], &["odd"]] {
            let (whole, wire) = (Wire::of(&whole, scopes), Wire::of(&paged, scopes));
            let eras = ["modern", "legacy"].into_iter();
            for (era, (method, member)) in eras.flat_map(|era| LISTS.map(|list| (era, list))) {
                let all = page(&whole, era, method, None).await;
                assert_eq!(next(&all), None, "{method}");
                let (mut joined, mut cursor) = (Vec::new(), None::<String>);
                loop {
                    let reply = page(&wire, era, method, cursor.as_deref()).await;
                    let entries = reply.body["result"][member].as_array().expect("a list");
                    assert!(entries.len() <= size, "{}", reply.text);
                    joined.extend(entries.iter().cloned());
                    if era == "modern" {
                        assert_eq!(reply.body["result"]["cacheScope"], "private");
                        assert!(reply.body["result"]["ttlMs"].is_u64());
                    }
                    cursor = next(&reply);
                    if cursor.is_none() {
                        break;
                    }
                    assert_eq!(entries.len(), size, "only the last page is short");
                }
                let expected = &all.body["result"][member];
                assert_eq!(&Value::Array(joined), expected, "{method} by {size}");
            }
        }
    }
}

#[tokio::test]
async fn a_cursor_works_on_every_replica_and_again() {
    let (one, other) = (server(3).await, server(3).await);
    let scopes = ["odd"];
    let (one, other) = (Wire::of(&one, &scopes), Wire::of(&other, &scopes));
    for (method, _) in LISTS.iter().take(3) {
        let cursors = cursors(&one, method).await;
        assert_eq!(cursors.len(), 3, "{method}");
        for cursor in &cursors {
            let here = page(&one, "modern", method, Some(cursor)).await;
            assert_eq!(here.code(), None, "{}", here.text);
            let there = page(&other, "modern", method, Some(cursor)).await;
            assert_eq!(there.text, here.text);
        }
    }
}

#[tokio::test]
async fn a_cursor_of_another_list_another_caller_or_nobody_is_refused_and_says_what_to_do() {
    let three = server(3).await;
    let wire = Wire::of(&three, &["odd"]);
    let ours = cursors(&wire, "tools/list").await.remove(0);
    let refused = async |wire: &Wire, method: &str, cursor: Value| {
        let reply = wire.modern(method, json!({"cursor": cursor})).send().await;
        assert_eq!(
            (reply.status, reply.code()),
            (200, Some(-32602)),
            "{cursor}"
        );
        reply
    };
    let told = refused(&wire, "resources/list", json!(ours)).await;
    assert_eq!(
        told.body["error"]["message"],
        "Invalid params: unknown cursor: it is of another list, or the list has changed; ask without one"
    );
    // A caller whose list is another one.
    refused(&Wire::of(&three, &[]), "tools/list", json!(ours)).await;
    // A list in pages of another size.
    let five = server(5).await;
    refused(&Wire::of(&five, &["odd"]), "tools/list", json!(ours)).await;
    for index in 0..ours.len() {
        let mut bent = ours.clone().into_bytes();
        bent[index] = if bent[index] == b'A' { b'B' } else { b'A' };
        let bent = String::from_utf8(bent).expect("ASCII");
        refused(&wire, "tools/list", json!(bent)).await;
    }
    for bad in [
        json!(""),
        json!(" "),
        json!("0"),
        json!("3"),
        json!("18446744073709551616"),
        json!(format!("{ours}=")),
        json!(format!(" {ours}")),
        json!(ours.to_uppercase()),
        json!(&ours[1..]),
        json!("A".repeat(100_000)),
        json!("\u{0}\u{1f600}"),
        json!(null),
        json!(3),
        json!([ours]),
        json!({"cursor": ours}),
    ] {
        refused(&wire, "tools/list", bad).await;
    }
    let good = page(&wire, "modern", "tools/list", Some(&ours)).await;
    assert_eq!(good.body["result"]["tools"][0]["name"], "tool-3");
}

#[tokio::test]
async fn a_cursor_ends_with_the_list_that_it_is_of() {
    let server = server(4).await;
    let wire = Wire::of(&server, &["odd"]);
    let tools = cursors(&wire, "tools/list").await.remove(0);
    let resources = cursors(&wire, "resources/list").await.remove(0);
    let tool = || {
        Tool::new("late", "A tool.")
            .any_authenticated()
            .handler(nothing)
    };
    server
        .reload(|builder| many(builder).page_size(4).tool(tool()))
        .await
        .expect("a good configuration");
    let reply = page(&wire, "modern", "tools/list", Some(&tools)).await;
    assert_eq!(reply.code(), Some(-32602), "{}", reply.text);
    // What did not change goes on.
    let reply = page(&wire, "modern", "resources/list", Some(&resources)).await;
    assert_eq!(reply.code(), None, "{}", reply.text);
}
