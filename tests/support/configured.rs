//! A server with settings that only a config file can give, and its own issuer.

use std::io;
use std::path::Path;
use std::time::Duration;

use secrecy::SecretString;
use tollgate::Clock;
use tollgate::auth::{ClaimNames, MintRequest, mint, random_secret};
use tollgate::config::{Config, Environment};
use tollgate::server::ServerBuilder;
use tollgate::testing::TestServer;

pub(crate) const PUBLIC: &str = "https://tools.example.com";
const ISSUER: &str = "https://issuer.example.com/";
const SETTINGS: &str = "
server:
  publicUrl: https://tools.example.com
  allowedOrigins: [https://app.example.com]
  maxBodyBytes: 2048
auth:
  issuers:
    - issuer: https://issuer.example.com/
      audiences: [https://tools.example.com/mcp]
      secret: ${SECRET}
";

struct Secret<'a>(&'a str);

impl Environment for Secret<'_> {
    fn variable(&self, name: &str) -> Option<String> {
        (name == "SECRET").then(|| self.0.to_owned())
    }

    fn file(&self, _: &Path) -> io::Result<String> {
        Err(io::ErrorKind::NotFound.into())
    }
}

/// The server, with what `set_up` adds, and a token for tenant `acme` with `scopes`.
pub(crate) async fn configured(
    scopes: &[&str],
    set_up: impl FnOnce(ServerBuilder) -> ServerBuilder,
) -> (TestServer, String) {
    let secret: SecretString = random_secret().expect("random bytes");
    let text = secrecy::ExposeSecret::expose_secret(&secret);
    let config = Config::parse(SETTINGS, Path::new("tollgate.yaml"), &Secret(text));
    let builder = ServerBuilder::from_config(config.expect("a good config")).expect("a server");
    let clock = Clock::turned();
    let token = mint(
        &MintRequest {
            issuer: ISSUER,
            audience: "https://tools.example.com/mcp",
            subject: "ada",
            tenant: "acme",
            scopes: &scopes.iter().map(ToString::to_string).collect::<Vec<_>>(),
            now: clock.unix(),
            lifetime: Duration::from_secs(3_600),
            claims: &ClaimNames::default(),
        },
        &secret,
        jsonwebtoken::Algorithm::HS256,
    );
    let server = TestServer::start(|_| set_up(builder.clock(clock))).await;
    (server, token.expect("a token"))
}
