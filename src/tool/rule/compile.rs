//! From the text of a condition to a checked expression.
//!
//! The parser recurses, and so does dropping what it made. So brackets are counted before it sees the
//! text, and it runs on a thread whose stack is larger than a text of 2 KiB can need; only what is
//! known to be shallow leaves that thread.

use std::sync::{Arc, LazyLock};

use cel::{Env, IdedExpr};

use super::RuleError;
use super::check::{Checked, check};

const MAX_BYTES: usize = 2_048;
/// Brackets that open, and question marks: what the parser recurses on.
const MAX_OPENING: usize = 64;
const STACK_BYTES: usize = 64 << 20;

/// The functions and macros of CEL, without its optional values.
pub(super) static ENV: LazyLock<Arc<Env>> =
    LazyLock::new(|| Arc::new(Env::stdlib().with_optional_support(false)));

pub(super) fn compile(text: &str, arguments: Option<&[&str]>) -> Result<Checked, RuleError> {
    if text.len() > MAX_BYTES {
        return Err(RuleError::TooLong);
    }
    // Counted in quoted texts as well: simpler than a second lexer that might disagree with the first.
    let opening = text.bytes().filter(|byte| b"([{?".contains(byte)).count();
    if opening > MAX_OPENING {
        return Err(RuleError::TooComplex);
    }
    std::thread::scope(|scope| {
        std::thread::Builder::new()
            .name("rule".to_owned())
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, || parse_and_check(text, arguments))
            .map_err(|_| RuleError::TooComplex)?
            .join()
            // The parser panicked.
            .unwrap_or(Err(RuleError::Syntax { line: 1, column: 1 }))
    })
}

fn parse_and_check(text: &str, arguments: Option<&[&str]>) -> Result<Checked, RuleError> {
    let parsed = ENV.parser().parse_with_source_info(text);
    let (expression, source) = parsed.map_err(|faults| {
        let (line, column) = faults.errors.first().map_or((1, 1), |fault| fault.pos);
        RuleError::Syntax {
            line: usize::try_from(line).unwrap_or(1).max(1),
            column: usize::try_from(column).unwrap_or(1).max(1),
        }
    })?;
    let column = |expression: &IdedExpr| {
        let offset = source.offset_for(expression.id).map_or(0, |(at, _)| at);
        offset as usize + 1
    };
    check(expression, &column, arguments)
}
