//! The keys of a workspace's state and lock. Only this file knows the layouts.
//!
//! Both layouts keep the state of `default` at `<folder>/<name>` and that of another workspace at
//! `<folder>/<workspace>/<name>`, joined and cleaned as Go's `path.Join` does. They differ in the
//! names of their configuration keys and in their defaults.

use std::sync::Arc;

use remote_state_core::Workspace;
use remote_state_core::provider::{self, join_clean};

/// The layout of one state in one bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    /// `path` or `prefix`, cleaned; may be empty.
    folder: String,
    /// `name` or `key`, cleaned; may be empty if the folder is not.
    name: String,
}

impl Layout {
    /// # Errors
    /// Says why no state can have this key.
    pub(crate) fn new(folder: &str, name: &str) -> Result<Self, &'static str> {
        let layout = Self { folder: join_clean(&[folder]), name: join_clean(&[name]) };
        let leads_out = |path: &str| path == ".." || path.starts_with("../");
        if leads_out(&layout.folder) || leads_out(&layout.name) {
            // Native clients allow it, and then store several workspaces under one key.
            Err("it must not lead out with `..`, for then workspaces share one object")
        } else if layout.folder.is_empty() && layout.name.is_empty() {
            Err("the state's object would have no name")
        } else {
            Ok(layout)
        }
    }
}

impl provider::Layout for Layout {
    /// Returns `<folder>/<name>` for `default`, else `<folder>/<workspace>/<name>`.
    fn state_key(&self, workspace: &Workspace) -> String {
        if workspace.is_default() {
            join_clean(&[&self.folder, &self.name])
        } else {
            join_clean(&[&self.folder, workspace.as_str(), &self.name])
        }
    }

    fn listing_prefix(&self) -> String {
        if self.folder.is_empty() { String::new() } else { format!("{}/", self.folder) }
    }

    /// Native clients of the releases treat every object below the prefix as a workspace, named by
    /// the first part of its key.
    fn workspace_of(&self, key: &str) -> Option<Workspace> {
        let rest = key.strip_prefix(&self.listing_prefix())?;
        let (workspace, name) = rest.split_once('/').unwrap_or((rest, ""));
        if name != self.name {
            return None;
        }
        let workspace = Workspace::new(workspace).ok()?;
        // No client ever opens an object for `default` below the folder.
        (!workspace.is_default()).then_some(workspace)
    }

    fn with_state_key(&self, key: &str) -> Result<Arc<dyn provider::Layout>, String> {
        check_name(key)?;
        if key.trim().is_empty() {
            return Err("it is empty".to_owned());
        }
        Ok(Arc::new(Self::new(&self.folder, key)?))
    }

    fn of_object(&self, key: &str) -> Result<Arc<dyn provider::Layout>, String> {
        if key.is_empty() || join_clean(&[key]) != key {
            return Err("no client makes such a key".to_owned());
        }
        Ok(Arc::new(Self::new("", key)?))
    }
}

/// Says why the name of a state is invalid.
pub(crate) fn check_name(name: &str) -> Result<(), &'static str> {
    if name.starts_with('/') || name.ends_with('/') {
        Err("it must not start or end with a slash")
    } else {
        Ok(())
    }
}

/// Returns a folder without slashes at its ends, and without one leading `./`.
pub(crate) fn trim_folder(folder: &str) -> &str {
    let trimmed = folder.trim_matches('/');
    trimmed.strip_prefix("./").unwrap_or(trimmed)
}

/// Formats an object for messages.
pub(crate) fn object_url(bucket: &str, key: &str) -> String {
    format!("oss://{bucket}/{key}")
}

#[cfg(test)]
mod tests {
    use remote_state_core::provider::Layout as _;

    use super::*;

    fn layout(folder: &str, name: &str) -> Layout {
        Layout::new(trim_folder(folder), name).unwrap()
    }

    fn workspace(name: &str) -> Workspace {
        Workspace::new(name).unwrap()
    }

    #[test]
    fn keys_are_those_of_native_clients() {
        for (folder, name, of_default, of_dev) in [
            ("env:", "terraform.tfstate", "env:/terraform.tfstate", "env:/dev/terraform.tfstate"),
            (
                "path/mystate",
                "version-1.tfstate",
                "path/mystate/version-1.tfstate",
                "path/mystate/dev/version-1.tfstate",
            ),
            ("/a/b/", "s", "a/b/s", "a/b/dev/s"),
            ("./a", "s", "a/s", "a/dev/s"),
            ("a//b", "x/s", "a/b/x/s", "a/b/dev/x/s"),
            ("a/../b", "s", "b/s", "b/dev/s"),
            ("", "s", "s", "dev/s"),
            ("env:", "", "env:", "env:/dev"),
        ] {
            let layout = layout(folder, name);
            assert_eq!(layout.state_key(&Workspace::default()), of_default);
            assert_eq!(layout.state_key(&workspace("dev")), of_dev);
            assert!(of_dev.starts_with(&layout.listing_prefix()));
            assert_eq!(
                layout.workspace_of(of_dev),
                Some(workspace("dev")),
                "what is stored is found again"
            );
            assert_eq!(
                layout.workspace_of(of_default),
                None,
                "`default` is not listed: it always exists"
            );
        }
    }

    #[test]
    fn only_exact_keys_are_workspaces() {
        let layout = layout("env:", "dir/st.tfstate");
        for key in [
            "env:/dev/dir/st.tfstate.tflock",
            "env:/dev/other.tfstate",
            "env:/dev/deeper/dir/st.tfstate",
            "env:/dir/st.tfstate",
            "env:/readme.txt",
            "env:/x/",
            "env:dev/dir/st.tfstate",
            "env://dir/st.tfstate",
            "env:/default/dir/st.tfstate",
            "env:/../dir/st.tfstate",
            "dir/st.tfstate",
        ] {
            assert_eq!(layout.workspace_of(key), None, "{key}");
        }
    }

    #[test]
    fn places_that_states_would_share_are_refused() {
        for (folder, name) in
            [("..", "s"), ("a", "../s"), ("a/../..", "s"), ("a", ".."), ("", ""), ("/", "")]
        {
            assert!(Layout::new(folder, name).is_err(), "{folder} {name}");
        }
        for name in ["/s", "s/"] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }
}
