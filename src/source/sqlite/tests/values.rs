//! What goes in comes out: the kinds of values, in both directions.

use super::*;

#[tokio::test]
async fn json_scalars_are_bound_as_what_they_are() {
    let shop = Shop::new();
    let database = shop.open(1);
    let cases = [
        (json!(null), json!(["null", null])),
        (json!(true), json!(["integer", 1])),
        (json!(false), json!(["integer", 0])),
        (json!(i64::MIN), json!(["integer", i64::MIN])),
        (json!(i64::MAX), json!(["integer", i64::MAX])),
        (json!(0.5), json!(["real", 0.5])),
        (json!(1e18), json!(["real", 1e18])),
        (json!(""), json!(["text", ""])),
        (json!("a\0b \u{1F600}"), json!(["text", "a\0b \u{1F600}"])),
        (json!(["a", {"b": 1}]), json!(["text", "[\"a\",{\"b\":1}]"])),
    ];
    for (value, expected) in cases {
        let rows = ask(
            &database,
            "SELECT typeof(:v) AS kind, :v AS value",
            std::slice::from_ref(&value),
        )
        .await
        .unwrap();
        let got: Vec<_> = rows[0].values().cloned().collect();
        assert_eq!(json!(got), expected, "{value}");
    }
}

#[tokio::test]
async fn an_integer_beyond_64_bits_is_refused_and_not_rounded() {
    let shop = Shop::new();
    let database = shop.open(1);
    for text in [
        "9223372036854775808",
        "18446744073709551615",
        "18446744073709551616",
        "-9223372036854775809",
    ] {
        let value: Value = serde_json::from_str(text).unwrap();
        let refused = ask(&database, "SELECT :amount AS a", &[value])
            .await
            .unwrap_err();
        assert_eq!(
            refused,
            QueryError::IntegerOutOfRange {
                parameter: "amount".to_owned()
            }
        );
        assert!(!refused.to_string().contains(&text[..10]));
    }
}

#[tokio::test]
async fn sql_in_a_value_stays_inert() {
    let shop = Shop::new();
    let database = shop.open(1);
    for hostile in [
        "'; DROP TABLE products; --",
        "1 OR 1=1",
        "\" UNION SELECT sql FROM sqlite_schema --",
        ":name",
    ] {
        let found = ask(
            &database,
            "SELECT id FROM products WHERE name = :name",
            &[json!(hostile)],
        )
        .await
        .unwrap();
        assert!(found.is_empty(), "{hostile}");
    }
    assert_eq!(
        scalar(&database, "SELECT count(*) AS n FROM products", &[]).await,
        3
    );
}

#[tokio::test]
async fn rows_become_json_with_their_columns_in_order() {
    let shop = Shop::new();
    let database = shop.open(1);
    let sql = "SELECT 7 AS z, 0.25 AS y, 9e999 AS x, 'text' AS w, x'00ff10' AS v, NULL AS u";
    let rows = ask(&database, sql, &[]).await.unwrap();
    assert_eq!(
        serde_json::to_string(&rows).unwrap(),
        r#"[{"z":7,"y":0.25,"x":null,"w":"text","v":"AP8Q","u":null}]"#
    );
    assert!(
        ask(&database, "SELECT id FROM products WHERE id > 99", &[])
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn a_text_that_is_not_utf8_is_an_error_that_names_its_column() {
    let shop = Shop::new();
    let database = shop.open(1);
    let refused = ask(
        &database,
        "SELECT 1 AS a, CAST(x'ff41' AS TEXT) AS label",
        &[],
    )
    .await
    .unwrap_err();
    assert_eq!(
        refused,
        QueryError::InvalidText {
            column: "label".to_owned()
        }
    );
}

#[tokio::test]
async fn a_value_too_many_or_too_few_is_refused() {
    let shop = Shop::new();
    let database = shop.open(1);
    let statement = database.check("SELECT :a AS a, :b AS b").unwrap();
    for values in [vec![], vec![json!(1)], vec![json!(1), json!(2), json!(3)]] {
        let given = values.len();
        let refused = database
            .query(ample(&statement, &values))
            .await
            .unwrap_err();
        assert_eq!(refused, QueryError::ParameterCount { expected: 2, given });
    }
}

#[tokio::test]
async fn values_do_not_linger_from_one_query_to_the_next() {
    let shop = Shop::new();
    let database = shop.open(1);
    assert_eq!(
        scalar(&database, "SELECT :v AS v", &[json!("secret")]).await,
        "secret"
    );
    assert_eq!(
        scalar(&database, "SELECT :v AS v", &[json!(null)]).await,
        Value::Null
    );
}

#[tokio::test]
async fn an_error_never_quotes_a_value() {
    let shop = Shop::new();
    shop.writer
        .execute_batch("CREATE VIRTUAL TABLE search USING fts5(body)")
        .unwrap();
    let database = shop.open(1);
    let cases = [
        (
            "SELECT body FROM search WHERE search MATCH :v",
            "hunter2: \"hunter2",
        ),
        ("SELECT json_extract('{}', :v) AS a", "hunter2"),
        ("SELECT json(:v) AS a", "{hunter2"),
        ("SELECT id FROM products LIMIT :v", "hunter2"),
    ];
    for (sql, value) in cases {
        let error = ask(&database, sql, &[json!(value)]).await.unwrap_err();
        assert!(matches!(error, QueryError::Engine(_)), "{sql}: {error:?}");
        assert!(
            !format!("{error} {error:?}").contains("hunter2"),
            "{error:?}"
        );
    }
    assert_eq!(scalar(&database, "SELECT 1 AS one", &[]).await, 1);
}
