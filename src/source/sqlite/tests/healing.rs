//! What happens to the file under a running server, and to the threads at the end.

use super::*;
use std::fs;

use super::super::Shared;
use super::super::queue::Queue;

const COUNT: &str = "SELECT count(*) AS n FROM products";

/// Asks until the answer is good, at most until the ample time is over.
async fn until_good(database: &Sqlite, statement: &Arc<Statement>) -> Vec<Row> {
    let give_up = Instant::now() + AMPLE;
    loop {
        match database.query(ample(statement, &[])).await {
            Ok(rows) => return rows,
            Err(error) => assert!(Instant::now() < give_up, "{error}"),
        }
    }
}

#[tokio::test]
async fn a_locked_database_is_waited_for_until_the_deadline() {
    let shop = Shop::new();
    let database = shop.open(1);
    let count = database.check(COUNT).unwrap();
    shop.writer.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let started = Instant::now();
    let deadline = started + Duration::from_millis(60);
    assert_eq!(
        database
            .query(Query {
                deadline,
                ..ample(&count, &[])
            })
            .await,
        Err(QueryError::Deadline)
    );
    assert!(started.elapsed() < Duration::from_secs(1));
    let patient = tokio::spawn({
        let (database, query) = (database.clone(), ample(&count, &[]));
        async move { database.query(query).await }
    });
    tokio::task::yield_now().await;
    shop.writer.execute_batch("COMMIT").unwrap();
    assert_eq!(patient.await.unwrap().unwrap()[0]["n"], 3);
}

#[tokio::test]
async fn a_file_overwritten_with_rubbish_fails_and_heals_when_it_is_good_again() {
    let Shop {
        directory: _directory,
        path,
        writer,
    } = Shop::new();
    drop(writer);
    let database = Sqlite::open(&path, 1).unwrap();
    let count = database.check(COUNT).unwrap();
    assert_eq!(until_good(&database, &count).await[0]["n"], 3);
    let good = fs::read(&path).unwrap();
    fs::write(&path, vec![0x5a; good.len()]).unwrap();
    for _ in 0..3 {
        let error = database.query(ample(&count, &[])).await.unwrap_err();
        assert!(matches!(error, QueryError::Unusable(_)), "{error:?}");
    }
    fs::write(&path, &good).unwrap();
    assert_eq!(database.query(ample(&count, &[])).await.unwrap()[0]["n"], 3);
}

#[tokio::test]
async fn a_deleted_file_is_an_error_that_names_it_until_it_is_back() {
    let shop = Shop::new();
    let database = shop.open(1);
    let count = database.check(COUNT).unwrap();
    let good = fs::read(&shop.path).unwrap();
    fs::remove_file(&shop.path).unwrap();
    let error = database.query(ample(&count, &[])).await.unwrap_err();
    assert!(error.to_string().contains("no database file at"), "{error}");
    fs::write(&shop.path, good).unwrap();
    assert_eq!(database.query(ample(&count, &[])).await.unwrap()[0]["n"], 3);
}

#[tokio::test]
async fn a_file_replaced_by_renaming_is_served_from_the_next_query_on() {
    let (shop, other) = (Shop::new(), Shop::new());
    other
        .writer
        .execute("DELETE FROM products WHERE id > 1", [])
        .unwrap();
    let database = shop.open(2);
    assert_eq!(scalar(&database, COUNT, &[]).await, 3);
    drop(other.writer);
    let ready = shop.directory.path().join("next.db");
    fs::copy(&other.path, &ready).unwrap();
    fs::rename(&ready, &shop.path).unwrap();
    assert_eq!(scalar(&database, COUNT, &[]).await, 1);
    assert_eq!(scalar(&database, COUNT, &[]).await, 1);
}

#[tokio::test]
async fn columns_that_changed_since_the_check_are_never_mislabelled() {
    let shop = Shop::new();
    let database = shop.open(1);
    let all = database.check("SELECT * FROM products").unwrap();
    assert_eq!(database.query(ample(&all, &[])).await.unwrap().len(), 3);
    shop.writer
        .execute_batch("ALTER TABLE products RENAME COLUMN name TO label")
        .unwrap();
    assert_eq!(
        database.query(ample(&all, &[])).await,
        Err(QueryError::ColumnsChanged)
    );
    shop.writer
        .execute_batch("ALTER TABLE products RENAME COLUMN label TO name")
        .unwrap();
    assert_eq!(database.query(ample(&all, &[])).await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_name_that_is_not_utf8_is_an_error_and_the_thread_lives_on() {
    let shop = Shop::new();
    let database = shop.open(1);
    let all = database.check("SELECT * FROM products").unwrap();
    shop.writer
        .execute_batch(
            "PRAGMA writable_schema = 1;
             UPDATE sqlite_schema SET sql = replace(sql, 'price', CAST(x'ff' AS TEXT)) WHERE name = 'products';
             PRAGMA writable_schema = RESET; CREATE TABLE noticed (a);",
        )
        .unwrap();
    assert!(database.check("SELECT * FROM products").is_err());
    assert!(matches!(
        database.query(ample(&all, &[])).await,
        Err(QueryError::Engine(_))
    ));
    assert_eq!(
        scalar(&database, "SELECT name FROM products WHERE id = 1", &[]).await,
        "lamp"
    );
}

#[tokio::test]
async fn the_threads_end_with_the_last_clone() {
    let shop = Shop::new();
    let database = shop.open(2);
    let clone = database.clone();
    let Shared { queue, .. } = &*database.shared;
    let held: std::sync::Weak<Queue> = Arc::downgrade(queue);
    drop(database);
    assert_eq!(scalar(&clone, COUNT, &[]).await, 3);
    drop(clone);
    let give_up = Instant::now() + AMPLE;
    while held.strong_count() > 0 {
        assert!(Instant::now() < give_up, "the threads still run");
        std::thread::yield_now();
    }
}
