//! Accepted and refused values, and the error messages.

use remote_state_core::ErrorKind;
use remote_state_core::config::{Environment, Layer, Setting, Sourced, resolve};
use secrecy::ExposeSecret as _;

use super::keys::KEYS;
use remote_state_core::provider::Layout as _;

use super::*;

const NEEDED: [(&str, &str); 2] = [("bucket", "bkt"), ("region", "cn-beijing")];

fn resolved(keys: &[(&str, &str)], env: &[(&str, &str)]) -> Result<ResolvedConfig> {
    let layer: Layer = keys
        .iter()
        .map(|(name, value)| {
            ((*name).to_owned(), Sourced::new(Setting::from(*value), Origin::file("main.tf", 3)))
        })
        .collect();
    let env: Environment = env.iter().copied().collect();
    resolve(&PROVIDER, &env, &[layer])
}

fn with_environment(keys: &[(&str, &str)], env: &[(&str, &str)]) -> Result<OssConfig> {
    let keys: Vec<_> = NEEDED.iter().chain(keys).copied().collect();
    OssConfig::from_resolved(&resolved(&keys, env)?)
}

fn config(keys: &[(&str, &str)]) -> Result<OssConfig> {
    with_environment(keys, &[])
}

/// Parses a configuration without the keys that all other tests share.
fn alone(keys: &[(&str, &str)], env: &[(&str, &str)]) -> Result<OssConfig> {
    OssConfig::from_resolved(&resolved(keys, env)?)
}

fn places(config: &OssConfig) -> [String; 2] {
    let workspace = |name: &str| name.parse().unwrap();
    [config.layout.state_key(&workspace("default")), config.layout.state_key(&workspace("dev"))]
}

fn endpoint(config: &OssConfig) -> String {
    match &config.endpoint {
        EndpointChoice::Known(endpoint) => endpoint.to_string(),
        EndpointChoice::Asked { service, region, .. } => format!("{service} of {region}"),
    }
}

#[test]
fn readme_lists_every_key_with_its_variables() {
    let readme = include_str!("../../README.md");
    for key in KEYS {
        for name in [&[key.name], key.aliases, key.env].concat() {
            assert!(readme.contains(&format!("`{name}`")), "README.md does not mention `{name}`");
        }
        assert!(readme.contains(key.doc), "README.md does not say what `{}` means", key.name);
    }
}

#[test]
fn keys_that_are_set_decide_about_the_layout() {
    for (keys, [default, dev]) in [
        (&[][..], ["env:/terraform.tfstate", "env:/dev/terraform.tfstate"]),
        (&[("prefix", "p")], ["p/terraform.tfstate", "p/dev/terraform.tfstate"]),
        (&[("key", "k")], ["env:/k", "env:/dev/k"]),
        (&[("prefix", ""), ("key", "k")], ["k", "dev/k"]),
        (
            &[("prefix", "multi/level/path/")],
            ["multi/level/path/terraform.tfstate", "multi/level/path/dev/terraform.tfstate"],
        ),
        (
            &[("path", "path/mystate"), ("name", "version-1.tfstate")],
            ["path/mystate/version-1.tfstate", "path/mystate/dev/version-1.tfstate"],
        ),
        (
            &[("path", "mystate/state")],
            ["mystate/state/terraform.tfstate", "mystate/state/dev/terraform.tfstate"],
        ),
        (&[("path", "/mystate/")], ["mystate/terraform.tfstate", "mystate/dev/terraform.tfstate"]),
        (&[("path", "")], ["terraform.tfstate", "dev/terraform.tfstate"]),
    ] {
        assert_eq!(places(&config(keys).unwrap()), [default, dev], "{keys:?}");
    }
}

#[test]
fn the_two_layouts_are_not_mixed() {
    for keys in [
        [("path", "p"), ("prefix", "q")],
        [("path", "p"), ("key", "k")],
        [("name", "n"), ("prefix", "q")],
        [("name", "n"), ("key", "k")],
    ] {
        let error = config(&keys).unwrap_err();
        assert!(error.message().contains("exclude each other"), "{error}");
        assert_eq!(error.context()[0], ("set in", format!("main.tf:3 (`{}`)", keys[0].0)));
    }
    let error = config(&[("name", "n")]).unwrap_err();
    assert_eq!(error.message(), "`path` is not set for provider `oss`");
}

#[test]
fn values_that_do_not_do_are_refused_with_their_key() {
    for (key, value) in [
        ("bucket", "a/b"),
        ("bucket", "A_B"),
        ("bucket", "ab"),
        ("key", "/k"),
        ("key", "k/"),
        ("key", "../k"),
        ("name", "/n"),
        ("name", "n/"),
        ("prefix", "/p"),
        ("prefix", "./p"),
        ("acl", "everyone"),
        ("endpoint", "ftp://x"),
        ("endpoint", "https://user:hunter2@host"),
        ("address_style", "sideways"),
        ("signature_version", "v2"),
        ("sse_algorithm", "ROT13"),
        ("region", "cn beijing"),
        ("max_retries", "-1"),
        ("proxy", "ftp://hunter2@x"),
        ("assume_role_role_arn", "tf"),
        ("assume_role_session_expiration", "899"),
        ("assume_role_session_expiration", "3601"),
    ] {
        let mut keys = vec![("encrypt", "true")];
        keys.extend(NEEDED.iter().filter(|(name, _)| *name != key));
        if key == "name" {
            keys.push(("path", "p"));
        }
        if key.starts_with("assume_role_session") {
            keys.push(("assume_role_role_arn", "acs:ram::1:role/tf"));
        }
        keys.push((key, value));
        let error = alone(&keys, &[]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConfigInvalid, "{key} = {value}: {error}");
        assert!(error.message().contains(&format!("`{key}`")), "{key} = {value}: {error}");
        assert!(error.context().iter().any(|(_, place)| place == "main.tf:3"), "{error:?}");
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
}

/// Native clients panic here.
#[test]
fn a_table_without_an_endpoint_is_a_configuration_error() {
    let error = config(&[("tablestore_table", "locks")]).unwrap_err();
    assert_eq!(error.message(), "`tablestore_endpoint` is not set for provider `oss`");
    assert!(
        error.context().contains(&("needed by", "`tablestore_table`, set in main.tf:3".to_owned())),
        "{error:?}"
    );
    assert!(error.hints().iter().any(|hint| hint.contains(".ots.aliyuncs.com")), "{error:?}");
    // As in native clients, an endpoint alone locks nothing, so the store uses the lock object.
    let config =
        config(&[("tablestore_endpoint", "https://tf.cn-beijing.ots.aliyuncs.com")]).unwrap();
    assert!(config.tablestore.is_none() && config.uses_lock_object);
}

#[test]
fn an_instance_is_named_by_its_host_unless_it_is_named() {
    let table = [
        ("tablestore_table", "locks"),
        ("tablestore_endpoint", "https://tf-lock.cn-hangzhou.ots.aliyuncs.com"),
    ];
    assert_eq!(config(&table).unwrap().tablestore.unwrap().instance, "tf-lock");
    let named = [table[0], table[1], ("tablestore_instance_name", "other")];
    assert_eq!(config(&named).unwrap().tablestore.unwrap().instance, "other");
}

#[test]
fn a_table_takes_the_place_of_the_lock_object_unless_both_are_asked_for() {
    let table = [
        ("tablestore_table", "locks"),
        ("tablestore_endpoint", "https://tf.cn-beijing.ots.aliyuncs.com"),
    ];
    for (lock, has_table, expected) in [
        (None, false, (true, false)),
        (Some("true"), false, (true, false)),
        (Some("false"), false, (false, false)),
        (None, true, (false, true)),
        (Some("true"), true, (true, true)),
        (Some("false"), true, (false, false)),
    ] {
        let mut keys: Vec<_> = lock.map(|lock| ("lock", lock)).into_iter().collect();
        keys.extend(table.into_iter().filter(|_| has_table));
        let config = config(&keys).unwrap();
        assert_eq!(
            (config.uses_lock_object, config.locks_in_table),
            expected,
            "{lock:?} {has_table}"
        );
    }
}

#[test]
fn an_explicit_empty_string_keeps_the_environment_out() {
    let env = [
        ("ALICLOUD_ACCESS_KEY", "env"),
        ("ALICLOUD_SECRET_KEY", "s"),
        ("ALICLOUD_OSS_ENDPOINT", "env.example.com"),
    ];
    let from_env = with_environment(&[], &env).unwrap();
    assert_eq!(
        (from_env.credentials.access_key.as_str(), endpoint(&from_env).as_str()),
        ("env", "https://env.example.com")
    );
    let keys = [("access_key", ""), ("secret_key", ""), ("endpoint", "")];
    let kept_out = with_environment(&keys, &env).unwrap();
    assert_eq!(kept_out.credentials.access_key, "");
    assert_eq!(kept_out.credentials.secret_key.expose_secret(), "");
    assert_eq!(endpoint(&kept_out), "https://oss-cn-beijing.aliyuncs.com");
}

#[test]
fn the_region_is_found_where_it_is_said() {
    let region = |keys: &[(&str, &str)], env: &[(&str, &str)]| {
        let keys: Vec<_> = [("bucket", "bkt")].iter().chain(keys).copied().collect();
        alone(&keys, env)
            .map(|config| (config.region.clone().unwrap_or_default(), endpoint(&config)))
    };
    let oss = |region: &str| format!("https://oss-{region}.aliyuncs.com");
    assert_eq!(
        region(&[("region", "cn-beijing")], &[]).unwrap(),
        ("cn-beijing".into(), oss("cn-beijing"))
    );
    assert_eq!(
        region(&[("region", "oss-cn-beijing")], &[]).unwrap(),
        ("cn-beijing".into(), oss("cn-beijing"))
    );
    assert_eq!(
        region(&[("endpoint", "oss-cn-hangzhou-internal.aliyuncs.com")], &[]).unwrap().0,
        "cn-hangzhou"
    );
    let env =
        [("ALICLOUD_DEFAULT_REGION", "c"), ("ALIBABA_CLOUD_REGION", "b"), ("ALICLOUD_REGION", "a")];
    for (left, expected) in [(0, "a"), (1, "b"), (2, "c")] {
        assert_eq!(region(&[], &env[..3 - left]).unwrap().0, expected);
    }
    let error = region(&[], &[]).unwrap_err();
    assert_eq!(error.message(), "`region` is not set for provider `oss`");
    assert!(
        region(&[("endpoint", "https://oss.example.com")], &[])
            .unwrap_err()
            .hints()
            .iter()
            .any(|hint| hint.contains("v1"))
    );
    assert!(
        region(&[("endpoint", "https://oss.example.com"), ("signature_version", "v1")], &[])
            .is_ok()
    );
    let asked =
        region(&[("region", "r"), ("location_endpoint", "location-readonly.aliyuncs.com")], &[])
            .unwrap();
    assert_eq!(asked.1, "https://location-readonly.aliyuncs.com/ of r");
}

#[test]
fn encryption_that_would_not_happen_is_refused() {
    for key in ["sse_algorithm", "kms_key_id"] {
        let error = config(&[(key, "KMS")]).unwrap_err();
        assert!(error.hints()[0].contains("encrypt = true"), "{error:?}");
    }
    let encryption = |keys: &[(&str, &str)]| {
        let keys: Vec<_> = [("encrypt", "true")].iter().chain(keys).copied().collect();
        config(&keys).map(|config| config.encryption.unwrap())
    };
    let of =
        |algorithm, key: Option<&str>| Encryption { algorithm, kms_key_id: key.map(str::to_owned) };
    assert_eq!(encryption(&[]).unwrap(), of("AES256", None));
    assert_eq!(encryption(&[("sse_algorithm", "KMS")]).unwrap(), of("KMS", None));
    assert_eq!(encryption(&[("kms_key_id", "k1")]).unwrap(), of("KMS", Some("k1")));
    assert!(encryption(&[("kms_key_id", "k1"), ("sse_algorithm", "SM4")]).is_err());
}

#[test]
fn security_token_of_the_first_proposal_counts_with_its_layout_only() {
    let env = [("SECURITY_TOKEN", "t")];
    let token = |keys: &[(&str, &str)]| {
        with_environment(keys, &env).unwrap().credentials.security_token.expose_secret().to_owned()
    };
    assert_eq!(token(&[("path", "p")]), "t");
    assert_eq!(token(&[("prefix", "p")]), "");
}

#[test]
fn secrets_do_not_show_in_debug_output() {
    let keys = [
        ("access_key", "a"),
        ("secret_key", "hunter2"),
        ("security_token", "hunter3"),
        ("proxy", "http://u:hunter4@p"),
    ];
    assert!(!format!("{:?}", config(&keys).unwrap()).contains("hunter"));
}

#[test]
fn a_role_is_put_together_from_the_single_keys_the_block_and_the_environment() {
    let role = |keys: &[(&str, &str)], env: &[(&str, &str)]| {
        with_environment(keys, env).unwrap().credentials.role
    };
    let arn = "acs:ram::123456:role/tf";
    assert!(role(&[], &[]).is_none());
    let plain = role(&[("assume_role_role_arn", arn)], &[]).unwrap();
    assert_eq!((plain.session_name.as_str(), plain.duration_seconds), ("terraform", 3600));
    let env = [
        ("ALICLOUD_ASSUME_ROLE_ARN", arn),
        ("ALICLOUD_ASSUME_ROLE_SESSION_NAME", "s"),
        ("ALICLOUD_ASSUME_ROLE_SESSION_EXPIRATION", "7200"),
    ];
    let of_env = role(&[], &env).unwrap();
    assert_eq!(
        (of_env.arn.as_str(), of_env.session_name.as_str(), of_env.duration_seconds),
        (arn, "s", 7200)
    );
    let block =
        [("assume_role.role_arn", "acs:ram::1:role/b"), ("assume_role.session_expiration", "900")];
    let of_block = role(&block, &env).unwrap();
    assert_eq!(
        (of_block.arn.as_str(), of_block.session_name.as_str(), of_block.duration_seconds),
        ("acs:ram::1:role/b", "s", 900)
    );
    let both = [("assume_role_role_arn", arn), block[0]];
    assert_eq!(role(&both, &[]).unwrap().arn, arn);
}

#[test]
fn endpoint_that_names_the_bucket_too_is_refused_before_the_region_is_missed() {
    for endpoint in [
        "https://acme-tf.oss-cn-beijing.aliyuncs.com",
        "https://oss-cn-beijing.aliyuncs.com/acme-tf",
        "other.oss-cn-beijing.aliyuncs.com",
    ] {
        let error = alone(&[("bucket", "acme-tf"), ("endpoint", endpoint)], &[]).unwrap_err();
        assert!(error.to_string().contains("the bucket has a key of its own, `bucket`"), "{error}");
        let hint = "write `https://oss-cn-beijing.aliyuncs.com`";
        assert!(error.hints().iter().any(|said| said == hint), "{:?}", error.hints());
        assert!(format!("{:?}", error.context()).contains("main.tf"), "{:?}", error.context());
    }
    let own = [("bucket", "acme-tf"), ("endpoint", "https://acme-tf.oss-cn-beijing.aliyuncs.com")];
    let keys: Vec<_> =
        own.into_iter().chain([("address_style", "cname"), ("region", "cn-beijing")]).collect();
    assert!(alone(&keys, &[]).is_ok(), "a domain that stands for the bucket is one");
}
