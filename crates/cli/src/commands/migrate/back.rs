//! `--rollback`: states come back, and the new place is closed.

use remote_state::{Error, ErrorKind};
use remote_state_operations::migrate::journal::{Entry, Item, Journal, Purpose, Recorded};
use remote_state_operations::migrate::{
    Left, Move, Moved, SourceMode as Mode, Watch, is_live, migrate, release_recorded, remove_seal,
};
use remote_state_operations::transfer::COMPARE;

use super::earlier::hashes;
use super::migration::Migration;
use super::plan::Planned;
use super::work::Outcome;
use crate::args::{Migrate, SourceMode};
use crate::commands::rename::agreed;
use crate::exit::Failure;
use crate::waiting::Waiting;

impl Migration<'_> {
    /// Brings the states of a journal back, the last one first.
    pub(super) async fn bring_back(
        &self,
        recorded: &Recorded,
        journal: &Journal,
        args: &Migrate,
    ) -> Result<(), Failure> {
        let mut planned = Vec::new();
        for item in recorded.items.iter().rev().filter(|item| !item.is_back) {
            planned.push(self.way_back(item, args)?);
        }
        let ui = &self.session.ui;
        let all = recorded.items.len();
        if planned.is_empty() && !args.how.clean {
            ui.done(&format!("all {all} states are back already"));
        } else if !planned.is_empty() {
            let (from, to) = (&self.target.store, &self.session.store);
            let question = format!(
                "This brings {} states back from `{from}` to `{to}`, and stops every client of \
                 the new place.",
                planned.len()
            );
            agreed(self.session, question, args.how.yes).await?;
            let begin = self.begin_entry(Purpose::Rollback, args);
            journal.write(&Entry::Begin(Box::new(begin)))?;
        }
        let work = async |planned: Planned, waiting: &Waiting| {
            self.back_one(planned, journal, waiting).await
        };
        let (outcomes, left) = self.each(planned, journal, Purpose::Rollback, work).await?;
        let is_back = left.is_none() && outcomes.iter().all(|outcome| outcome.result.is_ok());
        if args.how.clean && is_back {
            self.clean(recorded, args).await?;
        }
        let source = (self.session.provider.spec().scheme, &self.session.config);
        if is_back {
            self.tell_what_next(source.0, source.1);
        }
        self.end(&outcomes, left, journal, Purpose::Rollback, source)
    }

    /// Removes the seals in the new place.
    async fn clean(&self, recorded: &Recorded, args: &Migrate) -> Result<(), Failure> {
        let ui = &self.session.ui;
        let question = format!(
            "This removes the seals at `{}`: whoever still uses that place plans to create \
             everything.",
            self.target.store
        );
        agreed(self.session, question, args.how.yes).await?;
        let waiting = Waiting::new(ui.clone(), self.options.lock_wait.timeout);
        for item in &recorded.items {
            let way = self.way(item)?;
            if remove_seal(&way, &self.options, &self.run, &waiting).await? {
                ui.done(&format!("removed the seal at `{}`", way.to.url()));
            }
        }
        Ok(())
    }

    /// Returns the way of a state back. Its source is the new place.
    fn way_back(&self, item: &Item, args: &Migrate) -> Result<Planned, Failure> {
        let way = self.way(item)?;
        let [old, new] = item.locks.clone();
        let mut back = Move::new(way.to, way.from).with_locks([new, old]);
        if !args.how.take_newer {
            back = back.with_expected(hashes(item));
        }
        Ok(Planned::unknown(item.number, back).with_recorded(item.proven.as_ref()))
    }

    async fn back_one(&self, planned: Planned, journal: &Journal, waiting: &Waiting) -> Outcome {
        let watch = journal.of_item(planned.number);
        let mut options = self.options.with_source(Mode::Seal);
        // Before its source was sealed, the state may have gone on in the old place.
        options = options.with_newer_accepted(self.mode != SourceMode::Delete);
        let back = migrate(&planned.item, &options, &self.run, &watch, waiting).await;
        let result = match back {
            // Nothing was copied yet.
            Err(error) if error.kind() == ErrorKind::NotFound => {
                nothing_there(&planned.item, &watch, error).await
            }
            back => back.map_err(|error| match error.operation() {
                COMPARE => error.with_hint("to bring that state back, pass `--take-newer`"),
                _ => error,
            }),
        };
        Outcome { planned, result }
    }
}

/// Ends the way back of a state that is not in the new place.
async fn nothing_there(way: &Move, watch: &dyn Watch, error: Error) -> Result<Moved, Error> {
    if !is_live(&way.to).await? {
        let message = format!("neither `{}` nor `{}` has a state", way.to.url(), way.from.url());
        return Err(Error::new(ErrorKind::PreconditionFailed, "roll back", message)
            .because(error.message())
            .with_hint("look for it in the versions of both"));
    }
    release_recorded(way, watch).await?;
    Ok(Moved::already(Left::Kept))
}
