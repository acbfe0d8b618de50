//! From an issuer's name to the URL of its keys: OpenID Connect Discovery 1.0 §4 and RFC 8414 §3.
//!
//! The metadata must name the issuer character for character (RFC 8414 §3.3), otherwise one tenant
//! of a shared identity provider could speak for another. It may point to another host for the
//! keys; that host was named by a document and not by the operator, so it must be a public one.

use reqwest::Url;
use serde_json::{Map, Value};

use super::KeySourceError;
use crate::auth::fetch::{FetchError, Fetcher, Reach, is_this_machine, trusted_url};

/// Finds the key set's URL, and how far to trust its host.
pub(super) async fn jwks_uri(
    name: &str,
    issuer: &Url,
    fetcher: &Fetcher,
) -> Result<(Url, Reach), KeySourceError> {
    let mut failure = KeySourceError::NoJwksUri;
    for candidate in candidates(issuer) {
        match fetcher.get_json(&candidate, Reach::Configured).await {
            Ok(answer) if answer.document.get("issuer").and_then(Value::as_str) == Some(name) => {
                return trusted(&answer.document, issuer);
            }
            Ok(_) => failure = KeySourceError::OtherIssuer,
            // Not served there; maybe at the next place. The clearest reason is kept.
            Err(error @ (FetchError::NotThere | FetchError::NotJson)) => {
                if failure != KeySourceError::OtherIssuer {
                    failure = error.into();
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err(failure)
}

/// Where metadata may be: as OpenID Connect appends it, and as RFC 8414 §3.1 inserts it before the
/// path, by either name.
fn candidates(issuer: &Url) -> Vec<Url> {
    let path = issuer.path().trim_end_matches('/');
    let appended = format!("{path}/.well-known/openid-configuration");
    let inserted = format!("/.well-known/oauth-authorization-server{path}");
    let both = format!("/.well-known/openid-configuration{path}");
    let mut paths = vec![appended, inserted, both];
    if path.is_empty() {
        paths.truncate(2);
    }
    let at = |path: &String| {
        let mut url = issuer.clone();
        url.set_path(path);
        url
    };
    paths.iter().map(at).collect()
}

fn trusted(metadata: &Map<String, Value>, issuer: &Url) -> Result<(Url, Reach), KeySourceError> {
    let uri = metadata.get("jwks_uri").and_then(Value::as_str);
    let uri = uri
        .and_then(trusted_url)
        // Plain http is for an issuer that is itself on this machine by plain http.
        .filter(|uri| uri.scheme() == "https" || issuer.scheme() == "http")
        .ok_or(KeySourceError::NoJwksUri)?;
    let is_neighbour = is_this_machine(issuer) && is_this_machine(&uri);
    let reach = if uri.host_str() == issuer.host_str() || is_neighbour {
        Reach::Configured
    } else {
        Reach::Public
    };
    Ok((uri, reach))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(issuer: &str) -> Vec<String> {
        let issuer = trusted_url(issuer).unwrap();
        candidates(&issuer).iter().map(Url::to_string).collect()
    }

    #[test]
    fn metadata_is_looked_for_where_the_standards_put_it() {
        for issuer in ["https://h.example", "https://h.example/"] {
            assert_eq!(
                places(issuer),
                [
                    "https://h.example/.well-known/openid-configuration",
                    "https://h.example/.well-known/oauth-authorization-server",
                ]
            );
        }
        for issuer in ["https://h.example/realms/a", "https://h.example/realms/a/"] {
            assert_eq!(
                places(issuer),
                [
                    "https://h.example/realms/a/.well-known/openid-configuration",
                    "https://h.example/.well-known/oauth-authorization-server/realms/a",
                    "https://h.example/.well-known/openid-configuration/realms/a",
                ]
            );
        }
    }

    #[test]
    fn keys_on_another_host_than_the_issuers_must_be_public() {
        let reach = |issuer: &str, uri: &str| {
            let metadata = serde_json::json!({ "jwks_uri": uri });
            let issuer = trusted_url(issuer).unwrap();
            trusted(metadata.as_object().unwrap(), &issuer).map(|(_, reach)| reach)
        };
        let refused = Err(KeySourceError::NoJwksUri);
        for (issuer, uri, expected) in [
            (
                "https://h.example/",
                "https://h.example/k",
                Ok(Reach::Configured),
            ),
            (
                "https://h.example/",
                "https://h.example:8443/k",
                Ok(Reach::Configured),
            ),
            (
                "https://h.example/",
                "https://k.example/k",
                Ok(Reach::Public),
            ),
            (
                "https://h.example/",
                "https://127.0.0.1/k",
                Ok(Reach::Public),
            ),
            ("https://h.example/", "http://h.example/k", refused),
            ("https://h.example/", "http://127.0.0.1/k", refused),
            ("https://h.example/", "file:///etc/passwd", refused),
            ("https://h.example/", "https://u:p@h.example/k", refused),
            (
                "http://127.0.0.1:1/",
                "http://localhost:2/k",
                Ok(Reach::Configured),
            ),
            ("http://127.0.0.1:1/", "http://k.example/k", refused),
            (
                "http://127.0.0.1:1/",
                "https://k.example/k",
                Ok(Reach::Public),
            ),
        ] {
            assert_eq!(reach(issuer, uri), expected, "{issuer} {uri}");
        }
    }
}
