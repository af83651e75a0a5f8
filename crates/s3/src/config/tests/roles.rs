//! Roles: their names, their members, and the keys that belong to them.

use super::*;
use crate::credentials::role::Token;

pub(super) const ROLE: &str = "arn:aws:iam::123456789012:role/ci";

#[test]
fn roles_have_the_names_of_every_terraform() {
    let tags =
        || Setting::Object(vec![("a".to_owned(), Sourced::new("b".into(), Origin::Program))]);
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
        let named: Vec<_> =
            pairs.into_iter().map(|(member, value)| (name(member), value)).collect();
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
    assert!(matches!(
        with_environment(&[], &env).unwrap().credentials,
        CredentialConfig::Chain { .. }
    ));
    let identity = |keys: &[(&str, &str)], env: &[(&str, &str)]| match with_environment(keys, env)
        .unwrap()
        .credentials
    {
        CredentialConfig::WebIdentity(identity) => identity.token,
        other => panic!("{other:?}"),
    };
    let is_file = |found: Token, path: &str| match found {
        Token::File(file) => file.path == std::path::Path::new(path),
        _ => false,
    };
    assert!(is_file(identity(&[(arn, ROLE)], &env), "/env"));
    assert!(is_file(identity(&[(file, "/conf"), ("profile", "p")], &env), "/conf"));
    let given = identity(&[(token, "hunter2")], &env);
    assert!(matches!(given, Token::Given(_)) && !format!("{given:?}").contains("hunter2"));
    let error = config(&[(arn, ROLE), (token, "hunter2"), (file, "/conf")]).unwrap_err();
    assert!(error.message().contains("exclude each other"), "{error}");
    assert!(config(&[(arn, ROLE)]).unwrap_err().message().contains("web_identity_token_file"));
}

#[test]
fn historic_names_of_a_role_are_not_mixed_with_the_object() {
    let role = map_of(&[("role_arn", ROLE)]);
    let error = with_settings([("assume_role", role), ("external_id", "abc".into())]).unwrap_err();
    assert_eq!(error.hints(), ["write `external_id` as `assume_role.external_id`"]);
}
