//! Looking at the locks of all workspaces.

use std::future::{Future, ready};

use futures_util::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};

use crate::error::Result;
use crate::store::LockRecord;
use crate::workspace::Workspace;

/// How many workspaces to look at at once.
const PARALLEL_READS: usize = 16;

/// Looks at the lock of `default`, and of every workspace that has one or could have.
///
/// `workspace_of` says of which workspace a key is the lock object. Entries of a table show in no
/// listing, and a table cannot be asked for those of one bucket without reading it whole: so where
/// there is a table it says also of which workspace a key is the state, and that one's entry is
/// asked for. `look` reads the locks of one workspace that are held; those that were listed may
/// have been released by then.
///
/// The keys of a workspace follow each other in a listing, so each is looked at once.
pub fn locks_of<'a, F>(
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
            let record = LockRecord::new(Err("unreadable".to_owned()), workspace.to_string());
            Ok(if workspace.to_string() == "b" { Vec::new() } else { vec![record] })
        };
        let found: Vec<_> = locks_of(keys, workspace_of, look).try_collect().await.unwrap();
        let found: Vec<_> =
            found.into_iter().map(|(workspace, record)| (workspace, record.object)).collect();
        let expected = ["default", "a"].map(|name| (name.parse().unwrap(), name.to_owned()));
        assert_eq!(found, expected);
    }
}
