//! Limits on what a file of a directory may make this library do.
//!
//! The author of a repository writes its configuration. Values from files of the directory, and
//! files inside it, therefore have fewer rights than values that a person types or exports: they
//! run no programs, and a token goes only to a service that takes tokens, over a connection that
//! others cannot read.

use std::fmt;
use std::path::{Component, Path, PathBuf};

use crate::config::resolved::ResolvedConfig;
use crate::config::spec::ConfigKeySpec;
use crate::config::value::Origin;

/// The variable by which a person allows the programs of a directory's profiles: any value but `0`
/// and `false`.
pub const PROGRAMS_VARIABLE: &str = "REMOTE_STATE_ALLOW_DIRECTORY_PROGRAMS";

/// The folders of a person's own files, which the limits exempt wherever they are.
const OWN_FOLDERS: [&str; 2] = [".aws", ".aliyun"];

impl ResolvedConfig {
    /// Allows programs of profiles whose files are inside the directory.
    #[must_use]
    pub fn with_directory_programs(mut self, are_allowed: bool) -> Self {
        self.directory_programs |= are_allowed;
        self
    }

    /// Returns whether such programs may run: by the setting or by [`PROGRAMS_VARIABLE`].
    pub fn allows_directory_programs(&self) -> bool {
        let variable = self.environment().get(PROGRAMS_VARIABLE);
        self.directory_programs
            || variable.is_some_and(|value| value != "0" && !value.eq_ignore_ascii_case("false"))
    }

    /// Returns whether a file of the directory sets the key, the record of `init` included. Files
    /// outside of it, such as one in `~/.aws`, do not count, nor do flags and variables.
    pub fn is_of_directory(&self, key: impl AsRef<ConfigKeySpec>) -> bool {
        match self.origin(key) {
            Origin::Initialised { .. } => true,
            Origin::File { path, .. } => self.has_file(&path),
            _ => false,
        }
    }

    /// Returns whether a file is inside the directory, or inside the Git repository that contains
    /// it. Links are followed: their targets count.
    pub fn lies_in_directory(&self, path: &Path) -> bool {
        let canonical = |path: &Path| path.canonicalize().ok();
        let (Some(path), Some(directory)) = (canonical(path), canonical(self.directory())) else {
            return false;
        };
        let is_repository = |folder: &&Path| folder.join(".git").exists();
        // The outermost repository: a submodule is a part of the repository around it.
        let root = directory.ancestors().filter(is_repository).last().unwrap_or(&directory);
        path.starts_with(root) && !self.is_of_person(&path)
    }

    /// Returns whether the directory has a file under this name, even if it is a link that leads
    /// out.
    fn has_file(&self, path: &Path) -> bool {
        let is_below =
            path.is_relative() && !path.components().any(|part| part == Component::ParentDir);
        let whole = self.directory().join(path);
        (is_below && !whole.canonicalize().is_ok_and(|path| self.is_of_person(&path)))
            || self.lies_in_directory(&whole)
    }

    fn is_of_person(&self, canonical: &Path) -> bool {
        let env = self.environment();
        let Some(home) = env.get("HOME").or_else(|| env.get("USERPROFILE")) else { return false };
        OWN_FOLDERS.iter().any(|folder| {
            let folder = PathBuf::from(home).join(folder).canonicalize();
            folder.is_ok_and(|folder| canonical.starts_with(folder))
        })
    }
}

/// Returns whether a text has the form of a token that an identity provider signs: three parts in
/// the alphabet of base64url, separated by dots (RFC 7519).
pub fn is_web_token(text: &str) -> bool {
    let is_part = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    text.split('.').count() == 3 && text.split('.').all(is_part)
}

/// A service, not the vendor's, to which a file of the directory sends requests.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ForeignEndpoint {
    /// The key that names the service.
    pub key: &'static str,
    /// Where the key was set.
    pub origin: Origin,
    /// The service.
    pub url: String,
    /// The vendor, who does not run this service.
    pub vendor: &'static str,
    /// Whether the credentials are the vendor's, or may be: the program should warn.
    pub is_sent_vendors_credentials: bool,
}

impl ForeignEndpoint {
    /// Returns the service that a key names, if a file of the directory set the key.
    pub fn of(
        config: &ResolvedConfig,
        key: impl AsRef<ConfigKeySpec>,
        url: impl Into<String>,
        vendor: &'static str,
        is_sent_vendors_credentials: bool,
    ) -> Self {
        Self {
            key: key.as_ref().name,
            origin: config.origin(key),
            url: url.into(),
            vendor,
            is_sent_vendors_credentials,
        }
    }
}

impl fmt::Display for ForeignEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, origin, url, vendor, .. } = self;
        let url = crate::config::value::without_userinfo(url);
        write!(
            f,
            "`{key}` in {origin} sends requests with your credentials to `{url}`, which is not \
             {vendor}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Environment, Layer, ProviderSpec, Setting, Sourced, resolve};

    crate::keys![
        const A: Key<Option<String>> = key("a", "A key.").env(&["A"]);
    ];

    static PROVIDER: ProviderSpec = ProviderSpec::new("x", "X", KEYS);

    fn config(directory: &Path, origin: Option<Origin>, env: &[(&str, &str)]) -> ResolvedConfig {
        let layer = origin.map(|origin| ("a".to_owned(), Sourced::new(Setting::from("v"), origin)));
        let layer: Layer = layer.into_iter().collect();
        let env: Environment = env.iter().copied().collect();
        resolve(&PROVIDER, &env, &[layer]).unwrap().in_directory(directory)
    }

    #[test]
    fn what_a_person_says_is_not_of_the_directory() {
        let folder = tempfile::tempdir().unwrap();
        let below = folder.path().join("here");
        let outside = folder.path().join("outside.hcl");
        std::fs::create_dir(&below).unwrap();
        for path in [below.join("main.tf"), below.join("prod.hcl"), outside.clone()] {
            std::fs::write(path, "").unwrap();
        }
        let recorded =
            Origin::Initialised { path: "/elsewhere/terraform.tfstate".into(), line: None };
        for (origin, is_of_directory) in [
            (Origin::file("main.tf", 1), true),
            (Origin::file("not-there.tf", 1), true),
            (Origin::file(below.join("prod.hcl"), 1), true),
            (Origin::file("../here/prod.hcl", 1), true),
            (recorded, true),
            (Origin::file("../outside.hcl", 1), false),
            (Origin::file(outside, 1), false),
            (Origin::file("/dev/fd/63", 1), false),
            (Origin::Flag("an option".to_owned()), false),
            (Origin::Program, false),
        ] {
            let config = config(&below, Some(origin.clone()), &[]);
            assert_eq!(config.is_of_directory(A), is_of_directory, "{origin:?}");
        }
        assert!(!config(&below, None, &[("A", "v")]).is_of_directory(A));
    }

    /// A link that leads out, a link that leads in, the rest of a repository, and a home folder
    /// that is the directory.
    #[cfg(unix)]
    #[test]
    fn a_file_lies_where_its_link_leads_and_a_persons_own_are_free() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for name in ["home/.aws", "repo/.git", "repo/env/prod", "plain/sub"] {
            std::fs::create_dir_all(root.join(name)).unwrap();
        }
        for name in ["home/.aws/config", "home/conf", "repo/conf", "plain/conf", "plain/sub/conf"] {
            std::fs::write(root.join(name), "").unwrap();
        }
        symlink(root.join("home/.aws/config"), root.join("repo/env/prod/out")).unwrap();
        symlink(root.join("repo/conf"), root.join("home/into")).unwrap();
        let home = root.join("home");
        let env = [("HOME", home.to_str().unwrap())];
        for (directory, file, is_inside) in [
            ("repo/env/prod", "repo/conf", true),
            ("repo/env/prod", "repo/env/prod/out", false),
            ("repo/env/prod", "home/into", true),
            ("repo/env/prod", "plain/conf", false),
            ("plain/sub", "plain/sub/conf", true),
            ("plain/sub", "plain/conf", false),
            ("home", "home/conf", true),
            ("home", "home/.aws/config", false),
        ] {
            let config = config(&root.join(directory), None, &env);
            assert_eq!(config.lies_in_directory(&root.join(file)), is_inside, "{directory} {file}");
        }
    }

    #[test]
    fn programs_are_allowed_by_the_setting_or_by_the_variable() {
        let allows = |value| config(Path::new("."), None, &[(PROGRAMS_VARIABLE, value)]);
        for (value, are_allowed) in
            [("1", true), ("yes", true), ("", false), ("0", false), ("False", false)]
        {
            assert_eq!(allows(value).allows_directory_programs(), are_allowed, "{value}");
        }
        assert!(allows("0").with_directory_programs(true).allows_directory_programs());
    }

    #[test]
    fn a_token_has_three_parts() {
        for text in ["eyJh.eyJp.c2ln", "a-_.B.9"] {
            assert!(is_web_token(text), "{text}");
        }
        let key = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl.b3Bl.b3Bl\n-----END OPENSSH PRIVATE \
                   KEY-----";
        for text in ["", "a", "a.b", "a.b.c.d", "a..c", ".b.c", "a.b.c=", "a.b c.d", "a.b\n.c", key]
        {
            assert!(!is_web_token(text), "{text}");
        }
    }
}
