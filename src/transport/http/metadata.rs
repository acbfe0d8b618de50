//! OAuth 2.0 protected resource metadata (RFC 9728): where clients learn whom to ask for a token.

use bytes::Bytes;
use serde_json::json;

use crate::tool::Catalog;

/// The document, the same at the root path and at the path of `/mcp`: there is one resource.
pub(super) fn document(
    base_url: &str,
    catalog: &Catalog,
    authorization_servers: &[String],
) -> Bytes {
    let mut document = json!({
        "resource": format!("{base_url}/mcp"),
        "scopes_supported": catalog.scopes(),
        "bearer_methods_supported": ["header"],
    });
    // RFC 9728 §3.2: parameters without values are left out.
    if !authorization_servers.is_empty() {
        document["authorization_servers"] = json!(authorization_servers);
    }
    Bytes::from(document.to_string())
}
