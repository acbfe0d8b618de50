//! How MCP tells an error, which is not the same for every method and revision.

use super::Row;

/// A resource that does not exist, in revisions before 2026-07-28 (2025-11-25, server/resources).
const LEGACY_RESOURCE_NOT_FOUND: i32 = -32002;
/// What is asked for is wrong (JSON-RPC 2.0, section 5.1).
const INVALID_PARAMS: i32 = -32602;

/// How an error is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// In a result with `isError`, for the model to read.
    InResult,
    /// In a JSON-RPC error with this code.
    InError(i32),
}

impl Row {
    /// How it is told in answer to `method`; `is_legacy`: in a revision before 2026-07-28.
    pub fn told(&self, method: &str, is_legacy: bool) -> Told {
        match (method, self.kind) {
            ("tools/call", _) if self.tool_result => Told::InResult,
            // That era has no code for it.
            ("tools/call", "client-cannot") if is_legacy => Told::InResult,
            // Another tenant's object, a value off its pattern, no such template: one answer.
            ("resources/read" | "resources/subscribe", kind) if is_no_resource(kind) => {
                Told::InError(match is_legacy {
                    true => LEGACY_RESOURCE_NOT_FOUND,
                    false => INVALID_PARAMS,
                })
            }
            // 2026-07-28, server/prompts, "Error Handling".
            ("prompts/get" | "completion/complete", "invalid-arguments") => {
                Told::InError(INVALID_PARAMS)
            }
            _ => Told::InError(self.code),
        }
    }
}

fn is_no_resource(kind: &str) -> bool {
    matches!(kind, "unknown-resource" | "not-found" | "invalid-arguments")
}
