//! Arguments: checked against the schema of the function's own type before the function sees them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tollgate::{CallContext, Tool};

use crate::{call, caller, serve, told};

#[derive(Deserialize, Serialize, JsonSchema)]
struct Order {
    item: Item,
    #[serde(default = "one")]
    quantity: u32,
    #[serde(default)]
    notes: Vec<String>,
    gift_for: Option<String>,
}

fn one() -> u32 {
    1
}

#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Item {
    #[schemars(length(min = 1, max = 20))]
    name: String,
    #[serde(default)]
    colour: Colour,
}

#[derive(Deserialize, Serialize, JsonSchema, Default)]
#[serde(rename_all = "lowercase")]
enum Colour {
    #[default]
    White,
    Black,
}

fn order() -> Tool {
    Tool::new("order", "Orders.").handler(async |_: CallContext, order: Order| Ok(order))
}

#[tokio::test]
async fn arguments_arrive_typed_with_their_defaults() {
    let server = serve(order()).await;
    let answer = caller(&server)
        .rest("order", json!({"item": {"name": "lamp"}}))
        .await;
    let expected = json!({
        "item": {"name": "lamp", "colour": "white"},
        "quantity": 1, "notes": [], "gift_for": null,
    });
    assert_eq!(answer.body["result"], expected);
    let full = json!({
        "item": {"name": "lamp", "colour": "black"},
        "quantity": 3, "notes": ["soon"], "gift_for": "Bob",
    });
    let answer = caller(&server).rest("order", full.clone()).await;
    assert_eq!(answer.body["result"], full);
}

#[tokio::test]
async fn each_fault_in_the_arguments_is_named_by_its_json_pointer() {
    let server = serve(order()).await;
    let caller = caller(&server);
    let good = json!({"name": "lamp"});
    for (arguments, parts) in [
        (json!({}), &["/: ", "item"][..]),
        (
            json!({"item": good, "tenant_id": "globex"}),
            &["/: ", "tenant_id"],
        ),
        (json!({"item": good, "Quantity": 2}), &["/: ", "Quantity"]),
        (
            json!({"item": {"name": "lamp", "size": 1}}),
            &["/item: ", "size"],
        ),
        (json!({"item": {"name": ""}}), &["/item/name: "]),
        (
            json!({"item": {"name": "lamp", "colour": "red"}}),
            &["/item/colour: "],
        ),
        (json!({"item": good, "quantity": "2"}), &["/quantity: "]),
        (json!({"item": good, "quantity": -1}), &["/quantity: "]),
        (json!({"item": good, "quantity": 1.5}), &["/quantity: "]),
        (
            json!({"item": good, "notes": ["a", 1, null]}),
            &["/notes/1: ", "/notes/2: "],
        ),
        (
            json!({"item": null, "quantity": []}),
            &["/item: ", "/quantity: "],
        ),
    ] {
        let rest = caller.rest("order", arguments.clone()).await;
        assert_eq!(rest.status, 400, "{arguments}");
        assert_eq!(rest.body["type"], "urn:tollgate:error:invalid-arguments");
        let modern = caller
            .modern("tools/call", call("order", arguments.clone()))
            .await;
        let detail = rest.body["detail"].as_str().unwrap();
        assert_eq!(told(&modern), detail);
        assert!(detail.starts_with("Invalid arguments: /"), "{detail}");
        for part in parts {
            assert!(detail.contains(part), "{arguments}: {detail}");
        }
    }
}

#[tokio::test]
async fn a_number_that_the_type_cannot_hold_is_a_bad_argument() {
    let server = serve(order()).await;
    let caller = caller(&server);
    for quantity in [json!(u64::MAX), json!(i64::MIN), json!(1e300)] {
        let arguments = json!({"item": {"name": "lamp"}, "quantity": quantity});
        let answer = caller.rest("order", arguments).await;
        assert_eq!(answer.status, 400, "{quantity}");
        assert_eq!(answer.body["type"], "urn:tollgate:error:invalid-arguments");
    }
}

#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(tag = "by", rename_all = "lowercase")]
enum Search {
    Id { id: String },
    Name { first: String, last: String },
}

#[derive(Deserialize, Serialize, JsonSchema)]
struct Page {
    #[serde(flatten)]
    search: Search,
    limit: u32,
}

#[tokio::test]
async fn arguments_may_be_one_of_several_shapes_and_still_no_unknown_property() {
    let search = async |_: CallContext, search: Search| Ok(search);
    let server = serve(Tool::new("search", "Searches.").handler(search)).await;
    let caller = caller(&server);
    for good in [
        json!({"by": "id", "id": "c-42"}),
        json!({"by": "name", "first": "Jane", "last": "Doe"}),
    ] {
        let answer = caller.rest("search", good.clone()).await;
        assert_eq!(answer.body["result"], good, "{answer:?}");
    }
    for bad in [
        json!({}),
        json!({"by": "id"}),
        json!({"by": "other", "id": "c-42"}),
        json!({"by": "name", "first": "Jane"}),
        json!({"by": "id", "id": "c-42", "tenant_id": "globex"}),
    ] {
        let answer = caller.rest("search", bad.clone()).await;
        assert_eq!(answer.status, 400, "{bad}");
    }
}

#[tokio::test]
async fn flattened_arguments_are_known_and_others_are_not() {
    let page = async |_: CallContext, page: Page| Ok(page);
    let server = serve(Tool::new("page", "Pages.").handler(page)).await;
    let caller = caller(&server);
    let good = json!({"by": "id", "id": "c-42", "limit": 5});
    assert_eq!(caller.rest("page", good.clone()).await.body["result"], good);
    let bad = json!({"by": "id", "id": "c-42", "limit": 5, "tenant_id": "globex"});
    assert_eq!(caller.rest("page", bad).await.status, 400);
}

#[tokio::test]
async fn large_deep_and_wide_arguments_are_served_or_refused_in_few_words() {
    #[derive(Deserialize, JsonSchema)]
    struct Any {
        value: Value,
    }
    let size = async |_: CallContext, any: Any| Ok(any.value.to_string().len());
    let server = serve(Tool::new("size", "Measures.").handler(size)).await;
    let caller = caller(&server);
    let large = "x".repeat(900 * 1024);
    let answer = caller.rest("size", json!({ "value": large })).await;
    assert_eq!(answer.body["result"], large.len() + 2);

    let nested = |depth: usize| {
        let value = (0..depth).fold(json!(1), |inner, _| json!([inner]));
        json!({ "value": value })
    };
    assert_eq!(caller.rest("size", nested(100)).await.status, 200);
    assert_eq!(caller.rest("size", nested(200)).await.status, 400);
    let modern = caller.modern("tools/call", call("size", nested(200))).await;
    assert_eq!(
        (modern.status, &modern.body["error"]["code"]),
        (400, &json!(-32700))
    );

    let wide: serde_json::Map<_, _> = (0..50_000).map(|n| (format!("k{n}"), json!(n))).collect();
    let answer = caller.rest("size", Value::Object(wide)).await;
    assert_eq!(answer.status, 400);
    assert!(answer.body["detail"].as_str().unwrap().len() < 1_500);
    assert_eq!(caller.rest("size", json!({"value": 1})).await.status, 200);
}
