//! The HTTP request of a tool or a resource: which one, what fills it, and the limits of its answer.
//!
//! A reader would ask why paths and names are not checked here: of a resource only its URI template tells the
//! names; whoever builds the request reports faults through [`Http::origin`].

use std::collections::BTreeMap;

use http::Method;

use super::document::At;
use super::faults::{Faults, Origin};
use super::header_names;
use super::raw::{RawHttp, RawHttpResult, RawMethod, RawNames};
use super::source::{Source, check_name};

/// A request and the limits of its answer.
#[derive(Debug, Clone)]
pub struct Http {
    /// A name that is in [`super::Config::sources`], of an HTTP API.
    pub source: String,
    /// GET, HEAD, POST, PUT, PATCH or DELETE.
    pub method: Method,
    /// What follows the source's URL, unchecked.
    pub path: String,
    /// Names in the query, and the inputs behind them, unchecked.
    pub query: Vec<(String, String)>,
    /// Members of the body, and the inputs behind them, unchecked; `None`: no body. POST, PUT and PATCH only.
    pub body: Option<Vec<(String, String)>>,
    /// Headers, each once, and the bound names behind them, which are unchecked.
    pub headers: Vec<(String, String)>,
    /// Whether an answer is text, and not JSON.
    pub text: bool,
    /// Largest answer in bytes, 1 to 64 MiB, default 1 MiB.
    pub max_bytes: usize,
    /// Whether it may be tried again.
    pub idempotent: bool,
    /// Where the request is written, for faults that show later.
    pub origin: Origin,
}

pub(super) fn check(
    raw: RawHttp,
    sources: &BTreeMap<String, Source>,
    at: &At<'_>,
    faults: &mut Faults,
) -> Http {
    check_name(&raw.source, sources, "http", &at.key("source"), faults);
    header_names::check(raw.headers.keys(), &at.key("headers"), faults);
    let method = match raw.method {
        RawMethod::Get => Method::GET,
        RawMethod::Head => Method::HEAD,
        RawMethod::Post => Method::POST,
        RawMethod::Put => Method::PUT,
        RawMethod::Patch => Method::PATCH,
        RawMethod::Delete => Method::DELETE,
    };
    let reads = matches!(method, Method::GET | Method::HEAD);
    if raw.body.is_some() && (reads || method == Method::DELETE) {
        let message = "has an effect with POST, PUT and PATCH only; put the arguments into `query`";
        at.key("body").fault(faults, message);
    }
    Http {
        source: raw.source,
        path: raw.path,
        query: raw.query.map(pairs).unwrap_or_default(),
        body: raw.body.map(pairs),
        headers: raw.headers.into_iter().collect(),
        text: matches!(raw.result, RawHttpResult::Text),
        max_bytes: raw.max_bytes,
        idempotent: raw.idempotent.unwrap_or(reads),
        origin: at.origin(),
        method,
    }
}

fn pairs(raw: RawNames) -> Vec<(String, String)> {
    match raw {
        RawNames::Same(names) => names.into_iter().map(|name| (name.clone(), name)).collect(),
        RawNames::Named(names) => names.into_iter().collect(),
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Backend;
    use crate::config::testing::{faults, good};

    fn tool(http: &str) -> String {
        format!(
            "sources: {{crm: {{http: 'https://crm.example.com'}}, shop: {{sqlite: a}}}}\ntools:\n  t:\n    description: d\n    anyAuthenticated: true\n    http: {http}\n"
        )
    }

    #[test]
    fn a_request_is_a_get_of_json_that_may_be_tried_again() {
        let config = good(&tool("{source: crm, path: /a, query: {q: text}}"));
        let Backend::Http(http) = &config.tools[0].backend else {
            panic!("HTTP")
        };
        assert_eq!((http.method.as_str(), http.path.as_str()), ("GET", "/a"));
        assert_eq!(http.query, [("q".to_owned(), "text".to_owned())]);
        assert!(http.idempotent && !http.text && http.body.is_none());
        assert_eq!(http.max_bytes, 1 << 20);
        let config = good(&tool("{source: crm, method: PUT, path: /a, body: [text]}"));
        let Backend::Http(http) = &config.tools[0].backend else {
            panic!("HTTP")
        };
        assert!(!http.idempotent);
        assert_eq!(http.body.as_ref().map(Vec::len), Some(1));
    }

    #[test]
    fn a_request_goes_to_an_http_api_and_a_statement_to_a_database() {
        assert_eq!(
            faults(&tool(
                "{source: shop, path: /a, body: [a], headers: {'': a}}"
            )),
            [
                "tollgate.yaml:6: tools.t.http.body: has an effect with POST, PUT and PATCH only; put the arguments into `query`",
                "tollgate.yaml:6: tools.t.http.headers.\"\": is no name of a header, such as Authorization or X-Api-Key",
                "tollgate.yaml:6: tools.t.http.source: names a source without `http`; those that have it: crm",
            ]
        );
        let sql = tool("").replace(
            "http: \n",
            "sql: {source: crm, statement: SELECT 1, result: one}\n",
        );
        assert_eq!(
            faults(&sql),
            [
                "tollgate.yaml:6: tools.t.sql.source: names a source without `sqlite`; those that have it: shop"
            ]
        );
    }
}
