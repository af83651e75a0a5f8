//! What configurations mean, which are refused, and with which messages.

use aws_config::imds::client::EndpointMode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use remote_state_core::config::{Environment, Layer, Origin, Setting, Sourced, resolve};
use remote_state_core::{Backend as _, ErrorKind};

mod access;
mod connection;
mod native;
mod roles;
mod shared_files;

use super::keys::KEYS;
use super::*;

const NEEDED: [(&str, &str); 3] = [("bucket", "b"), ("key", "k"), ("region", "r")];

fn config(keys: &[(&str, &str)]) -> Result<S3Config> {
    S3Config::from_resolved(&ResolvedConfig::from_pairs(
        &PROVIDER,
        NEEDED.iter().chain(keys).copied(),
    )?)
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

fn with_settings<const N: usize>(settings: [(&str, Setting); N]) -> Result<S3Config> {
    let needed = NEEDED.map(|(name, value)| (name, Setting::from(value)));
    S3Config::from_resolved(&ResolvedConfig::from_pairs(
        &PROVIDER,
        needed.into_iter().chain(settings),
    )?)
}

fn map_of(members: &[(&str, &str)]) -> Setting {
    let member = |(name, value): &(&str, &str)| {
        ((*name).to_owned(), Sourced::new(Setting::from(*value), Origin::Program))
    };
    Setting::Object(members.iter().map(member).collect())
}

#[test]
fn readme_lists_every_key_with_its_variables() {
    let readme = include_str!("../../../README.md");
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
fn endpoint_that_names_the_bucket_too_is_refused_with_what_to_write() {
    for (endpoint, service) in [
        ("https://acme-tf.ams3.digitaloceanspaces.com", "`https://ams3.digitaloceanspaces.com`"),
        ("bucket.s3.eu-west-1.amazonaws.com", "`https://s3.eu-west-1.amazonaws.com`"),
        ("https://s3.eu-west-1.amazonaws.com/b", "`https://s3.eu-west-1.amazonaws.com`"),
    ] {
        let with = NEEDED.iter().copied().filter(|(name, _)| *name != "bucket");
        let resolved = ResolvedConfig::from_pairs(
            &PROVIDER,
            with.chain([("bucket", "b"), ("endpoint", endpoint)]),
        );
        let error = S3Config::from_resolved(&resolved.unwrap()).unwrap_err();
        assert!(error.to_string().contains("the bucket has a key of its own, `bucket`"), "{error}");
        assert!(error.hints().iter().any(|hint| hint.contains(service)), "{:?}", error.hints());
    }
}

#[test]
fn values_that_do_not_do_are_refused_with_their_key() {
    for (key, value) in [
        ("key", "/k"),
        ("key", "k/"),
        ("key", "a//b"),
        ("key", " "),
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
fn keys_that_exclude_each_other_are_refused_by_name() {
    let list = |name: &'static str, value: &str| (name, Setting::from(vec![value]));
    for pairs in [
        [list("allowed_account_ids", "1"), list("forbidden_account_ids", "2")],
        [("shared_credentials_file", "a".into()), list("shared_credentials_files", "b")],
        [("use_fips_endpoint", true.into()), ("endpoints.s3", "http://x".into())],
        [("use_dualstack_endpoint", true.into()), ("sts_endpoint", "http://x".into())],
    ] {
        let needed = NEEDED.map(|(name, value)| (name, Setting::from(value)));
        let resolved =
            ResolvedConfig::from_pairs(&PROVIDER, needed.into_iter().chain(pairs)).unwrap();
        let error = S3Config::from_resolved(&resolved).unwrap_err();
        assert!(error.message().contains("exclude each other"), "{error}");
    }
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
        assert!(
            error.message().contains(name) && !format!("{error:?}").contains(keys[0].1),
            "{error:?}"
        );
    }
}

#[test]
fn keys_of_kms_are_looked_at_where_amazon_is_asked() {
    let kms = |key, more: &[(&str, &str)]| {
        config(&[&[("encrypt", "true"), ("kms_key_id", key)], more].concat())
    };
    let own_store = [("endpoint", "https://minio.example.com")];
    for (key, more) in [("my-key", &[][..]), ("arn:aws:kms:r:1:key/my-key", &own_store)] {
        let error = kms(key, more).unwrap_err();
        assert!(error.message().starts_with("invalid value for `kms_key_id`: expected"), "{error}");
    }
    kms("my-key", &own_store).unwrap();
    kms("1234abcd-12ab-34cd-a6ef-1234567890ab", &[]).unwrap();
    let error = kms("", &[]).unwrap_err();
    assert!(error.message().contains("`kms_key_id` must not be empty"), "{error}");
    let customer = BASE64.encode([7; 32]);
    let env = [("AWS_SSE_CUSTOMER_KEY", customer.as_str())];
    let error =
        with_environment(&[("encrypt", "true"), ("kms_key_id", "alias/x")], &env).unwrap_err();
    assert!(error.message().contains("exclude each other"), "{error}");
}

#[test]
fn tags_are_encoded_as_a_form_in_the_order_of_their_keys() {
    let tags =
        |tags: Setting| with_settings([("state_tags", tags)]).map(|config| config.tags.state);
    let encoded = tags(map_of(&[("team", "net & ops"), ("a=b", "ü"), ("empty", "")])).unwrap();
    assert_eq!(encoded.as_deref(), Some("a%3Db=%C3%BC&empty=&team=net+%26+ops"));
    assert_eq!(tags(map_of(&[])).unwrap(), None);
    let eleven: Vec<_> = (0..11).map(|number| number.to_string()).collect();
    let eleven: Vec<_> = eleven.iter().map(|name| (name.as_str(), "")).collect();
    for (bad, word) in [
        (map_of(&eleven), "at most 10"),
        (map_of(&[("", "x")]), "key of a tag"),
        (map_of(&[("a", &"x".repeat(257))]), "at most 256"),
    ] {
        let error = tags(bad).unwrap_err();
        assert!(
            error.message().contains("`state_tags`") && error.message().contains(word),
            "{error}"
        );
    }
    let config = with_settings([("lock_tags", map_of(&[("a", "b")]))]).unwrap();
    assert_eq!((config.tags.state, config.tags.lock.as_deref()), (None, Some("a=b")));
}

#[test]
fn the_block_of_spaces_guide_is_spoken_to_as_spaces_with_a_bucket_in_the_host() {
    let block = [
        ("endpoint", "https://nyc3.digitaloceanspaces.com"),
        ("region", "us-east-1"),
        ("skip_credentials_validation", "true"),
        ("skip_requesting_account_id", "true"),
        ("skip_metadata_api_check", "true"),
        ("skip_region_validation", "true"),
        ("skip_s3_checksum", "true"),
    ];
    for lock in ["false", "true"] {
        let config = config(&[&block[..], &[("use_lockfile", lock)]].concat()).unwrap();
        assert_eq!(config.dialect().name, DialectName::Spaces);
        assert!(
            !config.use_path_style
                && config.dialect().addressing == crate::dialect::Addressing::Host
        );
        assert_eq!(config.use_lockfile, lock == "true");
    }
}

#[test]
fn endpoint_of_a_cache_is_refused() {
    let error = config(&[("endpoint", "https://b.nyc3.cdn.digitaloceanspaces.com")]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConfigInvalid);
    assert!(error.message().contains("a state from a cache is a wrong state"), "{error}");
}
