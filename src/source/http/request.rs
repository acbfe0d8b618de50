//! A declared request: checked at load, filled in a call.
//!
//! A reader would ask why a header can carry the caller's identity only: what a model writes into a
//! header is read by proxies and caches on the way, and no encoding keeps it a mere value.

use ::http::{HeaderName, HeaderValue, Method};
use reqwest::Url;
use serde_json::{Map, Value};

use super::path::{Piece, encode, may_be_segment, parse};
use crate::auth::Principal;
use crate::source::inputs::{Bound, Declared, Input};
use crate::tool::{Arguments, ToolError};

/// Longest URL; what servers take at least is 8000 (RFC 9110 §4.1).
const MAX_URL_BYTES: usize = 8_000;

/// A request as it is declared.
#[derive(Clone, Debug)]
pub struct HttpSpec<'a> {
    /// How the API is asked.
    pub method: Method,
    /// What follows the source's URL, with names in braces.
    pub path: &'a str,
    /// Names in the query, and the inputs behind them.
    pub query: &'a [(String, String)],
    /// Members of the JSON object in the body, and the inputs behind them; `None`: no body.
    pub body: Option<&'a [(String, String)]>,
    /// Headers, and the bound names behind them.
    pub headers: &'a [(String, String)],
    /// The names that have to be used.
    pub declared: Declared<'a>,
    /// Whether answers are text, and not JSON.
    pub text: bool,
    /// Most bytes an answer may have.
    pub max_bytes: usize,
    /// Whether another try does no harm.
    pub idempotent: bool,
}

/// Why a request cannot be a tool.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// The path is none.
    #[error("`path` {0}")]
    Path(&'static str),
    /// A name that nobody gives a value for.
    #[error("the request uses `{0}`, which is neither in `parameters` nor in `bind`")]
    Unknown(String),
    /// A value that nobody uses; most likely a misspelt name.
    #[error("`{0}` is declared, but the request does not use it")]
    Unused(String),
    /// A header that an argument would fill, or that the source has.
    #[error("the header `{0}` must carry a name in `bind`, and none that the source sets itself")]
    Header(String),
}

/// A checked request.
pub(super) struct Template {
    /// The path as it is declared.
    shown: String,
    path: Vec<(Piece, Option<Input>)>,
    query: Vec<(String, Input)>,
    body: Option<Vec<(String, Input)>>,
    headers: Vec<(HeaderName, Bound)>,
}

/// A request with its values.
pub(super) struct Filled {
    pub(super) url: Url,
    pub(super) body: Option<Value>,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
}

impl Template {
    /// `taken`: whether the source sets a header itself.
    pub(super) fn new(
        spec: &HttpSpec<'_>,
        taken: impl Fn(&HeaderName) -> bool,
    ) -> Result<Self, RequestError> {
        let declared = &spec.declared;
        let input = |name: &str| {
            let input = declared.input(name);
            input.ok_or_else(|| RequestError::Unknown(name.to_owned()))
        };
        let pairs = |pairs: &[(String, String)]| {
            let pair = |(name, of): &(String, String)| Ok((name.clone(), input(of)?));
            pairs.iter().map(pair).collect::<Result<Vec<_>, _>>()
        };
        let header = |(name, of): &(String, String)| {
            let refused = || RequestError::Header(name.clone());
            let header = HeaderName::try_from(name).map_err(|_| refused())?;
            match input(of)? {
                Input::Bound(bound) if !taken(&header) => Ok((header, bound)),
                _ => Err(refused()),
            }
        };
        let path = parse(spec.path)?;
        let mut used: Vec<&str> = path.iter().filter_map(Piece::name).collect();
        let elsewhere = [spec.query, spec.body.unwrap_or_default(), spec.headers];
        for pairs in elsewhere {
            used.extend(pairs.iter().map(|(_, of)| of.as_str()));
        }
        if let Some(unused) = declared.unused(&used) {
            return Err(RequestError::Unused(unused));
        }
        let piece = |piece: Piece| {
            let input = piece.name().map(input).transpose()?;
            Ok((piece, input))
        };
        Ok(Self {
            shown: spec.path.to_owned(),
            query: pairs(spec.query)?,
            body: spec.body.map(pairs).transpose()?,
            headers: spec.headers.iter().map(header).collect::<Result<_, _>>()?,
            path: path.into_iter().map(piece).collect::<Result<_, _>>()?,
        })
    }

    /// The path with its names in braces.
    pub(super) fn shown(&self) -> &str {
        &self.shown
    }

    pub(super) fn fill(
        &self,
        base: &Url,
        arguments: &Arguments,
        principal: &Principal,
    ) -> Result<Filled, ToolError> {
        if let Some((name, _)) = arguments.iter().find(|(_, value)| lost_digits(value)) {
            return Err(ToolError::InvalidArguments(format!(
                "{name} holds a number beyond 64 bits, whose digits are lost"
            )));
        }
        let value = |input: &Input| input.value(arguments, principal);
        let mut text = base.as_str().trim_end_matches('/').to_owned();
        for (piece, input) in &self.path {
            match (piece, input) {
                (Piece::Name(name), Some(input)) => segment(name, value(input), &mut text)?,
                (Piece::Literal(literal) | Piece::Name(literal), _) => text.push_str(literal),
            }
        }
        let path_end = text.len();
        for (name, input) in &self.query {
            parameter(name, value(input), path_end, &mut text);
        }
        if text.len() > MAX_URL_BYTES {
            return Err(too_long());
        }
        // What was built is what is sent: a parser that changes it saw something else in it.
        let url = Url::parse(&text).ok().filter(|url| url.as_str() == text);
        let member = |(name, input): &(String, Input)| Some((name.clone(), value(input)?));
        let body = self.body.as_ref().map(|members| {
            let object: Map<String, Value> = members.iter().filter_map(member).collect();
            Value::Object(object)
        });
        let header = |(name, bound): &(HeaderName, Bound)| {
            Ok((name.clone(), identity(bound.of(principal))?))
        };
        Ok(Filled {
            url: url.ok_or_else(|| ToolError::Defect("a URL that is none".to_owned()))?,
            body,
            headers: self
                .headers
                .iter()
                .map(header)
                .collect::<Result<_, ToolError>>()?,
        })
    }
}

impl Piece {
    fn name(&self) -> Option<&str> {
        match self {
            Self::Literal(_) => None,
            Self::Name(name) => Some(name),
        }
    }
}

/// Whether a number in it may have been an integer that is another one by now: such large ones are read as floats.
fn lost_digits(value: &Value) -> bool {
    const TWO_TO_64: f64 = 18_446_744_073_709_551_616.0;
    match value {
        Value::Number(number) => {
            let real = number.as_f64().filter(|_| number.is_f64());
            real.is_some_and(|real| real.abs() >= TWO_TO_64)
        }
        Value::Array(items) => items.iter().any(lost_digits),
        Value::Object(members) => members.values().any(lost_digits),
        Value::Null | Value::Bool(_) | Value::String(_) => false,
    }
}

/// Adds a value to a path.
fn segment(name: &str, value: Option<Value>, target: &mut String) -> Result<(), ToolError> {
    let text = value.as_ref().and_then(scalar);
    match text {
        Some(text) if text.len() > MAX_URL_BYTES => Err(too_long()),
        Some(text) if may_be_segment(&text) => {
            encode(&text, target);
            Ok(())
        }
        Some(_) => Err(ToolError::InvalidArguments(format!(
            "{name} cannot be part of a path: it is empty, or holds control characters, `.` or `..` segments"
        ))),
        None => Err(ToolError::InvalidArguments(format!(
            "{name} must be a string, a number or a boolean"
        ))),
    }
}

fn too_long() -> ToolError {
    ToolError::InvalidArguments("they are too long for a URL".to_owned())
}

/// Adds a value to the query that starts at `path_end`: a list once for each item, what is not there not at all.
fn parameter(name: &str, value: Option<Value>, path_end: usize, target: &mut String) {
    let values = match value {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(values)) => values,
        Some(value) => vec![value],
    };
    for value in values {
        target.push(if target.len() == path_end { '?' } else { '&' });
        encode(name, target);
        target.push('=');
        encode(&scalar(&value).unwrap_or_else(|| value.to_string()), target);
    }
}

/// The text of a string, a number or a boolean.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A part of the identity in a header. Space is refused, since receivers trim it: " acme" must not
/// become "acme".
fn identity(text: &str) -> Result<HeaderValue, ToolError> {
    let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    let value = HeaderValue::from_str(text).ok().filter(|_| is_plain);
    value.ok_or_else(|| {
        ToolError::Failed("the caller's identity does not fit into a header".to_owned())
    })
}
