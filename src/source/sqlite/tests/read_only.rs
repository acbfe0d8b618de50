//! Nothing writes, at the check and, should the check ever be passed by, in the engine.

use super::super::connection::{Purpose, open};
use super::super::watch::Watch;
use super::*;

/// Texts that must never run, with what else they would touch.
const HOSTILE: [&str; 22] = [
    "INSERT INTO products VALUES (9, 'x', 1) RETURNING id",
    "UPDATE products SET name = 'x' RETURNING id",
    "DELETE FROM products RETURNING id",
    "REPLACE INTO products VALUES (1, 'x', 1)",
    "CREATE TABLE other (a)",
    "CREATE TEMP TABLE other (a)",
    "CREATE TEMP VIEW other AS SELECT 1",
    "CREATE VIRTUAL TABLE temp.other USING fts5(a)",
    "DROP TABLE products",
    "ALTER TABLE products RENAME TO p",
    "ATTACH DATABASE ':memory:' AS other",
    "DETACH DATABASE main",
    "VACUUM",
    "VACUUM INTO 'copy.db'",
    "REINDEX",
    "ANALYZE",
    "BEGIN IMMEDIATE",
    "SAVEPOINT a",
    "PRAGMA query_only = 0",
    "PRAGMA journal_mode = WAL",
    "SELECT load_extension('evil.so') AS x",
    "SELECT fts3_tokenizer('simple') AS x",
];

#[test]
fn a_statement_that_does_more_than_read_is_refused_at_the_check() {
    let shop = Shop::new();
    let database = shop.open(1);
    for sql in HOSTILE {
        let refused = database.check(sql).unwrap_err();
        assert!(
            matches!(refused, CheckError::NotReadOnly(_) | CheckError::Invalid(_)),
            "{sql}: {refused:?}"
        );
    }
    for pragma in [
        "PRAGMA data_version",
        "PRAGMA table_info(products)",
        "SELECT name FROM pragma_table_info('products')",
    ] {
        assert!(database.check(pragma).is_err(), "{pragma}");
    }
}

#[test]
fn the_engine_itself_refuses_what_a_check_would_have_missed() {
    let shop = Shop::new();
    let watch = Arc::new(Watch::default());
    let connection = open(&shop.path, &watch, Purpose::Serve).unwrap();
    for sql in HOSTILE {
        assert!(connection.execute_batch(sql).is_err(), "{sql}");
    }
    let names: String = shop
        .writer
        .query_row(
            "SELECT group_concat(name) FROM (SELECT name FROM products ORDER BY id)",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(names, "lamp,chair,table");
    assert_eq!(std::fs::read_dir(shop.directory.path()).unwrap().count(), 1);
}

#[test]
fn each_layer_is_on_and_not_only_the_outermost() {
    use rusqlite::config::DbConfig;
    use rusqlite::limits::Limit;
    let shop = Shop::new();
    let watch = Arc::new(Watch::default());
    let mut connection = open(&shop.path, &watch, Purpose::Serve).unwrap();
    assert!(connection.is_readonly("main").unwrap());
    assert!(
        connection
            .db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE)
            .unwrap()
    );
    assert!(
        !connection
            .db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA)
            .unwrap()
    );
    assert_eq!(connection.limit(Limit::SQLITE_LIMIT_ATTACHED).unwrap(), 0);
    assert_eq!(
        connection
            .limit(Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH)
            .unwrap(),
        256
    );
    // Without the authorizer, the pragma and the open flag still hold.
    connection
        .authorizer(None::<fn(rusqlite::hooks::AuthContext<'_>) -> rusqlite::hooks::Authorization>)
        .unwrap();
    let query_only: i64 = connection
        .query_row("PRAGMA query_only", [], |row| row.get(0))
        .unwrap();
    assert_eq!(query_only, 1);
    connection.execute_batch("PRAGMA query_only = 0").unwrap();
    assert!(connection.execute_batch("DELETE FROM products").is_err());
    assert!(
        connection
            .execute_batch("ATTACH ':memory:' AS other")
            .is_err()
    );
}

#[test]
fn the_check_tells_what_is_wrong_with_a_text() {
    let shop = Shop::new();
    let database = shop.open(1);
    let refused = |sql: &str| database.check(sql).unwrap_err();
    for empty in ["", "  \n", "-- nothing", "/* nothing */ ;"] {
        assert!(matches!(refused(empty), CheckError::Empty), "{empty:?}");
    }
    for several in [
        "SELECT 1 AS a;; DROP TABLE products",
        "SELECT 1 AS a; /* b */ SELECT",
        "SELECT 1 AS a; '",
    ] {
        assert!(database.check(several).is_err(), "{several}");
    }
    assert!(matches!(
        refused("SELECT 1 AS a; SELECT 2 AS b"),
        CheckError::MoreThanOne
    ));
    assert!(matches!(
        refused("EXPLAIN SELECT 1 AS a"),
        CheckError::NotAQuery
    ));
    for parameter in ["?", "?3", "@id", "$id"] {
        let sql = format!("SELECT name FROM products WHERE id = {parameter}");
        assert!(
            matches!(refused(&sql), CheckError::Parameter(_)),
            "{parameter}"
        );
    }
    assert!(
        matches!(refused("SELECT id, id FROM products"), CheckError::DuplicateColumn(name) if name == "id")
    );
    assert!(
        refused("SELECT nmae FROM products")
            .to_string()
            .contains("no such column: nmae")
    );
    assert!(
        refused("SELECT \"nmae\" FROM products")
            .to_string()
            .contains("nmae"),
        "not taken for a text"
    );
    assert!(
        refused("SELECT 1 AS a\0; DROP TABLE products")
            .to_string()
            .contains("nul")
    );
    assert!(
        database
            .check(&format!("SELECT {}1 AS a", "1 + ".repeat(300)))
            .is_err(),
        "too deep"
    );
}

#[test]
fn a_checked_statement_knows_its_parameters_and_columns() {
    let shop = Shop::new();
    let sql = "-- by price\nSELECT id, name AS label FROM products WHERE price < :below AND (name = :name OR price < :below);";
    let statement = shop.open(1).check(sql).unwrap();
    assert_eq!(statement.parameters(), ["below", "name"]);
    assert_eq!(statement.columns(), ["id", "label"]);
}

#[test]
fn a_path_is_never_created_and_never_read_as_a_uri() {
    let shop = Shop::new();
    let missing = shop.directory.path().join("missing.db");
    let error = Sqlite::open(&missing, 1).unwrap_err().to_string();
    assert!(
        error.contains("no database file at") && error.contains("missing.db"),
        "{error}"
    );
    assert!(!missing.exists());
    let uri = PathBuf::from(format!("file:{}?mode=rw", shop.path.display()));
    assert!(Sqlite::open(&uri, 1).is_err());
    assert!(Sqlite::open(std::path::Path::new(":memory:"), 1).is_err());
    assert!(
        Sqlite::open(shop.directory.path(), 1)
            .unwrap_err()
            .to_string()
            .contains("not a regular file")
    );
    let text = shop.directory.path().join("notes.txt");
    std::fs::write(&text, "these are notes and no database at all ".repeat(40)).unwrap();
    let error = Sqlite::open(&text, 1).unwrap_err().to_string();
    assert!(
        error.contains("notes.txt is not an SQLite database"),
        "{error}"
    );
}

#[tokio::test]
async fn views_json_functions_and_full_text_search_work() {
    let shop = Shop::new();
    shop.writer
        .execute_batch(
            "CREATE VIEW cheap AS SELECT name FROM products WHERE price < 100;
             CREATE VIRTUAL TABLE search USING fts5(body);
             INSERT INTO search VALUES ('a red lamp'), ('a blue chair');",
        )
        .unwrap();
    let database = shop.open(1);
    assert_eq!(
        scalar(&database, "SELECT count(*) AS n FROM cheap", &[]).await,
        2
    );
    let search = "SELECT body FROM search WHERE search MATCH :words";
    assert_eq!(
        scalar(&database, search, &[json!("lamp")]).await,
        "a red lamp"
    );
    shop.writer
        .execute("INSERT INTO search VALUES ('a green door')", [])
        .unwrap();
    assert_eq!(
        scalar(&database, search, &[json!("door")]).await,
        "a green door"
    );
    let listed =
        "SELECT count(*) AS n FROM products WHERE id IN (SELECT value FROM json_each(:ids))";
    assert_eq!(scalar(&database, listed, &[json!([1, 3, 7])]).await, 2);
}

#[tokio::test]
async fn a_database_in_wal_mode_is_read_with_its_latest_rows() {
    let shop = Shop::new();
    shop.writer
        .pragma_update(None, "journal_mode", "WAL")
        .unwrap();
    let database = shop.open(2);
    shop.writer
        .execute("INSERT INTO products VALUES (4, 'shelf', 50)", [])
        .unwrap();
    assert_eq!(
        scalar(&database, "SELECT count(*) AS n FROM products", &[]).await,
        4
    );
}
