//! OAuth 2.0 protected resource metadata (RFC 9728): where clients learn whom to ask for a token.

use bytes::Bytes;
use http::Uri;
use serde_json::json;

use crate::tool::Catalog;

/// Where it stands on every host.
const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// The path of the document of the resource `base_url` + `/mcp`: the well-known one between the resource's host and its
/// path (RFC 9728 §3.1).
pub(super) fn path(base_url: &str) -> String {
    let url = base_url.parse::<Uri>();
    let base = url.as_ref().map_or("", Uri::path).trim_end_matches('/');
    format!("{WELL_KNOWN}{base}/mcp")
}

/// Its URL, which challenges name.
pub(super) fn url(base_url: &str) -> String {
    let path = path(base_url);
    let host = base_url.strip_suffix(&path[WELL_KNOWN.len()..path.len() - "/mcp".len()]);
    format!("{}{path}", host.unwrap_or(base_url))
}

/// The document, the same at the root path and at the path of `/mcp`: there is one resource.
pub(super) fn document(
    base_url: &str,
    catalog: &Catalog,
    authorization_servers: &[String],
) -> Bytes {
    let mut document = json!({"resource": format!("{base_url}/mcp")});
    // RFC 9728 §3.2: parameters without values are left out.
    let scopes = catalog.scopes();
    if !scopes.is_empty() {
        document["scopes_supported"] = json!(scopes);
    }
    document["bearer_methods_supported"] = json!(["header"]);
    if !authorization_servers.is_empty() {
        document["authorization_servers"] = json!(authorization_servers);
    }
    Bytes::from(document.to_string())
}
