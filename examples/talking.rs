//! Tools that talk with their client before they answer: progress, log messages, questions to the
//! user, to the client's model and for its folders; and what ends with a call that is cancelled.
//!
//! ```text
//! cargo run --example talking
//! curl -s 'http://127.0.0.1:8080/mint-demo-jwt?scope=house:use'
//! ```
//!
//! A call that asks runs again from the top in the era of 2026-07-28, once the client comes back with
//! the answers, and waits for them in the era before. So a function asks first and acts then, and
//! [`CallContext::remember`]s what must be the same the second time: [`book`] shows how.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::sleep;
use tollgate::server::{Server, ServerBuilder};
use tollgate::{
    CallContext, Capability, LogLevel, Progress, Question, Reply, SampleRequest, Tool, ToolError,
};

/// A restaurant.
#[derive(Default)]
pub(crate) struct House {
    offers: AtomicU32,
    pub(crate) bookings: AtomicU32,
    /// Those that cook at the moment.
    pub(crate) kitchens: AtomicUsize,
}

#[derive(Deserialize, JsonSchema)]
struct Dish {
    /// How many minutes it takes.
    #[schemars(range(max = 600))]
    minutes: u32,
}

/// Tells how far it is, and what happens on the way.
async fn cook(house: Arc<House>, call: CallContext, args: Dish) -> Result<String, ToolError> {
    let _busy = Busy::begin(&house.kitchens);
    call.log(LogLevel::Info, "the oven is hot");
    for minute in 0..args.minutes {
        let progress = Progress::new(f64::from(minute)).total(f64::from(args.minutes));
        call.progress(progress.message("cooking"));
        // A call that is cancelled, or out of time, ends at an `await`; there is no flag to look at.
        sleep(Duration::from_millis(10)).await;
    }
    let told = json!({"minutes": args.minutes});
    call.log_from("oven", LogLevel::Notice, told);
    Ok("done".to_owned())
}

/// Ends with the call, however that ends: the future is dropped, and this with it.
struct Busy<'a>(&'a AtomicUsize);

impl<'a> Busy<'a> {
    fn begin(busy: &'a AtomicUsize) -> Self {
        busy.fetch_add(1, Ordering::SeqCst);
        Self(busy)
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[derive(Deserialize, JsonSchema)]
struct Party {
    /// How many come.
    guests: u32,
}

/// What is offered before the user says yes.
#[derive(Serialize, Deserialize)]
struct Offer {
    table: u32,
}

/// Asks the user, and books only then.
async fn book(house: Arc<House>, call: CallContext, args: Party) -> Result<String, ToolError> {
    // The same table the second time, if there is one: the client carries it, sealed.
    let offer = match call.remembered::<Offer>() {
        Some(offer) => offer,
        None => Offer {
            table: 1 + house.offers.fetch_add(1, Ordering::SeqCst),
        },
    };
    call.remember(&offer)?;
    let form = json!({
        "type": "object",
        "properties": {"phone": {"type": "string", "minLength": 3}},
        "required": ["phone"],
    });
    let message = format!(
        "Table {} for {}. Your phone number?",
        offer.table, args.guests
    );
    let reply = call.elicit("contact", &message, form).await?;
    if !reply.is_accepted() {
        return Err(ToolError::refused("The user does not want the table"));
    }
    // After the last question: nothing below happens twice. What was filled in fits the form.
    house.bookings.fetch_add(1, Ordering::SeqCst);
    let phone = reply.content.get("phone").and_then(Value::as_str);
    Ok(format!("table {}, {}", offer.table, phone.unwrap_or("")))
}

#[derive(Deserialize, JsonSchema)]
struct Menu {
    /// The dishes, one a line.
    dishes: String,
}

/// Has the client's model write, where there is one that can be asked.
async fn advertise(call: CallContext, args: Menu) -> Result<String, ToolError> {
    if !call.can(Capability::Sampling) {
        return Ok(format!("Today: {}", args.dishes.replace('\n', ", ")));
    }
    let request = SampleRequest::new(100)
        .system("You write one line for a restaurant's window.")
        .user(args.dishes)
        .with("temperature", 0.7);
    let said = call.sample("line", request).await?;
    // Another's model wrote this: text to show, and nothing to act by.
    Ok(said.text().unwrap_or_default().to_owned())
}

#[derive(Deserialize, JsonSchema)]
struct NoArgs {}

/// Asks several questions at once, so that the client answers them in one go.
async fn plan(call: CallContext, _: NoArgs) -> Result<String, ToolError> {
    let form = json!({"type": "object", "properties": {"day": {"type": "string"}}});
    let questions = [
        ("day", Question::form("Which day?", form)),
        ("folders", Question::roots()),
    ];
    let replies = call.ask(questions).await?;
    let Some(Reply::Form(day)) = replies.get("day") else {
        return Err(ToolError::refused("No day"));
    };
    let Some(Reply::Roots(folders)) = replies.get("folders") else {
        return Err(ToolError::refused("No folders"));
    };
    let folders: Vec<&str> = folders.iter().map(|folder| folder.uri.as_str()).collect();
    Ok(format!("{}: {}", json!(day.content), folders.join(" ")))
}

/// Sends the user to a page for what must not pass through the client, such as a card's number. A
/// client that says yes has shown the page; whether anything was paid there only the page's server
/// knows.
async fn pay(call: CallContext, _: NoArgs) -> Result<String, ToolError> {
    let id = call.call_id().to_string();
    let page = format!("https://pay.example.com/{id}");
    let question = Question::url("Please pay on this page.", page, id);
    match call.ask([("page", question)]).await?.get("page") {
        Some(Reply::Form(reply)) if reply.is_accepted() => Ok("shown".to_owned()),
        _ => Err(ToolError::refused("The user does not want to pay")),
    }
}

pub(crate) fn add_to(builder: ServerBuilder, house: &Arc<House>) -> ServerBuilder {
    let tool = |name: &str, description: &str| Tool::new(name, description).scope("house:use");
    builder
        .tool(tool("cook", "Cooks.").handler_with(Arc::clone(house), cook))
        .tool(
            tool("book", "Books a table.")
                // Of each run; in the era before 2026-07-28 the user's time counts as well.
                .timeout(Duration::from_secs(300))
                .handler_with(Arc::clone(house), book),
        )
        .tool(tool("advertise", "Writes a line.").handler(advertise))
        .tool(tool("plan", "Plans a feast.").handler(plan))
        .tool(tool("pay", "Has the user pay.").handler(pay))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port = std::env::args()
        .nth(1)
        .map_or(Ok(8080), |port| port.parse())?;
    // For trying out: anybody on this machine gets a token.
    let server = add_to(Server::builder(), &Arc::default())
        .dev_mode()
        .build()?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let bound = server.bind(address).await?;
    eprintln!("listening on http://{}", bound.local_addr());
    bound
        .serve(async {
            let _ = tokio::signal::ctrl_c().await;
        })
        .await;
    Ok(())
}
