//! Where a workspace's state and lock are kept: the one place that knows the layout.

use remote_state_core::provider::join_clean;
use remote_state_core::{StateLocation, Workspace};

use crate::config::leads_back;

/// What a lock file's key ends with.
const LOCK_SUFFIX: &str = ".tflock";

/// What the id of a digest item ends with.
pub(crate) const DIGEST_SUFFIX: &str = "-md5";

/// The longest key of an object, in bytes.
const LONGEST_KEY: usize = 1024;

/// The layout of one state key in one bucket.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    pub(crate) bucket: String,
    /// The key of the default workspace's state.
    pub(crate) key: String,
    /// What stands before the name of any other workspace; may be empty.
    pub(crate) prefix: String,
    pub(crate) has_lock_file: bool,
    /// The DynamoDB table of lock items, if there is one.
    pub(crate) table: Option<String>,
}

impl Layout {
    /// `<key>` for `default`, else `<prefix>/<workspace>/<key>`, joined and cleaned as Go's
    /// `path.Join` does.
    pub(crate) fn state_key(&self, workspace: &Workspace) -> String {
        if workspace.is_default() {
            self.key.clone()
        } else {
            join_clean(&[&self.prefix, workspace.as_str(), &self.key])
        }
    }

    pub(crate) fn lock_key(&self, workspace: &Workspace) -> String {
        self.state_key(workspace) + LOCK_SUFFIX
    }

    pub(crate) fn url(&self, key: &str) -> String {
        object_url(&self.bucket, key)
    }

    pub(crate) fn location(&self, workspace: &Workspace) -> StateLocation {
        let key = self.state_key(workspace);
        let path = format!("{}/{key}", self.bucket);
        let file = self.has_lock_file.then(|| self.url(&self.lock_key(workspace)));
        let item = self.table.as_ref().map(|table| item_url(table, &path));
        StateLocation::new(path, self.url(&key), file.into_iter().chain(item).collect())
    }

    /// Says why a workspace's state, its lock and its digest cannot be kept beside those of all
    /// others.
    pub(crate) fn admit(&self, workspace: &Workspace) -> Result<(), String> {
        if !workspace.is_default() && leads_back(&self.key) {
            return Err(format!(
                "the state key `{}` has a part `..`, and takes workspaces back",
                self.key
            ));
        }
        let key = self.state_key(workspace);
        let longest = if self.has_lock_file { key.len() + LOCK_SUFFIX.len() } else { key.len() };
        if longest > LONGEST_KEY {
            return Err(format!(
                "an object's key would have {longest} bytes, of which {LONGEST_KEY} are allowed"
            ));
        }
        // The one who locks would find what belongs to another state, and the other one would take
        // it for damaged.
        let taken = [
            (self.has_lock_file, LOCK_SUFFIX, "lock file"),
            (self.table.is_some(), DIGEST_SUFFIX, "digest item"),
        ];
        match taken.into_iter().find(|(is_used, suffix, _)| *is_used && key.ends_with(suffix)) {
            Some((_, suffix, what)) => {
                Err(format!("what ends in `{suffix}` is the {what} of another state"))
            }
            None => Ok(()),
        }
    }

    /// What every key of a named workspace starts with. Empty if there is no prefix: then the whole
    /// bucket has to be looked through.
    ///
    /// Native clients list by the prefix as it is configured, and so never find what they store
    /// under a prefix that is not clean.
    pub(crate) fn listing_prefix(&self) -> String {
        let prefix = join_clean(&[&self.prefix]);
        if prefix.is_empty() { prefix } else { prefix + "/" }
    }

    /// Returns the workspace whose state is kept under `key`, if it is one of ours.
    pub(crate) fn workspace_of_state(&self, key: &str) -> Option<Workspace> {
        self.workspace_of(key, "")
    }

    /// Returns the workspace whose lock is kept under `key`, if it is one of ours.
    pub(crate) fn workspace_of_lock(&self, key: &str) -> Option<Workspace> {
        self.workspace_of(key, LOCK_SUFFIX)
    }

    fn workspace_of(&self, key: &str, suffix: &str) -> Option<Workspace> {
        let (name, state_key) = key.strip_prefix(&self.listing_prefix())?.split_once('/')?;
        if state_key.strip_suffix(suffix)? != join_clean(&[&self.key]) {
            return None;
        }
        let workspace = Workspace::new(name).ok()?;
        // `default` below the prefix is an object that no client ever opens.
        (!workspace.is_default()).then_some(workspace)
    }
}

/// Names an item of a table for people.
pub(crate) fn item_url(table: &str, id: &str) -> String {
    format!("dynamodb://{table}/{id}")
}

/// Names an object for people.
pub(crate) fn object_url(bucket: &str, key: &str) -> String {
    format!("s3://{bucket}/{key}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(prefix: &str) -> Layout {
        Layout {
            bucket: "buck".into(),
            key: "dir/st.tfstate".into(),
            prefix: prefix.into(),
            has_lock_file: true,
            table: None,
        }
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
            let location = layout(prefix).location(&workspace(name));
            assert_eq!(location.path, format!("buck/{key}"));
            assert_eq!(location.state, format!("s3://buck/{key}"));
            assert_eq!(location.locks, [format!("s3://buck/{key}.tflock")]);
        }
    }

    #[test]
    fn only_exact_keys_are_workspaces() {
        let env = layout("env:");
        assert_eq!(env.workspace_of_state("env:/dev/dir/st.tfstate"), Some(workspace("dev")));
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
            assert_eq!(env.workspace_of_state(key), None, "{key}");
        }
        assert_eq!(env.workspace_of_lock("env:/dev/dir/st.tfstate.tflock"), Some(workspace("dev")));
        assert_eq!(env.workspace_of_lock("env:/dev/dir/st.tfstate"), None);
        assert_eq!(layout("").workspace_of_state("dev/dir/st.tfstate"), Some(workspace("dev")));
    }

    #[test]
    fn what_is_stored_under_an_unclean_prefix_or_key_is_found_again() {
        for (prefix, key) in [("a//b", "k"), ("./a", "k"), ("a", "./x/k")] {
            let layout = Layout { key: key.into(), ..layout(prefix) };
            let stored = layout.state_key(&workspace("dev"));
            assert!(stored.starts_with(&layout.listing_prefix()), "{stored}");
            assert_eq!(
                layout.workspace_of_state(&stored),
                Some(workspace("dev")),
                "{prefix} {key}"
            );
        }
    }

    /// The item of a digest is the item of a lock with another name, and a lock file is an object
    /// like a state. Whoever may choose the name of a state could otherwise lock what is
    /// another's digest, or store where another's lock is.
    #[test]
    fn two_names_never_lead_to_one_object_or_item() {
        let admit = |has_lock_file, table: bool, key: &str| {
            let table = table.then(|| "locks".to_owned());
            let layout = Layout { key: key.to_owned(), has_lock_file, table, ..layout("env:") };
            layout.admit(&Workspace::default()).is_ok()
        };
        for (key, by_file, by_table) in [
            ("bar-md5", true, false),
            ("a/bar.tflock-md5", true, false),
            ("-md5", true, false),
            ("bar.tflock", false, true),
            ("bar-md5.tflock", false, true),
            ("bar-md5/x", true, true),
            ("bar.md5", true, true),
        ] {
            assert_eq!(admit(true, false, key), by_file, "{key}");
            assert_eq!(admit(false, true, key), by_table, "{key}");
            assert_eq!(admit(true, true, key), by_file && by_table, "{key}");
        }
    }

    #[test]
    fn names_are_no_longer_than_the_store_takes() {
        let admit = |has_lock_file, key_bytes: usize, workspace: Option<usize>| {
            let layout = Layout { key: "k".repeat(key_bytes), has_lock_file, ..layout("env:") };
            let workspace = workspace
                .map_or_else(Workspace::default, |bytes| self::workspace(&"w".repeat(bytes)));
            layout.admit(&workspace).is_ok()
        };
        assert!(admit(true, 1017, None) && !admit(true, 1018, None));
        assert!(admit(false, 1024, None) && !admit(false, 1025, None));
        // `env:/<workspace>/<key>.tflock`
        assert!(
            admit(true, 10, Some(1024 - 7 - 10 - 6)) && !admit(true, 10, Some(1024 - 7 - 10 - 5))
        );
    }
}
