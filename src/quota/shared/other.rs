//! What else replicas share in the store, over the connection that counts calls.
//!
//! It does not judge the store: what is asked here may be large, and a call that waits to be counted
//! must not pay for it. While the store is known to fail, nobody is asked.

use std::sync::Arc;
use std::time::Duration;

use redis::{ErrorKind, Script, ServerErrorKind, Value};
use tokio::time::timeout;

use super::SharedStore;
use super::connect::Connection;
use super::fault::StoreFault;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// A script, known to the store by its hash or its text.
pub(crate) struct SharedScript {
    script: Script,
    text: &'static str,
}

impl SharedScript {
    pub(crate) fn new(text: &'static str) -> Self {
        Self {
            script: Script::new(text),
            text,
        }
    }
}

/// The store that replicas share.
#[derive(Clone)]
pub struct SharedLink(Arc<SharedStore>);

impl SharedLink {
    pub(in crate::quota) fn new(store: Arc<SharedStore>) -> Self {
        Self(store)
    }

    /// What its keys begin with.
    pub(crate) fn prefix(&self) -> &str {
        &self.0.prefix
    }

    /// Runs a script whose keys lie in one slot; `None` when the store fails, which the log tells.
    pub(crate) async fn ask(
        &self,
        script: &SharedScript,
        keys: &[String],
        arguments: &[String],
    ) -> Option<Value> {
        self.0.keep_connected();
        let asked = async {
            let live = self.0.link.live().await?;
            tokio::select! {
                answer = run_script(&live.connection, script, keys, arguments) => Some(answer),
                () = self.0.link.gone(&live) => None,
            }
        };
        match timeout(PATIENCE, asked).await {
            Ok(Some(Ok(answer))) => Some(answer),
            Ok(Some(Err(fault))) => {
                tracing::warn!("the store of tasks: {fault}");
                None
            }
            Ok(None) | Err(_) => None,
        }
    }
}

async fn run_script(
    connection: &Connection,
    script: &SharedScript,
    keys: &[String],
    arguments: &[String],
) -> Result<Value, StoreFault> {
    let command = |name, text: &str| {
        let mut command = redis::cmd(name);
        command.arg(text).arg(keys.len()).arg(keys).arg(arguments);
        command
    };
    let by_hash = command("EVALSHA", script.script.get_hash());
    let answer = match connection.send(&by_hash).await {
        Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
            connection.send(&command("EVAL", script.text)).await
        }
        answer => answer,
    };
    Ok(answer?)
}
