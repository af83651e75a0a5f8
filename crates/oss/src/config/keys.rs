//! The table of keys: the only place that knows their spellings, variables, defaults and meanings.

use remote_state_core::config::{ConfigKeySpec, EmptyRule, ProviderSpec, ValueKind};

/// The keys of the `oss` provider: those of `backend "oss"` in its first proposal (`path`, `name`,
/// `lock`) and in every release (`prefix`, `key`, `tablestore_*`), and some that only this project has. See
/// <https://developer.hashicorp.com/terraform/language/backend/oss>.
pub static PROVIDER: ProviderSpec =
    ProviderSpec { scheme: "oss", title: "Alibaba Cloud OSS", keys: KEYS };

/// A text that may be absent. As in Terraform, an explicit empty string overrides the environment.
const fn text(name: &'static str, doc: &'static str) -> ConfigKeySpec {
    ConfigKeySpec::new(name, ValueKind::String, doc).empty(EmptyRule::Value)
}

pub(super) static KEYS: &[ConfigKeySpec] = &[
    ConfigKeySpec::new("bucket", ValueKind::String, "The bucket that holds the state.").required(),
    text("path", "The folder of the state, whose object is then `<path>/<name>`. Not together with `prefix` or `key`."),
    text("name", "The name of the state's object in `path`; `terraform.tfstate` unless set. It neither starts nor ends with a slash."),
    text(
        "prefix",
        "The folder of the state, whose object is then `<prefix>/<key>`; `env:` unless set. It starts neither with `/` nor with `./`.",
    ),
    text("key", "The name of the state's object in `prefix`; `terraform.tfstate` unless set. It neither starts nor ends with a slash."),
    ConfigKeySpec::new(
        "lock",
        ValueKind::Bool,
        "Lock, by an object beside the state (`<state key>.tflock`) or in a Tablestore table if there is one. Set to `true` beside a table, both are taken.",
    )
    .default("true"),
    text("tablestore_endpoint", "The URL of the Tablestore instance, such as `https://tf-lock.cn-beijing.ots.aliyuncs.com`.")
        .env(&["ALICLOUD_TABLESTORE_ENDPOINT", "ALIBABA_CLOUD_TABLESTORE_ENDPOINT"]),
    text("tablestore_table", "The Tablestore table of locks and digests. Its one primary key column is `LockID`, a string. Needs `tablestore_endpoint`."),
    text("tablestore_instance_name", "The name of the Tablestore instance. Empty stands for the first label of the endpoint's host."),
    text("region", "The region of the bucket, such as `cn-beijing`. Empty stands for the profile's, or the one that the endpoint names.")
        .env(&["ALICLOUD_REGION", "ALIBABA_CLOUD_REGION", "ALICLOUD_DEFAULT_REGION"]),
    text(
        "endpoint",
        "The endpoint of OSS, without the bucket. Empty stands for `oss-<region>.aliyuncs.com`. Without a scheme it is reached over HTTPS.",
    )
    .env(&["ALICLOUD_OSS_ENDPOINT", "ALIBABA_CLOUD_OSS_ENDPOINT", "OSS_ENDPOINT"]),
    ConfigKeySpec::new(
        "location_endpoint",
        ValueKind::String,
        "A location service to ask for the endpoint of the region, if none is set, such as `location-readonly.aliyuncs.com`. A key of ours.",
    ),
    ConfigKeySpec::new(
        "address_style",
        ValueKind::String,
        "How the bucket is named in a URL: `virtual` in the host, `path` in the path, `cname` not at all, for a domain of one's own; `auto` takes `path` for IP addresses and `virtual` for names. A key of ours.",
    )
    .default("auto"),
    ConfigKeySpec::new(
        "signature_version",
        ValueKind::String,
        "`v4`, or `v1` for private clouds that know no other. V4 needs to know the region. A key of ours; Terraform's own is always V1.",
    )
    .default("v4"),
    text("access_key", "The access key id. Better kept in the environment or in a profile.").env(&[
        "ALICLOUD_ACCESS_KEY",
        "ALIBABA_CLOUD_ACCESS_KEY_ID",
        "ALICLOUD_ACCESS_KEY_ID",
    ]),
    text("secret_key", "The access key secret. Better kept in the environment or in a profile.")
        .env(&["ALICLOUD_SECRET_KEY", "ALIBABA_CLOUD_ACCESS_KEY_SECRET", "ALICLOUD_ACCESS_KEY_SECRET"])
        .secret(),
    text("security_token", "The token of temporary credentials.")
        .env(&["ALICLOUD_SECURITY_TOKEN", "ALIBABA_CLOUD_SECURITY_TOKEN", "SECURITY_TOKEN"])
        .secret(),
    text("profile", "The profile of the CLI's file to take from it what is not set otherwise.")
        .env(&["ALICLOUD_PROFILE", "ALIBABA_CLOUD_PROFILE"]),
    text("shared_credentials_file", "The CLI's file of profiles.")
        .env(&["ALICLOUD_SHARED_CREDENTIALS_FILE", "ALIBABA_CLOUD_CREDENTIALS_FILE"])
        .default("~/.aliyun/config.json"),
    text("ecs_role_name", "The role of the ECS instance to take credentials from, where no access key is set.")
        .env(&["ALICLOUD_ECS_ROLE_NAME", "ALIBABA_CLOUD_ECS_METADATA"]),
    ConfigKeySpec::new("ecs_metadata_endpoint", ValueKind::String, "The URL of the instance metadata service. A key of ours.")
        .default("http://100.100.100.200"),
    ConfigKeySpec::new("ecs_metadata_disabled", ValueKind::Bool, "Do not look for a role of the instance that the configuration does not name. A key of ours.")
        .env(&["ALIBABA_CLOUD_ECS_METADATA_DISABLED"])
        .default("false"),
    ConfigKeySpec::new("credentials_uri", ValueKind::String, "A URL that answers with credentials in JSON. A key of ours.")
        .env(&["ALIBABA_CLOUD_CREDENTIALS_URI"]),
    text("sts_endpoint", "The endpoint of STS. Empty stands for `sts.<region>.aliyuncs.com`.")
        .env(&["ALICLOUD_STS_ENDPOINT", "ALIBABA_CLOUD_STS_ENDPOINT"]),
    text("assume_role_role_arn", "The role to assume with the credentials that the other keys give.")
        .env(&["ALICLOUD_ASSUME_ROLE_ARN", "ALIBABA_CLOUD_ROLE_ARN"]),
    text("assume_role_session_name", "The name of the session. Empty stands for the profile's, or `terraform`.")
        .env(&["ALICLOUD_ASSUME_ROLE_SESSION_NAME", "ALIBABA_CLOUD_ROLE_SESSION_NAME"]),
    text("assume_role_policy", "A policy in JSON that narrows what the session may do."),
    ConfigKeySpec::new(
        "assume_role_session_expiration",
        ValueKind::Number,
        "How long a session lasts before the role is assumed anew, in seconds, 900 to 3600. 0 stands for the profile's, or 3600.",
    )
    .env(&["ALICLOUD_ASSUME_ROLE_SESSION_EXPIRATION"]),
    text("assume_role.role_arn", "As `assume_role_role_arn`, which goes before it.").block(),
    text("assume_role.session_name", "As `assume_role_session_name`.").block(),
    text("assume_role.policy", "As `assume_role_policy`.").block(),
    ConfigKeySpec::new("assume_role.session_expiration", ValueKind::Number, "As `assume_role_session_expiration`.").block(),
    ConfigKeySpec::new(
        "oidc_provider_arn",
        ValueKind::String,
        "The identity provider whose token the role `assume_role_role_arn` is assumed with, instead of an access key (RRSA). A key of ours.",
    )
    .env(&["ALIBABA_CLOUD_OIDC_PROVIDER_ARN"]),
    ConfigKeySpec::new("oidc_token_file", ValueKind::String, "The file that holds the token. It is read each time that the role is assumed. A key of ours.")
        .env(&["ALIBABA_CLOUD_OIDC_TOKEN_FILE"]),
    ConfigKeySpec::new("encrypt", ValueKind::Bool, "Have the store encrypt state and lock object, with AES256 unless told otherwise.").default("false"),
    ConfigKeySpec::new("sse_algorithm", ValueKind::String, "What to encrypt with: `AES256`, `KMS` or `SM4`. Needs `encrypt`. A key of ours."),
    ConfigKeySpec::new("kms_key_id", ValueKind::String, "The KMS key to encrypt with, instead of the bucket's own. Needs `encrypt`. A key of ours.")
        .empty(EmptyRule::Refused),
    text(
        "acl",
        "The ACL of state and lock object: `private`, `public-read` or `public-read-write`. Terraform sends it in a header that has no effect on objects.",
    ),
    ConfigKeySpec::new("max_retries", ValueKind::Number, "How often a failed request is repeated. A key of ours.").default("4"),
    text("proxy", "The proxy for everything but the metadata service and this machine itself, such as `http://proxy:3128`. A key of ours.")
        .env(&["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"])
        .secret(),
    text("no_proxy", "The hosts, domains and networks to reach without the proxy, separated by commas. A key of ours.").env(&["NO_PROXY", "no_proxy"]),
];
