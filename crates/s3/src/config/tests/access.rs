//! Which credentials the configuration selects, and where they are looked for.

use super::*;
use crate::credentials::SharedFile;

#[test]
fn keys_in_the_configuration_go_before_a_profile_and_that_before_the_environment() {
    let env = [
        ("AWS_ACCESS_KEY_ID", "env"),
        ("AWS_SECRET_ACCESS_KEY", "s"),
        ("AWS_PROFILE", "envprofile"),
    ];
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
fn keys_and_token_are_of_one_source() {
    use secrecy::ExposeSecret as _;
    let env =
        [("AWS_ACCESS_KEY_ID", "env"), ("AWS_SECRET_ACCESS_KEY", "s"), ("AWS_SESSION_TOKEN", "t")];
    let token = |keys: &[(&str, &str)]| match with_environment(keys, &env).unwrap().credentials {
        CredentialConfig::Static { token, .. } => {
            token.map(|token| token.expose_secret().to_owned())
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(token(&[("access_key", "conf"), ("secret_key", "s")]), None);
    assert_eq!(token(&[]).as_deref(), Some("t"));
    for half in [("access_key", "conf"), ("secret_key", "conf"), ("token", "conf")] {
        let error = with_environment(&[half], &env).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::CredentialInvalid, "{half:?}");
    }
}

#[test]
fn half_a_pair_in_the_environment_is_passed_over_and_older_names_are_read() {
    for half in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY"] {
        let config = with_environment(&[], &[(half, "x")]).unwrap();
        assert!(matches!(config.credentials, CredentialConfig::Chain { .. }), "{half}");
        assert!(config.warnings()[0].contains(half), "{:?}", config.warnings());
    }
    let config =
        with_environment(&[], &[("AWS_ACCESS_KEY", "AKALT"), ("AWS_SECRET_KEY", "s")]).unwrap();
    assert!(matches!(
        config.credentials,
        CredentialConfig::Static { access_key, .. } if access_key == "AKALT"
    ));
}

/// Values become headers, in which a line break makes the signer panic, or the service reply about
/// something else.
#[test]
fn line_breaks_are_refused_with_the_name_of_the_variable() {
    let good =
        [("AWS_ACCESS_KEY_ID", "AK"), ("AWS_SECRET_ACCESS_KEY", "s"), ("AWS_SESSION_TOKEN", "t")];
    for (name, bad) in [
        ("AWS_ACCESS_KEY_ID", "AK\n"),
        ("AWS_SECRET_ACCESS_KEY", "hunter2\r\n"),
        ("AWS_SESSION_TOKEN", "a\nb"),
        ("AWS_ENDPOINT_URL_S3", "http://x/\n"),
    ] {
        let env: Vec<_> =
            good.into_iter().filter(|(other, _)| *other != name).chain([(name, bad)]).collect();
        let error = with_environment(&[], &env).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConfigInvalid);
        let shown = format!("{error:?}");
        assert!(shown.contains(name) && !shown.contains("hunter2"), "{shown}");
    }
}

#[test]
fn secrets_do_not_show_in_debug_output() {
    let config =
        config(&[("access_key", "a"), ("secret_key", "hunter2"), ("token", "hunter3")]).unwrap();
    assert!(!format!("{config:?}").contains("hunter"));
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
    assert_eq!(
        machine.credentials_files,
        [SharedFile { path: "/env".into(), may_be_missing: true, is_held: false }]
    );
    assert_eq!(machine.config_files[0].path, std::path::Path::new("/home/a/c"));
    let machine =
        with_environment(&[("shared_credentials_file", "/conf")], &env_with_home).unwrap().machine;
    assert_eq!(
        machine.credentials_files,
        [SharedFile { path: "/conf".into(), may_be_missing: false, is_held: false }]
    );
    let machine = with_environment(&[], &env[2..]).unwrap().machine;
    assert_eq!(machine.config_files[0].path, std::path::Path::new("/d"));
}

#[test]
fn historic_keys_without_effect_are_accepted_with_a_note() {
    for key in ["skip_get_ec2_platforms", "use_legacy_workflow"] {
        let resolved =
            ResolvedConfig::from_pairs(&PROVIDER, NEEDED.into_iter().chain([(key, "true")]))
                .unwrap();
        S3Config::from_resolved(&resolved).unwrap();
        assert!(resolved.notes()[0].contains(&format!("`{key}`")), "{:?}", resolved.notes());
    }
    // With a profile, `use_legacy_workflow` has an effect.
    let env = [("AWS_ACCESS_KEY_ID", "env"), ("AWS_SECRET_ACCESS_KEY", "s")];
    let legacy =
        with_environment(&[("use_legacy_workflow", "true"), ("profile", "p")], &env).unwrap();
    assert!(matches!(
        legacy.credentials,
        CredentialConfig::Static { access_key, .. } if access_key == "env"
    ));
}

#[test]
fn files_are_named_with_variables_of_the_environment_that_is_handed_in() {
    let env = [("CREDENTIALS", "/c"), ("HOME", "/home/a")];
    let machine =
        with_environment(&[("shared_credentials_file", "$CREDENTIALS/x")], &env).unwrap().machine;
    assert_eq!(machine.credentials_files[0].path, std::path::Path::new("/c/x"));
    for (key, value) in
        [("shared_credentials_file", "~/x"), ("custom_ca_bundle", "$NOT_SET/ca.pem")]
    {
        let error = config(&[(key, value)]).unwrap_err();
        assert!(error.message().contains(&format!("`{key}`")), "{error}");
        assert!(error.message().contains("which is not set"), "{error}");
    }
}
