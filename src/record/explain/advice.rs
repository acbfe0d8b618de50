//! What can be done about a call that was not served, by the kind of its error.
//!
//! For operators: callers got the sentence of the error itself. A test holds that every kind has some.

use crate::audit::{Entry, Kind};

/// What can be done, by the kinds of errors.
const BY_KIND: &[(&[&str], &str)] = &[
    (
        &["unauthenticated"],
        "the caller needs a valid token or API key; the cause above says what is wrong with this one",
    ),
    (
        &["too-many-failures"],
        "this address sent many bad credentials: find the client that does, or wait",
    ),
    (
        &["keys-unavailable"],
        "the issuer's public keys cannot be fetched: see the log and the metrics of its keys",
    ),
    (
        &["insufficient-scope"],
        "grant the missing scopes at the identity provider, or ask for fewer in the `scopes` of the tool's policy",
    ),
    (
        &["refused-by-rule"],
        "see the condition above: other arguments, a caller that it lets through, or another rule in the tool's policy",
    ),
    (
        &["unknown-tool"],
        "there is no tool of this name for this tenant: see `tollgate check` for names, `enabled` and tenants",
    ),
    (
        &["unknown-resource"],
        "no resource answers for this URI for this tenant: see `tollgate check`",
    ),
    (
        &["unknown-prompt"],
        "there is no prompt of this name for this tenant",
    ),
    (
        &["too-many-denials"],
        "this caller was refused very often, and is now refused at once: mend what it was refused for, which the cause above names",
    ),
    (
        &["quota-exceeded"],
        "wait as told above, spread the calls, or raise `rateLimit` in the tool's policy",
    ),
    (
        &["too-many-at-once"],
        "all places of the tool are taken: see how long its calls run, or raise `maxConcurrent`",
    ),
    (
        &["too-many-of-tenant"],
        "the tenant's share of places is taken: see what else it runs, or raise `maxConcurrent.perTenant` or `server.maxInFlightPerTenant`",
    ),
    (
        &["too-many-listeners"],
        "the caller has to end a subscription before it opens another",
    ),
    (
        &["quota-unavailable"],
        "calls cannot be counted: see the quota store's health, or `quotas.onStoreFailure`",
    ),
    (
        &["audit-unavailable"],
        "the audit log could not be written, and in strict mode nothing runs then: see its disk and the server's log",
    ),
    (
        &["overloaded"],
        "the process ran as many calls as it may: add replicas, or raise `server.maxInFlight`",
    ),
    (
        &["draining"],
        "the server was about to stop: the client should go to another replica",
    ),
    (
        &["unknown-task"],
        "there is no such task, it was forgotten after its ttl, or it is another caller's: each of them is answered alike",
    ),
    (
        &["too-many-tasks"],
        "as many tasks of the caller are kept as may be: give its tools a shorter `task.ttl`",
    ),
    (
        &["tasks-unavailable"],
        "the store of tasks failed: see the health of `quotas.store`",
    ),
    (
        &["invalid-arguments"],
        "the arguments break the schema of what was called: the client should read it again (tools/list, prompts/list)",
    ),
    (
        &["client-cannot"],
        "the caller has to be asked something, by the tool or for its approval, or calls of the tool must become tasks: use a client that supports it, over MCP",
    ),
    (
        &["confirmation-required"],
        "the caller has to confirm the call, as its answer said; the tool's `confirm` says which calls need that",
    ),
    (
        &["not-approved"],
        "the user did not approve of the call; the tool's `confirm` says which calls need that",
    ),
    (
        &["deadline-exceeded"],
        "the tool took too long: see its source, or raise its timeout",
    ),
    (
        &["refused"],
        "the tool itself said no; its answer told the model why",
    ),
    (
        &["not-found"],
        "what was asked for does not exist behind the tool",
    ),
    (
        &["source-busy"],
        "what the tool depends on has too much to do: see its pool and its load",
    ),
    (
        &["source-unavailable"],
        "what the tool depends on failed before, and is left alone for a while: see its health",
    ),
    (
        &["source-failed"],
        "what the tool depends on failed: the cause above says how",
    ),
    (
        &["internal"],
        "a defect: the cause above and the server's log say where",
    ),
    (
        &["forbidden-host"],
        "the request named another host: see `server.publicUrl` and `server.allowedHosts`",
    ),
    (
        &["forbidden-origin"],
        "a web page of another origin sent it: see `server.allowedOrigins`",
    ),
    (
        &["no-route"],
        "there is nothing at this path: see the client's URL",
    ),
    (
        &["method-not-allowed"],
        "the path takes another method: see the client",
    ),
    (
        &["not-acceptable", "unsupported-media-type"],
        "the client has to send and take application/json (MCP: text/event-stream too)",
    ),
    (
        &["too-many-headers", "body-too-large"],
        "the request is larger than allowed: see `server.maxBodyBytes`",
    ),
    (
        &["invocation-timeout"],
        "the function's own timeout ran out: raise it above the longest timeout of a tool",
    ),
    (
        &["body-timeout", "body-cut-short", "body-broken"],
        "the body did not come whole: see the client, its network and proxies between",
    ),
    (
        &["body-not-object", "bad-query"],
        "the client sends something else than documented: see docs/rest.md",
    ),
    (
        &[
            "parse-error",
            "invalid-request",
            "invalid-meta",
            "invalid-params",
            "header-mismatch",
        ],
        "the client does not speak MCP as this server does: see docs/mcp.md",
    ),
    (
        &["unsupported-version", "method-not-found"],
        "the client asks for what this server does not speak: see docs/mcp.md",
    ),
];

/// What can be done, most likely first.
pub(super) fn of(entry: &Entry<'_>) -> Vec<String> {
    let mut advice = Vec::new();
    if entry.kind == Kind::Begun {
        advice.push("the log has its start and not its end: it still runs, or the process ended while it ran. What the tool changes elsewhere may have been done: look there before the call is made again".to_owned());
    } else if let Some(kind) = entry.error.as_deref() {
        advice.extend(of_kind(kind).map(str::to_owned));
    } else if entry.outcome.as_deref() == Some("cancelled") {
        advice.push("the client left or cancelled the call before it was answered: see its own timeouts, and how long the stages took".to_owned());
    }
    if !entry.would_deny.is_empty() {
        advice.push(
            "what is in shadow mode refused nothing here, and would once it is enforced".to_owned(),
        );
    }
    if entry.uncounted {
        advice.push("the call was not counted, since the quota store failed: see `quotas.onStoreFailure` and the store's health".to_owned());
    }
    advice
}

/// What can be done about an error of this kind.
pub(super) fn of_kind(kind: &str) -> Option<&'static str> {
    let row = BY_KIND.iter().find(|(kinds, _)| kinds.contains(&kind));
    row.map(|(_, advice)| *advice)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{CallError, EdgeError, ProtocolError};

    #[test]
    fn every_kind_of_error_has_advice() {
        // The kinds stand in the tables of `error` as the first word of each row.
        let tables = [
            include_str!("../../error.rs"),
            include_str!("../../error/edge.rs"),
            include_str!("../../error/protocol.rs"),
        ];
        let kinds = tables
            .iter()
            .flat_map(|table| table.split("=> row(\"").skip(1));
        let kinds: Vec<&str> = kinds.filter_map(|row| row.split('"').next()).collect();
        assert!(kinds.len() > 35, "{kinds:?}");
        for kind in kinds {
            assert!(of_kind(kind).is_some(), "{kind}");
        }
        for row in [
            CallError::Overloaded.row(),
            EdgeError::NoRoute.row(),
            ProtocolError::Parse.row(),
        ] {
            assert!(of_kind(row.kind).is_some(), "{row:?}");
        }
    }

    #[test]
    fn advice_names_keys_that_there_are() {
        let page = include_str!("../../../docs/configuration.md");
        let (code, _) = include_str!("advice.rs")
            .split_once("#[cfg(test)]")
            .unwrap();
        let named = code.lines().filter(|line| !line.trim().starts_with("//"));
        let named = named.flat_map(|line| line.split('`').skip(1).step_by(2));
        let keys = named.filter(|named| !named.starts_with("tollgate "));
        let mut count = 0;
        for key in keys {
            // Sections have tables of their own.
            let listed = key.strip_prefix("server.").or(key.strip_prefix("quotas."));
            let listed = format!("| `{}` |", listed.unwrap_or(key));
            assert!(page.contains(&listed), "{key}");
            count += 1;
        }
        assert!(count > 10, "{count}");
    }
}
