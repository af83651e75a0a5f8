//! Which states hold a resource, an output or a value.
//!
//! Many states are read at the same time, each as its bytes arrive, and what is kept of one is what
//! was found. Values are shown as [`masking`](crate::masking) allows.

mod contains;
mod query;
mod search;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use futures_util::stream::{self, BoxStream, StreamExt as _};
use remote_state_core::{Result, StateStore, Workspace};

pub use self::query::Query;
use crate::masking::Shown;

/// The sizes of objects that may be states, in bytes.
const SIZES: std::ops::RangeInclusive<u64> = 2..=1 << 30;

/// A state that is to be searched.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Place {
    /// Its name for people, such as `s3://bucket/key`.
    pub state: String,
    /// The workspace, if it is known.
    pub workspace: Option<Workspace>,
    store: Arc<dyn StateStore>,
}

impl Place {
    /// Returns the state of a workspace.
    pub fn of_workspace(store: &Arc<dyn StateStore>, workspace: Workspace) -> Self {
        let state = store.location(&workspace).state;
        Self { state, workspace: Some(workspace), store: Arc::clone(store) }
    }

    /// Returns an object of a bucket, which may be a state or not, from a store whose default
    /// workspace it is.
    fn of_object(store: Arc<dyn StateStore>) -> Self {
        let state = store.location(&Workspace::default()).state;
        Self { state, workspace: None, store }
    }
}

/// Returns the states of all workspaces of a store.
pub fn workspaces(store: &Arc<dyn StateStore>) -> BoxStream<'static, Result<Place>> {
    let default = stream::iter([Ok(Workspace::default())]);
    let store = Arc::clone(store);
    let all = default.chain(store.workspaces());
    all.map(move |workspace| Ok(Place::of_workspace(&store, workspace?))).boxed()
}

/// Returns the objects of the bucket whose keys begin with `prefix` and that may be states; `None`
/// if the store cannot list them.
pub fn objects(
    store: &Arc<dyn StateStore>,
    prefix: &str,
) -> Option<BoxStream<'static, Result<Place>>> {
    let catalog = store.catalog()?;
    let objects = catalog.objects(prefix).filter_map(move |entry| {
        let place = match entry {
            Ok(entry) if !SIZES.contains(&entry.size_bytes) => None,
            // Under a key that no client can use there is no state.
            Ok(entry) => catalog.open(&entry.key).ok().map(|store| Ok(Place::of_object(store))),
            Err(error) => Some(Err(error)),
        };
        std::future::ready(place)
    });
    Some(objects.boxed())
}

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// A resource instance.
    Resource,
    /// A root output.
    Output,
    /// The results of checks.
    Checks,
}

/// An instance or an output that was found.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Match {
    /// What it is.
    pub kind: Kind,
    /// The address of the instance, or the name of the output.
    pub address: String,
    /// The type of the instance.
    pub resource_type: Option<String>,
    /// The provider's address as it was stored.
    pub provider: Option<String>,
    /// The key of a deposed object.
    pub deposed: Option<String>,
    /// The id.
    pub id: Shown,
    /// The values that were asked for, by their paths. A path may lead to none, or to several.
    pub values: Vec<(String, Vec<Shown>)>,
    /// Where the value is that was looked for; the empty path is that of an output itself.
    pub found_at: Vec<String>,
}

/// A state that was searched.
#[derive(Debug)]
#[non_exhaustive]
pub struct Searched {
    /// The state.
    pub place: Place,
    /// What was found in it; `None` if nothing is stored there, or what is stored is no state.
    pub found: Result<Option<Vec<Match>>>,
}

/// Searches states, `jobs` at the same time. The results come in the order of the states.
///
/// # Errors
/// An error of the stream is one of `places`. That a state could not be read is in its
/// [`Searched::found`].
pub fn find(
    places: BoxStream<'static, Result<Place>>,
    query: Query,
    jobs: usize,
) -> BoxStream<'static, Result<Searched>> {
    let query = Arc::new(query);
    let searched = places.map(move |place| {
        let query = Arc::clone(&query);
        async move {
            let place = place?;
            let default = Workspace::default();
            let workspace = place.workspace.as_ref().unwrap_or(&default);
            let must_be_a_state = place.workspace.is_some();
            let found = search::search(&place.store, workspace, &query, must_be_a_state).await;
            Ok(Searched { place, found })
        }
    });
    searched.buffered(jobs.max(1)).boxed()
}
