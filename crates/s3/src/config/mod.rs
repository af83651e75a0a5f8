//! The configuration of a store, from resolved values to checked ones. `keys.rs` lists the keys.

use std::sync::Arc;

use remote_state_core::Result;
use remote_state_core::config::{ConfigValue, ForeignEndpoint, Origin, ResolvedConfig};
use url::Url;

use crate::config::shared_files::Files;
use crate::credentials::role::Role;
use crate::credentials::sts::Accounts;
use crate::credentials::{CredentialConfig, Machine, OwnKeys};
use crate::dialect::DialectName;

mod access;
mod connection;
mod encryption;
mod endpoints;
mod held;
pub mod keys;
mod profile_text;
mod shared_files;
#[cfg(test)]
mod tests;

pub(crate) use connection::Connection;
pub use encryption::Encryption;
pub(crate) use encryption::Tags;
use endpoints::{dialect, endpoint};
pub use keys::PROVIDER;

/// The variables by which a container gives out credentials. The SDK reads them itself.
const CONTAINER: [&str; 4] = [
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
];

/// The checked configuration of a store.
#[derive(Clone, Debug)]
pub struct S3Config {
    /// The bucket.
    pub(crate) bucket: String,
    /// The object key of the default workspace's state.
    pub(crate) key: String,
    /// The region of the signature.
    pub(crate) region: String,
    /// The store's URL, if it is not Amazon's own for the region.
    pub(crate) endpoint: Option<Url>,
    /// The DynamoDB table of locks and digests, if there is one.
    pub(crate) dynamodb_table: Option<String>,
    /// DynamoDB's URL, if it is not Amazon's own for the region.
    pub(crate) dynamodb_endpoint: Option<Url>,
    /// The prefix of a workspace's name in its state key.
    pub(crate) workspace_key_prefix: String,
    /// Whether the lock file is used.
    pub(crate) use_lockfile: bool,
    /// Whether requests name the bucket in the path.
    pub(crate) use_path_style: bool,
    /// How the store encrypts what is written.
    pub(crate) encryption: Encryption,
    pub(crate) tags: Tags,
    /// The canned ACL for what is written.
    pub(crate) acl: Option<String>,
    /// The total number of attempts at a request, the first included.
    pub(crate) max_attempts: u32,
    /// Whether checksums are left out.
    pub(crate) skip_checksum: bool,
    /// The store's dialect; `None` to choose it by the endpoint.
    pub(crate) dialect: Option<DialectName>,
    /// Whether a file is sent while it is read; `None` if that is up to the dialect.
    pub(crate) unsigned_trailer: Option<bool>,
    pub(crate) connection: Connection,
    pub(crate) credentials: CredentialConfig,
    /// The settings of the sources of credentials.
    pub(crate) machine: Machine,
    /// The role to assume with the credentials.
    pub(crate) role: Option<Role>,
    /// The accounts that are allowed, or those that are forbidden.
    pub(crate) accounts: Option<Accounts>,
    /// The values that were checked, for where they were set.
    pub(crate) resolved: Arc<ResolvedConfig>,
    /// Which credentials are used, for messages.
    pub(crate) credentials_origin: String,
    pub(crate) foreign: Vec<ForeignEndpoint>,
    pub(crate) notes: Vec<String>,
}

impl S3Config {
    /// Returns the values that were checked, with where they were set.
    pub fn resolved(&self) -> &ResolvedConfig {
        &self.resolved
    }

    /// Checks a resolved configuration.
    ///
    /// # Errors
    /// `ConfigInvalid` with the key and where its value was set.
    pub fn from_resolved(config: &ResolvedConfig) -> Result<Self> {
        config.check_provider(&PROVIDER)?;
        config.check_printable()?;
        config.check_printable_variables(&["AWS_EXECUTION_ENV"])?;
        let mut notes = Vec::new();
        let files = Files::read(config)?;
        let config = &shared_files::completed(&access::of_one_source(config, &mut notes), &files);
        let key = config.get(keys::KEY);
        check_key(key).map_err(|reason| config.invalid(keys::KEY, reason))?;
        let workspace_key_prefix = config.get(keys::WORKSPACE_KEY_PREFIX);
        if workspace_key_prefix.starts_with('/') || workspace_key_prefix.ends_with('/') {
            let reason = "it must not start or end with a slash";
            return Err(config.invalid(keys::WORKSPACE_KEY_PREFIX, reason));
        }
        let bucket = config.get(keys::BUCKET);
        if bucket.trim().is_empty() || (bucket.contains('/') && !is_access_point(bucket)) {
            return Err(config.invalid(
                keys::BUCKET,
                "expected the name of a bucket, or the ARN of an access point",
            ));
        }
        notes.extend(old_names(config));
        notes.extend_from_slice(files.notes());
        notes.extend(held::note_of_way(config, &files));
        let credentials = access::credentials(config)?;
        held::check_tokens_way(config, &files, &credentials)?;
        let role = Role::from_resolved(config)?;
        match &credentials {
            CredentialConfig::Profile(_) => files.check_printable()?,
            CredentialConfig::Chain { .. } => {
                files.check_printable()?;
                config.check_printable_variables(&CONTAINER)?;
            }
            _ => {}
        }
        let mut machine = access::machine(config)?;
        machine.profiles = files.profiles(config.get(keys::PROFILE));
        machine.guard = held::guard(config, &files);
        Ok(Self {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            region: region(config)?,
            endpoint: endpoints::of_store(config, bucket)?,
            dynamodb_table: config.get(keys::DYNAMODB_TABLE).map(str::to_owned),
            dynamodb_endpoint: endpoint(config, keys::ENDPOINTS_DYNAMODB)?,
            workspace_key_prefix: workspace_key_prefix.to_owned(),
            use_lockfile: config.get(keys::USE_LOCKFILE),
            use_path_style: config.get(keys::USE_PATH_STYLE),
            encryption: encryption::encryption(config)?,
            tags: encryption::tags(config)?,
            acl: config.get(keys::ACL).map(str::to_owned),
            max_attempts: connection::max_attempts(config)?,
            skip_checksum: config.get(keys::SKIP_S3_CHECKSUM),
            dialect: dialect(config)?,
            unsigned_trailer: config.get(keys::UNSIGNED_TRAILER),
            connection: connection::connection(config, &mut notes)?,
            foreign: held::foreign(config, &files, &credentials, role.as_ref())?,
            credentials,
            machine,
            role,
            accounts: access::accounts(config)?,
            credentials_origin: access::credentials_origin(config)?,
            resolved: Arc::new(config.clone()),
            notes,
        })
    }

    /// Declares that the store has access keys of its own, from the configuration or from a profile
    /// of the shared files. Other sources on a machine (a token, a container, an instance) give
    /// Amazon's credentials and are not used.
    #[must_use]
    pub fn with_own_keys(mut self, own: OwnKeys) -> Self {
        self.machine.own_keys = Some(own);
        self
    }
}

/// Fills in what the shared AWS files say and neither the configuration nor the environment does,
/// and removes keys of the environment that are not used.
pub(crate) fn completed(config: &ResolvedConfig) -> Result<ResolvedConfig> {
    let files = Files::read(config)?;
    Ok(shared_files::completed(&access::of_one_source(config, &mut Vec::new()), &files))
}

/// Returns notes about spellings that are accepted but out of date.
fn old_names(config: &ResolvedConfig) -> Vec<String> {
    let mut notes = Vec::new();
    for (key, value) in config.iter() {
        if let Origin::Environment(name) = &value.origin
            && let Some((_, new)) = keys::OLD_VARIABLES.iter().find(|(old, _)| old == name)
        {
            notes.push(format!("`{name}` is an older name of `{new}`"));
        }
        // Terraform accepts the value as it is, and then cannot make a request from it.
        let is_endpoint =
            key.name.starts_with("endpoints.") && key.name != keys::ENDPOINTS_IAM.name();
        if is_endpoint
            && matches!(&value.value, ConfigValue::String(text) if !text.contains("://"))
            && value.origin.is_of_configuration()
        {
            notes.push(format!(
                "`{}` ({}) has no scheme: `https://` is meant here and in OpenTofu, Terraform \
                 needs it written",
                key.name, value.origin
            ));
        }
    }
    notes
}

/// Whether this is the ARN of an access point, whose parts slashes may separate:
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-points-naming.html>.
fn is_access_point(bucket: &str) -> bool {
    let mut parts = bucket.splitn(6, ':');
    let is_arn = parts.next() == Some("arn")
        && parts.next().is_some_and(|partition| partition.starts_with("aws"));
    let service = parts.next();
    let resource = parts.nth(2).unwrap_or_default();
    is_arn
        && matches!(service, Some("s3" | "s3-outposts"))
        && (resource.starts_with("accesspoint/") || resource.starts_with("outpost/"))
}

/// Returns the region. Without a configured endpoint the region becomes part of a host name, and
/// must not contain characters that end one.
fn region(config: &ResolvedConfig) -> Result<String> {
    let region = config.get(keys::REGION);
    let is_name =
        region.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    if is_name || config.is_set(keys::ENDPOINTS_S3) {
        Ok(region.to_owned())
    } else {
        Err(config.invalid(keys::REGION, "expected a name such as `eu-west-1`"))
    }
}

/// Fails, with the reason, if no state can be kept under this key.
fn check_key(key: &str) -> Result<(), &'static str> {
    if key.trim().is_empty() {
        Err("it is empty")
    } else if key.starts_with('/') || key.ends_with('/') {
        Err("it must not start or end with a slash")
    } else if key.contains("//") {
        Err("it must not contain `//`")
    } else {
        Ok(())
    }
}

/// Fails, with the reason, if no new state may be created under this key. An existing state under a
/// key with a part `..` can still be read.
pub(crate) fn check_new_key(key: &str) -> Result<(), &'static str> {
    check_key(key)?;
    if leads_back(key) { Err("it must not contain `..` as a part") } else { Ok(()) }
}

/// Whether a key has a part `..`, which cancels the workspace name before it. Native clients keep
/// the state of `default` under such a key unchanged, and those of other workspaces under the rest
/// of it, several of them under one key.
pub(crate) fn leads_back(key: &str) -> bool {
    key.split('/').any(|part| part == "..")
}
