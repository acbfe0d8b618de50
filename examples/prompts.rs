//! Prompts: texts that people pick by name, filled in with what they type; and suggestions while they
//! type.
//!
//! ```text
//! cargo run --example prompts
//! curl -s 'http://127.0.0.1:8080/mint-demo-jwt?scope=prompts:use'
//! ```

use std::net::{Ipv4Addr, SocketAddr};

use schemars::JsonSchema;
use serde::Deserialize;
use tollgate::server::{Server, ServerBuilder};
use tollgate::{
    CallContext, Content, Prompt, PromptMessage, PromptOutput, ResourceContents, Suggestions,
    ToolError, Typing,
};

/// Texts, since that is all the protocol carries; `Option` makes one that may be left out.
#[derive(Deserialize, JsonSchema)]
struct Review {
    /// The language of the code.
    #[schemars(length(max = 40))]
    language: String,
    /// What to look at most.
    focus: Option<String>,
}

/// One message of the user's, as the simplest answer.
async fn review(_call: CallContext, args: Review) -> Result<String, ToolError> {
    let focus = args.focus.as_deref().unwrap_or("correctness");
    Ok(format!("Review this {} code for {focus}.", args.language))
}

#[derive(Deserialize, JsonSchema)]
struct Trip {
    /// A country.
    country: String,
    /// A city in it.
    city: String,
}

/// A conversation that has begun: what the user gives, and how the model has answered.
async fn trip(_call: CallContext, args: Trip) -> Result<PromptOutput, ToolError> {
    let Trip { country, city } = args;
    let guide = ResourceContents::text(format!("{city}, {country}: see the old town."));
    let guide = Content::embedded(format!("guide://{city}"), guide.mime_type("text/plain"));
    let messages = [
        PromptMessage::user(guide),
        PromptMessage::assistant("I have read the guide. How many days do you have?"),
        PromptMessage::user("Two."),
    ];
    Ok(PromptOutput::new(messages).description(format!("A trip to {city}")))
}

/// What is filled in already narrows what is suggested.
async fn cities(_call: CallContext, typing: Typing) -> Result<Suggestions, ToolError> {
    let country = typing.others.get("country").and_then(|name| name.as_str());
    let cities: &[&str] = match country {
        Some("Italy") => &["Milano", "Napoli", "Roma"],
        Some("Switzerland") => &["Basel", "Bern", "Biel"],
        _ => &[],
    };
    let cities = cities.iter().copied();
    Ok(Suggestions::beginning_with(&typing.value, cities))
}

pub(crate) fn add_to(builder: ServerBuilder) -> ServerBuilder {
    builder
        .prompt(
            Prompt::new("review", "Asks for a review of code.")
                .title("Code review")
                .scope("prompts:use")
                .complete("language", async |_call, typing| {
                    let known = ["python", "perl", "rust"];
                    Ok(Suggestions::beginning_with(&typing.value, known))
                })
                .handler(review),
        )
        .prompt(
            Prompt::new("trip", "Plans a trip.")
                .scope("prompts:use")
                .complete("city", cities)
                .handler(trip),
        )
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port = std::env::args()
        .nth(1)
        .map_or(Ok(8080), |port| port.parse())?;
    // For trying out: anybody on this machine gets a token.
    let server = add_to(Server::builder()).dev_mode().build()?;
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
