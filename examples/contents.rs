//! What a tool can answer with: a typed value, one piece of content, or several of every kind with a
//! value beside them.
//!
//! ```text
//! cargo run --example contents
//! curl -s 'http://127.0.0.1:8080/mint-demo-jwt?scope=weather:read'
//! ```

use std::net::{Ipv4Addr, SocketAddr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tollgate::server::{Server, ServerBuilder};
use tollgate::{
    Annotations, CallContext, Content, Link, ResourceContents, Role, Tool, ToolError, ToolOutput,
};

#[derive(Deserialize, JsonSchema)]
struct Station {
    /// A weather station, such as "zermatt".
    station: String,
}

#[derive(Serialize, JsonSchema)]
struct Reading {
    station: String,
    celsius: f64,
}

fn reading_of(station: &str) -> Result<Reading, ToolError> {
    match station {
        "zermatt" => Ok(Reading {
            station: station.to_owned(),
            celsius: -2.5,
        }),
        _ => Err(ToolError::not_found(format!("no station {station}"))),
    }
}

/// One value. Its type gives the output schema; models read it as JSON in a text.
async fn reading(_call: CallContext, args: Station) -> Result<Reading, ToolError> {
    reading_of(&args.station)
}

/// One piece of content, here a picture that is for the person rather than for the model.
async fn camera(_call: CallContext, args: Station) -> Result<Content, ToolError> {
    reading_of(&args.station)?;
    let for_people = Annotations::default().audience([Role::User]).priority(0.8);
    Ok(Content::image(PIXEL, "image/png").annotations(for_people))
}

/// Several pieces, and the same as a value for programs. `Tool::output` says which value that is, since
/// the type `ToolOutput` does not.
async fn report(_call: CallContext, args: Station) -> Result<ToolOutput, ToolError> {
    let reading = reading_of(&args.station)?;
    let (station, celsius) = (&reading.station, reading.celsius);
    // What a resource holds, under its URI, without another request.
    let hours = ResourceContents::text(format!("hour,celsius\n6,{celsius}\n"));
    let hours = Content::embedded(
        format!("weather://{station}/hours"),
        hours.mime_type("text/csv"),
    );
    // Where more is, for those who want it.
    let archive = Link::new(format!("weather://{station}/archive"), "archive")
        .title("Readings since 1982")
        .mime_type("text/csv")
        .size_bytes(1_400_000);
    Ok(ToolOutput::content([
        Content::text(format!("{celsius} °C at {station}")),
        Content::audio(SILENCE, "audio/wav"),
        hours,
        Content::link(archive),
    ])
    .with_structured(json!(reading)))
}

pub(crate) fn add_to(builder: ServerBuilder) -> ServerBuilder {
    let tool = |name: &str, description: &str| Tool::new(name, description).scope("weather:read");
    builder
        .tool(tool("reading", "The temperature at a station.").handler(reading))
        .tool(tool("camera", "What a station's camera sees.").handler(camera))
        .tool(
            tool("report", "All that is known of a station.")
                .output::<Reading>()
                .handler(report),
        )
}

/// One red pixel.
const PIXEL: &[u8] = &[
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 0x0d, 0x49, 0x48, 0x44, 0x52, 0, 0, 0,
    1, 0, 0, 0, 1, 8, 2, 0, 0, 0, 0x90, 0x77, 0x53, 0xde, 0, 0, 0, 0x0c, 0x49, 0x44, 0x41, 0x54, 8,
    0xd7, 0x63, 0xf8, 0xcf, 0xc0, 0, 0, 3, 1, 1, 0, 0x18, 0xdd, 0x8d, 0xb0, 0, 0, 0, 0, 0x49, 0x45,
    0x4e, 0x44, 0xae, 0x42, 0x60, 0x82,
];

/// A WAV file without a sample.
const SILENCE: &[u8] =
    b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0data\0\0\0\0";

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
