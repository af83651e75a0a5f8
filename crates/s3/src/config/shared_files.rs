//! What the shared AWS files say: `~/.aws/config` and `~/.aws/credentials`, or the files that
//! replace them.
//!
//! They are read once, here (see `profile_text.rs`). The SDK, which implements the sources of
//! credentials, gets a text in its own form with the same contents: one profile after another, each
//! with only the source that native clients would use. A profile also has settings that apply where
//! neither the configuration nor the environment says anything: `ca_bundle`, `use_fips_endpoint`,
//! `use_dualstack_endpoint`, and `endpoint_url` for all services, or the name of a section
//! `[services NAME]` with one for each:
//! <https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html>. If one of these
//! were missed, a state that is elsewhere would be looked for at Amazon's.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use aws_runtime::env_config::file::EnvConfigFileKind;
use remote_state_core::config::{Key, Origin, ResolvedConfig, unprintable};
use remote_state_core::{Error, Result};
use secrecy::SecretString;

use crate::config::profile_text::{About, Parsed, Section, parse};
use crate::config::{access, keys};
use crate::credentials::logins::{Logins, Missing};
use crate::credentials::process::Process;
use crate::credentials::{Profiles, SharedFile};

/// The keys, and the names of their services in a section.
const SERVICES: [(Key<Option<String>>, &str); 3] = [
    (keys::ENDPOINTS_S3, "s3"),
    (keys::ENDPOINTS_DYNAMODB, "dynamodb"),
    (keys::ENDPOINTS_STS, "sts"),
];

const ENDPOINT: &str = "endpoint_url";

/// The name of the setting that disables those endpoints: in a profile as written, as a variable in
/// capitals.
const IGNORE: &str = "ignore_configured_endpoint_urls";

/// The variable that names one endpoint for all services.
const EVERY_ENDPOINT: &str = "AWS_ENDPOINT_URL";

pub(super) const KEY_ID: &str = "aws_access_key_id";
const SECRET: &str = "aws_secret_access_key";
const TOKEN: &str = "aws_session_token";

fn is_true(text: &str) -> bool {
    text.eq_ignore_ascii_case("true")
}

/// A property, and the file that has it.
#[derive(Clone)]
pub(super) struct Found {
    pub(super) value: String,
    members: BTreeMap<String, (String, usize)>,
    pub(super) path: PathBuf,
    pub(super) line: usize,
}

pub(super) type Merged = BTreeMap<String, Found>;

/// The shared files, merged.
#[derive(Default)]
pub(super) struct Files {
    sections: BTreeMap<(About, String), Merged>,
    /// Files that cannot be read. The error appears when credentials are looked for in them.
    unread: Vec<(EnvConfigFileKind, PathBuf)>,
    /// Whether the SDK reads the usual files, since no setting names others.
    usual: [bool; 2],
    notes: Vec<String>,
    selected: String,
    /// Where the profile was named, if it was, and whether it takes precedence over keys in the
    /// environment.
    named: Option<(Origin, bool)>,
    /// The files that were looked for, each with whether it belongs to the directory.
    read: BTreeMap<PathBuf, bool>,
}

impl Files {
    pub(super) fn read(config: &ResolvedConfig) -> Result<Self> {
        let machine = access::machine(config)?;
        let selected = config.get(keys::PROFILE).unwrap_or("default").to_owned();
        let named = config.origin_if_set(keys::PROFILE);
        let named = named.map(|origin| (origin.clone(), origin.is_of_configuration()));
        let mut files = Self { selected, named, ..Self::default() };
        let kinds = [
            (
                EnvConfigFileKind::Config,
                keys::SHARED_CONFIG_FILES,
                machine.config_files,
                "~/.aws/config",
            ),
            (
                EnvConfigFileKind::Credentials,
                keys::SHARED_CREDENTIALS_FILES,
                machine.credentials_files,
                "~/.aws/credentials",
            ),
        ];
        for (index, (kind, key, configured, usual)) in kinds.into_iter().enumerate() {
            let configured = match (&*configured, config.path(key, usual)) {
                ([_, ..], _) => configured,
                ([], Ok(path)) => vec![SharedFile { path, may_be_missing: true, is_held: false }],
                ([], Err(_)) => {
                    files.usual[index] = true;
                    Vec::new()
                }
            };
            for SharedFile { path, may_be_missing, is_held } in configured {
                let _before = files.read.insert(path.clone(), is_held);
                match std::fs::read(&path) {
                    Ok(bytes) => {
                        let is_config = matches!(kind, EnvConfigFileKind::Config);
                        files.add(&path, parse(&bytes, is_config));
                    }
                    Err(error)
                        if error.kind() == std::io::ErrorKind::NotFound && may_be_missing => {}
                    Err(_) => files.unread.push((kind, path)),
                }
            }
        }
        Ok(files)
    }

    /// Adds the sections of a file; later values replace earlier ones. Keys come in pairs, and
    /// their token with them.
    fn add(&mut self, path: &Path, parsed: Parsed) {
        for line in parsed.skipped {
            self.notes.push(format!(
                "{}:{line}: neither a section, nor a property, nor a comment: passed over",
                path.display()
            ));
        }
        for (about, mut section) in parsed.sections {
            // Native clients ignore settings without a value, and half a pair.
            section
                .retain(|_, property| !property.value.is_empty() || !property.members.is_empty());
            let merged = self.sections.entry(about).or_default();
            let is_pair =
                |section: &Section| section.contains_key(KEY_ID) && section.contains_key(SECRET);
            let names = [KEY_ID, SECRET, TOKEN];
            if is_pair(&section) {
                merged.retain(|name, _| !names.contains(&name.as_str()));
            } else {
                section.retain(|name, _| !names.contains(&name.as_str()));
            }
            for (name, property) in section {
                let (value, members, line) = (property.value, property.members, property.line);
                merged.insert(name, Found { value, members, path: path.to_owned(), line });
            }
        }
    }

    fn profile(&self) -> Option<&Merged> {
        self.sections.get(&(About::Profile, self.selected.clone()))
    }

    /// Returns whether this is one of the files.
    pub(super) fn has_read(&self, path: &Path) -> bool {
        self.read.contains_key(path)
    }

    /// Returns whether this is one of the files and belongs to the directory.
    pub(super) fn is_held(&self, path: &Path) -> bool {
        self.read.get(path).copied().unwrap_or_default()
    }

    pub(super) fn section(&self, about: About, name: &str) -> Option<&Merged> {
        self.sections.get(&(about, name.to_owned()))
    }

    /// Returns a profile with its one source of credentials.
    pub(super) fn source_of(&self, profile: &str) -> Option<Merged> {
        let section = self.section(About::Profile, profile)?;
        Some(self.with_one_source(profile, section.clone()))
    }

    /// Returns notes for the user about the files.
    pub(super) fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Returns the profiles as the SDK gets them.
    pub(super) fn profiles(&self, name: Option<&str>) -> Profiles {
        let mut text = String::new();
        let mut processes = Vec::new();
        for ((about, name), section) in &self.sections {
            let word = match about {
                About::Profile => "profile",
                About::SsoSession => "sso-session",
                // This module resolves endpoints itself.
                About::Services => continue,
            };
            let section = match about {
                About::Profile => {
                    let mut profile = self.with_one_source(name, section.clone());
                    processes.extend(as_named_source(name, &mut profile, processes.len()));
                    Cow::Owned(profile)
                }
                _ => Cow::Borrowed(section),
            };
            // Writing to a string never fails.
            let _ = writeln!(text, "[{word} {}]", identifier(name));
            for (name, found) in &*section {
                // A session's token goes to the endpoint of its profile, and only the user may
                // choose that endpoint.
                if name == "endpoint_url" && self.is_held(&found.path) {
                    continue;
                }
                let is_name = matches!(name.as_str(), "source_profile" | "sso_session");
                let value = if is_name {
                    identifier(&found.value)
                } else {
                    found.value.replace('\n', "\n ")
                };
                if !value.is_empty() {
                    let _ = writeln!(text, "{name} = {value}");
                }
            }
        }
        Profiles {
            text: SecretString::from(text),
            unread: self.unread.clone(),
            usual: self.usual,
            selected: name.map(identifier),
            processes,
            logins: self.logins(),
        }
    }

    /// Returns the selected profile and those that lead from it to its source, each with the source
    /// that it uses.
    fn path_to_source(&self) -> Vec<(String, Merged)> {
        let mut path: Vec<(String, Merged)> = Vec::new();
        let mut next = Some(self.selected.clone());
        while let Some(name) = next.take().filter(|name| path.iter().all(|(seen, _)| seen != name))
        {
            let Some(profile) = self.sections.get(&(About::Profile, name.clone())) else { break };
            let profile = self.with_one_source(&name, profile.clone());
            next = profile.get("source_profile").map(|found| found.value.clone());
            path.push((name, profile));
        }
        path
    }

    /// Checks that the keys of the selected profile hold nothing that ends a header.
    pub(super) fn check_printable(&self) -> Result<()> {
        for (name, profile) in self.path_to_source() {
            for key in [KEY_ID, SECRET, TOKEN] {
                let Some(found) = profile.get(key) else { continue };
                if let Some(reason) = unprintable(&found.value) {
                    return Err(Error::config(format!(
                        "invalid `{key}` of profile `{name}`: {reason}"
                    ))
                    .with_context("set in", Origin::file(&found.path, found.line))
                    .with_hint("an indented line below a value continues it"));
                }
            }
        }
        Ok(())
    }

    /// Returns the named profile if none of the files has it. As with native clients, `default` may
    /// be missing; and a file that was not read may have any profile.
    fn missing(&self) -> Option<Missing> {
        let (origin, _) = self.named.as_ref()?;
        let is_known = self.usual == [false; 2] && self.unread.is_empty();
        if self.profile().is_some() || self.selected == "default" || !is_known {
            return None;
        }
        let files: Vec<_> = self.read.keys().map(|path| format!("`{}`", path.display())).collect();
        Some(Missing {
            name: self.selected.clone(),
            origin: origin.to_string(),
            files: files.join(" or "),
        })
    }

    /// Returns the logins that the selected profile, or its sources, need.
    fn logins(&self) -> Logins {
        let mut logins = Logins { missing: self.missing(), ..Logins::default() };
        if let Some((origin, true)) = &self.named {
            logins.configured = Some(origin.to_string());
        }
        for (name, profile) in self.path_to_source() {
            let has = |member: &str| profile.contains_key(member);
            if let Some(found) = profile.get("mfa_serial").filter(|_| has("role_arn")) {
                let origin = Origin::file(&found.path, found.line);
                let _ = logins.mfa.get_or_insert_with(|| (name.clone(), origin.to_string()));
            }
            if has("sso_session") || has("sso_start_url") {
                logins.sso = Some(name.clone());
            }
            if has("login_session") {
                logins.login = Some(name.clone());
            }
        }
        logins
    }

    /// Keeps only the source of credentials that native clients would use.
    fn with_one_source(&self, name: &str, mut profile: Merged) -> Merged {
        // The session has these settings, and a profile may repeat them.
        let session =
            profile.get("sso_session").map(|found| (About::SsoSession, found.value.clone()));
        if let Some(session) = session.and_then(|session| self.sections.get(&session)) {
            for member in ["sso_start_url", "sso_region"] {
                let of = |section: &Merged| section.get(member).map(|found| found.value.clone());
                if of(session) == of(&profile) {
                    profile.remove(member);
                }
            }
        }
        let has = |member: &str| profile.contains_key(member);
        let sources: [(&[&str], bool); 6] = [
            (&["source_profile"], has("source_profile")),
            (&[KEY_ID, SECRET, TOKEN], has(KEY_ID)),
            (&["credential_source"], has("credential_source")),
            (&["web_identity_token_file"], has("web_identity_token_file")),
            (
                &["sso_session", "sso_start_url", "sso_region", "sso_account_id", "sso_role_name"],
                has("sso_session") || has("sso_start_url"),
            ),
            (&[PROCESS], has(PROCESS)),
        ];
        let Some(used) = sources.iter().position(|(_, is_there)| *is_there) else { return profile };
        let is_own = profile.get("source_profile").is_some_and(|found| found.value == name);
        for (index, (members, _)) in sources.iter().enumerate() {
            // A profile that names itself means its own source.
            if index != used && !is_own {
                profile.retain(|name, _| !members.contains(&name.as_str()));
            }
        }
        // A role beside a source in the same profile is assumed with that source. The SDK needs
        // this to be explicit.
        let is_role_of_own = !matches!(used, 0 | 2 | 3) && profile.contains_key("role_arn");
        if let Some(role) = profile.get("role_arn").filter(|_| is_role_of_own).cloned() {
            profile.insert("source_profile".to_owned(), Found { value: name.to_owned(), ..role });
        }
        profile
    }
}

const PROCESS: &str = "credential_process";

/// Makes the SDK call back for the output of a program, if a program is the source of a profile:
/// under a name that the profile gives as its source.
fn as_named_source(name: &str, profile: &mut Merged, index: usize) -> Option<(String, Process)> {
    let found = profile.remove(PROCESS)?;
    let others =
        [KEY_ID, "credential_source", "web_identity_token_file", "sso_session", "sso_start_url"];
    if others.iter().any(|other| profile.contains_key(*other)) {
        return None;
    }
    // That source would be this profile.
    if profile.get("source_profile").is_some_and(|source| source.value == name) {
        profile.remove("source_profile");
    }
    let account = profile.get("aws_account_id").map(|found| found.value.clone());
    let origin = Origin::file(&found.path, found.line).to_string();
    let process = Process::new(&found.value, name, origin, account);
    let source = format!("remote-state-process-{index}");
    profile.insert("credential_source".to_owned(), Found { value: source.clone(), ..found });
    Some((source, process))
}

/// Makes a name that the SDK accepts: ASCII letters, digits and a few signs. Other characters are
/// percent-encoded.
fn identifier(name: &str) -> String {
    name.bytes().fold(String::new(), |mut text, byte| {
        if byte.is_ascii_alphanumeric() || b"_-/.@:+".contains(&byte) {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
        text
    })
}

/// Fills in what neither the configuration nor the environment says, and removes the variables that
/// do not count.
pub(super) fn completed(config: &ResolvedConfig, files: &Files) -> ResolvedConfig {
    let mut config = config.clone();
    let nothing = Merged::new();
    let profile = files.profile().unwrap_or(&nothing);
    let ignored =
        config.environment().get(&format!("AWS_{}", IGNORE.to_uppercase())).is_some_and(is_true)
            || profile.get(IGNORE).is_some_and(|found| is_true(&found.value));
    for (key, service) in SERVICES {
        if ignored {
            // This variable is one of the endpoints to ignore; those of single services are the
            // backend's own.
            if matches!(config.origin(key), Origin::Environment(name) if name == EVERY_ENDPOINT) {
                config = config.without(key);
            }
            continue;
        }
        if !config.is_set(key)
            && let Some((url, origin)) = files.endpoint(profile, service)
        {
            config = config.with(key, url, origin);
        }
    }
    let property = |name| {
        profile.get(name).map(|found: &Found| (found, Origin::file(&found.path, found.line)))
    };
    if let (None, Some((found, origin))) =
        (config.get(keys::CUSTOM_CA_BUNDLE), property("ca_bundle"))
    {
        config = config.with(keys::CUSTOM_CA_BUNDLE, found.value.clone(), origin);
    }
    // These choose among Amazon's hosts.
    let has_own_host = SERVICES.iter().any(|(key, _)| config.is_set(key));
    for key in [keys::USE_FIPS_ENDPOINT, keys::USE_DUALSTACK_ENDPOINT] {
        if let (Origin::Default, Some((found, origin))) = (config.origin(key), property(key.name()))
            && !has_own_host
            && is_true(&found.value)
        {
            config = config.with(key, true, origin);
        }
    }
    config
}

impl Files {
    pub(super) fn endpoint(&self, profile: &Merged, service: &str) -> Option<(String, Origin)> {
        let of_service = || {
            let name = profile.get("services")?.value.clone();
            let found = self.sections.get(&(About::Services, name))?.get(service)?;
            let (url, line) = found.members.get(ENDPOINT)?;
            Some((url.clone(), Origin::file(&found.path, *line)))
        };
        let of_all = || {
            let found = profile.get(ENDPOINT)?;
            Some((found.value.clone(), Origin::file(&found.path, found.line)))
        };
        of_service().or_else(of_all).filter(|(url, _)| !url.is_empty())
    }
}
