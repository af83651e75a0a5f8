//! The record of `init`, and whether the block has changed since.

use crate::fixture::{Dir, message, value};

const RECORDED: &str = r#"{
      "bucket": "b",
      "key": "k",
      "region": "recorded",
      "use_lock": null,
      "retries": 7,
      "config_files": ["a", "c"],
      "secret_key": "hunter2",
      "endpoints": {
        "store": "s",
        "tokens": null,
        "later": null
      },
      "role": null,
      "invented_later": null
    }"#;

fn changed(dir: &Dir) -> Option<String> {
    dir.discover().unwrap().changed_since_init.as_ref().map(message)
}

#[test]
fn the_recorded_values_are_used_with_their_lines() {
    let found = Dir::new().initialised("alpha", RECORDED).discover().unwrap();
    assert_eq!(value(&found, "region").as_deref(), Some("recorded"));
    assert_eq!(
        found.config.named("region").unwrap().origin.to_string(),
        ".terraform/terraform.tfstate:9"
    );
    assert_eq!(value(&found, "retries").as_deref(), Some("7"));
    assert_eq!(value(&found, "endpoints.store").as_deref(), Some("s"));
    assert_eq!(
        value(&found, "use_lock").as_deref(),
        Some("false"),
        "null falls back to the default"
    );
    assert_eq!(found.source.to_string(), ".terraform/terraform.tfstate:4");
    assert!(found.changed_since_init.is_none());
    assert_eq!(found.config.notes(), &[] as &[String], "what is recorded as unset is not compared");
}

#[test]
fn the_record_of_opentofu_has_no_terraform_version() {
    let record = r#"{"version":3,"backend":{"type":"alpha","config":{"bucket":"b","key":"k"},"hash":4294967295}}"#;
    let found = Dir::new().file(".terraform/terraform.tfstate", record).discover().unwrap();
    assert_eq!(value(&found, "bucket").as_deref(), Some("b"));
}

#[test]
fn the_data_directory_may_be_elsewhere() {
    let dir = Dir::new()
        .file(
            "data/terraform.tfstate",
            r#"{"backend":{"type":"alpha","config":{"bucket":"b","key":"k"}}}"#,
        )
        .file("data/environment", "dev");
    for env in ["data".to_owned(), dir.path().join("data").display().to_string()] {
        let found = dir.with(&[("TF_DATA_DIR", &env)], &Default::default()).unwrap();
        assert_eq!(value(&found, "bucket").as_deref(), Some("b"));
        assert_eq!(found.workspace.value.as_str(), "dev");
    }
}

#[test]
fn environment_variables_stand_in_for_what_is_not_recorded() {
    let dir = Dir::new().initialised("alpha", r#"{"bucket":"b","key":"k","region":null}"#);
    let found = dir.with(&[("ALPHA_REGION", "e")], &Default::default()).unwrap();
    assert_eq!(found.config.string("region"), Some("e"));
    assert_eq!(found.config.named("region").unwrap().origin.to_string(), "$ALPHA_REGION");
}

#[test]
fn strings_in_the_record_are_no_templates() {
    let dir = Dir::new().initialised("alpha", r#"{"bucket":"b","key":"${x}"}"#);
    assert_eq!(dir.value("key").as_deref(), Some("${x}"));
}

#[test]
fn a_record_without_a_backend_is_as_good_as_none() {
    for record in [
        r#"{"version":3}"#,
        r#"{"version":3,"backend":null}"#,
        r#"{"backend":{"type":"","config":{}}}"#,
    ] {
        let dir = Dir::block("").file(".terraform/terraform.tfstate", record);
        assert_eq!(dir.discover().unwrap().source.to_string(), "main.tf:2");
    }
}

#[test]
fn a_broken_record_is_an_error_with_its_place() {
    for record in ["", "{", "[1]", "{\"backend\":\n5}", "null5"] {
        let error = Dir::block("").file(".terraform/terraform.tfstate", record).error();
        assert!(error.contains("cannot parse `.terraform/terraform.tfstate`"), "{record}: {error}");
        assert!(error.contains("terraform init"), "{error}");
    }
}

#[test]
fn a_key_that_was_recorded_and_is_unknown_is_an_error() {
    let error =
        Dir::new().initialised("alpha", r#"{"bucket":"b","key":"k","invented":"x"}"#).error();
    assert!(error.contains("unknown key `invented`"), "{error}");
}

#[test]
fn what_was_recorded_as_a_list_of_one_object_is_that_object() {
    let with = |assume: &str| {
        Dir::new().initialised("beta", &format!(r#"{{"bucket":"b","assume":{assume}}}"#))
    };
    assert_eq!(with(r#"[{"arn":"a"}]"#).value("assume.arn").as_deref(), Some("a"));
    assert_eq!(with("[]").value("assume.arn"), None);
}

#[test]
fn an_unchanged_block_is_no_change() {
    for lines in [
        "",
        "region = \"recorded\"",
        "retries = \"7\"",
        "retries = 7.0",
        "use_lock = null",
        "config_files = [\"c\", \"a\", \"a\"]",
        "endpoints = { store = \"s\" }",
        "secret_key = \"hunter2\"",
    ] {
        let dir = Dir::block(lines).initialised("alpha", RECORDED);
        assert_eq!(changed(&dir), None, "{lines}");
        assert_eq!(dir.value("region").as_deref(), Some("recorded"));
    }
}

#[test]
fn a_changed_value_is_shown_with_both_sides_and_the_recorded_one_is_read() {
    let dir = Dir::block("region = \"new\"").initialised("alpha", RECORDED);
    let error = changed(&dir).unwrap();
    assert!(error.starts_with("the `backend` block has changed since `init`"), "{error}");
    assert!(
        error.contains("region: `new` in main.tf:5, `recorded` in .terraform/terraform.tfstate:9"),
        "{error}"
    );
    assert!(error.contains("hint: run `terraform init`"), "{error}");
    assert_eq!(dir.value("region").as_deref(), Some("recorded"));
}

#[test]
fn every_changed_value_is_listed() {
    let error = changed(
        &Dir::block("region = \"x\"\nretries = 8\nuse_lock = true").initialised("alpha", RECORDED),
    )
    .unwrap();
    for part in [
        "region: `x`",
        "retries: `8` in main.tf:6, `7` in",
        "use_lock: `true` in main.tf:7, not set in",
    ] {
        assert!(error.contains(part), "{part}: {error}");
    }
}

#[test]
fn a_changed_secret_is_not_shown() {
    let error =
        changed(&Dir::block("secret_key = \"letmein\"").initialised("alpha", RECORDED)).unwrap();
    assert!(
        error.contains("secret_key: a secret value in main.tf:5, a secret value in .terraform"),
        "{error}"
    );
    assert!(!error.contains("letmein") && !error.contains("hunter2"), "{error}");
}

#[test]
fn a_member_that_the_block_leaves_out_is_a_change() {
    let error =
        changed(&Dir::block("endpoints = { tokens = \"t\" }").initialised("alpha", RECORDED))
            .unwrap();
    assert!(
        error.contains(
            "endpoints.store: not set in main.tf:5, `s` in .terraform/terraform.tfstate:15"
        ),
        "{error}"
    );
    assert!(
        error.contains(
            "endpoints.tokens: `t` in main.tf:5, not set in .terraform/terraform.tfstate"
        ),
        "{error}"
    );
}

#[test]
fn a_value_that_an_option_gave_to_init_is_no_change() {
    let dir = Dir::block("region = \"block\"").initialised("alpha", RECORDED);
    let env = [("TF_CLI_ARGS_init", "-backend-config=region=recorded")];
    assert!(dir.with(&env, &Default::default()).unwrap().changed_since_init.is_none());
    let found = dir.with_config(&["region=recorded"]).unwrap();
    assert!(found.changed_since_init.is_none());
}

#[test]
fn another_type_is_a_change() {
    let error = changed(&Dir::block("").initialised("beta", r#"{"bucket":"b"}"#)).unwrap();
    assert!(
        error.contains("type: `alpha` in main.tf:2, `beta` in .terraform/terraform.tfstate:4"),
        "{error}"
    );
    let dir = Dir::main("terraform {\n backend \"local\" {\n }\n}").initialised("alpha", RECORDED);
    assert!(changed(&dir).unwrap().contains("`local` in main.tf:2"));
    assert_eq!(dir.discover().unwrap().config.provider().scheme, "alpha");
    let dir = Dir::main("terraform {\n cloud {\n }\n}").initialised("alpha", RECORDED);
    assert!(changed(&dir).unwrap().contains("`cloud` in main.tf:2"));
}

#[test]
fn a_removed_block_is_a_change() {
    let dir = Dir::main("# nothing left\n").initialised("alpha", RECORDED);
    assert!(changed(&dir).unwrap().contains("type: no block, `alpha` in"));
}

#[test]
fn a_block_of_ours_goes_before_a_record_of_another_type_and_counts_as_changed() {
    let dir = Dir::block("").initialised("local", "{}");
    let found = dir.discover().unwrap();
    assert_eq!(found.source.to_string(), "main.tf:2");
    assert!(
        message(&found.changed_since_init.unwrap())
            .contains("`local` in .terraform/terraform.tfstate:4")
    );
}

#[test]
fn a_record_of_another_type_alone_is_named() {
    let error = Dir::new().initialised("azurerm", "{}").error();
    assert!(
        error.contains("backend type `azurerm` is not supported")
            && error.contains(".terraform/terraform.tfstate:4"),
        "{error}"
    );
}
