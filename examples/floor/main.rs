//! The floor that `scripts/bench` measures us against: what any Rust program pays to answer this call.
//!
//! Plain axum reads a `tools/call` body, its `_meta` included, and answers an object of the size of
//! our `get_customer` answer: no authentication, no quota, no schema, no record. It is written as
//! a user of axum would write it, so that the ratio to it is the price of governance and nothing else.
//! Run with `cargo run --release --example floor -- --port 8080`; port 0 lets the system choose. With
//! `--sql FILE` the customer comes from that SQLite file, asked in the handler itself: the floor for
//! a tool declared in SQL. With `--record best-effort` or `--record strict` each call is put on record: the
//! floor for an audit log. With `--stdio` each line of stdin comes back on stdout as it is: the floor
//! for anything that speaks in lines.

mod record;

use std::error::Error;
use std::io::{BufRead, Write};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::routing::post;
use axum::serve::ListenerExt;
use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::net::TcpListener;

use record::Recorder;

/// A JSON-RPC request, modern (with `_meta`) or legacy.
#[derive(Deserialize)]
struct Envelope {
    jsonrpc: String,
    id: Value,
    method: String,
    params: Params,
}

#[derive(Deserialize)]
struct Params {
    name: String,
    arguments: Arguments,
    #[serde(rename = "_meta")]
    meta: Option<Meta>,
}

#[derive(Deserialize)]
struct Arguments {
    customer_id: String,
}

#[derive(Deserialize)]
#[expect(
    dead_code,
    reason = "the floor pays for reading every field and uses few"
)]
struct Meta {
    #[serde(rename = "io.modelcontextprotocol/protocolVersion")]
    protocol_version: String,
    #[serde(rename = "io.modelcontextprotocol/clientCapabilities")]
    client_capabilities: Map<String, Value>,
    #[serde(rename = "io.modelcontextprotocol/clientInfo")]
    client_info: Option<Info>,
}

#[derive(Deserialize, Serialize)]
struct Info {
    name: String,
    version: String,
}

#[derive(Serialize)]
struct Answer {
    jsonrpc: &'static str,
    id: Value,
    result: CallResult,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CallResult {
    result_type: &'static str,
    content: [Text; 1],
    structured_content: Customer,
    is_error: bool,
    #[serde(rename = "_meta")]
    meta: AnswerMeta,
}

#[derive(Serialize)]
struct Text {
    r#type: &'static str,
    text: String,
}

#[derive(Serialize)]
struct Customer {
    id: String,
    name: String,
    tier: String,
}

/// The database, if there is one. One connection is enough for one core.
type Shop = Option<Arc<Mutex<Connection>>>;

/// What calls have to do with.
#[derive(Clone, Default)]
struct Floor {
    shop: Shop,
    recorder: Option<Recorder>,
}

#[derive(Serialize)]
struct AnswerMeta {
    #[serde(rename = "io.modelcontextprotocol/serverInfo")]
    server_info: Info,
}

/// Sends each line back, until there are no more.
fn echo() -> std::io::Result<()> {
    let (mut input, mut output) = (std::io::stdin().lock(), std::io::stdout().lock());
    let mut line = Vec::new();
    while input.read_until(b'\n', &mut line)? > 0 {
        output.write_all(&line)?;
        output.flush()?;
        line.clear();
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    if std::env::args().nth(1).as_deref() == Some("--stdio") {
        return Ok(echo()?);
    }
    let mut port = 0;
    let mut floor = Floor::default();
    let mut arguments = std::env::args().skip(1);
    while let Some(flag) = arguments.next() {
        match (flag.as_str(), arguments.next()) {
            ("--port", Some(value)) => port = value.parse()?,
            ("--sql", Some(file)) => {
                floor.shop = Some(Arc::new(Mutex::new(Connection::open(file)?)));
            }
            ("--record", Some(how)) => floor.recorder = Some(Recorder::start(how == "strict")?),
            _ => {
                return Err("usage: floor [--port N] [--sql FILE] [--record HOW] | --stdio".into());
            }
        }
    }
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    eprintln!("listening on http://{}", listener.local_addr()?);
    // A socket that refuses the option still answers, only later: no reason to drop the caller.
    let listener = listener.tap_io(|stream| stream.set_nodelay(true).unwrap_or_default());
    axum::serve(
        listener,
        Router::new().route("/mcp", post(call)).with_state(floor),
    )
    .await?;
    Ok(())
}

async fn call(State(floor): State<Floor>, body: Bytes) -> Result<(HeaderMap, Vec<u8>), StatusCode> {
    let request: Envelope = serde_json::from_slice(&body).map_err(|_| StatusCode::BAD_REQUEST)?;
    if !is_understood(&request) {
        return Err(StatusCode::NOT_FOUND);
    }
    let answer = serde_json::to_vec(&answer(request, &floor.shop)?);
    if let Some(recorder) = &floor.recorder {
        recorder.record(&body).await;
    }
    let mut headers = HeaderMap::new();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    Ok((
        headers,
        answer.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?,
    ))
}

fn is_understood(request: &Envelope) -> bool {
    let meta = request.params.meta.as_ref();
    request.jsonrpc == "2.0"
        && request.method == "tools/call"
        && request.params.name == "get_customer"
        && meta.is_none_or(|meta| meta.protocol_version == "2026-07-28")
}

fn customer(id: String, shop: &Shop) -> Option<Customer> {
    let Some(shop) = shop else {
        let (name, tier) = ("Jane Doe".into(), "gold".into());
        return Some(Customer { id, name, tier });
    };
    let shop = shop.lock().ok()?;
    let query = "SELECT id, name, tier FROM customers WHERE tenant = ?1 AND id = ?2";
    let mut statement = shop.prepare_cached(query).ok()?;
    let row = statement.query_row(["acme", &id], |row| {
        let (id, name, tier) = (row.get(0)?, row.get(1)?, row.get(2)?);
        Ok(Customer { id, name, tier })
    });
    row.ok()
}

fn answer(request: Envelope, shop: &Shop) -> Result<Answer, StatusCode> {
    let id = request.params.arguments.customer_id;
    let customer = customer(id, shop).ok_or(StatusCode::NOT_FOUND)?;
    let text = serde_json::to_string(&customer).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok(Answer {
        jsonrpc: "2.0",
        id: request.id,
        result: CallResult {
            result_type: "complete",
            content: [Text {
                r#type: "text",
                text,
            }],
            structured_content: customer,
            is_error: false,
            meta: AnswerMeta {
                server_info: Info {
                    name: "tollgate".into(),
                    version: env!("CARGO_PKG_VERSION").into(),
                },
            },
        },
    })
}
