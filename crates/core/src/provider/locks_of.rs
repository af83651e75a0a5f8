//! Reading the locks of all workspaces.

use std::future::{Future, ready};

use futures_util::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};

use crate::error::Result;
use crate::store::LockRecord;
use crate::workspace::Workspace;

/// How many workspaces to read at the same time.
const PARALLEL_READS: usize = 16;

/// Reads the lock of `default`, and of every workspace that has a lock or could have one.
///
/// `workspace_of` returns the workspace whose lock object a key is. No listing shows the entries of
/// a table, and finding those of one bucket takes a scan of the whole table. With a table,
/// `workspace_of` therefore also returns the workspace whose state a key is, and the entry of that
/// workspace is read. `look` reads the locks of one workspace that are held; locks that were listed
/// may have been released by then.
///
/// The keys of a workspace follow each other in a listing, so each workspace is read once.
pub(crate) fn locks_of<'a, F>(
    keys: BoxStream<'a, Result<String>>,
    workspace_of: impl Fn(&str) -> Option<Workspace> + Send + 'a,
    look: impl Fn(Workspace) -> F + Send + 'a,
) -> BoxStream<'a, Result<(Workspace, LockRecord)>>
where
    F: Future<Output = Result<Vec<LockRecord>>> + Send + 'a,
{
    let mut last = None;
    let named = keys.try_filter_map(move |key| {
        let next = workspace_of(&key).filter(|next| last.as_ref() != Some(next));
        if next.is_some() {
            last.clone_from(&next);
        }
        ready(Ok(next))
    });
    stream::once(ready(Ok(Workspace::default())))
        .chain(named)
        .map_ok(move |workspace| {
            let looking = look(workspace.clone());
            async move {
                let held =
                    looking.await?.into_iter().map(move |record| Ok((workspace.clone(), record)));
                Ok(stream::iter(held.collect::<Vec<_>>()))
            }
        })
        .try_buffered(PARALLEL_READS)
        .try_flatten()
        .boxed()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lock_info::LockContent;

    #[tokio::test]
    async fn each_workspace_is_looked_at_once_and_default_always() {
        let keys =
            ["env:/a/state", "env:/a/state.other", "env:/a/state.tflock", "env:/b/state", "other"];
        let keys = stream::iter(keys.map(|key| Ok(key.to_owned()))).boxed();
        let workspace_of = |key: &str| {
            let name = key.strip_prefix("env:/")?.split('/').next()?;
            (!key.ends_with("other")).then(|| name.parse().ok()).flatten()
        };
        let look = |workspace: Workspace| async move {
            let record = LockRecord::new(
                LockContent::Unreadable("unreadable".to_owned()),
                workspace.to_string(),
            );
            Ok(if workspace.to_string() == "b" { Vec::new() } else { vec![record] })
        };
        let found: Vec<_> = locks_of(keys, workspace_of, look).try_collect().await.unwrap();
        let found: Vec<_> =
            found.into_iter().map(|(workspace, record)| (workspace, record.object)).collect();
        let expected = ["default", "a"].map(|name| (name.parse().unwrap(), name.to_owned()));
        assert_eq!(found, expected);
    }
}
