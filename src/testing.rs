//! For tests of tools: a real server on a free port, tokens for any caller, a clock to turn.
//!
//! Behind the feature `testing`. The server is the real one, with every check in place; only the
//! clock for quotas and tokens stands still until a test turns it.
//!
//! ```
//! use schemars::JsonSchema;
//! use serde::Deserialize;
//! use tollgate::testing::TestServer;
//! use tollgate::{CallContext, Tool, ToolError};
//!
//! #[derive(Deserialize, JsonSchema)]
//! struct Args {
//!     name: String,
//! }
//!
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! let server = TestServer::start(|server| {
//!     server.tool(
//!         Tool::new("greet", "Greets.")
//!             .scope("greet")
//!             .handler(async |_: CallContext, args: Args| Ok::<_, ToolError>(format!("Hello {}", args.name))),
//!     )
//! })
//! .await;
//! let token = server.token_for("acme", "ada", &["greet"]);
//! let answer = reqwest::Client::new()
//!     .post(format!("{}/mcp/tool/greet", server.url()))
//!     .bearer_auth(token)
//!     .json(&serde_json::json!({"name": "Ada"}))
//!     .send()
//!     .await
//!     .unwrap();
//! assert_eq!(answer.text().await.unwrap(), r#"{"ok":true,"result":"Hello Ada"}"#);
//! # });
//! ```

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::Algorithm;
use secrecy::SecretString;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::auth::{ClaimNames, Issuer, KeyState, MintRequest, mint, random_secret};
use crate::clock::Clock;
use crate::pipeline::Changes;
use crate::quota::StoreState;
use crate::server::{Reloaded, Reloader, Server, ServerBuilder, StartError};

/// `iss` of the tokens a [`TestServer`] trusts.
pub const ISSUER: &str = "https://issuer.test/";
/// `aud` of the tokens a [`TestServer`] trusts.
pub const AUDIENCE: &str = "https://tools.test/mcp";

/// A running server. Dropping it stops it.
pub struct TestServer {
    url: String,
    admin_url: Option<String>,
    clock: Clock,
    reloader: Reloader,
    secret: SecretString,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<()>,
}

impl TestServer {
    /// Starts a server that `set_up` adds tools to, on a free port of the loopback interface.
    ///
    /// # Panics
    /// When the tools cannot be served or no port is free: a test cannot go on.
    #[expect(
        clippy::expect_used,
        reason = "for tests, where a panic with its reason is the report"
    )]
    pub async fn start(set_up: impl FnOnce(ServerBuilder) -> ServerBuilder) -> Self {
        // For HTTP clients in the same test; the program's `main` does it otherwise.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let clock = Clock::turned();
        let secret = random_secret().expect("random bytes");
        let server = set_up(described(&clock, &secret))
            .build()
            .expect("a server that can be served");
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let bound = server.bind(address).await.expect("a free port");
        let url = bound.url();
        let admin_url = bound.admin_addr().map(|admin| format!("http://{admin}"));
        let reloader = bound.reloader();
        let (stop, stopped) = oneshot::channel();
        let serving = tokio::spawn(bound.serve(async {
            // Dropping the sender stops the server as well.
            let _ = stopped.await;
        }));
        Self {
            url,
            admin_url,
            clock,
            reloader,
            secret,
            stop: Some(stop),
            serving,
        }
    }

    /// `http://127.0.0.1:PORT`, with TLS `https://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// `http://127.0.0.1:PORT` of the admin listener, where the server was given one.
    pub fn admin_url(&self) -> Option<&str> {
        self.admin_url.as_deref()
    }

    /// The clock that quotas and tokens go by.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// How it stands with the public keys of each issuer that has some.
    pub fn key_states(&self) -> Vec<KeyState> {
        self.reloader.pipeline().authenticator.key_states()
    }

    /// Serves from now on what `set_up` describes, in place of what was described before.
    ///
    /// # Errors
    /// [`StartError`], and then nothing changes.
    pub async fn reload(
        &self,
        set_up: impl FnOnce(ServerBuilder) -> ServerBuilder,
    ) -> Result<Reloaded, StartError> {
        let builder = set_up(described(&self.clock, &self.secret));
        self.reloader.reload(builder).await
    }

    /// What tells listeners to look whether their lists changed.
    pub fn changes(&self) -> Arc<Changes> {
        Arc::clone(&self.reloader.pipeline().changes)
    }

    /// How it stands with the store of the quotas, where the server has one.
    pub fn store_state(&self) -> Option<StoreState> {
        self.reloader.pipeline().quotas.store_state()
    }

    /// The secret that good tokens are signed with, for tests that make bad ones.
    pub fn secret(&self) -> &SecretString {
        &self.secret
    }

    /// A token, good for an hour of the server's clock.
    ///
    /// # Panics
    /// Never with the HMAC it uses.
    #[expect(
        clippy::expect_used,
        reason = "for tests, where a panic with its reason is the report"
    )]
    pub fn token_for(&self, tenant: &str, subject: &str, scopes: &[&str]) -> String {
        let scopes: Vec<String> = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        let request = MintRequest {
            issuer: ISSUER,
            audience: AUDIENCE,
            subject,
            tenant,
            scopes: &scopes,
            now: self.clock.unix(),
            lifetime: Duration::from_secs(3_600),
            claims: &ClaimNames::default(),
        };
        mint(&request, &self.secret, Algorithm::HS256).expect("a signed token")
    }

    /// Stops the server as a signal would and waits until running calls are done.
    pub async fn stop(mut self) {
        self.stop.take();
        let _ = (&mut self.serving).await;
    }
}

/// What a server has before a test adds to it.
#[expect(
    clippy::expect_used,
    reason = "for tests, where a panic with its reason is the report"
)]
fn described(clock: &Clock, secret: &SecretString) -> ServerBuilder {
    let issuer = Issuer::hs256(ISSUER, [AUDIENCE], secret).expect("a good issuer");
    Server::builder().clock(clock.clone()).issuer(issuer)
}

impl Drop for TestServer {
    fn drop(&mut self) {
        // `stop` has waited already, or nobody waits at all.
        if self.stop.is_some() {
            self.serving.abort();
        }
    }
}
