//! Every known difference to the official SDK, and why it is there.
//!
//! Each is written as the test finds it: `aspect: ours | theirs`. The failing test prints new ones in this form.

/// Differences with one reason, which `docs/protocol.md` repeats: what differs, in which requests.
pub(crate) struct Group {
    pub(crate) why: &'static str,
    pub(crate) told: &'static [(&'static str, &'static [&'static str])],
}

/// The one that most answers show.
pub(crate) const EVERYWHERE: (&str, &str) = (
    "result._meta: there | -",
    "Results have a `_meta`: with the server's name in the modern era (2026-07-28, basic/index, \
     \"`_meta`\": should), with the call's id where a tool failed. rmcp's have none but that of \
     `server/discover`.",
);

pub(crate) const DIFFERENCES: &[Group] = &[
    Group {
        why: "`server/discover` names the revisions whose requests stand alone, not those that \
              begin with `initialize`, and says `public`: its answer is the same for every \
              caller (2026-07-28, server/discover). rmcp names all, and takes every answer for \
              private.",
        told: &[(
            "result.cacheScope: \"public\" | \"private\"; result.supportedVersions: [\"2026-07-28\"] | [\"2024-11-05\",\"2025-03-26\",\"2025-06-18\",\"2025-11-25\",\"2026-07-28\"]",
            &["modern: server/discover"],
        )],
    },
    Group {
        why: "A cursor that we did not give out is refused with -32602 (2026-07-28 and \
              2025-11-25, server/utilities/pagination, \"Error Handling\"). This rmcp handler \
              ignores it, as the SDK leaves cursors to handlers.",
        told: &[(
            "outcome: error -32602 | result",
            &[
                "modern: tools/list, a cursor that nobody gave out",
                "legacy: tools/list, a cursor that nobody gave out",
            ],
        )],
    },
    Group {
        why: "Arguments off the schema are a result with `isError`, so that the model can mend \
              them (2026-07-28 and 2025-11-25, server/tools, \"Error Handling\"), and one that \
              the schema does not know is off it, too. rmcp's typed handlers answer -32602, and \
              pass over what they do not know.",
        told: &[
            (
                "outcome: result, isError | error -32602",
                &[
                    "modern: tools/call, an argument missing",
                    "modern: tools/call, an argument of a wrong type",
                    "legacy: tools/call, an argument missing",
                ],
            ),
            (
                "outcome: result, isError | result",
                &["modern: tools/call, an argument too many"],
            ),
        ],
    },
    Group {
        why: "Malformed parameters of a method that exists are -32602 (2026-07-28 and \
              2025-11-25, JSON-RPC 2.0, \"Error object\"). rmcp takes the method for unknown: \
              -32601, and 404 in the modern era.",
        told: &[
            (
                "outcome: error -32602 | error -32601; status: 200 | 404",
                &[
                    "modern: tools/call, arguments are a list",
                    "modern: tools/call, no name",
                    "modern: tools/call, the name is a number",
                    "modern: resources/read, no uri",
                ],
            ),
            (
                "outcome: error -32602 | error -32601",
                &[
                    "legacy: initialize without parameters",
                    "legacy: tools/call, arguments are a list",
                    "legacy: tools/call, no name",
                    "legacy: tools/call, no parameters",
                ],
            ),
        ],
    },
    Group {
        why: "`initialize` with modern `_meta` is a method that was removed: 404, -32601 \
              (2026-07-28, basic/versioning, \"Backward Compatibility\"; \
              basic/transports/streamable-http, \"Protocol Version Header\"). rmcp negotiates \
              2025-11-25.",
        told: &[(
            "outcome: error -32601 | result; status: 404 | 200",
            &["modern: initialize, which was removed"],
        )],
    },
    Group {
        why: "What is not JSON, or not one valid message, is 400 with a JSON-RPC error \
              (2026-07-28, basic/index, \"Error Codes\"; basic/transports/streamable-http, \
              \"Sending Messages\"). rmcp answers 415 and plain text, as if the media type were \
              wrong. A key that stands there twice is no valid message, so that nobody reads \
              another one than we do.",
        told: &[
            (
                "outcome: error -32600 | text; status: 400 | 415; type: application/json | none",
                &[
                    "modern: the id is null",
                    "modern: the id is a fraction",
                    "modern: the id is true",
                    "modern: the id is an object",
                    "modern: no jsonrpc",
                    "modern: jsonrpc 1.0",
                    "modern: no method",
                    "modern: the method is a number",
                    "modern: a body that is text in JSON",
                    "modern: an empty object",
                    "modern: an empty batch",
                    "modern: a batch of one",
                    "modern: the id twice",
                    "modern: the method twice",
                    "legacy: a body that is text in JSON",
                    "legacy: an empty object",
                    "legacy: an empty batch",
                    "legacy: a batch of one",
                    "legacy: the id twice",
                    "legacy: the method twice",
                ],
            ),
            (
                "outcome: error -32602 | text; status: 400 | 415; type: application/json | none",
                &["modern: params are a list", "modern: _meta is text"],
            ),
            (
                "outcome: error -32700 | text; status: 400 | 415; type: application/json | none",
                &[
                    "modern: an empty body",
                    "modern: a body that is not JSON",
                    "modern: a body that is not UTF-8",
                    "modern: something after the message",
                    "modern: two messages",
                    "modern: a byte order mark first",
                    "legacy: an empty body",
                    "legacy: a body that is not JSON",
                    "legacy: a body that is not UTF-8",
                    "legacy: something after the message",
                    "legacy: two messages",
                    "legacy: a byte order mark first",
                ],
            ),
        ],
    },
    Group {
        why: "JSON-RPC batches are refused in every revision. 2025-03-26 alone says that servers \
              must take them (basic/index, \"Batching\"); 2025-06-18 removed them. rmcp refuses \
              them as well, with 415.",
        told: &[(
            "outcome: error -32600 | text; status: 400 | 415; type: application/json | none",
            &["legacy: a batch of 2025-03-26"],
        )],
    },
    Group {
        why: "`clientInfo` may be left out, but what is there has to be an object with a name \
              and a version (2026-07-28, schema, `Implementation`). rmcp passes over what it \
              cannot read.",
        told: &[(
            "outcome: error -32602 | result; status: 400 | 200",
            &["modern: the client info is text"],
        )],
    },
    Group {
        why: "A header that is sent twice has no one value that could equal the body's: -32020 \
              (2026-07-28, basic/transports/streamable-http, \"Server Validation\"). rmcp takes \
              the first.",
        told: &[(
            "outcome: error -32020 | result; status: 400 | 200",
            &["modern: a version header twice"],
        )],
    },
    Group {
        why: "What HTTP refuses has a JSON-RPC error without an id as its body, with a code of \
              our own outside the reserved range (2026-07-28, basic/transports/streamable-http, \
              \"Security & Endpoint\": may; basic/index, \"Error Codes\"). rmcp sends plain \
              text.",
        told: &[
            (
                "outcome: error 41501 | text; type: application/json | none",
                &["http: no content type", "http: a content type of text"],
            ),
            (
                "outcome: error 40601 | text; type: application/json | none",
                &["http: accept of HTML"],
            ),
            (
                "outcome: error 40303 | text; type: application/json | none",
                &["http: a host of somebody else"],
            ),
            (
                "outcome: error 40501 | text; type: application/json | none",
                &["http: GET", "http: DELETE", "http: PUT", "http: OPTIONS"],
            ),
        ],
    },
    Group {
        why: "A client has to take both JSON and event streams; one that takes only one of them, \
              or does not say, is served what it takes (2026-07-28 and 2025-11-25, \"Sending \
              Messages\" puts the duty on the client). rmcp answers 406.",
        told: &[
            (
                "outcome: result | text; status: 200 | 406; type: application/json | none",
                &[
                    "http: no accept",
                    "http: accept of JSON alone",
                    "http: accept of anything",
                ],
            ),
            (
                "outcome: result | text; status: 200 | 406; type: text/event-stream | none",
                &["http: accept of event streams alone"],
            ),
        ],
    },
    Group {
        why: "An `Origin` that is not allowed is 403, and no origin is unless it is configured \
              (2026-07-28, basic/transports/streamable-http, \"Security & Endpoint\": must). \
              rmcp does not look at it unless told to.",
        told: &[(
            "outcome: error 40304 | result; status: 403 | 200",
            &["http: an origin of somebody else", "http: the origin null"],
        )],
    },
    Group {
        why: "`initialize` is answered whether or not the client says its name, of which nothing \
              depends (2025-11-25, schema, `InitializeRequestParams` requires `clientInfo`). \
              rmcp takes the method for unknown.",
        told: &[(
            "outcome: result | error -32601",
            &["legacy: initialize without a client's name"],
        )],
    },
    Group {
        why: "Structured content that is no object is wrapped as `{\"result\": …}` for clients \
              of the legacy era (2025-11-25, schema, `CallToolResult`: an object). rmcp sends \
              the list as it is.",
        told: &[(
            "result.structuredContent: {\"result\":[1,2,3]} | [1,2,3]",
            &["legacy: tools/call, structured content that is a list"],
        )],
    },
    Group {
        why: "An unknown revision in the header is 400 (2025-11-25, basic/transports, \"Protocol \
              Version Header\"), with -32022 and the revisions that are served. rmcp sends plain \
              text.",
        told: &[(
            "outcome: error -32022 | text; type: application/json | none",
            &["legacy: tools/list, an unknown version header"],
        )],
    },
    Group {
        why: "A request that says in its header alone that it is modern lacks `_meta`, and the \
              headers that mirror it. We look at the body first: -32602 (2026-07-28, \
              basic/index, \"`_meta`\"); rmcp at the headers: -32020. Both are 400.",
        told: &[(
            "outcome: error -32602 | error -32020",
            &["legacy: tools/list, the modern version header"],
        )],
    },
    Group {
        why: "A response to a request that nobody made is taken with 202 and dropped \
              (2025-11-25, basic/transports, \"Sending Messages to the Server\"). rmcp without \
              sessions refuses it.",
        told: &[(
            "outcome: empty | error -32600; status: 202 | 400; type: none | application/json",
            &[
                "legacy: a result that nobody asked for",
                "legacy: an error that nobody asked for",
            ],
        )],
    },
];
