//! Copying the state of one workspace to another.

use remote_state_core::{
    Author, Error, ErrorKind, Lineage, Result, Seal, StateFormat, StateHeader, StateMeta,
    StateStore, Workspace, with_lineage,
};

use super::check_different;
use crate::seal::Destination;
use crate::transfer::{self, CopyPlan, Place, Route, Rules, Unobserved};

/// The operation of an error about a state that cannot get another lineage.
pub const REPLACE_LINEAGE: &str = "replace lineage";

/// How to copy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CopyOptions {
    /// Keep the lineage: clients then take the copy for the same state.
    pub keeps_lineage: bool,
}

impl CopyOptions {
    /// Sets whether to keep the lineage.
    #[must_use]
    pub fn with_lineage_kept(mut self, keeps_lineage: bool) -> Self {
        self.keeps_lineage = keeps_lineage;
        self
    }
}

/// Finds out what it means to copy the state of `from` to `to`.
///
/// # Errors
/// `NotFound` if there is no such state; `PreconditionFailed` if it is sealed, if the target has
/// a state, or if an encrypted state would need another lineage; any error of the store.
pub async fn plan_copy(
    store: &dyn StateStore,
    (from, to): (&Workspace, &Workspace),
    options: CopyOptions,
) -> Result<CopyPlan> {
    check_different(store, "copy", from, to)?;
    let route = Route {
        operation: "copy",
        from: Place::new(store, from),
        to: Place::new(store, to),
        there: Destination::Workspace(to),
        back: Destination::Workspace(from),
    };
    let source = transfer::source("copy", route.from).await?;
    if let Some(seal) = Seal::of(&source.bytes) {
        return Err(seal.refusal("copy", &route.from.url()));
    }
    let header = StateHeader::parse(&source.bytes)?;
    let (lineage, new) = if options.keeps_lineage {
        (header.lineage.clone(), source.bytes.clone())
    } else {
        let refused =
            |message: &str| Error::new(ErrorKind::PreconditionFailed, REPLACE_LINEAGE, message);
        if header.format == StateFormat::Encrypted {
            return Err(refused(
                "the state is encrypted, and its lineage is inside, where it cannot be replaced",
            ));
        }
        let lineage = Lineage::random()?;
        let new = with_lineage(&source.bytes, &lineage)
            .map_err(|error| refused("the state cannot get another lineage").because(error))?;
        (lineage, new)
    };
    let target = transfer::target(route, &Rules::of_copy(), &new).await?;
    Ok(CopyPlan { lineage, ..CopyPlan::new((from, to), source, header, target, new) })
}

/// Writes the copy, if the target still is as it was planned for, and reads it back.
///
/// # Errors
/// `PreconditionFailed` if the target was changed meanwhile, or what is read back is something
/// else; `DigestMismatch` if the copy was written and its digest not recorded; any error of the
/// store.
pub async fn copy(store: &dyn StateStore, plan: &CopyPlan, author: &Author) -> Result<StateMeta> {
    let copied = transfer::copy(Place::new(store, &plan.to), plan, author, &Unobserved).await;
    copied.map_err(|failed| failed.error)
}
