//! The configuration of a store, from resolved values to checked ones. `keys.rs` lists the keys.

use remote_state_core::config::{ConfigValue, ForeignEndpoint, Origin, ResolvedConfig};
use remote_state_core::{Error, Result};
use url::Url;

use crate::credentials::Wanted;
use crate::endpoint::{AddressStyle, Endpoint};
use crate::layout::{Layout, check_name, trim_folder};
use crate::proxy::Proxies;
use crate::sign::SignatureVersion;

mod foreign;
mod identity;
mod keys;
#[cfg(test)]
mod tests;

pub use keys::PROVIDER;

/// The default folder and name of a state, as in the releases of native clients.
const DEFAULT_PREFIX: &str = "env:";
const DEFAULT_NAME: &str = "terraform.tfstate";

/// The keys whose values may span lines: documents, and values that are escaped in a URL.
const SEVERAL_LINES: [&str; 6] =
    ["path", "name", "prefix", "key", "assume_role_policy", "assume_role.policy"];

/// The configuration of a store, its values checked.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OssConfig {
    /// The bucket.
    pub bucket: String,
    /// Whether the lock object is used.
    pub uses_lock_object: bool,
    /// Whether the store locks in the Tablestore table, if there is one.
    pub locks_in_table: bool,
    /// The Tablestore table of locks and digests, if there is one.
    pub tablestore: Option<Tablestore>,
    /// The plain name of the region, if it is known.
    pub region: Option<String>,
    /// The version of the signature.
    pub signature_version: SignatureVersion,
    /// How the store encrypts the objects that it writes.
    pub encryption: Option<Encryption>,
    /// The ACL of the objects that the store writes.
    pub acl: Option<String>,
    /// How often a failed request is repeated.
    pub max_retries: usize,
    pub(crate) layout: Layout,
    pub(crate) endpoint: EndpointChoice,
    pub(crate) proxies: Proxies,
    pub(crate) credentials: Wanted,
    pub(crate) origins: Origins,
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
pub struct Tablestore {
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
pub struct Encryption {
    /// `AES256`, `KMS` or `SM4`.
    pub algorithm: &'static str,
    /// The KMS key; `None` for the bucket's own.
    pub kms_key_id: Option<String>,
}

/// Where the endpoint and the credentials were set, for messages.
#[derive(Clone, Debug)]
pub(crate) struct Origins {
    pub(crate) bucket: String,
    pub(crate) endpoint: String,
    pub(crate) table: String,
}

impl OssConfig {
    /// Checks a resolved configuration.
    ///
    /// # Errors
    /// `ConfigInvalid` with the key and where its value was set; `CredentialInvalid` for a profile
    /// that cannot be read.
    pub fn from_resolved(config: &ResolvedConfig) -> Result<Self> {
        identity::without_foreign_token(config).check_printable(&SEVERAL_LINES)?;
        let bucket = config.required("bucket")?;
        check_bucket(bucket).map_err(|reason| config.invalid("bucket", reason))?;
        let layout = layout(config)?;
        let style = style(config)?;
        let given = nonempty(config, "endpoint")
            .map(|text| {
                Endpoint::parse(text, style).map_err(|reason| config.invalid("endpoint", reason))
            })
            .transpose()?;
        if let Some(service) = given.as_ref().and_then(|endpoint| endpoint.without_bucket(bucket)) {
            let reason = "it names more than a region; the bucket has a key of its own, `bucket`";
            return Err(config.invalid("endpoint", reason).with_hint(format!("write `{service}`")));
        }
        let profile = identity::profile(config)?;
        let named = nonempty(config, "region")
            .or_else(|| profile.as_ref().map(|profile| profile.region_id.as_str()))
            .filter(|region| !region.is_empty())
            .or_else(|| given.as_ref().and_then(Endpoint::region));
        // Tools disagree on the name of a region; in a signature it has no prefix.
        let region = named.map(|region| region.strip_prefix("oss-").unwrap_or(region).to_owned());
        let signature_version = match config.string("signature_version") {
            None | Some("v4") => SignatureVersion::V4,
            Some("v1") => SignatureVersion::V1,
            Some(_) => return Err(config.invalid("signature_version", "expected `v4` or `v1`")),
        };
        if let Some(region) = &region {
            let is_name = region.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
            if !is_name {
                return Err(config.invalid("region", "expected a name such as `cn-beijing`"));
            }
        } else if signature_version == SignatureVersion::V4 || given.is_none() {
            return Err(config.missing("region").with_hint(if given.is_none() {
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
            origins: Origins {
                bucket: config.origin("bucket").to_string(),
                table: config.origin("tablestore_table").to_string(),
                endpoint: match nonempty(config, "endpoint") {
                    Some(_) => format!("{} (`endpoint`)", config.origin("endpoint")),
                    None => format!("{} (`region`)", config.origin("region")),
                },
            },
        })
    }
}

/// Returns a value that is set and not empty.
fn nonempty<'a>(config: &'a ResolvedConfig, name: &str) -> Option<&'a str> {
    config.string(name).filter(|text| !text.is_empty())
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
    let original = ["path", "name"].into_iter().find(|key| config.get(key).is_some());
    let released = ["prefix", "key"].into_iter().find(|key| config.get(key).is_some());
    if let (Some(one), Some(other)) = (original, released) {
        return Err(both(config, one, other).with_hint(
            "`path` and `name` are one layout, `prefix` and `key` another: keep one of the two",
        ));
    }
    let (folder_key, name_key) =
        if original.is_some() { ("path", "name") } else { ("prefix", "key") };
    let folder = match config.string(folder_key) {
        Some(folder) => folder,
        None if original.is_some() => return Err(config.missing("path")),
        None => DEFAULT_PREFIX,
    };
    if folder_key == "prefix" && (folder.starts_with('/') || folder.starts_with("./")) {
        return Err(config.invalid("prefix", "it must not start with `/` or `./`"));
    }
    let name = config.string(name_key).unwrap_or(DEFAULT_NAME);
    check_name(name).map_err(|reason| config.invalid(name_key, reason))?;
    Layout::new(trim_folder(folder), name).map_err(|reason| config.invalid(name_key, reason))
}

fn style(config: &ResolvedConfig) -> Result<Option<AddressStyle>> {
    match config.string("address_style") {
        None | Some("auto") => Ok(None),
        Some("cname") => Ok(Some(AddressStyle::Cname)),
        Some("path") => Ok(Some(AddressStyle::Path)),
        Some("virtual") => Ok(Some(AddressStyle::Virtual)),
        Some(_) => {
            Err(config.invalid("address_style", "expected `auto`, `virtual`, `path` or `cname`"))
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
            .missing("endpoint")
            .with_hint("`address_style = \"cname\"` needs the domain"));
    }
    match url(config, "location_endpoint", "location-readonly.aliyuncs.com")? {
        Some(service) => Ok(EndpointChoice::Asked { service, region: region.to_owned(), style }),
        None => {
            let endpoint = Endpoint::of_region(region, style);
            endpoint.map(EndpointChoice::Known).map_err(|reason| config.invalid("region", reason))
        }
    }
}

/// Reads a URL; HTTPS is the default scheme.
fn url(config: &ResolvedConfig, key: &str, example: &str) -> Result<Option<Url>> {
    let Some(text) = nonempty(config, key) else { return Ok(None) };
    let with_scheme =
        if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
    match Url::parse(&with_scheme) {
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            Err(config.invalid(key, "it must not hold a user name or a password"))
        }
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(Some(url)),
        _ => Err(config.invalid(key, &format!("expected a URL such as `{example}`"))),
    }
}

fn tablestore(config: &ResolvedConfig) -> Result<Option<Tablestore>> {
    const EXAMPLE: &str = "https://tf-lock.cn-beijing.ots.aliyuncs.com";
    let Some(table) = nonempty(config, "tablestore_table") else {
        // As in native clients, an endpoint alone does not name a table.
        return Ok(None);
    };
    let Some(endpoint) = url(config, "tablestore_endpoint", EXAMPLE)? else {
        return Err(config
            .missing("tablestore_endpoint")
            .with_context(
                "needed by",
                format!("`tablestore_table`, set in {}", config.origin("tablestore_table")),
            )
            .with_hint(format!("it looks like `{EXAMPLE}`")));
    };
    let first_label = endpoint.host_str().unwrap_or_default().split('.').next().unwrap_or_default();
    let instance = nonempty(config, "tablestore_instance_name").unwrap_or(first_label).to_owned();
    Ok(Some(Tablestore { table: table.to_owned(), instance, endpoint }))
}

/// Returns which locks the store takes: the object, and the row of the table.
///
/// Native clients lock in the table, so with a table the store uses the object only if the
/// configuration says so.
fn locks(config: &ResolvedConfig, has_table: bool) -> (bool, bool) {
    let is_on = config.bool("lock");
    let is_asked_for = config.get("lock").is_some_and(|lock| lock.origin != Origin::Default);
    (is_on && (is_asked_for || !has_table), is_on && has_table)
}

/// With the layout of the releases, native clients may use the same state; without a table they
/// take no lock.
fn notes(config: &ResolvedConfig, has_table: bool) -> Vec<String> {
    let is_released = config.get("path").is_none();
    let is_decided = config.get("lock").is_some_and(|lock| lock.origin != Origin::Default);
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
    let algorithm = match nonempty(config, "sse_algorithm") {
        None if nonempty(config, "kms_key_id").is_some() => "KMS",
        None | Some("AES256") => "AES256",
        Some("KMS") => "KMS",
        Some("SM4") => "SM4",
        Some(_) => return Err(config.invalid("sse_algorithm", "expected `AES256`, `KMS` or `SM4`")),
    };
    if !config.bool("encrypt") {
        return match ["sse_algorithm", "kms_key_id"]
            .into_iter()
            .find(|key| nonempty(config, key).is_some())
        {
            Some(ignored) => Err(config
                .invalid(ignored, "it has no effect while `encrypt` is not true")
                .with_hint(format!("set `encrypt = true`, or remove `{ignored}`"))),
            None => Ok(None),
        };
    }
    let kms_key_id = nonempty(config, "kms_key_id").map(str::to_owned);
    if kms_key_id.is_some() && algorithm != "KMS" {
        return Err(both(config, "kms_key_id", "sse_algorithm")
            .with_hint("a KMS key needs `sse_algorithm = \"KMS\"`"));
    }
    Ok(Some(Encryption { algorithm, kms_key_id }))
}

fn acl(config: &ResolvedConfig) -> Result<Option<String>> {
    match nonempty(config, "acl") {
        None => Ok(None),
        Some(acl @ ("private" | "public-read" | "public-read-write")) => Ok(Some(acl.to_owned())),
        Some(_) => {
            Err(config.invalid("acl", "expected `private`, `public-read` or `public-read-write`"))
        }
    }
}

fn max_retries(config: &ResolvedConfig) -> Result<usize> {
    let text = config.string("max_retries").unwrap_or("4");
    text.parse()
        .map_err(|_| config.invalid("max_retries", "expected a whole number that is not negative"))
}

/// Creates the error for two keys that exclude each other.
fn both(config: &ResolvedConfig, one: &str, other: &str) -> Error {
    Error::config(format!("`{one}` and `{other}` are both set, but exclude each other"))
        .with_context("set in", format_args!("{} (`{one}`)", config.origin(one)))
        .with_context("and in", format_args!("{} (`{other}`)", config.origin(other)))
}

/// Returns whether a value was set explicitly, and comes neither from the environment, which all
/// tools share, nor from a default.
fn is_configured(config: &ResolvedConfig, name: &str) -> bool {
    config
        .get(name)
        .is_some_and(|value| !matches!(value.origin, Origin::Environment(_) | Origin::Default))
}

/// Reads a number of seconds; absent and zero mean none.
fn seconds(config: &ResolvedConfig, name: &str) -> Result<Option<u32>> {
    match config.get(name).map(|value| &value.value) {
        Some(ConfigValue::Number(text)) => match text.parse() {
            Ok(0) => Ok(None),
            Ok(seconds) => Ok(Some(seconds)),
            Err(_) => Err(config.invalid(name, "expected a whole number of seconds")),
        },
        _ => Ok(None),
    }
}
