//! How the sources of configuration are layered.

use std::collections::BTreeMap;

use remote_state_core::config::{
    ConfigKeySpec, EmptyRule, Environment, Layer, Number, Origin, ProviderSpec, ResolvedConfig,
    Setting, Sourced, ValueKind, resolve, resolve_among,
};
use remote_state_core::{Error, ErrorKind, Workspace, keys};
use serde_json::json;

const fn key(name: &'static str, kind: ValueKind) -> ConfigKeySpec {
    ConfigKeySpec::new(name, kind, "A key.")
}

static ALPHA: ProviderSpec = ProviderSpec::new("alpha", "Alpha", KEYS);

keys![
    pub(crate) const BUCKET: Key<String> =
        key("bucket", "A key.").required().env(&["ALPHA_BUCKET"]);
    pub(crate) const REGION: Key<String> = key("region", "A key.")
        .env(&["ALPHA_REGION", "ALPHA_DEFAULT_REGION"])
        .default("everywhere");
    pub(crate) const PREFIX: Key<String> =
        key("prefix", "A key.").empty(EmptyRule::Value).default("env:");
    pub(crate) const KMS_KEY: Key<Option<String>> =
        key("kms_key", "A key.").empty(EmptyRule::Refused);
    pub(crate) const SECRET: Key<Option<String>> =
        key("secret", "A key.").secret().env(&["ALPHA_SECRET"]);
    pub(crate) const FLAG: Key<Option<bool>> =
        key("flag", "A key.").aliases(&["old_flag"]).env(&["ALPHA_FLAG"]);
    pub(crate) const COUNT: Key<Option<Number>> = key("count", "A key.").env(&["ALPHA_COUNT"]);
    pub(crate) const FILES: Key<Option<Vec<String>>> = key("files", "A key.").env(&["ALPHA_FILES"]);
    pub(crate) const TAGS: Key<Option<BTreeMap<String, String>>> = key("tags", "A key.");
    pub(crate) const TABLE: Key<Option<String>> = key("table", "A key.").deprecated("use `flag`");
    pub(crate) const STORE: Key<Option<String>> =
        key("endpoints.store", "A key.").aliases(&["endpoint"]).env(&["ALPHA_ENDPOINT"]);
    pub(crate) const TOKENS: Key<Option<String>> = key("endpoints.tokens", "A key.");
    pub(crate) const ROLE_ARN: Key<Option<String>> =
        key("role.arn", "A key.").aliases(&["role_arn"]).required();
    pub(crate) const ROLE_NAME: Key<Option<String>> =
        key("role.name", "A key.").aliases(&["role_name"]);
    pub(crate) const ROLE_REASON: Key<Option<String>> =
        key("role.reason", "A key.").aliases(&["role_reason"]);
];

static BETA: ProviderSpec = ProviderSpec::new(
    "beta",
    "Beta",
    &[key("bucket", ValueKind::String), key("beta_only", ValueKind::String)],
);

fn layer(file: &str, settings: &[(&str, Setting)]) -> Layer {
    let place = |line| Origin::file(file, line);
    let bucket = ("bucket".to_owned(), Sourced::new(Setting::from("b"), place(1)));
    let rest = settings.iter().enumerate();
    let rest = rest.map(|(index, (name, value))| {
        ((*name).to_owned(), Sourced::new(value.clone(), place(index + 2)))
    });
    std::iter::once(bucket).chain(rest).collect()
}

fn object(members: &[(&str, &str)]) -> Setting {
    let member = |(name, value): &(&str, &str)| {
        ((*name).to_owned(), Sourced::new(Setting::from(*value), Origin::Program))
    };
    Setting::Object(members.iter().map(member).collect())
}

fn env(variables: &[(&str, &str)]) -> Environment {
    variables.iter().copied().collect()
}

fn one(name: &str, value: impl Into<Setting>) -> Result<ResolvedConfig, Error> {
    resolve(&ALPHA, &Environment::default(), &[layer("f", &[(name, value.into())])])
}

#[test]
fn a_default_yields_to_the_environment_and_that_to_each_layer_in_order() {
    let layers =
        [layer("low", &[("region", "low".into())]), layer("high", &[("region", "high".into())])];
    let environment = env(&[("ALPHA_REGION", "env")]);
    for (environment, count, expected, origin) in [
        (&Environment::default(), 0, "everywhere", "default"),
        (&environment, 0, "env", "$ALPHA_REGION"),
        (&environment, 1, "low", "low:2"),
        (&environment, 2, "high", "high:2"),
    ] {
        let mut used = vec![layer("base", &[])];
        used.extend_from_slice(&layers[..count]);
        let config = resolve(&ALPHA, environment, &used).unwrap();
        assert_eq!(config.string("region"), Some(expected));
        assert_eq!(config.origin(REGION).to_string(), origin);
    }
}

#[test]
fn the_first_variable_that_is_set_and_not_empty_is_used() {
    let value = |variables: &[(&str, &str)]| {
        let config = resolve(&ALPHA, &env(variables), &[layer("f", &[])]).unwrap();
        config.string("region").unwrap().to_owned()
    };
    assert_eq!(value(&[("ALPHA_REGION", "1"), ("ALPHA_DEFAULT_REGION", "2")]), "1");
    assert_eq!(value(&[("ALPHA_REGION", ""), ("ALPHA_DEFAULT_REGION", "2")]), "2");
    assert_eq!(value(&[("ALPHA_DEFAULT_REGION", "2")]), "2");
}

#[test]
fn a_null_above_hides_the_value_below() {
    let layers =
        [layer("low", &[("region", "low".into())]), layer("high", &[("region", Setting::Null)])];
    assert_eq!(
        resolve(&ALPHA, &Environment::default(), &layers).unwrap().string("region"),
        Some("everywhere")
    );
}

#[test]
fn the_empty_string_means_what_its_row_says() {
    assert_eq!(one("region", "").unwrap().string("region"), Some("everywhere"));
    assert_eq!(one("prefix", "").unwrap().string("prefix"), Some(""));
    let error = one("kms_key", "").unwrap_err();
    assert_eq!(error.message(), "`kms_key` must not be empty");
    assert_eq!(error.context(), [("set in", "f:2".to_owned())]);
}

#[test]
fn an_object_replaces_the_one_below_and_a_dotted_name_changes_one_member() {
    let low = layer("low", &[("endpoints", object(&[("store", "s"), ("tokens", "t")]))]);
    let whole = layer("high", &[("endpoints", object(&[("store", "x")]))]);
    let dotted = layer("high", &[("endpoints.store", "x".into())]);
    let none = layer("high", &[("endpoints", Setting::Null)]);
    let members = |layers: &[Layer]| {
        let config = resolve(&ALPHA, &Environment::default(), layers).unwrap();
        ["endpoints.store", "endpoints.tokens"].map(|name| config.string(name).map(str::to_owned))
    };
    let texts = |store: Option<&str>, tokens: Option<&str>| {
        [store.map(str::to_owned), tokens.map(str::to_owned)]
    };
    assert_eq!(members(&[low.clone(), whole.clone()]), texts(Some("x"), None));
    assert_eq!(members(&[low.clone(), dotted.clone()]), texts(Some("x"), Some("t")));
    assert_eq!(members(&[dotted, low.clone()]), texts(Some("s"), Some("t")));
    assert_eq!(members(&[low, none]), texts(None, None));
}

#[test]
fn an_alias_works_and_is_noted() {
    let config = one("old_flag", true).unwrap();
    assert!(config.get(FLAG) == Some(true));
    assert_eq!(config.notes(), ["`old_flag` (f:2) is an older name of `flag`"]);
    let config = one("endpoint", "e").unwrap();
    assert_eq!(config.string("endpoints.store"), Some("e"));
}

#[test]
fn an_alias_beside_its_name_is_an_error_that_names_both_places() {
    let layers = [
        layer("low", &[("endpoint", "a".into())]),
        layer("high", &[("endpoints", object(&[("store", "b")]))]),
    ];
    let error = resolve(&ALPHA, &Environment::default(), &layers).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConfigInvalid);
    assert_eq!(error.message(), "`endpoint` and `endpoints.store` mean the same and are both set");
    assert_eq!(
        error.context(),
        [
            ("set in", "low:2 (`endpoint`)".to_owned()),
            ("and in", "the calling program (`endpoints.store`)".to_owned())
        ]
    );
}

#[test]
fn an_alias_goes_before_the_environment() {
    let config = resolve(
        &ALPHA,
        &env(&[("ALPHA_ENDPOINT", "e")]),
        &[layer("f", &[("endpoint", "given".into())])],
    )
    .unwrap();
    assert_eq!(config.string("endpoints.store"), Some("given"));
}

#[test]
fn a_deprecated_key_is_noted_with_what_to_use() {
    assert_eq!(one("table", "t").unwrap().notes(), ["`table` (f:2) is deprecated: use `flag`"]);
    assert_eq!(one("table", "").unwrap().notes().len(), 1);
    assert!(one("table", Setting::Null).unwrap().notes().is_empty());
}

#[test]
fn an_unknown_key_gets_the_nearest_name_or_its_owner() {
    let hints = |name: &str| {
        let error = resolve_among(
            &ALPHA,
            &[&ALPHA, &BETA],
            &Environment::default(),
            &[layer("f", &[(name, "x".into())])],
            None,
        );
        let error = error.unwrap_err();
        assert_eq!(error.message(), format!("unknown key `{name}` for provider `alpha`"));
        assert_eq!(error.context(), [("set in", "f:2".to_owned())]);
        error.hints().to_vec()
    };
    assert_eq!(hints("buckt"), ["did you mean `bucket`?"]);
    assert_eq!(hints("old_flga"), ["did you mean `old_flag`?"]);
    assert_eq!(hints("endpoints.stor"), ["did you mean `endpoints.store`?"]);
    assert_eq!(hints("beta_only"), ["`beta_only` belongs to provider `beta`"]);
    for (unknown, alike) in
        [("region_name_of_bucket", "region"), ("bucket_to_keep_states_in", "bucket")]
    {
        let [nearest, all] = hints(unknown).try_into().unwrap();
        assert_eq!(nearest, format!("the key that is most like it is `{alike}`"));
        assert_eq!(all, "see all keys of provider `alpha`");
    }
}

#[test]
fn variables_are_converted_kindly() {
    let resolve = |variables: &[(&str, &str)]| resolve(&ALPHA, &env(variables), &[layer("f", &[])]);
    for (text, expected) in
        [("TRUE", true), ("true", true), ("1", true), ("False", false), ("0", false)]
    {
        assert_eq!(resolve(&[("ALPHA_FLAG", text)]).unwrap().get(FLAG), Some(expected), "{text}");
    }
    let files = resolve(&[("ALPHA_FILES", "/a:/b")]).unwrap();
    assert_eq!(files.get(FILES).unwrap(), ["/a:/b"]);
    let error = resolve(&[("ALPHA_COUNT", "many")]).unwrap_err();
    assert_eq!(
        error.message(),
        "invalid value `many` for `count`: expected a number, found a string"
    );
    assert_eq!(error.context(), [("set in", "$ALPHA_COUNT".to_owned())]);
}

#[test]
fn a_variable_that_is_not_needed_may_be_malformed() {
    let config = resolve(
        &ALPHA,
        &env(&[("ALPHA_COUNT", "many")]),
        &[layer("f", &[("count", 3_u64.into())])],
    )
    .unwrap();
    assert_eq!(config.string("count"), Some("3"));
}

#[test]
fn conversions_follow_terraform() {
    let shown = |name: &str, value: Setting| one(name, value).map(|config| config.shown(name));
    for (name, value, expected) in [
        ("flag", Setting::from("1"), "true"),
        ("flag", Setting::Bool(false), "false"),
        ("count", "5".into(), "5"),
        ("count", "-1.5e3".into(), "-1.5e3"),
        ("count", Setting::Number("12345678901234567890123".into()), "12345678901234567890123"),
        ("region", Setting::Number("5".into()), "5"),
        ("region", Setting::Bool(true), "true"),
        ("files", vec!["a", "b"].into(), r#"["a","b"]"#),
        ("files", Setting::List(vec![Setting::Number("1".into()), Setting::Null]), r#"["1"]"#),
        ("tags", object(&[("a", "x")]), r#"{"a":"x"}"#),
    ] {
        assert_eq!(shown(name, value).unwrap().as_deref(), Some(expected), "{name}");
    }
    for (name, value) in [
        ("flag", Setting::Number("1".into())),
        ("flag", "".into()),
        ("flag", "TRUE".into()),
        ("count", "".into()),
        ("count", "0x10".into()),
        ("count", "inf".into()),
        ("count", "5 ".into()),
        ("count", Setting::Bool(true)),
        ("region", vec!["a"].into()),
        ("region", object(&[])),
        ("files", "a".into()),
        ("tags", vec!["a"].into()),
    ] {
        let error = shown(name, value).unwrap_err();
        assert!(error.message().contains(&format!("for `{name}`: expected ")), "{error}");
    }
}

#[test]
fn a_bad_value_of_a_secret_key_is_not_shown() {
    let error = one("secret", vec!["hunter2"]).unwrap_err();
    assert!(!format!("{error:?}").contains("hunter2"));
    assert!(!format!("{:?}", layer("f", &[("secret", "hunter2".into())])).contains("hunter2"));
    assert!(!format!("{:?}", one("secret", "hunter2").unwrap()).contains("hunter2"));
    assert_eq!(one("secret", "hunter2").unwrap().shown("secret"), None);
}

#[test]
fn a_long_or_strange_value_is_cut_and_escaped_in_a_message() {
    let error = one("flag", format!("\u{1b}[31m{}", "x".repeat(1000)).as_str()).unwrap_err();
    assert!(error.message().len() < 200 && !error.message().contains('\u{1b}'), "{error}");
}

#[test]
fn a_missing_required_value_names_its_variables() {
    let error = ResolvedConfig::from_pairs(&ALPHA, [("region", "r")]).unwrap_err();
    assert_eq!(error.message(), "`bucket` is not set for provider `alpha`");
    assert!(
        error.hints().iter().any(|hint| hint.contains("`ALPHA_BUCKET`")),
        "{:?}",
        error.hints()
    );
}

#[test]
fn a_required_value_may_come_from_the_environment() {
    let config = resolve(&ALPHA, &env(&[("ALPHA_BUCKET", "e")]), &[]).unwrap();
    assert_eq!(config.required("bucket").unwrap(), "e");
}

#[test]
fn a_program_gives_pairs() {
    let config = ResolvedConfig::from_pairs(
        &ALPHA,
        [("bucket", "b"), ("flag", "true"), ("endpoints.store", "s")],
    )
    .unwrap();
    assert_eq!(config.required("bucket").unwrap(), "b");
    assert!(config.get(FLAG) == Some(true));
    assert_eq!(config.origin(STORE), Origin::Program);
    let config = ResolvedConfig::from_pairs(
        &ALPHA,
        [("bucket", Setting::from("b")), ("files", vec!["a"].into())],
    )
    .unwrap();
    assert_eq!(config.get(FILES).unwrap(), ["a"]);
}

#[test]
fn an_expression_that_is_not_evaluated_matters_only_if_it_wins() {
    let deferred = Setting::Deferred("the name `var.x`".to_owned());
    let low = layer("low", &[("region", deferred.clone()), ("endpoints", deferred.clone())]);
    let high = layer("high", &[("region", "r".into()), ("endpoints", object(&[]))]);
    assert_eq!(
        resolve(&ALPHA, &Environment::default(), &[low.clone(), high]).unwrap().string("region"),
        Some("r")
    );
    let error = resolve(&ALPHA, &Environment::default(), &[low]).unwrap_err();
    assert!(error.message().ends_with("is set by an expression with the name `var.x`"), "{error}");
}

/// All forms that a secret takes without its quotes. A word is a name, `a(b)` is a call.
#[test]
fn a_secret_without_its_quotes_is_not_told_as_a_name() {
    for reason in ["the name `hunter2`", "the name `hunter2.x`", "a call of `hunter2`"] {
        let layers = [layer("f", &[("secret", Setting::Deferred(reason.to_owned()))])];
        let error = resolve(&ALPHA, &Environment::default(), &layers).unwrap_err();
        assert!(
            error.message().ends_with("is set by an expression with a name or a call"),
            "{error}"
        );
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
}

#[test]
fn json_keeps_types_and_hides_secrets() {
    let settings = [
        ("secret", "hunter2".into()),
        ("flag", "1".into()),
        ("count", "12345678901234567890".into()),
        ("tags", object(&[("a", "x")])),
        ("prefix", Setting::from("")),
    ];
    let config = resolve(&ALPHA, &Environment::default(), &[layer("main.tf", &settings)]).unwrap();
    assert_eq!(
        config.to_json(&Workspace::new("dev").unwrap()),
        json!({
            "version": 1,
            "backend": "alpha",
            "workspace": "dev",
            "values": {
                "bucket": { "value": "b", "origin": "main.tf:1" },
                "region": { "value": "everywhere", "origin": "default" },
                "secret": { "redacted": true, "origin": "main.tf:2" },
                "flag": { "value": true, "origin": "main.tf:3" },
                "count": { "value": 12_345_678_901_234_567_890_u64, "origin": "main.tf:4" },
                "tags": { "value": { "a": "x" }, "origin": "main.tf:5" },
                "prefix": { "value": "", "origin": "main.tf:6" },
            },
        })
    );
}

#[test]
fn value_has_the_type_of_its_key_and_is_borrowed() {
    let layer = layer("f", &[("count", 3_u64.into()), ("tags", object(&[("a", "x")]))]);
    let config = resolve(&ALPHA, &Environment::default(), &[layer]).unwrap();
    assert_eq!(
        (config.get(BUCKET), config.get(REGION), config.get(COUNT)),
        ("b", "everywhere", Some("3"))
    );
    assert_eq!(config.get(TAGS).unwrap().collect::<Vec<_>>(), [(&"a".to_owned(), &"x".to_owned())]);
    assert_eq!((config.get(FLAG), config.get(FILES), config.get(TABLE)), (None, None, None));
    assert_eq!((config.is_set(REGION), config.is_set(TABLE)), (true, false));
    assert_eq!((config.is_configured(REGION), config.is_configured(COUNT)), (false, true));
    assert_eq!((config.origin(TABLE), config.origin_if_set(TABLE)), (Origin::Default, None));
    assert_eq!(config.without(COUNT).get(COUNT), None);
}

#[test]
fn table_consists_of_the_declared_keys_in_their_order() {
    let names: Vec<_> = ALPHA.keys.iter().map(|row| row.name).collect();
    assert_eq!((names.len(), &names[..3]), (15, &["bucket", "region", "prefix"][..]));
    let rows = [SECRET.row(), FLAG.row(), FILES.row()].map(|row| row.kind);
    assert_eq!(rows, [ValueKind::String, ValueKind::Bool, ValueKind::StringList]);
}

#[test]
#[cfg(debug_assertions)]
#[should_panic = "`bucket` is no key of provider `alpha`, or one of another type"]
fn key_of_another_table_is_not_looked_up() {
    mod other {
        remote_state_core::keys![
            pub(crate) const BUCKET: Key<Option<bool>> = key("bucket", "A key.");
        ];
    }
    assert_eq!(other::KEYS.len(), 1);
    let _ = one("region", "r").unwrap().get(other::BUCKET);
}

#[test]
fn a_configuration_can_be_changed_by_a_program() {
    let config = one("region", "r").unwrap().with(REGION, "x".to_owned(), Origin::Program);
    assert_eq!(config.string("region"), Some("x"));
    assert_eq!(config.origin(REGION).to_string(), "the calling program");
}

#[test]
fn object_with_a_required_member_is_not_mixed_with_older_names_from_outside() {
    let role = ("role", object(&[("arn", "a")]));
    let error = layers(&[layer(
        "f",
        &[role.clone(), ("role_name", "n".into()), ("role_reason", "r".into())],
    )])
    .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConfigInvalid);
    assert_eq!(error.context()[0], ("set in", "f:2 (`role`)".to_owned()));
    assert_eq!(error.context()[1], ("and in", "f:3 (`role_name`)".to_owned()));
    assert_eq!(
        error.hints(),
        ["write `role_name` as `role.name`", "write `role_reason` as `role.reason`"]
    );
    // A dotted name means the object too; for a mere collection, old and new names can be combined.
    layers(&[layer("f", &[("role_arn", "a".into())]), layer("g", &[("role.name", "n".into())])])
        .unwrap_err();
    layers(&[layer("f", &[("role_arn", "a".into()), ("role_name", "n".into())])]).unwrap();
    layers(&[layer("f", &[("endpoint", "e".into()), ("endpoints.tokens", "t".into())])]).unwrap();
    let null = Setting::Null;
    layers(&[layer("f", &[("role_arn", "a".into()), ("role", null)])]).unwrap();
}

#[test]
fn environment_is_kept_for_what_stands_in_no_key() {
    let config = resolve(&ALPHA, &env(&[("HOME", "/home/a")]), &[layer("f", &[])]).unwrap();
    assert_eq!(config.environment().get("HOME"), Some("/home/a"));
    assert!(!format!("{config:?}").contains("/home/a"));
}

fn layers(layers: &[Layer]) -> Result<ResolvedConfig, Error> {
    resolve(&ALPHA, &Environment::default(), layers)
}
