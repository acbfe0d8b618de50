//! Reading one MCP message: every byte once, borrowing what can be borrowed.
//!
//! One pass over the text fills an [`Envelope`] with all that any method needs. Values of a wrong
//! type do not fail the pass; they are noted ([`Text::Wrong`]) and judged later, in the order the
//! protocol prescribes, by code that knows the method. What does fail it: text that is no JSON, and
//! JSON that is no single JSON-RPC message (batches, doubled keys, ids that are no id).

mod capabilities;
mod filter;
mod lenient;
mod token;

use std::borrow::Cow;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, DeserializeSeed, IgnoredAny, MapAccess};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::error::ProtocolError;
use crate::json::{Keys, StrictObject};
use crate::tool::Arguments;
pub(super) use capabilities::Declared;
pub(super) use filter::{Filter, Wanted};
use lenient::{
    Filling, Lenient, Member, Members, id, id_if_any, is_id, members, next_key, once, skip, unread,
    value,
};
pub(super) use token::{MAX_ECHOED_BYTES, Token};

/// A message's outermost object.
#[derive(Default)]
pub(crate) struct Envelope<'a> {
    pub(super) version_is_2: bool,
    /// The id as it was sent: a number or a quoted string.
    pub(crate) id: Option<&'a str>,
    pub(crate) method: Text<'a>,
    pub(super) params: Params<'a>,
    /// Holds `result` or `error`: an answer to something nobody asked.
    pub(super) is_response: bool,
}

/// What the methods' parameters hold, taken together.
#[derive(Default)]
pub(crate) struct Params<'a> {
    /// There, and no object.
    pub(super) are_wrong: bool,
    pub(super) name: Text<'a>,
    pub(super) uri: Text<'a>,
    pub(super) cursor: Text<'a>,
    /// `initialize`.
    pub(super) protocol_version: Text<'a>,
    /// `notifications/cancelled`: the id as it was sent.
    pub(super) request_id: Option<&'a str>,
    /// `tasks/get` and the like.
    pub(super) task_id: Text<'a>,
    /// `subscriptions/listen`.
    pub(super) notifications: Filter,
    pub(super) arguments: Object,
    /// Answers to what the call asked before.
    pub(super) input_responses: Object,
    /// What it remembered then.
    pub(super) request_state: Text<'a>,
    pub(super) meta: Meta<'a>,
}

/// `params._meta`.
#[derive(Default)]
pub(crate) struct Meta<'a> {
    /// There, and no object.
    pub(super) is_wrong: bool,
    pub(super) protocol_version: Text<'a>,
    pub(super) client_capabilities: Declared,
    pub(super) client_info: Shape,
    pub(super) traceparent: Text<'a>,
    pub(super) tracestate: Text<'a>,
    pub(super) progress_token: Token<'a>,
    pub(super) log_level: Text<'a>,
}

/// A member that should be a string.
#[derive(Default, Debug, PartialEq, Eq)]
pub(crate) enum Text<'a> {
    /// Not there.
    #[default]
    Absent,
    /// There, and a string.
    Is(Cow<'a, str>),
    /// There, and something else.
    Wrong,
}

impl Text<'_> {
    pub(crate) fn as_str(&self) -> Option<&str> {
        match self {
            Self::Is(text) => Some(text),
            Self::Absent | Self::Wrong => None,
        }
    }
}

/// A member that should be an object and whose content matters.
#[derive(Default)]
pub(super) enum Object {
    #[default]
    Absent,
    Is(Arguments),
    Wrong,
}

/// A member that should be an object and whose content does not matter.
#[derive(Default, Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    #[default]
    Absent,
    Object,
    Wrong,
}

/// Reads a message.
///
/// # Errors
/// [`ProtocolError::Parse`] or [`ProtocolError::InvalidRequest`].
pub(crate) fn parse(message: &[u8]) -> Result<Envelope<'_>, ProtocolError> {
    // `serde_json` checks only the strings it keeps; a message is UTF-8 as a whole or not at all.
    let text = std::str::from_utf8(message).map_err(|_| ProtocolError::Parse)?;
    let mut envelope = Envelope::default();
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let read = Filling(&mut envelope).deserialize(&mut deserializer);
    let read = read.and_then(|()| deserializer.end());
    read.map_err(|error| {
        if error.is_data() {
            ProtocolError::InvalidRequest("not one JSON-RPC message with each key once")
        } else {
            ProtocolError::Parse
        }
    })?;
    if !envelope.version_is_2 {
        return Err(ProtocolError::InvalidRequest("`jsonrpc` must be \"2.0\""));
    }
    if envelope.method == Text::Absent && !envelope.is_response {
        return Err(ProtocolError::InvalidRequest("`method` is missing"));
    }
    if envelope.method == Text::Wrong {
        return Err(ProtocolError::InvalidRequest("`method` must be a string"));
    }
    if envelope.is_response && envelope.method != Text::Absent {
        return Err(ProtocolError::InvalidRequest(
            "a request has no `result` or `error`",
        ));
    }
    Ok(envelope)
}

/// The id by which a client may cancel this message, as it was sent. An answer has none: the id that
/// it names is one of ours.
pub(crate) fn id_of(message: &[u8]) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Request {
        #[serde(rename = "method")]
        _method: IgnoredAny,
    }
    let id = rescue_id(message)?;
    let _: Request = serde_json::from_slice(message).ok()?;
    Some(id.to_owned())
}

/// The id of a message that may be broken in other ways, for the answer that says so.
pub(super) fn rescue_id(message: &[u8]) -> Option<&str> {
    #[derive(serde::Deserialize)]
    struct OnlyId<'a> {
        #[serde(borrow, default)]
        id: Option<&'a RawValue>,
    }
    // A struct would be read from a list as well.
    message.trim_ascii_start().strip_prefix(b"{")?;
    let only: OnlyId<'_> = serde_json::from_slice(message).ok()?;
    only.id.map(RawValue::get).filter(|id| is_id(id))
}

/// What the client of an `initialize` says that it can do. A second look at a message that is read
/// already, as are the next two: they are rare, and every other message need not carry their members.
pub(super) fn initialize_capabilities(message: &[u8]) -> Declared {
    #[derive(serde::Deserialize)]
    struct Initialize {
        params: Params,
    }
    #[derive(serde::Deserialize)]
    struct Params {
        #[serde(default, deserialize_with = "declared")]
        capabilities: Declared,
    }
    fn declared<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Declared, D::Error> {
        Lenient::deserialize(deserializer).map(|Lenient(declared)| declared)
    }
    let read = serde_json::from_slice(message);
    read.map_or(Declared::Absent, |read: Initialize| {
        read.params.capabilities
    })
}

/// The level of a `logging/setLevel`, if it is a text.
pub(super) fn level(message: &[u8]) -> Option<String> {
    let message: Value = serde_json::from_slice(message).ok()?;
    let level = message.get("params")?.get("level")?.as_str()?;
    Some(level.to_owned())
}

/// The id and the result of a response; no result where it is an error. `None` where its id is none of
/// ours, which are texts.
pub(super) fn response(message: &[u8]) -> Option<(String, Option<Value>)> {
    #[derive(serde::Deserialize)]
    struct Response {
        id: String,
        #[serde(default)]
        result: Option<Value>,
    }
    let read: Response = serde_json::from_slice(message).ok()?;
    Some((read.id, read.result))
}

impl<'de> Members<'de> for Envelope<'de> {
    fn read<A: MapAccess<'de>>(&mut self, mut map: A) -> Result<(), A::Error> {
        let (mut seen, mut others) = (0, Keys::default());
        while let Some(key) = next_key(&mut map)? {
            match &*key {
                "jsonrpc" => {
                    once(&mut seen, 1)?;
                    self.version_is_2 = value::<Text<'_>, A>(&mut map)?.as_str() == Some("2.0");
                }
                "id" => {
                    once(&mut seen, 2)?;
                    self.id = Some(id(&mut map)?);
                }
                "method" => {
                    once(&mut seen, 4)?;
                    self.method = value(&mut map)?;
                }
                "params" => {
                    once(&mut seen, 8)?;
                    members(&mut map, &mut self.params)?;
                }
                _ => {
                    self.is_response |= matches!(&*key, "result" | "error");
                    unread(&mut map, &mut others, key)?;
                }
            }
        }
        Ok(())
    }
}

impl<'de> Members<'de> for Params<'de> {
    fn is_wrong(&mut self) -> bool {
        self.are_wrong = true;
        true
    }

    fn read<A: MapAccess<'de>>(&mut self, mut map: A) -> Result<(), A::Error> {
        let (mut seen, mut others) = (0, Keys::default());
        while let Some(key) = next_key(&mut map)? {
            match &*key {
                "name" => {
                    once(&mut seen, 1)?;
                    self.name = value(&mut map)?;
                }
                "uri" => {
                    once(&mut seen, 2)?;
                    self.uri = value(&mut map)?;
                }
                "arguments" => {
                    once(&mut seen, 4)?;
                    self.arguments = value(&mut map)?;
                }
                "cursor" => {
                    once(&mut seen, 8)?;
                    self.cursor = value(&mut map)?;
                }
                "_meta" => {
                    once(&mut seen, 16)?;
                    members(&mut map, &mut self.meta)?;
                }
                "protocolVersion" => {
                    once(&mut seen, 32)?;
                    self.protocol_version = value(&mut map)?;
                }
                "requestId" => {
                    once(&mut seen, 64)?;
                    self.request_id = id_if_any(&mut map)?;
                }
                "notifications" => {
                    once(&mut seen, 128)?;
                    self.notifications = value(&mut map)?;
                }
                "inputResponses" => {
                    once(&mut seen, 256)?;
                    self.input_responses = value(&mut map)?;
                }
                "requestState" => {
                    once(&mut seen, 512)?;
                    self.request_state = value(&mut map)?;
                }
                "taskId" => {
                    once(&mut seen, 1_024)?;
                    self.task_id = value(&mut map)?;
                }
                _ => unread(&mut map, &mut others, key)?,
            }
        }
        Ok(())
    }
}

impl<'de> Members<'de> for Meta<'de> {
    fn is_wrong(&mut self) -> bool {
        self.is_wrong = true;
        true
    }

    fn read<A: MapAccess<'de>>(&mut self, mut map: A) -> Result<(), A::Error> {
        let (mut seen, mut others) = (0, Keys::default());
        while let Some(key) = next_key(&mut map)? {
            match &*key {
                "io.modelcontextprotocol/protocolVersion" => {
                    once(&mut seen, 1)?;
                    self.protocol_version = value(&mut map)?;
                }
                "io.modelcontextprotocol/clientCapabilities" => {
                    once(&mut seen, 2)?;
                    self.client_capabilities = value(&mut map)?;
                }
                "io.modelcontextprotocol/clientInfo" => {
                    once(&mut seen, 4)?;
                    self.client_info = value(&mut map)?;
                }
                "traceparent" => {
                    once(&mut seen, 8)?;
                    self.traceparent = value(&mut map)?;
                }
                "tracestate" => {
                    once(&mut seen, 16)?;
                    self.tracestate = value(&mut map)?;
                }
                "progressToken" => {
                    once(&mut seen, 32)?;
                    self.progress_token = Token::read(&mut map)?;
                }
                "io.modelcontextprotocol/logLevel" => {
                    once(&mut seen, 64)?;
                    self.log_level = value(&mut map)?;
                }
                _ => unread(&mut map, &mut others, key)?,
            }
        }
        Ok(())
    }
}

impl<'de> Member<'de> for Text<'de> {
    fn wrong() -> Option<Self> {
        Some(Self::Wrong)
    }

    fn text(text: Cow<'de, str>) -> Option<Self> {
        Some(Self::Is(text))
    }
}

impl<'de> Member<'de> for Shape {
    fn wrong() -> Option<Self> {
        Some(Self::Wrong)
    }

    fn object<A: MapAccess<'de>>(map: A) -> Result<Self, A::Error> {
        skip(map)?;
        Ok(Self::Object)
    }
}

impl<'de> Member<'de> for Object {
    fn wrong() -> Option<Self> {
        Some(Self::Wrong)
    }

    fn object<A: MapAccess<'de>>(map: A) -> Result<Self, A::Error> {
        let StrictObject(object) = StrictObject::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Self::Is(object))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fault(text: &str) -> Option<ProtocolError> {
        parse(text.as_bytes()).err()
    }

    #[test]
    fn a_message_is_read_in_one_pass_whatever_the_order_of_its_members() {
        let text = r#"{"params":{"_meta":{"traceparent":"t","x":[1]},"arguments":{"a":1},"name":"n\u0061"},
            "method":"tools/call","id":"7","jsonrpc":"2.0","extra":{}}"#;
        let envelope = parse(text.as_bytes()).expect("a good message");
        assert_eq!(envelope.id, Some("\"7\""));
        assert_eq!(envelope.method.as_str(), Some("tools/call"));
        assert_eq!(envelope.params.name.as_str(), Some("na"));
        assert_eq!(envelope.params.meta.traceparent.as_str(), Some("t"));
        assert!(matches!(&envelope.params.arguments, Object::Is(a) if a["a"] == 1));
    }

    #[test]
    fn text_that_is_no_json_and_json_that_is_no_message_are_told_apart() {
        for bad in [
            "",
            "{",
            "nope",
            "{\"jsonrpc\":\"2.0\",}",
            &"[".repeat(10_000),
        ] {
            assert_eq!(fault(bad), Some(ProtocolError::Parse), "{bad}");
        }
        assert_eq!(
            parse(b"{\"method\":\"\xff\"}").err(),
            Some(ProtocolError::Parse)
        );
        for bad in [
            "[]",
            "7",
            "{}",
            r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#,
            r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#,
            r#"{"id":1,"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":1,"Method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":1e3,"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":1,"id":1,"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":7}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","name":"b"}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"arguments":{"x":1,"x":2}}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","x":1,"x":1}"#,
            r#"{"jsonrpc":"2.0","id":1,"result":1,"result":1}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","x":[{"y":1,"\u0079":1}]}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":1,"x":2}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{"_meta":{"x":1,"x":2}}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{"_meta":{"io.modelcontextprotocol/clientInfo":{"x":1,"x":2}}}}"#,
        ] {
            assert!(
                matches!(fault(bad), Some(ProtocolError::InvalidRequest(_))),
                "{bad}"
            );
        }
    }

    #[test]
    fn members_of_a_wrong_type_are_noted_not_fatal() {
        let text = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":7,"arguments":[],"cursor":null,"_meta":3}}"#;
        let envelope = parse(text.as_bytes()).expect("a message");
        assert_eq!(envelope.params.name, Text::Wrong);
        assert_eq!(envelope.params.cursor, Text::Wrong);
        assert!(matches!(envelope.params.arguments, Object::Wrong));
        assert!(envelope.params.meta.is_wrong);
    }

    #[test]
    fn the_id_of_a_broken_message_is_rescued() {
        assert_eq!(rescue_id(br#"{"id":7,"jsonrpc":"1.0"}"#), Some("7"));
        assert_eq!(rescue_id(br#"{"id":null}"#), None);
        assert_eq!(rescue_id(b"{"), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes);
            let _ = rescue_id(&bytes);
        }

        #[test]
        fn json_of_any_shape_in_any_member_is_judged_never_fatal(
            member in "(jsonrpc|id|method|params|result|x)",
            inner in "(name|uri|arguments|cursor|_meta|requestId|notifications|x)",
            value in "(null|true|-1|1[.]5|\"s\"|\\[1,\\[\\]\\]|\\{\"a\":\\{\\}\\})",
        ) {
            let _ = parse(format!(r#"{{"jsonrpc":"2.0","method":"m","{member}":{value}}}"#).as_bytes());
            let text = format!(r#"{{"jsonrpc":"2.0","method":"m","params":{{"{inner}":{value}}}}}"#);
            let parsed = parse(text.as_bytes());
            prop_assert!(parsed.is_ok(), "{}", text);
        }
    }
}
