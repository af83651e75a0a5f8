//! The table of keys: only this module defines their spellings, variables, defaults and meanings.

use remote_state_core::config::{ConfigKeySpec, EmptyRule, ProviderSpec, ValueKind};

/// The keys of the `s3` provider. Names, order of fallbacks and defaults are those of
/// `backend "s3"` in Terraform 1.11, see
/// <https://developer.hashicorp.com/terraform/language/backend/s3>.
pub static PROVIDER: ProviderSpec = ProviderSpec {
    scheme: "s3",
    title: "Amazon S3 and stores that speak its protocol",
    keys: KEYS,
};

/// Variables that have had another name since AWS tools agreed on one, with that name.
pub(super) const OLD_VARIABLES: &[(&str, &str)] = &[
    ("AWS_S3_ENDPOINT", "AWS_ENDPOINT_URL_S3"),
    ("AWS_DYNAMODB_ENDPOINT", "AWS_ENDPOINT_URL_DYNAMODB"),
    ("AWS_IAM_ENDPOINT", "AWS_ENDPOINT_URL_IAM"),
    ("AWS_STS_ENDPOINT", "AWS_ENDPOINT_URL_STS"),
    ("AWS_METADATA_URL", "AWS_EC2_METADATA_SERVICE_ENDPOINT"),
];

pub(super) static KEYS: &[ConfigKeySpec] = &[
    ConfigKeySpec::new("bucket", ValueKind::String, "The bucket that holds the state.").required(),
    ConfigKeySpec::new(
        "key",
        ValueKind::String,
        "The object key of the default workspace's state. It neither starts nor ends with a slash.",
    )
    .required(),
    ConfigKeySpec::new(
        "region",
        ValueKind::String,
        "The region of the bucket, and of the signature. Any name is accepted.",
    )
    .env(&["AWS_REGION", "AWS_DEFAULT_REGION"])
    .required(),
    ConfigKeySpec::new(
        "endpoints.s3",
        ValueKind::String,
        "The URL of a store other than Amazon's, such as `http://127.0.0.1:9000`. A path in it is \
         put before every key.",
    )
    .aliases(&["endpoint"])
    .env(&["AWS_ENDPOINT_URL_S3", "AWS_S3_ENDPOINT", "AWS_ENDPOINT_URL"]),
    ConfigKeySpec::new(
        "access_key",
        ValueKind::String,
        "The access key id. Better kept in the environment or in a profile.",
    )
    .env(&["AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY"]),
    ConfigKeySpec::new(
        "secret_key",
        ValueKind::String,
        "The secret access key. Better kept in the environment or in a profile.",
    )
    .env(&["AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY"])
    .secret(),
    ConfigKeySpec::new("token", ValueKind::String, "The session token of temporary credentials.")
        .env(&["AWS_SESSION_TOKEN"])
        .secret(),
    ConfigKeySpec::new(
        "profile",
        ValueKind::String,
        "The profile of the shared AWS files to take credentials from. Set in the configuration, \
         it goes before access keys in the environment.",
    )
    .env(&["AWS_PROFILE", "AWS_DEFAULT_PROFILE"]),
    ConfigKeySpec::new(
        "shared_credentials_files",
        ValueKind::StringList,
        "The files that take the place of `~/.aws/credentials`. Of what several say, the last \
         counts.",
    )
    .env(&["AWS_SHARED_CREDENTIALS_FILE"]),
    ConfigKeySpec::new(
        "shared_credentials_file",
        ValueKind::String,
        "One file that takes the place of `~/.aws/credentials`.",
    )
    .deprecated("use `shared_credentials_files`, a list"),
    ConfigKeySpec::new(
        "shared_config_files",
        ValueKind::StringList,
        "The files that take the place of `~/.aws/config`. Of what several say, the last counts.",
    )
    .env(&["AWS_SHARED_CONFIG_FILE", "AWS_CONFIG_FILE"]),
    ConfigKeySpec::new(
        "assume_role.role_arn",
        ValueKind::String,
        "The role to assume with the credentials that the other keys give.",
    )
    .aliases(&["role_arn"])
    .required(),
    ConfigKeySpec::new(
        "assume_role.duration",
        ValueKind::String,
        "How long a session lasts before the role is assumed anew, 15 minutes to 12 hours, such \
         as `1h30m`; a number alone counts seconds.",
    )
    .aliases(&["assume_role_duration_seconds"]),
    ConfigKeySpec::new(
        "assume_role.external_id",
        ValueKind::String,
        "What the owner of the role demands to be told.",
    )
    .aliases(&["external_id"]),
    ConfigKeySpec::new(
        "assume_role.policy",
        ValueKind::String,
        "A policy in JSON that narrows what the session may do.",
    )
    .aliases(&["assume_role_policy"]),
    ConfigKeySpec::new(
        "assume_role.policy_arns",
        ValueKind::StringList,
        "Managed policies that narrow what the session may do.",
    )
    .aliases(&["assume_role_policy_arns"]),
    ConfigKeySpec::new(
        "assume_role.session_name",
        ValueKind::String,
        "The name of the session, as it stands in the account's logs.",
    )
    .aliases(&["session_name"]),
    ConfigKeySpec::new(
        "assume_role.source_identity",
        ValueKind::String,
        "Who is behind the session, as it stands in the account's logs.",
    ),
    ConfigKeySpec::new("assume_role.tags", ValueKind::StringMap, "The tags of the session.")
        .aliases(&["assume_role_tags"]),
    ConfigKeySpec::new(
        "assume_role.transitive_tag_keys",
        ValueKind::StringList,
        "Which of its tags a session hands on to the roles that are assumed with it.",
    )
    .aliases(&["assume_role_transitive_tag_keys"]),
    ConfigKeySpec::new(
        "assume_role_with_web_identity.role_arn",
        ValueKind::String,
        "The role to assume with a token. By the environment alone, the token is one of the \
         sources that the machine offers.",
    )
    .env(&["AWS_ROLE_ARN"])
    .required(),
    ConfigKeySpec::new(
        "assume_role_with_web_identity.duration",
        ValueKind::String,
        "How long a session with a token lasts before the role is assumed anew, 15 minutes to 12 \
         hours.",
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
    ConfigKeySpec::new(
        "assume_role_with_web_identity.web_identity_token",
        ValueKind::String,
        "The token. Better kept in a file.",
    )
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
        "The accounts whose credentials may be used. With this key STS is asked whose the \
         credentials are, otherwise not.",
    ),
    ConfigKeySpec::new(
        "forbidden_account_ids",
        ValueKind::StringList,
        "The accounts whose credentials must not be used. With this key STS is asked whose the \
         credentials are, otherwise not.",
    ),
    ConfigKeySpec::new(
        "endpoints.sts",
        ValueKind::String,
        "The URL of an STS other than Amazon's.",
    )
    .aliases(&["sts_endpoint"])
    .env(&["AWS_ENDPOINT_URL_STS", "AWS_STS_ENDPOINT", "AWS_ENDPOINT_URL"]),
    ConfigKeySpec::new(
        "sts_region",
        ValueKind::String,
        "The region of STS, if it is not `region`.",
    ),
    ConfigKeySpec::new(
        "endpoints.iam",
        ValueKind::String,
        "Accepted for compatibility: IAM is not asked anything here.",
    )
    .aliases(&["iam_endpoint"])
    .env(&["AWS_ENDPOINT_URL_IAM", "AWS_IAM_ENDPOINT"]),
    ConfigKeySpec::new(
        "endpoints.sso",
        ValueKind::String,
        "Accepted for compatibility. A profile that signs in with SSO follows the variable alone.",
    )
    .env(&["AWS_ENDPOINT_URL_SSO"]),
    ConfigKeySpec::new(
        "ec2_metadata_service_endpoint",
        ValueKind::String,
        "The URL of the instance metadata service.",
    )
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
        "Use Amazon's endpoints with validated cryptography. Not together with endpoints of one's \
         own.",
    )
    .env(&["AWS_USE_FIPS_ENDPOINT"])
    .default("false"),
    ConfigKeySpec::new(
        "use_dualstack_endpoint",
        ValueKind::Bool,
        "Use Amazon's endpoints that are reached over IPv6 too. Not together with endpoints of \
         one's own.",
    )
    .env(&["AWS_USE_DUALSTACK_ENDPOINT"])
    .default("false"),
    ConfigKeySpec::new(
        "custom_ca_bundle",
        ValueKind::String,
        "A file of certificates in PEM that takes the place of the certificates that the system \
         trusts.",
    )
    .env(&["AWS_CA_BUNDLE"]),
    ConfigKeySpec::new(
        "insecure",
        ValueKind::Bool,
        "Accept any certificate: a machine in between can then read and change the state.",
    )
    .default("false"),
    ConfigKeySpec::new(
        "http_proxy",
        ValueKind::String,
        "The URL of the proxy for `http`, and for `https` too if no other proxy is given for \
         that. \"\" for none, whatever the environment says.",
    )
    .env(&["HTTP_PROXY", "http_proxy"])
    .empty(EmptyRule::Value)
    .secret(),
    ConfigKeySpec::new(
        "https_proxy",
        ValueKind::String,
        "The URL of the proxy for `https`. \"\" for none, whatever the environment says.",
    )
    .env(&["HTTPS_PROXY", "https_proxy"])
    .empty(EmptyRule::Value)
    .secret(),
    ConfigKeySpec::new(
        "no_proxy",
        ValueKind::String,
        "What is asked without a proxy, separated by commas: hosts with all below them, \
         addresses, networks such as `10.0.0.0/8`, `*`; all but networks with a port or without.",
    )
    .env(&["NO_PROXY", "no_proxy"]),
    ConfigKeySpec::new(
        "retry_mode",
        ValueKind::String,
        "How a failed request is repeated: `standard`, or `adaptive` to send fewer requests to a \
         service that is overloaded.",
    )
    .env(&["AWS_RETRY_MODE"])
    .default("standard"),
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
    .default("false"),
    ConfigKeySpec::new(
        "use_path_style",
        ValueKind::Bool,
        "Name the bucket in the path of the URL and not in its host.",
    )
    .aliases(&["force_path_style"])
    .default("false"),
    ConfigKeySpec::new(
        "encrypt",
        ValueKind::Bool,
        "Have the store encrypt state and lock file (SSE-S3, or SSE-KMS with `kms_key_id`).",
    )
    .default("false"),
    ConfigKeySpec::new(
        "kms_key_id",
        ValueKind::String,
        "The KMS key to encrypt with. Needs `encrypt`.",
    )
    .empty(EmptyRule::Refused),
    ConfigKeySpec::new(
        "sse_customer_key",
        ValueKind::String,
        "The key to have the store encrypt and decrypt with (SSE-C): 32 bytes in base64. Needs \
         `encrypt`.",
    )
    .env(&["AWS_SSE_CUSTOMER_KEY"])
    .secret()
    .empty(EmptyRule::Refused),
    ConfigKeySpec::new(
        "state_tags",
        ValueKind::StringMap,
        "The tags to put on the state. OpenTofu knows this key, Terraform does not.",
    ),
    ConfigKeySpec::new(
        "lock_tags",
        ValueKind::StringMap,
        "The tags to put on the lock file. OpenTofu knows this key, Terraform does not.",
    ),
    ConfigKeySpec::new("acl", ValueKind::String, "The canned ACL to put on state and lock file."),
    ConfigKeySpec::new(
        "max_retries",
        ValueKind::Number,
        "How often a request is attempted in all, the first time included, as in Terraform, \
         whatever the name says. 0 leaves it to `AWS_MAX_ATTEMPTS`, or 3.",
    )
    .default("5"),
    ConfigKeySpec::new(
        "skip_s3_checksum",
        ValueKind::Bool,
        "Send no checksum with what is written, and ask for none with what is read.",
    )
    .default("false"),
    ConfigKeySpec::new(
        "skip_credentials_validation",
        ValueKind::Bool,
        "Accepted for compatibility: no identity is asked for here.",
    )
    .default("false"),
    ConfigKeySpec::new(
        "skip_requesting_account_id",
        ValueKind::Bool,
        "Accepted for compatibility: no account id is asked for here.",
    )
    .default("false"),
    ConfigKeySpec::new(
        "skip_region_validation",
        ValueKind::Bool,
        "Accepted for compatibility: any region is accepted here.",
    )
    .default("false"),
    ConfigKeySpec::new(
        "skip_metadata_api_check",
        ValueKind::Bool,
        "Do not ask the instance metadata service for credentials.",
    )
    .env(&["AWS_EC2_METADATA_DISABLED"])
    .default("false"),
    ConfigKeySpec::new(
        "skip_get_ec2_platforms",
        ValueKind::Bool,
        "Accepted for compatibility: no platforms are asked for here.",
    )
    .deprecated("it has had no effect since Terraform 0.12, and may go"),
    ConfigKeySpec::new(
        "use_legacy_workflow",
        ValueKind::Bool,
        "Take access keys in the environment before a profile of the configuration, as Terraform \
         1.5 did.",
    )
    .deprecated("leave `profile` out where access keys in the environment are meant"),
    ConfigKeySpec::new(
        "dynamodb_table",
        ValueKind::String,
        "The DynamoDB table that holds the lock, and the digest of the state. Its partition key \
         is `LockID`, a string.",
    )
    .aliases(&["lock_table"]),
    ConfigKeySpec::new(
        "endpoints.dynamodb",
        ValueKind::String,
        "The URL of a DynamoDB other than Amazon's.",
    )
    .aliases(&["dynamodb_endpoint"])
    .env(&["AWS_ENDPOINT_URL_DYNAMODB", "AWS_DYNAMODB_ENDPOINT", "AWS_ENDPOINT_URL"]),
    ConfigKeySpec::new(
        "dialect",
        ValueKind::String,
        "Which store this is: `aws`, `minio`, `ceph`, `spaces`, `r2`, `garage`, `generic`, or \
         `auto` to tell by the endpoint. A key of ours; Terraform does not know it.",
    )
    .default("auto"),
];
