//! Names that OpenTofu evaluates in a block: their present values are compared with those that
//! `init` recorded.
//!
//! These are variables from every source of values, their defaults, locals, the workspace and
//! paths, in HCL and in JSON. Expressions that need a function, or a name without a value, are not
//! compared.

use remote_state_core::directory::DirectoryOptions;

use crate::fixture::{Dir, message};

const RECORDED: &str = r#"{"bucket":"b","key":"dev/terraform.tfstate","region":"eu"}"#;

const DECLARED: &str = "variable \"env\" {\n  type = string\n  default = \"dev\"\n}\nvariable \
                        \"n\" {\n  type = number\n}\n";

/// Creates a directory whose key is an expression on line 4, initialised for `dev`.
fn dir(key: &str, more: &str) -> Dir {
    let block = format!(
        "terraform {{\n  backend \"alpha\" {{\n    bucket = \"b\"\n    key = {key}\n  }}\n}}\n"
    );
    Dir::main(&format!("{block}{more}")).initialised("alpha", RECORDED)
}

/// Returns the result of the comparison: the same, changed, or not compared, with the message.
fn compared(dir: &Dir, env: &[(&str, &str)]) -> (&'static str, String) {
    let found = dir.with(env, &DirectoryOptions::default()).unwrap();
    match (&found.changed_since_init, &found.not_compared) {
        (None, None) => ("same", String::new()),
        (Some(error), None) => ("changed", message(error)),
        (None, Some(error)) => ("not compared", message(error)),
        (Some(one), Some(other)) => ("both", message(one) + &message(other)),
    }
}

const KEY: &str = "\"${var.env}/terraform.tfstate\"";

#[test]
fn a_variable_is_compared_with_what_was_recorded_wherever_it_is_set() {
    let plain = || dir(KEY, DECLARED);
    let value = "env = \"prod\"\n";
    let json = "{\"env\": \"prod\"}";
    for (dir, env) in [
        (plain(), [("TF_VAR_env", "prod")]),
        (plain().file("terraform.tfvars", value), [("TF_VAR_env", "dev")]),
        (plain().file("terraform.tfvars.json", json), [("NONE", "")]),
        (
            plain().file("a.auto.tfvars", "env = \"dev\"").file("b.auto.tfvars", value),
            [("NONE", "")],
        ),
        (plain().file("b.auto.tfvars.json", json), [("NONE", "")]),
        (plain(), [("TF_CLI_ARGS", "-var env=prod")]),
        (plain(), [("TF_CLI_ARGS_plan", "-lock=false '-var=env=prod'")]),
        (plain().file("x.tfvars", value), [("TF_CLI_ARGS_apply", "--var-file x.tfvars")]),
        (dir(KEY, "variable \"env\" {\n  default = \"prod\"\n}\n"), [("NONE", "")]),
        (
            plain().file("override.tf", "variable \"env\" {\n  default = \"prod\"\n}\n"),
            [("NONE", "")],
        ),
    ] {
        let (what, words) = compared(&dir, &env);
        assert_eq!(what, "changed", "{env:?}: {words}");
        for expected in [
            "key: `prod/terraform.tfstate` in main.tf:4 (`var.env` set in ",
            "), `dev/terraform.tfstate` in .terraform/",
        ] {
            assert!(words.contains(expected), "{env:?}: {words}");
        }
    }
    for env in [
        ("NONE", ""),
        ("TF_VAR_env", "dev"),
        ("TF_VAR_other", "prod"),
        ("TF_CLI_ARGS", "-var=env=dev"),
    ] {
        assert_eq!(compared(&plain(), &[env]).0, "same", "{env:?}");
    }
}

#[test]
fn what_goes_before_is_what_opentofu_takes() {
    let dir = dir(KEY, DECLARED)
        .file("terraform.tfvars", "env = \"x\"")
        .file("a.auto.tfvars", "env = \"y\"")
        .file("z.tfvars", "env = \"dev\"");
    assert!(compared(&dir, &[("TF_VAR_env", "dev")]).1.contains("`y/terraform.tfstate`"));
    assert_eq!(compared(&dir, &[("TF_CLI_ARGS", "-var env=x -var-file=z.tfvars")]).0, "same");
    assert!(
        compared(&dir, &[("TF_CLI_ARGS", "-var-file=z.tfvars -var env=x")]).1.contains("`x/terra")
    );
}

#[test]
fn a_file_of_definitions_that_cannot_be_read_makes_what_it_may_set_unknown() {
    let plain = || dir(KEY, DECLARED);
    let conflict = "<<<<<<< HEAD\nenv = \"prod\"\n=======\nenv = \"dev\"\n>>>>>>> other\n";
    for (dir, env) in [
        (plain().file("x.auto.tfvars", conflict), [("NONE", "")]),
        (plain().file("x.auto.tfvars", "env = \n"), [("TF_VAR_env", "dev")]),
        (plain().file("terraform.tfvars", "env = \"dev"), [("NONE", "")]),
        (plain().file("x.auto.tfvars.json", "{\"env\": \"prod\",}"), [("NONE", "")]),
        (plain().file("x.auto.tfvars/file", ""), [("NONE", "")]),
        (plain(), [("TF_CLI_ARGS", "-var-file=prod.tfvars")]),
        (plain().file("x.tfvars", conflict), [("TF_CLI_ARGS_plan", "-var-file x.tfvars")]),
    ] {
        assert_eq!(compared(&dir, &env).0, "not compared", "{env:?}");
    }
    // Sources that take precedence over the file decide.
    let broken = plain().file("x.auto.tfvars", conflict);
    assert_eq!(compared(&broken, &[("TF_CLI_ARGS", "-var env=dev")]).0, "same");
    assert_eq!(compared(&broken, &[("TF_CLI_ARGS", "-var env=prod")]).0, "changed");
}

#[test]
fn names_of_every_kind_are_followed() {
    let locals = "locals {\n  e = var.env\n  all = { dev = \"dev\", list = [local.e] }\n}\n";
    let given = [("TF_VAR_n", "5")];
    for key in [
        "\"${local.e}/terraform.tfstate\"",
        "\"${local.all.dev}/terraform.tfstate\"",
        "\"${local.all[\"list\"][0]}/terraform.tfstate\"",
        "var.n + 1 == 6 ? \"dev/terraform.tfstate\" : \"prod\"",
        "\"${terraform.workspace == \"default\" ? \"dev\" : \"w\"}/terraform.tfstate\"",
        "path.module == \".\" ? \"dev/terraform.tfstate\" : \"prod\"",
    ] {
        let more = format!("{DECLARED}{locals}");
        assert_eq!(compared(&dir(key, &more), &given), ("same", String::new()), "{key}");
        let other = key.replace("dev", "test");
        let more = more.replace("all = { dev", "all = { test").replace("\"dev\"", "\"test\"");
        assert_eq!(compared(&dir(&other, &more), &given).0, "changed", "{other}");
    }
    let json = r#"{"terraform":{"backend":{"alpha":{"bucket":"b","key":"${var.env}/terraform.tfstate"}}}}"#;
    let dir =
        Dir::new().file("main.tf.json", json).file("v.tf", DECLARED).initialised("alpha", RECORDED);
    assert_eq!(compared(&dir, &[]).0, "same");
    assert_eq!(compared(&dir, &[("TF_VAR_env", "prod")]).0, "changed");
}

#[test]
fn what_cannot_be_evaluated_is_not_compared_and_says_so() {
    let circle = "locals {\n  a = local.b\n  b = local.a\n}\n";
    for (key, what) in [
        ("lower(\"A\")", "a call of `lower`"),
        ("var.n", "the name `var.n`"),
        ("var.undeclared", "the name `var.undeclared`"),
        ("\"${local.a}\"", "the name `local.a`"),
        ("\"${data.x.y}/k\"", "the name `data.x`"),
    ] {
        let (compared, words) = compared(&dir(key, &format!("{DECLARED}{circle}")), &[]);
        assert_eq!(compared, "not compared", "{key}: {words}");
        assert!(
            words.starts_with("`key` was recorded for another run and is not compared\n"),
            "{words}"
        );
        assert!(
            words.contains(&format!("main.tf:4 (`key`), by an expression with {what}")),
            "{words}"
        );
        assert!(words.contains("to set `key` for this run"), "{words}");
    }
    let block = "endpoints = { store = var.r }\n    tags = var.t\n    secret_key = hunter2";
    let (compared, words) = compared(&Dir::block(block).initialised("alpha", RECORDED), &[]);
    assert!(
        words.contains("`endpoints.store` was recorded") && words.contains("(`tags`)"),
        "{words}"
    );
    assert!(compared == "both" && !words.contains("hunter2"), "{compared}: {words}");
}

#[test]
fn an_option_that_says_which_value_is_meant_settles_it() {
    let dir = dir("lower(\"A\")", "");
    let found = dir.with_config(&["key=dev/terraform.tfstate"]).unwrap();
    assert!(found.not_compared.is_none() && found.changed_since_init.is_none());
    assert!(dir.with_config(&["region=eu"]).unwrap().not_compared.is_some());
    let given = [("TF_CLI_ARGS_init", "-backend-config=key=dev/terraform.tfstate")];
    assert_eq!(compared(&dir, &given).0, "same");
    let recorded = r#"{"bucket":"b","key":"k","endpoints":{"store":"s"}}"#;
    let object = Dir::block("endpoints = var.e").initialised("alpha", recorded);
    assert_eq!(compared(&object, &[]).0, "not compared");
    assert!(object.with_config(&["endpoints={ store = \"s\" }"]).unwrap().not_compared.is_none());
}

/// A hostile directory must not make the library compute without end.
#[test]
fn names_that_grow_without_end_have_no_value() {
    let doubled: String = (1..60)
        .map(|n| format!("  a{n} = \"${{local.a{}}}${{local.a{}}}\"\n", n - 1, n - 1))
        .collect();
    let more = format!("locals {{\n  a0 = \"xxxxxxxx\"\n{doubled}}}\n");
    assert_eq!(compared(&dir("local.a59", &more), &[]).0, "not compared");
    let more = format!(
        "locals {{\n  a0 = \"xxxxxxxx\"\n{}}}\n",
        doubled.lines().rev().fold(String::new(), |all, line| all + line + "\n")
    );
    assert_eq!(compared(&dir("local.a12", &more), &[]).0, "not compared");
}

#[test]
fn variables_and_locals_that_a_file_in_json_declares_are_names_too() {
    let json = r#"{"variable": [{"env": {"type": "string", "default": "dev"}}],
        "locals": {"e": "${var.env}", "all": {"dev": ["${local.e}"]}}}"#;
    for key in [
        KEY,
        "\"${local.e}/terraform.tfstate\"",
        "\"${local.all.dev[0]}/terraform.tfstate\"",
        "\"${local.all[\"dev\"][0]}/terraform.tfstate\"",
    ] {
        let dir = || dir(key, "").file("names.tf.json", json);
        assert_eq!(compared(&dir(), &[]), ("same", String::new()), "{key}");
        assert_eq!(compared(&dir(), &[("TF_VAR_env", "prod")]).0, "changed", "{key}");
        let other = json.replace("dev\"}}]", "prod\"}}]");
        let override_ = dir().file("override.tf.json", other);
        assert_eq!(compared(&override_, &[]).0, "changed", "{key}");
    }
    // A default is literal text, not a template.
    let literal = json.replace("\"default\": \"dev\"", "\"default\": \"${path.root}\"");
    let (compared, words) = compared(&dir(KEY, "").file("names.tf.json", literal), &[]);
    assert!(compared == "changed" && words.contains("`${path.root}/"), "{compared}: {words}");
}

#[test]
fn a_changed_value_is_told_with_the_places_of_the_names_that_it_comes_from() {
    let more = "locals {\n  e = var.env\n}\n";
    let names = |key: &str| dir(key, &format!("{DECLARED}{more}")).file("x.tfvars", "env = \"p\"");
    for (key, env, says) in [
        (KEY, ("TF_VAR_env", "p"), "main.tf:4 (`var.env` set in $TF_VAR_env), "),
        (KEY, ("TF_CLI_ARGS_plan", "-var env=p"), "(`var.env` set in $TF_CLI_ARGS_plan), "),
        (KEY, ("TF_CLI_ARGS", "-var-file=x.tfvars"), "(`var.env` set in x.tfvars:1), "),
        ("\"${local.e}/terraform.tfstate\"", ("TF_VAR_env", "p"), "`local.e` set in main.tf:15"),
        (
            "\"${terraform.workspace}\"",
            ("TF_WORKSPACE", "w"),
            "(`terraform.workspace` set in $TF_WORKSPACE), ",
        ),
        ("\"x\"", ("NONE", ""), "`x` in main.tf:4, "),
    ] {
        let (compared, words) = compared(&names(key), &[env]);
        assert!(compared == "changed" && words.contains(says), "{key}: {compared}: {words}");
    }
}
