//! Which place takes precedence, and which workspace is selected.

use remote_state_core::directory::DirectoryOptions;
use serde_json::json;

use crate::fixture::{Dir, message, value};

fn options(backend: &str, arguments: &[&str]) -> DirectoryOptions {
    let options = DirectoryOptions::default().with_backend(backend);
    arguments.iter().fold(options, |options, argument| options.with_backend_config(*argument))
}

#[test]
fn with_a_type_as_option_nothing_else_is_read() {
    let dir = Dir::main("terraform { backend oops")
        .file("remote-state.hcl", "}")
        .file(".terraform/terraform.tfstate", "}")
        .file(".terraform/environment", "dev");
    let env = [("TF_CLI_ARGS_init", "-backend-config=region=x"), ("ALPHA_REGION", "e")];
    let found = dir.with(&env, &options("alpha", &["bucket=b", "key=k"])).unwrap();
    assert_eq!(value(&found, "bucket").as_deref(), Some("b"));
    assert_eq!(value(&found, "region").as_deref(), Some("e"));
    assert_eq!(found.workspace.value.as_str(), "default");
    assert_eq!(found.source.to_string(), "option `backend`");
}

#[test]
fn the_own_file_goes_before_the_record_and_the_block() {
    let dir = Dir::block("")
        .initialised("alpha", r#"{"bucket":"recorded","key":"k"}"#)
        .file(".terraform/environment", "dev")
        .file("remote-state.hcl", "# ours\nbackend \"beta\" {\n  bucket = \"own\"\n}\n");
    let found = dir.discover().unwrap();
    assert_eq!(
        (value(&found, "bucket").as_deref(), found.config.provider().scheme),
        (Some("own"), "beta")
    );
    assert_eq!(found.source.to_string(), "remote-state.hcl:2");
    assert_eq!(found.workspace.value.as_str(), "dev");
    assert!(found.changed_since_init.is_none());
    let found = dir.with_config(&["bucket=on-top"]).unwrap();
    assert_eq!(value(&found, "bucket").as_deref(), Some("on-top"));
}

#[test]
fn the_own_file_holds_exactly_one_block() {
    for (content, part) in [
        ("", "holds no `backend` block"),
        ("backend \"beta\" {\n}\nbackend \"beta\" {\n}\n", "holds more than one block"),
        ("terraform {\n}\n", "`terraform` does not belong in `remote-state.hcl`"),
        ("bucket = \"b\"\n", "`bucket` does not belong in `remote-state.hcl`"),
        ("backend \"gamma\" {\n}\n", "backend type `gamma` is not supported"),
        ("backend \"http\" {\n}\n", "backend type `http` is not supported"),
        (
            "backend \"beta\" {\n  bucket = var.b\n}\n",
            "`bucket` is set by an expression with the name `var.b`",
        ),
        ("backend \"beta\" {", "cannot parse `remote-state.hcl`"),
    ] {
        let error = Dir::new().file("remote-state.hcl", content).error();
        assert!(error.contains(part), "{content}: {error}");
    }
}

#[test]
fn the_record_goes_before_the_block() {
    let dir = Dir::block("").initialised("alpha", r#"{"bucket":"recorded","key":"k"}"#);
    assert_eq!(dir.value("bucket").as_deref(), Some("recorded"));
}

#[test]
fn the_block_is_used_with_options_on_top() {
    let dir = Dir::block("");
    let found = dir.with_config(&["bucket=ours"]).unwrap();
    assert_eq!(value(&found, "bucket").as_deref(), Some("ours"));
    assert_eq!(found.source.to_string(), "main.tf:2");
}

#[test]
fn options_alone_go_on_top_of_the_record() {
    let dir = Dir::new().initialised("alpha", r#"{"bucket":"recorded","key":"k"}"#);
    let found = dir.with_config(&["bucket=ours"]).unwrap();
    assert_eq!(
        (value(&found, "bucket").as_deref(), value(&found, "key").as_deref()),
        (Some("ours"), Some("k"))
    );
}

#[test]
fn a_type_that_is_not_ours_is_named_with_those_that_are() {
    for name in ["azurerm", "gcs", "local", "remote"] {
        let error =
            Dir::main(&format!("terraform {{\n  backend \"{name}\" {{\n    x = var.y\n  }}\n}}"))
                .error();
        assert!(error.contains(&format!("backend type `{name}` is not supported")), "{error}");
        assert!(error.contains("main.tf:2") && error.contains("`alpha`, `beta`"), "{error}");
    }
    let error = message(&Dir::new().with(&[], &options("http", &[])).unwrap_err());
    assert!(
        error.contains("backend type `http` is not supported")
            && error.contains("set in: option `backend`"),
        "{error}"
    );
}

#[test]
fn http_is_answered_with_a_file_to_add() {
    for dir in
        [Dir::main("terraform {\n  backend \"http\" {}\n}"), Dir::new().initialised("http", "{}")]
    {
        let error = dir.error();
        assert!(
            error.contains("speaks `http`") && error.contains("add a file `remote-state.hcl`"),
            "{error}"
        );
        assert!(
            error.contains("backend \"alpha\" {\n  bucket = \"…\"\n  key = \"…\"\n}"),
            "{error}"
        );
    }
}

#[test]
fn the_workspace_comes_from_the_option_the_variable_the_file_or_is_default() {
    let dir = Dir::block("").file(".terraform/environment", "from-file");
    let env = [("TF_WORKSPACE", "from-env")];
    let option = DirectoryOptions::default().with_workspace("from-option");
    for (env, options, expected, origin) in [
        (&env[..], option.clone(), "from-option", "option `workspace`"),
        (&env[..], DirectoryOptions::default(), "from-env", "$TF_WORKSPACE"),
        (&[], DirectoryOptions::default(), "from-file", ".terraform/environment"),
        (
            &[("TF_WORKSPACE", "")],
            DirectoryOptions::default(),
            "from-file",
            ".terraform/environment",
        ),
    ] {
        let workspace = dir.with(env, &options).unwrap().workspace;
        assert_eq!(
            (workspace.value.as_str(), workspace.origin.to_string().as_str()),
            (expected, origin)
        );
    }
    let workspace = Dir::block("").discover().unwrap().workspace;
    assert_eq!(
        (workspace.value.as_str(), workspace.origin.to_string().as_str()),
        ("default", "default")
    );
    let workspace = dir.with(&env, &options("beta", &["bucket=b"])).unwrap().workspace;
    assert_eq!(workspace.value.as_str(), "from-env");
}

#[test]
fn a_workspace_that_is_no_name_is_an_error_that_says_where_it_was_set() {
    let error =
        message(&Dir::block("").file(".terraform/environment", "a/b").discover().unwrap_err());
    assert!(
        error.contains("is not a workspace name")
            && error.contains("set in: .terraform/environment"),
        "{error}"
    );
    assert_eq!(
        Dir::block("")
            .file(".terraform/environment", "dev\n")
            .discover()
            .unwrap()
            .workspace
            .value
            .as_str(),
        "dev"
    );
}

#[test]
fn the_json_document_shows_each_value_with_its_origin_and_no_secret() {
    let dir = Dir::main(
        "terraform {\n  backend \"alpha\" {\n    bucket = \"tfstate\"\n    secret_key = \
         \"hunter2\"\n    config_files = [\"a\"]\n  }\n}\n",
    );
    let found = dir.with_config(&["key=k", "use_lock=true"]).unwrap();
    assert_eq!(
        found.config.to_json(&found.workspace.value),
        json!({
            "version": 1,
            "backend": "alpha",
            "workspace": "default",
            "values": {
                "bucket": { "value": "tfstate", "origin": "main.tf:3" },
                "key": { "value": "k", "origin": "option `backend_config`" },
                "prefix": { "value": "env:", "origin": "default" },
                "secret_key": { "redacted": true, "origin": "main.tf:4" },
                "use_lock": { "value": true, "origin": "option `backend_config`" },
                "retries": { "value": 5, "origin": "default" },
                "config_files": { "value": ["a"], "origin": "main.tf:5" },
            },
        })
    );
}
