//! Which files are read, and which block counts.

use crate::fixture::{Dir, message, value};

fn block(bucket: &str) -> String {
    format!(
        "terraform {{\n  backend \"alpha\" {{\n    bucket = \"{bucket}\"\n    key = \"k\"\n  \
         }}\n}}\n"
    )
}

fn json(bucket: &str) -> String {
    format!(
        "{{\"terraform\":{{\"backend\":{{\"alpha\":{{\"bucket\":\"{bucket}\",\"key\":\"k\"}}}}}}}}"
    )
}

#[test]
fn every_kind_of_configuration_file_is_read() {
    for (name, content) in [
        ("main.tf", block("b")),
        ("x.tf.json", json("b")),
        ("x.tofu", block("b")),
        ("x.tofu.json", json("b")),
    ] {
        let found = Dir::new().file(name, content).discover().unwrap();
        assert_eq!(value(&found, "bucket").as_deref(), Some("b"), "{name}");
        assert_eq!(found.config.provider().scheme, "alpha");
    }
}

#[test]
fn backups_hidden_files_and_folders_below_are_not_read() {
    for name in [".x.tf", "#x.tf#", "x.tf~", "below/main.tf", "x.tf.bak", "x.txt", "tf"] {
        let error = Dir::new().file(name, block("b")).error();
        assert!(error.starts_with("no backend is configured here"), "{name}: {error}");
    }
}

#[test]
fn a_folder_that_is_named_like_a_file_is_not_read() {
    assert_eq!(
        Dir::main(&block("b")).file("modules.tf/x", "").value("bucket").as_deref(),
        Some("b")
    );
}

#[test]
fn a_tofu_file_shadows_its_namesake_and_a_note_says_so() {
    let found =
        Dir::main(&block("terraform")).file("main.tofu", block("opentofu")).discover().unwrap();
    assert_eq!(value(&found, "bucket").as_deref(), Some("opentofu"));
    let [note] = found.config.notes() else { panic!("{:?}", found.config.notes()) };
    assert!(note.contains("main.tf:2") && note.contains("main.tofu"), "{note}");
}

#[test]
fn a_tofu_file_shadows_only_the_same_name_and_syntax() {
    for name in ["other.tofu", "main.tofu.json"] {
        let content = if name.ends_with("json") { json("b") } else { block("b") };
        assert!(
            Dir::main(&block("a"))
                .file(name, content)
                .error()
                .contains("more than one `backend` block"),
            "{name}"
        );
    }
}

#[test]
fn a_byte_order_mark_and_crlf_are_accepted() {
    let content = format!("\u{feff}{}", block("b").replace('\n', "\r\n"));
    let found = Dir::main(&content).discover().unwrap();
    assert_eq!(value(&found, "bucket").as_deref(), Some("b"));
    assert_eq!(found.config.named("bucket").unwrap().origin.to_string(), "main.tf:3");
    let found = Dir::new().file("x.tf.json", format!("\u{feff}{}", json("b"))).discover().unwrap();
    assert_eq!(value(&found, "bucket").as_deref(), Some("b"));
}

#[test]
fn the_label_may_go_without_quotes() {
    assert_eq!(
        Dir::main(&block("b").replace("\"alpha\"", "alpha")).value("bucket").as_deref(),
        Some("b")
    );
}

#[test]
fn a_block_without_a_label_or_with_two_is_an_error() {
    for label in ["", "\"alpha\" \"beta\""] {
        let error = Dir::main(&block("b").replace("\"alpha\"", label)).error();
        assert!(error.contains("exactly one label") && error.contains("main.tf:2"), "{error}");
    }
}

#[test]
fn two_blocks_in_two_files_are_an_error_that_names_both() {
    let error = Dir::main(&block("a")).file("b.tf", block("b")).error();
    assert!(error.contains("more than one `backend` block"), "{error}");
    assert!(error.contains("b.tf:2") && error.contains("main.tf:2"), "{error}");
}

#[test]
fn two_blocks_in_one_file_are_an_error() {
    assert!(Dir::main(&(block("a") + &block("b"))).error().contains("and in: main.tf:8"));
}

#[test]
fn an_override_replaces_the_whole_block() {
    for name in ["override.tf", "x_override.tf", "override.tf.json", "x_override.tofu"] {
        let content = if name.ends_with("json") { json("o") } else { block("o") };
        let dir = Dir::block("region = \"r\"").file(name, content);
        assert_eq!(dir.value("bucket").as_deref(), Some("o"), "{name}");
        assert_eq!(dir.value("region"), None, "{name}: nothing is merged");
    }
}

#[test]
fn an_override_may_change_the_type() {
    let dir = Dir::main(&block("a"))
        .file("override.tf", "terraform {\n  backend \"beta\" {\n    bucket = \"o\"\n  }\n}");
    assert_eq!(dir.discover().unwrap().config.provider().scheme, "beta");
}

#[test]
fn the_last_override_by_name_wins() {
    let dir =
        Dir::main(&block("a")).file("z_override.tf", block("z")).file("a_override.tf", block("o"));
    assert_eq!(dir.value("bucket").as_deref(), Some("z"));
}

#[test]
fn an_override_may_hold_the_only_block() {
    assert_eq!(Dir::new().file("override.tf", block("o")).value("bucket").as_deref(), Some("o"));
}

#[test]
fn json_objects_may_be_wrapped_in_arrays() {
    let content =
        "[{\"terraform\":[{\"backend\":[{\"alpha\":[{\n\"bucket\":\"b\",\n\"key\":\"k\"}]}]}]}]";
    let found = Dir::new().file("main.tf.json", content).discover().unwrap();
    assert_eq!(value(&found, "bucket").as_deref(), Some("b"));
    assert_eq!(found.config.named("bucket").unwrap().origin.to_string(), "main.tf.json:2");
}

#[test]
fn two_blocks_in_one_json_file_are_an_error() {
    let content = "{\"terraform\":[{\"backend\":{\"alpha\":{}}},{\"backend\":{\"alpha\":{}}}]}";
    assert!(
        Dir::new().file("main.tf.json", content).error().contains("more than one `backend` block")
    );
}

#[test]
fn a_comment_in_json_is_no_key() {
    let content =
        "{\"terraform\":{\"backend\":{\"alpha\":{\"//\":\"why\",\"bucket\":\"b\",\"key\":\"k\"}}}}";
    assert_eq!(Dir::new().file("main.tf.json", content).value("bucket").as_deref(), Some("b"));
}

#[test]
fn a_cloud_block_is_no_object_store() {
    for (name, content) in [
        ("main.tf", "terraform {\n  cloud {\n    organization = \"o\"\n  }\n}"),
        ("main.tf.json", "{\"terraform\":\n{\"cloud\":{\"organization\":\"o\"}}}"),
    ] {
        let error = Dir::new().file(name, content).error();
        assert!(
            error.contains("not in an object store") && error.contains(&format!("{name}:2")),
            "{error}"
        );
    }
}

#[test]
fn a_cloud_block_beside_a_backend_is_an_error() {
    let error = Dir::main(&block("a")).file("c.tf", "terraform {\n  cloud {}\n}").error();
    assert!(error.contains("both a `backend` and a `cloud` block"), "{error}");
}

#[test]
fn without_a_block_the_error_says_what_was_looked_for_and_how_to_go_on() {
    for dir in [Dir::new(), Dir::main("resource \"x\" \"y\" {}\n"), Dir::main("terraform {\n}\n")] {
        let error = dir.error();
        for part in [
            "no backend is configured here",
            "remote-state.hcl",
            ".terraform/terraform.tfstate",
            "the options `backend`",
        ] {
            assert!(error.contains(part), "{part}: {error}");
        }
    }
}

#[test]
fn backend_config_without_a_block_needs_a_type() {
    let error = message(&Dir::new().with_config(&["bucket=b", "key=k"]).unwrap_err());
    assert!(error.contains("the options `backend`"), "{error}");
}

#[test]
fn commented_out_blocks_are_no_blocks() {
    let blocks = [
        format!("/*\n{}*/\n", block("b")),
        block("b").lines().map(|line| format!("# {line}\n")).collect(),
        block("b").lines().map(|line| format!("// {line}\n")).collect(),
    ];
    for content in blocks {
        assert!(Dir::main(&content).error().contains("no backend is configured here"), "{content}");
    }
}

#[test]
fn a_block_outside_of_terraform_is_no_block() {
    assert!(
        Dir::main("backend \"alpha\" {\n}\n").error().contains("no backend is configured here")
    );
}

#[test]
fn a_broken_file_without_a_backend_does_not_hide_the_state() {
    assert_eq!(
        Dir::main(&block("b")).file("broken.tf", "resource {{{").value("bucket").as_deref(),
        Some("b")
    );
}

#[test]
fn a_file_that_cannot_be_parsed_is_named_with_line_and_column_and_not_quoted() {
    let error = Dir::main(
        "terraform {\n  backend \"alpha\" {\n    secret_key = \"hunter2\" oops\n  }\n}\n",
    )
    .error();
    assert!(
        error.contains("cannot parse `main.tf`") && error.contains("main.tf:3, column"),
        "{error}"
    );
    assert!(!error.contains("hunter2"), "{error}");
    let error = Dir::new()
        .file("x.tf.json", "{\"terraform\":{\"backend\":{\n\"alpha\":{\"key\":\"hunter2\" 1}}}}")
        .error();
    assert!(
        error.contains("cannot parse `x.tf.json`") && error.contains("x.tf.json:2, column"),
        "{error}"
    );
    assert!(!error.contains("hunter2"), "{error}");
}

#[test]
fn whatever_terraform_can_write_around_the_block_is_parsed() {
    let found = Dir::main(include_str!("constructs.tf")).discover().unwrap();
    assert_eq!(value(&found, "bucket").as_deref(), Some("x"));
}

#[test]
fn a_block_of_another_type_may_have_blocks_of_its_own() {
    let content = "terraform {\n  backend \"remote\" {\n    workspaces {\n      name = \"w\"\n    \
                   }\n  }\n}\n";
    assert!(Dir::main(content).error().contains("backend type `remote` is not supported"));
}
