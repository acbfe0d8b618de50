//! What the client of a call can do: told by the message itself, or by the session it belongs to.

use std::mem::take;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::envelope::{Object, Params, Text, Token};
use super::front::{Era, Header};
use super::peer::Peer;
use super::session::capabilities_of;
use super::{Mcp, ProtocolError};
use crate::auth::Principal;
use crate::json::canonical_object;
use crate::tool::{Arguments, Asked, Asking, Capability, Client, LogLevel};

/// How long a client may take to answer what a call asks.
const PATIENCE: Duration = Duration::from_secs(15 * 60);
/// What the memory of a call is sealed for, together with its caller and what it calls.
const PURPOSE: &str = "mcp request state";

/// What a client carries.
#[derive(Default, Serialize, Deserialize)]
struct State {
    /// What the call remembered.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    remembered: Option<Value>,
    /// What there is of its approval, which is sealed by itself.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    approval: Option<String>,
}

/// What a request asks for: what the memory of a call is good for.
pub(super) struct About<'a> {
    pub(super) method: &'a str,
    pub(super) name: &'a str,
    pub(super) arguments: &'a Arguments,
}

impl About<'_> {
    /// With whom it is about, the purpose of a seal.
    fn sealed<T>(&self, principal: &Principal, with: impl FnOnce(&[&str]) -> T) -> T {
        let mut arguments = Vec::new();
        canonical_object(self.arguments, &mut arguments);
        let arguments = URL_SAFE_NO_PAD.encode(digest(&SHA256, &arguments));
        let (tenant, subject) = (principal.tenant(), principal.subject());
        with(&[PURPOSE, tenant, subject, self.method, self.name, &arguments])
    }
}

impl Mcp {
    /// The client of a call, if it can do more than read the answer.
    pub(super) fn client(
        &self,
        principal: &Principal,
        params: &mut Params<'_>,
        era: Era,
        peer: Peer<'_>,
        about: &About<'_>,
    ) -> Result<Option<Arc<Client>>, ProtocolError> {
        let progress = match params.meta.progress_token {
            Token::Is(token) => peer.outbox.map(|_| Arc::from(token)),
            Token::Absent => None,
            Token::Wrong => {
                let fault = "progressToken must be a string of at most 1 KiB or an integer";
                return Err(ProtocolError::InvalidParams(fault));
            }
        };
        let client = match era {
            Era::Modern => self.modern_client(principal, params, about)?,
            Era::Legacy => self.legacy_client(principal, peer),
        };
        let says_nothing = client.capabilities.is_empty()
            && client.remembered.is_none()
            && client.approval.is_none()
            && client.log_level.is_none()
            && progress.is_none();
        if says_nothing {
            return Ok(None);
        }
        Ok(Some(Arc::new(Client {
            progress,
            outbox: peer.outbox.cloned(),
            ..client
        })))
    }

    fn modern_client(
        &self,
        principal: &Principal,
        params: &mut Params<'_>,
        about: &About<'_>,
    ) -> Result<Client, ProtocolError> {
        let log_level = match &params.meta.log_level {
            Text::Absent => None,
            Text::Is(level) => Some(log_level(level)?),
            Text::Wrong => return Err(ProtocolError::InvalidParams(BAD_LEVEL)),
        };
        let given = match take(&mut params.input_responses) {
            Object::Is(given) => given,
            Object::Absent => Map::new(),
            Object::Wrong => {
                let fault = "inputResponses must be an object";
                return Err(ProtocolError::InvalidParams(fault));
            }
        };
        let capabilities = params.meta.client_capabilities.get();
        let may_be_task = about.method == "tools/call" && capabilities.has(Capability::Tasks);
        let state = match &params.request_state {
            Text::Absent => State::default(),
            Text::Is(state) => self.carried(principal, about, state)?,
            Text::Wrong => return Err(ProtocolError::InvalidParams(BAD_STATE)),
        };
        Ok(Client {
            capabilities,
            log_level,
            asking: match may_be_task {
                true => Asking::Task {
                    given,
                    desk: Arc::default(),
                },
                false => Asking::Retry { given },
            },
            remembered: state.remembered,
            approval: state.approval,
            ..Client::default()
        })
    }

    fn legacy_client(&self, principal: &Principal, peer: Peer<'_>) -> Client {
        let (capabilities, log_level) = match (peer.session, peer.headers) {
            (Some(session), _) => (session.capabilities(), session.log_level()),
            (None, Some(headers)) => (
                capabilities_of(&self.lasting, principal, headers.session),
                self.lasting
                    .log_levels
                    .get(principal, session_text(headers.session)),
            ),
            (None, None) => return Client::default(),
        };
        Client {
            // The extension is of the other era alone (SEP-2663, "Backward Compatibility").
            capabilities: capabilities.without(Capability::Tasks),
            log_level,
            asking: Asking::Live(self.lasting.questions.clone()),
            ..Client::default()
        }
    }

    fn carried(
        &self,
        principal: &Principal,
        about: &About<'_>,
        state: &str,
    ) -> Result<State, ProtocolError> {
        let open = |purpose: &[&str]| self.lasting.seal.open(purpose, state);
        let opened = about.sealed(principal, open);
        let opened = opened.map_err(|_| ProtocolError::InvalidParams(BAD_STATE))?;
        // Sealed by us, so it is what we wrote.
        Ok(serde_json::from_slice(&opened).unwrap_or_default())
    }

    /// What a call that asks wants to know again, for its client to carry.
    pub(super) fn request_state(
        &self,
        principal: &Principal,
        about: &About<'_>,
        asked: &Asked,
    ) -> Option<String> {
        if asked.remembered.is_none() && asked.approval.is_none() {
            return None;
        }
        let state = State {
            remembered: asked.remembered.clone(),
            approval: asked.approval.clone(),
        };
        let state = serde_json::to_vec(&state).ok()?;
        let seal = |purpose: &[&str]| self.lasting.seal.seal(purpose, &state, PATIENCE);
        about.sealed(principal, seal)
    }
}

/// What tells the sessions of a caller apart.
pub(super) fn session_text(session: Header<'_>) -> &str {
    match session {
        Header::Is(id) => id,
        Header::Absent | Header::Wrong => "",
    }
}

pub(super) fn log_level(text: &str) -> Result<LogLevel, ProtocolError> {
    let level = serde_json::from_value(Value::from(text));
    level.map_err(|_| ProtocolError::InvalidParams(BAD_LEVEL))
}

const BAD_LEVEL: &str =
    "a log level is one of debug, info, notice, warning, error, critical, alert and emergency";
const BAD_STATE: &str = "requestState was not made for this request, or has expired";
