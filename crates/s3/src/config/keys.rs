//! The keys of the provider. Only their rows here define spellings, variables, defaults and
//! meanings.

use std::collections::BTreeMap;

use remote_state_core::config::{EmptyRule, Number, ProviderSpec};
use remote_state_core::keys;

/// The keys of the `s3` provider. Names, order of fallbacks and defaults are those of
/// `backend "s3"` in Terraform 1.11, see
/// <https://developer.hashicorp.com/terraform/language/backend/s3>.
pub static PROVIDER: ProviderSpec =
    ProviderSpec::new("s3", "Amazon S3 and stores that speak its protocol", KEYS);

/// Variables that have had another name since AWS tools agreed on one, with that name.
pub(super) const OLD_VARIABLES: &[(&str, &str)] = &[
    ("AWS_S3_ENDPOINT", "AWS_ENDPOINT_URL_S3"),
    ("AWS_DYNAMODB_ENDPOINT", "AWS_ENDPOINT_URL_DYNAMODB"),
    ("AWS_IAM_ENDPOINT", "AWS_ENDPOINT_URL_IAM"),
    ("AWS_STS_ENDPOINT", "AWS_ENDPOINT_URL_STS"),
    ("AWS_METADATA_URL", "AWS_EC2_METADATA_SERVICE_ENDPOINT"),
];

/// The keys of the services that requests go to.
pub(crate) const OF_SERVICES: [remote_state_core::config::Key<Option<String>>; 3] =
    [ENDPOINTS_S3, ENDPOINTS_DYNAMODB, ENDPOINTS_STS];

/// The hint about two keys that exclude each other.
pub(crate) const KEEP_ONE: &str = "keep one of them";

keys![
    pub const BUCKET: Key<String> = key("bucket", "The bucket that holds the state.").required();
    pub const KEY: Key<String> = key(
        "key",
        "The object key of the default workspace's state. It neither starts nor ends with a \
         slash.",
    )
    .required()
    .several_lines();
    pub const REGION: Key<String> =
        key("region", "The region of the bucket, and of the signature. Any name is accepted.")
            .env(&["AWS_REGION", "AWS_DEFAULT_REGION"])
            .required();
    pub const ENDPOINTS_S3: Key<Option<String>> = key(
        "endpoints.s3",
        "The URL of a store other than Amazon's, such as `http://127.0.0.1:9000`. A path in it is \
         put before every key.",
    )
    .aliases(&["endpoint"])
    .env(&["AWS_ENDPOINT_URL_S3", "AWS_S3_ENDPOINT", "AWS_ENDPOINT_URL"]);
    pub const ACCESS_KEY: Key<Option<String>> =
        key("access_key", "The access key id. Better kept in the environment or in a profile.")
            .env(&["AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY"]);
    pub const SECRET_KEY: Key<Option<String>> =
        key("secret_key", "The secret access key. Better kept in the environment or in a profile.")
            .env(&["AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY"])
            .secret();
    pub const TOKEN: Key<Option<String>> =
        key("token", "The session token of temporary credentials.")
            .env(&["AWS_SESSION_TOKEN"])
            .secret();
    pub const PROFILE: Key<Option<String>> = key(
        "profile",
        "The profile of the shared AWS files to take credentials from. Set in the configuration, \
         it goes before access keys in the environment.",
    )
    .env(&["AWS_PROFILE", "AWS_DEFAULT_PROFILE"]);
    pub const SHARED_CREDENTIALS_FILES: Key<Option<Vec<String>>> = key(
        "shared_credentials_files",
        "The files that take the place of `~/.aws/credentials`. Of what several say, the last \
         counts.",
    )
    .env(&["AWS_SHARED_CREDENTIALS_FILE"]);
    pub const SHARED_CREDENTIALS_FILE: Key<Option<String>> =
        key("shared_credentials_file", "One file that takes the place of `~/.aws/credentials`.")
            .deprecated("use `shared_credentials_files`, a list");
    pub const SHARED_CONFIG_FILES: Key<Option<Vec<String>>> = key(
        "shared_config_files",
        "The files that take the place of `~/.aws/config`. Of what several say, the last counts.",
    )
    .env(&["AWS_SHARED_CONFIG_FILE", "AWS_CONFIG_FILE"]);
    pub const ASSUME_ROLE_ROLE_ARN: Key<Option<String>> = key(
        "assume_role.role_arn",
        "The role to assume with the credentials that the other keys give.",
    )
    .aliases(&["role_arn"])
    .required();
    pub const ASSUME_ROLE_DURATION: Key<Option<String>> = key(
        "assume_role.duration",
        "How long a session lasts before the role is assumed anew, 15 minutes to 12 hours, such \
         as `1h30m`; a number alone counts seconds.",
    )
    .aliases(&["assume_role_duration_seconds"]);
    pub const ASSUME_ROLE_EXTERNAL_ID: Key<Option<String>> =
        key("assume_role.external_id", "The external ID that the role's trust policy requires.")
            .aliases(&["external_id"]);
    pub const ASSUME_ROLE_POLICY: Key<Option<String>> =
        key("assume_role.policy", "A policy in JSON that narrows what the session may do.")
            .aliases(&["assume_role_policy"])
            .several_lines();
    pub const ASSUME_ROLE_POLICY_ARNS: Key<Option<Vec<String>>> =
        key("assume_role.policy_arns", "Managed policies that narrow what the session may do.")
            .aliases(&["assume_role_policy_arns"]);
    pub const ASSUME_ROLE_SESSION_NAME: Key<Option<String>> = key(
        "assume_role.session_name",
        "The name of the session, as it stands in the account's logs.",
    )
    .aliases(&["session_name"]);
    pub const ASSUME_ROLE_SOURCE_IDENTITY: Key<Option<String>> = key(
        "assume_role.source_identity",
        "Who is behind the session, as it stands in the account's logs.",
    );
    pub const ASSUME_ROLE_TAGS: Key<Option<BTreeMap<String, String>>> =
        key("assume_role.tags", "The tags of the session.").aliases(&["assume_role_tags"]);
    pub const ASSUME_ROLE_TRANSITIVE_TAG_KEYS: Key<Option<Vec<String>>> = key(
        "assume_role.transitive_tag_keys",
        "Which of its tags a session hands on to the roles that are assumed with it.",
    )
    .aliases(&["assume_role_transitive_tag_keys"]);
    pub const WEB_IDENTITY_ROLE_ARN: Key<Option<String>> = key(
        "assume_role_with_web_identity.role_arn",
        "The role to assume with a token. By the environment alone, the token is one of the \
         sources that the machine offers.",
    )
    .env(&["AWS_ROLE_ARN"])
    .required();
    pub const WEB_IDENTITY_DURATION: Key<Option<String>> = key(
        "assume_role_with_web_identity.duration",
        "How long a session with a token lasts before the role is assumed anew, 15 minutes to 12 \
         hours.",
    );
    pub const WEB_IDENTITY_POLICY: Key<Option<String>> = key(
        "assume_role_with_web_identity.policy",
        "A policy in JSON that narrows what the session with a token may do.",
    )
    .several_lines();
    pub const WEB_IDENTITY_POLICY_ARNS: Key<Option<Vec<String>>> = key(
        "assume_role_with_web_identity.policy_arns",
        "Managed policies that narrow what the session with a token may do.",
    );
    pub const WEB_IDENTITY_SESSION_NAME: Key<Option<String>> = key(
        "assume_role_with_web_identity.session_name",
        "The name of the session with a token, as it stands in the account's logs.",
    )
    .env(&["AWS_ROLE_SESSION_NAME"]);
    pub const WEB_IDENTITY_TOKEN: Key<Option<String>> = key(
        "assume_role_with_web_identity.web_identity_token",
        "The token. Better kept in a file.",
    )
    .env(&["AWS_WEB_IDENTITY_TOKEN"])
    .secret()
    .several_lines();
    pub const WEB_IDENTITY_TOKEN_FILE: Key<Option<String>> = key(
        "assume_role_with_web_identity.web_identity_token_file",
        "The file that holds the token. It is read each time that the role is assumed.",
    )
    .env(&["AWS_WEB_IDENTITY_TOKEN_FILE"]);
    pub const ALLOWED_ACCOUNT_IDS: Key<Option<Vec<String>>> = key(
        "allowed_account_ids",
        "The accounts whose credentials may be used. With this key STS is asked whose the \
         credentials are, otherwise not.",
    );
    pub const FORBIDDEN_ACCOUNT_IDS: Key<Option<Vec<String>>> = key(
        "forbidden_account_ids",
        "The accounts whose credentials must not be used. With this key STS is asked whose the \
         credentials are, otherwise not.",
    );
    pub const ENDPOINTS_STS: Key<Option<String>> =
        key("endpoints.sts", "The URL of an STS other than Amazon's.")
            .aliases(&["sts_endpoint"])
            .env(&["AWS_ENDPOINT_URL_STS", "AWS_STS_ENDPOINT", "AWS_ENDPOINT_URL"]);
    pub const STS_REGION: Key<Option<String>> =
        key("sts_region", "The region of STS, if it is not `region`.");
    pub const ENDPOINTS_IAM: Key<Option<String>> =
        key("endpoints.iam", "Accepted for compatibility: this program sends no request to IAM.")
            .aliases(&["iam_endpoint"])
            .env(&["AWS_ENDPOINT_URL_IAM", "AWS_IAM_ENDPOINT"]);
    pub const ENDPOINTS_SSO: Key<Option<String>> = key(
        "endpoints.sso",
        "Accepted for compatibility. A profile that signs in with SSO follows the variable alone.",
    )
    .env(&["AWS_ENDPOINT_URL_SSO"]);
    pub const EC2_METADATA_SERVICE_ENDPOINT: Key<Option<String>> =
        key("ec2_metadata_service_endpoint", "The URL of the instance metadata service.")
            .env(&["AWS_EC2_METADATA_SERVICE_ENDPOINT", "AWS_METADATA_URL"]);
    pub const EC2_METADATA_SERVICE_ENDPOINT_MODE: Key<Option<String>> = key(
        "ec2_metadata_service_endpoint_mode",
        "How the instance metadata service is reached: `IPv4` or `IPv6`.",
    )
    .env(&["AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"]);
    pub const USE_FIPS_ENDPOINT: Key<bool> = key(
        "use_fips_endpoint",
        "Use Amazon's endpoints with validated cryptography. Not together with endpoints of one's \
         own.",
    )
    .env(&["AWS_USE_FIPS_ENDPOINT"])
    .default("false");
    pub const USE_DUALSTACK_ENDPOINT: Key<bool> = key(
        "use_dualstack_endpoint",
        "Use Amazon's endpoints that are reached over IPv6 too. Not together with endpoints of \
         one's own.",
    )
    .env(&["AWS_USE_DUALSTACK_ENDPOINT"])
    .default("false");
    pub const CUSTOM_CA_BUNDLE: Key<Option<String>> = key(
        "custom_ca_bundle",
        "A file of certificates in PEM that takes the place of the certificates that the system \
         trusts.",
    )
    .env(&["AWS_CA_BUNDLE"]);
    pub const INSECURE: Key<bool> = key(
        "insecure",
        "Accept any certificate: a machine in between can then read and change the state.",
    )
    .default("false");
    pub const HTTP_PROXY: Key<Option<String>> = key(
        "http_proxy",
        "The URL of the proxy for `http`, and for `https` too if no other proxy is given for \
         that. \"\" for none, whatever the environment says.",
    )
    .env(&["HTTP_PROXY", "http_proxy"])
    .empty(EmptyRule::Value)
    .secret();
    pub const HTTPS_PROXY: Key<Option<String>> = key(
        "https_proxy",
        "The URL of the proxy for `https`. \"\" for none, whatever the environment says.",
    )
    .env(&["HTTPS_PROXY", "https_proxy"])
    .empty(EmptyRule::Value)
    .secret();
    pub const NO_PROXY: Key<Option<String>> = key(
        "no_proxy",
        "Hosts to reach without a proxy, separated by commas: names with all below them, \
         addresses, networks such as `10.0.0.0/8`, `*`; all but networks with a port or without.",
    )
    .env(&["NO_PROXY", "no_proxy"]);
    pub const RETRY_MODE: Key<String> = key(
        "retry_mode",
        "How a failed request is repeated: `standard`, or `adaptive` to send fewer requests to a \
         service that is overloaded.",
    )
    .env(&["AWS_RETRY_MODE"])
    .default("standard");
    pub const WORKSPACE_KEY_PREFIX: Key<String> = key(
        "workspace_key_prefix",
        "What stands before the name of a workspace other than `default` in its key. Empty means \
         nothing.",
    )
    .default("env:")
    .empty(EmptyRule::Value)
    .several_lines();
    pub const USE_LOCKFILE: Key<bool> = key(
        "use_lockfile",
        "Lock by an object beside the state, `<state key>.tflock`, that only one client can \
         create.",
    )
    .default("false");
    pub const USE_PATH_STYLE: Key<bool> =
        key("use_path_style", "Name the bucket in the path of the URL and not in its host.")
            .aliases(&["force_path_style"])
            .default("false");
    pub const ENCRYPT: Key<bool> = key(
        "encrypt",
        "Have the store encrypt state and lock file (SSE-S3, or SSE-KMS with `kms_key_id`).",
    )
    .default("false");
    pub const KMS_KEY_ID: Key<Option<String>> =
        key("kms_key_id", "The KMS key to encrypt with. Needs `encrypt`.")
            .empty(EmptyRule::Refused);
    pub const SSE_CUSTOMER_KEY: Key<Option<String>> = key(
        "sse_customer_key",
        "The key to have the store encrypt and decrypt with (SSE-C): 32 bytes in base64. Needs \
         `encrypt`.",
    )
    .env(&["AWS_SSE_CUSTOMER_KEY"])
    .secret()
    .empty(EmptyRule::Refused);
    pub const STATE_TAGS: Key<Option<BTreeMap<String, String>>> = key(
        "state_tags",
        "The tags to put on the state. OpenTofu knows this key, Terraform does not.",
    );
    pub const LOCK_TAGS: Key<Option<BTreeMap<String, String>>> = key(
        "lock_tags",
        "The tags to put on the lock file. OpenTofu knows this key, Terraform does not.",
    );
    pub const ACL: Key<Option<String>> =
        key("acl", "The canned ACL to put on state and lock file.");
    pub const MAX_RETRIES: Key<Number> = key(
        "max_retries",
        "How often a request is attempted in all, the first time included, as in Terraform, \
         whatever the name says. 0 leaves it to `AWS_MAX_ATTEMPTS`, or 3.",
    )
    .default("5");
    pub const SKIP_S3_CHECKSUM: Key<bool> = key(
        "skip_s3_checksum",
        "Send no checksum with what is written, and ask for none with what is read.",
    )
    .default("false");
    pub const SKIP_CREDENTIALS_VALIDATION: Key<bool> = key(
        "skip_credentials_validation",
        "Accepted for compatibility: no identity is asked for here.",
    )
    .default("false");
    pub const SKIP_REQUESTING_ACCOUNT_ID: Key<bool> = key(
        "skip_requesting_account_id",
        "Accepted for compatibility: no account id is asked for here.",
    )
    .default("false");
    pub const SKIP_REGION_VALIDATION: Key<bool> =
        key("skip_region_validation", "Accepted for compatibility: any region is accepted here.")
            .default("false");
    pub const SKIP_METADATA_API_CHECK: Key<bool> =
        key("skip_metadata_api_check", "Do not ask the instance metadata service for credentials.")
            .env(&["AWS_EC2_METADATA_DISABLED"])
            .default("false");
    pub const SKIP_GET_EC2_PLATFORMS: Key<Option<bool>> = key(
        "skip_get_ec2_platforms",
        "Accepted for compatibility: no platforms are asked for here.",
    )
    .deprecated("it has had no effect since Terraform 0.12, and may go");
    pub const USE_LEGACY_WORKFLOW: Key<Option<bool>> = key(
        "use_legacy_workflow",
        "Take access keys in the environment before a profile of the configuration, as Terraform \
         1.5 did.",
    )
    .deprecated("leave `profile` out where access keys in the environment are meant");
    pub const DYNAMODB_TABLE: Key<Option<String>> = key(
        "dynamodb_table",
        "The DynamoDB table that holds the lock, and the digest of the state. Its partition key \
         is `LockID`, a string.",
    )
    .aliases(&["lock_table"]);
    pub const ENDPOINTS_DYNAMODB: Key<Option<String>> =
        key("endpoints.dynamodb", "The URL of a DynamoDB other than Amazon's.")
            .aliases(&["dynamodb_endpoint"])
            .env(&["AWS_ENDPOINT_URL_DYNAMODB", "AWS_DYNAMODB_ENDPOINT", "AWS_ENDPOINT_URL"]);
    pub const DIALECT: Key<String> = key(
        "dialect",
        "Which store this is: `aws`, `minio`, `ceph`, `spaces`, `r2`, `garage`, `generic`, or \
         `auto` to detect it from the endpoint. Terraform does not know this key.",
    )
    .default("auto");
    pub const UNSIGNED_TRAILER: Key<Option<bool>> = key(
        "unsigned_trailer",
        "Send a large state while it is read, without a signature over its bytes and with a \
         checksum behind them, over TLS and on one machine. By default only to MinIO: bucket \
         policies may refuse it. Terraform does not know this key.",
    );
];
