//! The table of keys: the provider's own, and those of `backend "s3"` that users copy and that mean
//! nothing here.

use remote_state_core::config::{ConfigKeySpec, EmptyRule, ProviderSpec, ValueKind};
use remote_state_core::keys;

/// The keys of the `spaces` provider.
pub static PROVIDER: ProviderSpec = ProviderSpec::new("spaces", "DigitalOcean Spaces", &ROWS);

static ROWS: [ConfigKeySpec; KEYS.len() + REFUSED.len()] = {
    let mut rows = [KEYS[0]; KEYS.len() + REFUSED.len()];
    let (own, refused) = rows.split_at_mut(KEYS.len());
    own.copy_from_slice(KEYS);
    refused.copy_from_slice(REFUSED);
    rows
};

keys![
    pub const REGION: Key<String> = key(
        "region",
        "The region of the bucket, such as `nyc3`, `ams3` or `fra1`. Any name is accepted: the \
         endpoint and the signature follow from it.",
    )
    .required();
    pub const BUCKET: Key<String> = key("bucket", "The bucket that holds the state.").required();
    pub const KEY: Key<String> = key(
        "key",
        "The object key of the default workspace's state. It neither starts nor ends with a \
         slash.",
    )
    .required();
    pub const WORKSPACE_KEY_PREFIX: Key<String> = key(
        "workspace_key_prefix",
        "What stands before the name of a workspace other than `default` in its key. Empty means \
         nothing.",
    )
    .default("env:")
    .empty(EmptyRule::Value);
    pub const USE_LOCKFILE: Key<bool> = key(
        "use_lockfile",
        "Lock by an object beside the state, `<state key>.tflock`, that only one client can \
         create.",
    )
    .default("true");
    pub const ACL: Key<Option<String>> =
        key("acl", "The canned ACL to put on state and lock file.");
    pub const SSE_CUSTOMER_KEY: Key<Option<String>> = key(
        "sse_customer_key",
        "The key to have the store encrypt and decrypt state and lock file with (SSE-C): 32 bytes \
         in base64.",
    )
    .env(&["AWS_SSE_CUSTOMER_KEY"])
    .secret()
    .empty(EmptyRule::Refused);
    pub const ACCESS_KEY: Key<Option<String>> = key(
        "access_key",
        "The id of the Spaces access key. Better kept in the environment or in a profile.",
    )
    .env(&["SPACES_ACCESS_KEY_ID", "AWS_ACCESS_KEY_ID"]);
    pub const SECRET_KEY: Key<Option<String>> = key(
        "secret_key",
        "The secret of the Spaces access key. In a configuration file it is warned of: keep it in \
         the environment or in a profile.",
    )
    .env(&["SPACES_SECRET_ACCESS_KEY", "AWS_SECRET_ACCESS_KEY"])
    .secret();
    pub const PROFILE: Key<Option<String>> =
        key("profile", "The profile of the shared AWS files to take the access key from.")
            .env(&["AWS_PROFILE", "AWS_DEFAULT_PROFILE"]);
    pub const ENDPOINT: Key<Option<String>> = key(
        "endpoint",
        "The URL of a domain of your own or of a test server. The bucket is named in its path. A \
         CDN endpoint is refused: what it answers may be old.",
    );
];

/// Keys of `backend "s3"` that users copy, with the reason why each cannot be used.
const REFUSED: &[ConfigKeySpec] = &[
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
