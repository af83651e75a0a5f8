//! Carrying out a transfer.

use remote_state_core::{
    Author, Error, ErrorKind, Outgoing, Result, Seal, StateHeader, StateMeta, WriteOptions,
};

use super::copy::{CopyPlan, NoCopy, copy, over, withdraw};
use super::plan::{MovePlan, Rules, plan as plan_again};
use super::route::{Place, Route, Step, Steps};
use crate::seal::{Destination, Sealing};

/// How often a state is copied before the source is left as it is, since a client that takes no
/// lock changes it every time.
const MOST_ATTEMPTS: u32 = 3;

/// What a transfer has done.
#[derive(Clone, Debug)]
pub(crate) struct Carried {
    /// What was done, which may not be what was planned at first.
    pub(crate) plan: MovePlan,
    /// The copy; `None` if an earlier run had done everything.
    pub(crate) copy: Option<StateMeta>,
}

/// Why a transfer ended early.
#[derive(Debug)]
pub(crate) struct Stopped {
    pub(crate) error: Error,
    /// A wrong copy could not be taken back: the locks are better left held.
    pub(crate) is_unsafe: bool,
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Self {
        Self { error, is_unsafe: false }
    }
}

/// What came of one attempt.
enum Attempt {
    Done(StateMeta),
    /// The source was changed meanwhile, and the copy was taken back.
    Changed(Error),
}

/// Copies the state, proves the copy, and seals the source if it still is the one that was copied.
/// If it is not, the copy is taken back, and the transfer begins again, a few times.
///
/// # Errors
/// `PreconditionFailed` if one of the two states was changed meanwhile; `DigestMismatch` if a
/// digest was not recorded; any error of the store. As long as the source is not sealed, the
/// transfer can be repeated.
pub(crate) async fn carry_out(
    route: Route<'_>,
    rules: &Rules<'_>,
    planned: MovePlan,
    author: &Author,
    steps: &dyn Steps,
) -> Result<Carried, Stopped> {
    let (mut planned, mut attempt) = (planned, 1);
    loop {
        let (copied, sealing) = match &planned {
            MovePlan::Done { sealed } => {
                route.from.record_digest(sealed).await?;
                return Ok(Carried { plan: planned, copy: None });
            }
            MovePlan::Copy { copy, sealing } => (copy, sealing),
        };
        match once(route, copied, sealing.as_deref(), author, steps).await? {
            Attempt::Done(meta) => return Ok(Carried { copy: Some(meta), plan: planned }),
            Attempt::Changed(error) if attempt >= MOST_ATTEMPTS => return Err(error.into()),
            Attempt::Changed(_) => steps.changed(attempt)?,
        }
        planned = plan_again(route, rules, steps).await?;
        attempt += 1;
    }
}

async fn once(
    route: Route<'_>,
    copied: &CopyPlan,
    sealing: Option<&Sealing>,
    author: &Author,
    steps: &dyn Steps,
) -> Result<Attempt, Stopped> {
    let meta = match copy(route.to, copied, author, steps).await {
        Ok(meta) => meta,
        Err(failed) => return Err(without_copy(route, copied, failed, steps).await),
    };
    let Some(sealing) = sealing else { return Ok(Attempt::Done(meta)) };
    steps.doing(Step::Seal)?;
    let Place { store, workspace } = route.from;
    match sealing.carry_out(store, workspace, &copied.source.meta, author).await {
        Ok(sealed) => {
            steps.did(Step::Seal, Some((&sealed, sealing.bytes())))?;
            check(route, copied, sealing, &sealed, steps).await?;
            Ok(Attempt::Done(meta))
        }
        Err(error) => unsealed(route, copied, error, &meta, steps).await,
    }
}

/// Takes back a copy that cannot be proven.
async fn without_copy(
    route: Route<'_>,
    copied: &CopyPlan,
    NoCopy { error, written }: NoCopy,
    steps: &dyn Steps,
) -> Stopped {
    let both = || both(route);
    let Some(written) = written else {
        return match error.kind() {
            // The store refused to write the copy.
            ErrorKind::PreconditionFailed if error.context().is_empty() => error.into(),
            _ => error.with_context("note", both()).into(),
        };
    };
    let is_wrong = error.kind() == ErrorKind::PreconditionFailed;
    if !is_wrong {
        return error.with_context("note", both()).into();
    }
    match taken_back(route, copied, &written, steps).await {
        Ok(()) => error.with_context("note", "the copy was taken back").into(),
        Err(left) => {
            let error = error.with_context("note", both()).with_context("copy", left.message());
            Stopped { error, is_unsafe: true }
        }
    }
}

async fn taken_back(
    route: Route<'_>,
    copied: &CopyPlan,
    written: &StateMeta,
    steps: &dyn Steps,
) -> Result<()> {
    steps.doing(Step::Withdraw)?;
    withdraw(route.to, copied, written).await?;
    steps.did(Step::Withdraw, None)
}

fn both(route: Route<'_>) -> String {
    format!(
        "a copy is at `{}`, and `{}` is still in use: use the copy only after the same {} has \
         succeeded",
        route.to.url(),
        route.from.url(),
        route.operation
    )
}

/// Finds out what a failed seal has left.
async fn unsealed(
    route: Route<'_>,
    copied: &CopyPlan,
    error: Error,
    copy: &StateMeta,
    steps: &dyn Steps,
) -> Result<Attempt, Stopped> {
    let is_changed = error.kind() == ErrorKind::PreconditionFailed;
    let (source, target) = (route.from.url(), route.to.url());
    let note = match look(route.from).await {
        Found::Live if is_changed => {
            // The copy may be older than the source: nobody may take it for the state.
            let withdrawn = taken_back(route, copied, copy, steps).await;
            let message = format!("`{source}` was not sealed: it was changed, or its lock is gone");
            let changed = Error::new(ErrorKind::PreconditionFailed, route.operation, message)
                .because(error.message())
                .with_source(error);
            return match withdrawn {
                Ok(()) => Ok(Attempt::Changed(changed.with_context(
                    "note",
                    format!("the copy was removed; the {} did nothing", route.operation),
                ))),
                Err(left) => Err(changed
                    .with_context("note", both(route))
                    .with_context("copy", left.message())
                    .into()),
            };
        }
        Found::Live => both(route),
        Found::Sealed(seal) if route.there.is_named_by(&seal) => format!(
            "`{target}` has the state; the same {} again goes on from there",
            route.operation
        ),
        Found::Sealed(seal) => format!(
            "`{source}` was sealed by somebody else ({seal}), and a copy is at `{target}`: only \
             one of the two may be used"
        ),
        Found::Absent => format!("`{source}` is gone, and the copy at `{target}` is what is left"),
        Found::Unclear => format!(
            "a copy is at `{target}`, and whether `{source}` is sealed is not known: look at both \
             before either is used"
        ),
    };
    Err(error.with_context("note", note).into())
}

/// Reads the target once more. If it shows the seal, the two are one object, under two names.
async fn check(
    route: Route<'_>,
    copied: &CopyPlan,
    sealing: &Sealing,
    sealed: &StateMeta,
    steps: &dyn Steps,
) -> Result<()> {
    if matches!(route.there, Destination::Workspace(_)) {
        // Two keys of one bucket are two objects, and the copy was read before.
        return Ok(());
    }
    steps.doing(Step::Check)?;
    let (source, target) = (route.from.url(), route.to.url());
    let found = route.to.look().await.map_err(|error| {
        error.with_context("note", format!("`{source}` is sealed, and the copy was proven before"))
    })?;
    match found {
        Some(found) if found.bytes == copied.new => {
            steps.did(Step::Check, Some((&found.meta, &found.bytes)))
        }
        Some(found) if found.bytes == *sealing.bytes() => {
            let options = WriteOptions::from(over(sealed));
            let bytes = Outgoing::from(copied.source.bytes.clone());
            let back = route.from.store.write(route.from.workspace, bytes, &options).await;
            let message = format!("`{source}` and `{target}` are one object under two names");
            let one = Error::new(ErrorKind::PreconditionFailed, route.operation, message);
            Err(match back {
                Ok(_) => one.with_context("note", "its state was put back"),
                Err(error) => one
                    .with_context("note", "it is sealed, and its state could not be put back")
                    .because(error.message()),
            })
        }
        // A client that takes no lock works with it already.
        Some(found)
            if StateHeader::parse(&found.bytes).is_ok_and(|header| {
                header.lineage == copied.header.lineage && header.serial > copied.header.serial
            }) && Seal::of(&found.bytes).is_none() =>
        {
            steps.did(Step::Check, Some((&found.meta, &found.bytes)))
        }
        _ => {
            let message = format!("the copy at `{target}` is another state by now");
            let error = Error::new(ErrorKind::PreconditionFailed, route.operation, message);
            Err(match &copied.source.meta.version {
                Some(version) => error.with_context(
                    "note",
                    format!("`{source}` is sealed; the state is its version `{version}`"),
                ),
                None => error.with_context("note", format!("`{source}` is sealed")),
            })
        }
    }
}

/// What is stored at the source of a transfer that could not seal it.
enum Found {
    /// A state that is no seal.
    Live,
    Sealed(Seal),
    /// The store says that nothing is there.
    Absent,
    /// It cannot be read, or is no state.
    Unclear,
}

async fn look(place: Place<'_>) -> Found {
    match place.look().await {
        Ok(Some(read)) => match Seal::of(&read.bytes) {
            Some(seal) => Found::Sealed(seal),
            None if StateHeader::parse(&read.bytes).is_ok() => Found::Live,
            None => Found::Unclear,
        },
        Ok(None) => Found::Absent,
        Err(_) => Found::Unclear,
    }
}
