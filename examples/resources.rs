//! Resources: a single one, a template with suggestions, bytes, several parts; and word to subscribers
//! when one changes.
//!
//! ```text
//! cargo run --example resources
//! curl -s 'http://127.0.0.1:8080/mint-demo-jwt?scope=notes:read&scope=notes:write'
//! ```

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use schemars::JsonSchema;
use serde::Deserialize;
use tollgate::server::{Server, ServerBuilder};
use tollgate::{
    CallContext, Resource, ResourceContents, ResourceUpdates, Suggestions, Tool, ToolError,
    ToolOutput, Typing,
};

/// Everybody's notes, per tenant, and whom to tell when one changes.
#[derive(Default)]
pub(crate) struct Notes {
    texts: Mutex<BTreeMap<(String, String), String>>,
    updates: ResourceUpdates,
}

impl Notes {
    fn texts(&self) -> MutexGuard<'_, BTreeMap<(String, String), String>> {
        self.texts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn of(&self, tenant: &str) -> Vec<(String, String)> {
        let texts = self.texts();
        let ours = texts.iter().filter(|((whose, _), _)| whose == tenant);
        ours.map(|((_, id), text)| (id.clone(), text.clone()))
            .collect()
    }
}

#[derive(Deserialize, JsonSchema)]
struct NoArgs {}

/// The variables of the template `notes://{id}`.
#[derive(Deserialize, JsonSchema)]
struct NoteId {
    #[schemars(regex(pattern = "^[a-z0-9-]{1,40}$"))]
    id: String,
}

/// A text: the resource's media type says which kind.
async fn note(notes: Arc<Notes>, call: CallContext, args: NoteId) -> Result<String, ToolError> {
    let key = (call.principal().tenant().to_owned(), args.id);
    let found = notes.texts().get(&key).cloned();
    found.ok_or_else(|| ToolError::not_found("no such note"))
}

/// Several parts, each under a URI of its own.
async fn all(notes: Arc<Notes>, call: CallContext, _: NoArgs) -> Result<ToolOutput, ToolError> {
    let ours = notes.of(call.principal().tenant());
    let parts = ours
        .into_iter()
        .map(|(id, text)| ResourceContents::text(text).at(format!("notes://{id}")));
    Ok(ToolOutput::resource(parts))
}

/// Bytes.
async fn logo(_call: CallContext, _: NoArgs) -> Result<ResourceContents, ToolError> {
    Ok(ResourceContents::blob(b"GIF89a\x01\0\x01\0\0\0\0;"))
}

/// The ids of this tenant's notes, and no others'.
async fn ids(
    notes: Arc<Notes>,
    call: CallContext,
    typing: Typing,
) -> Result<Suggestions, ToolError> {
    let ours = notes.of(call.principal().tenant());
    let ids = ours.iter().map(|(id, _)| id.as_str());
    Ok(Suggestions::beginning_with(&typing.value, ids))
}

#[derive(Deserialize, JsonSchema)]
struct Write {
    #[schemars(regex(pattern = "^[a-z0-9-]{1,40}$"))]
    id: String,
    text: String,
}

/// Changes a note, and tells those who subscribed to it. Only the URI goes out.
async fn write(notes: Arc<Notes>, call: CallContext, args: Write) -> Result<String, ToolError> {
    let (tenant, uri) = (call.principal().tenant(), format!("notes://{}", args.id));
    notes
        .texts()
        .insert((tenant.to_owned(), args.id), args.text);
    // Other tenants have a note of that URI, too, and it did not change.
    notes.updates.updated_for(tenant, &uri);
    Ok(uri)
}

pub(crate) fn add_to(builder: ServerBuilder, notes: &Arc<Notes>) -> ServerBuilder {
    let known = Arc::clone(notes);
    builder
        .resource_updates(notes.updates.clone())
        .resource(
            Resource::new("notes://all", "all")
                .description("Every note.")
                .mime_type("text/plain")
                .scope("notes:read")
                .handler_with(Arc::clone(notes), all),
        )
        .resource(
            Resource::new("notes://{id}", "note")
                .description("One note.")
                .mime_type("text/plain")
                .scope("notes:read")
                .complete("id", move |call, typing| ids(known.clone(), call, typing))
                .handler_with(Arc::clone(notes), note),
        )
        .resource(
            Resource::new("pictures://logo", "logo")
                .mime_type("image/gif")
                .size(14)
                .any_authenticated()
                .handler(logo),
        )
        .tool(
            Tool::new("write_note", "Writes a note.")
                .scope("notes:write")
                .handler_with(Arc::clone(notes), write),
        )
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
