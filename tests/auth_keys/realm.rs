//! A server that trusts a key server, and callers with its tokens.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use tollgate::auth::{Issuer, KeySource, KeyTimes};
use tollgate::testing::{AUDIENCE, TestServer};
use tollgate::{CallContext, Tool, ToolError};

use crate::caller::{Answer, Caller};
use crate::key_server::KeyServer;
use crate::signers::Signer;

#[derive(Deserialize, JsonSchema)]
struct Nothing {}

async fn whoami(call: CallContext, _: Nothing) -> Result<String, ToolError> {
    Ok(call.principal().tenant().to_owned())
}

pub(crate) fn tool() -> Tool {
    Tool::new("whoami", "Whose data.")
        .scope("echo")
        .handler(whoami)
}

/// A server with one tool and one issuer with public keys.
pub(crate) struct Realm {
    pub(crate) server: TestServer,
    pub(crate) issuer: String,
    someone: Caller,
}

impl Realm {
    /// Discovers the keys of the key server, as its URL is the issuer's name.
    pub(crate) async fn discovers(keys: &KeyServer) -> Self {
        let issuer = issuer(keys.url(), &KeySource::Discovery);
        Self::trusts(keys.url(), issuer).await
    }

    /// Trusts this issuer, known by this name.
    pub(crate) async fn trusts(name: &str, issuer: Issuer) -> Self {
        let server = TestServer::start(|server| server.issuer(issuer).tool(tool())).await;
        let someone = Caller::new(server.url(), "");
        Self {
            server,
            issuer: name.to_owned(),
            someone,
        }
    }

    /// Claims that get in, for three days.
    pub(crate) fn claims(&self) -> Value {
        let now = self.server.clock().unix().as_secs();
        json!({
            "iss": self.issuer, "aud": AUDIENCE, "exp": now + 3 * 86_400,
            "sub": "ada", "tenant": "acme", "scopes": ["echo"],
        })
    }

    pub(crate) fn token(&self, signer: &Signer, alg: &str) -> String {
        signer.token(alg, &self.claims())
    }

    pub(crate) async fn call(&self, token: &str) -> Answer {
        let caller = Caller {
            token: token.to_owned(),
            ..self.someone.clone()
        };
        caller.rest("whoami", json!({})).await
    }

    pub(crate) async fn status(&self, token: &str) -> u16 {
        self.call(token).await.status
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.server.clock().advance(by);
    }

    /// Turns the clock, and waits until loading the keys has failed once more.
    pub(crate) async fn fails_after(&self, wait: Duration) {
        let before = failures(&self.server);
        self.advance(wait);
        let fails = async {
            while failures(&self.server) == before {
                tokio::task::yield_now().await;
            }
        };
        let failed = tokio::time::timeout(Duration::from_secs(10), fails).await;
        assert!(failed.is_ok(), "the keys were loaded");
    }

    /// Waits until calls with this token come to this status: what the server learns from outside
    /// takes a moment to arrive.
    pub(crate) async fn comes_to(&self, status: u16, token: &str) {
        let arrives = async {
            while self.status(token).await != status {
                tokio::task::yield_now().await;
            }
        };
        let arrived = tokio::time::timeout(Duration::from_secs(10), arrives).await;
        assert!(arrived.is_ok(), "calls do not come to {status}");
    }
}

/// How often loading the keys failed so far.
fn failures(server: &TestServer) -> u64 {
    server.key_states()[0].failures
}

/// An issuer with the default algorithms and times.
pub(crate) fn issuer(name: &str, source: &KeySource) -> Issuer {
    Issuer::with_keys(name, [AUDIENCE], source, KeyTimes::default()).expect("a good issuer")
}

pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const HOUR: Duration = Duration::from_secs(3_600);
