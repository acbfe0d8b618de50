//! What a call asks for, before anything of it is checked.

use crate::tool::{Arguments, TargetRef};

/// What a caller asks for.
pub struct CallRequest<'a> {
    /// The tool or resource.
    pub target: TargetRef<'a>,
    /// The tool's arguments; a resource's come from its URI.
    pub arguments: Arguments,
}
