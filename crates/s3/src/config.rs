//! Every configuration key, its spellings and its fallbacks: the only place that knows them.

use aws_config::imds::client::EndpointMode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use remote_state_core::config::{ConfigKeySpec, EmptyRule, ProviderSpec, ResolvedConfig, ValueKind};
use remote_state_core::{Error, ErrorKind, Result};
use secrecy::SecretString;
use url::Url;

use crate::credentials::{CredentialConfig, Machine, SharedFile};
use crate::dialect::DialectName;
use crate::role::{Role, WebIdentity, both, expand_home, is_configured};
use crate::sts::Accounts;

/// The keys of the `s3` provider. Names, order of fallbacks and defaults are those of `backend "s3"` in Terraform 1.11,
/// see <https://developer.hashicorp.com/terraform/language/backend/s3>.
pub static PROVIDER: ProviderSpec =
    ProviderSpec { scheme: "s3", title: "Amazon S3 and stores that speak its protocol", keys: KEYS };

static KEYS: &[ConfigKeySpec] = &[
    ConfigKeySpec::new("bucket", ValueKind::String, "The bucket that holds the state.").required(),
    ConfigKeySpec::new(
        "key",
        ValueKind::String,
        "The object key of the default workspace's state. It neither starts nor ends with a slash.",
    )
    .required(),
    ConfigKeySpec::new("region", ValueKind::String, "The region of the bucket, and of the signature. Any name is accepted.")
        .env(&["AWS_REGION", "AWS_DEFAULT_REGION"])
        .required(),
    ConfigKeySpec::new(
        "endpoints.s3",
        ValueKind::String,
        "The URL of a store other than Amazon's, such as `http://127.0.0.1:9000`. A path in it is put before every key.",
    )
    .aliases(&["endpoint"])
    .env(&["AWS_ENDPOINT_URL_S3", "AWS_S3_ENDPOINT", "AWS_ENDPOINT_URL"]),
    ConfigKeySpec::new("access_key", ValueKind::String, "The access key id. Better kept in the environment or in a profile.")
        .env(&["AWS_ACCESS_KEY_ID"]),
    ConfigKeySpec::new("secret_key", ValueKind::String, "The secret access key. Better kept in the environment or in a profile.")
        .env(&["AWS_SECRET_ACCESS_KEY"])
        .secret(),
    ConfigKeySpec::new("token", ValueKind::String, "The session token of temporary credentials.")
        .env(&["AWS_SESSION_TOKEN"])
        .secret(),
    ConfigKeySpec::new(
        "profile",
        ValueKind::String,
        "The profile of the shared AWS files to take credentials from. Set in the configuration, it goes before access keys in the environment.",
    )
    .env(&["AWS_PROFILE", "AWS_DEFAULT_PROFILE"]),
    ConfigKeySpec::new(
        "shared_credentials_files",
        ValueKind::StringList,
        "The files that take the place of `~/.aws/credentials`. Of what several say, the last counts.",
    )
    .env(&["AWS_SHARED_CREDENTIALS_FILE"]),
    ConfigKeySpec::new("shared_credentials_file", ValueKind::String, "One file that takes the place of `~/.aws/credentials`.")
        .deprecated("use `shared_credentials_files`, a list"),
    ConfigKeySpec::new(
        "shared_config_files",
        ValueKind::StringList,
        "The files that take the place of `~/.aws/config`. Of what several say, the last counts.",
    )
    .env(&["AWS_SHARED_CONFIG_FILE", "AWS_CONFIG_FILE"]),
    ConfigKeySpec::new("assume_role.role_arn", ValueKind::String, "The role to assume with the credentials that the other keys give.")
        .aliases(&["role_arn"])
        .required(),
    ConfigKeySpec::new(
        "assume_role.duration",
        ValueKind::String,
        "How long a session lasts before the role is assumed anew, 15 minutes to 12 hours, such as `1h30m`; a number alone counts seconds.",
    )
    .aliases(&["assume_role_duration_seconds"]),
    ConfigKeySpec::new("assume_role.external_id", ValueKind::String, "What the owner of the role demands to be told.").aliases(&["external_id"]),
    ConfigKeySpec::new("assume_role.policy", ValueKind::String, "A policy in JSON that narrows what the session may do.")
        .aliases(&["assume_role_policy"]),
    ConfigKeySpec::new("assume_role.policy_arns", ValueKind::StringList, "Managed policies that narrow what the session may do.")
        .aliases(&["assume_role_policy_arns"]),
    ConfigKeySpec::new("assume_role.session_name", ValueKind::String, "The name of the session, as it stands in the account's logs.")
        .aliases(&["session_name"]),
    ConfigKeySpec::new("assume_role.source_identity", ValueKind::String, "Who is behind the session, as it stands in the account's logs."),
    ConfigKeySpec::new("assume_role.tags", ValueKind::StringMap, "The tags of the session.").aliases(&["assume_role_tags"]),
    ConfigKeySpec::new(
        "assume_role.transitive_tag_keys",
        ValueKind::StringList,
        "Which of its tags a session hands on to the roles that are assumed with it.",
    )
    .aliases(&["assume_role_transitive_tag_keys"]),
    ConfigKeySpec::new(
        "assume_role_with_web_identity.role_arn",
        ValueKind::String,
        "The role to assume with a token. By the environment alone, the token is one of the sources that the machine offers.",
    )
    .env(&["AWS_ROLE_ARN"])
    .required(),
    ConfigKeySpec::new(
        "assume_role_with_web_identity.duration",
        ValueKind::String,
        "How long a session with a token lasts before the role is assumed anew, 15 minutes to 12 hours.",
    ),
    ConfigKeySpec::new(
        "assume_role_with_web_identity.policy",
        ValueKind::String,
        "A policy in JSON that narrows what the session with a token may do.",
    ),
    ConfigKeySpec::new(
        "assume_role_with_web_identity.policy_arns",
        ValueKind::StringList,
        "Managed policies that narrow what the session with a token may do.",
    ),
    ConfigKeySpec::new(
        "assume_role_with_web_identity.session_name",
        ValueKind::String,
        "The name of the session with a token, as it stands in the account's logs.",
    )
    .env(&["AWS_ROLE_SESSION_NAME"]),
    ConfigKeySpec::new("assume_role_with_web_identity.web_identity_token", ValueKind::String, "The token. Better kept in a file.")
        .env(&["AWS_WEB_IDENTITY_TOKEN"])
        .secret(),
    ConfigKeySpec::new(
        "assume_role_with_web_identity.web_identity_token_file",
        ValueKind::String,
        "The file that holds the token. It is read each time that the role is assumed.",
    )
    .env(&["AWS_WEB_IDENTITY_TOKEN_FILE"]),
    ConfigKeySpec::new(
        "allowed_account_ids",
        ValueKind::StringList,
        "The accounts whose credentials may be used. With this key STS is asked whose the credentials are, otherwise not.",
    ),
    ConfigKeySpec::new(
        "forbidden_account_ids",
        ValueKind::StringList,
        "The accounts whose credentials must not be used. With this key STS is asked whose the credentials are, otherwise not.",
    ),
    ConfigKeySpec::new("endpoints.sts", ValueKind::String, "The URL of an STS other than Amazon's.")
        .aliases(&["sts_endpoint"])
        .env(&["AWS_ENDPOINT_URL_STS", "AWS_STS_ENDPOINT", "AWS_ENDPOINT_URL"]),
    ConfigKeySpec::new("sts_region", ValueKind::String, "The region of STS, if it is not `region`."),
    ConfigKeySpec::new("endpoints.iam", ValueKind::String, "Accepted for compatibility: IAM is not asked anything here.")
        .aliases(&["iam_endpoint"])
        .env(&["AWS_ENDPOINT_URL_IAM", "AWS_IAM_ENDPOINT"]),
    ConfigKeySpec::new(
        "endpoints.sso",
        ValueKind::String,
        "Accepted for compatibility. A profile that signs in with SSO follows the variable alone.",
    )
    .env(&["AWS_ENDPOINT_URL_SSO"]),
    ConfigKeySpec::new("ec2_metadata_service_endpoint", ValueKind::String, "The URL of the instance metadata service.")
        .env(&["AWS_EC2_METADATA_SERVICE_ENDPOINT", "AWS_METADATA_URL"]),
    ConfigKeySpec::new(
        "ec2_metadata_service_endpoint_mode",
        ValueKind::String,
        "How the instance metadata service is reached: `IPv4` or `IPv6`.",
    )
    .env(&["AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"]),
    ConfigKeySpec::new(
        "use_fips_endpoint",
        ValueKind::Bool,
        "Use Amazon's endpoints with validated cryptography. Not together with endpoints of one's own.",
    )
    .env(&["AWS_USE_FIPS_ENDPOINT"])
    .default("false"),
    ConfigKeySpec::new(
        "use_dualstack_endpoint",
        ValueKind::Bool,
        "Use Amazon's endpoints that are reached over IPv6 too. Not together with endpoints of one's own.",
    )
    .env(&["AWS_USE_DUALSTACK_ENDPOINT"])
    .default("false"),
    ConfigKeySpec::new(
        "custom_ca_bundle",
        ValueKind::String,
        "A file of certificates in PEM that takes the place of the certificates that the system trusts.",
    )
    .env(&["AWS_CA_BUNDLE"]),
    ConfigKeySpec::new(
        "retry_mode",
        ValueKind::String,
        "How a failed request is repeated: `standard`, or `adaptive` to send fewer requests to a service that is overloaded.",
    )
    .env(&["AWS_RETRY_MODE"])
    .default("standard"),
    ConfigKeySpec::new(
        "workspace_key_prefix",
        ValueKind::String,
        "What stands before the name of a workspace other than `default` in its key. Empty means nothing.",
    )
    .default("env:")
    .empty(EmptyRule::Value),
    ConfigKeySpec::new("use_lockfile", ValueKind::Bool, "Lock by an object beside the state, `<state key>.tflock`, that only one client can create.")
        .default("false"),
    ConfigKeySpec::new("use_path_style", ValueKind::Bool, "Name the bucket in the path of the URL and not in its host.")
        .aliases(&["force_path_style"])
        .default("false"),
    ConfigKeySpec::new("encrypt", ValueKind::Bool, "Have the store encrypt state and lock file (SSE-S3, or SSE-KMS with `kms_key_id`).")
        .default("false"),
    ConfigKeySpec::new("kms_key_id", ValueKind::String, "The KMS key to encrypt with. Needs `encrypt`.").empty(EmptyRule::Refused),
    ConfigKeySpec::new(
        "sse_customer_key",
        ValueKind::String,
        "The key to have the store encrypt and decrypt with (SSE-C): 32 bytes in base64. Needs `encrypt`.",
    )
    .env(&["AWS_SSE_CUSTOMER_KEY"])
    .secret()
    .empty(EmptyRule::Refused),
    ConfigKeySpec::new("acl", ValueKind::String, "The canned ACL to put on state and lock file."),
    ConfigKeySpec::new(
        "max_retries",
        ValueKind::Number,
        "How often a request is attempted in all, the first time included, as in Terraform, whatever the name says.",
    )
    .default("5"),
    ConfigKeySpec::new(
        "skip_s3_checksum",
        ValueKind::Bool,
        "Send no checksum with what is written, and ask for none with what is read.",
    )
    .default("false"),
    ConfigKeySpec::new("skip_credentials_validation", ValueKind::Bool, "Accepted for compatibility: no identity is asked for here.")
        .default("false"),
    ConfigKeySpec::new("skip_requesting_account_id", ValueKind::Bool, "Accepted for compatibility: no account id is asked for here.")
        .default("false"),
    ConfigKeySpec::new("skip_region_validation", ValueKind::Bool, "Accepted for compatibility: any region is accepted here.")
        .default("false"),
    ConfigKeySpec::new("skip_metadata_api_check", ValueKind::Bool, "Do not ask the instance metadata service for credentials.")
        .env(&["AWS_EC2_METADATA_DISABLED"])
        .default("false"),
    ConfigKeySpec::new(
        "dynamodb_table",
        ValueKind::String,
        "The DynamoDB table that holds the lock, and the digest of the state. Its partition key is `LockID`, a string.",
    )
    .aliases(&["lock_table"]),
    ConfigKeySpec::new("endpoints.dynamodb", ValueKind::String, "The URL of a DynamoDB other than Amazon's.")
        .aliases(&["dynamodb_endpoint"])
        .env(&["AWS_ENDPOINT_URL_DYNAMODB", "AWS_DYNAMODB_ENDPOINT", "AWS_ENDPOINT_URL"]),
    ConfigKeySpec::new(
        "dialect",
        ValueKind::String,
        "Which store this is: `aws`, `minio`, `generic`, or `auto` to tell by the endpoint. A key of ours; Terraform does not know it.",
    )
    .default("auto"),
];

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

#[cfg(test)]
mod tests {
    use remote_state_core::config::{Environment, Layer, Origin, Setting, Sourced, resolve};

    use super::*;
    use crate::role::Token;

    const NEEDED: [(&str, &str); 3] = [("bucket", "b"), ("key", "k"), ("region", "r")];

    fn config(keys: &[(&str, &str)]) -> Result<S3Config> {
        S3Config::from_resolved(&ResolvedConfig::from_pairs(&PROVIDER, NEEDED.iter().chain(keys).copied())?)
    }

    fn with_environment(keys: &[(&str, &str)], env: &[(&str, &str)]) -> Result<S3Config> {
        let layer: Layer = NEEDED
            .iter()
            .chain(keys)
            .map(|(name, value)| {
                ((*name).to_owned(), Sourced::new(Setting::from(*value), Origin::file("main.tf", 3)))
            })
            .collect();
        let env: Environment = env.iter().copied().collect();
        S3Config::from_resolved(&resolve(&PROVIDER, &env, &[layer])?)
    }

    #[test]
    fn readme_lists_every_key_with_its_variables() {
        let readme = include_str!("../README.md");
        for key in KEYS {
            for name in [&[key.name], key.aliases, key.env].concat() {
                assert!(readme.contains(&format!("`{name}`")), "README.md does not mention `{name}`");
            }
            assert!(readme.contains(key.doc), "README.md does not say what `{}` means", key.name);
        }
    }

    #[test]
    fn defaults_are_those_of_native_clients() {
        let config = config(&[]).unwrap();
        assert_eq!(config.workspace_key_prefix, "env:");
        assert!(matches!(config.encryption, Encryption::Bucket));
        assert_eq!(config.max_attempts, 5);
        assert!(!config.use_lockfile && !config.use_path_style && !config.skip_checksum);
    }

    #[test]
    fn values_that_do_not_do_are_refused_with_their_key() {
        for (key, value) in [
            ("key", "/k"),
            ("key", "k/"),
            ("key", "a//b"),
            ("key", "../b"),
            ("endpoint", "http://user:hunter2@127.0.0.1:1"),
            ("workspace_key_prefix", "/p"),
            ("endpoint", "ftp://x"),
            ("dialect", "azure"),
            ("max_retries", "-1"),
            ("max_retries", "1.5"),
            ("bucket", "a/b"),
        ] {
            let with: Vec<_> =
                NEEDED.iter().copied().filter(|(name, _)| *name != key).chain([(key, value)]).collect();
            let resolved = ResolvedConfig::from_pairs(&PROVIDER, with).unwrap();
            let error = S3Config::from_resolved(&resolved).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConfigInvalid, "{key} = {value}");
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
    }

    #[test]
    fn kms_key_without_encryption_is_refused_instead_of_ignored() {
        let error = config(&[("kms_key_id", "alias/x")]).unwrap_err();
        assert!(error.hints()[0].contains("encrypt = true"), "{error:?}");
        let config = config(&[("kms_key_id", "alias/x"), ("encrypt", "true")]).unwrap();
        assert!(matches!(config.encryption, Encryption::Kms(key) if key == "alias/x"));
    }

    #[test]
    fn table_and_its_endpoint_have_the_names_of_every_terraform() {
        for (table, endpoint) in
            [("dynamodb_table", "endpoints.dynamodb"), ("lock_table", "dynamodb_endpoint")]
        {
            let config = config(&[(table, "locks"), (endpoint, "http://127.0.0.1:8000")]).unwrap();
            assert_eq!(config.dynamodb_table.as_deref(), Some("locks"));
            assert_eq!(config.dynamodb_endpoint.unwrap().as_str(), "http://127.0.0.1:8000/");
            assert_eq!(config.endpoint, None);
        }
        assert_eq!(config(&[("dynamodb_table", "")]).unwrap().dynamodb_table, None);
        let env = [("AWS_ENDPOINT_URL", "http://all"), ("AWS_ENDPOINT_URL_DYNAMODB", "http://tables")];
        let config = with_environment(&[], &env).unwrap();
        assert_eq!(config.endpoint.unwrap().as_str(), "http://all/");
        assert_eq!(config.dynamodb_endpoint.unwrap().as_str(), "http://tables/");
    }

    #[test]
    fn keys_in_the_configuration_go_before_a_profile_and_that_before_the_environment() {
        let env =
            [("AWS_ACCESS_KEY_ID", "env"), ("AWS_SECRET_ACCESS_KEY", "s"), ("AWS_PROFILE", "envprofile")];
        let static_key = |config: S3Config| match config.credentials {
            CredentialConfig::Static { access_key, .. } => Some(access_key),
            _ => None,
        };
        let keys = [("access_key", "conf"), ("secret_key", "s"), ("profile", "p")];
        assert_eq!(static_key(with_environment(&keys, &env).unwrap()).as_deref(), Some("conf"));
        assert!(matches!(
            with_environment(&[("profile", "p")], &env).unwrap().credentials,
            CredentialConfig::Profile(name) if name == "p"
        ));
        assert_eq!(static_key(with_environment(&[], &env).unwrap()).as_deref(), Some("env"));
        assert!(matches!(
            with_environment(&[], &env[2..]).unwrap().credentials,
            CredentialConfig::Chain { profile: Some(name) } if name == "envprofile"
        ));
    }

    #[test]
    fn half_a_pair_of_keys_is_refused() {
        let error = with_environment(&[("access_key", "conf")], &[]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::CredentialInvalid);
        assert!(error.message().contains("`secret_key` is not set"), "{error}");
    }

    #[test]
    fn endpoints_may_lack_their_scheme_as_in_opentofu() {
        let endpoint = |text| config(&[("endpoint", text)]).unwrap().endpoint.unwrap().to_string();
        assert_eq!(endpoint("s3.example.com"), "https://s3.example.com/");
        assert_eq!(endpoint("http://127.0.0.1:9000"), "http://127.0.0.1:9000/");
    }

    #[test]
    fn secrets_do_not_show_in_debug_output() {
        let config = config(&[("access_key", "a"), ("secret_key", "hunter2"), ("token", "hunter3")]).unwrap();
        assert!(!format!("{config:?}").contains("hunter"));
    }

    const ROLE: &str = "arn:aws:iam::123456789012:role/ci";

    #[test]
    fn roles_have_the_names_of_every_terraform() {
        let tags = || Setting::Object(vec![("a".to_owned(), Sourced::new("b".into(), Origin::Program))]);
        let new = |member: &str| format!("assume_role.{member}");
        let old = |member: &str| match member {
            "role_arn" | "external_id" | "session_name" => member.to_owned(),
            "duration" => "assume_role_duration_seconds".to_owned(),
            member => format!("assume_role_{member}"),
        };
        let roles = [&new as &dyn Fn(&str) -> String, &old].map(|name| {
            let pairs: [(&str, Setting); 8] = [
                ("role_arn", ROLE.into()),
                ("duration", "3600".into()),
                ("external_id", "a:b/c".into()),
                ("policy", r#" {"Version":"2012-10-17"} "#.into()),
                ("policy_arns", vec!["arn:aws:iam::aws:policy/ReadOnlyAccess"].into()),
                ("session_name", "ci@acme".into()),
                ("tags", tags()),
                ("transitive_tag_keys", vec!["a"].into()),
            ];
            let named: Vec<_> = pairs.into_iter().map(|(member, value)| (name(member), value)).collect();
            let needed = NEEDED.map(|(name, value)| (name.to_owned(), Setting::from(value)));
            let all: Vec<_> = needed.into_iter().chain(named).collect();
            let pairs = all.iter().map(|(name, value)| (name.as_str(), value.clone()));
            let resolved = ResolvedConfig::from_pairs(&PROVIDER, pairs).unwrap();
            assert_eq!(resolved.notes().len(), if name("role_arn") == "role_arn" { 8 } else { 0 });
            S3Config::from_resolved(&resolved).unwrap().role.unwrap()
        });
        assert_eq!(format!("{:?}", roles[0]), format!("{:?}", roles[1]));
        let role = &roles[0];
        assert_eq!(role.session.role_arn, ROLE);
        assert_eq!(role.session.duration, Some(std::time::Duration::from_secs(3600)));
        assert_eq!(role.session.policy.as_deref(), Some(r#"{"Version":"2012-10-17"}"#));
        assert_eq!(role.tags["a"], "b");
        assert!(config(&[]).unwrap().role.is_none());
        assert!(config(&[("role_arn", "")]).unwrap().role.is_none());
    }

    #[test]
    fn members_of_roles_that_do_not_do_are_refused_with_their_key() {
        for (member, value) in [
            ("role_arn", "ci"),
            ("duration", "14m59s"),
            ("duration", "12h1s"),
            ("duration", "soon"),
            ("external_id", "x"),
            ("external_id", "a b"),
            ("policy", "policy.json"),
            ("session_name", "a/b"),
            ("source_identity", "a:b"),
        ] {
            let name = format!("assume_role.{member}");
            let mut keys = vec![(name.as_str(), value)];
            if member != "role_arn" {
                keys.push(("role_arn", ROLE));
            }
            let error = config(&keys).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConfigInvalid);
            assert!(error.message().contains(&name), "{error}");
        }
        let error = config(&[("external_id", "abc")]).unwrap_err();
        assert!(error.message().contains("`assume_role.role_arn` is not set"), "{error}");
        let error = config(&[("role_arn", ROLE), ("assume_role.role_arn", ROLE)]).unwrap_err();
        assert!(error.message().contains("mean the same"), "{error}");
    }

    #[test]
    fn web_identity_takes_part_only_if_it_is_configured() {
        let arn = "assume_role_with_web_identity.role_arn";
        let file = "assume_role_with_web_identity.web_identity_token_file";
        let token = "assume_role_with_web_identity.web_identity_token";
        let env = [("AWS_ROLE_ARN", ROLE), ("AWS_WEB_IDENTITY_TOKEN_FILE", "/env")];
        assert!(matches!(with_environment(&[], &env).unwrap().credentials, CredentialConfig::Chain { .. }));
        let identity = |keys: &[(&str, &str)], env: &[(&str, &str)]| match with_environment(keys, env)
            .unwrap()
            .credentials
        {
            CredentialConfig::WebIdentity(identity) => identity.token,
            other => panic!("{other:?}"),
        };
        let is_file = |found: Token, path: &str| matches!(found, Token::File(file) if file == std::path::Path::new(path));
        assert!(is_file(identity(&[(arn, ROLE)], &env), "/env"));
        assert!(is_file(identity(&[(file, "/conf"), ("profile", "p")], &env), "/conf"));
        let given = identity(&[(token, "hunter2")], &env);
        assert!(matches!(given, Token::Given(_)) && !format!("{given:?}").contains("hunter2"));
        let error = config(&[(arn, ROLE), (token, "hunter2"), (file, "/conf")]).unwrap_err();
        assert!(error.message().contains("exclude each other"), "{error}");
        assert!(config(&[(arn, ROLE)]).unwrap_err().message().contains("web_identity_token_file"));
    }

    #[test]
    fn keys_that_exclude_each_other_are_refused_by_name() {
        let list = |name: &'static str, value: &str| (name, Setting::from(vec![value]));
        for pairs in [
            [list("allowed_account_ids", "1"), list("forbidden_account_ids", "2")],
            [("shared_credentials_file", "a".into()), list("shared_credentials_files", "b")],
            [("use_fips_endpoint", true.into()), ("endpoints.s3", "http://x".into())],
            [("use_dualstack_endpoint", true.into()), ("sts_endpoint", "http://x".into())],
        ] {
            let needed = NEEDED.map(|(name, value)| (name, Setting::from(value)));
            let resolved = ResolvedConfig::from_pairs(&PROVIDER, needed.into_iter().chain(pairs)).unwrap();
            let error = S3Config::from_resolved(&resolved).unwrap_err();
            assert!(error.message().contains("exclude each other"), "{error}");
        }
    }

    #[test]
    fn shared_files_are_those_of_the_configuration_before_those_of_the_environment() {
        let env = [
            ("AWS_SHARED_CREDENTIALS_FILE", "/env"),
            ("AWS_SHARED_CONFIG_FILE", "~/c"),
            ("AWS_CONFIG_FILE", "/d"),
        ];
        let machine = with_environment(&[], &env).unwrap().machine;
        assert_eq!(machine.credentials_files, [SharedFile { path: "/env".into(), may_be_missing: true }]);
        assert_eq!(machine.config_files[0].path, std::env::home_dir().unwrap().join("c"));
        let machine = with_environment(&[("shared_credentials_file", "/conf")], &env).unwrap().machine;
        assert_eq!(machine.credentials_files, [SharedFile { path: "/conf".into(), may_be_missing: false }]);
        let machine = with_environment(&[], &env[2..]).unwrap().machine;
        assert_eq!(machine.config_files[0].path, std::path::Path::new("/d"));
    }

    #[test]
    fn modes_are_known_by_name() {
        assert!(config(&[("retry_mode", "adaptive")]).unwrap().connection.is_adaptive);
        let mode = "ec2_metadata_service_endpoint_mode";
        let machine = config(&[(mode, "IPv6"), ("ec2_metadata_service_endpoint", "http://[::1]:1")]);
        assert!(matches!(machine.unwrap().machine.metadata_mode, Some(EndpointMode::IpV6)));
        for (key, value) in [("retry_mode", "legacy"), (mode, "ipv4"), ("sts_endpoint", "ftp://x")] {
            assert_eq!(config(&[(key, value)]).unwrap_err().kind(), ErrorKind::ConfigInvalid, "{key}");
        }
    }

    #[test]
    fn certificates_are_looked_at_before_anything_is_sent() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        let refused = || {
            let error = config(&[("custom_ca_bundle", path.to_str().unwrap())]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConfigInvalid);
            error.message().to_owned()
        };
        assert!(refused().contains("cannot be read"));
        std::fs::write(&path, "no certificate").unwrap();
        assert!(refused().contains("no certificate in PEM"));
        std::fs::write(&path, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
        assert!(refused().contains("bad certificate"));
    }

    #[test]
    fn customer_key_is_32_bytes_goes_with_encrypt_and_does_not_show() {
        let key = BASE64.encode([7; 32]);
        let name = "sse_customer_key";
        let good = config(&[(name, &key), ("encrypt", "true")]).unwrap();
        assert!(matches!(good.encryption, Encryption::Customer(_)));
        let env = [("AWS_SSE_CUSTOMER_KEY", key.as_str())];
        let from_env = with_environment(&[("encrypt", "true")], &env).unwrap();
        assert!(matches!(from_env.encryption, Encryption::Customer(_)));
        assert!(!format!("{good:?}").contains(&key));
        let short = BASE64.encode([7; 31]);
        for keys in [
            vec![(name, key.as_str())],
            vec![(name, &short), ("encrypt", "true")],
            vec![(name, "hunter2"), ("encrypt", "true")],
            vec![(name, &key), ("encrypt", "true"), ("kms_key_id", "alias/x")],
        ] {
            let error = config(&keys).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConfigInvalid);
            assert!(error.message().contains(name) && !format!("{error:?}").contains(keys[0].1), "{error:?}");
        }
    }
}
