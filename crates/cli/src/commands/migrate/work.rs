//! Moving the states, some at a time.

use futures_util::{StreamExt as _, stream};
use remote_state::{ErrorKind, Result as StoreResult};
use remote_state_operations::migrate::journal::{Entry, Journal, Purpose};
use remote_state_operations::migrate::{Left, Moved, migrate, was_deleted};

use super::migration::Migration;
use super::plan::Planned;
use crate::args::{Migrate, SourceMode};
use crate::exit::Failure;
use crate::session::interruption;
use crate::waiting::Waiting;

/// What became of one state.
pub(super) struct Outcome {
    pub(super) planned: Planned,
    pub(super) result: StoreResult<Moved>,
}

impl Migration<'_> {
    /// Records what the run is about to do.
    pub(super) fn record_begin(
        &self,
        journal: &Journal,
        planned: &[Planned],
        args: &Migrate,
    ) -> Result<(), Failure> {
        let begin = self.begin_entry(Purpose::Migrate, args);
        journal.write(&Entry::Begin(Box::new(begin)))?;
        for planned in planned {
            journal.write(&Entry::Item {
                n: planned.number,
                source: planned.item.from.url(),
                target: planned.item.to.url(),
                workspace: planned.workspace().to_string(),
                size: planned.size_bytes.unwrap_or_default(),
            })?;
        }
        Ok(journal.write(&Entry::Planned { items: planned.len() as u64 })?)
    }

    /// Moves the states. An interruption ends the run after those that are under way.
    pub(super) async fn carry_out(
        &self,
        planned: Vec<Planned>,
        journal: &Journal,
    ) -> Result<(), Failure> {
        let outcomes = self.each(planned, journal, Purpose::Migrate, async |planned, waiting| {
            self.move_one(planned, journal, waiting).await
        });
        let (outcomes, left) = outcomes.await?;
        self.finish(&outcomes, left, journal)
    }

    /// Does the work for each state, and records and tells what comes of it. Returns the outcomes,
    /// and the signal and the number of those states that were left out because of it.
    pub(super) async fn each(
        &self,
        planned: Vec<Planned>,
        journal: &Journal,
        purpose: Purpose,
        work: impl AsyncFn(Planned, &Waiting) -> Outcome,
    ) -> Result<(Vec<Outcome>, Option<(crate::exit::Interruption, usize)>), Failure> {
        let ui = &self.session.ui;
        let waiting = Waiting::new(ui.clone(), self.options.lock_wait.timeout);
        let all = planned.len();
        let (stop, mut stopped) = tokio::sync::watch::channel(false);
        let until = async move {
            if stopped.wait_for(|stop| *stop).await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        let states = stream::iter(planned).take_until(Box::pin(until));
        let running = states.map(|planned| work(planned, &waiting)).buffer_unordered(self.jobs);
        let mut running = Box::pin(running);
        let mut outcomes = Vec::new();
        let mut interrupted = None;
        let mut signal = Box::pin(interruption());
        loop {
            tokio::select! {
                outcome = running.next() => match outcome {
                    Some(outcome) => {
                        self.record_outcome(journal, &outcome);
                        self.tell(&outcome);
                        outcomes.push(outcome);
                    }
                    None => break,
                },
                signalled = &mut signal => {
                    signal = Box::pin(interruption());
                    if interrupted.replace(signalled).is_some() {
                        ui.warn("stopped; locks are left, and a state may be in both places");
                        self.tell_resume(journal, purpose);
                        return Err(Failure::Interrupted(signalled));
                    }
                    ui.note(
                        "finishing the states that are under way, so that each is in one place; \
                         once more to stop at once",
                    );
                    let _: bool = waiting.give_up();
                    stop.send_replace(true);
                }
            }
        }
        let left = all - outcomes.len();
        Ok((outcomes, interrupted.filter(|_| left > 0).map(|signal| (signal, left))))
    }

    async fn move_one(&self, planned: Planned, journal: &Journal, waiting: &Waiting) -> Outcome {
        let watch = journal.of_item(planned.number);
        let moved = migrate(&planned.item, &self.options, &self.run, &watch, waiting).await;
        let result = match moved {
            // A run that was stopped after the deletion has nothing left to do but to unlock.
            Err(error)
                if error.kind() == ErrorKind::NotFound
                    && self.mode == SourceMode::Delete
                    && !planned.item.earlier.is_empty() =>
            {
                was_deleted(&planned.item, &watch).await.and_then(|done| done.ok_or(error))
            }
            moved => moved,
        };
        Outcome { planned, result }
    }

    fn record_outcome(&self, journal: &Journal, outcome: &Outcome) {
        let n = outcome.planned.number;
        let entry = match &outcome.result {
            Ok(_) => Entry::Moved { n },
            Err(error) => Entry::Failed {
                n,
                kind: format!("{:?}", error.kind()),
                message: error.message().to_owned(),
            },
        };
        if let Err(error) = journal.write(&entry) {
            self.session.ui.warn_error(&error);
        }
    }

    fn tell(&self, outcome: &Outcome) {
        let (ui, item) = (&self.session.ui, &outcome.planned.item);
        let workspace = outcome.planned.workspace();
        match &outcome.result {
            Ok(Moved { copy: None, source: Left::Kept, .. }) => {
                ui.done(&format!("workspace `{workspace}` is still at `{}`", item.to.url()));
            }
            Ok(Moved { copy: None, .. }) => {
                ui.done(&format!("workspace `{workspace}` was moved already"));
            }
            Ok(Moved { source: Left::Kept, .. }) => {
                ui.done(&format!("copied workspace `{workspace}` to `{}`", item.to.url()));
            }
            Ok(Moved { source: Left::Frozen(id), .. }) => ui.done(&format!(
                "moved workspace `{workspace}` to `{}`; the lock `{id}` stays held",
                item.to.url()
            )),
            Ok(_) => ui.done(&format!("moved workspace `{workspace}` to `{}`", item.to.url())),
            Err(error) => Failure::report_error(ui, error),
        }
    }
}
