//! The attribute names spans carry, in one place.
//!
//! The standard ones are OpenTelemetry's semantic conventions for MCP, generative AI and RPC
//! (status: development), written out here because the conventions moved repositories and the
//! names are still moving. Ours start with `tollgate.`.

pub(super) const METHOD: &str = "mcp.method.name";
pub(super) const PROTOCOL_VERSION: &str = "mcp.protocol.version";
pub(super) const RESOURCE_URI_TEMPLATE: &str = "tollgate.resource.template";
pub(super) const REQUEST_ID: &str = "jsonrpc.request.id";
pub(super) const RESPONSE_CODE: &str = "rpc.response.status_code";
pub(super) const ERROR_TYPE: &str = "error.type";
pub(super) const HTTP_STATUS: &str = "http.response.status_code";
pub(super) const CLIENT_ADDRESS: &str = "client.address";
pub(super) const NETWORK_PROTOCOL: &str = "network.protocol.name";
pub(super) const NETWORK_VERSION: &str = "network.protocol.version";
pub(super) const TRANSPORT: &str = "network.transport";
pub(super) const TOOL: &str = "gen_ai.tool.name";
pub(super) const PROMPT: &str = "gen_ai.prompt.name";
pub(super) const OPERATION: &str = "gen_ai.operation.name";

pub(super) const CALL_ID: &str = "tollgate.call.id";
pub(super) const SURFACE: &str = "tollgate.surface";
pub(super) const TENANT: &str = "tollgate.tenant";
pub(super) const SUBJECT: &str = "tollgate.subject";
/// Which error, by the name that problem documents give it.
pub(super) const ERROR: &str = "tollgate.error";
pub(super) const CAUSE: &str = "tollgate.cause";
pub(super) const OUTCOME: &str = "tollgate.outcome";
/// What in shadow mode would have refused, such as `scopes,rules[0],rateLimit`.
pub(super) const WOULD_DENY: &str = "tollgate.would_deny";
/// What came of the approval that a call needs.
pub(super) const APPROVAL: &str = "tollgate.approval";
pub(super) const APPROVALS: &str = "tollgate.approvals";
pub(super) const QUOTA: &str = "tollgate.quota.decision";
/// Which limit, where a target has several.
pub(super) const QUOTA_POLICY: &str = "tollgate.quota.policy";
pub(super) const QUOTA_LIMIT: &str = "tollgate.quota.limit";
pub(super) const QUOTA_REMAINING: &str = "tollgate.quota.remaining";

/// The conventions' histogram of how long requests take, in seconds.
pub(super) const DURATION: &str = "mcp.server.operation.duration";
pub(super) const CALLS: &str = "tollgate.calls";
pub(super) const IN_FLIGHT: &str = "tollgate.calls.in_flight";
pub(super) const TENANTS: &str = "tollgate.tenants.in_flight";
pub(super) const TARGET_RUNNING: &str = "tollgate.target.calls.running";
pub(super) const TARGET_WAITING: &str = "tollgate.target.calls.waiting";
pub(super) const LISTENERS: &str = "tollgate.listeners";
pub(super) const TASKS: &str = "tollgate.tasks";
pub(super) const SHADOW_DENIALS: &str = "tollgate.shadow_denials";
pub(super) const UNAUTHENTICATED: &str = "tollgate.unauthenticated";
pub(super) const EDGE_REFUSALS: &str = "tollgate.edge.refusals";
pub(super) const CONNECTIONS_REFUSED: &str = "tollgate.connections.refused";
pub(super) const CONNECTIONS_CUT: &str = "tollgate.connections.cut";
pub(super) const UNSENT: &str = "tollgate.answers.unsent";
pub(super) const CERTIFICATE_LOADS: &str = "tollgate.certificate.loads";
pub(super) const FAILING_SOURCES: &str = "tollgate.failure_limit.sources";
pub(super) const UNCOUNTED_FAILURES: &str = "tollgate.failure_limit.uncounted";
pub(super) const DENIED_CALLERS: &str = "tollgate.denial_limit.callers";
pub(super) const UNCOUNTED_DENIALS: &str = "tollgate.denial_limit.uncounted";
pub(super) const KEYS_USABLE: &str = "tollgate.issuer.keys.usable";
pub(super) const KEYS_AGE: &str = "tollgate.issuer.keys.age";
pub(super) const KEYS_FAILURES: &str = "tollgate.issuer.keys.failures";
pub(super) const CONFIG_RELOADS: &str = "tollgate.config.reloads";
pub(super) const CONFIG_CURRENT: &str = "tollgate.config.current";
pub(super) const CONFIG_GENERATION: &str = "tollgate.config.generation";
pub(super) const QUOTA_STORE_UP: &str = "tollgate.quota.store.up";
pub(super) const QUOTA_STORE_TRANSITIONS: &str = "tollgate.quota.store.transitions";
pub(super) const QUOTA_STORE_LATENCY: &str = "tollgate.quota.store.duration";
pub(super) const QUOTA_DECISIONS: &str = "tollgate.quota.decisions";
pub(super) const BREAKER_STATE: &str = "tollgate.source.breaker.state";
pub(super) const BREAKER_TRANSITIONS: &str = "tollgate.source.breaker.transitions";
pub(super) const SOURCE_RETRIES: &str = "tollgate.source.retries";
pub(super) const BUILD_INFO: &str = "tollgate.build.info";
pub(super) const CALLS_LIMIT: &str = "tollgate.calls.limit";
pub(super) const CACHE_LOOKUPS: &str = "tollgate.cache.lookups";
pub(super) const QUOTA_BUCKETS: &str = "tollgate.quota.buckets";
pub(super) const QUOTA_BUCKETS_LIMIT: &str = "tollgate.quota.buckets.limit";
pub(super) const EXPORTS: &str = "tollgate.exporter.exports";
pub(super) const SPANS_LOST: &str = "tollgate.exporter.spans.lost";
pub(super) const EXPORTER_UP: &str = "tollgate.exporter.up";
pub(super) const AUDIT_UP: &str = "tollgate.audit.up";
pub(super) const AUDIT_QUEUED: &str = "tollgate.audit.queued";
pub(super) const AUDIT_LAG: &str = "tollgate.audit.lag";
pub(super) const AUDIT_SEQUENCE: &str = "tollgate.audit.sequence";
pub(super) const AUDIT_LINES: &str = "tollgate.audit.lines";
pub(super) const AUDIT_DROPPED: &str = "tollgate.audit.dropped";
pub(super) const AUDIT_SYNCS: &str = "tollgate.audit.syncs";
pub(super) const AUDIT_SYNCING: &str = "tollgate.audit.syncing";
pub(super) const LOG_LINES_LOST: &str = "tollgate.log.lines_lost";
/// Those of the process have Prometheus' names (client libraries, "Process metrics"), which
/// dashboards know.
pub(super) const PROCESS_START: &str = "process.start_time";
pub(super) const PROCESS_CPU: &str = "process.cpu";
pub(super) const PROCESS_MEMORY: &str = "process.resident_memory";
pub(super) const PROCESS_OPEN_FILES: &str = "process.open_fds";
pub(super) const PROCESS_MAX_FILES: &str = "process.max_fds";

pub(super) const TARGET: &str = "tollgate.target";
pub(super) const REASON: &str = "tollgate.reason";
/// What came of it. Without the prefix, as is usual for it.
pub(super) const RESULT: &str = "result";
pub(super) const DECIDED_BY: &str = "tollgate.quota.decided_by";
pub(super) const ISSUER: &str = "tollgate.issuer";
pub(super) const SOURCE: &str = "tollgate.source";
pub(super) const STATE: &str = "tollgate.state";
pub(super) const VERSION: &str = "tollgate.version";
pub(super) const COMMIT: &str = "tollgate.commit";
pub(super) const FEATURES: &str = "tollgate.features";
pub(super) const CACHE: &str = "tollgate.cache";
pub(super) const SIGNAL: &str = "tollgate.signal";
/// Stands for every name that a caller made up.
pub(super) const OTHER: &str = "_other";

/// The method, where it is one of MCP's. What the record calls a request that was not read, or is
/// none of MCP's, is no method.
pub(super) fn method(name: &'static str) -> Option<&'static str> {
    (name != "openapi" && !name.contains([' ', '('])).then_some(name)
}
