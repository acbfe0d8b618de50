//! Our server and the official Rust SDK answer the same requests alike, but where a table says why not.
//!
//! The SDK is no authority, the specification is: each difference is looked up there, and stands in
//! [`known::DIFFERENCES`] with its section. A difference that is not in the table fails, and so does one in the
//! table that no longer exists. `docs/protocol.md` tells of all of them, in the same words.

#[path = "differential/known.rs"]
mod known;
#[path = "differential/official.rs"]
mod official;
#[path = "differential/requests.rs"]
mod requests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use requests::Case;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tollgate::testing::TestServer;
use tollgate::{CallContext, Resource, Tool, ToolError};

pub(crate) const REFUSAL: &str = "not on a Sunday";
const OUTCOME: &str = "outcome";
pub(crate) const ABOUT: &str = "open all day";

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Nothing {}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Name {
    name: String,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Greeting {
    greeting: String,
}

impl Greeting {
    pub(crate) fn of(name: Name) -> Self {
        Self {
            greeting: format!("Hello {}", name.name),
        }
    }
}

async fn ours() -> TestServer {
    let greet = async |_: CallContext, args: Name| Ok::<_, ToolError>(Greeting::of(args));
    let refuse = async |_: CallContext, _: Nothing| Err::<String, _>(ToolError::refused(REFUSAL));
    TestServer::start(|server| {
        let tool = |name: &str, what: &str| Tool::new(name, what).any_authenticated();
        server
            .tool(tool("greet", "Greets.").handler(greet))
            .tool(
                tool("numbers", "A list.")
                    .handler(async |_: CallContext, _: Nothing| Ok(vec![1, 2, 3])),
            )
            .tool(tool("refuse", "Says no.").handler(refuse))
            .resource(
                Resource::new("about://shop", "about")
                    .mime_type("text/plain")
                    .any_authenticated()
                    .handler(async |_: CallContext, _: Nothing| Ok(ABOUT.to_owned())),
            )
            // Refusals are the subject here.
            .denial_limit(None)
    })
    .await
}

/// An answer by its aspects, so that a difference is told by what differs.
type Aspects = BTreeMap<String, String>;

async fn answered(http: &reqwest::Client, url: &str, token: &str, case: &Case) -> Aspects {
    let method = case.http_method.parse().expect("a method");
    let mut request = http.request(method, url).bearer_auth(token);
    for (name, value) in &case.headers {
        request = request.header(name, value);
    }
    let response = request.body(case.body.clone()).send().await;
    let response = response.unwrap_or_else(|fault| panic!("{}: {fault:?}", case.name));
    let status = response.status().as_u16().to_string();
    let media = response.headers().get("content-type");
    let media = media
        .and_then(|value| value.to_str().ok())
        .unwrap_or("none");
    let media = media.split(';').next().unwrap_or_default().to_owned();
    let text = response.text().await.expect("the whole answer");
    let mut aspects = told(&media, &text);
    aspects.insert("status".to_owned(), status);
    aspects.insert("type".to_owned(), media);
    aspects
}

/// What the body says: its outcome, its id, and the members of a result.
fn told(media: &str, text: &str) -> Aspects {
    let mut aspects = Aspects::new();
    let mut tell = |aspect: &str, value: String| drop(aspects.insert(aspect.to_owned(), value));
    let last_event = || {
        text.lines()
            .rev()
            .find_map(|line| line.strip_prefix("data: "))
    };
    let message = match media {
        "text/event-stream" => last_event().unwrap_or_default(),
        _ => text,
    };
    let Ok(message) = serde_json::from_str::<Value>(message) else {
        let nature = if text.trim().is_empty() {
            "empty"
        } else {
            "text"
        };
        tell(OUTCOME, nature.to_owned());
        return aspects;
    };
    tell(
        "id",
        message
            .get("id")
            .map_or("none".to_owned(), Value::to_string),
    );
    let failed = message["result"]["isError"] == true;
    tell(
        OUTCOME,
        match message.get("error") {
            Some(error) => format!("error {}", error["code"]),
            None if failed => "result, isError".to_owned(),
            None => "result".to_owned(),
        },
    );
    for (member, value) in message["result"].as_object().into_iter().flatten() {
        let value = match member.as_str() {
            // What is said of a failure is for each server to choose.
            "content" if failed => "there".to_owned(),
            _ => essence(member, value),
        };
        tell(&format!("result.{member}"), value);
    }
    aspects
}

/// What of a member of a result is compared: names of what is listed, and that there are capabilities and hints.
fn essence(member: &str, value: &Value) -> String {
    let names = |key: &str| {
        let list = value.as_array().into_iter().flatten();
        list.map(|item| item[key].to_string())
            .collect::<Vec<_>>()
            .join(" ")
    };
    match member {
        "tools" => names("name"),
        "resources" => names("uri"),
        "_meta" | "capabilities" | "serverInfo" | "ttlMs" => "there".to_owned(),
        _ => value.to_string(),
    }
}

/// `aspect: ours | theirs`, for each aspect in which the two differ. Of two outcomes the members are not compared.
fn differences(ours: &Aspects, theirs: &Aspects) -> Vec<String> {
    let aspects: BTreeSet<_> = ours.keys().chain(theirs.keys()).collect();
    let value = |of: &Aspects, aspect: &str| of.get(aspect).map_or("-", String::as_str).to_owned();
    let alike = value(ours, OUTCOME) == value(theirs, OUTCOME);
    let compared =
        |aspect: &&&String| alike || !(aspect.starts_with("result.") || **aspect == "id");
    let differing = aspects.iter().filter(compared).filter_map(|aspect| {
        let (a, b) = (value(ours, aspect), value(theirs, aspect));
        (a != b).then(|| format!("{aspect}: {a} | {b}"))
    });
    differing.collect()
}

#[tokio::test]
async fn we_differ_from_the_official_sdk_only_where_a_table_says_why() {
    let server = ours().await;
    let token = server.token_for("acme", "ada", &[]);
    let (our_url, their_url) = (format!("{}/mcp", server.url()), official::start().await);
    let http = reqwest::Client::new();
    let mut known: BTreeMap<&str, &str> = BTreeMap::new();
    for (told, names) in known::DIFFERENCES.iter().flat_map(|group| group.told) {
        for name in *names {
            assert!(
                known.insert(name, told).is_none(),
                "twice in the table: {name}"
            );
        }
    }
    let (mut faults, mut everywhere, mut names) = (String::new(), 0, BTreeSet::new());
    for case in requests::all() {
        assert!(
            names.insert(case.name.clone()),
            "two requests: {}",
            case.name
        );
        let ours = answered(&http, &our_url, &token, &case).await;
        let theirs = answered(&http, &their_url, &token, &case).await;
        let mut found = differences(&ours, &theirs);
        let all = found.len();
        found.retain(|told| told != known::EVERYWHERE.0);
        everywhere += all - found.len();
        let (found, explained) = (
            found.join("; "),
            known.remove(case.name.as_str()).unwrap_or_default(),
        );
        if found != explained {
            let _ = writeln!(
                faults,
                "{}\n  found:    {found}\n  in table: {explained}",
                case.name
            );
        }
    }
    for name in known.keys() {
        let _ = writeln!(faults, "{name}\n  in the table, and no request");
    }
    assert!(faults.is_empty(), "ours | theirs\n{faults}");
    assert!(everywhere > 0, "no longer: {}", known::EVERYWHERE.0);
}

#[test]
fn the_documentation_tells_of_every_difference_in_the_same_words() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/protocol.md");
    let page = std::fs::read_to_string(page).expect("docs/protocol.md");
    let flat = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let page = flat(&page);
    let reasons = known::DIFFERENCES.iter().map(|group| group.why);
    let missing: Vec<_> = reasons
        .chain([known::EVERYWHERE.1])
        .filter(|why| !page.contains(&flat(why)))
        .collect();
    assert!(missing.is_empty(), "not in docs/protocol.md: {missing:#?}");
}
