//! The keys under which the states of workspaces are kept: only this module defines the layout.

use std::sync::Arc;

use remote_state_core::Workspace;
use remote_state_core::provider::{self, join_clean};

use crate::config::{check_new_key, leads_back};

/// The layout of one state key in one bucket.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    /// The key of the default workspace's state.
    pub(crate) key: String,
    /// The prefix of the name of any other workspace; may be empty.
    pub(crate) prefix: String,
}

impl provider::Layout for Layout {
    /// Returns `<key>` for `default`, else `<prefix>/<workspace>/<key>`, joined and cleaned as Go's
    /// `path.Join` does.
    fn state_key(&self, workspace: &Workspace) -> String {
        if workspace.is_default() {
            self.key.clone()
        } else {
            join_clean(&[&self.prefix, workspace.as_str(), &self.key])
        }
    }

    /// Native clients list by the configured prefix, and so never find what they store under a
    /// prefix that is not clean.
    fn listing_prefix(&self) -> String {
        let prefix = join_clean(&[&self.prefix]);
        if prefix.is_empty() { prefix } else { prefix + "/" }
    }

    fn workspace_of(&self, key: &str) -> Option<Workspace> {
        let (name, state_key) = key.strip_prefix(&self.listing_prefix())?.split_once('/')?;
        if state_key != join_clean(&[&self.key]) {
            return None;
        }
        let workspace = Workspace::new(name).ok()?;
        // `default` below the prefix is an object that no client ever opens.
        (!workspace.is_default()).then_some(workspace)
    }

    fn with_state_key(&self, key: &str) -> Result<Arc<dyn provider::Layout>, String> {
        check_new_key(key)?;
        Ok(Arc::new(Self { key: key.to_owned(), ..self.clone() }))
    }

    fn of_object(&self, key: &str) -> Result<Arc<dyn provider::Layout>, String> {
        Ok(Arc::new(Self { key: key.to_owned(), ..self.clone() }))
    }

    /// Under a key with a part `..` a workspace's state would be in the place of another one's.
    fn refuses_new(&self, workspace: &Workspace) -> Option<String> {
        (!workspace.is_default() && leads_back(&self.key)).then(|| {
            format!(
                "the state key `{}` has a part `..`, which would lead back out of the workspace",
                self.key
            )
        })
    }
}

/// Returns the name of a table's item for messages.
pub(crate) fn item_url(table: &str, id: &str) -> String {
    format!("dynamodb://{table}/{id}")
}

/// Returns the name of an object for messages.
pub(crate) fn object_url(bucket: &str, key: &str) -> String {
    format!("s3://{bucket}/{key}")
}

#[cfg(test)]
mod tests {
    use remote_state_core::provider::Layout as _;

    use super::*;

    fn layout(prefix: &str) -> Layout {
        Layout { key: "dir/st.tfstate".into(), prefix: prefix.into() }
    }

    fn workspace(name: &str) -> Workspace {
        Workspace::new(name).unwrap()
    }

    #[test]
    fn keys_are_those_of_native_clients() {
        for (name, prefix, key) in [
            ("default", "env:", "dir/st.tfstate"),
            ("dev", "env:", "env:/dev/dir/st.tfstate"),
            ("dev", "team/x", "team/x/dev/dir/st.tfstate"),
            ("dev", "", "dev/dir/st.tfstate"),
            ("dev", "a//b", "a/b/dev/dir/st.tfstate"),
        ] {
            assert_eq!(layout(prefix).state_key(&workspace(name)), key);
        }
    }

    #[test]
    fn only_exact_keys_are_workspaces() {
        let env = layout("env:");
        assert_eq!(env.workspace_of("env:/dev/dir/st.tfstate"), Some(workspace("dev")));
        for key in [
            "env:/dev/dir/st.tfstate.tflock",
            "env:/dev/other.tfstate",
            "env:/dev/deeper/dir/st.tfstate",
            "env:/dir/st.tfstate",
            "env:dev/dir/st.tfstate",
            "env://dir/st.tfstate",
            "env:/default/dir/st.tfstate",
            "env:/../dir/st.tfstate",
            "dir/st.tfstate",
        ] {
            assert_eq!(env.workspace_of(key), None, "{key}");
        }
        assert_eq!(layout("").workspace_of("dev/dir/st.tfstate"), Some(workspace("dev")));
    }

    #[test]
    fn what_is_stored_under_an_unclean_prefix_or_key_is_found_again() {
        for (prefix, key) in [("a//b", "k"), ("./a", "k"), ("a", "./x/k")] {
            let layout = Layout { key: key.into(), ..layout(prefix) };
            let stored = layout.state_key(&workspace("dev"));
            assert!(stored.starts_with(&layout.listing_prefix()), "{stored}");
            assert_eq!(layout.workspace_of(&stored), Some(workspace("dev")), "{prefix} {key}");
        }
    }
}
