//! Which files are read, and which block takes effect.

use remote_state_tests::Suite;
use serde_json::{Value, json};

use crate::case::{Case, Directory};

const NONE: &[&str] =
    &["no backend is configured here", "remote-state.hcl", ".terraform/terraform.tfstate"];

fn hcl(key: &str) -> String {
    crate::case::block(&format!("bucket = \"tfstate\"\n    key = \"{key}\""))
}

fn json(key: &str) -> String {
    format!(
        "{{\"terraform\": {{\"backend\": {{\"s3\": {{\"bucket\": \"tfstate\", \"key\": \"{key}\", \
         COMMON_JSON}}}}}}}}"
    )
}

pub(crate) fn tests(suite: &mut Suite) {
    files(suite);
    which_counts(suite);
    none(suite);
    suite.on_emulator("a_shadowed_block_is_pointed_out", &[], |server| {
        let directory = Directory::empty(server);
        directory.write("main.tf", &hcl("terraform"));
        directory.write("main.tofu", &hcl("opentofu"));
        directory.show().success().says(
            "warning: the block in main.tf:2 is not used: OpenTofu reads `main.tofu` in its \
             place; Terraform would use it",
        );
    });
}

fn files(suite: &mut Suite) {
    let cases = [
        Case::new("a_tf_file_is_read").file("backend.tf", hcl("k")).has_key("k"),
        Case::new("a_tf_json_file_is_read").file("backend.tf.json", json("k")).has_key("k"),
        Case::new("a_tofu_file_is_read_as_opentofu_does")
            .file("x.tofu", hcl("k"))
            .has_key("k")
            .terraform_finds_none(),
        Case::new("a_tofu_json_file_is_read_as_opentofu_does")
            .file("x.tofu.json", json("k"))
            .has_key("k")
            .terraform_finds_none(),
        Case::new("a_tofu_file_shadows_the_tf_file_of_its_name")
            .file("main.tf", hcl("terraform"))
            .file("main.tofu", hcl("opentofu"))
            .has_key("opentofu")
            .terraform_uses("terraform"),
        Case::new("a_tofu_json_file_shadows_the_tf_json_file_of_its_name")
            .file("main.tf.json", json("terraform"))
            .file("main.tofu.json", json("opentofu"))
            .has_key("opentofu")
            .terraform_uses("terraform"),
        Case::new("folders_below_are_not_read")
            .file("below/main.tf", hcl("k"))
            .refused(NONE)
            .terraform_finds_none(),
        Case::new("hidden_files_are_not_read")
            .file(".x.tf", hcl("k"))
            .refused(NONE)
            .terraform_finds_none(),
        Case::new("autosaved_files_are_not_read")
            .file("#x.tf#", hcl("k"))
            .refused(NONE)
            .terraform_finds_none(),
        Case::new("backup_files_are_not_read")
            .file("x.tf~", hcl("k"))
            .refused(NONE)
            .terraform_finds_none(),
        Case::new("editors_leftovers_beside_the_real_file_do_not_matter")
            .file("main.tf", hcl("k"))
            .file(".main.tf", hcl("hidden"))
            .file("#main.tf#", hcl("autosaved"))
            .file("main.tf~", hcl("backup"))
            .file("modules/x/main.tf", hcl("module"))
            .has_key("k"),
        Case::new("a_byte_order_mark_is_accepted")
            .file("main.tf", format!("\u{feff}{}", hcl("k")))
            .has_key("k"),
        Case::new("crlf_is_accepted").file("main.tf", hcl("k").replace('\n', "\r\n")).has_key("k"),
        Case::new("a_label_may_go_without_quotes")
            .file("main.tf", hcl("k").replace("backend \"s3\"", "backend s3"))
            .has_key("k"),
        Case::new("a_whole_configuration_around_the_block_is_no_obstacle")
            .file(
                "main.tf",
                format!("variable \"x\" {{}}\n\n{}\nlocals {{\n  a = var.x\n}}\n", hcl("k")),
            )
            .file("outputs.tf", "output \"o\" {\n  value = \"backend ${local.a}\"\n}\n")
            .has_key("k"),
    ];
    for case in cases {
        case.add_to(suite);
    }
}

fn which_counts(suite: &mut Suite) {
    let duplicate: &[&str] = &["there is more than one `backend` block", "a.tf:2", "b.tf:2"];
    let local = "terraform {\n  backend \"local\" {\n    path = \"x\"\n  }\n}\n";
    let bare = "terraform {\n  backend \"s3\" {\n    bucket = \"tfstate\"\n    \
                key = \"plain\"\n    \
         workspace_key_prefix = \"p\"\n    COMMON\n  }\n}\n";
    let cases = [
        Case::new("two_blocks_in_two_files_are_refused")
            .file("a.tf", hcl("a"))
            .file("b.tf", hcl("b"))
            .refused(duplicate)
            .terraform_refuses("Duplicate backend configuration"),
        Case::new("two_blocks_in_hcl_and_json_are_refused")
            .file("a.tf", hcl("a"))
            .file("b.tf.json", json("b"))
            .refused(&["there is more than one `backend` block"])
            .terraform_refuses("Duplicate backend configuration"),
        Case::new("an_override_replaces_the_whole_block_and_merges_nothing")
            .file("main.tf", bare)
            .file("override.tf", hcl("o"))
            .is(&[("key", json!("o")), ("workspace_key_prefix", json!("env:"))]),
        Case::new("a_file_named_override_at_its_end_overrides")
            .file("main.tf", bare)
            .file("prod_override.tf", hcl("o"))
            .has_key("o"),
        Case::new("an_override_in_json_overrides")
            .file("main.tf", bare)
            .file("override.tf.json", json("o"))
            .has_key("o"),
        Case::new("a_json_override_with_a_name_overrides")
            .file("main.tf.json", json("k"))
            .file("x_override.tf.json", json("o"))
            .has_key("o"),
        Case::new("an_override_may_change_the_type")
            .file("main.tf", local)
            .file("override.tf", hcl("o"))
            .has_key("o"),
        Case::new("the_last_override_by_name_counts")
            .file("main.tf", bare)
            .file("a_override.tf", hcl("a"))
            .file("z_override.tf", hcl("z"))
            .file("override.tf", hcl("o"))
            .has_key("z"),
        Case::new("an_override_may_hold_the_only_block")
            .file("main.tf", "terraform {}\n")
            .file("override.tf", hcl("o"))
            .has_key("o"),
        Case::new("json_objects_may_be_wrapped_in_arrays")
            .file(
                "main.tf.json",
                "{\"terraform\": [{\"backend\": [{\"s3\": [{\"bucket\": \"tfstate\", \"key\": \
                 \"k\", COMMON_JSON}]}]}]}",
            )
            .has_key("k"),
        Case::new("a_cloud_block_is_told_to_be_no_object_store")
            .file("main.tf", "terraform {\n  cloud {\n    organization = \"o\"\n  }\n}\n")
            .refused(&["not in an object store", "main.tf:2"])
            .terraform_is_not_asked(),
        Case::new("a_backend_that_is_not_spoken_is_named")
            .file("main.tf", local)
            .refused(&["backend type `local` is not supported", "main.tf:2", "supported are `s3`"])
            .terraform_is_not_asked(),
        Case::new("the_http_backend_needs_a_file_of_ours")
            .file("main.tf", "terraform {\n  backend \"http\" {}\n}\n")
            .refused(&[
                "speaks `http`, which does not say where the server keeps the state",
                "add a file `remote-state.hcl`",
            ])
            .terraform_is_not_asked(),
    ];
    for case in cases {
        case.add_to(suite);
    }
}

fn none(suite: &mut Suite) {
    let commented = |marker: &str| {
        hcl("k").lines().map(|line| format!("{marker} {line}\n")).collect::<String>()
    };
    let cases = [
        Case::new("a_directory_without_a_block_names_no_backend")
            .file("main.tf", "terraform {\n}\n")
            .refused(NONE)
            .terraform_finds_none(),
        Case::new("an_empty_directory_names_no_backend").refused(NONE).terraform_finds_none(),
        Case::new("settings_without_a_block_need_a_type")
            .file("main.tf", "terraform {\n}\n")
            .given("bucket=tfstate")
            .given("key=k")
            .refused(&["no backend is configured here", "`--backend TYPE`"])
            .terraform_finds_none(),
        Case::new("a_block_behind_number_signs_is_no_block")
            .file("main.tf", commented("#"))
            .refused(NONE)
            .terraform_finds_none(),
        Case::new("a_block_behind_slashes_is_no_block")
            .file("main.tf", commented("//"))
            .refused(NONE)
            .terraform_finds_none(),
        Case::new("a_block_in_a_comment_is_no_block")
            .file("main.tf", format!("/*\n{}*/\n", hcl("k")))
            .refused(NONE)
            .terraform_finds_none(),
        Case::new("a_comment_beside_the_block_is_no_second_block")
            .file("main.tf", format!("/*\n{}*/\n{}{}", hcl("a"), commented("#"), hcl("k")))
            .has_key("k"),
        Case::new("a_block_in_a_heredoc_is_no_block")
            .file(
                "main.tf",
                format!("locals {{\n  text = <<-EOT\n{}EOT\n}}\n{}", hcl("text"), hcl("k")),
            )
            .is(&[("key", Value::from("k"))]),
    ];
    for case in cases {
        case.add_to(suite);
    }
}
