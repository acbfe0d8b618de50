//! A running server follows its config file: at SIGHUP, and by itself when what it read has changed.
//!
//! The files are looked at rather than watched through the system: looking works for links that
//! move, for network file systems and on every platform, and costs some kilobytes a second. A
//! change counts once it was seen twice, so that files which are written one after the other are
//! taken whole; one that is caught half-written fails its check, and the rest of it is a change.

use std::path::PathBuf;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};

use super::signals::Hangups;
use super::{CliError, ConfigArgs, log_format};
use crate::config::{Config, FilesRead, Telemetry};
use crate::server::{Reloader, ServerBuilder, StartError, Supervisor};

/// How often the files are looked at.
const PERIOD: Duration = Duration::from_secs(1);

/// The config file of a running server.
pub(super) struct Followed {
    args: ConfigArgs,
    file: PathBuf,
    /// What the last load read, whatever came of it.
    read: FilesRead,
    /// How the files were at the last look, where that is not what was read.
    changed: Option<FilesRead>,
    hangups: Hangups,
}

impl Followed {
    /// Loads the configuration to start with. Without a file there is nothing to follow.
    pub(super) fn load(args: &ConfigArgs) -> Result<(Config, Option<FilesRead>), CliError> {
        match args.file() {
            Some(file) => {
                let (config, read) = Config::load_watched(&file);
                Ok((config?, Some(read)))
            }
            None => Ok((args.load()?, None)),
        }
    }

    /// Starts to listen for SIGHUP at once, so that none during the start ends the process.
    pub(super) fn new(args: &ConfigArgs, read: Option<FilesRead>) -> std::io::Result<Option<Self>> {
        let (Some(file), Some(read)) = (args.file(), read) else {
            return Ok(None);
        };
        Ok(Some(Self {
            args: args.clone(),
            file,
            read,
            changed: None,
            hangups: Hangups::new()?,
        }))
    }

    /// Reloads whenever there is a reason to. Never ends.
    pub(super) async fn keep_current(mut self, reloader: &Reloader, supervisor: &Supervisor) {
        let mut looks = interval(PERIOD);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = self.hangups.next() => {}
                _ = looks.tick() => {
                    if !self.has_changed().await {
                        continue;
                    }
                }
            }
            supervisor.reloading();
            self.reload(reloader).await;
            supervisor.ready(match reloader.is_current() {
                true => "serving",
                false => "the configuration could not be loaded: still serving the one before",
            });
        }
    }

    /// Whether the files are not what was read, and the same as at the last look.
    async fn has_changed(&mut self) -> bool {
        let now = self.look().await;
        if now == self.read {
            self.changed = None;
            return false;
        }
        let settled = self.changed.as_ref() == Some(&now);
        self.changed = Some(now);
        settled
    }

    async fn reload(&mut self, reloader: &Reloader) {
        let (args, file) = (self.args.clone(), self.file.clone());
        let loaded = spawn_blocking(move || {
            let (config, read) = Config::load_watched(&file);
            let beside = match &config {
                Ok(config) => FilesRead::of(config.files_beside()),
                Err(_) => FilesRead::default(),
            };
            let builder = config.map_err(CliError::from);
            let builder = builder.and_then(|config| {
                let telemetry = config.telemetry.clone();
                Ok((args.builder(config)?, telemetry))
            });
            let builder = builder.map_err(|error| error.to_string());
            (builder, read, beside)
        });
        let (builder, read, beside): (Result<(ServerBuilder, Telemetry), String>, _, _) =
            match loaded.await {
                Ok(loaded) => loaded,
                Err(_panicked) => {
                    let aborted = Err(StartError::Aborted.to_string());
                    (aborted, self.look().await, FilesRead::default())
                }
            };
        let is_served = match builder {
            // What is wrong with it the reloader has told; the environment was good at the start.
            Ok((builder, telemetry)) => reloader
                .reload(builder)
                .await
                .inspect(|_| drop(log_format::choose(Some(&telemetry), &self.args)))
                .is_ok(),
            Err(faults) => {
                reloader.refuse(faults);
                false
            }
        };
        // One of these may be what was wrong. They are looked at on their own once they are served.
        let read = if is_served { read } else { read.and(beside) };
        (self.read, self.changed) = (read, None);
    }

    /// Off the threads that serve: a file system may take its time.
    async fn look(&self) -> FilesRead {
        let read = self.read.clone();
        let looked = spawn_blocking(move || read.look_again()).await;
        looked.unwrap_or_else(|_panicked| self.read.clone())
    }
}
