//! The configuration of a store, from resolved values to checked ones. What keys there are says `keys.rs`.

use aws_config::imds::client::EndpointMode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use remote_state_core::config::ResolvedConfig;
use remote_state_core::{Error, ErrorKind, Result};
use secrecy::SecretString;
use url::Url;

use crate::credentials::{CredentialConfig, Machine, SharedFile};
use crate::dialect::DialectName;
use crate::role::{Role, WebIdentity, both, expand_home, is_configured};
use crate::sts::Accounts;

mod keys;
#[cfg(test)]
mod tests;

pub use keys::PROVIDER;

/// The configuration of a store, its values checked.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct S3Config {
    /// The bucket.
    pub bucket: String,
    /// The object key of the default workspace's state.
    pub key: String,
    /// The region of the signature.
    pub region: String,
    /// The store's URL, if it is not Amazon's own for the region.
    pub endpoint: Option<Url>,
    /// The DynamoDB table of locks and digests, if there is one.
    pub dynamodb_table: Option<String>,
    /// DynamoDB's URL, if it is not Amazon's own for the region.
    pub dynamodb_endpoint: Option<Url>,
    /// What stands before a workspace's name in its key.
    pub workspace_key_prefix: String,
    /// Whether the lock file is used.
    pub use_lockfile: bool,
    /// Whether the bucket is named in the path.
    pub use_path_style: bool,
    /// How the store encrypts what is written.
    pub encryption: Encryption,
    /// The canned ACL for what is written.
    pub acl: Option<String>,
    /// How often a request is attempted in all.
    pub max_attempts: u32,
    /// Whether checksums are left out.
    pub skip_checksum: bool,
    /// Which store this is; `None` to tell by the endpoint.
    pub dialect: Option<DialectName>,
    pub(crate) connection: Connection,
    pub(crate) credentials: CredentialConfig,
    /// What the sources of credentials are told.
    pub(crate) machine: Machine,
    /// The role to assume with the credentials.
    pub(crate) role: Option<Role>,
    /// The accounts that may be worked in, or may not.
    pub(crate) accounts: Option<Accounts>,
    pub(crate) origins: Origins,
}

/// How services are reached.
#[derive(Clone, Debug, Default)]
pub(crate) struct Connection {
    pub(crate) is_adaptive: bool,
    pub(crate) has_fips: bool,
    pub(crate) has_dual_stack: bool,
    /// Certificates in PEM, known to be good.
    pub(crate) ca_bundle: Option<Vec<u8>>,
    pub(crate) sts_endpoint: Option<Url>,
    pub(crate) sts_region: Option<String>,
}

/// Where the values were set by which a store is found and entered, for messages.
#[derive(Clone, Debug)]
pub(crate) struct Origins {
    pub(crate) bucket: String,
    pub(crate) region: String,
    pub(crate) endpoint: Option<String>,
    pub(crate) dynamodb_endpoint: Option<String>,
    pub(crate) table: Option<String>,
    pub(crate) credentials: String,
}

/// How the store encrypts what is written.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Encryption {
    /// As the bucket is set up.
    #[default]
    Bucket,
    /// With a key of the key management service.
    Kms(String),
    /// With a key of the store's own.
    Store,
    /// With a key that is sent along, 32 bytes in base64. Reading takes it too.
    Customer(SecretString),
}

impl S3Config {
    /// Checks a resolved configuration.
    ///
    /// # Errors
    /// `ConfigInvalid` with the key and where its value was set.
    pub fn from_resolved(config: &ResolvedConfig) -> Result<Self> {
        let key = config.required("key")?;
        check_key(key).map_err(|reason| config.invalid("key", reason))?;
        let workspace_key_prefix = config.string("workspace_key_prefix").unwrap_or_default();
        if workspace_key_prefix.starts_with('/') || workspace_key_prefix.ends_with('/') {
            return Err(config.invalid("workspace_key_prefix", "it must not start or end with a slash"));
        }
        let bucket = config.required("bucket")?;
        if bucket.trim().is_empty() || bucket.contains('/') {
            return Err(config.invalid("bucket", "expected the name of a bucket"));
        }
        let origin = |key: &str| config.get(key).map(|value| value.origin.to_string());
        Ok(Self {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            region: config.required("region")?.to_owned(),
            endpoint: endpoint(config, "endpoints.s3")?,
            dynamodb_table: config.string("dynamodb_table").map(str::to_owned),
            dynamodb_endpoint: endpoint(config, "endpoints.dynamodb")?,
            workspace_key_prefix: workspace_key_prefix.to_owned(),
            use_lockfile: config.bool("use_lockfile"),
            use_path_style: config.bool("use_path_style"),
            encryption: encryption(config)?,
            acl: config.string("acl").map(str::to_owned),
            max_attempts: max_attempts(config)?,
            skip_checksum: config.bool("skip_s3_checksum"),
            dialect: match config.string("dialect").unwrap_or("auto") {
                "auto" => None,
                name => Some(name.parse().map_err(|reason: String| config.invalid("dialect", &reason))?),
            },
            connection: connection(config)?,
            credentials: credentials(config)?,
            machine: machine(config)?,
            role: Role::from_resolved(config)?,
            accounts: accounts(config)?,
            origins: Origins {
                bucket: config.origin("bucket").to_string(),
                region: config.origin("region").to_string(),
                endpoint: origin("endpoints.s3"),
                dynamodb_endpoint: origin("endpoints.dynamodb"),
                table: origin("dynamodb_table"),
                credentials: credentials_origin(config)?,
            },
        })
    }
}

/// Says why a state cannot be kept under a key.
pub(crate) fn check_key(key: &str) -> Result<(), &'static str> {
    if key.trim().is_empty() {
        Err("it is empty")
    } else if key.starts_with('/') || key.ends_with('/') {
        Err("it must not start or end with a slash")
    } else if key.contains("//") {
        Err("it must not contain `//`")
    } else if key.split('/').any(|part| part == "..") {
        // Native clients let it through, and then store several workspaces under one key.
        Err("it must not contain `..` as a part, for then workspaces share one object")
    } else {
        Ok(())
    }
}

fn endpoint(config: &ResolvedConfig, key: &str) -> Result<Option<Url>> {
    let Some(text) = config.string(key) else { return Ok(None) };
    let with_scheme = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
    match Url::parse(&with_scheme) {
        // It would be shown wherever the endpoint is.
        Ok(url) if !url.username().is_empty() || url.password().is_some() => Err(config
            .invalid(key, "it must not hold a user name or a password, which no service here has a use for")),
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(Some(url)),
        _ => Err(config.invalid(key, "expected a URL such as `https://s3.example.com`")),
    }
}

fn encryption(config: &ResolvedConfig) -> Result<Encryption> {
    let (kms, customer) = ("kms_key_id", "sse_customer_key");
    if config.string(kms).is_some() && config.string(customer).is_some() {
        return Err(both(config, kms, customer));
    }
    // Terraform ignores the key then, and stores the state unencrypted.
    if let Some(ignored) = [kms, customer].into_iter().find(|name| config.string(name).is_some())
        && !config.bool("encrypt")
    {
        return Err(config
            .invalid(ignored, "it has no effect while `encrypt` is not true")
            .with_hint(format!("set `encrypt = true`, or remove `{ignored}`")));
    }
    if let Some(key) = config.string(customer) {
        if !BASE64.decode(key).is_ok_and(|bytes| bytes.len() == 32) {
            return Err(config.invalid(customer, "expected 32 bytes in base64, which are 44 characters"));
        }
        return Ok(Encryption::Customer(key.into()));
    }
    Ok(match config.string(kms) {
        Some(key) => Encryption::Kms(key.to_owned()),
        None if config.bool("encrypt") => Encryption::Store,
        None => Encryption::Bucket,
    })
}

fn max_attempts(config: &ResolvedConfig) -> Result<u32> {
    match config.string("max_retries") {
        None => Ok(5),
        Some(text) => match text.parse() {
            // Zero stands for the SDK's own default.
            Ok(0) => Ok(3),
            Ok(attempts) => Ok(attempts),
            Err(_) => Err(config.invalid("max_retries", "expected a whole number that is not negative")),
        },
    }
}

fn connection(config: &ResolvedConfig) -> Result<Connection> {
    let sts_endpoint = endpoint(config, "endpoints.sts")?;
    for key in ["use_fips_endpoint", "use_dualstack_endpoint"] {
        // Where Amazon would choose the host, nothing else may.
        let own = ["endpoints.s3", "endpoints.dynamodb", "endpoints.sts"].into_iter();
        if let Some(own) = own.into_iter().find(|own| config.bool(key) && config.string(own).is_some()) {
            return Err(both(config, key, own));
        }
    }
    Ok(Connection {
        is_adaptive: match config.string("retry_mode") {
            None | Some("standard") => false,
            Some("adaptive") => true,
            Some(_) => return Err(config.invalid("retry_mode", "expected `standard` or `adaptive`")),
        },
        has_fips: config.bool("use_fips_endpoint"),
        has_dual_stack: config.bool("use_dualstack_endpoint"),
        ca_bundle: ca_bundle(config)?,
        sts_endpoint,
        sts_region: config.string("sts_region").map(str::to_owned),
    })
}

/// Reads the certificates, and makes sure that they are some: the HTTP client would not get over bad ones.
fn ca_bundle(config: &ResolvedConfig) -> Result<Option<Vec<u8>>> {
    use rustls::pki_types::{CertificateDer, pem::PemObject as _};
    let Some(path) = config.string("custom_ca_bundle") else { return Ok(None) };
    let pem = std::fs::read(expand_home(path))
        .map_err(|error| config.invalid("custom_ca_bundle", &format!("it cannot be read: {error}")))?;
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let added = certificate
            .map_err(|error| error.to_string())
            .and_then(|certificate| roots.add(certificate).map_err(|error| error.to_string()));
        added.map_err(|reason| {
            config.invalid("custom_ca_bundle", &format!("it holds a bad certificate: {reason}"))
        })?;
    }
    if roots.is_empty() {
        return Err(config.invalid("custom_ca_bundle", "it holds no certificate in PEM"));
    }
    Ok(Some(pem))
}

fn machine(config: &ResolvedConfig) -> Result<Machine> {
    let (one, several) = ("shared_credentials_file", "shared_credentials_files");
    let files = |name: &str, paths: &[String]| -> Vec<SharedFile> {
        // A variable may name a file that is not there; all of Amazon's tools pass over that.
        let may_be_missing = config.get(name).is_some_and(|value| !is_configured(value));
        paths.iter().map(|path| SharedFile { path: expand_home(path), may_be_missing }).collect()
    };
    let credentials_files = match config.string(one) {
        Some(_) if config.get(several).is_some_and(is_configured) => return Err(both(config, one, several)),
        Some(path) => files(one, &[path.to_owned()]),
        None => files(several, config.list(several)),
    };
    let mode = "ec2_metadata_service_endpoint_mode";
    let metadata_mode = match config.string(mode) {
        None => None,
        Some("IPv4") => Some(EndpointMode::IpV4),
        Some("IPv6") => Some(EndpointMode::IpV6),
        Some(_) => return Err(config.invalid(mode, "expected `IPv4` or `IPv6`")),
    };
    Ok(Machine {
        credentials_files,
        config_files: files("shared_config_files", config.list("shared_config_files")),
        metadata_endpoint: endpoint(config, "ec2_metadata_service_endpoint")?,
        metadata_mode,
        skip_metadata: config.bool("skip_metadata_api_check"),
    })
}

fn accounts(config: &ResolvedConfig) -> Result<Option<Accounts>> {
    let (allowed, forbidden) = ("allowed_account_ids", "forbidden_account_ids");
    let (name, is_allowed) = match (config.list(allowed), config.list(forbidden)) {
        ([], []) => return Ok(None),
        ([_, ..], []) => (allowed, true),
        ([], [_, ..]) => (forbidden, false),
        _ => return Err(both(config, allowed, forbidden)),
    };
    let ids = config.list(name).to_vec();
    if ids.iter().any(|id| id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_digit())) {
        return Err(config.invalid(name, "expected account ids, which are digits"));
    }
    Ok(Some(Accounts { is_allowed, ids, origin: config.origin(name).to_string() }))
}

fn credentials(config: &ResolvedConfig) -> Result<CredentialConfig> {
    let is_configured = |name: &str| config.get(name).is_some_and(is_configured);
    let keys = || -> Result<CredentialConfig> {
        match (config.string("access_key"), config.string("secret_key")) {
            (Some(access_key), Some(secret_key)) => Ok(CredentialConfig::Static {
                access_key: access_key.to_owned(),
                secret_key: SecretString::from(secret_key),
                token: config.string("token").map(SecretString::from),
            }),
            (access_key, _) => {
                let (there, missing) = if access_key.is_some() {
                    ("access_key", "secret_key")
                } else {
                    ("secret_key", "access_key")
                };
                let error = Error::new(
                    ErrorKind::CredentialInvalid,
                    "configure",
                    format!("`{missing}` is not set, but `{there}` is: both are needed"),
                );
                Err(match config.get(there) {
                    Some(value) => error.with_context("set in", &value.origin),
                    None => error,
                })
            }
        }
    };
    // The order of Terraform 1.7 and later: keys in the configuration, a token and a profile in the configuration, keys in the environment, the rest.
    if ["access_key", "secret_key", "token"].into_iter().any(is_configured) {
        return keys();
    }
    if let Some(identity) = WebIdentity::from_resolved(config)? {
        return Ok(CredentialConfig::WebIdentity(identity));
    }
    let profile = config.string("profile").map(str::to_owned);
    if is_configured("profile") {
        return Ok(CredentialConfig::Profile(profile.unwrap_or_default()));
    }
    if config.get("access_key").is_some() || config.get("secret_key").is_some() {
        return keys();
    }
    Ok(CredentialConfig::Chain { profile })
}

/// Says in words which credentials are used.
fn credentials_origin(config: &ResolvedConfig) -> Result<String> {
    Ok(match credentials(config)? {
        CredentialConfig::Static { .. } => {
            let origins = ["access_key", "secret_key"].map(|name| config.origin(name).to_string());
            match origins {
                [one, other] if one == other => one,
                origins => origins.join(" and "),
            }
        }
        CredentialConfig::Profile(name) => format!("profile `{name}`, set in {}", config.origin("profile")),
        CredentialConfig::WebIdentity(identity) => {
            format!("role `{}`, set in {}", identity.session.role_arn, identity.session.origin)
        }
        CredentialConfig::Chain { .. } => "what the machine offers".to_owned(),
    })
}
