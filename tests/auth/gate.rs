//! A server with one tool, a caller who may use it, and the watch over what a refusal tells.

use schemars::JsonSchema;
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::{Value, json};
use tollgate::testing::{AUDIENCE, ISSUER, TestServer};
use tollgate::{CallContext, Tool, ToolError};

use crate::caller::{Answer, Caller};
use crate::log;
use crate::tokens::{hs256, signed};

#[derive(Deserialize, JsonSchema)]
struct Nothing {}

async fn whoami(call: CallContext, _: Nothing) -> Result<String, ToolError> {
    Ok(call.principal().tenant().to_owned())
}

pub(crate) struct Gate {
    pub(crate) server: TestServer,
    secret: String,
    /// Shares its connections with all who call here.
    someone: Caller,
}

impl Gate {
    pub(crate) async fn open() -> Self {
        log::listen();
        let server = TestServer::start(|server| {
            server.tool(
                Tool::new("whoami", "Whose data.")
                    .scope("echo")
                    .handler(whoami),
            )
        })
        .await;
        let secret = server.secret().expose_secret().to_owned();
        let someone = Caller::new(server.url(), "");
        Self {
            server,
            secret,
            someone,
        }
    }

    pub(crate) fn secret(&self) -> &str {
        &self.secret
    }

    /// Claims that get in.
    pub(crate) fn claims(&self) -> Value {
        json!({
            "iss": ISSUER, "aud": AUDIENCE, "exp": self.now() + 3_600,
            "sub": "ada", "tenant": "acme", "scopes": ["echo"],
        })
    }

    pub(crate) fn now(&self) -> u64 {
        self.server.clock().unix().as_secs()
    }

    pub(crate) fn good_token(&self) -> String {
        hs256(&self.claims(), &self.secret)
    }

    pub(crate) fn with_claim(&self, name: &str, value: Value) -> String {
        let mut claims = self.claims();
        claims[name] = value;
        hs256(&claims, &self.secret)
    }

    pub(crate) fn without_claim(&self, name: &str) -> String {
        let mut claims = self.claims();
        claims.as_object_mut().expect("an object").remove(name);
        hs256(&claims, &self.secret)
    }

    pub(crate) fn with_header(&self, header: &str) -> String {
        let payload = self.claims().to_string();
        let algorithm = aws_lc_rs::hmac::HMAC_SHA256;
        signed(
            header.as_bytes(),
            payload.as_bytes(),
            algorithm,
            &self.secret,
        )
    }

    pub(crate) fn with_payload(&self, payload: &[u8]) -> String {
        let header = br#"{"alg":"HS256","typ":"JWT"}"#;
        signed(header, payload, aws_lc_rs::hmac::HMAC_SHA256, &self.secret)
    }

    pub(crate) fn caller(&self, token: &str) -> Caller {
        Caller {
            token: token.to_owned(),
            ..self.someone.clone()
        }
    }

    /// Whether a call with this token is served.
    pub(crate) async fn admits(&self, token: &str) -> bool {
        let answer = self.caller(token).rest("whoami", json!({})).await;
        answer.status == 200
    }

    /// The token is refused on both surfaces in the words of every refusal, nothing tells why, and
    /// a good token still gets in.
    pub(crate) async fn refuses(&self, what: &str, token: &str) {
        let caller = self.caller(token);
        let rest = caller.rest("whoami", json!({})).await;
        assert_eq!(rest.status, 401, "{what}");
        let call_id = rest.header("tollgate-call-id").to_owned();
        let body = json!({
            "type": "urn:tollgate:error:unauthenticated", "title": "Unauthorized",
            "status": 401, "detail": "A valid bearer token is required", "callId": call_id,
        });
        assert_eq!(rest.body, body, "{what}");

        let call = json!({"name": "whoami", "arguments": {}});
        for mcp in [
            caller.modern("tools/call", call.clone()).await,
            caller.legacy("tools/call", call).await,
        ] {
            assert_eq!(mcp.status, 401, "{what}");
            let call_id = mcp.header("tollgate-call-id").to_owned();
            let error = json!({
                "code": 40101, "message": "A valid bearer token is required",
                "data": {"callId": call_id},
            });
            assert_eq!(
                mcp.body,
                json!({"jsonrpc": "2.0", "error": error}),
                "{what}"
            );
            self.tells_nothing(what, &mcp);
        }
        self.tells_nothing(what, &rest);
        assert!(self.admits(&self.good_token()).await, "after {what}");
    }

    /// The body is known by now; this looks at the headers and at the log.
    fn tells_nothing(&self, what: &str, answer: &Answer) {
        assert_eq!(
            answer.header("www-authenticate"),
            format!(
                "Bearer error=\"invalid_token\", resource_metadata=\"{}/.well-known/oauth-protected-resource/mcp\", scope=\"echo\"",
                self.server.url()
            ),
            "{what}"
        );
        assert_eq!(log::lines_with(&self.secret), [""; 0], "{what}");
    }
}
