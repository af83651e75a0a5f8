//! Every configuration key, its spellings and its fallbacks: the only place that knows them.

use remote_state_core::config::{ConfigKeySpec, EmptyRule, ProviderSpec, ResolvedConfig, ValueKind};
use remote_state_core::{Error, ErrorKind, Result};
use secrecy::SecretString;
use url::Url;

use crate::credentials::CredentialConfig;
use crate::dialect::DialectName;

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
    pub(crate) credentials: CredentialConfig,
    pub(crate) origins: Origins,
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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Encryption {
    /// As the bucket is set up.
    #[default]
    Bucket,
    /// With a key of the key management service.
    Kms(String),
    /// With a key of the store's own.
    Store,
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
            credentials: credentials(config)?,
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
    match (config.bool("encrypt"), config.string("kms_key_id")) {
        (true, Some(key)) => Ok(Encryption::Kms(key.to_owned())),
        (true, None) => Ok(Encryption::Store),
        (false, None) => Ok(Encryption::Bucket),
        // Terraform ignores the key then, and stores the state unencrypted.
        (false, Some(_)) => Err(config
            .invalid("kms_key_id", "it has no effect while `encrypt` is not true")
            .with_hint("set `encrypt = true`, or remove `kms_key_id`")),
    }
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

fn credentials(config: &ResolvedConfig) -> Result<CredentialConfig> {
    use remote_state_core::config::Origin;
    let is_configured = |name: &str| {
        config
            .get(name)
            .is_some_and(|value| !matches!(value.origin, Origin::Environment(_) | Origin::Default))
    };
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
    // The order of Terraform 1.7 and later: keys in the configuration, a profile in the configuration, keys in the environment, the rest.
    if ["access_key", "secret_key", "token"].into_iter().any(is_configured) {
        return keys();
    }
    let profile = config.string("profile").map(str::to_owned);
    if is_configured("profile") {
        return Ok(CredentialConfig::Profile(profile.unwrap_or_default()));
    }
    if config.get("access_key").is_some() || config.get("secret_key").is_some() {
        return keys();
    }
    Ok(CredentialConfig::Chain { profile, skip_metadata: config.bool("skip_metadata_api_check") })
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
        CredentialConfig::Chain { .. } => "what the machine offers".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use remote_state_core::config::{Environment, Layer, Origin, Setting, Sourced, resolve};

    use super::*;

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
        assert_eq!(config.encryption, Encryption::Bucket);
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
        assert_eq!(config.encryption, Encryption::Kms("alias/x".to_owned()));
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
            CredentialConfig::Chain { profile: Some(name), .. } if name == "envprofile"
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
}
