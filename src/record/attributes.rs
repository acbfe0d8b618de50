//! What the span of a request tells, in the words of OpenTelemetry's conventions for MCP.
//!
//! The convention wants `error.type` to be the JSON-RPC code, or `tool_error` for a result that says
//! so; which error it was stands in `tollgate.error`, the same on every surface. It also wants
//! `mcp.resource.uri`: left out, since it holds arguments. Our template of it is there instead.

use std::cmp::Reverse;
use std::sync::Arc;

use opentelemetry::{KeyValue, Value};
use uuid::Uuid;

use super::{CallRecord, RequestFacts, Surface, names};
use crate::audit::TASK_METHOD;
use crate::error::{Outcome, Row, Told};
use crate::network::address_text;
use crate::quota::QuotaState;

pub(super) fn attributes(
    record: &CallRecord,
    request: RequestFacts,
    outcome: Outcome,
    error: Option<Row>,
    cause: Option<&str>,
) -> Vec<KeyValue> {
    let mut all = Attributes(Vec::with_capacity(24));
    all.add(names::OUTCOME, outcome.as_str());
    all.caller(record);
    all.target(record);
    all.quota(record, error);
    all.error(record, request.is_legacy, error, cause);
    all.request(record, request);
    all.0
}

struct Attributes(Vec<KeyValue>);

impl Attributes {
    fn add(&mut self, name: &'static str, value: impl Into<Value>) {
        self.0.push(KeyValue::new(name, value));
    }

    fn caller(&mut self, record: &CallRecord) {
        if let Some(principal) = &record.principal {
            self.add(names::TENANT, Arc::clone(principal.shared_tenant()));
            self.add(names::SUBJECT, Arc::clone(principal.shared_subject()));
        }
        if let Some(address) = record.origin.address {
            self.add(names::CLIENT_ADDRESS, address_text(address));
        }
    }

    fn target(&mut self, record: &CallRecord) {
        if let Some(method) = names::method(record.method) {
            self.add(names::METHOD, method);
        }
        if let Some((attribute, name)) = record.named_target() {
            self.add(attribute, Arc::clone(name));
        }
        if record.is_tool() {
            self.add(names::OPERATION, "execute_tool");
        }
    }

    /// What the quota said: of several limits the tightest one, by name.
    fn quota(&mut self, record: &CallRecord, error: Option<Row>) {
        if let Some(state) = tightest(&record.quota) {
            let exceeded = error.is_some_and(|row| row.kind == "quota-exceeded");
            self.add(names::QUOTA, if exceeded { "exceeded" } else { "admitted" });
            let limit = i64::from(state.limit.quota().burst_size());
            self.add(names::QUOTA_LIMIT, limit);
            self.add(names::QUOTA_REMAINING, i64::from(state.remaining));
            if record.quota.len() > 1 {
                self.add(names::QUOTA_POLICY, state.limit.policy_name());
            }
        }
        if record.uncounted {
            self.add(names::QUOTA, "uncounted");
        }
        if let Some(approval) = &record.approval {
            self.add(names::APPROVAL, approval.state);
        }
        if !record.would_deny.is_empty() {
            let reasons: Vec<String> = record.would_deny.iter().map(ToString::to_string).collect();
            self.add(names::WOULD_DENY, reasons.join(","));
        }
    }

    fn error(
        &mut self,
        record: &CallRecord,
        is_legacy: bool,
        error: Option<Row>,
        cause: Option<&str>,
    ) {
        let Some(row) = error else {
            return;
        };
        let is_mcp = matches!(record.surface, Surface::McpHttp | Surface::McpStdio);
        let method = match record.method {
            TASK_METHOD => "tools/call",
            method => method,
        };
        match row.told(method, is_legacy) {
            _ if !is_mcp => self.add(names::ERROR_TYPE, row.kind),
            Told::InResult => self.add(names::ERROR_TYPE, "tool_error"),
            Told::InError(code) => {
                self.add(names::ERROR_TYPE, code.to_string());
                self.add(names::RESPONSE_CODE, code.to_string());
            }
        }
        if record.surface == Surface::Rest {
            self.add(names::HTTP_STATUS, i64::from(row.rest_status));
        }
        self.add(names::ERROR, row.kind);
        if let Some(cause) = cause {
            self.add(names::CAUSE, cause.to_owned());
        }
    }

    fn request(&mut self, record: &CallRecord, request: RequestFacts) {
        for (name, value) in [
            (names::PROTOCOL_VERSION, request.protocol_version),
            (names::REQUEST_ID, request.request_id),
        ] {
            if let Some(value) = value {
                self.add(name, value);
            }
        }
        self.add(names::SURFACE, record.surface.name());
        self.add(names::TRANSPORT, transport(record.surface));
        if let Some(version) = record.origin.http_version {
            self.add(names::NETWORK_PROTOCOL, "http");
            self.add(names::NETWORK_VERSION, version);
        }
        let mut text = Uuid::encode_buffer();
        let call_id = record.call_id.hyphenated().encode_lower(&mut text);
        self.add(names::CALL_ID, call_id.to_owned());
    }
}

/// The transport under a surface.
fn transport(surface: Surface) -> &'static str {
    match surface {
        Surface::Rest | Surface::McpHttp => "tcp",
        Surface::McpStdio | Surface::Cli => "pipe",
    }
}

/// The limit that leaves the caller least, and of those the one that does so longest.
fn tightest(states: &[QuotaState]) -> Option<&QuotaState> {
    let calls_left = |state: &QuotaState| state.remaining / state.limit.taken_by_a_call();
    let strictness = |state: &&QuotaState| (calls_left(state), Reverse(state.reset));
    states.iter().min_by_key(strictness)
}
