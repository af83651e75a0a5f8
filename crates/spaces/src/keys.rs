//! The table of keys: the provider's own, and those of `backend "s3"` that users copy and that mean
//! nothing here.

use remote_state_core::config::{ConfigKeySpec, EmptyRule, ProviderSpec, ValueKind};

/// The keys of the `spaces` provider.
pub static PROVIDER: ProviderSpec =
    ProviderSpec { scheme: "spaces", title: "DigitalOcean Spaces", keys: KEYS };

static KEYS: &[ConfigKeySpec] = &[
    ConfigKeySpec::new(
        "region",
        ValueKind::String,
        "The region of the bucket, such as `nyc3`, `ams3` or `fra1`. Any name is accepted: the \
         endpoint and the signature follow from it.",
    )
    .required(),
    ConfigKeySpec::new("bucket", ValueKind::String, "The bucket that holds the state.").required(),
    ConfigKeySpec::new(
        "key",
        ValueKind::String,
        "The object key of the default workspace's state. It neither starts nor ends with a slash.",
    )
    .required(),
    ConfigKeySpec::new(
        "workspace_key_prefix",
        ValueKind::String,
        "What stands before the name of a workspace other than `default` in its key. Empty means \
         nothing.",
    )
    .default("env:")
    .empty(EmptyRule::Value),
    ConfigKeySpec::new(
        "use_lockfile",
        ValueKind::Bool,
        "Lock by an object beside the state, `<state key>.tflock`, that only one client can \
         create.",
    )
    .default("true"),
    ConfigKeySpec::new("acl", ValueKind::String, "The canned ACL to put on state and lock file."),
    ConfigKeySpec::new(
        "sse_customer_key",
        ValueKind::String,
        "The key to have the store encrypt and decrypt state and lock file with (SSE-C): 32 bytes \
         in base64.",
    )
    .env(&["AWS_SSE_CUSTOMER_KEY"])
    .secret()
    .empty(EmptyRule::Refused),
    ConfigKeySpec::new(
        "access_key",
        ValueKind::String,
        "The id of the Spaces access key. Better kept in the environment or in a profile.",
    )
    .env(&["SPACES_ACCESS_KEY_ID", "AWS_ACCESS_KEY_ID"]),
    ConfigKeySpec::new(
        "secret_key",
        ValueKind::String,
        "The secret of the Spaces access key. In a configuration file it is warned of: keep it in \
         the environment or in a profile.",
    )
    .env(&["SPACES_SECRET_ACCESS_KEY", "AWS_SECRET_ACCESS_KEY"])
    .secret(),
    ConfigKeySpec::new(
        "profile",
        ValueKind::String,
        "The profile of the shared AWS files to take the access key from.",
    )
    .env(&["AWS_PROFILE", "AWS_DEFAULT_PROFILE"]),
    ConfigKeySpec::new(
        "endpoint",
        ValueKind::String,
        "The URL of a domain of your own or of a test server. The bucket is named in its path. A \
         CDN endpoint is refused: what it answers may be old.",
    ),
    refused(
        "kms_key_id",
        "Spaces has no key management service; `sse_customer_key` encrypts with a key of your own",
    ),
    refused(
        "encrypt",
        "Spaces encrypts what it stores by itself and takes no order to; `sse_customer_key` \
         encrypts with a key of your own",
    ),
    refused("dynamodb_table", NO_TABLES),
    refused("lock_table", NO_TABLES),
    refused("dynamodb_endpoint", NO_TABLES),
    refused("assume_role", NO_ROLES),
    refused("assume_role_with_web_identity", NO_ROLES),
    refused("role_arn", NO_ROLES),
    refused("external_id", NO_ROLES),
    refused("session_name", NO_ROLES),
    refused("assume_role_policy", NO_ROLES),
    refused("token", "Spaces gives out no temporary credentials; use an access key and its secret"),
    refused("allowed_account_ids", NO_ACCOUNTS),
    refused("forbidden_account_ids", NO_ACCOUNTS),
    refused("endpoints", "the endpoint follows from `region`; `endpoint` names another one"),
    refused("sts_endpoint", NO_ROLES),
    refused("iam_endpoint", NO_ROLES),
    refused(
        "use_fips_endpoint",
        "Spaces has one endpoint for each region, and it follows from `region`",
    ),
    refused(
        "use_dualstack_endpoint",
        "Spaces has one endpoint for each region, and it follows from `region`",
    ),
    refused("use_path_style", NO_STYLE),
    refused("force_path_style", NO_STYLE),
    refused("dialect", "Spaces is always spoken to as Spaces"),
    refused("skip_credentials_validation", NOTHING_TO_SKIP),
    refused("skip_requesting_account_id", NOTHING_TO_SKIP),
    refused("skip_metadata_api_check", NOTHING_TO_SKIP),
    refused("skip_region_validation", NOTHING_TO_SKIP),
    refused("skip_s3_checksum", NOTHING_TO_SKIP),
];

const fn refused(name: &'static str, reason: &'static str) -> ConfigKeySpec {
    ConfigKeySpec::new(name, ValueKind::String, "").refused(reason)
}

const NO_TABLES: &str =
    "Spaces has no tables; the lock is a file beside the state, with `use_lockfile`";
const NO_ROLES: &str = "Spaces has no roles to assume; use an access key and its secret";
const NO_ACCOUNTS: &str = "Spaces does not tell to which account an access key belongs";
const NO_STYLE: &str = "how the bucket is named in a URL follows from the endpoint";
const NOTHING_TO_SKIP: &str =
    "nothing is asked or sent here that Spaces does not know, so there is nothing to skip";
