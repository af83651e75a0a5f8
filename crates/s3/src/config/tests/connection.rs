//! How services are reached: endpoints, certificates, attempts.

use super::*;

#[test]
fn endpoints_may_lack_their_scheme_as_in_opentofu() {
    let endpoint = |text| config(&[("endpoint", text)]).unwrap().endpoint.unwrap().to_string();
    assert_eq!(endpoint("s3.example.com"), "https://s3.example.com/");
    assert_eq!(endpoint("http://127.0.0.1:9000"), "http://127.0.0.1:9000/");
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
    std::fs::write(&path, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
        .unwrap();
    assert!(refused().contains("bad certificate"));
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
        with_environment(keys, &[("AWS_USE_FIPS_ENDPOINT", value)])
            .map(|config| config.connection.has_fips)
    };
    for (value, expected) in
        [("true", true), ("TRUE", true), ("false", false), ("False", false), ("", false)]
    {
        assert_eq!(has_fips(&[], value).unwrap(), expected, "{value}");
    }
    assert!(!has_fips(&[("use_fips_endpoint", "false")], "true").unwrap());
    assert!(has_fips(&[("use_fips_endpoint", "true")], "false").unwrap());
    // Terraform 1.14 takes this value as true, 1.15 ignores it: neither may be what the user meant.
    let error = has_fips(&[], "yes").unwrap_err();
    assert!(
        error.context().contains(&("set in", "$AWS_USE_FIPS_ENDPOINT".to_owned())),
        "{error:?}"
    );
    let dual = with_environment(&[], &[("AWS_USE_DUALSTACK_ENDPOINT", "true")]).unwrap();
    assert!(dual.connection.has_dual_stack);
}

#[test]
fn old_names_of_variables_and_endpoints_without_a_scheme_are_noted() {
    let notes = |keys: &[(&str, &str)], env: &[(&str, &str)]| {
        with_environment(keys, env).unwrap().warnings().to_vec()
    };
    assert_eq!(
        notes(&[], &[("AWS_S3_ENDPOINT", "http://old")]),
        ["`AWS_S3_ENDPOINT` is an older name of `AWS_ENDPOINT_URL_S3`"]
    );
    // The new one takes precedence.
    assert!(
        notes(&[], &[("AWS_S3_ENDPOINT", "http://old"), ("AWS_ENDPOINT_URL_S3", "http://new")])
            .is_empty()
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
