//! What configurations mean, and which are refused.

use super::*;

const BLOCK: [(&str, &str); 3] =
    [("region", "nyc3"), ("bucket", "tfstate"), ("key", "net.tfstate")];

fn resolved(more: &[(&str, &str)], env: &[(&str, &str)]) -> Result<ResolvedConfig> {
    let mut pairs: std::collections::BTreeMap<_, _> = BLOCK.into();
    pairs.extend(more.iter().copied());
    let origin = Origin::file("main.tf", 7);
    let layer = pairs
        .into_iter()
        .map(|(name, value)| (name.to_owned(), Sourced::new(Setting::from(value), origin.clone())))
        .collect();
    resolve(&PROVIDER, &env.iter().copied().collect(), &[layer])
}

fn config(more: &[(&str, &str)], env: &[(&str, &str)]) -> Result<SpacesConfig> {
    SpacesConfig::from_resolved(&resolved(more, env)?)
}

/// Returns the whole text of an error, hints included.
fn text(error: &Error) -> String {
    let context: Vec<_> =
        error.context().iter().map(|(label, value)| format!("{label}: {value}")).collect();
    format!("{error}\n{}\n{}", context.join("\n"), error.hints().join("\n"))
}

#[track_caller]
fn refused(more: &[(&str, &str)], words: &str) {
    let text = text(&config(more, &[]).unwrap_err());
    assert!(text.contains(words), "should contain `{words}`: {text}");
    assert!(text.contains("set in: main.tf:7"), "{text}");
}

#[test]
fn three_keys_are_enough() {
    let config = config(&[], &[]).unwrap();
    let s3 = config.s3().resolved();
    assert_eq!(s3.get(s3_keys::ENDPOINTS_S3), Some("https://nyc3.digitaloceanspaces.com"));
    assert_eq!((s3.get(s3_keys::REGION), s3.get(s3_keys::DIALECT)), ("nyc3", "spaces"));
    assert!(s3.get(s3_keys::USE_LOCKFILE) && !s3.get(s3_keys::USE_PATH_STYLE));
    assert_eq!((s3.get(s3_keys::WORKSPACE_KEY_PREFIX), config.warnings()), ("env:", &[][..]));
    assert_eq!(config.open().unwrap().to_string(), "s3://tfstate/net.tfstate");
}

#[test]
fn regions_that_are_new_are_known_and_what_is_none_is_not() {
    for region in ["ams3", "sgp1", "syd1", "moon1"] {
        assert_eq!(
            config(&[("region", region)], &[]).unwrap().s3().resolved().get(s3_keys::REGION),
            region
        );
    }
    for region in ["NYC3", "nyc3.example.com", "nyc 3", "https://nyc3", "-x"] {
        refused(
            &[("region", region)],
            "invalid value for `region`: expected the name of a region, such as `nyc3`",
        );
    }
    refused(&[("region", "us-east-1")], "invalid value for `region`: it is a region of Amazon's");
    // With an endpoint the region may be any name that can be signed.
    config(&[("region", "us-east-1"), ("endpoint", "http://127.0.0.1:9000")], &[]).unwrap();
}

#[test]
fn endpoint_of_ones_own_names_the_bucket_in_the_path() {
    let own = config(&[("endpoint", "state.example.com")], &[]).unwrap();
    assert_eq!(own.s3().resolved().get(s3_keys::ENDPOINTS_S3), Some("https://state.example.com"));
    assert!(own.s3().resolved().get(s3_keys::USE_PATH_STYLE));
    let same = config(&[("endpoint", "https://nyc3.digitaloceanspaces.com")], &[]).unwrap();
    assert!(!same.s3().resolved().get(s3_keys::USE_PATH_STYLE));
}

#[test]
fn endpoints_that_cannot_be_meant_are_refused_with_the_reason() {
    for cdn in
        ["https://nyc3.cdn.digitaloceanspaces.com", "tfstate.nyc3.cdn.digitaloceanspaces.com"]
    {
        refused(&[("endpoint", cdn)], "it is a CDN's, and a state from a cache is a wrong state");
    }
    let bucket = "https://tfstate.nyc3.digitaloceanspaces.com";
    refused(
        &[("endpoint", bucket)],
        "it names more than a region; the bucket has a key of its own",
    );
    let path = "https://nyc3.digitaloceanspaces.com/tfstate/";
    refused(&[("endpoint", path)], "it names more than a region; the bucket has a key of its own");
    let other = "https://fra1.digitaloceanspaces.com";
    refused(&[("endpoint", other)], "it is not that of the region, which is `nyc3`");
    refused(&[("endpoint", "http://")], "expected a URL such as");
}

#[test]
fn keys_that_spaces_cannot_honour_are_refused_with_the_reason() {
    for (name, reason) in [
        ("kms_key_id", "no key management service"),
        ("encrypt", "encrypts what it stores by itself"),
        ("dynamodb_table", "no tables; the lock is a file"),
        ("lock_table", "no tables"),
        ("role_arn", "no roles to assume"),
        ("assume_role", "no roles to assume"),
        ("token", "no temporary credentials"),
        ("allowed_account_ids", "does not tell to which account"),
        ("endpoints", "`endpoint` names another one"),
        ("use_path_style", "follows from the endpoint"),
        ("use_fips_endpoint", "one endpoint for each region"),
        ("dialect", "always spoken to as Spaces"),
        ("skip_credentials_validation", "nothing to skip"),
        ("skip_s3_checksum", "nothing to skip"),
    ] {
        let text = text(&config(&[(name, "x")], &[]).unwrap_err());
        assert!(
            text.contains(&format!("`{name}` cannot be used with DigitalOcean Spaces")),
            "{text}"
        );
        assert!(text.contains(reason) && text.contains("main.tf:7"), "{text}");
    }
}

#[test]
fn every_refusal_says_why() {
    for row in PROVIDER.keys.iter().filter(|row| row.refused.is_some()) {
        let error = config(&[(row.name, "x")], &[]).unwrap_err();
        assert!(text(&error).contains(row.refused.unwrap()), "{}", row.name);
    }
}

#[test]
fn every_key_is_handed_on_refused_or_used_and_only_one_of_these() {
    for row in PROVIDER.keys {
        let (is_handed_on, is_used) =
            (SHARED.iter().any(|key| key.name == row.name), row.name == keys::ENDPOINT.name());
        let fates = [is_handed_on, is_used, row.refused.is_some()];
        assert_eq!(fates.into_iter().filter(|is_so| *is_so).count(), 1, "{}", row.name);
        let there = remote_state_s3::PROVIDER.keys.iter().find(|key| key.name == row.name);
        let is_alike = there.is_some_and(|key| key.kind == row.kind && key.refused.is_none());
        assert!(is_alike || !is_handed_on, "the s3 provider knows `{}` otherwise or not", row.name);
    }
}

#[test]
fn configuration_of_another_provider_is_refused_here_and_there() {
    let spaces = resolved(&[], &[]).unwrap();
    let error = S3Config::from_resolved(&spaces).unwrap_err();
    let message = "the configuration is one of provider `spaces`, and not of `s3`";
    assert_eq!((error.kind(), error.message()), (ErrorKind::ConfigInvalid, message));
    let s3 = ResolvedConfig::from_pairs(&remote_state_s3::PROVIDER, BLOCK).unwrap();
    let error = SpacesConfig::from_resolved(&s3).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConfigInvalid);
}

#[test]
fn blocks_that_spaces_cannot_honour_are_refused_like_attributes() {
    let member = ("role_arn".to_owned(), Sourced::new(Setting::from("arn"), Origin::Program));
    let pairs = [
        ("region", Setting::from("nyc3")),
        ("bucket", Setting::from("b")),
        ("key", Setting::from("k")),
        ("assume_role", Setting::Object(vec![member])),
    ];
    let error = ResolvedConfig::from_pairs(&PROVIDER, pairs).unwrap_err();
    assert!(text(&error).contains("no roles to assume"), "{error}");
}

#[test]
fn variables_of_spaces_go_before_amazons() {
    let amazons = [("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b")];
    let spaces = [("SPACES_ACCESS_KEY_ID", "c"), ("SPACES_SECRET_ACCESS_KEY", "d")];
    let both = [amazons, spaces].concat();
    let id = |env: &[(&str, &str)]| {
        let resolved = resolved(&[], env).unwrap();
        SpacesConfig::from_resolved(&resolved).unwrap();
        (
            resolved.get(keys::ACCESS_KEY).map(str::to_owned),
            resolved.get(keys::SECRET_KEY).map(str::to_owned),
        )
    };
    assert_eq!(id(&both), (Some("c".to_owned()), Some("d".to_owned())));
    assert_eq!(id(&amazons), (Some("a".to_owned()), Some("b".to_owned())));
}

#[test]
fn halves_of_two_key_pairs_are_refused() {
    let env = [
        ("SPACES_ACCESS_KEY_ID", "c"),
        ("AWS_ACCESS_KEY_ID", "a"),
        ("AWS_SECRET_ACCESS_KEY", "hunter2"),
    ];
    let error = config(&[], &env).unwrap_err();
    let text = text(&error);
    assert_eq!(error.kind(), ErrorKind::CredentialInvalid);
    assert!(
        text.contains("one half of the access key is for Spaces, and the other for Amazon"),
        "{text}"
    );
    assert!(text.contains("set `SPACES_SECRET_ACCESS_KEY` too"), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
}

#[test]
fn secret_that_is_written_down_works_and_warns() {
    let config = config(&[("access_key", "c"), ("secret_key", "hunter2")], &[]).unwrap();
    let [note] = config.warnings() else { panic!("one note: {:?}", config.warnings()) };
    assert!(
        note.contains("`secret_key` stands in main.tf:7") && note.contains("plan files"),
        "{note}"
    );
    assert!(!note.contains("hunter2"), "{note}");
    let env = [("SPACES_ACCESS_KEY_ID", "c"), ("SPACES_SECRET_ACCESS_KEY", "d")];
    assert_eq!(self::config(&[], &env).unwrap().warnings(), &[] as &[String]);
}

#[test]
fn what_the_environment_says_of_amazon_does_not_matter_here() {
    let env = [
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ENDPOINT_URL_S3", "https://s3.example.com"),
        ("AWS_USE_FIPS_ENDPOINT", "true"),
        ("AWS_ROLE_ARN", "arn:aws:iam::1:role/x"),
    ];
    let config = config(&[], &env).unwrap();
    assert_eq!(
        config.s3().resolved().get(s3_keys::ENDPOINTS_S3),
        Some("https://nyc3.digitaloceanspaces.com")
    );
    assert_eq!(config.s3().resolved().get(s3_keys::REGION), "nyc3");
}

#[test]
fn customer_key_is_used_without_further_switches() {
    let key = "A".repeat(43) + "=";
    let config = config(&[("sse_customer_key", &key)], &[]).unwrap();
    assert!(config.s3().resolved().get(s3_keys::ENCRYPT));
    refused(&[("sse_customer_key", "c2hvcnQ=")], "invalid value for `sse_customer_key`");
}

#[test]
fn readme_shows_every_key() {
    let readme = include_str!("../../README.md");
    for row in PROVIDER.keys {
        assert!(
            readme.contains(&format!("`{}`", row.name)),
            "README.md does not mention `{}`",
            row.name
        );
        assert!(readme.contains(row.doc), "README.md does not say what `{}` means", row.name);
        assert!(row.env.iter().all(|name| readme.contains(&format!("`{name}`"))), "{}", row.name);
    }
}
