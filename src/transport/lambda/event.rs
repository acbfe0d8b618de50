//! HTTP requests as AWS Lambda has them: of a function URL or an HTTP API (payload format 2.0), a REST API (1.0) and an
//! Application Load Balancer; and the answers to each.
//!
//! Only what is needed is read. A reader would ask for the crate that makes requests of events: it builds URLs of
//! `Host` and panics on those that are none, and a request that is refused must be on record like any other. Queries
//! are left out: no route that is served here has one.

use std::collections::BTreeMap;
use std::net::IpAddr;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Uri};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::error::EdgeError;
use crate::transport::http::{MAX_HEADERS, forwarded_address};

type Headers<T> = Option<BTreeMap<String, T>>;

/// An event.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Event {
    request_context: RequestContext,
    /// 2.0.
    raw_path: Option<String>,
    /// The others.
    path: Option<String>,
    http_method: Option<String>,
    headers: Headers<String>,
    multi_value_headers: Headers<Vec<String>>,
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RequestContext {
    stage: Option<String>,
    /// 2.0.
    http: Option<Http>,
    /// A REST API.
    identity: Option<Identity>,
    /// A load balancer.
    elb: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Http {
    method: String,
    source_ip: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Identity {
    source_ip: Option<String>,
}

/// Who sent an event, and so how its answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Front {
    /// A function URL or an HTTP API.
    Http,
    /// A REST API.
    Rest,
    /// A load balancer.
    Balancer,
}

/// Why an event is no request.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoRequest {
    #[error("the event is no HTTP request of a function URL, an API Gateway or a load balancer")]
    Kind,
    #[error("the event's body is no base64")]
    Body,
}

/// What an event asks.
pub(super) struct Asked {
    pub(super) front: Front,
    /// The request, or what the edge holds against it before it is one.
    pub(super) request: Result<Request<Bytes>, EdgeError>,
    /// The caller, as the service in front saw it.
    pub(super) caller: Option<IpAddr>,
}

impl Event {
    /// Reads it.
    pub(super) fn asked(self) -> Result<Asked, NoRequest> {
        let RequestContext {
            stage,
            http,
            identity,
            elb,
        } = self.request_context;
        let front = match (&http, &elb, &identity) {
            (Some(_), _, _) => Front::Http,
            (None, Some(_), _) => Front::Balancer,
            (None, None, Some(_)) => Front::Rest,
            (None, None, None) => return Err(NoRequest::Kind),
        };
        let headers = headers(self.headers, self.multi_value_headers);
        let (method, path, told) = match http {
            Some(http) => (Some(http.method), self.raw_path, http.source_ip),
            None => (
                self.http_method,
                self.path,
                identity.and_then(|is| is.source_ip),
            ),
        };
        let (Some(method), Some(path)) = (method, path) else {
            return Err(NoRequest::Kind);
        };
        let caller = match front {
            // It appends whom it heard from to what the client wrote.
            Front::Balancer => headers.as_ref().ok().and_then(last_forwarded),
            _ => told.and_then(|told| forwarded_address(&told)),
        };
        let body = match (self.body, self.is_base64_encoded) {
            (None, _) => Bytes::new(),
            (Some(text), false) => Bytes::from(text),
            (Some(text), true) => {
                Bytes::from(BASE64_STANDARD.decode(text).map_err(|_| NoRequest::Body)?)
            }
        };
        // An HTTP API names its stage in the path, a REST API does not.
        let request = headers.and_then(|headers| {
            let stage = stage.filter(|_| front == Front::Http);
            let target = target(&path, stage.as_deref()).ok_or(EdgeError::NoRoute)?;
            let method = Method::from_bytes(method.as_bytes()).map_err(|_| EdgeError::NoRoute)?;
            let mut request = Request::new(body);
            *request.method_mut() = method;
            *request.uri_mut() = target;
            *request.headers_mut() = headers;
            Ok(request)
        });
        Ok(Asked {
            front,
            request,
            caller,
        })
    }
}

/// The path alone. It may have been decoded on the way: what then would be more than a path is no path of ours.
fn target(path: &str, stage: Option<&str>) -> Option<Uri> {
    let within = stage.and_then(|stage| path.strip_prefix('/')?.strip_prefix(stage));
    let path = within.filter(|path| path.starts_with('/')).unwrap_or(path);
    if !path.starts_with('/') || path.contains(['?', '#']) {
        return None;
    }
    PathAndQuery::try_from(path).ok().map(Uri::from)
}

/// Where there are lists they are all of them. What is no header is left out, as if it had not been sent.
///
/// # Errors
/// More than over HTTP.
fn headers(
    single: Headers<String>,
    multiple: Headers<Vec<String>>,
) -> Result<HeaderMap, EdgeError> {
    let multiple = multiple.filter(|headers| !headers.is_empty());
    let all: Vec<(String, String)> = match (multiple, single) {
        (Some(multiple), _) => multiple
            .into_iter()
            .flat_map(|(name, values)| values.into_iter().map(move |value| (name.clone(), value)))
            .collect(),
        (None, single) => single.into_iter().flatten().collect(),
    };
    if all.len() > MAX_HEADERS {
        return Err(EdgeError::TooManyHeaders);
    }
    let mut headers = HeaderMap::with_capacity(all.len());
    for (name, value) in all {
        let name = HeaderName::from_bytes(name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value.as_bytes())) {
            headers.append(name, value);
        }
    }
    Ok(headers)
}

fn last_forwarded(headers: &HeaderMap) -> Option<IpAddr> {
    let last = headers.get_all("x-forwarded-for").iter().next_back()?;
    forwarded_address(last.to_str().ok()?.rsplit(',').next()?)
}

/// The answer as `front` takes it. Bodies are texts; one that is none goes as base64.
pub(super) fn told(response: Response<Bytes>, front: Front) -> Value {
    let (head, body) = response.into_parts();
    let mut lists = Map::new();
    for name in head.headers.keys() {
        let values = head.headers.get_all(name).iter();
        let values: Vec<_> = values
            .map(|value| String::from_utf8_lossy(value.as_bytes()))
            .collect();
        lists.insert(name.to_string(), json!(values));
    }
    // Each once (RFC 9110 §5.3).
    let joined: Map<_, _> = lists
        .iter()
        .map(|(name, values)| {
            let values = values.as_array().into_iter().flatten();
            let values: Vec<_> = values.filter_map(Value::as_str).collect();
            (name.clone(), values.join(", ").into())
        })
        .collect();
    let (body, is_base64) = match std::str::from_utf8(&body) {
        Ok(text) => (text.to_owned(), false),
        Err(_) => (BASE64_STANDARD.encode(&body), true),
    };
    let mut told = json!({
        "statusCode": head.status.as_u16(),
        "body": body,
        "isBase64Encoded": is_base64,
    });
    // A REST API would put both together, a load balancer looks at one or the other.
    if front != Front::Rest {
        told["headers"] = joined.into();
    }
    if front != Front::Http {
        told["multiValueHeaders"] = lists.into();
    }
    if front == Front::Balancer {
        let reason = head.status.canonical_reason().unwrap_or_default();
        told["statusDescription"] = format!("{} {reason}", head.status.as_u16()).into();
    }
    told
}
