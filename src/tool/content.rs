//! What an answer is made of besides one JSON value: texts, pictures, sound, resources (MCP
//! 2026-07-28, server/tools, "Tool Result").
//!
//! The types are written as they stand on the wire, so that a tool, a resource and a prompt share
//! them and the protocol front copies them as they are.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

/// One piece of an answer.
///
/// ```
/// use tollgate::{Annotations, Content, Role};
///
/// let picture = Content::image(b"\x89PNG", "image/png")
///     .annotations(Annotations::default().audience([Role::User]).priority(0.9));
/// assert_eq!(
///     serde_json::to_value(&picture).unwrap(),
///     serde_json::json!({
///         "type": "image", "data": "iVBORw==", "mimeType": "image/png",
///         "annotations": {"audience": ["user"], "priority": 0.9},
///     }),
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Content {
    #[serde(flatten)]
    kind: Kind,
    #[serde(skip_serializing_if = "Option::is_none")]
    annotations: Option<Annotations>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Kind {
    Text {
        text: String,
    },
    #[serde(rename_all = "camelCase")]
    Image {
        data: String,
        mime_type: String,
    },
    #[serde(rename_all = "camelCase")]
    Audio {
        data: String,
        mime_type: String,
    },
    ResourceLink(Link),
    Resource {
        resource: ResourceContents,
    },
}

impl Content {
    /// A text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::of(Kind::Text { text: text.into() })
    }

    /// A picture and its media type (RFC 6838), such as `image/png`.
    pub fn image(bytes: impl AsRef<[u8]>, mime_type: impl Into<String>) -> Self {
        Self::of(Kind::Image {
            data: STANDARD.encode(bytes),
            mime_type: mime_type.into(),
        })
    }

    /// Sound and its media type, such as `audio/wav`.
    pub fn audio(bytes: impl AsRef<[u8]>, mime_type: impl Into<String>) -> Self {
        Self::of(Kind::Audio {
            data: STANDARD.encode(bytes),
            mime_type: mime_type.into(),
        })
    }

    /// Where more can be read; it need not be in the list of resources.
    pub fn link(link: Link) -> Self {
        Self::of(Kind::ResourceLink(link))
    }

    /// A resource with what it holds, under its URI.
    pub fn embedded(uri: impl Into<String>, contents: ResourceContents) -> Self {
        Self::of(Kind::Resource {
            resource: contents.at(uri),
        })
    }

    /// Whom it is for and how much it matters.
    pub fn annotations(mut self, annotations: Annotations) -> Self {
        self.annotations = Some(annotations);
        self
    }

    fn of(kind: Kind) -> Self {
        Self {
            kind,
            annotations: None,
        }
    }
}

impl From<&str> for Content {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl From<String> for Content {
    fn from(text: String) -> Self {
        Self::text(text)
    }
}

/// A resource by its URI.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Link {
    uri: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mime_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
}

impl Link {
    /// A link with a short name.
    pub fn new(uri: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            uri: uri.into(),
            name: name.into(),
            title: None,
            description: None,
            mime_type: None,
            size: None,
        }
    }

    /// A name for people.
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = Some(title.into());
        self
    }

    /// What is there, for the model.
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// Its media type.
    pub fn mime_type(mut self, mime_type: impl Into<String>) -> Self {
        self.mime_type = Some(mime_type.into());
        self
    }

    /// Its size in bytes, before any encoding.
    pub fn size_bytes(mut self, size: u64) -> Self {
        self.size = Some(size);
        self
    }
}

/// What a resource holds: a text, or bytes.
///
/// A resource's handler may give one or several; what it leaves out, its URI and media type, is that
/// of the resource that was asked for.
///
/// ```
/// use tollgate::ResourceContents;
///
/// let logo = ResourceContents::blob(b"GIF89a").mime_type("image/gif").at("pictures://logo");
/// assert_eq!(
///     serde_json::to_value(&logo).unwrap(),
///     serde_json::json!({"uri": "pictures://logo", "mimeType": "image/gif", "blob": "R0lGODlh"}),
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ResourceContents {
    #[serde(skip_serializing_if = "Option::is_none")]
    uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mime_type: Option<String>,
    #[serde(flatten)]
    data: Data,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
enum Data {
    Text(String),
    Blob(String),
}

impl ResourceContents {
    /// A text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::of(Data::Text(text.into()))
    }

    /// Bytes, which go out as Base64.
    pub fn blob(bytes: impl AsRef<[u8]>) -> Self {
        Self::of(Data::Blob(STANDARD.encode(bytes)))
    }

    /// The URI it stands under.
    pub fn at(mut self, uri: impl Into<String>) -> Self {
        self.uri = Some(uri.into());
        self
    }

    /// Its media type.
    pub fn mime_type(mut self, mime_type: impl Into<String>) -> Self {
        self.mime_type = Some(mime_type.into());
        self
    }

    /// With what it does not say itself.
    pub(crate) fn or(&self, uri: &str, mime_type: &str) -> Self {
        let mut whole = self.clone();
        whole.uri.get_or_insert_with(|| uri.to_owned());
        whole.mime_type.get_or_insert_with(|| mime_type.to_owned());
        whole
    }

    fn of(data: Data) -> Self {
        Self {
            uri: None,
            mime_type: None,
            data,
        }
    }
}

/// Hints for clients: whom something is for, how much it matters, when it changed (MCP 2026-07-28,
/// server/resources, "Annotations").
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Annotations {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) audience: Vec<Role>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) priority: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) last_modified: Option<String>,
}

impl Annotations {
    /// Whom it is for.
    pub fn audience(mut self, audience: impl IntoIterator<Item = Role>) -> Self {
        self.audience = audience.into_iter().collect();
        self
    }

    /// How much it matters, from 0 (entirely optional) to 1 (as good as required).
    pub fn priority(mut self, priority: f64) -> Self {
        self.priority = Some(priority);
        self
    }

    /// When it last changed (RFC 3339), such as `2025-01-12T15:00:58Z`.
    pub fn last_modified(mut self, time: impl Into<String>) -> Self {
        self.last_modified = Some(time.into());
        self
    }
}

/// Who says or reads something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The person.
    User,
    /// The model.
    Assistant,
}
