//! Planning the migration of one state, and carrying it out.

use remote_state_core::{
    Advice, Author, Error, ErrorKind, LockWaiting, Result, Seal, StateFormat, StateMeta,
};

use super::locks::Locks;
use super::types::{Event, Left, MigrateOptions, Move, Moved, Run, SourceMode, StateFacts, Watch};
use crate::seal::Destination;
use crate::transfer::{
    self, AtTarget, Carried, MovePlan, Route, Rules, Step, Steps, Stopped, Unobserved, carry_out,
};

/// The name of the operation.
const MIGRATE: &str = "migrate";

/// Finds out what the migration of a state means. This takes no lock and changes nothing.
///
/// # Errors
/// `NotFound` if there is no such state; `PreconditionFailed` if the two are one object, if the
/// source is sealed or cannot be, or if the target has another state; any error of the stores.
pub async fn plan(item: &Move, options: &MigrateOptions, run: &Run) -> Result<MovePlan> {
    check(item, options).await?;
    let (here, there) = (item.from.url(), item.to.url());
    let (route, rules) = (route(item, &here, &there), rules(item, options, run));
    let plan = transfer::plan(route, &rules, &Unobserved).await?;
    check_plan(item, options, &plan)?;
    Ok(plan)
}

/// Brings a state to its new place, under the locks of both.
///
/// # Errors
/// Those of [`plan`]; `LockHeld` if one of the two is locked; `DigestMismatch` if a digest was not
/// recorded; the error of `watch`. As long as the source is not sealed, the migration can be
/// repeated.
pub async fn migrate(
    item: &Move,
    options: &MigrateOptions,
    run: &Run,
    watch: &dyn Watch,
    waiting: &dyn LockWaiting,
) -> Result<Moved> {
    check(item, options).await?;
    let mut locks = Locks::take(item, options, run, watch, waiting).await?;
    let mut author = run.author.clone().with_operation(MIGRATE);
    author.lock_id = locks.of_target().cloned();
    let worked = under_locks(item, options, run, &author, watch).await;
    let worked = worked.map(|done| {
        let source = match (options.source, locks.of_source()) {
            _ if done.is_deleted => Left::Deleted,
            // An earlier run has sealed it, whatever this one was to do with it.
            _ if matches!(done.plan, MovePlan::Done { .. }) => Left::Sealed,
            (SourceMode::Freeze, Some(id)) => Left::Frozen(id.clone()),
            (SourceMode::Seal, _) => Left::Sealed,
            _ => Left::Kept,
        };
        Moved { plan: Some(done.plan), copy: done.copy, source }
    });
    if worked.as_ref().is_ok_and(|moved| matches!(moved.source, Left::Frozen(_))) {
        locks.freeze();
    }
    locks.settle(worked).await
}

/// What the work under the locks has done.
struct Worked {
    plan: MovePlan,
    copy: Option<StateMeta>,
    is_deleted: bool,
}

async fn under_locks(
    item: &Move,
    options: &MigrateOptions,
    run: &Run,
    author: &Author,
    watch: &dyn Watch,
) -> Result<Worked, Stopped> {
    let (here, there) = (item.from.url(), item.to.url());
    let (route, rules) = (route(item, &here, &there), rules(item, options, run));
    let steps = Watched(watch);
    let plan = transfer::plan(route, &rules, &steps).await?;
    check_plan(item, options, &plan)?;
    let Carried { plan, copy } = carry_out(route, &rules, plan, author, &steps).await?;
    let is_deleted = options.source == SourceMode::Delete
        && match &plan {
            MovePlan::Copy { .. } => true,
            // This run was stopped between the seal and the deletion.
            MovePlan::Done { sealed } => {
                Seal::of(&sealed.bytes).is_some_and(|seal| seal.run == run.id)
            }
        };
    if is_deleted {
        let deleted = delete(route, &steps).await;
        deleted.map_err(|error| Stopped::new(error, AtTarget::Moved))?;
    }
    Ok(Worked { plan, copy, is_deleted })
}

/// Deletes the source, if it still is sealed.
async fn delete(route: Route<'_>, steps: &dyn Steps) -> Result<()> {
    steps.doing(Step::Delete)?;
    let found = route.from.look().await?;
    let is_sealed =
        |bytes: &[u8]| Seal::of(bytes).is_some_and(|seal| route.there.is_named_by(&seal));
    if found.is_some_and(|found| !is_sealed(&found.bytes)) {
        let message = format!("`{}` was changed meanwhile, and was not deleted", route.from.url());
        let error = Error::new(ErrorKind::PreconditionFailed, MIGRATE, message);
        return Err(error.with_context("note", format!("an older copy is at `{}`", route.to.url())));
    }
    route.from.store.delete(route.from.workspace).await?;
    steps.did(Step::Delete, None)
}

fn route<'a>(item: &'a Move, here: &'a str, there: &'a str) -> Route<'a> {
    Route {
        operation: MIGRATE,
        from: item.from.place(),
        to: item.to.place(),
        there: Destination::Place(there),
        back: Destination::Place(here),
    }
}

fn rules<'a>(item: &'a Move, options: &MigrateOptions, run: &'a Run) -> Rules<'a> {
    Rules {
        // What is deleted is sealed before, so that no write of another client is lost.
        seals: matches!(options.source, SourceMode::Seal | SourceMode::Delete),
        ignores_digest: options.ignores_digest,
        accepts_unfenced: options.accepts_unfenced,
        replaces_way_back: true,
        replaces_unused: true,
        accepts_newer: options.accepts_newer,
        resumes_frozen: options.source == SourceMode::Freeze && item.locks[0].is_some(),
        earlier: &item.earlier,
        expected: item.expected.as_deref(),
        run: &run.id,
        now: run.now,
    }
}

/// Checks what can be checked before the states are read.
async fn check(item: &Move, options: &MigrateOptions) -> Result<()> {
    let (from, to) = (item.from.url(), item.to.url());
    if from == to {
        let message = format!("`{from}` is the source and the target");
        return Err(Error::new(ErrorKind::PreconditionFailed, MIGRATE, message)
            .with_hint("a state of the same name at another service needs another key"));
    }
    item.to.store.admit(&item.to.workspace).map_err(|error| error.with_context("target", to))?;
    if options.source != SourceMode::Freeze {
        return Ok(());
    }
    let capabilities = item.from.store.capabilities();
    if !capabilities.has_locks() {
        return Err(capabilities.no_lock("freeze", &item.from.store.location(&item.from.workspace)));
    }
    match item.from.store.lock_caveat().await? {
        None => Ok(()),
        Some(caveat) => {
            let message = format!("a lock on `{from}` does not stop every client");
            Err(Error::new(ErrorKind::PreconditionFailed, "freeze", message).because(caveat))
        }
    }
}

/// Checks what depends on what was found.
fn check_plan(item: &Move, options: &MigrateOptions, plan: &MovePlan) -> Result<()> {
    let MovePlan::Copy { copy, .. } = plan else { return Ok(()) };
    let is_used = copy.header.has_resources || copy.header.format == StateFormat::Encrypted;
    if options.source == SourceMode::Delete && is_used && !options.is_forced {
        let message = format!(
            "`{}` may track resources: if it is deleted, clients of the old place plan to create \
             everything again",
            item.from.url()
        );
        return Err(
            Error::new(ErrorKind::PreconditionFailed, MIGRATE, message).with_advice(Advice::Force)
        );
    }
    Ok(())
}

/// Passes the steps on.
struct Watched<'a>(&'a dyn Watch);

impl Steps for Watched<'_> {
    fn doing(&self, step: Step) -> Result<()> {
        self.0.event(&Event::Doing { step })
    }

    fn did(&self, step: Step, state: Option<(&StateMeta, &[u8])>) -> Result<()> {
        let state = state.map(|(meta, bytes)| StateFacts::of(meta, bytes));
        self.0.event(&Event::Did { step, state })
    }

    fn changed(&self, attempt: u32) -> Result<()> {
        self.0.event(&Event::Changed { attempt })
    }
}
