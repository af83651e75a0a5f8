//! The cases that the native clients' own tests distinguish; `tests/README.md` maps their names to
//! the tests here.

use super::roles::ROLE;
use super::*;

/// Resolves a block that need not be complete.
fn block(settings: Vec<(&str, Setting)>, env: &[(&str, &str)]) -> Result<S3Config> {
    let layer: Layer = settings
        .into_iter()
        .map(|(name, value)| (name.to_owned(), Sourced::new(value, Origin::file("main.tf", 3))))
        .collect();
    let env: Environment = env.iter().copied().collect();
    S3Config::from_resolved(&resolve(&PROVIDER, &env, &[layer])?)
}

/// Returns the three keys that every block has, except that one has another value or is missing.
fn needed_but(name: &str, value: Option<Setting>) -> Vec<(&str, Setting)> {
    let others = NEEDED.into_iter().filter(|(other, _)| *other != name);
    let mut settings: Vec<_> = others.map(|(name, value)| (name, Setting::from(value))).collect();
    settings.extend(value.map(|value| (name, value)));
    settings
}

#[test]
fn block_that_lacks_what_is_needed_is_refused_by_the_name_of_the_key() {
    for name in ["bucket", "key", "region"] {
        for value in [None, Some(Setting::Null), Some("".into())] {
            let error = block(needed_but(name, value), &[]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConfigInvalid);
            assert!(error.message().contains(&format!("`{name}` is not set")), "{error}");
        }
    }
    let blank = block(needed_but("bucket", Some("  ".into())), &[]).unwrap_err();
    assert!(blank.message().contains("`bucket`"), "{blank}");
    let blank = block(needed_but("key", Some("  ".into())), &[]).unwrap_err();
    assert!(blank.message().contains("`key`: it is empty"), "{blank}");
}

#[test]
fn block_is_checked_as_native_clients_check_it() {
    let list = |value: &str| Setting::from(vec![value]);
    let key = BASE64.encode([7; 32]);
    let cases: Vec<(Vec<(&str, Setting)>, &str)> = vec![
        (needed_but("key", Some("/k".into())), "must not start or end with a slash"),
        (needed_but("key", Some("k/".into())), "must not start or end with a slash"),
        (needed_but("key", Some("a//b".into())), "must not contain `//`"),
        (vec![("workspace_key_prefix", "/env".into())], "must not start or end with a slash"),
        (vec![("workspace_key_prefix", "env/".into())], "must not start or end with a slash"),
        (
            vec![
                ("encrypt", true.into()),
                ("kms_key_id", "alias/x".into()),
                ("sse_customer_key", key.into()),
            ],
            "exclude each other",
        ),
        (
            vec![("shared_credentials_file", "a".into()), ("shared_credentials_files", list("b"))],
            "exclude each other",
        ),
        (
            vec![("allowed_account_ids", list("1")), ("forbidden_account_ids", list("2"))],
            "exclude each other",
        ),
        (vec![("force_path_style", true.into()), ("use_path_style", true.into())], "mean the same"),
        (vec![("retry_mode", "xyz".into())], "expected `standard` or `adaptive`"),
    ];
    for (settings, words) in cases {
        let is_whole = settings.iter().any(|(name, _)| *name == "bucket");
        let all = if is_whole { settings } else { [needed_but("", None), settings].concat() };
        let error = block(all, &[]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConfigInvalid);
        assert!(error.message().contains(words), "{error}");
    }
}

#[test]
fn region_is_that_of_the_configuration_then_that_of_either_variable() {
    let (both, default) =
        ([("AWS_REGION", "r1"), ("AWS_DEFAULT_REGION", "r2")], [("AWS_DEFAULT_REGION", "r2")]);
    let region = |value: Option<&str>, env: &[(&str, &str)]| {
        block(needed_but("region", value.map(Setting::from)), env).map(|config| config.region)
    };
    assert_eq!(region(Some("r0"), &both).unwrap(), "r0");
    assert_eq!(region(None, &both).unwrap(), "r1");
    assert_eq!(region(None, &both[..1]).unwrap(), "r1");
    assert_eq!(region(None, &default).unwrap(), "r2");
    assert_eq!(region(Some(""), &default).unwrap(), "r2");
    // A region of next year is accepted too.
    assert_eq!(region(Some("mars-north-1"), &[]).unwrap(), "mars-north-1");
    assert!(
        region(None, &[]).unwrap_err().hints().iter().any(|hint| hint.contains("`AWS_REGION`"))
    );
}

#[test]
fn endpoints_of_all_services_are_looked_for_in_the_same_order() {
    let services = [
        ("s3", "endpoint", "AWS_ENDPOINT_URL_S3", "AWS_S3_ENDPOINT"),
        ("dynamodb", "dynamodb_endpoint", "AWS_ENDPOINT_URL_DYNAMODB", "AWS_DYNAMODB_ENDPOINT"),
        ("iam", "iam_endpoint", "AWS_ENDPOINT_URL_IAM", "AWS_IAM_ENDPOINT"),
        ("sts", "sts_endpoint", "AWS_ENDPOINT_URL_STS", "AWS_STS_ENDPOINT"),
    ];
    for (service, old_key, variable, old_variable) in services {
        let new_key = format!("endpoints.{service}");
        let url = |keys: &[(&str, &str)], env: &[(&str, &str)]| {
            let settings = keys.iter().map(|(name, value)| (*name, Setting::from(*value)));
            let layer: Layer = needed_but("", None)
                .into_iter()
                .chain(settings)
                .map(|(name, value)| (name.to_owned(), Sourced::new(value, Origin::Program)))
                .collect();
            let env: Environment = env.iter().copied().collect();
            let resolved = resolve(&PROVIDER, &env, &[layer])?;
            let config = S3Config::from_resolved(&resolved)?;
            Ok::<_, remote_state_core::Error>((
                resolved.string(&new_key).map(str::to_owned),
                resolved,
                config,
            ))
        };
        let env = [
            ("AWS_ENDPOINT_URL", "https://base"),
            (old_variable, "https://old-variable"),
            (variable, "https://variable"),
        ];
        let found = |keys: &[(&str, &str)], env: &[(&str, &str)]| url(keys, env).unwrap().0;
        assert_eq!(found(&[], &[]), None, "{service}");
        // No request goes to IAM, so its endpoint does not matter.
        let base = (service != "iam").then(|| "https://base".to_owned());
        assert_eq!(found(&[], &env[..1]), base, "{service}");
        assert_eq!(found(&[], &env[..2]).as_deref(), Some("https://old-variable"));
        assert_eq!(found(&[], &env).as_deref(), Some("https://variable"));
        assert_eq!(found(&[(old_key, "https://old")], &env).as_deref(), Some("https://old"));
        assert_eq!(found(&[(&new_key, "https://new")], &env).as_deref(), Some("https://new"));
        let error = url(&[(&new_key, "https://new"), (old_key, "https://old")], &[]).unwrap_err();
        assert!(error.message().contains("mean the same"), "{error}");
        let (_, resolved, _) = url(&[(old_key, "https://old")], &[]).unwrap();
        assert!(resolved.notes()[0].contains(&format!("`{old_key}`")), "{:?}", resolved.notes());
        let (_, _, config) = url(&[], &env[1..2]).unwrap();
        assert!(config.warnings()[0].contains(old_variable), "{:?}", config.warnings());
        if service != "iam" {
            let (_, _, config) = url(&[(&new_key, "host.example")], &[]).unwrap();
            assert!(config.warnings()[0].contains("has no scheme"), "{:?}", config.warnings());
        }
    }
}

#[test]
fn metadata_service_is_where_and_how_the_configuration_or_a_variable_says() {
    let endpoint = "ec2_metadata_service_endpoint";
    let (variable, old) = ("AWS_EC2_METADATA_SERVICE_ENDPOINT", "AWS_METADATA_URL");
    let url = |keys: &[(&str, &str)], env: &[(&str, &str)]| {
        with_environment(keys, env)
            .map(|config| config.machine.metadata_endpoint.map(|url| url.to_string()))
    };
    assert_eq!(url(&[], &[]).unwrap(), None);
    assert_eq!(
        url(&[(endpoint, "http://conf")], &[(variable, "http://env")]).unwrap().unwrap(),
        "http://conf/"
    );
    assert_eq!(
        url(&[], &[(variable, "http://env"), (old, "http://old")]).unwrap().unwrap(),
        "http://env/"
    );
    assert_eq!(url(&[], &[(old, "http://old")]).unwrap().unwrap(), "http://old/");
    let error = url(&[(endpoint, "ftp://x")], &[]).unwrap_err();
    assert!(error.message().contains(endpoint), "{error}");
    let key = "ec2_metadata_service_endpoint_mode";
    let mode = |keys: &[(&str, &str)], env: &[(&str, &str)]| {
        with_environment(keys, env).map(|config| config.machine.metadata_mode)
    };
    let variable = "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE";
    assert!(mode(&[], &[]).unwrap().is_none());
    assert!(matches!(
        mode(&[(key, "IPv4")], &[(variable, "IPv6")]).unwrap(),
        Some(EndpointMode::IpV4)
    ));
    assert!(matches!(mode(&[(key, "IPv6")], &[]).unwrap(), Some(EndpointMode::IpV6)));
    assert!(matches!(mode(&[], &[(variable, "IPv6")]).unwrap(), Some(EndpointMode::IpV6)));
    for (keys, env) in [(&[(key, "invalid")][..], &[][..]), (&[], &[(variable, "invalid")])] {
        assert!(mode(keys, env).unwrap_err().message().contains("expected `IPv4` or `IPv6`"));
    }
}

#[test]
fn retries_follow_the_mode_of_the_configuration_then_that_of_the_variable() {
    let is_adaptive = |keys: &[(&str, &str)], env: &[(&str, &str)]| {
        with_environment(keys, env).map(|config| config.connection.is_adaptive)
    };
    assert!(!is_adaptive(&[], &[]).unwrap());
    assert!(is_adaptive(&[("retry_mode", "adaptive")], &[]).unwrap());
    assert!(is_adaptive(&[], &[("AWS_RETRY_MODE", "adaptive")]).unwrap());
    assert!(
        !is_adaptive(&[("retry_mode", "standard")], &[("AWS_RETRY_MODE", "adaptive")]).unwrap()
    );
    let error = is_adaptive(&[], &[("AWS_RETRY_MODE", "legacy")]).unwrap_err();
    assert!(error.context().contains(&("set in", "$AWS_RETRY_MODE".to_owned())), "{error:?}");
}

#[test]
fn members_of_roles_are_checked_as_native_clients_check_them() {
    let policy_arn = "arn:aws:iam::123456789012:policy/AWSLambdaInvocation-DynamoDB";
    let (long, longest) = ("x".repeat(1225), "x".repeat(1224));
    let role = |member: &str, value: Setting| {
        let at = |value| Sourced::new(value, Origin::Program);
        let mut members = vec![("role_arn".to_owned(), at(Setting::from(ROLE)))];
        members.retain(|(name, _)| name != member);
        members.push((member.to_owned(), at(value)));
        with_settings([("assume_role", Setting::Object(members))])
    };
    for (member, value) in [
        ("role_arn", ROLE.into()),
        ("duration", "15m".into()),
        ("duration", "12h".into()),
        ("external_id", "2 chars".replace(' ', ":").as_str().into()),
        ("external_id", longest.as_str().into()),
        ("policy", " {\"Version\":\"2012-10-17\"} ".into()),
        ("policy_arns", vec![policy_arn].into()),
        ("session_name", "xy".into()),
        ("source_identity", "me@example.com".into()),
        ("tags", map_of(&[("any key", "any value")])),
        ("transitive_tag_keys", vec!["any key"].into()),
    ] {
        role(member, value).unwrap_or_else(|error| panic!("{member}: {error}"));
    }
    for (member, value) in [
        ("role_arn", Setting::from("not an arn")),
        ("role_arn", policy_arn.into()),
        ("role_arn", "".into()),
        ("duration", "invalid".into()),
        ("duration", "14m".into()),
        ("duration", "13h".into()),
        ("external_id", "x".into()),
        ("external_id", long.as_str().into()),
        ("external_id", "with space".into()),
        ("policy", "[]".into()),
        ("policy", "{".into()),
        ("policy", "policy.json".into()),
        ("policy_arns", vec!["not an arn"].into()),
        ("policy_arns", vec![ROLE].into()),
        ("session_name", "x".into()),
        ("session_name", "x".repeat(65).as_str().into()),
        ("session_name", "with/slash".into()),
        ("source_identity", "x".into()),
    ] {
        let error = role(member, value.clone()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConfigInvalid);
        assert!(error.message().contains(&format!("`assume_role.{member}`")), "{error}");
    }
}

#[test]
fn keys_of_the_backend_are_taken_over() {
    let config = config(&[
        ("encrypt", "true"),
        ("dynamodb_table", "locks"),
        ("use_lockfile", "true"),
        ("acl", "private"),
    ])
    .unwrap();
    assert_eq!(
        (config.bucket.as_str(), config.key.as_str(), config.region.as_str()),
        ("b", "k", "r")
    );
    assert!(matches!(config.encryption, Encryption::Store));
    assert_eq!(
        (config.dynamodb_table.as_deref(), config.acl.as_deref()),
        (Some("locks"), Some("private"))
    );
    assert!(config.use_lockfile && config.endpoint.is_none() && config.dynamodb_endpoint.is_none());
    let minimal = with_environment(&[], &[]).unwrap();
    assert!(!minimal.use_lockfile && minimal.dynamodb_table.is_none());
}
