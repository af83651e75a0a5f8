//! The configuration, and the configuration of the s3 provider that follows from it.
//!
//! The s3 provider gets three things, and nothing else of what is configured here:
//!
//! - the keys in [`SHARED`], unchanged and with the places where they were set, so that its errors
//!   point there;
//! - the keys that follow from others: the endpoint and how to send requests to it, from
//!   [`keys::ENDPOINT`] and `region`; encryption, which follows from its key;
//! - the variables in [`VARIABLES`], from which it reads what has no key: files, certificates,
//!   proxies.

use remote_state_core::config::{
    ConfigKeySpec, ConfigValue, Environment, ForeignEndpoint, Layer, Origin, ResolvedConfig,
    Setting, Sourced, resolve,
};
use remote_state_core::{Backend as _, Error, ErrorKind, Result};
use remote_state_s3::for_spaces::{Dialect, OwnKeys};
use remote_state_s3::{DialectName, S3Config, keys as s3_keys};
use url::Url;

use crate::keys::{self, PROVIDER};

/// The variables of the environment that are passed on: this machine's files, certificates and
/// proxies. The others are not: credentials are resolved here, where the variables of Spaces take
/// precedence over Amazon's, and everything else is about Amazon.
const VARIABLES: [&str; 12] = [
    "HOME",
    "AWS_CA_BUNDLE",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
    "all_proxy",
    "https_proxy",
    "http_proxy",
    "no_proxy",
];

/// The keys that mean the same in both providers: they are passed on unchanged.
const SHARED: [ConfigKeySpec; 10] = [
    keys::BUCKET.row(),
    keys::KEY.row(),
    keys::REGION.row(),
    keys::WORKSPACE_KEY_PREFIX.row(),
    keys::USE_LOCKFILE.row(),
    keys::ACL.row(),
    keys::SSE_CUSTOMER_KEY.row(),
    keys::ACCESS_KEY.row(),
    keys::SECRET_KEY.row(),
    keys::PROFILE.row(),
];

/// How to set keys of Spaces, for messages about missing ones. There are no other credentials:
/// those that a machine offers are Amazon's.
const OWN_KEYS: OwnKeys = OwnKeys {
    unset: "neither `SPACES_ACCESS_KEY_ID` and `SPACES_SECRET_ACCESS_KEY` nor `AWS_ACCESS_KEY_ID` \
            and `AWS_SECRET_ACCESS_KEY` are set",
    variables: &["SPACES_ACCESS_KEY_ID", "SPACES_SECRET_ACCESS_KEY"],
};

/// The domain of Spaces: `<region>.digitaloceanspaces.com`.
const DOMAIN: &str = "digitaloceanspaces.com";

/// The checked configuration of a store in Spaces.
#[derive(Clone, Debug)]
pub struct SpacesConfig {
    s3: S3Config,
    pub(crate) foreign: Vec<ForeignEndpoint>,
    pub(crate) notes: Vec<String>,
}

impl SpacesConfig {
    /// Checks a resolved configuration.
    ///
    /// # Errors
    /// `ConfigInvalid` with the key and where its value was set; `CredentialInvalid` if an access
    /// key and its secret do not come from the same kind of variables.
    pub fn from_resolved(config: &ResolvedConfig) -> Result<Self> {
        config.check_provider(&PROVIDER)?;
        let region = config.get(keys::REGION);
        check_region(config, region)?;
        check_pair(config)?;
        let endpoint = match config.get(keys::ENDPOINT) {
            Some(text) => Endpoint::given(config, region, text)?,
            None => Endpoint {
                url: format!("https://{region}.{DOMAIN}"),
                origin: config.origin(keys::REGION),
                is_own: false,
            },
        };
        let foreign = foreign(config, &endpoint);
        let encrypts = config.is_set(keys::SSE_CUSTOMER_KEY);
        let mut layer: Layer = vec![
            s3_keys::ENDPOINTS_S3.set(endpoint.url, endpoint.origin),
            s3_keys::DIALECT.set(DialectName::Spaces.to_string(), Origin::Default),
            // A custom domain or a test server has no host for each bucket.
            s3_keys::USE_PATH_STYLE.set(endpoint.is_own, Origin::Default),
            s3_keys::ENCRYPT.set(encrypts, Origin::Default),
        ];
        layer.extend(
            SHARED
                .iter()
                .filter_map(|key| Some((key.name.to_owned(), setting(config.sourced(key)?)?))),
        );
        let given = config.environment();
        let env: Environment =
            VARIABLES.iter().filter_map(|name| Some((*name, given.get(name)?))).collect();
        let s3 = resolve(&remote_state_s3::PROVIDER, &env, &[layer])?
            .in_directory(config.directory())
            .with_directory_programs(config.allows_directory_programs());
        let s3 = S3Config::from_resolved(&s3)?.with_own_keys(OWN_KEYS);
        let mut notes = s3.warnings().to_vec();
        let secret = config.origin(keys::SECRET_KEY);
        if is_written_down(&secret) {
            notes.push(format!(
                "`secret_key` stands in {secret}: Terraform copies what is configured there into \
                 its data directory and into plan files, for everyone to read who has those; keep \
                 it in the environment (`SPACES_SECRET_ACCESS_KEY`) or in a profile"
            ));
        }
        Ok(Self { s3, foreign, notes })
    }

    /// Returns the configuration of the s3 provider that follows from this one.
    pub(crate) fn s3(&self) -> &S3Config {
        &self.s3
    }
}

/// An endpoint, where it was set, and whether it is outside the vendor's domain.
struct Endpoint {
    url: String,
    origin: Origin,
    is_own: bool,
}

impl Endpoint {
    fn given(config: &ResolvedConfig, region: &str, text: &str) -> Result<Self> {
        let key = keys::ENDPOINT;
        let url = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
        let parsed = Url::parse(&url).ok().filter(Url::has_host);
        let Some(parsed) = parsed else {
            return Err(config.invalid(key, "expected a URL such as `https://state.example.com`"));
        };
        if Dialect::is_cache(&parsed) {
            return Err(config
                .invalid(key, "it is a CDN's, and a state from a cache is a wrong state")
                .with_hint(format!("leave it out: `region = \"{region}\"` says enough")));
        }
        let host = parsed.host_str().unwrap_or_default().trim_end_matches('.').to_ascii_lowercase();
        let Some(inner) = host.strip_suffix(DOMAIN).and_then(|inner| inner.strip_suffix('.'))
        else {
            return Ok(Self { url, origin: config.origin(key), is_own: true });
        };
        if inner != region {
            let reason = match inner.rsplit_once('.') {
                Some(_) => "it names more than a region; the bucket has a key of its own, `bucket`"
                    .to_owned(),
                None => format!("it is not that of the region, which is `{region}`"),
            };
            return Err(config
                .invalid(key, &reason)
                .with_context("region set in", config.origin(keys::REGION))
                .with_hint(format!(
                    "leave it out: `region = \"{region}\"` leads to `https://{region}.{DOMAIN}`"
                )));
        }
        let first = parsed.path().trim_start_matches('/').split('/').next().unwrap_or_default();
        if !first.is_empty() && config.get(keys::BUCKET) == first {
            let reason = "it names more than a region; the bucket has a key of its own, `bucket`";
            let hint = format!(
                "leave it out: `region = \"{region}\"` leads to `https://{region}.{DOMAIN}`"
            );
            return Err(config.invalid(key, reason).with_hint(hint));
        }
        Ok(Self { url, origin: config.origin(key), is_own: false })
    }
}

/// Returns the endpoint if a file of the directory names it and it is not in the vendor's domain.
/// The vendor's own keys begin with `DO`; the key of a profile is not known yet.
fn foreign(config: &ResolvedConfig, endpoint: &Endpoint) -> Vec<ForeignEndpoint> {
    let may_be_vendors = config.get(keys::ACCESS_KEY).is_none_or(|id| id.starts_with("DO"));
    let is_foreign = endpoint.is_own && config.is_of_directory(keys::ENDPOINT);
    let of = || {
        ForeignEndpoint::of(config, keys::ENDPOINT, &endpoint.url, "DigitalOcean's", may_be_vendors)
    };
    is_foreign.then(of).into_iter().collect()
}

/// A region is part of a host name.
fn check_region(config: &ResolvedConfig, region: &str) -> Result<()> {
    let is_label = !region.is_empty()
        && region.len() <= 63
        && region
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && !region.starts_with('-')
        && !region.ends_with('-');
    if !is_label {
        return Err(
            config.invalid(keys::REGION, "expected the name of a region, such as `nyc3` or `fra1`")
        );
    }
    // Regions of Amazon's have three parts. Users copy one from the vendor's block for
    // `backend "s3"`, where it is used only in the signature.
    if region.split('-').count() == 3 && !config.is_set(keys::ENDPOINT) {
        return Err(config.invalid(keys::REGION, "it is a region of Amazon's").with_hint(
            "write the region of the bucket, such as `nyc3`: it stands in the bucket's URL",
        ));
    }
    Ok(())
}

/// Refuses half of a key pair for Spaces with half of one for Amazon.
fn check_pair(config: &ResolvedConfig) -> Result<()> {
    let family = |key| match config.origin(key) {
        Origin::Environment(variable) => Some(variable.starts_with("SPACES_")),
        _ => None,
    };
    let (Some(id), Some(secret)) = (family(keys::ACCESS_KEY), family(keys::SECRET_KEY)) else {
        return Ok(());
    };
    if id == secret {
        return Ok(());
    }
    let missing = if id { "SPACES_SECRET_ACCESS_KEY" } else { "SPACES_ACCESS_KEY_ID" };
    Err(Error::new(
        ErrorKind::CredentialInvalid,
        "configure",
        "one half of the access key is for Spaces, and the other for Amazon",
    )
    .with_context("set in", config.origin(keys::ACCESS_KEY))
    .with_context("and in", config.origin(keys::SECRET_KEY))
    .with_hint(format!("set `{missing}` too, or neither of the two `SPACES_…` variables")))
}

fn is_written_down(origin: &Origin) -> bool {
    !matches!(origin, Origin::Environment(_) | Origin::Default | Origin::Program)
}

fn setting(value: &Sourced<ConfigValue>) -> Option<Sourced<Setting>> {
    let setting = match &value.value {
        ConfigValue::Bool(value) => Setting::Bool(*value),
        ConfigValue::String(text) => Setting::from(text.as_str()),
        _ => return None,
    };
    Some(Sourced::new(setting, value.origin.clone()))
}

#[cfg(test)]
mod tests;
