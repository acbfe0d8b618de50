//! When a query stops: caps, deadlines, callers that leave, a full queue.

use super::*;
use tokio::sync::oneshot;

use super::super::queue::{Job, Queue};
use super::super::worker::Worker;

/// Well under any deadline used here, well over what stopping takes.
const SOON: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_result_over_its_row_cap_is_an_error_and_stops_there() {
    let shop = Shop::new();
    let database = shop.open(1);
    let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n";
    let statement = database.check(endless).unwrap();
    let refused = database
        .query(Query {
            max_rows: 10,
            ..ample(&statement, &[])
        })
        .await;
    assert_eq!(refused, Err(QueryError::TooManyRows { limit: 10 }));
    let three = database.check("SELECT id FROM products").unwrap();
    assert_eq!(
        database
            .query(Query {
                max_rows: 3,
                ..ample(&three, &[])
            })
            .await
            .unwrap()
            .len(),
        3
    );
    let refused = database
        .query(Query {
            max_rows: 2,
            ..ample(&three, &[])
        })
        .await;
    assert_eq!(refused, Err(QueryError::TooManyRows { limit: 2 }));
}

#[tokio::test]
async fn a_result_over_its_byte_cap_is_an_error() {
    let shop = Shop::new();
    let database = shop.open(1);
    let big = database.check("SELECT zeroblob(10000000) AS a").unwrap();
    assert_eq!(
        database.query(ample(&big, &[])).await,
        Err(QueryError::TooLarge { limit: 1 << 20 })
    );
    let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i, 'padding' AS p FROM n";
    let statement = database.check(endless).unwrap();
    let refused = database
        .query(Query {
            max_rows: usize::MAX,
            ..ample(&statement, &[])
        })
        .await;
    assert_eq!(refused, Err(QueryError::TooLarge { limit: 1 << 20 }));
    let beyond_the_engine = database.check("SELECT zeroblob(1000000000) AS a").unwrap();
    assert!(matches!(
        database.query(ample(&beyond_the_engine, &[])).await,
        Err(QueryError::TooLarge { .. })
    ));
}

#[tokio::test]
async fn the_bytes_counted_are_those_of_the_json_or_a_little_more() {
    let shop = Shop::new();
    let database = shop.open(1);
    let sql = "SELECT 0 AS a, -9223372036854775808 AS b, 9223372036854775807 AS c, 99 AS d, 100 AS e,
               -2.2250738585072014e-308 AS f, 'a\"\\' || char(1, 10) AS g, x'0102030405' AS h, NULL AS \"i\"\"\", '' AS j
               FROM products";
    let statement = database.check(sql).unwrap();
    let rows = database.query(ample(&statement, &[])).await.unwrap();
    let exact = serde_json::to_string(&rows).unwrap().len();
    let under = database
        .query(Query {
            max_bytes: exact - 2,
            ..ample(&statement, &[])
        })
        .await;
    assert_eq!(under, Err(QueryError::TooLarge { limit: exact - 2 }));
    assert!(
        database
            .query(Query {
                max_bytes: exact + 100,
                ..ample(&statement, &[])
            })
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn a_runaway_query_ends_at_its_deadline_and_frees_the_thread() {
    let shop = Shop::new();
    let database = shop.open(1);
    let statement = database.check(RUNAWAY).unwrap();
    let started = Instant::now();
    let deadline = started + Duration::from_millis(50);
    let refused = database
        .query(Query {
            deadline,
            ..ample(&statement, &[])
        })
        .await;
    assert_eq!(refused, Err(QueryError::Deadline));
    assert_eq!(scalar(&database, "SELECT 1 AS one", &[]).await, 1);
    assert!(started.elapsed() < SOON, "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_caller_that_leaves_frees_the_thread() {
    let shop = Shop::new();
    let database = shop.open(1);
    let statement = database.check(RUNAWAY).unwrap();
    let started = Instant::now();
    let left = tokio::time::timeout(
        Duration::from_millis(50),
        database.query(ample(&statement, &[])),
    )
    .await;
    assert!(left.is_err());
    assert_eq!(scalar(&database, "SELECT 1 AS one", &[]).await, 1);
    assert!(started.elapsed() < SOON, "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_query_that_waits_for_a_thread_gives_up_at_its_deadline() {
    let shop = Shop::new();
    let database = shop.open(1);
    let runaway = database.check(RUNAWAY).unwrap();
    let point = database.check("SELECT 1 AS one").unwrap();
    let busy = tokio::spawn({
        let database = database.clone();
        async move { database.query(ample(&runaway, &[])).await }
    });
    tokio::task::yield_now().await;
    let started = Instant::now();
    let deadline = started + Duration::from_millis(30);
    assert_eq!(
        database
            .query(Query {
                deadline,
                ..ample(&point, &[])
            })
            .await,
        Err(QueryError::Deadline)
    );
    assert!(started.elapsed() < SOON);
    busy.abort();
}

#[test]
fn a_query_whose_time_is_over_or_whose_caller_left_is_not_started() {
    let shop = Shop::new();
    let statement = shop.open(1).check("SELECT id FROM products").unwrap();
    let mut worker = Worker::open(shop.path.clone()).unwrap();
    // A started query would open a connection anew.
    worker.connection = None;
    let (reply, mut answer) = oneshot::channel();
    worker.serve(Job {
        query: Query {
            deadline: Instant::now(),
            ..ample(&statement, &[])
        },
        reply,
    });
    assert_eq!(answer.try_recv(), Ok(Err(QueryError::Deadline)));
    assert!(worker.connection.is_none());
    let (reply, answer) = oneshot::channel();
    drop(answer);
    worker.serve(Job {
        query: ample(&statement, &[]),
        reply,
    });
    assert!(worker.connection.is_none());
    let (reply, mut answer) = oneshot::channel();
    worker.serve(Job {
        query: ample(&statement, &[]),
        reply,
    });
    assert_eq!(answer.try_recv().unwrap().unwrap().len(), 3);
    assert!(worker.connection.is_some());
}

#[tokio::test]
async fn a_full_queue_says_so_at_once_and_forgets_those_who_left() {
    let shop = Shop::new();
    let database = shop.open(1);
    let runaway = database.check(RUNAWAY).unwrap();
    let mut waiting = tokio::task::JoinSet::new();
    let give_up = Instant::now() + AMPLE;
    // The thread takes the first out of the queue when it likes, so fill up until there is no room.
    loop {
        for _ in 0..80 {
            let (database, query) = (database.clone(), ample(&runaway, &[]));
            waiting.spawn(async move { database.query(query).await });
        }
        for _ in 0..80 {
            tokio::task::yield_now().await;
        }
        let started = Instant::now();
        let deadline = started + Duration::from_millis(20);
        let probe = Query {
            deadline,
            ..ample(&runaway, &[])
        };
        if database.query(probe).await == Err(QueryError::Busy) {
            break;
        }
        assert!(started < give_up, "the queue never fills");
    }
    let started = Instant::now();
    waiting.shutdown().await;
    assert_eq!(scalar(&database, "SELECT 1 AS one", &[]).await, 1);
    assert!(started.elapsed() < SOON);
}

#[tokio::test]
async fn a_statement_that_hangs_leaves_the_others_a_thread_and_room_to_wait() {
    let shop = Shop::new();
    let database = shop.open(3);
    let runaway = database.check(RUNAWAY).unwrap();
    let quick = database.check("SELECT 1 AS one").unwrap();
    let mut hanging = tokio::task::JoinSet::new();
    // More than there is room for: the last ones are refused.
    for _ in 0..3 * 64 {
        let (database, query) = (database.clone(), ample(&runaway, &[]));
        hanging.spawn(async move { database.query(query).await });
    }
    while hanging.len() > 2 + 3 * 64 / 2 {
        let refused = hanging.join_next().await.unwrap().unwrap();
        assert_eq!(refused, Err(QueryError::Busy));
    }
    for _ in 0..100 {
        let rows = database.query(ample(&quick, &[])).await.unwrap();
        assert_eq!(rows[0]["one"], 1);
    }
    assert_eq!(hanging.len(), 2 + 3 * 64 / 2, "they still hang");
    hanging.shutdown().await;
}

#[test]
fn statements_take_turns_and_one_never_holds_all_threads() {
    let shop = Shop::new();
    let database = shop.open(1);
    let many = database.check("SELECT 1 AS one").unwrap();
    let few = database.check("SELECT 2 AS two").unwrap();
    let queue = Queue::new(3, 64);
    let mut waiting = Vec::new();
    let mut push = |statement: &Arc<Statement>| {
        let (reply, answer) = oneshot::channel();
        waiting.push(answer);
        let query = ample(statement, &[]);
        assert!(queue.push(Job { query, reply }));
    };
    let sql = |job: Option<Job>| job.unwrap().query.statement.sql.clone();
    // Alone on its database, a statement may have all threads.
    for _ in 0..3 {
        push(&many);
    }
    let jobs = [queue.pop(None), queue.pop(None), queue.pop(None)];
    let lane = jobs[0].as_ref().unwrap().lane();

    queue.add_statement();
    queue.add_statement();
    for statement in [&many, &many, &few, &few] {
        push(statement);
    }
    // Three of `many` run still; it has to make way first.
    assert_eq!(sql(queue.pop(None)), "SELECT 2 AS two");
    assert_eq!(sql(queue.pop(Some(lane))), "SELECT 2 AS two");
    assert_eq!(sql(queue.pop(Some(lane))), "SELECT 1 AS one");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_callers_on_few_threads_each_get_their_own_answer() {
    let shop = Shop::new();
    let database = shop.open(2);
    let statement = database.check("SELECT :v AS v").unwrap();
    let mut callers = tokio::task::JoinSet::new();
    for caller in 0..32 {
        let (database, statement) = (database.clone(), Arc::clone(&statement));
        callers.spawn(async move {
            for turn in 0..50 {
                let rows = database
                    .query(ample(&statement, &[json!(caller * 100 + turn)]))
                    .await
                    .unwrap();
                assert_eq!(rows[0]["v"], caller * 100 + turn);
            }
        });
    }
    while let Some(caller) = callers.join_next().await {
        caller.unwrap();
    }
}
