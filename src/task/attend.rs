//! Looking after a run: what it says goes to the store, what its client says comes from there.

use std::time::Duration;

use futures_util::FutureExt;
use tokio::time::sleep;

use super::{Ended, MAX_RESULT_BYTES, Status, StoreFailed, Tasks};
use crate::tool::Desk;

/// How often the end of a run is told a store that fails, and after how long each time.
const TELLINGS: u32 = 30;
const TELLING_PAUSE: Duration = Duration::from_secs(1);

/// What became of a run.
#[derive(Debug)]
pub enum Attended<T> {
    /// It came to its end.
    Done(T),
    /// Its task is cancelled, or forgotten.
    Unwanted,
    /// The process goes down.
    CutOff,
}

impl Tasks {
    /// Carries a run on until it ends or nobody wants it; then it is dropped.
    pub(crate) async fn attend<T>(
        &self,
        id: &str,
        desk: &Desk,
        work: impl Future<Output = T>,
    ) -> Attended<T> {
        let (mut said, mut cut) = (desk.changes(), self.cut.subscribe());
        // What was put down before is looked at as well.
        said.mark_changed();
        let mut work = std::pin::pin!(work.fuse());
        let mut seen = 0;
        loop {
            tokio::select! {
                biased;
                done = &mut work => return Attended::Done(done),
                // Both senders outlive this.
                _ = cut.wait_for(|is_cut| *is_cut) => return Attended::CutOff,
                _ = said.changed() => {}
                () = self.store.changed(id, seen) => {}
            }
            match self.meet(id, desk).await {
                Ok(Some(version)) => seen = version,
                Ok(None) => return Attended::Unwanted,
                // The run goes on; the store is asked again before long.
                Err(StoreFailed) => {
                    tokio::select! {
                        biased;
                        done = &mut work => return Attended::Done(done),
                        () = sleep(TELLING_PAUSE) => said.mark_changed(),
                    }
                }
            }
        }
    }

    /// Brings desk and store together. The version that was seen, as long as the task goes on.
    async fn meet(&self, id: &str, desk: &Desk) -> Result<Option<u64>, StoreFailed> {
        // Says that somebody runs it.
        let Some(held) = self.store.look(id, true).await? else {
            return Ok(None);
        };
        if held.task.status.is_end() {
            return Ok(None);
        }
        let met = self.change(id, |task| {
            let answers = task.take_answers();
            let is_answered = !answers.is_empty();
            // If others are faster, this comes again; what is answered by then needs no answer.
            for (key, answer) in answers {
                desk.answer(&key, answer);
            }
            let (message, open) = desk.lies();
            task.works(message, open) || is_answered
        });
        Ok(met
            .await?
            .filter(|held| !held.task.status.is_end())
            .map(|held| held.version))
    }

    /// Tells how a run ended. One that is cancelled by then stays so.
    pub(crate) async fn end(&self, id: &str, ended: Ended, too_large: impl Fn() -> Ended) {
        let size = match &ended {
            Ended::Completed(text) | Ended::Failed(text, _) => text.len(),
        };
        let fits = size <= MAX_RESULT_BYTES && self.room.keep(id, size);
        let ended = if fits { ended } else { too_large() };
        let (status, message) = match ended {
            Ended::Completed(result) => (Status::Completed(result), None),
            Ended::Failed(error, message) => (Status::Failed(error), Some(message)),
        };
        for _ in 0..TELLINGS {
            let told = self.change(id, |task| {
                let message = message.clone().or_else(|| task.message.clone());
                task.end(status.clone(), message)
            });
            if told.await.is_ok() {
                return;
            }
            let mut cut = self.cut.subscribe();
            tokio::select! {
                () = sleep(TELLING_PAUSE) => {}
                _ = cut.wait_for(|is_cut| *is_cut) => break,
            }
        }
        tracing::warn!("the end of a task could not be put into the store of tasks");
    }
}
