//! Carrying out a transfer.

use remote_state_core::{
    Author, ContentHash, Error, ErrorKind, Outgoing, Result, Seal, StateBytes, StateHeader,
    StateMeta, VersionId, WriteOptions,
};

use super::copy::{CopyPlan, NoCopy, Target, Written, copy, over, withdraw};
use super::outcome::{AtTarget, Stopped, is_refusal};
use super::plan::{MovePlan, Rules, plan as plan_again};
use super::route::{Place, Route, Step, Steps};
use crate::seal::{Destination, Sealing, covered_by, lift};

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

/// What came of one attempt.
enum Attempt {
    Done(StateMeta),
    /// The source was changed meanwhile. The copy was taken back, or is one to replace.
    Changed(Stopped),
}

/// Copies the state, proves the copy, and seals the source if it still is the one that was copied.
/// If it is not, the copy is taken back or replaced, and the transfer begins again, a few times.
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
    let mut earlier = rules.earlier.to_vec();
    loop {
        let (left, hash) = match &planned {
            MovePlan::Done { sealed } => {
                let Some(hash) = uncovered(route, sealed).await? else {
                    let recorded = route.from.record_digest(sealed).await;
                    recorded.map_err(|error| Stopped::new(error, AtTarget::Moved))?;
                    return Ok(Carried { plan: planned, copy: None });
                };
                (AtTarget::MayBeThere, hash)
            }
            MovePlan::Copy { copy: copied, sealing } => {
                let sealing = sealing.as_deref();
                let once = Once { route, copied, sealing, earlier: &earlier, steps };
                let left = match once.carry_out(author).await? {
                    Attempt::Done(meta) => return Ok(Carried { copy: Some(meta), plan: planned }),
                    Attempt::Changed(stopped) if attempt >= MOST_ATTEMPTS => return Err(stopped),
                    Attempt::Changed(stopped) => stopped.at,
                };
                (left, copied.hash().to_string())
            }
        };
        if left == AtTarget::MayBeThere {
            earlier.push(hash);
        }
        let stopped = |error| Stopped::new(error, left);
        steps.changed(attempt).map_err(stopped)?;
        let rules = Rules { earlier: &earlier, ..rules.clone() };
        planned = plan_again(route, &rules, steps).await.map_err(stopped)?;
        attempt += 1;
    }
}

/// Looks for a state of another client that the seal of an earlier run covers, and puts it back if
/// the target still has what was copied, whose hash it then returns: both are to be copied again.
async fn uncovered(route: Route<'_>, sealed: &StateBytes) -> Result<Option<String>, Stopped> {
    let Place { store, workspace } = route.from;
    let Some(seal) = Seal::of(&sealed.bytes) else { return Ok(None) };
    let before = seal.before.version.as_ref();
    let Some(covered) = covered_by(store, workspace, sealed, before).await? else {
        return Ok(None);
    };
    let (source, target) = (route.from.url(), route.to.url());
    let id = covered.meta.version.as_ref().map_or("", VersionId::as_str);
    let note = format!("the seal at `{source}` covers version `{id}` of a client without a lock");
    let found = route.to.look().await?;
    let is_copy =
        found.is_some_and(|found| ContentHash::of(&found.bytes).to_string() == seal.before.sha256);
    if !is_copy {
        let message = format!("`{target}` has gone on without what `{source}` got at the end");
        let error = Error::new(ErrorKind::PreconditionFailed, route.operation, message);
        return Err(error
            .with_context("note", note)
            .with_hint("compare the two, and bring over what is missing")
            .into());
    }
    match lift(store, workspace, &covered, sealed).await {
        Ok(()) => Ok(Some(seal.before.sha256)),
        Err(error) => Err(Stopped::new(error.with_context("note", note), AtTarget::MayBeThere)),
    }
}

/// One attempt.
#[derive(Clone, Copy)]
struct Once<'a> {
    route: Route<'a>,
    copied: &'a CopyPlan,
    sealing: Option<&'a Sealing>,
    /// The hashes of what earlier attempts may have left.
    earlier: &'a [String],
    steps: &'a dyn Steps,
}

impl Once<'_> {
    async fn carry_out(self, author: &Author) -> Result<Attempt, Stopped> {
        let Self { route, copied, steps, .. } = self;
        let meta = match copy(route.to, copied, author, steps).await {
            Ok(meta) => meta,
            Err(failed) => return Err(self.without_copy(failed).await),
        };
        let Some(sealing) = self.sealing else { return Ok(Attempt::Done(meta)) };
        if let Err(error) = steps.doing(Step::Seal) {
            return Err(self.taken_back_after(error, Some(&meta)).await);
        }
        let Place { store, workspace } = route.from;
        match sealing.carry_out(store, workspace, &copied.source.meta, author).await {
            Ok(sealed) => {
                // Whether the two are one object has to be known even if nothing can be recorded.
                let recorded = steps.did(Step::Seal, Some((&sealed, sealing.bytes())));
                check(route, copied, sealing, &sealed, steps).await?;
                recorded.map_err(|error| Stopped::new(error, AtTarget::Moved))?;
                Ok(Attempt::Done(meta))
            }
            Err(error) => self.unsealed(error, &meta).await,
        }
    }

    /// Returns what was at the target before this attempt.
    fn before(self) -> AtTarget {
        match &self.copied.target {
            Target::Absent | Target::WayBack(_) | Target::Unused(_) => AtTarget::Untouched,
            Target::Newer(_) => AtTarget::Later,
            Target::Earlier(_) => AtTarget::MayBeThere,
            // A copy that stays beside its source may have been there for long.
            Target::Same(_)
                if self.sealing.is_none()
                    && !self.earlier.contains(&self.copied.hash().to_string()) =>
            {
                AtTarget::Untouched
            }
            Target::Same(_) => AtTarget::MayBeThere,
        }
    }

    /// Ends an attempt without a proven copy.
    async fn without_copy(self, NoCopy { error, written }: NoCopy) -> Stopped {
        match written {
            Written::Yes(meta) => self.taken_back_after(error, meta.as_ref()).await,
            Written::No if self.before() != AtTarget::MayBeThere => {
                Stopped::new(error, self.before())
            }
            Written::No | Written::Maybe => {
                let error = error.with_context("note", both(self.route));
                Stopped::new(error, AtTarget::MayBeThere)
            }
        }
    }

    /// Takes back the copy after an error, with a source that is not sealed.
    async fn taken_back_after(self, error: Error, written: Option<&StateMeta>) -> Stopped {
        match self.take_back(written).await {
            Ok(AtTarget::TakenBack) => {
                let error = error.with_context("note", "the copy was taken back");
                Stopped::new(error, AtTarget::TakenBack)
            }
            Ok(at) => Stopped::new(error, at),
            Err(left) => {
                let error = error
                    .with_context("note", both(self.route))
                    .with_context("copy", left.message());
                Stopped::new(error, AtTarget::MayBeThere)
            }
        }
    }

    async fn take_back(self, written: Option<&StateMeta>) -> Result<AtTarget> {
        if matches!(self.copied.target, Target::Newer(_)) {
            return Ok(AtTarget::Later);
        }
        self.steps.doing(Step::Withdraw)?;
        withdraw(self.route.to, self.copied, written).await?;
        // It is taken back, whether that can be recorded or not.
        drop(self.steps.did(Step::Withdraw, None));
        Ok(AtTarget::TakenBack)
    }

    /// Finds out what a failed seal has left.
    async fn unsealed(self, error: Error, copy: &StateMeta) -> Result<Attempt, Stopped> {
        let route = self.route;
        let (source, target) = (route.from.url(), route.to.url());
        let (note, at) = match look(route.from).await {
            Found::Live if error.kind() == ErrorKind::PreconditionFailed => {
                return self.changed(error, copy).await;
            }
            Found::Live if is_refusal(&error) => {
                return Err(self.taken_back_after(error, Some(copy)).await);
            }
            // The store may carry out the request later.
            Found::Live if error.kind() == ErrorKind::Unknown => (both(route), AtTarget::Unclear),
            Found::Live => (both(route), AtTarget::MayBeThere),
            Found::Sealed(seal) if route.there.is_named_by(&seal) => {
                let note = format!(
                    "`{target}` has the state; the same {} again goes on from there",
                    route.operation
                );
                // Otherwise the seal may cover a state that the copy lacks.
                let is_proven = error.kind() == ErrorKind::DigestMismatch;
                (note, if is_proven { AtTarget::Moved } else { AtTarget::MayBeThere })
            }
            Found::Sealed(seal) => {
                let note = format!(
                    "`{source}` was sealed by somebody else ({seal}), and a copy is at \
                     `{target}`: only one of the two may be used"
                );
                (note, AtTarget::MayBeThere)
            }
            Found::Absent => {
                let note =
                    format!("`{source}` is gone, and the copy at `{target}` is what is left");
                (note, AtTarget::MayBeThere)
            }
            Found::Unclear => {
                let note = format!(
                    "a copy is at `{target}`, and whether `{source}` is sealed is not known: look \
                     at both before either is used"
                );
                (note, AtTarget::Unclear)
            }
        };
        // A later state at the target was in use before, and stays so.
        let at = if self.before() == AtTarget::Later && at == AtTarget::MayBeThere {
            AtTarget::Later
        } else {
            at
        };
        Err(Stopped::new(error.with_context("note", note), at))
    }

    /// Takes back a copy that may be older than the source: no client may take it for the state.
    async fn changed(self, error: Error, copy: &StateMeta) -> Result<Attempt, Stopped> {
        let route = self.route;
        let source = route.from.url();
        let message = format!("`{source}` was not sealed: it was changed, or its lock is gone");
        let changed = Error::new(ErrorKind::PreconditionFailed, route.operation, message)
            .because(error.message())
            .with_source(error);
        if self.before() == AtTarget::MayBeThere {
            let changed = changed.with_context("note", both(route));
            let stopped = Stopped::new(changed, AtTarget::MayBeThere);
            // A rename has no record that says whose copy it is.
            return match route.there {
                Destination::Workspace(_) => Err(stopped),
                // What was there before it is not known; the next attempt replaces it.
                Destination::Place(_) => Ok(Attempt::Changed(stopped)),
            };
        }
        match self.take_back(Some(copy)).await {
            Ok(at) => {
                let note = format!("the copy was removed; the {} did nothing", route.operation);
                Ok(Attempt::Changed(Stopped::new(changed.with_context("note", note), at)))
            }
            Err(left) => {
                let changed =
                    changed.with_context("note", both(route)).with_context("copy", left.message());
                Err(Stopped::new(changed, AtTarget::MayBeThere))
            }
        }
    }
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

/// Reads the target once more. If it shows the seal, the two are one object, under two names.
async fn check(
    route: Route<'_>,
    copied: &CopyPlan,
    sealing: &Sealing,
    sealed: &StateMeta,
    steps: &dyn Steps,
) -> Result<(), Stopped> {
    if matches!(route.there, Destination::Workspace(_)) {
        // Two keys of one bucket are two objects, and the copy was read before.
        return Ok(());
    }
    let moved = |error| Stopped::new(error, AtTarget::Moved);
    let recorded = steps.doing(Step::Check);
    let (source, target) = (route.from.url(), route.to.url());
    let found = route.to.look().await.map_err(|error| {
        let note = format!("`{source}` is sealed, and the copy was proven before");
        moved(error.with_context("note", note))
    })?;
    match found {
        Some(found) if found.bytes == copied.new || is_later(&found, copied) => recorded
            .and_then(|()| steps.did(Step::Check, Some((&found.meta, &found.bytes))))
            .map_err(moved),
        Some(found) if found.bytes == *sealing.bytes() => {
            let options = WriteOptions::from(over(sealed));
            let bytes = Outgoing::from(copied.source.bytes.clone());
            let back = route.from.store.write(route.from.workspace, bytes, &options).await;
            let message = format!("`{source}` and `{target}` are one object under two names");
            let one = Error::new(ErrorKind::PreconditionFailed, route.operation, message);
            Err(match back {
                Ok(_) => Stopped::new(
                    one.with_context("note", "its state was put back"),
                    AtTarget::TakenBack,
                ),
                Err(error) => Stopped::new(
                    one.with_context("note", "it is sealed, and its state could not be put back")
                        .because(error.message()),
                    AtTarget::Unclear,
                ),
            })
        }
        _ => {
            let message = format!("the copy at `{target}` is another state by now");
            let error = Error::new(ErrorKind::PreconditionFailed, route.operation, message);
            let note = match &copied.source.meta.version {
                Some(version) => {
                    format!("`{source}` is sealed; the state is its version `{version}`")
                }
                None => format!("`{source}` is sealed"),
            };
            Err(moved(error.with_context("note", note)))
        }
    }
}

/// Returns whether a client that takes no lock works with the copy already.
fn is_later(found: &StateBytes, copied: &CopyPlan) -> bool {
    let header = StateHeader::parse(&found.bytes);
    let is_later = header.is_ok_and(|header| {
        header.lineage == copied.header.lineage && header.serial > copied.header.serial
    });
    is_later && Seal::of(&found.bytes).is_none()
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
