//! What is read, what is refused, and in what words.

use aws_config::imds::client::EndpointMode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use remote_state_core::ErrorKind;
use remote_state_core::config::{Environment, Layer, Origin, Setting, Sourced, resolve};

use super::keys::KEYS;
use super::*;
use crate::credentials::SharedFile;
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
    let readme = include_str!("../../README.md");
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
    for (table, endpoint) in [("dynamodb_table", "endpoints.dynamodb"), ("lock_table", "dynamodb_endpoint")] {
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
    let env = [("AWS_ACCESS_KEY_ID", "env"), ("AWS_SECRET_ACCESS_KEY", "s"), ("AWS_PROFILE", "envprofile")];
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
            keys.push(("assume_role.role_arn", ROLE));
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
    let is_file =
        |found: Token, path: &str| matches!(found, Token::File(file) if file == std::path::Path::new(path));
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
    let env_with_home = [&env[..], &[("HOME", "/home/a")]].concat();
    let machine = with_environment(&[], &env_with_home).unwrap().machine;
    assert_eq!(machine.credentials_files, [SharedFile { path: "/env".into(), may_be_missing: true }]);
    assert_eq!(machine.config_files[0].path, std::path::Path::new("/home/a/c"));
    let machine = with_environment(&[("shared_credentials_file", "/conf")], &env_with_home).unwrap().machine;
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

#[test]
fn attempts_are_counted_as_in_native_clients() {
    let attempts = |text, env: &[(&str, &str)]| {
        with_environment(&[("max_retries", text)], env).map(|config| config.max_attempts)
    };
    let env = [("AWS_MAX_ATTEMPTS", "7")];
    for (text, env, expected) in
        [("1", &env[..], 1), ("5.0", &[], 5), ("1e1", &[], 10), ("0", &[], 3), ("0", &env, 7)]
    {
        assert_eq!(attempts(text, env).unwrap(), expected, "{text}");
    }
    for (text, env) in [("1.5", &[][..]), ("-1", &[]), ("4294967296", &[])] {
        let error = attempts(text, env).unwrap_err();
        assert!(error.message().contains("`max_retries`") && !error.hints().is_empty(), "{error}");
    }
    let error = attempts("0", &[("AWS_MAX_ATTEMPTS", "many")]).unwrap_err();
    assert!(error.message().contains("`AWS_MAX_ATTEMPTS`"), "{error}");
    // Without the key the variable does not count.
    assert_eq!(with_environment(&[], &env).unwrap().max_attempts, 5);
}

#[test]
fn switches_in_the_environment_mean_what_they_say() {
    let has_fips = |keys: &[(&str, &str)], value: &str| {
        with_environment(keys, &[("AWS_USE_FIPS_ENDPOINT", value)]).map(|config| config.connection.has_fips)
    };
    for (value, expected) in [("true", true), ("TRUE", true), ("false", false), ("False", false), ("", false)]
    {
        assert_eq!(has_fips(&[], value).unwrap(), expected, "{value}");
    }
    assert!(!has_fips(&[("use_fips_endpoint", "false")], "true").unwrap());
    assert!(has_fips(&[("use_fips_endpoint", "true")], "false").unwrap());
    // Terraform 1.14 takes this for true, 1.15 for nothing: neither may be what was meant.
    let error = has_fips(&[], "yes").unwrap_err();
    assert!(error.context().contains(&("set in", "$AWS_USE_FIPS_ENDPOINT".to_owned())), "{error:?}");
    let dual = with_environment(&[], &[("AWS_USE_DUALSTACK_ENDPOINT", "true")]).unwrap();
    assert!(dual.connection.has_dual_stack);
}

#[test]
fn keys_of_kms_are_looked_at_where_amazon_is_asked() {
    let kms =
        |key, more: &[(&str, &str)]| config(&[&[("encrypt", "true"), ("kms_key_id", key)], more].concat());
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
    let error = with_environment(&[("encrypt", "true"), ("kms_key_id", "alias/x")], &env).unwrap_err();
    assert!(error.message().contains("exclude each other"), "{error}");
}

fn with_settings<const N: usize>(settings: [(&str, Setting); N]) -> Result<S3Config> {
    let needed = NEEDED.map(|(name, value)| (name, Setting::from(value)));
    S3Config::from_resolved(&ResolvedConfig::from_pairs(&PROVIDER, needed.into_iter().chain(settings))?)
}

fn map_of(members: &[(&str, &str)]) -> Setting {
    let member = |(name, value): &(&str, &str)| {
        ((*name).to_owned(), Sourced::new(Setting::from(*value), Origin::Program))
    };
    Setting::Object(members.iter().map(member).collect())
}

#[test]
fn tags_are_encoded_as_a_form_in_the_order_of_their_keys() {
    let tags = |tags: Setting| with_settings([("state_tags", tags)]).map(|config| config.tags.state);
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
        assert!(error.message().contains("`state_tags`") && error.message().contains(word), "{error}");
    }
    let config = with_settings([("lock_tags", map_of(&[("a", "b")]))]).unwrap();
    assert_eq!((config.tags.state, config.tags.lock.as_deref()), (None, Some("a=b")));
}

#[test]
fn historic_keys_without_effect_are_accepted_with_a_note() {
    for key in ["skip_get_ec2_platforms", "use_legacy_workflow"] {
        let resolved =
            ResolvedConfig::from_pairs(&PROVIDER, NEEDED.into_iter().chain([(key, "true")])).unwrap();
        S3Config::from_resolved(&resolved).unwrap();
        assert!(resolved.notes()[0].contains(&format!("`{key}`")), "{:?}", resolved.notes());
    }
    // The one that has an effect.
    let env = [("AWS_ACCESS_KEY_ID", "env"), ("AWS_SECRET_ACCESS_KEY", "s")];
    let legacy = with_environment(&[("use_legacy_workflow", "true"), ("profile", "p")], &env).unwrap();
    assert!(matches!(legacy.credentials, CredentialConfig::Static { access_key, .. } if access_key == "env"));
}

#[test]
fn old_names_of_variables_and_endpoints_without_a_scheme_are_noted() {
    let notes =
        |keys: &[(&str, &str)], env: &[(&str, &str)]| with_environment(keys, env).unwrap().notes().to_vec();
    assert_eq!(
        notes(&[], &[("AWS_S3_ENDPOINT", "http://old")]),
        ["`AWS_S3_ENDPOINT` is an older name of `AWS_ENDPOINT_URL_S3`"]
    );
    // The one that counts is the new one.
    assert!(
        notes(&[], &[("AWS_S3_ENDPOINT", "http://old"), ("AWS_ENDPOINT_URL_S3", "http://new")]).is_empty()
    );
    let scheme = notes(&[("endpoint", "127.0.0.1:9000")], &[]);
    assert!(scheme[0].starts_with("`endpoints.s3` (main.tf:3) has no scheme"), "{scheme:?}");
    assert!(notes(&[("endpoint", "http://127.0.0.1:9000")], &[]).is_empty());
}

#[test]
fn unknown_member_of_endpoints_is_noted_and_ignored() {
    let endpoints = map_of(&[("s3", "http://x"), ("bogus", "y")]);
    let needed = NEEDED.map(|(name, value)| (name, Setting::from(value)));
    let pairs = needed.into_iter().chain([("endpoints", endpoints)]);
    let resolved = ResolvedConfig::from_pairs(&PROVIDER, pairs).unwrap();
    assert!(resolved.notes()[0].contains("`endpoints.bogus`"), "{:?}", resolved.notes());
    assert_eq!(S3Config::from_resolved(&resolved).unwrap().endpoint.unwrap().as_str(), "http://x/");
}

#[test]
fn historic_names_of_a_role_are_not_mixed_with_the_object() {
    let role = map_of(&[("role_arn", ROLE)]);
    let error = with_settings([("assume_role", role), ("external_id", "abc".into())]).unwrap_err();
    assert_eq!(error.hints(), ["write `external_id` as `assume_role.external_id`"]);
}

#[test]
fn files_are_named_with_variables_of_the_environment_that_is_handed_in() {
    let env = [("CREDENTIALS", "/c"), ("HOME", "/home/a")];
    let machine = with_environment(&[("shared_credentials_file", "$CREDENTIALS/x")], &env).unwrap().machine;
    assert_eq!(machine.credentials_files[0].path, std::path::Path::new("/c/x"));
    for (key, value) in [("shared_credentials_file", "~/x"), ("custom_ca_bundle", "$NOT_SET/ca.pem")] {
        let error = config(&[(key, value)]).unwrap_err();
        assert!(error.message().contains(&format!("`{key}`")), "{error}");
        assert!(error.message().contains("which is not set"), "{error}");
    }
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
        let store = crate::S3Store::new(&config);
        assert_eq!(store.dialect().name, DialectName::Spaces);
        assert!(!config.use_path_style && store.dialect().addressing == crate::Addressing::Host);
        assert_eq!(config.use_lockfile, lock == "true");
    }
}

#[test]
fn endpoint_of_a_cache_is_refused() {
    let error = config(&[("endpoint", "https://b.nyc3.cdn.digitaloceanspaces.com")]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConfigInvalid);
    assert!(error.message().contains("a state from a cache is a wrong state"), "{error}");
}
