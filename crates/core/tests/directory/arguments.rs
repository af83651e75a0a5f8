//! `-backend-config` of this program and of Terraform's variables.

use remote_state_core::config::ConfigValue;

use crate::fixture::{Dir, message, value};

fn with_args(dir: &Dir, env: &[(&str, &str)], name: &str) -> Option<String> {
    value(&dir.with(env, &Default::default()).unwrap(), name)
}

#[test]
fn the_last_one_wins_whatever_its_kind() {
    let dir = Dir::block("region = \"block\"").file("a.hcl", "region = \"file\"\n");
    for (arguments, expected) in [
        (&["region=pair"][..], "pair"),
        (&["a.hcl"], "file"),
        (&["region=pair", "a.hcl"], "file"),
        (&["a.hcl", "region=pair"], "pair"),
        (&["region=1", "region=2"], "2"),
    ] {
        let found = dir.with_config(arguments).unwrap();
        assert_eq!(value(&found, "region").as_deref(), Some(expected), "{arguments:?}");
    }
}

#[test]
fn a_file_is_json_by_its_name_and_hcl_otherwise() {
    let hcl = "region = \"r\"\n";
    for (name, content) in [
        ("x.hcl", hcl),
        ("prod.alpha.tfbackend", hcl),
        ("noname", hcl),
        ("x.json", "{\n\"region\":\"r\"}"),
        ("x.tfbackend.json", "[{\"region\":\"r\"}]"),
    ] {
        let found = Dir::block("").file(name, content).with_config(&[name]).unwrap();
        assert_eq!(value(&found, "region").as_deref(), Some("r"), "{name}");
        assert!(
            found
                .config
                .named("region")
                .unwrap()
                .origin
                .to_string()
                .starts_with(&format!("{name}:")),
            "{name}"
        );
    }
}

#[test]
fn a_pair_is_taken_as_it_is_after_the_first_equals_sign() {
    for (argument, expected) in [
        ("key=\"quoted\"", "\"quoted\""),
        ("key=a=b=c", "a=b=c"),
        ("key= spaced ", " spaced "),
        ("key=${x}", "${x}"),
        ("key=var.x", "var.x"),
        ("key=5", "5"),
        ("key=true", "true"),
    ] {
        let found = Dir::block("").with_config(&[argument]).unwrap();
        assert_eq!(value(&found, "key").as_deref(), Some(expected), "{argument}");
        assert_eq!(
            found.config.named("key").unwrap().origin.to_string(),
            "option `backend_config`"
        );
    }
}

#[test]
fn a_pair_is_converted_to_the_type_of_its_key() {
    let found = Dir::block("").with_config(&["use_lock=true", "retries=4"]).unwrap();
    assert_eq!(found.config.named("use_lock").unwrap().value, ConfigValue::Bool(true));
    assert_eq!(value(&found, "retries").as_deref(), Some("4"));
}

#[test]
fn a_pair_for_an_object_a_list_or_a_map_is_an_expression() {
    let arguments = ["role={arn=\"x\"}", "config_files=[\"a\",\"b\"]", "tags={\"k\"=\"v\"}"];
    let found = Dir::block("").with_config(&arguments).unwrap();
    assert_eq!(value(&found, "role.arn").as_deref(), Some("x"));
    assert_eq!(value(&found, "config_files").as_deref(), Some("a,b"));
    assert_eq!(value(&found, "tags").as_deref(), Some("k=v"));
    assert_eq!(
        found.config.named("role.arn").unwrap().origin.to_string(),
        "option `backend_config`"
    );
}

#[test]
fn a_pair_whose_expression_is_broken_is_an_error_that_does_not_quote_it() {
    let error = message(&Dir::block("").with_config(&["role={secret=\"hunter2\""]).unwrap_err());
    assert!(error.contains("the value of `role` is not a valid expression"), "{error}");
    assert!(!error.contains("hunter2"), "{error}");
}

#[test]
fn an_empty_pair_is_refused_where_a_value_is_required() {
    let error = message(&Dir::block("").with_config(&["bucket="]).unwrap_err());
    assert!(
        error.contains("`bucket` is not set")
            && error.contains("empty in: option `backend_config`"),
        "{error}"
    );
    let error = message(&Dir::block("").with_config(&["kms_key_id="]).unwrap_err());
    assert!(error.contains("`kms_key_id` must not be empty"), "{error}");
    assert_eq!(
        value(&Dir::block("").with_config(&["prefix="]).unwrap(), "prefix").as_deref(),
        Some("")
    );
    assert_eq!(
        value(&Dir::block("region = \"r\"").with_config(&["region="]).unwrap(), "region"),
        None
    );
}

#[test]
fn a_dotted_name_changes_one_member() {
    let dir = Dir::block("endpoints = {\n store = \"s\"\n tokens = \"t\"\n}");
    let found = dir.with_config(&["endpoints.store=x"]).unwrap();
    assert_eq!(value(&found, "endpoints.store").as_deref(), Some("x"));
    assert_eq!(value(&found, "endpoints.tokens").as_deref(), Some("t"));
    let error = message(&dir.with_config(&["endpoints.stroe=x"]).unwrap_err());
    assert!(
        error.contains("unknown key `endpoints.stroe`")
            && error.contains("did you mean `endpoints.store`?"),
        "{error}"
    );
}

#[test]
fn an_object_replaces_the_object_below_as_a_whole() {
    let dir = Dir::block("endpoints = {\n store = \"s\"\n tokens = \"t\"\n}");
    let found = dir.with_config(&["endpoints={store=\"x\"}"]).unwrap();
    assert_eq!(value(&found, "endpoints.store").as_deref(), Some("x"));
    assert_eq!(value(&found, "endpoints.tokens"), None);
}

#[test]
fn an_unknown_name_is_an_error() {
    let error = message(&Dir::block("").with_config(&["bukcet=x"]).unwrap_err());
    assert!(
        error.contains("unknown key `bukcet`") && error.contains("did you mean `bucket`?"),
        "{error}"
    );
}

#[test]
fn a_file_that_does_not_exist_is_an_error() {
    let error = message(&Dir::block("").with_config(&["missing.hcl"]).unwrap_err());
    assert!(
        error.contains("there is no file `missing.hcl`") && error.contains("key=value"),
        "{error}"
    );
}

/// All text that people copy along with the settings, in either syntax, through either option.
#[test]
fn a_file_holds_what_is_inside_the_block() {
    let block = "backend \"alpha\" {\n  bucket = \"x\"\n}\n";
    for (name, content, found) in [
        ("x.hcl", format!("terraform {{\n{block}}}\n"), "`terraform` block\nfound in: x.hcl:1"),
        ("x.tfbackend", format!("# prod\n{block}"), "`backend` block\nfound in: x.tfbackend:2"),
        ("x.tf", format!("provider \"p\" {{}}\n{block}"), "`backend` block\nfound in: x.tf:2"),
        (
            "x.json",
            r#"{"backend":{"alpha":{"bucket":"x"}}}"#.to_owned(),
            "`backend` block\nfound in: x.json:1",
        ),
        (
            "y.json",
            r#"{"terraform":{"backend":{"alpha":{}}}}"#.to_owned(),
            "`terraform` block\nfound in: y.json:1",
        ),
    ] {
        let dir = Dir::block("").file(name, content);
        let by_variable = [("TF_CLI_ARGS_init", format!("-backend-config={name}"))];
        let by_variable = by_variable.each_ref().map(|(name, value)| (*name, value.as_str()));
        for error in [dir.with_config(&[name]), dir.with(&by_variable, &Default::default())] {
            let error = message(&error.unwrap_err());
            assert!(
                error.starts_with(&format!("a file of backend settings holds a whole {found}")),
                "{error}"
            );
            assert!(
                error.contains("hint: write only what is inside the `backend` block"),
                "{error}"
            );
        }
    }
    let other = Dir::block("").file("x.hcl", "provider \"p\" {}\n");
    assert!(
        message(&other.with_config(&["x.hcl"]).unwrap_err())
            .contains("unsupported block type `provider`")
    );
}

/// A pair that names no key may be the name of a file, or hold one; a known key takes precedence
/// over any file.
#[test]
fn a_pair_that_is_a_file_or_holds_one_is_told_as_that() {
    let dir = Dir::block("")
        .file("env=prod.tfbackend", "region = \"r\"\n")
        .file("conf/a=b.hcl", "region = \"s\"\n");
    let dir = dir.file("prod.hcl", "region = \"t\"\n").file("region=u", "bucket = \"wrong\"\n");
    for (given, file) in
        [("env=prod.tfbackend", "./env=prod.tfbackend"), ("file=prod.hcl", "prod.hcl")]
    {
        let error = message(&dir.with_config(&[given]).unwrap_err());
        let name = given.split_once('=').unwrap().0;
        assert!(
            error.starts_with(&format!("unknown key `{name}`, but there is a file `")),
            "{error}"
        );
        assert!(error.contains(&format!("give its name alone: `{file}`")), "{error}");
    }
    for (given, region) in [("./env=prod.tfbackend", "r"), ("conf/a=b.hcl", "s"), ("region=u", "u")]
    {
        let found = dir.with_config(&[given]).unwrap();
        assert_eq!(value(&found, "region").as_deref(), Some(region), "{given}");
        assert_eq!(value(&found, "bucket").as_deref(), Some("b"), "{given}");
    }
    let error = message(&dir.with_config(&["env=staging.tfbackend"]).unwrap_err());
    assert!(error.starts_with("unknown key `env` for provider `alpha`"), "{error}");
}

#[test]
fn a_null_in_a_file_hides_the_block() {
    let found = Dir::block("region = \"r\"")
        .file("x.hcl", "region = null\n")
        .with_config(&["x.hcl"])
        .unwrap();
    assert_eq!(value(&found, "region"), None);
}

#[test]
fn terraforms_variables_count_as_given() {
    let dir = Dir::block("region = \"block\"").file("a.hcl", "region = \"file\"\n");
    for (variable, expected) in [
        ("-backend-config=region=x", "x"),
        ("--backend-config=region=x", "x"),
        ("-backend-config region=x", "x"),
        ("-input=false -backend-config 'region=x y' -no-color", "x y"),
        ("-backend-config=\"region=x y\"", "x y"),
        ("-backend-config=region=x\\ y", "x y"),
        ("-backend-config=\"region=\\\"q\\\"\"", "\"q\""),
        ("-backend-config=a.hcl", "file"),
        ("-backend-config=region=1 -backend-config=region=2", "2"),
        ("-backend=false", "block"),
        ("-backend-config", "block"),
    ] {
        for name in ["TF_CLI_ARGS_init", "TF_CLI_ARGS"] {
            assert_eq!(
                with_args(&dir, &[(name, variable)], "region").as_deref(),
                Some(expected),
                "{name}: {variable}"
            );
        }
    }
}

#[test]
fn the_general_variable_goes_before_the_one_for_init_and_our_option_before_both() {
    let dir = Dir::block("");
    let env = [
        ("TF_CLI_ARGS_init", "-backend-config=region=init"),
        ("TF_CLI_ARGS", "-backend-config=region=all"),
    ];
    let found = dir.with(&env, &Default::default()).unwrap();
    assert_eq!(value(&found, "region").as_deref(), Some("all"));
    assert_eq!(found.config.named("region").unwrap().origin.to_string(), "$TF_CLI_ARGS");
    let options = remote_state_core::directory::DirectoryOptions::default()
        .with_backend_config("region=ours");
    assert_eq!(value(&dir.with(&env, &options).unwrap(), "region").as_deref(), Some("ours"));
}

#[test]
fn a_variable_with_an_open_quote_is_an_error_that_does_not_quote_it() {
    let error = Dir::block("")
        .with(&[("TF_CLI_ARGS_init", "-backend-config='hunter2")], &Default::default())
        .unwrap_err();
    assert!(message(&error).contains("`TF_CLI_ARGS_init`") && !message(&error).contains("hunter2"));
}

#[test]
fn an_empty_argument_is_nothing() {
    let found = Dir::block("region = \"r\"").with_config(&[""]).unwrap();
    assert_eq!(value(&found, "region").as_deref(), Some("r"));
}
