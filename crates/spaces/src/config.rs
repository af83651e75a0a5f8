//! The configuration, and the configuration of the s3 provider that follows from it.
//!
//! The s3 provider gets three things, and nothing else of what is configured here:
//!
//! - the keys in [`SHARED`], unchanged and with the places where they were set, so that its errors
//!   point there;
//! - the keys that follow from others: the endpoint and how to send requests to it, from
//!   [`ENDPOINT`] and `region`; encryption, which follows from its key;
//! - the variables in [`VARIABLES`], from which it reads what has no key: files, certificates,
//!   proxies.

use remote_state_core::config::{
    ConfigValue, Environment, ForeignEndpoint, Layer, Origin, ResolvedConfig, Setting, Sourced,
    resolve,
};
use remote_state_core::provider::ObjectStateStore;
use remote_state_core::{Error, ErrorKind, Result};
use remote_state_s3::{Dialect, DialectName, OwnKeys, S3Config};
use url::Url;

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
const SHARED: [&str; 10] = [
    "bucket",
    "key",
    "region",
    "workspace_key_prefix",
    "use_lockfile",
    "acl",
    "sse_customer_key",
    "access_key",
    "secret_key",
    "profile",
];

/// The one key that is not passed on: other keys follow from it.
const ENDPOINT: &str = "endpoint";

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
    foreign: Vec<ForeignEndpoint>,
    notes: Vec<String>,
}

impl SpacesConfig {
    /// Checks a resolved configuration.
    ///
    /// # Errors
    /// `ConfigInvalid` with the key and where its value was set; `CredentialInvalid` if an access
    /// key and its secret do not come from the same kind of variables.
    pub fn from_resolved(config: &ResolvedConfig) -> Result<Self> {
        let region = config.required("region")?;
        check_region(config, region)?;
        check_pair(config)?;
        let endpoint = match config.string(ENDPOINT) {
            Some(text) => Endpoint::given(config, region, text)?,
            None => Endpoint {
                url: format!("https://{region}.{DOMAIN}"),
                origin: config.origin("region"),
                is_own: false,
            },
        };
        let foreign = foreign(config, &endpoint);
        let derived = |name: &str, setting: Setting| {
            (name.to_owned(), Sourced::new(setting, Origin::Default))
        };
        let mut layer: Layer = vec![
            ("endpoints.s3".to_owned(), Sourced::new(Setting::from(endpoint.url), endpoint.origin)),
            derived("dialect", Setting::from(DialectName::Spaces.to_string())),
            // A custom domain or a test server has no host for each bucket.
            derived("use_path_style", Setting::Bool(endpoint.is_own)),
            derived("encrypt", Setting::Bool(config.get("sse_customer_key").is_some())),
        ];
        layer.extend(
            SHARED
                .into_iter()
                .filter_map(|name| Some((name.to_owned(), setting(config.get(name)?)?))),
        );
        let given = config.environment();
        let env: Environment =
            VARIABLES.iter().filter_map(|name| Some((*name, given.get(name)?))).collect();
        let s3 = resolve(&remote_state_s3::PROVIDER, &env, &[layer])?
            .in_directory(config.directory())
            .with_directory_programs(config.allows_directory_programs());
        let s3 = S3Config::from_resolved(&s3)?.with_own_keys(OWN_KEYS);
        let mut notes = s3.notes().to_vec();
        if let Some(secret) =
            config.get("secret_key").filter(|secret| is_written_down(&secret.origin))
        {
            notes.push(format!(
                "`secret_key` stands in {}: Terraform copies what is configured there into its \
                 data directory and into plan files, for everyone to read who has those; keep it \
                 in the environment (`SPACES_SECRET_ACCESS_KEY`) or in a profile",
                secret.origin
            ));
        }
        Ok(Self { s3, foreign, notes })
    }

    /// Returns the services other than DigitalOcean's to which files of the directory send
    /// requests.
    pub fn foreign_endpoints(&self) -> &[ForeignEndpoint] {
        &self.foreign
    }

    /// Returns notes for the user that should appear before the configuration is used.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Returns the configuration of the s3 provider that follows from this one.
    pub fn s3(&self) -> &S3Config {
        &self.s3
    }

    /// Makes the store. Nothing is sent before the first operation.
    pub fn store(&self) -> ObjectStateStore {
        self.s3.store()
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
        let name = ENDPOINT;
        let url = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
        let parsed = Url::parse(&url).ok().filter(Url::has_host);
        let Some(parsed) = parsed else {
            return Err(config.invalid(name, "expected a URL such as `https://state.example.com`"));
        };
        if Dialect::is_cache(&parsed) {
            return Err(config
                .invalid(name, "it is a CDN's, and a state from a cache is a wrong state")
                .with_hint(format!("leave it out: `region = \"{region}\"` says enough")));
        }
        let host = parsed.host_str().unwrap_or_default().trim_end_matches('.').to_ascii_lowercase();
        let Some(inner) = host.strip_suffix(DOMAIN).and_then(|inner| inner.strip_suffix('.'))
        else {
            return Ok(Self { url, origin: config.origin(name), is_own: true });
        };
        if inner != region {
            let reason = match inner.rsplit_once('.') {
                Some(_) => "it names more than a region; the bucket has a key of its own, `bucket`"
                    .to_owned(),
                None => format!("it is not that of the region, which is `{region}`"),
            };
            return Err(config
                .invalid(name, &reason)
                .with_context("region set in", config.origin("region"))
                .with_hint(format!(
                    "leave it out: `region = \"{region}\"` leads to `https://{region}.{DOMAIN}`"
                )));
        }
        let first = parsed.path().trim_start_matches('/').split('/').next().unwrap_or_default();
        if !first.is_empty() && config.string("bucket") == Some(first) {
            let reason = "it names more than a region; the bucket has a key of its own, `bucket`";
            let hint = format!(
                "leave it out: `region = \"{region}\"` leads to `https://{region}.{DOMAIN}`"
            );
            return Err(config.invalid(name, reason).with_hint(hint));
        }
        Ok(Self { url, origin: config.origin(name), is_own: false })
    }
}

/// Returns the endpoint if a file of the directory names it and it is not in the vendor's domain.
/// The vendor's own keys begin with `DO`; the key of a profile is not known yet.
fn foreign(config: &ResolvedConfig, endpoint: &Endpoint) -> Vec<ForeignEndpoint> {
    let may_be_vendors = config.string("access_key").is_none_or(|id| id.starts_with("DO"));
    let is_foreign = endpoint.is_own && config.is_of_directory(ENDPOINT);
    let of =
        || ForeignEndpoint::of(config, ENDPOINT, &endpoint.url, "DigitalOcean's", may_be_vendors);
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
            config.invalid("region", "expected the name of a region, such as `nyc3` or `fra1`")
        );
    }
    // Regions of Amazon's have three parts. Users copy one from the vendor's block for
    // `backend "s3"`, where it is used only in the signature.
    if region.split('-').count() == 3 && config.string(ENDPOINT).is_none() {
        return Err(config.invalid("region", "it is a region of Amazon's").with_hint(
            "write the region of the bucket, such as `nyc3`: it stands in the bucket's URL",
        ));
    }
    Ok(())
}

/// Refuses half of a key pair for Spaces with half of one for Amazon.
fn check_pair(config: &ResolvedConfig) -> Result<()> {
    let family = |name: &str| match &config.get(name)?.origin {
        Origin::Environment(variable) => Some(variable.starts_with("SPACES_")),
        _ => None,
    };
    let (Some(id), Some(secret)) = (family("access_key"), family("secret_key")) else {
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
    .with_context("set in", config.origin("access_key"))
    .with_context("and in", config.origin("secret_key"))
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
