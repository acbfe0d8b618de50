//! Who may read the admin listener, and what is there.

use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tollgate::testing::TestServer;
use tollgate::transport::http::Limits;

use super::{free_port, measured, scrape, tools};

/// Status and body of a request with any `Host`.
async fn get(server: &TestServer, path: &str, host: &str) -> (u16, Value) {
    let admin = server.admin_url().expect("an admin listener");
    let request = reqwest::Client::new().get(format!("{admin}{path}"));
    let response = request.header("host", host).send().await;
    let response = response.expect("an answer");
    let status = response.status().as_u16();
    let text = response.text().await.expect("a body");
    (
        status,
        serde_json::from_str(&text).unwrap_or(Value::String(text)),
    )
}

#[tokio::test]
async fn a_web_page_under_another_name_reads_no_numbers() {
    let server = measured(|server| server.public_url("https://tools.example.com")).await;
    for host in [
        "evil.example",
        "tools.example.com",
        "localhost.evil.example",
        "127.0.0.1.evil.example:9090",
        "localhost@evil.example",
        "",
    ] {
        let (status, body) = get(&server, "/metrics", host).await;
        assert_eq!(status, 403, "{host}: {body}");
    }
    for host in [
        "localhost",
        "LOCALHOST:1",
        "127.0.0.1:9090",
        "[::1]:9090",
        "10.1.2.3",
    ] {
        assert_eq!(get(&server, "/metrics", host).await.0, 200, "{host}");
    }
}

#[tokio::test]
async fn there_is_nothing_but_metrics_and_health() {
    let server = measured(|server| server).await;
    let probe = "any.name.at.all";
    assert_eq!(
        get(&server, "/healthz", probe).await,
        (200, json!({"status": "alive"}))
    );
    assert_eq!(
        get(&server, "/readyz", probe).await,
        (200, json!({"status": "ready"}))
    );
    for path in [
        "/",
        "/mcp",
        "/mcp/tool/hello",
        "/metrics/",
        "//metrics",
        "/Metrics",
        "/metrics%20",
    ] {
        assert_eq!(get(&server, path, "localhost").await.0, 404, "{path}");
    }
    let admin = server.admin_url().expect("an admin listener");
    let client = reqwest::Client::new();
    let post = client.post(format!("{admin}/metrics")).send().await;
    let post = post.expect("an answer");
    assert_eq!(
        (post.status().as_u16(), &post.headers()["allow"]),
        (405, &"GET, HEAD".parse().unwrap())
    );
    let head = client.head(format!("{admin}/healthz")).send().await;
    assert_eq!(head.expect("an answer").status(), 200);
}

#[tokio::test]
async fn numbers_are_not_on_the_listener_of_the_calls() {
    let server = measured(|server| server).await;
    let response = reqwest::get(format!("{}/metrics", server.url())).await;
    assert_eq!(response.expect("an answer").status(), 404);
}

#[tokio::test]
async fn silent_connections_are_bounded_and_do_not_last() {
    let server = measured(|server| server).await;
    let address = server.admin_url().unwrap().trim_start_matches("http://");
    let mut silent = Vec::new();
    for _ in 0..64 {
        silent.push(TcpStream::connect(address).await.expect("a connection"));
    }
    let mut refused = TcpStream::connect(address).await.expect("a connection");
    // Closed without a word, and at once.
    assert_eq!(refused.read(&mut [0; 8]).await.unwrap_or(0), 0);
    drop(silent);
    let url = format!("http://{address}/healthz");
    for _ in 0..10_000 {
        if reqwest::get(&url)
            .await
            .is_ok_and(|answer| answer.status() == 200)
        {
            return;
        }
    }
    panic!("the places are not given back");
}

#[tokio::test]
async fn connections_for_which_there_is_no_place_are_counted() {
    let limits = Limits {
        max_connections: 0,
        ..Limits::default()
    };
    let server = measured(|server| server.limits(limits)).await;
    let address = server.url().trim_start_matches("http://");
    for _ in 0..3 {
        let mut refused = TcpStream::connect(address).await.expect("a connection");
        let mut answer = String::new();
        let _ = refused.read_to_string(&mut answer).await;
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    }
    let numbers = scrape(&server).await;
    let refused = numbers.value("tollgate_connections_refused_total", &[]);
    assert_eq!(refused, 3.0);
}

#[tokio::test]
async fn without_an_admin_listener_there_is_none() {
    let started = tokio::sync::mpsc::unbounded_channel().0;
    let server = TestServer::start(|server| tools(server, started)).await;
    assert_eq!(server.admin_url(), None);
}

#[tokio::test]
async fn dev_mode_shows_its_numbers_to_this_machine_alone() {
    let server = tollgate::server::Server::builder()
        .dev_mode()
        .admin_listen(([0, 0, 0, 0], 0).into())
        .build()
        .expect("a server");
    let refused = server.bind(free_port()).await.err().expect("a refusal");
    assert!(
        refused
            .to_string()
            .contains("dev mode must not be reachable")
    );
}
