//! A server made from the text of a config file, on a clock that stands still, with an issuer whose
//! secret the test knows.

use std::io;
use std::path::Path;

use serde_json::{Value, json};
use tollgate::Clock;
use tollgate::config::{Config, Environment};
use tollgate::server::ServerBuilder;
use tollgate::testing::TestServer;

use crate::tokens;

/// What `${SECRET}` stands for in the file.
pub(crate) const SECRET: &str = "n6Gq3Wc8TzV1yKf5RbX0sJdLh7Pm2UaE";
/// `iss` and `aud` of [`token`].
const ISSUER: &str = "https://ci.example.com/";
const AUDIENCE: &str = "https://tools.example.com/mcp";

struct Fixed;

impl Environment for Fixed {
    fn variable(&self, name: &str) -> Option<String> {
        (name == "SECRET").then(|| SECRET.to_owned())
    }

    fn file(&self, _: &Path) -> io::Result<String> {
        Err(io::ErrorKind::NotFound.into())
    }
}

/// What a file called `tollgate.yaml` in `folder` with this text comes to: a server in the making,
/// or its faults, one a line.
pub(crate) fn configure(yaml: &str, folder: &Path) -> Result<ServerBuilder, String> {
    let file = folder.join("tollgate.yaml");
    Config::parse(yaml, &file, &Fixed)
        .and_then(ServerBuilder::from_config)
        .map_err(|faults| faults.to_string())
}

/// Serves it.
pub(crate) async fn serve(yaml: &str, folder: &Path) -> TestServer {
    let builder = configure(yaml, folder).expect("a good configuration");
    TestServer::start(|_| builder.clock(Clock::turned())).await
}

/// A token of the issuer in the file, with these claims besides `iss`, `aud` and `exp`.
pub(crate) fn token(identity: Value) -> String {
    let exp = Clock::turned().unix().as_secs() + 3_600;
    let mut claims = json!({"iss": ISSUER, "aud": AUDIENCE, "exp": exp});
    for (name, value) in identity.as_object().expect("claims") {
        claims[name] = value.clone();
    }
    tokens::hs256(&claims, SECRET)
}
