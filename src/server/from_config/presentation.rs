//! What declared tools and resources tell clients of themselves: what the file says, and for tools
//! also what follows from what they run.

use http::Method;

use crate::config::{self, Backend};
use crate::tool::{Annotations, Icon, Resource, Role, Theme, Tool, ToolHints};

pub(super) fn present_tool(mut built: Tool, tool: &config::Tool) -> Tool {
    if let Some(title) = &tool.title {
        built = built.title(title);
    }
    let said = ToolHints {
        read_only: tool.annotations.read_only_hint,
        destructive: tool.annotations.destructive_hint,
        idempotent: tool.annotations.idempotent_hint,
        open_world: tool.annotations.open_world_hint,
    };
    let built = built.hints(said.or(by_nature(&tool.backend)));
    tool.icons.iter().map(icon).fold(built, Tool::icon)
}

/// What a statement or a request is by itself (RFC 9110 §9.2).
fn by_nature(backend: &Backend) -> ToolHints {
    let http = match backend {
        Backend::Sql(_) => {
            return ToolHints {
                read_only: Some(true),
                ..ToolHints::default()
            };
        }
        Backend::Http(http) => http,
    };
    let reads = matches!(http.method, Method::GET | Method::HEAD);
    let repeats = http.idempotent || matches!(http.method, Method::PUT | Method::DELETE);
    ToolHints {
        read_only: reads.then_some(true),
        // Of what changes nothing it says nothing.
        idempotent: (repeats && !reads).then_some(true),
        ..ToolHints::default()
    }
}

pub(super) fn present_resource(mut built: Resource, resource: &config::Resource) -> Resource {
    if let Some(title) = &resource.title {
        built = built.title(title);
    }
    if let Some(description) = &resource.description {
        built = built.description(description);
    }
    let said = &resource.annotations;
    let audience = said.audience.iter().map(|audience| match audience {
        config::Audience::User => Role::User,
        config::Audience::Assistant => Role::Assistant,
    });
    let mut annotations = Annotations::default().audience(audience);
    if let Some(priority) = said.priority {
        annotations = annotations.priority(priority);
    }
    if let Some(modified) = &said.last_modified {
        annotations = annotations.last_modified(modified);
    }
    built = built.annotations(annotations);
    if let Some(bytes) = resource.size {
        built = built.size(bytes);
    }
    resource.icons.iter().map(icon).fold(built, Resource::icon)
}

fn icon(icon: &config::Icon) -> Icon {
    let mut built = Icon::new(&icon.src);
    if let Some(mime_type) = &icon.mime_type {
        built = built.mime_type(mime_type);
    }
    if let Some(theme) = icon.theme {
        built = built.theme(match theme {
            config::Theme::Light => Theme::Light,
            config::Theme::Dark => Theme::Dark,
        });
    }
    icon.sizes.iter().fold(built, Icon::size)
}
