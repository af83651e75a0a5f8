//! `-backend-config`, on the command line and in Terraform's variables.

use remote_state_tests::Suite;
use serde_json::json;

use crate::case::Case;

/// A block that leaves the key to the arguments.
fn partial(name: &'static str) -> Case {
    Case::new(name).block("bucket = \"tfstate\"")
}

pub(crate) fn tests(suite: &mut Suite) {
    order(suite);
    values(suite);
    variables(suite);
    refused(suite);
}

fn order(suite: &mut Suite) {
    let cases = [
        partial("a_pair_completes_the_block").given("key=k").has_key("k"),
        Case::new("an_argument_goes_before_the_block")
            .block("bucket = \"tfstate\"\n    key = \"block\"")
            .given("key=given")
            .has_key("given"),
        Case::new("an_empty_block_may_be_completed_by_a_file")
            .file("main.tf", "terraform {\n  backend \"s3\" {}\n}\n")
            .file("prod.hcl", "bucket = \"tfstate\"\nkey = \"k\"\nCOMMON\n")
            .given("prod.hcl")
            .is(&[("bucket", json!("tfstate")), ("key", json!("k"))]),
        partial("the_last_pair_wins").given("key=a").given("key=b").has_key("b"),
        partial("a_pair_after_a_file_wins")
            .file("f.hcl", "key = \"file\"\n")
            .given("f.hcl")
            .given("key=pair")
            .has_key("pair"),
        partial("a_file_after_a_pair_wins")
            .file("f.hcl", "key = \"file\"\n")
            .given("key=pair")
            .given("f.hcl")
            .has_key("file"),
        partial("the_last_file_wins")
            .file("f.hcl", "key = \"f\"\nmax_retries = 3\n")
            .file("g.hcl", "key = \"g\"\n")
            .given("f.hcl")
            .given("g.hcl")
            .is(&[("key", json!("g")), ("max_retries", json!(3))]),
        partial("a_file_is_hcl_whatever_its_name")
            .file("prod.s3.tfbackend", "key = \"k\"\n")
            .given("prod.s3.tfbackend")
            .has_key("k"),
        partial("a_file_named_json_is_json")
            .file("prod.json", "{\"key\": \"k\"}")
            .given("prod.json")
            .has_key("k"),
        partial("a_file_in_a_folder_is_found")
            .file("env/prod.hcl", "key = \"k\"\n")
            .given("env/prod.hcl")
            .has_key("k"),
    ];
    for case in cases {
        case.add_to(suite);
    }
}

fn values(suite: &mut Suite) {
    let cases = [
        partial("quotes_in_a_pair_are_kept").given("key=\"quoted\"").has_key("\"quoted\""),
        partial("only_the_first_equals_sign_divides").given("key=a=b=c").has_key("a=b=c"),
        partial("spaces_in_a_pair_are_kept").given("key= a b").has_key(" a b"),
        partial("an_object_is_an_expression")
            .given("key=k")
            .given("endpoints={s3=\"ENDPOINT\"}")
            .has_key("k"),
        partial("bools_and_numbers_are_converted")
            .given("key=k")
            .given("use_lockfile=true")
            .given("max_retries=4")
            .is(&[("use_lockfile", json!(true)), ("max_retries", json!(4))]),
        partial("a_dotted_name_is_ours_alone")
            .given("key=k")
            .given("endpoints.s3=http://127.0.0.1:1")
            .is(&[("endpoints.s3", json!("http://127.0.0.1:1"))])
            .terraform_refuses("endpoints.s3"),
    ];
    for case in cases {
        case.add_to(suite);
    }
}

fn variables(suite: &mut Suite) {
    let cases = [
        partial("the_variable_of_init_counts_as_given")
            .env("TF_CLI_ARGS_init", "-backend-config=key=k -backend-config='max_retries=3'")
            .is(&[("key", json!("k")), ("max_retries", json!(3))]),
        partial("the_variable_of_all_commands_counts_as_given")
            .env("TF_CLI_ARGS", "-no-color -backend-config key=k")
            .has_key("k"),
        partial("the_variable_may_name_a_file")
            .file("prod.hcl", "key = \"file\"\n")
            .env("TF_CLI_ARGS_init", "-backend-config=prod.hcl")
            .has_key("file"),
        partial("the_command_line_goes_before_the_variable")
            .env("TF_CLI_ARGS_init", "-backend-config=key=variable")
            .given("key=given")
            .has_key("given"),
        partial("of_both_variables_the_general_one_wins")
            .env("TF_CLI_ARGS_init", "-backend-config=key=init")
            .env("TF_CLI_ARGS", "-backend-config=key=all")
            .has_key("all"),
    ];
    for case in cases {
        case.add_to(suite);
    }
}

fn refused(suite: &mut Suite) {
    let cases = [
        partial("an_empty_value_does_for_no_required_one")
            .given("key=")
            .refused(&["`key` is not set for provider `s3`", "--backend-config"])
            .terraform_refuses("cannot be empty"),
        partial("an_unknown_name_is_refused")
            .given("key=k")
            .given("buckt=b")
            .refused(&[
                "unknown key `buckt` for provider `s3`",
                "set in  --backend-config",
                "did you mean `bucket`?",
            ])
            .terraform_refuses("buckt"),
        partial("an_unknown_name_in_a_file_is_refused_with_its_line")
            .file("prod.hcl", "key = \"k\"\nbuckt = \"b\"\n")
            .given("prod.hcl")
            .refused(&["unknown key `buckt`", "prod.hcl:2"])
            .terraform_refuses("buckt"),
        partial("a_file_that_is_not_there_is_refused")
            .given("prod.hcl")
            .refused(&["there is no file `prod.hcl`", "--backend-config"])
            .terraform_refuses("prod.hcl"),
        partial("an_object_that_is_no_expression_is_refused")
            .given("key=k")
            .given("endpoints={s3=")
            .refused(&["the value of `endpoints` is not a valid expression"])
            .terraform_refuses("endpoints"),
    ];
    for case in cases {
        case.add_to(suite);
    }
}
