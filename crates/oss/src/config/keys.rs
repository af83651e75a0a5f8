//! The keys of the provider. Only their rows here define spellings, variables, defaults and
//! meanings.

use remote_state_core::config::{EmptyRule, Number, ProviderSpec};
use remote_state_core::keys;

/// The keys of the `oss` provider: those of `backend "oss"` in its first proposal (`path`, `name`,
/// `lock`) and in every release (`prefix`, `key`, `tablestore_*`), and some that only this project
/// has. See <https://developer.hashicorp.com/terraform/language/backend/oss>.
pub static PROVIDER: ProviderSpec = ProviderSpec::new("oss", "Alibaba Cloud OSS", KEYS);

// As in Terraform, an explicit empty string overrides the environment: `EmptyRule::Value`.
keys![
    pub const BUCKET: Key<String> = key("bucket", "The bucket that holds the state.").required();
    pub const PATH: Key<Option<String>> = key(
        "path",
        "The folder of the state, whose object is then `<path>/<name>`. Not together with \
         `prefix` or `key`.",
    )
    .empty(EmptyRule::Value)
    .several_lines();
    pub const NAME: Key<Option<String>> = key(
        "name",
        "The name of the state's object in `path`; `terraform.tfstate` unless set. It neither \
         starts nor ends with a slash.",
    )
    .empty(EmptyRule::Value)
    .several_lines();
    pub const PREFIX: Key<Option<String>> = key(
        "prefix",
        "The folder of the state, whose object is then `<prefix>/<key>`; `env:` unless set. It \
         starts neither with `/` nor with `./`.",
    )
    .empty(EmptyRule::Value)
    .several_lines();
    pub const KEY: Key<Option<String>> = key(
        "key",
        "The name of the state's object in `prefix`; `terraform.tfstate` unless set. It neither \
         starts nor ends with a slash.",
    )
    .empty(EmptyRule::Value)
    .several_lines();
    pub const LOCK: Key<bool> = key(
        "lock",
        "Lock, by an object beside the state (`<state key>.tflock`) or in a Tablestore table if \
         there is one. Set to `true` beside a table, both are taken.",
    )
    .default("true");
    pub const TABLESTORE_ENDPOINT: Key<Option<String>> = key(
        "tablestore_endpoint",
        "The URL of the Tablestore instance, such as \
         `https://tf-lock.cn-beijing.ots.aliyuncs.com`.",
    )
    .env(&["ALICLOUD_TABLESTORE_ENDPOINT", "ALIBABA_CLOUD_TABLESTORE_ENDPOINT"])
    .empty(EmptyRule::Value);
    pub const TABLESTORE_TABLE: Key<Option<String>> = key(
        "tablestore_table",
        "The Tablestore table of locks and digests. Its one primary key column is `LockID`, a \
         string. Needs `tablestore_endpoint`.",
    )
    .empty(EmptyRule::Value);
    pub const TABLESTORE_INSTANCE_NAME: Key<Option<String>> = key(
        "tablestore_instance_name",
        "The name of the Tablestore instance. Empty stands for the first label of the endpoint's \
         host.",
    )
    .empty(EmptyRule::Value);
    pub const REGION: Key<Option<String>> = key(
        "region",
        "The region of the bucket, such as `cn-beijing`. Empty stands for the profile's, or the \
         one that the endpoint names.",
    )
    .env(&["ALICLOUD_REGION", "ALIBABA_CLOUD_REGION", "ALICLOUD_DEFAULT_REGION"])
    .empty(EmptyRule::Value);
    pub const ENDPOINT: Key<Option<String>> = key(
        "endpoint",
        "The endpoint of OSS, without the bucket. Empty stands for `oss-<region>.aliyuncs.com`. \
         Without a scheme it is reached over HTTPS.",
    )
    .env(&["ALICLOUD_OSS_ENDPOINT", "ALIBABA_CLOUD_OSS_ENDPOINT", "OSS_ENDPOINT"])
    .empty(EmptyRule::Value);
    pub const LOCATION_ENDPOINT: Key<Option<String>> = key(
        "location_endpoint",
        "A location service to ask for the endpoint of the region, if none is set, such as \
         `location-readonly.aliyuncs.com`. Terraform does not know this key.",
    );
    pub const ADDRESS_STYLE: Key<String> = key(
        "address_style",
        "How the bucket is named in a URL: `virtual` in the host, `path` in the path, `cname` not \
         at all, for a domain of one's own; `auto` takes `path` for IP addresses and `virtual` \
         for names. Terraform does not know this key.",
    )
    .default("auto");
    pub const SIGNATURE_VERSION: Key<String> = key(
        "signature_version",
        "`v4`, or `v1` for private clouds that know no other. V4 needs to know the region. \
         Terraform does not know this key: its own signature is always V1.",
    )
    .default("v4");
    pub const ACCESS_KEY: Key<Option<String>> =
        key("access_key", "The access key id. Better kept in the environment or in a profile.")
            .env(&["ALICLOUD_ACCESS_KEY", "ALIBABA_CLOUD_ACCESS_KEY_ID", "ALICLOUD_ACCESS_KEY_ID"])
            .empty(EmptyRule::Value);
    pub const SECRET_KEY: Key<Option<String>> =
        key("secret_key", "The access key secret. Better kept in the environment or in a profile.")
            .env(&[
                "ALICLOUD_SECRET_KEY",
                "ALIBABA_CLOUD_ACCESS_KEY_SECRET",
                "ALICLOUD_ACCESS_KEY_SECRET",
            ])
            .secret()
            .empty(EmptyRule::Value);
    pub const SECURITY_TOKEN: Key<Option<String>> =
        key("security_token", "The token of temporary credentials.")
            .env(&["ALICLOUD_SECURITY_TOKEN", "ALIBABA_CLOUD_SECURITY_TOKEN", "SECURITY_TOKEN"])
            .secret()
            .empty(EmptyRule::Value);
    pub const PROFILE: Key<Option<String>> =
        key("profile", "The profile of the CLI's file to take from it what is not set otherwise.")
            .env(&["ALICLOUD_PROFILE", "ALIBABA_CLOUD_PROFILE"])
            .empty(EmptyRule::Value);
    pub const SHARED_CREDENTIALS_FILE: Key<String> =
        key("shared_credentials_file", "The CLI's file of profiles.")
            .env(&["ALICLOUD_SHARED_CREDENTIALS_FILE", "ALIBABA_CLOUD_CREDENTIALS_FILE"])
            .default("~/.aliyun/config.json")
            .empty(EmptyRule::Value);
    pub const ECS_ROLE_NAME: Key<Option<String>> = key(
        "ecs_role_name",
        "The role of the ECS instance to take credentials from, where no access key is set.",
    )
    .env(&["ALICLOUD_ECS_ROLE_NAME", "ALIBABA_CLOUD_ECS_METADATA"])
    .empty(EmptyRule::Value);
    pub const ECS_METADATA_ENDPOINT: Key<String> = key(
        "ecs_metadata_endpoint",
        "The URL of the instance metadata service. Terraform does not know this key.",
    )
    .default("http://100.100.100.200");
    pub const ECS_METADATA_DISABLED: Key<bool> = key(
        "ecs_metadata_disabled",
        "Do not look for a role of the instance that the configuration does not name. \
         Terraform does not know this key.",
    )
    .env(&["ALIBABA_CLOUD_ECS_METADATA_DISABLED"])
    .default("false");
    pub const CREDENTIALS_URI: Key<Option<String>> = key(
        "credentials_uri",
        "A URL that answers with credentials in JSON. Terraform does not know this key.",
    )
    .env(&["ALIBABA_CLOUD_CREDENTIALS_URI"]);
    pub const STS_ENDPOINT: Key<Option<String>> =
        key("sts_endpoint", "The endpoint of STS. Empty stands for `sts.<region>.aliyuncs.com`.")
            .env(&["ALICLOUD_STS_ENDPOINT", "ALIBABA_CLOUD_STS_ENDPOINT"])
            .empty(EmptyRule::Value);
    pub const ASSUME_ROLE_ROLE_ARN: Key<Option<String>> = key(
        "assume_role_role_arn",
        "The role to assume with the credentials that the other keys give.",
    )
    .env(&["ALICLOUD_ASSUME_ROLE_ARN", "ALIBABA_CLOUD_ROLE_ARN"])
    .empty(EmptyRule::Value);
    pub const ASSUME_ROLE_SESSION_NAME: Key<Option<String>> = key(
        "assume_role_session_name",
        "The name of the session. Empty stands for the profile's, or `terraform`.",
    )
    .env(&["ALICLOUD_ASSUME_ROLE_SESSION_NAME", "ALIBABA_CLOUD_ROLE_SESSION_NAME"])
    .empty(EmptyRule::Value);
    pub const ASSUME_ROLE_POLICY: Key<Option<String>> =
        key("assume_role_policy", "A policy in JSON that narrows what the session may do.")
            .empty(EmptyRule::Value)
            .several_lines();
    pub const ASSUME_ROLE_SESSION_EXPIRATION: Key<Option<Number>> = key(
        "assume_role_session_expiration",
        "How long a session lasts before the role is assumed anew, in seconds, 900 to 3600. 0 \
         stands for the profile's, or 3600.",
    )
    .env(&["ALICLOUD_ASSUME_ROLE_SESSION_EXPIRATION"]);
    pub const BLOCK_ROLE_ARN: Key<Option<String>> =
        key("assume_role.role_arn", "As `assume_role_role_arn`, which goes before it.")
            .block()
            .empty(EmptyRule::Value);
    pub const BLOCK_SESSION_NAME: Key<Option<String>> =
        key("assume_role.session_name", "As `assume_role_session_name`.")
            .block()
            .empty(EmptyRule::Value);
    pub const BLOCK_POLICY: Key<Option<String>> =
        key("assume_role.policy", "As `assume_role_policy`.")
            .block()
            .empty(EmptyRule::Value)
            .several_lines();
    pub const BLOCK_SESSION_EXPIRATION: Key<Option<Number>> =
        key("assume_role.session_expiration", "As `assume_role_session_expiration`.").block();
    pub const OIDC_PROVIDER_ARN: Key<Option<String>> = key(
        "oidc_provider_arn",
        "The identity provider whose token the role `assume_role_role_arn` is assumed with, \
         instead of an access key (RRSA). Terraform does not know this key.",
    )
    .env(&["ALIBABA_CLOUD_OIDC_PROVIDER_ARN"]);
    pub const OIDC_TOKEN_FILE: Key<Option<String>> = key(
        "oidc_token_file",
        "The file that holds the token. It is read each time that the role is assumed. \
         Terraform does not know this key.",
    )
    .env(&["ALIBABA_CLOUD_OIDC_TOKEN_FILE"]);
    pub const ENCRYPT: Key<bool> = key(
        "encrypt",
        "Have the store encrypt state and lock object, with AES256 unless told otherwise.",
    )
    .default("false");
    pub const SSE_ALGORITHM: Key<Option<String>> = key(
        "sse_algorithm",
        "What to encrypt with: `AES256`, `KMS` or `SM4`. Needs `encrypt`. Terraform does not know \
         this key.",
    );
    pub const KMS_KEY_ID: Key<Option<String>> = key(
        "kms_key_id",
        "The KMS key to encrypt with, instead of the bucket's own. Needs `encrypt`. \
         Terraform does not know this key.",
    )
    .empty(EmptyRule::Refused);
    pub const ACL: Key<Option<String>> = key(
        "acl",
        "The ACL of state and lock object: `private`, `public-read` or `public-read-write`. \
         Terraform sends it in a header that has no effect on objects.",
    )
    .empty(EmptyRule::Value);
    pub const MAX_RETRIES: Key<Number> = key(
        "max_retries",
        "How often a failed request is repeated. Terraform does not know this key.",
    )
    .default("4");
    pub const PROXY: Key<Option<String>> = key(
        "proxy",
        "The proxy for everything but the metadata service and this machine itself, such as \
         `http://proxy:3128`. Terraform does not know this key.",
    )
    .env(&["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"])
    .secret()
    .empty(EmptyRule::Value);
    pub const NO_PROXY: Key<Option<String>> = key(
        "no_proxy",
        "The hosts, domains and networks to reach without the proxy, separated by commas. \
         Terraform does not know this key.",
    )
    .env(&["NO_PROXY", "no_proxy"])
    .empty(EmptyRule::Value);
];
