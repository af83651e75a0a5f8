//! What a transfer would do.

use bytes::Bytes;
use jiff::Timestamp;
use remote_state_core::{
    Advice, ContentHash, Error, ErrorKind, ReadOptions, Result, Seal, StateBytes, StateFormat,
    StateHeader, StateMeta, StateStore,
};

use super::copy::{CopyPlan, Target};
use super::route::{Place, Route, Step, Steps};
use crate::heading::{Depth, Heading, read_heading};
use crate::seal::{Destination, Sealing, check_listed};

/// What it means if the target has a state of the lineage that is to be written.
const SAME_LINEAGE: &str = "it has the same lineage: a rename that was not finished, or a copy; \
                            the one with the higher serial is in use";

/// The operation of an error about a source that is not what was expected.
pub const COMPARE: &str = "compare";

/// What a transfer would do.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum MovePlan {
    /// An earlier run has done it already.
    #[non_exhaustive]
    Done {
        /// The sealed state at the source, whose digest is recorded anew.
        sealed: StateBytes,
    },
    /// Copy the state, and seal the source unless it is left as it is.
    #[non_exhaustive]
    Copy {
        /// The copy.
        copy: Box<CopyPlan>,
        /// The sealed state that replaces the source.
        sealing: Option<Box<Sealing>>,
    },
}

impl MovePlan {
    /// Returns whether an encrypted state is about to be replaced by a plain document.
    pub fn seals_encrypted(&self) -> bool {
        match self {
            Self::Copy { copy, sealing } => {
                sealing.is_some() && copy.header.format == StateFormat::Encrypted
            }
            Self::Done { .. } => false,
        }
    }
}

/// What a transfer may do.
#[derive(Clone, Debug)]
pub(crate) struct Rules<'a> {
    /// The source is sealed.
    pub(crate) seals: bool,
    /// The source is copied although it does not match its digest.
    pub(crate) ignores_digest: bool,
    /// The source is sealed although nothing shows what another client writes meanwhile.
    pub(crate) accepts_unfenced: bool,
    /// A seal at the target that names the source is replaced.
    pub(crate) replaces_way_back: bool,
    /// A state without resources and outputs at the target is replaced.
    pub(crate) replaces_unused: bool,
    /// A later state of the same lineage at the target is the truth already.
    pub(crate) accepts_newer: bool,
    /// So it is if the source is what an earlier run has copied, and frozen.
    pub(crate) resumes_frozen: bool,
    /// The SHA-256 of copies that an earlier run may have written; they are replaced.
    pub(crate) earlier: &'a [String],
    /// The SHA-256 of what the source has to be, if it has to be one of these.
    pub(crate) expected: Option<&'a [String]>,
    /// The run, for the seal.
    pub(crate) run: &'a str,
    pub(crate) now: Timestamp,
}

impl Rules<'_> {
    /// Returns those of a copy, which leaves the source as it is and replaces nothing.
    pub(crate) fn of_copy() -> Self {
        Self {
            seals: false,
            ignores_digest: false,
            accepts_unfenced: false,
            replaces_way_back: false,
            replaces_unused: false,
            accepts_newer: false,
            resumes_frozen: false,
            earlier: &[],
            expected: None,
            run: "",
            now: Timestamp::UNIX_EPOCH,
        }
    }
}

/// Finds out what it means to bring a state to its target.
///
/// # Errors
/// `NotFound` if there is no such state; `PreconditionFailed` if it is sealed or cannot be, or if
/// the target has another state; any error of the store.
pub(crate) async fn plan(
    route: Route<'_>,
    rules: &Rules<'_>,
    steps: &dyn Steps,
) -> Result<MovePlan> {
    steps.doing(Step::Read)?;
    let read = if rules.ignores_digest {
        source_with(route.operation, route.from, &ReadOptions::default().ignoring_digest()).await
    } else {
        source(route.operation, route.from).await
    };
    let source = match read {
        Err(error) if error.kind() == ErrorKind::DigestMismatch => {
            // An earlier run may have ended before it recorded the digest of the sealed state.
            match sealed_for(route).await? {
                Some(sealed) => return Ok(MovePlan::Done { sealed }),
                None => return Err(error),
            }
        }
        source => source?,
    };
    steps.did(Step::Read, Some((&source.meta, &source.bytes)))?;
    if let Some(seal) = Seal::of(&source.bytes) {
        if route.there.is_named_by(&seal) && has_the_state(route.to, &source, &seal).await? {
            return Ok(MovePlan::Done { sealed: source });
        }
        return Err(refusal(route, &seal));
    }
    let header = StateHeader::parse(&source.bytes)?;
    if let Some(expected) = rules.expected
        && !expected.contains(&ContentHash::of(&source.bytes).to_string())
    {
        let message =
            format!("serial {} was written to `{}` since", header.serial, route.from.url());
        return Err(Error::new(ErrorKind::PreconditionFailed, COMPARE, message)
            .with_context("lineage", &header.lineage));
    }
    let sealing = if rules.seals {
        let sealing = Sealing::of(&source, &header, route.there, rules.run, rules.now)?;
        if !rules.accepts_unfenced {
            check_fenced(route.from, &source.meta)?;
        }
        check_listed(route.from.store, route.from.workspace, &source.meta).await?;
        Some(Box::new(sealing))
    } else {
        None
    };
    let new = source.bytes.clone();
    steps.doing(Step::Look)?;
    let target = target(route, rules, &new).await?;
    check_target(route, rules, &source.meta, &target)?;
    let found = match &target {
        Target::Absent => None,
        Target::Same(meta) => Some((meta, &*new)),
        Target::WayBack(state)
        | Target::Unused(state)
        | Target::Earlier(state)
        | Target::Newer(state) => Some((&state.meta, &*state.bytes)),
    };
    steps.did(Step::Look, found)?;
    let names = (route.from.workspace, route.to.workspace);
    let copy = CopyPlan::new(names, source, header, target, new);
    Ok(MovePlan::Copy { copy: Box::new(copy), sealing })
}

/// Checks that the target is another object than the source, and that nothing is lost which another
/// client writes there meanwhile.
fn check_target(
    route: Route<'_>,
    rules: &Rules<'_>,
    source: &StateMeta,
    target: &Target,
) -> Result<()> {
    match target {
        Target::Same(meta) => {
            // Without versions, a seal would be all that is left if the run ended after it.
            let has_id = meta.version.as_ref().is_some_and(|id| id.as_str() != "null");
            let is_one = meta.etag.is_some() && meta.modified.is_some() && meta == source;
            if has_id || !is_one || matches!(route.there, Destination::Workspace(_)) {
                return Ok(());
            }
            let (from, to) = (route.from.url(), route.to.url());
            let message = format!("`{from}` and `{to}` are one object under two names");
            Err(Error::new(ErrorKind::PreconditionFailed, route.operation, message)
                .because("both show the same state, written at the same time"))
        }
        Target::WayBack(found) | Target::Unused(found) | Target::Earlier(found)
            if !rules.accepts_unfenced && !is_fenced(route.to.store, &found.meta) =>
        {
            let message = format!(
                "nothing would show what a client that takes no lock writes to `{}` while the \
                 copy is written",
                route.to.url()
            );
            Err(Error::new(ErrorKind::PreconditionFailed, route.operation, message)
                .because("the store checks no condition of a write, and keeps no versions")
                .with_advice(Advice::AcceptUnfenced))
        }
        _ => Ok(()),
    }
}

/// Creates the error for a source that is sealed already.
fn refusal(route: Route<'_>, seal: &Seal) -> Error {
    let refusal = seal.refusal(route.operation, &route.from.url());
    if !route.there.is_named_by(seal) {
        return refusal;
    }
    let gone = match route.there {
        Destination::Workspace(name) => format!("workspace `{name}` has no later state of it"),
        Destination::Place(url) => format!("`{url}` has no later state of it"),
    };
    match &seal.before.version {
        Some(version) => {
            refusal.with_context("note", format!("{gone}; it was version `{version}`"))
        }
        None => refusal.with_context("note", gone),
    }
}

/// Checks that nothing is lost which a client without a lock writes while the state is sealed: the
/// store refuses the seal then, or keeps a version of what it covers.
///
/// # Errors
/// `PreconditionFailed` if it may be lost.
pub(crate) fn check_fenced(place: Place<'_>, meta: &StateMeta) -> Result<()> {
    if is_fenced(place.store, meta) {
        return Ok(());
    }
    let message = format!(
        "nothing would show what a client that takes no lock writes to `{}` while it is sealed",
        place.url()
    );
    Err(Error::new(ErrorKind::PreconditionFailed, "seal", message)
        .because("the store checks no condition of a write, and keeps no versions")
        .with_advice(Advice::AcceptUnfenced))
}

/// Returns whether the store refuses a seal over a state that was changed, or keeps what it covers.
pub fn is_fenced(store: &dyn StateStore, meta: &StateMeta) -> bool {
    let capabilities = store.capabilities();
    // The version of a bucket whose versioning is suspended has the id `null`, and the next write
    // replaces it.
    let has_id = meta.version.as_ref().is_some_and(|id| id.as_str() != "null");
    capabilities.writes_conditionally_over(meta) || (capabilities.has_versions() && has_id)
}

/// Reads the state to copy whole, and holds it against its digest.
pub(crate) async fn source(operation: &'static str, from: Place<'_>) -> Result<StateBytes> {
    source_with(operation, from, &ReadOptions::default().without_waiting()).await
}

async fn source_with(
    operation: &'static str,
    from: Place<'_>,
    options: &ReadOptions,
) -> Result<StateBytes> {
    from.read(options).await?.ok_or_else(|| {
        let message = format!("there is no state of workspace `{}`", from.workspace);
        Error::new(ErrorKind::NotFound, operation, message).with_context("state", from.url())
    })
}

/// Finds out what is at the target of a copy with these bytes.
///
/// # Errors
/// `PreconditionFailed` if another state is there; any error of the store.
pub(crate) async fn target(route: Route<'_>, rules: &Rules<'_>, new: &Bytes) -> Result<Target> {
    let Route { operation, to, back, .. } = route;
    let options = ReadOptions::default().ignoring_digest();
    let Some(read) = to.store.read(to.workspace, &options).await? else {
        return Ok(Target::Absent);
    };
    let message = match back {
        Destination::Workspace(_) => format!("workspace `{}` has a state already", to.workspace),
        Destination::Place(_) => format!("the target `{}` has a state already", to.url()),
    };
    let mut exists = Error::new(ErrorKind::PreconditionFailed, operation, message);
    if matches!(back, Destination::Workspace(_)) {
        exists = exists.with_context("state", to.url());
    }
    let found = read.collect().await?;
    if found.bytes == *new {
        return Ok(Target::Same(found.meta));
    }
    if !rules.earlier.is_empty() {
        let hash = ContentHash::of(&found.bytes).to_string();
        if rules.earlier.contains(&hash) {
            return Ok(Target::Earlier(found));
        }
    }
    match Seal::of(&found.bytes) {
        Some(seal) if rules.replaces_way_back && back.is_named_by(&seal) => {
            Ok(Target::WayBack(found))
        }
        Some(seal) => Err(exists.with_context("note", format!("it is sealed: {seal}"))),
        None => match StateHeader::parse(&found.bytes) {
            Ok(header) if is_newer(&header, rules, new) => Ok(Target::Newer(found)),
            // An empty one of the same lineage is what is left of a state that was destroyed.
            Ok(header) if rules.replaces_unused && header.is_empty && !is_of(&header, new) => {
                Ok(Target::Unused(found))
            }
            Ok(header) => Err(of_another(exists, &header, new)),
            Err(_) => Err(exists),
        },
    }
}

/// Returns whether the target has a later state, which is the truth.
fn is_newer(header: &StateHeader, rules: &Rules<'_>, new: &Bytes) -> bool {
    let Ok(old) = StateHeader::parse(new) else { return false };
    if old.lineage != header.lineage {
        return false;
    }
    // A source that is not what was copied went on, although it was frozen.
    let is_frozen =
        rules.resumes_frozen && rules.earlier.contains(&ContentHash::of(new).to_string());
    (rules.accepts_newer && header.serial > old.serial)
        || (is_frozen && header.serial >= old.serial)
}

/// Returns whether a state is of the lineage of another one.
fn is_of(header: &StateHeader, new: &Bytes) -> bool {
    StateHeader::parse(new).is_ok_and(|new| new.lineage == header.lineage)
}

/// Adds to an error what is known of the state that is in the way.
fn of_another(exists: Error, header: &StateHeader, new: &Bytes) -> Error {
    let is_of_it = is_of(header, new);
    let exists =
        exists.with_context("serial", header.serial).with_context("lineage", &header.lineage);
    if is_of_it {
        // A later state of the same lineage is the last thing to delete.
        exists
            .with_context("note", SAME_LINEAGE)
            .with_hint("compare the two before anything is deleted")
    } else {
        exists
    }
}

/// Returns the sealed state of a source whose state is at the target, whatever its digest.
async fn sealed_for(route: Route<'_>) -> Result<Option<StateBytes>> {
    let Some(found) = route.from.look().await? else { return Ok(None) };
    match Seal::of(&found.bytes).filter(|seal| route.there.is_named_by(seal)) {
        Some(seal) if has_the_state(route.to, &found, &seal).await? => Ok(Some(found)),
        _ => Ok(None),
    }
}

/// Returns whether a place has the state that was sealed, or a later one of its lineage.
async fn has_the_state(place: Place<'_>, sealed: &StateBytes, seal: &Seal) -> Result<bool> {
    let options = ReadOptions::default().ignoring_digest();
    let heading = read_heading(place.store, place.workspace, &options, Depth::Whole).await?;
    let Some(Heading { header: Ok(Some(found)), seal: None, .. }) = heading else {
        return Ok(false);
    };
    let lineage = StateHeader::parse(&sealed.bytes)?.lineage;
    Ok(found.lineage == lineage && found.serial >= seal.before.serial)
}
