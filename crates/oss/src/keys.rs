//! Where a workspace's state and lock are kept: the one place that knows the layouts.
//!
//! Both layouts keep the state of `default` at `<folder>/<name>` and that of another workspace at
//! `<folder>/<workspace>/<name>`, joined and cleaned as Go's `path.Join` does. They differ in what
//! their keys are called, and in what they default to.

use remote_state_core::Workspace;
use remote_state_core::provider::join_clean;

/// What a lock object's key ends with.
const LOCK_SUFFIX: &str = ".tflock";

/// What the id of a digest row ends with.
pub(crate) const DIGEST_SUFFIX: &str = "-md5";

/// The longest key of an object, in bytes.
const LONGEST_KEY: usize = 1023;

/// The longest id of a row, in bytes.
const LONGEST_ID: usize = 1024;

/// The layout of one state in one bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) bucket: String,
    /// `path` or `prefix`, cleaned; may be empty.
    folder: String,
    /// `name` or `key`, cleaned; may be empty if the folder is not.
    name: String,
}

impl Layout {
    /// # Errors
    /// Says why no state can be kept there.
    pub(crate) fn new(bucket: &str, folder: &str, name: &str) -> Result<Self, &'static str> {
        let layout = Self {
            bucket: bucket.to_owned(),
            folder: join_clean(&[folder]),
            name: join_clean(&[name]),
        };
        let leads_out = |path: &str| path == ".." || path.starts_with("../");
        if leads_out(&layout.folder) || leads_out(&layout.name) {
            // Native clients let it through, and then store several workspaces under one key.
            Err("it must not lead out with `..`, for then workspaces share one object")
        } else if layout.folder.is_empty() && layout.name.is_empty() {
            Err("the state's object would have no name")
        } else {
            Ok(layout)
        }
    }

    /// The same place for another state.
    pub(crate) fn with_name(&self, name: &str) -> Result<Self, &'static str> {
        check_name(name)?;
        if name.trim().is_empty() {
            return Err("it is empty");
        }
        Self::new(&self.bucket, &self.folder, name)
    }

    /// `<folder>/<name>` for `default`, else `<folder>/<workspace>/<name>`.
    pub(crate) fn state_key(&self, workspace: &Workspace) -> String {
        if workspace.is_default() {
            join_clean(&[&self.folder, &self.name])
        } else {
            join_clean(&[&self.folder, workspace.as_str(), &self.name])
        }
    }

    pub(crate) fn lock_key(&self, workspace: &Workspace) -> String {
        self.state_key(workspace) + LOCK_SUFFIX
    }

    /// `<bucket>/<state key>`: what native clients call the state in lock records and in the table.
    pub(crate) fn path(&self, workspace: &Workspace) -> String {
        format!("{}/{}", self.bucket, self.state_key(workspace))
    }

    pub(crate) fn url(&self, key: &str) -> String {
        object_url(&self.bucket, key)
    }

    /// Says why a workspace's state, its lock object and its digest row, where there are such,
    /// cannot be kept beside those of all others.
    pub(crate) fn admit(
        &self,
        workspace: &Workspace,
        has_lock_object: bool,
        has_table: bool,
    ) -> Result<(), String> {
        let key = self.state_key(workspace);
        let longest = if has_lock_object { key.len() + LOCK_SUFFIX.len() } else { key.len() };
        if longest > LONGEST_KEY {
            return Err(format!(
                "an object's key would have {longest} bytes, of which {LONGEST_KEY} are allowed"
            ));
        }
        let id = self.path(workspace).len() + DIGEST_SUFFIX.len();
        if has_table && id > LONGEST_ID {
            return Err(format!(
                "a row's id would have {id} bytes, of which {LONGEST_ID} are allowed"
            ));
        }
        // The one who locks would find what belongs to another state, and the other one would take
        // it for damaged.
        let taken = [
            (has_lock_object, LOCK_SUFFIX, "lock object"),
            (has_table, DIGEST_SUFFIX, "digest row"),
        ];
        match taken.into_iter().find(|(is_used, suffix, _)| *is_used && key.ends_with(suffix)) {
            Some((_, suffix, what)) => {
                Err(format!("what ends in `{suffix}` is the {what} of another state"))
            }
            None => Ok(()),
        }
    }

    /// What every key of a named workspace starts with. Empty if there is no folder: then the whole
    /// bucket has to be looked through.
    pub(crate) fn listing_prefix(&self) -> String {
        if self.folder.is_empty() { String::new() } else { format!("{}/", self.folder) }
    }

    /// Returns the workspace whose state is kept under `key`, if it is one of ours.
    ///
    /// Native clients of the releases take every object below the prefix for a workspace, whatever
    /// follows its first part.
    pub(crate) fn workspace_of_state(&self, key: &str) -> Option<Workspace> {
        let rest = key.strip_prefix(&self.listing_prefix())?;
        let (workspace, name) = rest.split_once('/').unwrap_or((rest, ""));
        if name != self.name {
            return None;
        }
        let workspace = Workspace::new(workspace).ok()?;
        // `default` below the folder is an object that no client ever opens.
        (!workspace.is_default()).then_some(workspace)
    }

    /// Returns the workspace whose lock is kept under `key`, if it is one of ours.
    pub(crate) fn workspace_of_lock(&self, key: &str) -> Option<Workspace> {
        self.workspace_of_state(key.strip_suffix(LOCK_SUFFIX)?)
    }
}

/// Says why a state's name does not do.
pub(crate) fn check_name(name: &str) -> Result<(), &'static str> {
    if name.starts_with('/') || name.ends_with('/') {
        Err("it must not start or end with a slash")
    } else {
        Ok(())
    }
}

/// A folder as it is used: without slashes at its ends, and without one `./` before it.
pub(crate) fn trim_folder(folder: &str) -> &str {
    let trimmed = folder.trim_matches('/');
    trimmed.strip_prefix("./").unwrap_or(trimmed)
}

/// Names an object for people.
pub(crate) fn object_url(bucket: &str, key: &str) -> String {
    format!("oss://{bucket}/{key}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(folder: &str, name: &str) -> Layout {
        Layout::new("buck", trim_folder(folder), name).unwrap()
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
            assert_eq!(layout.lock_key(&workspace("dev")), format!("{of_dev}.tflock"));
            assert_eq!(layout.path(&workspace("dev")), format!("buck/{of_dev}"));
            assert!(of_dev.starts_with(&layout.listing_prefix()));
            assert_eq!(
                layout.workspace_of_state(of_dev),
                Some(workspace("dev")),
                "what is stored is found again"
            );
            assert_eq!(
                layout.workspace_of_lock(&format!("{of_dev}.tflock")),
                Some(workspace("dev"))
            );
            assert_eq!(
                layout.workspace_of_state(of_default),
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
            assert_eq!(layout.workspace_of_state(key), None, "{key}");
        }
    }

    #[test]
    fn places_that_states_would_share_are_refused() {
        for (folder, name) in
            [("..", "s"), ("a", "../s"), ("a/../..", "s"), ("a", ".."), ("", ""), ("/", "")]
        {
            assert!(Layout::new("b", folder, name).is_err(), "{folder} {name}");
        }
        for name in ["/s", "s/"] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }

    /// The row of a digest is the row of a lock with another name, and a lock object is an object
    /// like a state. Whoever may choose the name of a state could otherwise lock what is
    /// another's digest, or store where another's lock is.
    #[test]
    fn two_names_never_lead_to_one_object_or_row() {
        let admit = |has_object, has_table, key: &str| {
            let layout = Layout::new("buck", "folder", key).unwrap();
            layout.admit(&Workspace::default(), has_object, has_table).is_ok()
        };
        for (key, by_object, by_table) in [
            ("bar-md5", true, false),
            ("a/bar.tflock-md5", true, false),
            ("bar.tflock", false, true),
            ("bar-md5/x", true, true),
        ] {
            assert_eq!(admit(true, false, key), by_object, "{key}");
            assert_eq!(admit(false, true, key), by_table, "{key}");
            assert_eq!(admit(true, true, key), by_object && by_table, "{key}");
        }
    }

    #[test]
    fn names_are_no_longer_than_the_store_takes() {
        let admit = |bytes: usize, has_object, has_table| {
            let layout = Layout::new("buck", "", &"k".repeat(bytes)).unwrap();
            layout.admit(&Workspace::default(), has_object, has_table).is_ok()
        };
        assert!(admit(1023, false, false) && !admit(1024, false, false));
        assert!(admit(1016, true, false) && !admit(1017, true, false));
        // `buck/<key>-md5`
        assert!(admit(1015, false, true) && !admit(1016, false, true));
    }
}
