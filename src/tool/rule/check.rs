//! What a parsed condition names, whether it may, and how long it can take.
//!
//! Cost is counted in units of about a nanosecond, as a polynomial in the size of what a rule reads.
//! Each call, list and map pays for its operands once. In the body of a macro it pays for the elements
//! once over all rounds, and for anything else once in each round; that is the quadratic part. Rounds
//! over elements that the text itself lists are known in number, however little a rule reads. Macros
//! do not nest, so there is no cubic part.

use cel::IdedExpr;
use cel::common::ast::{
    CallExpr, ComprehensionExpr, EntryExpr, Expr, LiteralValue, SelectExpr, operators,
};
use regex::{Regex, RegexBuilder};

use super::RuleError;

const MAX_NODES: usize = 512;
const MAX_DEPTH: usize = 40;
/// Sizes of compiled patterns, of which the first that is enough counts. The library tells none.
const PATTERN_BYTES: [usize; 9] = [
    1 << 10,
    2 << 10,
    4 << 10,
    8 << 10,
    16 << 10,
    32 << 10,
    64 << 10,
    128 << 10,
    256 << 10,
];
/// How many bytes of a pattern the slowest matcher walks over in a unit, for each byte of the text.
const PATTERN_BYTES_PER_UNIT: u64 = 32;
/// What a part of a macro's body costs in each round, in units of an element's weight.
const ROUND_COST: u64 = 2;

/// A condition that was accepted.
pub(super) struct Checked {
    pub(super) expression: IdedExpr,
    /// Patterns of `matches`; the expression calls them by [`pattern_name`].
    pub(super) patterns: Vec<Regex>,
    pub(super) reads: Reads,
    pub(super) cost: Cost,
}

/// What a condition depends on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Reads {
    pub(super) args: bool,
    pub(super) caller: bool,
    pub(super) subject: bool,
}

/// Units per unit of weight, and per element and unit of weight.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cost {
    pub(super) linear: u64,
    pub(super) square: u64,
    pub(super) matches: MatchCost,
}

/// Units per byte of text that patterns are tried on.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct MatchCost {
    /// For one text.
    pub(super) text: u64,
    /// For one text, for each value.
    pub(super) text_each: u64,
    /// For all texts together.
    pub(super) all: u64,
}

/// How a compiled pattern is called. No text can name it.
pub(super) fn pattern_name(index: usize) -> String {
    format!("matches#{index}")
}

pub(super) fn check(
    mut expression: IdedExpr,
    column: &dyn Fn(&IdedExpr) -> usize,
    arguments: Option<&[&str]>,
) -> Result<Checked, RuleError> {
    let mut walk = Walk {
        column,
        arguments,
        variables: Vec::new(),
        rounds: ONCE,
        listed: 0,
        nodes: 0,
        depth: 0,
        patterns: Vec::new(),
        reads: Reads::default(),
        cost: Cost::default(),
    };
    let walked = walk.visit(&mut expression);
    let (patterns, reads, cost) = (walk.patterns, walk.reads, walk.cost);
    walked?;
    if !may_be_bool(&expression) {
        return Err(RuleError::NotBool);
    }
    Ok(Checked {
        expression,
        patterns,
        reads,
        cost,
    })
}

/// How large a value can be: in elements of the macro around it, and in everything a rule reads.
#[derive(Clone, Copy, Default)]
struct Size {
    element: u64,
    whole: u64,
}

impl Size {
    fn plus(self, other: Self) -> Self {
        Self {
            element: self.element + other.element,
            whole: self.whole + other.whole,
        }
    }
}

/// How often a part is evaluated: so many times for each value that a rule reads, and so many times
/// besides.
#[derive(Clone, Copy)]
struct Rounds {
    whole: u64,
    listed: u64,
}

/// Outside of macros.
const ONCE: Rounds = Rounds {
    whole: 0,
    listed: 1,
};

struct Walk<'a> {
    column: &'a dyn Fn(&IdedExpr) -> usize,
    arguments: Option<&'a [&'a str]>,
    /// Of the macro around, with its accumulator. Empty outside of macros.
    variables: Vec<String>,
    rounds: Rounds,
    /// Elements of lists and maps in the text so far.
    listed: u64,
    nodes: usize,
    depth: usize,
    patterns: Vec<Regex>,
    reads: Reads,
    cost: Cost,
}

impl Walk<'_> {
    fn visit(&mut self, node: &mut IdedExpr) -> Result<Size, RuleError> {
        self.nodes += 1;
        self.depth += 1;
        if self.nodes > MAX_NODES || self.depth > MAX_DEPTH {
            return Err(RuleError::TooComplex);
        }
        self.cost.linear += ROUND_COST * self.rounds.whole;
        let column = (self.column)(node);
        let size = match &mut node.expr {
            Expr::Literal(_) => Ok(Size::default()),
            Expr::Ident(name) => self.name(name, column),
            Expr::Select(select) => self.select(select, column),
            Expr::Call(call) => self.call(call, column),
            Expr::List(list) => {
                self.listed += list.elements.len() as u64;
                let size = self.sum(list.elements.iter_mut())?;
                self.pay(size);
                Ok(size)
            }
            Expr::Map(map) => {
                self.listed += map.entries.len() as u64;
                let mut size = Size::default();
                for entry in &mut map.entries {
                    let EntryExpr::MapEntry(entry) = &mut entry.expr else {
                        return Err(RuleError::Unsupported(column));
                    };
                    size = size.plus(self.visit(&mut entry.key)?);
                    size = size.plus(self.visit(&mut entry.value)?);
                }
                self.pay(size);
                Ok(size)
            }
            Expr::Comprehension(comprehension) => self.comprehension(comprehension, column),
            Expr::Struct(_) | Expr::Unspecified => Err(RuleError::Unsupported(column)),
        };
        self.depth -= 1;
        size
    }

    fn sum<'e>(
        &mut self,
        nodes: impl Iterator<Item = &'e mut IdedExpr>,
    ) -> Result<Size, RuleError> {
        let mut size = Size::default();
        for node in nodes {
            size = size.plus(self.visit(node)?);
        }
        Ok(size)
    }

    fn name(&mut self, name: &str, column: usize) -> Result<Size, RuleError> {
        if name == "args" {
            self.reads.args = true;
            return Ok(Size {
                element: 0,
                whole: 1,
            });
        }
        if self.variables.iter().any(|known| known == name) {
            return Ok(Size {
                element: self.rounds.whole,
                whole: 0,
            });
        }
        // `caller` alone is none: what a rule depends on must be known.
        Err(RuleError::UnknownName(column))
    }

    fn select(&mut self, select: &mut SelectExpr, column: usize) -> Result<Size, RuleError> {
        match &select.operand.expr {
            Expr::Ident(name) if name == "caller" => {
                self.nodes += 1;
                self.reads.caller = true;
                match select.field.as_str() {
                    "subject" => self.reads.subject = true,
                    "tenant" | "scopes" => {}
                    _ => return Err(RuleError::UnknownName(column)),
                }
                Ok(Size {
                    element: 0,
                    whole: 1,
                })
            }
            Expr::Ident(name) if name == "args" => {
                if let Some(known) = self.arguments
                    && !known.contains(&select.field.as_str())
                {
                    let known = if known.is_empty() {
                        "none".to_owned()
                    } else {
                        known.join(", ")
                    };
                    return Err(RuleError::UnknownArgument { column, known });
                }
                self.visit(&mut select.operand)
            }
            _ => self.visit(&mut select.operand),
        }
    }

    fn call(&mut self, call: &mut CallExpr, column: usize) -> Result<Size, RuleError> {
        let name = call.func_name.clone();
        let kind = match &call.target {
            Some(_) => method(&name, call.args.len()),
            None => function(&name),
        };
        let kind = kind.ok_or(RuleError::UnknownFunction(column))?;
        let pattern_units = if name == "matches" {
            self.pattern(call, column)?
        } else {
            0
        };
        let target = call.target.iter_mut().map(|target| &mut **target);
        let size = self.sum(target.chain(call.args.iter_mut()))?;
        self.pay(size);
        let (Rounds { whole, listed }, matches) = (self.rounds, &mut self.cost.matches);
        matches.all += pattern_units * size.element;
        if size.whole > 0 {
            matches.text += pattern_units * listed;
            matches.text_each += pattern_units * whole;
        }
        Ok(match kind {
            Gives::Small => Size::default(),
            Gives::Operands => size,
        })
    }

    /// For passing over something of this size, where the walk is, as often as it is done.
    fn pay(&mut self, size: Size) {
        let Rounds { whole, listed } = self.rounds;
        self.cost.linear += size.element + size.whole * listed;
        self.cost.square += size.whole * whole;
    }

    /// Compiles the pattern now, and makes the call one of the compiled pattern. What it costs, in
    /// units per byte of text.
    fn pattern(&mut self, call: &mut CallExpr, column: usize) -> Result<u64, RuleError> {
        let Some(Expr::Literal(LiteralValue::String(text))) =
            call.args.first().map(|arg| &arg.expr)
        else {
            return Err(RuleError::Pattern(column));
        };
        let of_size = |bytes: &usize| {
            let pattern = RegexBuilder::new(text.inner()).size_limit(*bytes).build();
            Some((pattern.ok()?, *bytes as u64 / PATTERN_BYTES_PER_UNIT))
        };
        let (pattern, units) = PATTERN_BYTES
            .iter()
            .find_map(of_size)
            .ok_or(RuleError::Pattern(column))?;
        call.func_name = pattern_name(self.patterns.len());
        call.args.clear();
        self.patterns.push(pattern);
        Ok(units)
    }

    fn comprehension(
        &mut self,
        comprehension: &mut ComprehensionExpr,
        column: usize,
    ) -> Result<Size, RuleError> {
        if !self.variables.is_empty() || has_macro(&comprehension.iter_range) {
            return Err(RuleError::NestedMacro(column));
        }
        if ["args", "caller"].contains(&comprehension.iter_var.as_str()) {
            return Err(RuleError::Shadowed(column));
        }
        let listed_before = self.listed;
        let range = self.visit(&mut comprehension.iter_range)?;
        // Every element is copied once.
        self.cost.linear += range.whole;
        self.rounds = Rounds {
            whole: range.whole,
            listed: self.listed - listed_before,
        };
        self.variables = vec![
            comprehension.iter_var.clone(),
            comprehension.accu_var.clone(),
        ];
        let parts = [
            &mut comprehension.accu_init,
            &mut comprehension.loop_cond,
            &mut comprehension.loop_step,
            &mut comprehension.result,
        ];
        let body = self.sum(parts.into_iter())?;
        // A list of what the body gives: the elements together, or for each the whole of it.
        let Rounds { whole, listed } = std::mem::replace(&mut self.rounds, ONCE);
        self.variables.clear();
        self.cost.square += body.whole * whole;
        self.cost.linear += body.whole * listed;
        Ok(Size {
            element: 0,
            whole: range.whole + body.element + body.whole * listed.max(1),
        })
    }
}

/// What a function gives, where that can be as large as its operands.
enum Gives {
    Small,
    Operands,
}

fn function(name: &str) -> Option<Gives> {
    match name {
        operators::ADD | operators::CONDITIONAL | operators::INDEX | "string" => {
            Some(Gives::Operands)
        }
        operators::LOGICAL_AND
        | operators::LOGICAL_OR
        | operators::LOGICAL_NOT
        | operators::NOT_STRICTLY_FALSE
        | operators::SUBSTRACT
        | operators::MULTIPLY
        | operators::DIVIDE
        | operators::MODULO
        | operators::NEGATE
        | operators::EQUALS
        | operators::NOT_EQUALS
        | operators::GREATER_EQUALS
        | operators::LESS_EQUALS
        | operators::GREATER
        | operators::LESS
        | operators::IN
        | "size"
        | "int"
        | "uint"
        | "double"
        | "bool" => Some(Gives::Small),
        _ => None,
    }
}

fn method(name: &str, arguments: usize) -> Option<Gives> {
    match (name, arguments) {
        ("contains" | "startsWith" | "endsWith" | "matches", 1) | ("size", 0) => Some(Gives::Small),
        _ => None,
    }
}

/// Whether a macro stands in this part. Shallow enough to recurse: the walk has been there, or will
/// stop at its own limit; the parser's stack is large.
fn has_macro(node: &IdedExpr) -> bool {
    match &node.expr {
        Expr::Comprehension(_) => true,
        Expr::Select(select) => has_macro(&select.operand),
        Expr::Call(call) => call
            .target
            .iter()
            .map(|target| &**target)
            .chain(&call.args)
            .any(has_macro),
        Expr::List(list) => list.elements.iter().any(has_macro),
        Expr::Map(map) => map.entries.iter().any(|entry| match &entry.expr {
            EntryExpr::MapEntry(entry) => has_macro(&entry.key) || has_macro(&entry.value),
            EntryExpr::StructField(field) => has_macro(&field.value),
        }),
        _ => false,
    }
}

/// Whether the condition can give true or false, as far as its form tells.
fn may_be_bool(node: &IdedExpr) -> bool {
    match &node.expr {
        Expr::Literal(literal) => matches!(literal, LiteralValue::Boolean(_)),
        Expr::List(_) | Expr::Map(_) => false,
        Expr::Ident(name) => name != "args",
        Expr::Select(select) => {
            select.test || !matches!(&select.operand.expr, Expr::Ident(name) if name == "caller")
        }
        Expr::Comprehension(comprehension) => {
            !matches!(comprehension.accu_init.expr, Expr::List(_))
        }
        Expr::Call(call) => match call.func_name.as_str() {
            operators::LOGICAL_AND | operators::LOGICAL_OR | operators::LOGICAL_NOT => {
                call.args.iter().all(may_be_bool)
            }
            operators::CONDITIONAL => call.args.iter().all(may_be_bool),
            operators::ADD
            | operators::SUBSTRACT
            | operators::MULTIPLY
            | operators::DIVIDE
            | operators::MODULO
            | operators::NEGATE
            | "size"
            | "int"
            | "uint"
            | "double"
            | "string" => false,
            _ => true,
        },
        Expr::Struct(_) | Expr::Unspecified => false,
    }
}
