//! The evaluation of values in a block.

use remote_state_tests::Suite;
use serde_json::{Value, json};

use crate::case::{Case, block};

pub(crate) fn tests(suite: &mut Suite) {
    converted(suite);
    evaluated(suite);
    not_evaluated(suite);
    refused(suite);
}

/// Adds what every backend needs to the lines under test.
fn with(name: &'static str, lines: &str) -> Case {
    Case::new(name).block(&format!("bucket = \"tfstate\"\n    {lines}"))
}

fn converted(suite: &mut Suite) {
    for (name, text, value) in [
        ("the_string_true_is_true", "\"true\"", true),
        ("the_string_false_is_false", "\"false\"", false),
        ("the_string_1_is_true", "\"1\"", true),
        ("the_string_0_is_false", "\"0\"", false),
    ] {
        with(name, &format!("key = \"k\"\n    use_lockfile = {text}"))
            .is(&[("use_lockfile", value.into())])
            .add_to(suite);
    }
    for (name, text) in [
        ("the_string_true_in_capitals_is_no_bool", "\"TRUE\""),
        ("the_string_yes_is_no_bool", "\"yes\""),
    ] {
        with(name, &format!("key = \"k\"\n    use_lockfile = {text}"))
            .refused(&[
                "for `use_lockfile`: expected `true` or `false`, found a string",
                "main.tf:5",
            ])
            .terraform_refuses("a bool is required")
            .add_to(suite);
    }
    with("a_string_for_a_number_is_converted", "key = \"k\"\n    max_retries = \"4\"")
        .is(&[("max_retries", json!(4))])
        .add_to(suite);
    with("a_word_for_a_number_is_refused", "key = \"k\"\n    max_retries = \"four\"")
        .refused(&["invalid value `four` for `max_retries`: expected a number", "main.tf:5"])
        .terraform_refuses("a number is required")
        .add_to(suite);
    with("a_number_for_a_string_is_converted", "key = 5").has_key("5").add_to(suite);
    with("a_bool_for_a_string_is_converted", "key = true").has_key("true").add_to(suite);
    with(
        "null_is_as_if_not_set",
        "key = \"k\"\n    workspace_key_prefix = null\n    kms_key_id = null",
    )
    .is(&[("workspace_key_prefix", json!("env:")), ("kms_key_id", Value::Null)])
    .add_to(suite);
    with("null_does_for_no_required_value", "key = null")
        .refused(&["`key` is not set for provider `s3`", "main.tf:2"])
        .terraform_refuses("\"key\"")
        .add_to(suite);
    Case::new("values_in_json_are_converted_too")
        .file(
            "main.tf.json",
            "{\"terraform\": {\"backend\": {\"s3\": {\"bucket\": \"tfstate\", \"key\": 5, \
             \"use_lockfile\": \"true\", \"max_retries\": \"4\", \"acl\": null, COMMON_JSON}}}}",
        )
        .is(&[
            ("key", json!("5")),
            ("use_lockfile", json!(true)),
            ("max_retries", json!(4)),
            ("acl", Value::Null),
        ])
        .add_to(suite);
}

fn evaluated(suite: &mut Suite) {
    let cases = [
        with("a_heredoc_is_evaluated", "key = <<EOT\nin/a/heredoc\nEOT").has_key("in/a/heredoc\n"),
        with("an_indented_heredoc_is_evaluated", "key = <<-EOT\n      in/a/heredoc\n    EOT")
            .has_key("in/a/heredoc\n"),
        with("a_template_of_literals_is_evaluated", "key = \"tf${\"state\"}\"").has_key("tfstate"),
        with("a_conditional_is_evaluated", "key = true ? \"a\" : \"b\"").has_key("a"),
        with("arithmetic_is_evaluated", "key = \"k\"\n    max_retries = 1 + 2")
            .is(&[("max_retries", json!(3))]),
        with("arithmetic_may_become_a_string", "key = 2 * (3 + 4)").has_key("14"),
        with("escapes_are_evaluated", r#"key = "a\"\u00fc$${x}\\""#).has_key("a\"ü${x}\\"),
        with("an_index_into_a_literal_is_evaluated", "key = [\"a\", \"b\"][1]").has_key("b"),
        with("comparisons_are_evaluated", "key = \"k\"\n    use_lockfile = 1 < 2 && !false")
            .is(&[("use_lockfile", json!(true))]),
        with("an_object_is_an_attribute", "key = \"k\"\n    endpoints = { s3 = \"ENDPOINT\" }"),
        with(
            "an_object_may_have_colons_and_quotes",
            "key = \"k\"\n    endpoints = { \"s3\" : \"ENDPOINT\" }",
        ),
    ];
    for case in cases {
        let case = if case.is_unsaid() { case.has_key("k") } else { case };
        case.add_to(suite);
    }
}

fn not_evaluated(suite: &mut Suite) {
    for (name, expression, what, theirs) in [
        (
            "a_function_call_is_left_to_opentofu",
            "lower(\"K\")",
            "lower",
            "Function calls not allowed",
        ),
        ("a_variable_is_left_to_opentofu", "var.x", "`var.x`", "Variables not allowed"),
        ("a_local_value_is_left_to_opentofu", "local.x", "`local.x`", "Variables not allowed"),
        ("a_path_is_left_to_opentofu", "path.module", "`path.module`", "Variables not allowed"),
        (
            "the_workspace_is_left_to_opentofu",
            "terraform.workspace",
            "`terraform.workspace`",
            "Variables not allowed",
        ),
        (
            "a_name_in_a_template_is_left_to_opentofu",
            "\"a/${var.x}/b\"",
            "`var.x`",
            "Variables not allowed",
        ),
    ] {
        let content = format!(
            "variable \"x\" {{\n  default = \"v\"\n}}\n\nlocals {{\n  x = \"l\"\n}}\n\n{}",
            block(&format!("bucket = \"tfstate\"\n    key = {expression}"))
        );
        Case::new(name)
            .file("main.tf", content)
            .refused(&[
                "`key` is set by an expression with ",
                what,
                "main.tf:12",
                "OpenTofu only; Terraform refuses",
                "run `tofu init` first",
                "to set `key` for this run, pass `--backend-config key=…`",
            ])
            .terraform_refuses(theirs)
            .add_to(suite);
    }
    with("a_setting_on_top_makes_a_name_harmless", "key = var.x")
        .given("key=given")
        .has_key("given")
        .add_to(suite);
    // Terraform takes the template literally, OpenTofu evaluates it: a guess could use another
    // state.
    Case::new("a_template_in_json_is_left_to_init")
        .file(
            "main.tf.json",
            "{\"terraform\": {\"backend\": {\"s3\": {\"bucket\": \"tfstate\",\n\"key\": \
             \"tf${\\\"state\\\"}\", COMMON_JSON}}}}",
        )
        .refused(&[
            "`key` is set by an expression with a template in JSON",
            "main.tf.json:2",
            "OpenTofu only; Terraform takes it literally",
        ])
        .terraform_uses("tf${\"state\"}")
        .add_to(suite);
}

fn refused(suite: &mut Suite) {
    let cases = [
        with("an_attribute_that_is_set_twice_is_refused", "key = \"a\"\n    key = \"b\"")
            .refused(&["main.tf", "key"])
            .terraform_refuses("Attribute redefined"),
        with(
            "endpoints_as_a_block_are_refused",
            "key = \"k\"\n    endpoints {\n      s3 = \"ENDPOINT\"\n    }",
        )
        .refused(&[
            "unsupported block type `endpoints`",
            "main.tf:5",
            "write it as an attribute: `endpoints = { s3 = … }`",
        ])
        .terraform_refuses("Unsupported block type"),
        with(
            "assume_role_as_a_block_is_refused",
            "key = \"k\"\n    assume_role {\n      role_arn = \"a\"\n    }",
        )
        .refused(&["unsupported block type `assume_role`", "main.tf:5"])
        .terraform_refuses("Unsupported block type"),
        with(
            "an_unknown_argument_is_refused_with_its_line",
            "key = \"k\"\n    use_lock_file = true",
        )
        .refused(&[
            "unknown key `use_lock_file` for provider `s3`",
            "main.tf:5",
            "did you mean `use_lockfile`?",
        ])
        .terraform_refuses("Unsupported argument"),
        with("what_cannot_be_parsed_is_refused_with_its_line", "key = \"k\" oops")
            .refused(&["cannot parse `main.tf`", "main.tf:4"])
            .terraform_refuses("main.tf"),
        Case::new("json_that_cannot_be_parsed_is_refused_with_its_line")
            .file("main.tf.json", "{\"terraform\": {\"backend\":\n{\"s3\": {\"bucket\" \"b\"}}}}")
            .refused(&["cannot parse `main.tf.json`", "main.tf.json:2"])
            .terraform_refuses("main.tf.json"),
    ];
    for case in cases {
        case.add_to(suite);
    }
}
