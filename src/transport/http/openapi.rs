//! `GET /openapi.json`: the REST gateway described for programs (OpenAPI 3.1).
//!
//! Shows the tools that the caller may call. In dev mode a caller without a token sees all of
//! them; elsewhere the description is as private as the tools are.

use std::net::IpAddr;

use bytes::Bytes;
use http::{Request, Response};
use serde_json::{Map, Value, json};

use super::HttpSurface;
use super::headers::credentials;
use super::outgoing::Outgoing;
use super::received::Received;
use super::respond::{self, Reply};
use crate::access::permits;
use crate::auth::Credentials;
use crate::record::Surface;
use crate::tool::{Access, Target, TargetKind, Terms, ToolFace};

impl HttpSurface {
    pub(super) async fn answer_openapi(
        &self,
        request: &Request<Received>,
        source: Option<IpAddr>,
    ) -> Response<Outgoing> {
        let mut call = self.pipeline.open(Surface::Rest);
        call.from_address(source);
        call.record.method("openapi");
        let credentials = credentials(request.headers());
        let principal = if self.dev.is_some() && matches!(credentials, Credentials::Missing) {
            None
        } else {
            match call.authenticate(&credentials).await {
                Ok(principal) => Some(principal),
                Err(error) => {
                    return respond::problem_of(&error, call.record.call_id())
                        .advice(&error, &self.challenge)
                        .build();
                }
            }
        };
        call.record.close_ok();
        if let Err(error) = call.record.settle().await {
            return respond::problem_of(&error, call.record.call_id()).build();
        }
        let targets = self.pipeline.catalog.targets().iter();
        let shown = targets.filter_map(|target| match &principal {
            Some(principal) if permits(target, principal) => {
                Some((&**target, target.terms(principal.tenant_key())))
            }
            Some(_) => None,
            None => Some((&**target, target.common_terms())).filter(|(_, terms)| terms.enabled()),
        });
        let document = document(&self.base_url, shown);
        Reply::ok(Bytes::from(document.to_string()))
            .call_id(call.record.call_id())
            .build()
    }
}

fn document<'a>(base_url: &str, targets: impl Iterator<Item = (&'a Target, &'a Terms)>) -> Value {
    let mut paths = Map::new();
    for (target, terms) in targets {
        if let TargetKind::Tool(face) = target.kind() {
            paths.insert(
                format!("/mcp/tool/{}", face.name),
                json!({"post": operation(target, terms, face)}),
            );
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Tollgate REST gateway",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Each tool is one operation. Every call is authenticated, authorized, rate-limited, validated, bounded in time and recorded.",
        },
        "servers": [{"url": base_url}],
        "paths": paths,
        "components": {
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
            "schemas": {"Problem": problem_schema()},
            "headers": {
                "Tollgate-Call-Id": {"description": "Names this call in the record.", "schema": {"type": "string", "format": "uuid"}},
                "Retry-After": {"description": "Seconds until another try makes sense.", "schema": {"type": "integer", "minimum": 0}},
            },
        },
    })
}

/// Alternatives: all the scopes that are needed, with one of those of which one is enough.
fn security(access: &Access) -> Value {
    let set = match access {
        Access::Scopes(set) => set,
        Access::AnyAuthenticated => return json!([{"bearer": []}]),
    };
    if set.any_of.is_empty() {
        return json!([{"bearer": set.all_of}]);
    }
    let with = |one: &String| {
        let scopes = [&set.all_of[..], std::slice::from_ref(one)].concat();
        json!({ "bearer": scopes })
    };
    set.any_of.iter().map(with).collect()
}

fn operation(target: &Target, terms: &Terms, face: &ToolFace) -> Value {
    let result = target.output().map_or_else(
        || json!({}),
        |schema| inlined(schema.json(), &face.name, "output"),
    );
    let mut responses = Map::new();
    responses.insert(
        "200".to_owned(),
        json!({
            "description": "The tool's answer.",
            "headers": {"Tollgate-Call-Id": {"$ref": "#/components/headers/Tollgate-Call-Id"}},
            "content": {"application/json": {"schema": {
                "type": "object",
                "required": ["ok", "result"],
                "properties": {"ok": {"const": true}, "result": result},
            }}},
        }),
    );
    for (status, description) in ERRORS {
        responses.insert((*status).to_owned(), error_response(description));
    }
    let confirms = terms.confirm().is_some();
    if confirms {
        let (status, description) = UNCONFIRMED;
        responses.insert(status.to_owned(), error_response(description));
    }
    let mut operation = json!({
        "operationId": face.name,
        "summary": face.title.as_ref().unwrap_or(&face.name),
        "description": face.description,
        // Scopes of a bearer scheme may be listed since OpenAPI 3.1 ("Security Requirement Object").
        "security": security(terms.access()),
        "requestBody": {
            "required": true,
            "content": {"application/json": {"schema": inlined(target.input().json(), &face.name, "input")}},
        },
        "responses": responses,
    });
    if confirms {
        operation["parameters"] = json!([{
            "name": "Tollgate-Confirmation",
            "in": "header",
            "description": "The `confirmation` of the answer that asked for it, of the same call; good once and for 5 minutes.",
            "schema": {"type": "string"},
        }]);
    }
    operation
}

/// A schema that stands inside another document must be a resource of its own, or its `$ref`s
/// would look for definitions at the document's root (JSON Schema 2020-12, section 8.2).
fn inlined(schema: &Value, tool: &str, side: &str) -> Value {
    let refers = schema.to_string().contains("\"$ref\"");
    let mut schema = schema.clone();
    if let Value::Object(object) = &mut schema
        && refers
    {
        let id = format!("urn:tollgate:schema:{tool}:{side}");
        object.entry("$id").or_insert_with(|| json!(id));
    }
    schema
}

fn error_response(description: &str) -> Value {
    json!({
        "description": description,
        "headers": {
            "Tollgate-Call-Id": {"$ref": "#/components/headers/Tollgate-Call-Id"},
            "Retry-After": {"$ref": "#/components/headers/Retry-After"},
        },
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    })
}

/// Each status the gateway answers a tool call with; the meanings stand in `error.rs`.
const ERRORS: &[(&str, &str)] = &[
    (
        "400",
        "The body is no JSON object, or breaks the tool's schema.",
    ),
    ("401", "No good bearer token."),
    (
        "403",
        "The token lacks scopes, or Host or Origin are not allowed.",
    ),
    ("404", "No such tool."),
    ("406", "The client takes no JSON."),
    ("408", "The body did not arrive in time."),
    ("413", "The body is too long."),
    ("415", "The body is not declared as JSON."),
    ("422", "The tool says no; the text says why."),
    ("429", "Too many calls."),
    ("500", "The tool failed unexpectedly."),
    ("502", "A system behind the tool failed."),
    (
        "503",
        "The server is busy or shutting down, or a system behind the tool is unavailable.",
    ),
    ("504", "The tool did not finish in time."),
];

/// What is answered besides, where calls may need confirmation.
const UNCONFIRMED: (&str, &str) = (
    "409",
    "The call needs confirmation: show `question` to whoever decides, and send the call again with `confirmation`.",
);

fn problem_schema() -> Value {
    json!({
        "description": "RFC 9457 problem details.",
        "type": "object",
        "required": ["type", "title", "status", "detail", "callId"],
        "properties": {
            "type": {"type": "string", "format": "uri"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "callId": {"type": "string", "format": "uuid"},
            "retryAfterMs": {"type": "integer", "description": "Until it is worth trying again, where waiting helps."},
            "question": {"type": "string", "description": "What to show to whoever confirms a call that needs it."},
            "confirmation": {"type": "string", "description": "What to send in the header Tollgate-Confirmation to confirm it."},
        },
    })
}
