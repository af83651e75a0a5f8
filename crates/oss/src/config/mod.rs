//! The configuration of a store, from resolved values to checked ones. `keys.rs` lists the keys.

use std::sync::Arc;

use remote_state_core::Result;
use remote_state_core::config::{ForeignEndpoint, Key, Number, Origin, ResolvedConfig};
use url::Url;

use crate::credentials::Wanted;
use crate::endpoint::{AddressStyle, Endpoint};
use crate::layout::{Layout, check_name, trim_folder};
use crate::proxy::Proxies;
use crate::sign::SignatureVersion;

mod foreign;
mod identity;
pub mod keys;
#[cfg(test)]
mod tests;

pub use keys::PROVIDER;

/// The default folder and name of a state, as in the releases of native clients.
const DEFAULT_PREFIX: &str = "env:";
const DEFAULT_NAME: &str = "terraform.tfstate";

/// The configuration of a store, its values checked.
#[derive(Clone, Debug)]
pub struct OssConfig {
    /// The bucket.
    pub(crate) bucket: String,
    /// Whether the lock object is used.
    pub(crate) uses_lock_object: bool,
    /// Whether the store locks in the Tablestore table, if there is one.
    pub(crate) locks_in_table: bool,
    /// The Tablestore table of locks and digests, if there is one.
    pub(crate) tablestore: Option<Tablestore>,
    /// The plain name of the region, if it is known.
    pub(crate) region: Option<String>,
    /// The version of the signature.
    pub(crate) signature_version: SignatureVersion,
    /// How the store encrypts the objects that it writes.
    pub(crate) encryption: Option<Encryption>,
    /// The ACL of the objects that the store writes.
    pub(crate) acl: Option<String>,
    /// How often a failed request is repeated.
    pub(crate) max_retries: usize,
    pub(crate) layout: Layout,
    pub(crate) endpoint: EndpointChoice,
    pub(crate) proxies: Proxies,
    pub(crate) credentials: Wanted,
    /// The values that were checked, for where they were set.
    pub(crate) resolved: Arc<ResolvedConfig>,
    pub(crate) foreign: Vec<ForeignEndpoint>,
    pub(crate) notes: Vec<String>,
}

/// Where the endpoint comes from.
#[derive(Clone, Debug)]
pub(crate) enum EndpointChoice {
    /// The configuration names the endpoint.
    Known(Endpoint),
    /// A location service reports the endpoint of the region.
    Asked { service: Url, region: String, style: Option<AddressStyle> },
}

/// A table in Tablestore.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub(crate) struct Tablestore {
    /// The table.
    pub table: String,
    /// The instance of the table.
    pub instance: String,
    /// The instance's URL.
    pub endpoint: Url,
}

/// How the store encrypts the objects that it writes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub(crate) struct Encryption {
    /// `AES256`, `KMS` or `SM4`.
    pub algorithm: &'static str,
    /// The KMS key; `None` for the bucket's own.
    pub kms_key_id: Option<String>,
}

impl OssConfig {
    /// Checks a resolved configuration.
    ///
    /// # Errors
    /// `ConfigInvalid` with the key and where its value was set; `CredentialInvalid` for a profile
    /// that cannot be read.
    pub fn from_resolved(config: &ResolvedConfig) -> Result<Self> {
        config.check_provider(&PROVIDER)?;
        identity::without_foreign_token(config).check_printable()?;
        let bucket = config.get(keys::BUCKET);
        check_bucket(bucket).map_err(|reason| config.invalid(keys::BUCKET, reason))?;
        let layout = layout(config)?;
        let style = style(config)?;
        let given = nonempty(config, keys::ENDPOINT)
            .map(|text| Endpoint::parse(text, style))
            .transpose()
            .map_err(|reason| config.invalid(keys::ENDPOINT, reason))?;
        if let Some(service) = given.as_ref().and_then(|endpoint| endpoint.without_bucket(bucket)) {
            let reason = "it names more than a region; the bucket has a key of its own, `bucket`";
            let error = config.invalid(keys::ENDPOINT, reason);
            return Err(error.with_hint(format!("write `{service}`")));
        }
        let profile = identity::profile(config)?;
        let named = nonempty(config, keys::REGION)
            .or_else(|| profile.as_ref().map(|profile| profile.region_id.as_str()))
            .filter(|region| !region.is_empty())
            .or_else(|| given.as_ref().and_then(Endpoint::region));
        // Tools disagree on the name of a region; in a signature it has no prefix.
        let region = named.map(|region| region.strip_prefix("oss-").unwrap_or(region).to_owned());
        let signature_version = match config.get(keys::SIGNATURE_VERSION) {
            "v4" => SignatureVersion::V4,
            "v1" => SignatureVersion::V1,
            _ => return Err(config.invalid(keys::SIGNATURE_VERSION, "expected `v4` or `v1`")),
        };
        if let Some(region) = &region {
            let is_name = region.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
            if !is_name {
                return Err(config.invalid(keys::REGION, "expected a name such as `cn-beijing`"));
            }
        } else if signature_version == SignatureVersion::V4 || given.is_none() {
            return Err(config.missing(keys::REGION).with_hint(if given.is_none() {
                "or set `endpoint`"
            } else {
                "the signature V4 needs it, and the endpoint does not name it; a private cloud \
                 that knows no region may want `signature_version = \"v1\"`"
            }));
        }
        let credentials = identity::wanted(config, profile, region.as_deref())?;
        let tablestore = tablestore(config)?;
        let tablestore_is_used = tablestore.is_some();
        let (uses_lock_object, locks_in_table) = locks(config, tablestore.is_some());
        Ok(Self {
            bucket: bucket.to_owned(),
            uses_lock_object,
            locks_in_table,
            tablestore,
            signature_version,
            encryption: encryption(config)?,
            acl: acl(config)?,
            max_retries: max_retries(config)?,
            layout,
            endpoint: match given {
                Some(endpoint) => EndpointChoice::Known(endpoint),
                None => endpoint_of_region(config, region.as_deref().unwrap_or_default(), style)?,
            },
            region,
            proxies: Proxies::from_resolved(config)?,
            foreign: foreign::foreign(config, &credentials)?,
            credentials,
            notes: notes(config, tablestore_is_used),
            resolved: Arc::new(config.clone()),
        })
    }
}

/// Returns a value that is set and not empty.
fn nonempty(config: &ResolvedConfig, key: Key<Option<String>>) -> Option<&str> {
    config.get(key).filter(|text| !text.is_empty())
}

/// <https://www.alibabacloud.com/help/en/oss/user-guide/bucket-naming-conventions>
fn check_bucket(name: &str) -> Result<(), &'static str> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if (3..=63).contains(&name.len())
        && name.bytes().all(allowed)
        && !name.starts_with('-')
        && !name.ends_with('-')
    {
        Ok(())
    } else {
        Err("expected 3 to 63 lower-case letters, digits and hyphens, with no hyphen at either end")
    }
}

/// Chooses one of the two layouts by the keys that are set.
fn layout(config: &ResolvedConfig) -> Result<Layout> {
    let original = [keys::PATH, keys::NAME].into_iter().find(|key| config.is_set(key));
    let released = [keys::PREFIX, keys::KEY].into_iter().find(|key| config.is_set(key));
    if let (Some(one), Some(other)) = (original, released) {
        return Err(config.both(one, other).with_hint(
            "`path` and `name` are one layout, `prefix` and `key` another: keep one of the two",
        ));
    }
    let (folder_key, name_key) =
        if original.is_some() { (keys::PATH, keys::NAME) } else { (keys::PREFIX, keys::KEY) };
    let folder = match config.get(folder_key) {
        Some(folder) => folder,
        None if original.is_some() => return Err(config.missing(keys::PATH)),
        None => DEFAULT_PREFIX,
    };
    if original.is_none() && (folder.starts_with('/') || folder.starts_with("./")) {
        return Err(config.invalid(keys::PREFIX, "it must not start with `/` or `./`"));
    }
    let name = config.get(name_key).unwrap_or(DEFAULT_NAME);
    check_name(name).map_err(|reason| config.invalid(name_key, reason))?;
    Layout::new(trim_folder(folder), name).map_err(|reason| config.invalid(name_key, reason))
}

fn style(config: &ResolvedConfig) -> Result<Option<AddressStyle>> {
    match config.get(keys::ADDRESS_STYLE) {
        "auto" => Ok(None),
        "cname" => Ok(Some(AddressStyle::Cname)),
        "path" => Ok(Some(AddressStyle::Path)),
        "virtual" => Ok(Some(AddressStyle::Virtual)),
        _ => {
            let reason = "expected `auto`, `virtual`, `path` or `cname`";
            Err(config.invalid(keys::ADDRESS_STYLE, reason))
        }
    }
}

fn endpoint_of_region(
    config: &ResolvedConfig,
    region: &str,
    style: Option<AddressStyle>,
) -> Result<EndpointChoice> {
    if style == Some(AddressStyle::Cname) {
        return Err(config
            .missing(keys::ENDPOINT)
            .with_hint("`address_style = \"cname\"` needs the domain"));
    }
    match url(config, keys::LOCATION_ENDPOINT, "location-readonly.aliyuncs.com")? {
        Some(service) => Ok(EndpointChoice::Asked { service, region: region.to_owned(), style }),
        None => {
            let endpoint = Endpoint::of_region(region, style);
            endpoint
                .map(EndpointChoice::Known)
                .map_err(|reason| config.invalid(keys::REGION, reason))
        }
    }
}

/// Reads a URL; HTTPS is the default scheme.
fn url(config: &ResolvedConfig, key: Key<Option<String>>, example: &str) -> Result<Option<Url>> {
    nonempty(config, key).map(|text| parse_url(config, key, text, example)).transpose()
}

fn parse_url<T>(config: &ResolvedConfig, key: Key<T>, text: &str, example: &str) -> Result<Url> {
    let with_scheme =
        if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
    match Url::parse(&with_scheme) {
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            Err(config.invalid(key, "it must not hold a user name or a password"))
        }
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(url),
        _ => Err(config.invalid(key, &format!("expected a URL such as `{example}`"))),
    }
}

fn tablestore(config: &ResolvedConfig) -> Result<Option<Tablestore>> {
    const EXAMPLE: &str = "https://tf-lock.cn-beijing.ots.aliyuncs.com";
    let Some(table) = nonempty(config, keys::TABLESTORE_TABLE) else {
        // As in native clients, an endpoint alone does not name a table.
        return Ok(None);
    };
    let Some(endpoint) = url(config, keys::TABLESTORE_ENDPOINT, EXAMPLE)? else {
        return Err(config
            .missing(keys::TABLESTORE_ENDPOINT)
            .with_context(
                "needed by",
                format!("`tablestore_table`, set in {}", config.origin(keys::TABLESTORE_TABLE)),
            )
            .with_hint(format!("it looks like `{EXAMPLE}`")));
    };
    let first_label = endpoint.host_str().unwrap_or_default().split('.').next().unwrap_or_default();
    let instance =
        nonempty(config, keys::TABLESTORE_INSTANCE_NAME).unwrap_or(first_label).to_owned();
    Ok(Some(Tablestore { table: table.to_owned(), instance, endpoint }))
}

/// Returns which locks the store takes: the object, and the row of the table.
///
/// Native clients lock in the table, so with a table the store uses the object only if the
/// configuration says so.
fn locks(config: &ResolvedConfig, has_table: bool) -> (bool, bool) {
    let is_on = config.get(keys::LOCK);
    let is_asked_for = config.origin(keys::LOCK) != Origin::Default;
    (is_on && (is_asked_for || !has_table), is_on && has_table)
}

/// With the layout of the releases, native clients may use the same state; without a table they
/// take no lock.
fn notes(config: &ResolvedConfig, has_table: bool) -> Vec<String> {
    let is_released = !config.is_set(keys::PATH);
    let is_decided = config.origin(keys::LOCK) != Origin::Default;
    if !is_released || has_table || is_decided {
        return Vec::new();
    }
    vec![
        "OSS itself holds the lock, which native clients neither take nor see: if one writes this \
         state too, use `tablestore_table`, and if none does, say so with `lock = true`"
            .to_owned(),
    ]
}

fn encryption(config: &ResolvedConfig) -> Result<Option<Encryption>> {
    let (algorithm_key, kms_key) = (keys::SSE_ALGORITHM, keys::KMS_KEY_ID);
    let algorithm = match nonempty(config, algorithm_key) {
        None if nonempty(config, kms_key).is_some() => "KMS",
        None | Some("AES256") => "AES256",
        Some("KMS") => "KMS",
        Some("SM4") => "SM4",
        Some(_) => return Err(config.invalid(algorithm_key, "expected `AES256`, `KMS` or `SM4`")),
    };
    if !config.get(keys::ENCRYPT) {
        let is_set = |key: &Key<_>| nonempty(config, *key).is_some();
        return match [algorithm_key, kms_key].into_iter().find(is_set) {
            Some(ignored) => Err(config
                .invalid(ignored, "it has no effect while `encrypt` is not true")
                .with_hint(format!("set `encrypt = true`, or remove `{}`", ignored.name()))),
            None => Ok(None),
        };
    }
    let kms_key_id = nonempty(config, kms_key).map(str::to_owned);
    if kms_key_id.is_some() && algorithm != "KMS" {
        return Err(config
            .both(kms_key, algorithm_key)
            .with_hint("a KMS key needs `sse_algorithm = \"KMS\"`"));
    }
    Ok(Some(Encryption { algorithm, kms_key_id }))
}

fn acl(config: &ResolvedConfig) -> Result<Option<String>> {
    match nonempty(config, keys::ACL) {
        None => Ok(None),
        Some(acl @ ("private" | "public-read" | "public-read-write")) => Ok(Some(acl.to_owned())),
        Some(_) => {
            Err(config
                .invalid(keys::ACL, "expected `private`, `public-read` or `public-read-write`"))
        }
    }
}

fn max_retries(config: &ResolvedConfig) -> Result<usize> {
    let key = keys::MAX_RETRIES;
    let parsed = config.get(key).parse();
    parsed.map_err(|_| config.invalid(key, "expected a whole number that is not negative"))
}

/// Reads a number of seconds; absent and zero mean none.
fn seconds(config: &ResolvedConfig, key: Key<Option<Number>>) -> Result<Option<u32>> {
    match config.get(key).map(str::parse) {
        None | Some(Ok(0)) => Ok(None),
        Some(Ok(seconds)) => Ok(Some(seconds)),
        Some(Err(_)) => Err(config.invalid(key, "expected a whole number of seconds")),
    }
}
